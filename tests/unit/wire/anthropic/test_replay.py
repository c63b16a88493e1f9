"""Earlier reasoning on its way back: complete, in order, in its place; or not at all."""

from typing import Any

import pytest

from tests.unit.wire.anthropic.asking import USER, built, call, claude, result

OURS = "anthropic-claude-v1"
FIRST = {"type": "reasoning.text", "text": "Hm.", "signature": "s1", "format": OURS, "index": 0}
HIDDEN = {"type": "reasoning.encrypted", "data": "xyz", "format": OURS, "index": 1}


def replayed(details: list[Any], **members: Any) -> tuple[list[str], tuple[str, ...]]:
    """The types of the blocks of the assistant's turn, and what was left out."""
    message = {"role": "assistant", "content": "So.", "tool_calls": [call(), call("b")], **members}
    if details:
        message["reasoning_details"] = details
    sent, dropped = built(claude(), messages=[USER, message, result(), result("b")])
    return [block["type"] for block in sent["messages"][1]["content"]], dropped


def test_signed_and_hidden_thinking_leads_the_turn() -> None:
    kinds, dropped = replayed([FIRST, HIDDEN], reasoning="Hm.")
    assert kinds == ["thinking", "redacted_thinking", "text", "tool_use", "tool_use"]
    assert dropped == ()


def test_the_blocks_are_what_they_were() -> None:
    message = {"role": "assistant", "content": "So.", "reasoning_details": [{**FIRST, "text": ""}, HIDDEN]}
    sent, _ = built(claude(), messages=[USER, message, USER])
    assert sent["messages"][1]["content"][:2] == [
        {"type": "thinking", "thinking": "", "signature": "s1"},
        {"type": "redacted_thinking", "data": "xyz"},
    ]


def test_thinking_finds_back_between_text_and_calls() -> None:
    kinds, _ = replayed([FIRST, {**HIDDEN, "id": "after:1"}, {**FIRST, "id": "after:2"}])
    assert kinds == ["thinking", "text", "redacted_thinking", "tool_use", "thinking", "tool_use"]
    kinds, _ = replayed([FIRST, {**FIRST, "id": "after:99"}])
    assert kinds == ["thinking", "text", "tool_use", "tool_use", "thinking"]


@pytest.mark.parametrize(
    "odd",
    [
        {**FIRST, "format": "openai-responses-v1"},
        {**FIRST, "signature": None},
        {name: value for name, value in FIRST.items() if name != "format"},
        {**HIDDEN, "data": ""},
        {"type": "reasoning.summary", "summary": "x", "format": OURS},
        {"type": 5, "format": OURS},
        {},
    ],
)
def test_what_cannot_be_replayed_takes_the_rest_along(odd: dict[str, Any]) -> None:
    kinds, dropped = replayed([FIRST, odd])
    assert kinds == ["text", "tool_use", "tool_use"]
    assert dropped == ("messages[].reasoning_details",)


def test_plain_reasoning_cannot_go_back() -> None:
    assert replayed([], reasoning="Hm.")[1] == ("messages[].reasoning",)
    assert replayed([], reasoning_content="Hm.")[1] == ("messages[].reasoning",)


def test_thinking_without_an_answer_is_no_turn() -> None:
    sent, _ = built(claude(), messages=[USER, {"role": "assistant", "reasoning_details": [FIRST]}, USER])
    assert [turn["role"] for turn in sent["messages"]] == ["user"]
