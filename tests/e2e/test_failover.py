"""A provider fails and another takes over, through a whole gateway: what the official SDK sees, how long it takes, and
what is written down. Each test has a provider of its own, since one that fails rests."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import openai
import pytest

from tests.support.gateway import HELLO, STATIC_KEY, Gateway, Simulator, custom_provider, running_gateway, static_key

ASK: Final[Any] = HELLO
WHOLE: Final = ("500", "429", "401", "reset", "stall-headers", "empty-message", "error-event", "cut")
STREAMED: Final = ("500", "reset", "stall-headers", "empty-message")
BROKEN: Final = ("error-event", "cut")
SICK: Final = (
    *[f"whole-{fault}" for fault in WHOLE],
    *[f"streamed-{fault}" for fault in STREAMED],
    *[f"broken-{fault}" for fault in BROKEN],
    *("pinned-500", "alone-500", "hurried-stall-headers"),
)
"""Providers and models, by the test and the fault."""
_ROUTING: Final = "[routing]\nexploration_rate = 0\nbackoff_s = 0.01\n"
_PATIENCE: Final = "timeout_s = { connect = 2, first_byte = 0.5, idle = 0.5 }"
_TWO_KEYS: Final = 'api_keys = ["sk-first-key-of-pool", "sk-second-key-of-pool"]'


def offer(provider: str, model: str, *, upstream: str, price: int) -> str:
    money = f"input_usd_per_mtok = {price}\noutput_usd_per_mtok = {price}\n"
    return f'[[providers.{provider}.models]]\nid = "{model}"\nupstream = "{upstream}"\n{money}'


def configuration(simulator: Simulator) -> str:
    sections = [_ROUTING, custom_provider("well", simulator.base_url)]
    sections += [offer("well", name, upstream="echo", price=2) for name in SICK]
    for name in SICK:
        fault = f"fault-{name.partition('-')[2]}"
        sections.append(custom_provider(name, simulator.base_url, _PATIENCE))
        sections.append(offer(name, name, upstream=fault, price=1))
    sections.append(custom_provider("pool", simulator.base_url).replace('api_keys = ["sk-upstream-key"]', _TWO_KEYS))
    sections.append(offer("pool", "pooled", upstream="fault-401", price=1))
    return "\n".join((*sections, static_key()))


@pytest.fixture(scope="module")
def door(simulator: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    place: Path = tmp_path_factory.mktemp("failover")
    with running_gateway(place, configuration=configuration(simulator)) as gateway:
        yield gateway


@pytest.fixture
def client(door: Gateway) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{door.url}/v1", api_key=STATIC_KEY, max_retries=0, timeout=20) as client:
        yield client


def routing(error: openai.APIStatusError) -> list[dict[str, Any]]:
    return error.response.json()["metadata"]["routing"]


@pytest.mark.parametrize("fault", WHOLE)
def test_a_whole_answer_comes_from_the_next_provider(client: openai.OpenAI, door: Gateway, fault: str) -> None:
    name = f"whole-{fault}"
    answer = client.chat.completions.create(model=name, messages=ASK, extra_headers={"x-request-id": name})
    assert (answer.choices[0].message.content, answer.model) == ("Hello", f"well/{name}")
    row = door.exchange(name)
    assert (row["status"], row["attempts"], row["used_provider"]) == (200, 2, "well")
    assert [(one["provider"], one["succeeded"]) for one in door.attempts(row)] == [(name, 0), ("well", 1)]


@pytest.mark.parametrize("fault", STREAMED)
def test_so_does_a_stream_that_had_no_content(client: openai.OpenAI, fault: str) -> None:
    chunks = list(client.chat.completions.create(model=f"streamed-{fault}", messages=ASK, stream=True))
    assert "".join([choice.delta.content or "" for chunk in chunks for choice in chunk.choices]) == "Hello"
    assert {chunk.model for chunk in chunks} == {f"well/streamed-{fault}"}


def drained(stream: Any, said: list[str]) -> None:
    for chunk in stream:
        said += [choice.delta.content or "" for choice in chunk.choices]


@pytest.mark.parametrize("fault", BROKEN)
def test_behind_content_nobody_takes_over(client: openai.OpenAI, door: Gateway, fault: str) -> None:
    name, said = f"broken-{fault}", list[str]()
    stream = client.chat.completions.create(model=name, messages=ASK, stream=True, extra_headers={"x-request-id": name})
    with pytest.raises(openai.APIError):
        drained(stream, said)
    assert "".join(said)
    row = door.exchange(name)
    assert (row["attempts"], row["used_provider"], row["truncated"]) == (1, name, 1)


@pytest.mark.parametrize(
    ("model", "headers"), [("pinned-500/pinned-500", {}), ("alone-500", {"x-no-fallback": "true"})]
)
def test_where_there_is_no_fallback_the_same_one_is_asked_again(
    client: openai.OpenAI, model: str, headers: dict[str, str]
) -> None:
    with pytest.raises(openai.InternalServerError) as caught:
        client.chat.completions.create(model=model, messages=ASK, extra_headers=headers)
    assert [entry["provider"] for entry in routing(caught.value)] == [model.partition("/")[0]] * 3


def test_every_credential_of_a_pool_is_tried(client: openai.OpenAI) -> None:
    with pytest.raises(openai.InternalServerError) as caught:
        client.chat.completions.create(model="pooled", messages=ASK)
    assert caught.value.code == "upstream_auth_error"
    tried = [entry["apiKeyHash"] for entry in routing(caught.value)]
    assert len(set(tried)) == len(tried) == 2


def test_the_callers_deadline_is_over_all_attempts(client: openai.OpenAI, door: Gateway) -> None:
    """Half a second of silence is borne; a caller that gives less than that in all waits for nobody else."""
    headers = {"x-request-timeout": "0.3", "x-request-id": "hurried"}
    with pytest.raises(openai.InternalServerError) as caught:
        client.chat.completions.create(model="hurried-stall-headers", messages=ASK, extra_headers=headers)
    assert caught.value.status_code == 504
    assert door.exchange("hurried")["attempts"] == 1
