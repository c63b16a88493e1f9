"""The model `auto` through a real process: two providers with prices, and a gateway that has none."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.gateway import Gateway, custom_provider, running_gateway, static_key
from tests.support.told_upstream import ToldUpstream, told_upstream

TOOLS = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}]
CHEAP_UPSTREAM, DEAR_UPSTREAM = "vendor-small-1", "vendor-large-1"


def configuration(cheap: ToldUpstream, dear: ToldUpstream) -> str:
    return "\n".join(
        (
            '[routing]\nauto_models = ["large", "small", "gratis", "mispelt"]\n',
            custom_provider("cheap", cheap.base_url),
            '[[providers.cheap.models]]\nid = "small"\nupstream = "vendor-small-1"\ncontext = 8192\nlacks = ["tools"]',
            "input_usd_per_mtok = 0.1\noutput_usd_per_mtok = 0.5\n",
            '[[providers.cheap.models]]\nid = "gratis"\ncontext = 100',
            "input_usd_per_mtok = 0\noutput_usd_per_mtok = 0\n",
            custom_provider("dear", dear.base_url),
            '[[providers.dear.models]]\nid = "large"\nupstream = "vendor-large-1"\ncontext = 200000',
            "input_usd_per_mtok = 2\noutput_usd_per_mtok = 10\n",
            static_key(),
        )
    )


@pytest.fixture(scope="module")
def upstreams() -> Iterator[tuple[ToldUpstream, ToldUpstream]]:
    with told_upstream() as cheap, told_upstream() as dear:
        yield cheap, dear


@pytest.fixture(scope="module")
def gateway(
    upstreams: tuple[ToldUpstream, ToldUpstream], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    with running_gateway(tmp_path_factory.mktemp("auto"), configuration=configuration(*upstreams)) as running:
        yield running


@pytest.mark.parametrize("stream", [False, True])
def test_the_cheapest_model_that_fits_answers(gateway: Gateway, stream: bool) -> None:
    answer = gateway.chat("auto", stream=stream, headers={"x-request-id": f"cheapest-{stream}"})
    assert (answer.status, answer.text) == (200, "Hello.")
    row = gateway.exchange(f"cheapest-{stream}")
    assert (row["requested_model"], row["requested_provider"]) == ("auto", None)
    assert (row["used_model"], row["upstream_model"]) == ("cheap/small", CHEAP_UPSTREAM)
    assert row["cost_total"] == 10 * 100_000 + 2 * 500_000


def test_the_answer_says_which_model_it_was(gateway: Gateway) -> None:
    told = gateway.chat("auto").json
    metadata = told["metadata"]
    assert told["model"] == metadata["used_model"] == "cheap/small"
    assert (metadata["requested_model"], metadata["requested_provider"]) == ("auto", None)
    assert metadata["underlying_used_model"] == CHEAP_UPSTREAM
    assert [one["model"] for one in metadata["routing"]] == ["small"]


def test_what_the_cheapest_cannot_do_goes_to_the_next(
    gateway: Gateway, upstreams: tuple[ToldUpstream, ToldUpstream]
) -> None:
    told = gateway.chat("auto", tools=TOOLS, user="wants-a-tool").json
    assert told["metadata"]["used_model"] == "dear/large"
    assert upstreams[1].last("wants-a-tool").json["model"] == DEAR_UPSTREAM
    long = [{"role": "user", "content": "word " * 5000}]
    assert gateway.chat("auto", messages=long).json["metadata"]["used_model"] == "dear/large"
    assert gateway.chat("auto", max_tokens=8192).json["metadata"]["used_model"] == "dear/large"


def test_the_filter_that_leaves_nothing_is_named(gateway: Gateway) -> None:
    answer = gateway.chat("auto", free_models_only=True)
    assert (answer.status, answer.json["error"]["code"]) == (400, "context_length_exceeded")
    free = gateway.chat("auto", free_models_only=True, max_tokens=20)
    assert free.json["metadata"]["used_model"] == "cheap/gratis"
    assert free.json["metadata"]["dropped_parameters"] == []
    tools = gateway.chat("auto", free_models_only=True, max_tokens=20, tools=TOOLS, no_reasoning=True)
    assert tools.json["metadata"]["used_model"] == "cheap/gratis"


def test_auto_stands_in_a_fallback_list(gateway: Gateway) -> None:
    told = gateway.chat("large", models=["large", "auto"]).json
    assert told["metadata"]["used_model"] == "dear/large"
    lists = gateway.chat("auto", models=["auto", "large"]).json
    assert lists["metadata"]["used_model"] == "cheap/small"


def test_a_listed_name_that_is_no_model_is_told_at_the_start(gateway: Gateway) -> None:
    assert "warning: auto_models has mispelt, which is no model\n" in gateway.written()


def test_with_nothing_but_the_simulator_the_error_says_what_to_set(tmp_path: Path) -> None:
    with running_gateway(tmp_path, configuration=static_key()) as bare:
        answer = bare.chat("auto")
        assert (answer.status, answer.json["error"]["code"]) == (400, "no_provider_available")
        assert "OPENAI_API_KEY" in answer.json["error"]["message"]
        assert answer.json["error"]["param"] == "model"
