"""The request as a whole: order, limits, sampling, identity, what is left out, and the variant of Vertex."""

import json
from typing import Any

import pytest

from llmgateway.domain.routing import ParameterPolicy
from llmgateway.wire.anthropic.build import build_request
from tests.unit.wire.anthropic.asking import ADAPTIVE, NEW, OLD, PLAIN, USER, built, chat_of, claude, tool


def test_the_prefix_that_caches_compare_comes_first() -> None:
    members = {"temperature": 0.5, "stop": "x", "stream": True, "tools": [tool()], "tool_choice": "auto"}
    sent, _ = built(claude(), messages=[{"role": "system", "content": "s"}, USER], **members)
    assert list(sent)[:4] == ["model", "tools", "system", "messages"]
    assert sent["model"] == PLAIN
    assert sent["stream"] is True


def test_the_next_turn_only_adds_to_the_bytes() -> None:
    """Prompt caches compare prefixes: up to the end of the last message nothing may change."""
    messages: list[Any] = [{"role": "system", "content": "s"}]
    last = b""
    for turn in range(8):
        messages.append({"role": "user", "content": f"question {turn}"})
        request, _ = build_request(chat_of(messages=messages, tools=[tool()], max_tokens=100 + turn), to=claude())
        prefix = request.body[: request.body.index(b'],"max_tokens"')]
        assert prefix.startswith(last)
        last = prefix
        messages.append({"role": "assistant", "content": f"answer {turn}"})


@pytest.mark.parametrize(
    ("upstream", "limit"),
    [
        ("claude-3-opus-20240229", 4096), ("claude-3-5-haiku-latest", 8192), ("claude-opus-4-1", 32_000),
        (PLAIN, 64_000), (NEW, 128_000), ("minimax-m2", 8192),
    ],
)  # fmt: skip
def test_an_answer_without_a_limit_gets_the_models(upstream: str, limit: int) -> None:
    assert built(claude(upstream))[0]["max_tokens"] == limit


def test_limits_of_the_caller_and_of_the_catalogue() -> None:
    assert built(claude(max_output=555))[0]["max_tokens"] == 555
    assert built(claude(), max_tokens=5)[0]["max_tokens"] == 5
    assert built(claude(), max_tokens=5, max_completion_tokens=6)[0]["max_tokens"] == 6


def test_sampling_is_clamped_and_what_says_nothing_is_not_said() -> None:
    sent, dropped = built(claude(OLD), temperature=1.7, top_p=0.3, top_k=5, stop=["a", "", "b"])
    assert (sent["temperature"], sent["top_p"], sent["top_k"]) == (1, 0.3, 5)
    assert sent["stop_sequences"] == ["a", "b"]
    assert dropped == ()
    assert "top_k" not in built(claude(OLD), top_k=-1)[0]
    policy = ParameterPolicy(clamp={"temperature": 0.5})
    assert built(claude(OLD, policy=policy), temperature=0.9)[0]["temperature"] == 0.5


def test_newer_models_take_one_sampler_and_the_newest_none() -> None:
    sent, dropped = built(claude(), temperature=0.5, top_p=0.5)
    assert ("top_p" in sent, dropped) == (False, ("top_p",))
    assert built(claude(), top_p=0.5)[0]["top_p"] == 0.5
    sent, dropped = built(claude(NEW), temperature=0.5, top_p=0.5, top_k=1)
    assert not sent.keys() & {"temperature", "top_p", "top_k"}
    assert dropped == ("temperature", "top_p", "top_k")
    assert built(claude(NEW), temperature=1, top_p=1)[1] == ()
    assert built(claude(lacks=frozenset(("temperature",))), temperature=1)[1] == ("temperature",)


@pytest.mark.parametrize(
    ("said", "user", "dropped"),
    [
        ({"user": "u-1"}, "u-1", ()),
        ({"safety_identifier": "s-1", "user": "u-1"}, "s-1", ("user",)),
        ({"safety_identifier": "u-1", "user": "u-1"}, "u-1", ()),
        ({"metadata": {"user_id": "m-1"}}, "m-1", ()),
        ({"metadata": {"user_id": "m-1", "team": "x"}}, "m-1", ("metadata",)),
        ({"metadata": {"team": "x"}}, None, ("metadata",)),
        ({"user": "ann@example.com"}, None, ("user",)),
        ({"user": "+41 44 123 45 67"}, None, ("user",)),
        ({"user": "u" * 257}, None, ("user",)),
    ],
)
def test_whom_it_is_for(said: dict[str, Any], user: str | None, dropped: tuple[str, ...]) -> None:
    sent, left_out = built(claude(), **said)
    assert sent.get("metadata", {}).get("user_id") == user
    assert left_out == dropped


@pytest.mark.parametrize(
    ("tier", "sent"), [("auto", "auto"), ("default", "standard_only"), ("priority", "auto"), ("flex", None)]
)
def test_service_tiers(tier: str, sent: str | None) -> None:
    body, dropped = built(claude(), service_tier=tier)
    assert body.get("service_tier") == sent
    assert dropped == (() if sent else ("service_tier",))


def test_what_the_protocol_has_no_word_for_is_listed_and_defaults_are_not() -> None:
    said = {"seed": 1, "presence_penalty": 1, "guided_json": {}, "verbosity": "low", "logit_bias": {"5": 1}}
    defaults = {"n": 1, "logprobs": False, "modalities": ["text"], "stream_options": {}, "usage": {}, "routing": "auto"}
    _, dropped = built(claude(), **said, **defaults)
    assert set(dropped) == said.keys()
    assert len(dropped) == len(said)


