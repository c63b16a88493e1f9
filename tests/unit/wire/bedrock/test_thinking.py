"""How much each vendor's model is to reason, when Claude's thinking is switched off, and how it comes back signed."""

from base64 import b64encode
from typing import Any

import pytest

from llmgateway.domain.errors import INVALID_VALUE, UpstreamError
from llmgateway.wire.bedrock.build import build_request
from tests.unit.wire.bedrock.converse import (
    CLAUDE,
    CLAUDE_3,
    CLAUDE_5,
    CLAUDE_46,
    CLAUDE_47,
    FABLE,
    LLAMA,
    NOVA,
    NOVA_2,
    TOOL,
    asked,
    bedrock,
    built,
    messages_of,
)

ADAPTIVE = {"thinking": {"type": "adaptive"}}
SHOWN = {"thinking": {"type": "adaptive", "display": "summarized"}}
OFF = {"thinking": {"type": "disabled"}}


def enabled(budget: int) -> dict[str, Any]:
    return {"thinking": {"type": "enabled", "budget_tokens": budget}}


def effort(level: str) -> dict[str, Any]:
    return {"output_config": {"effort": level}}


@pytest.mark.parametrize(
    ("level", "budget"),
    [("minimal", 1024), ("low", 1024), ("medium", 4096), ("high", 16000), ("xhigh", 32000), ("max", 64000 - 1024)],
)
def test_efforts_are_budgets_for_claude_up_to_4_5(level: str, budget: int) -> None:
    body, dropped = built(bedrock(CLAUDE, max_output=64000), reasoning_effort=level)
    assert body["additionalModelRequestFields"] == enabled(budget)
    assert dropped == ()


def test_a_budget_leaves_room_for_an_answer() -> None:
    assert built(reasoning_effort="high", max_tokens=2000)[0]["additionalModelRequestFields"] == enabled(1999)


@pytest.mark.parametrize(
    ("upstream", "level", "sent"),
    [
        (CLAUDE_46, "minimal", ADAPTIVE | effort("low")),
        (CLAUDE_46, "xhigh", ADAPTIVE | effort("high")),
        (CLAUDE_46, "max", ADAPTIVE | effort("max")),
        (CLAUDE_46, "none", None),
        (CLAUDE_47, "xhigh", SHOWN | effort("xhigh")),
        (CLAUDE_47, "none", None),
        (CLAUDE_5, "medium", SHOWN | effort("medium")),
        (CLAUDE_5, "none", OFF),
        (FABLE, "low", SHOWN | effort("low")),
        (CLAUDE, "none", None),
        (NOVA_2, "low", {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "low"}}),
        (NOVA_2, "max", {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "high"}}),
        (NOVA_2, "none", None),
        ("openai.gpt-oss-120b-1:0", "medium", {"reasoning_effort": "medium"}),
        ("openai.gpt-oss-120b-1:0", "minimal", {"reasoning_effort": "low"}),
        ("us.openai.gpt-5.2", "xhigh", {"reasoning": {"effort": "xhigh"}}),
        ("qwen.qwen3-32b-v1:0", "high", {"reasoning_config": "high"}),
    ],
)
def test_each_model_is_told_in_its_own_words(upstream: str, level: str, sent: dict[str, Any] | None) -> None:
    for members in ({"reasoning_effort": level}, {"reasoning": {"effort": level}}):
        body, dropped = built(upstream, **members)
        assert body.get("additionalModelRequestFields") == sent
        assert dropped == ()


@pytest.mark.parametrize(
    ("upstream", "level"),
    [(CLAUDE_3, "low"), (NOVA, "low"), (LLAMA, "high"), ("us.deepseek.r1-v1:0", "low"), (FABLE, "none")],
)
def test_what_a_model_has_no_words_for_is_listed(upstream: str, level: str) -> None:
    assert built(upstream, reasoning_effort=level)[1] == ("reasoning_effort",)
    assert built(upstream, reasoning={"effort": level})[1] == ("reasoning.effort",)


@pytest.mark.parametrize(
    ("upstream", "sent"),
    [
        (CLAUDE, enabled(5000)),
        (CLAUDE_46, enabled(5000)),
        (NOVA_2, {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "high"}}),
        ("qwen.qwen3-32b-v1:0", {"reasoning_config": "high"}),
    ],
)
def test_a_budget_of_the_callers_own(upstream: str, sent: dict[str, Any]) -> None:
    """Where there are efforts only, the least that has as much."""
    assert built(upstream, reasoning={"max_tokens": 5000})[0]["additionalModelRequestFields"] == sent


