"""Efforts as budgets or as adaptive thinking, and what keeps the model from thinking."""

from typing import Any

import pytest

from llmgateway.domain.errors import UpstreamError
from tests.unit.wire.anthropic.asking import ADAPTIVE, NEW, PLAIN, USER, built, call, claude, result, tool

SIGNED = {"type": "reasoning.text", "text": "Hm.", "signature": "s1", "format": "anthropic-claude-v1", "index": 0}
LOOP: list[Any] = [USER, {"role": "assistant", "tool_calls": [call()]}, result()]


def thinking(upstream: str = PLAIN, **members: Any) -> tuple[Any, Any, tuple[str, ...]]:
    sent, dropped = built(claude(upstream), **members)
    return sent.get("thinking"), sent.get("output_config"), dropped


@pytest.mark.parametrize(
    ("effort", "budget"),
    [("minimal", 1024), ("low", 1024), ("medium", 4096), ("high", 16_000), ("xhigh", 32_000), ("max", 62_976)],
)
def test_an_effort_is_a_budget(effort: str, budget: int) -> None:
    enabled = {"type": "enabled", "budget_tokens": budget}
    assert thinking(reasoning_effort=effort) == (enabled, None, ())
    assert thinking(reasoning={"effort": effort}) == (enabled, None, ())


def test_a_budget_leaves_a_token_for_the_answer() -> None:
    assert thinking(reasoning_effort="high", max_tokens=5000)[0] == {"type": "enabled", "budget_tokens": 4999}
    assert thinking(reasoning_effort="high", max_tokens=1024) == (None, None, ("reasoning_effort",))


def test_none_switches_thinking_off_in_the_models_own_way() -> None:
    off = {"type": "disabled"}
    assert thinking(reasoning_effort="none") == (off, None, ())
    assert thinking(reasoning={"enabled": False}) == (off, None, ())
    assert thinking(NEW, reasoning_effort="none") == (None, None, ())
    assert thinking("claude-sonnet-5", reasoning_effort="none") == (off, None, ())
    assert thinking("claude-sonnet-5-5", reasoning_effort="none")[0] == {"type": "between_tools"}
    assert thinking("claude-fable-5", reasoning_effort="none") == (None, None, ("reasoning_effort",))


def test_adaptive_models_get_the_effort_itself() -> None:
    adaptive, shown = {"type": "adaptive"}, {"type": "adaptive", "display": "summarized"}
    assert thinking(ADAPTIVE, reasoning_effort="low") == (adaptive, {"effort": "low"}, ())
    assert thinking(ADAPTIVE, reasoning_effort="minimal") == (adaptive, {"effort": "low"}, ())
    assert thinking(ADAPTIVE, reasoning_effort="xhigh") == (adaptive, {"effort": "high"}, ())
    assert thinking(NEW, reasoning_effort="xhigh") == (shown, {"effort": "xhigh"}, ())
    assert thinking(NEW, reasoning={"enabled": True}) == (shown, None, ())
    assert thinking(NEW, reasoning={"effort": "max", "exclude": True}) == (adaptive, {"effort": "max"}, ())
    assert thinking(NEW, effort="low", reasoning_effort="max") == (shown, {"effort": "low"}, ())


def test_a_capability_of_the_mapping_counts_more_than_its_name() -> None:
    has = claude("house-model", has=frozenset(("adaptive_thinking",)))
    assert built(has, reasoning_effort="low")[0]["thinking"] == {"type": "adaptive"}
    lacks = claude(ADAPTIVE, lacks=frozenset(("adaptive_thinking",)))
    assert built(lacks, reasoning_effort="low")[0]["thinking"]["type"] == "enabled"
    none = claude(lacks=frozenset(("reasoning",)))
    assert built(none, reasoning_effort="low")[1] == ("reasoning_effort",)


def test_effort_alone_does_not_make_a_model_think() -> None:
    assert thinking(ADAPTIVE, effort="medium") == (None, {"effort": "medium"}, ())
    assert thinking("claude-opus-4-5", effort="medium") == (None, {"effort": "medium"}, ())
    assert thinking(effort="medium") == (None, None, ("effort",))


@pytest.mark.parametrize(("budget", "limit"), [(1000, 5000), (5000, 5000), (6000, 5000), (2000, 1500)])
def test_a_budget_of_the_callers_that_does_not_fit_is_refused(budget: int, limit: int) -> None:
    with pytest.raises(UpstreamError) as refusal:
        built(claude(), reasoning={"max_tokens": budget}, max_tokens=limit)
    assert refusal.value.param == "reasoning.max_tokens"
    assert (refusal.value.kind.status, refusal.value.kind.blames) == (400, "caller")


def test_a_budget_of_the_callers_is_sent_as_it_is_or_refused_by_models_without() -> None:
    assert thinking(reasoning={"max_tokens": 2000, "effort": "max"})[0] == {"type": "enabled", "budget_tokens": 2000}
    assert thinking(ADAPTIVE, reasoning={"max_tokens": 2000})[0] == {"type": "enabled", "budget_tokens": 2000}
    with pytest.raises(UpstreamError, match=r"reasoning\.effort"):
        built(claude(NEW), reasoning={"max_tokens": 2000})


@pytest.mark.parametrize(
    "members",
    [
        {"tools": [tool()], "tool_choice": "required"},
        {"tools": [tool()], "tool_choice": {"type": "function", "function": {"name": "look"}}},
        {"messages": [USER, {"role": "assistant", "content": "The"}]},
        {"messages": LOOP, "tools": [tool()]},
        {"messages": [*LOOP, USER], "tools": [tool()]},
        {"messages": [*LOOP, {**LOOP[1], "reasoning_details": [SIGNED]}, result()]},
    ],
)  # fmt: skip
def test_what_excludes_a_budget_switches_thinking_off_and_is_listed(members: dict[str, Any]) -> None:
    assert thinking(reasoning_effort="low", **members)[::2] == (None, ("reasoning_effort",))
    config, _, dropped = thinking(reasoning={"max_tokens": 2000}, **members)
    assert (config, dropped) == ({"type": "disabled"}, ("reasoning.max_tokens",))


def test_a_signed_loop_and_a_finished_one_go_on_thinking() -> None:
    signed = [USER, {"role": "assistant", "tool_calls": [call()], "reasoning_details": [SIGNED]}, result()]
    second = {"role": "assistant", "tool_calls": [call("b")]}
    for messages in (signed, [*signed, second, result("b")], [*LOOP, {"role": "assistant", "content": "x"}, USER]):
        assert thinking(reasoning_effort="low", messages=messages, tools=[tool()])[2] == ()
    assert thinking(ADAPTIVE, reasoning_effort="low", messages=LOOP, tools=[tool()])[0] == {"type": "adaptive"}


def test_sampling_gives_way_to_thinking() -> None:
    sent, dropped = built(claude(), reasoning_effort="low", temperature=0.5, top_p=0.5, top_k=9)
    assert not sent.keys() & {"temperature", "top_p", "top_k"}
    assert dropped == ("temperature", "top_p", "top_k")
    sent, dropped = built(claude(), reasoning_effort="low", temperature=1.5)
    assert (sent["temperature"], dropped) == (1, ())
    sent, dropped = built(claude(), reasoning_effort="low", top_p=0.99)
    assert (sent["top_p"], dropped) == (0.99, ())