def test_the_protocols_own_fields_go_to_rows_that_take_unknown_ones() -> None:
    own = {"mcp_servers": [], "thinking": {"type": "enabled", "budget_tokens": 2000}, "guided_json": {}}
    sent, dropped = built(claude(unknown_fields="pass"), **own)
    assert (sent["mcp_servers"], sent["thinking"], dropped) == ([], own["thinking"], ("guided_json",))
    assert built(claude(), **own)[1] == ("mcp_servers", "thinking", "guided_json")
    both = {"effort": "low", "output_config": {"task_budget": 5}}
    sent, _ = built(claude(ADAPTIVE, unknown_fields="pass"), **both)
    assert sent["output_config"] == {"task_budget": 5, "effort": "low"}


def test_what_a_row_always_sends() -> None:
    policy = ParameterPolicy(force={"temperature": "0.25"}, drop=("top_k", "user"))
    sent, dropped = built(claude(policy=policy), temperature=1, top_k=4, user="u-1")
    assert (sent["temperature"], dropped) == (0.25, ("top_k", "user", "temperature"))
    assert "metadata" not in sent


def test_vertex_names_the_model_in_the_path_and_the_version_in_the_body() -> None:
    sent, dropped = built(claude(quirks=("vertex",)), stream=True, service_tier="auto")
    assert "model" not in sent
    assert sent["anthropic_version"] == "vertex-2023-10-16"
    assert (sent["stream"], dropped) == (True, ("service_tier",))


def test_a_stream_goes_where_streams_go() -> None:
    to = claude()
    request, _ = build_request(chat_of(stream=True), to=to)
    assert (request.head, request.origin) == (to.head_stream, to.origin)
    assert json.loads(build_request(chat_of(), to=to)[0].body).get("stream") is None


def test_a_reasoning_summary_is_part_of_thinking() -> None:
    assert built(claude(), reasoning={"effort": "low", "summary": "auto"})[1] == ()
    assert built(claude(), reasoning={"summary": "auto"})[1] == ("reasoning.summary",)


OWN = ParameterPolicy(
    takes=("betas", "container", "mcp_servers", "thinking"), types=("computer_*", "mcp_toolset", "tool")
)


def test_fields_of_its_own_are_sent_by_a_row_that_takes_them() -> None:
    sent, dropped = built(claude(policy=OWN), container="c", mcp_servers=[], speed="fast")
    assert (sent["container"], sent["mcp_servers"], dropped) == ("c", [], ("speed",))
    sent, dropped = built(claude(), container="c")
    assert ("container" in sent, dropped) == (False, ("container",))


def test_what_was_translated_counts_before_the_callers_own_object() -> None:
    own = {"type": "disabled", "display": "omitted"}
    sent, _ = built(claude(policy=OWN), thinking=own, reasoning={"max_tokens": 2000}, max_tokens=9000)
    assert sent["thinking"] == {"type": "enabled", "budget_tokens": 2000, "display": "omitted"}
    assert built(claude(policy=OWN), thinking=own)[0]["thinking"] == own
    sent, _ = built(claude(policy=OWN), thinking="deep", reasoning={"max_tokens": 2000}, max_tokens=9000)
    assert sent["thinking"] == {"type": "enabled", "budget_tokens": 2000}


def test_a_tool_of_its_own_and_the_choice_of_it_are_sent_as_written() -> None:
    tools = [{"type": "computer_20251124", "name": "computer", "display_width_px": 800}]
    choice = {"type": "tool", "name": "computer"}
    sent, dropped = built(claude(policy=OWN), tools=tools, tool_choice=choice)
    assert (sent["tools"], sent["tool_choice"], dropped) == (tools, choice, ())
    named = {"type": "function", "function": {"name": "computer"}}
    assert built(claude(policy=OWN), tools=tools, tool_choice=named)[0]["tool_choice"] == choice


def betas(policy: ParameterPolicy, **members: Any) -> list[str]:
    head = build_request(chat_of(**members), to=claude(policy=policy))[0].head.decode()
    lines = [line for line in head.split("\r\n") if line.startswith("anthropic-beta: ")]
    assert len(lines) <= 1
    return lines[0].removeprefix("anthropic-beta: ").split(",") if lines else []


def test_betas_are_a_header() -> None:
    assert betas(OWN) == []
    assert betas(OWN, betas=["a-2026", "b-2026"]) == ["a-2026", "b-2026"]
    computer = [{"type": "computer_20251124", "name": "computer"}]
    assert betas(OWN, tools=computer, betas=["a-2026"]) == ["a-2026", "computer-use-2025-11-24"]
    assert betas(ParameterPolicy(types=("computer_*",)), tools=computer) == []
    assert betas(OWN, mcp_servers=[]) == ["mcp-client-2025-04-04"]
    assert betas(OWN, mcp_servers=[], tools=[{"type": "mcp_toolset"}]) == ["mcp-client-2025-11-20"]
    assert betas(OWN, container={"skills": []}) == ["skills-2025-10-02"]
    file = {"role": "user", "content": [{"type": "file", "file": {"file_id": "file_1"}}]}
    assert betas(OWN, messages=[file]) == ["files-api-2025-04-14"]


@pytest.mark.parametrize("names", ["a", ["a\r\nx-evil: 1"], [""], [1], ["a"] * 65, ["a,b"]])
def test_what_is_no_list_of_names_is_no_header(names: Any) -> None:
    request, dropped = build_request(chat_of(betas=names), to=claude(policy=OWN))
    assert b"anthropic-beta" not in request.head
    assert (b"betas" in request.body, dropped) == (False, ("betas",))