@pytest.mark.parametrize(("budget", "limit"), [(1000, None), (2000, 2000), (5000, 4096)])
def test_a_budget_that_cannot_be_kept_is_refused(budget: int, limit: int | None) -> None:
    chat = asked(reasoning={"max_tokens": budget}, max_tokens=limit)
    with pytest.raises(UpstreamError) as refused:
        build_request(chat, to=bedrock())
    assert (refused.value.kind, refused.value.param) == (INVALID_VALUE, "reasoning.max_tokens")
    assert str(budget) in refused.value.message


def test_an_effort_that_does_not_fit_switches_thinking_off() -> None:
    body, dropped = built(reasoning_effort="low", max_tokens=1024)
    assert "additionalModelRequestFields" not in body
    assert dropped == ("reasoning_effort",)


@pytest.mark.parametrize("choice", ["required", {"type": "function", "function": {"name": "weather"}}])
def test_a_forced_tool_switches_budgeted_thinking_off(choice: Any) -> None:
    body, dropped = built(reasoning_effort="low", tools=[TOOL], tool_choice=choice)
    assert "additionalModelRequestFields" not in body
    assert dropped == ("reasoning_effort",)
    body, dropped = built(CLAUDE_46, reasoning_effort="low", tools=[TOOL], tool_choice=choice)
    assert body["additionalModelRequestFields"] == ADAPTIVE | effort("low")
    assert dropped == ()


def test_words_put_in_its_mouth_switch_budgeted_thinking_off() -> None:
    messages = [{"role": "user", "content": "A"}, {"role": "assistant", "content": "{"}]
    body, dropped = built(reasoning_effort="low", messages=messages)
    assert "additionalModelRequestFields" not in body
    assert dropped == ("reasoning_effort",)


def test_a_budget_for_a_model_that_takes_none_is_refused() -> None:
    with pytest.raises(UpstreamError, match=r"use 'reasoning\.effort'"):
        built(CLAUDE_47, reasoning={"max_tokens": 5000})


@pytest.mark.parametrize(
    ("upstream", "sent"),
    [
        (CLAUDE, enabled(4096)),
        (CLAUDE_46, ADAPTIVE),
        (CLAUDE_5, SHOWN),
        (NOVA_2, {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "medium"}}),
        (LLAMA, None),
    ],
)
def test_reasoning_may_just_be_wanted(upstream: str, sent: dict[str, Any] | None) -> None:
    body, dropped = built(upstream, reasoning={"enabled": True})
    assert (body.get("additionalModelRequestFields"), dropped) == (sent, ())
    assert built(CLAUDE_5, reasoning={"enabled": False})[0]["additionalModelRequestFields"] == OFF


@pytest.mark.parametrize(
    ("upstream", "sent", "listed"),
    [
        ("anthropic.claude-sonnet-5-5", {"thinking": {"type": "between_tools"}}, ()),
        ("anthropic.claude-opus-5-5", None, ("reasoning_effort",)),
        ("anthropic.claude-mythos-preview", None, ("reasoning_effort",)),
    ],
)
def test_the_newest_models_think_whether_one_wants_or_not(upstream: str, sent: Any, listed: tuple[str, ...]) -> None:
    body, dropped = built(upstream, reasoning_effort="none")
    assert (body.get("additionalModelRequestFields"), dropped) == (sent, listed)


def loop(**members: Any) -> list[dict[str, Any]]:
    call = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
    return [
        {"role": "user", "content": "Weather?"},
        {"role": "assistant", "content": None, "tool_calls": [call], **members},
        {"role": "tool", "tool_call_id": "call_1", "content": "Sunny"},
    ]


SIGNED = {"type": "reasoning.text", "text": "Hm.", "signature": "sig", "format": "anthropic-claude-v1", "index": 0}
HIDDEN = {"type": "reasoning.encrypted", "data": "RXU4", "format": "anthropic-claude-v1", "index": 1}


def test_a_tool_loop_without_signed_thinking_goes_on_without() -> None:
    body, dropped = built(reasoning_effort="low", tools=[TOOL], messages=loop())
    assert "additionalModelRequestFields" not in body
    assert dropped == ("reasoning_effort",)


def test_a_tool_loop_with_signed_thinking_goes_on_thinking() -> None:
    body, dropped = built(reasoning_effort="low", tools=[TOOL], messages=loop(reasoning_details=[SIGNED]))
    assert body["additionalModelRequestFields"] == enabled(1024)
    assert dropped == ()


def test_a_loop_that_is_over_does_not_matter() -> None:
    messages = [*loop(), {"role": "assistant", "content": "Sunny."}, {"role": "user", "content": "Thanks"}]
    assert "additionalModelRequestFields" in built(reasoning_effort="low", tools=[TOOL], messages=messages)[0]


def test_a_model_that_decides_itself_needs_no_thinking_in_the_loop() -> None:
    body, _ = built(CLAUDE_46, reasoning_effort="low", tools=[TOOL], messages=loop())
    assert body["additionalModelRequestFields"] == ADAPTIVE | effort("low")


def test_thinking_is_replayed_in_order_before_the_rest() -> None:
    turns = messages_of(tools=[TOOL], messages=loop(content="So.", reasoning_details=[SIGNED, HIDDEN]))
    assert turns[1]["content"][:3] == [
        {"reasoningContent": {"reasoningText": {"text": "Hm.", "signature": "sig"}}},
        {"reasoningContent": {"redactedContent": b64encode(b"RXU4").decode()}},
        {"text": "So."},
    ]


@pytest.mark.parametrize(
    "details",
    [
        [SIGNED, {**SIGNED, "format": "google-gemini-v1"}],
        [{**SIGNED, "signature": ""}],
        [{"type": "reasoning.text", "text": "Hm.", "format": "anthropic-claude-v1"}],
        [SIGNED, {"type": "reasoning.summary", "summary": "Hm.", "format": "anthropic-claude-v1"}],
        [{"type": "reasoning.encrypted", "format": "anthropic-claude-v1"}],
        [{**SIGNED, "text": 5}],
        [{}],
    ],
)
def test_what_is_not_all_signed_by_claude_is_left_out_whole(details: list[dict[str, Any]]) -> None:
    body, dropped = built(tools=[TOOL], messages=loop(reasoning_details=details))
    assert [list(block) for block in body["messages"][1]["content"]] == [["toolUse"]]
    assert dropped == ("messages[].reasoning_details",)


@pytest.mark.parametrize("upstream", [NOVA_2, "us.deepseek.r1-v1:0", "openai.gpt-oss-120b-1:0"])
def test_other_models_get_no_thinking_back(upstream: str) -> None:
    """They refuse their own: "User messages cannot contain reasoning content"."""
    body, dropped = built(upstream, tools=[TOOL], messages=loop(reasoning_details=[SIGNED]))
    assert "reasoningContent" not in str(body["messages"])
    assert dropped == ("messages[].reasoning_details",)


def test_reasoning_as_mere_text_is_left_out_and_listed() -> None:
    body, dropped = built(tools=[TOOL], messages=loop(reasoning="Hm."))
    assert "Hm." not in str(body)
    assert dropped == ("messages[].reasoning",)


def test_a_turn_of_thoughts_alone_is_left_out() -> None:
    """Bedrock takes it for the beginning of an answer, and refuses it."""
    messages = [
        {"role": "user", "content": "A"},
        {"role": "assistant", "content": "", "reasoning_details": [SIGNED]},
        {"role": "user", "content": "B"},
    ]
    body, dropped = built(messages=messages)
    assert body["messages"] == [{"role": "user", "content": [{"text": "A"}, {"text": "B"}]}]
    assert dropped == ("messages[].reasoning_details",)


def test_while_claude_thinks_its_temperature_is_one() -> None:
    body, dropped = built(reasoning_effort="low", temperature=0.2, top_p=0.5, top_k=10)
    assert "inferenceConfig" not in body
    assert body["additionalModelRequestFields"] == enabled(1024)
    assert dropped == ("temperature", "top_p", "top_k")
    assert built(reasoning_effort="low", temperature=1)[0]["inferenceConfig"] == {"temperature": 1}
    assert built(reasoning_effort="low", top_p=0.97)[0]["inferenceConfig"] == {"topP": 0.97}


def test_novas_high_effort_takes_no_sampling_and_a_limit_lowers_it() -> None:
    body, dropped = built(NOVA_2, reasoning_effort="high", temperature=0.2, top_k=5)
    assert "inferenceConfig" not in body
    assert dropped == ("temperature", "top_k")
    body, dropped = built(NOVA_2, reasoning_effort="high", max_tokens=100)
    assert body["additionalModelRequestFields"]["reasoningConfig"]["maxReasoningEffort"] == "medium"
    assert dropped == ("reasoning_effort",)


def test_a_summary_cannot_be_asked_for() -> None:
    assert built(reasoning={"effort": "low", "summary": "auto"})[1] == ("reasoning.summary",)


def test_thoughts_that_the_caller_hides_are_not_asked_to_be_shown() -> None:
    body, _ = built(CLAUDE_47, reasoning={"effort": "low", "exclude": True})
    assert body["additionalModelRequestFields"] == ADAPTIVE | effort("low")


def test_claudes_own_effort() -> None:
    assert built("us.anthropic.claude-opus-4-5-20251101-v1:0", effort="low")[0][
        "additionalModelRequestFields"
    ] == effort("low")
    assert built(CLAUDE_5, effort="high")[0]["additionalModelRequestFields"] == effort("high")
    assert built(effort="low")[1] == ("effort",)
    assert built(NOVA, effort="low")[1] == ("effort",)


def test_an_application_profile_is_known_by_the_catalogues_name() -> None:
    arn = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc"
    assert built(arn, reasoning_effort="low")[1] == ("reasoning_effort",)
