"""Automatic breakpoints: where they stand, and when there are none."""

from typing import Any

from tests.unit.wire.anthropic.asking import USER, built, claude, tool

AUTO = claude(quirks=("prompt_cache:auto",))
MARK = {"type": "ephemeral"}
LONG = "word " * 2000
SYSTEM = {"role": "system", "content": LONG}


def marks(**members: Any) -> list[str]:
    """Where breakpoints stand."""
    sent, _ = built(AUTO, **members)
    places = [f"{name}[{index}]" for name in ("tools", "system") for index, one in enumerate(sent.get(name, ()))
        if "cache_control" in one]  # fmt: skip
    return places + [
        f"messages[{turn}].content[{index}]"
        for turn, message in enumerate(sent["messages"])
        for index, block in enumerate(message["content"])
        if block.get("cache_control") == MARK
    ]


def test_they_stand_at_the_end_of_the_system_and_of_the_last_turn() -> None:
    said = [SYSTEM, SYSTEM, USER, {"role": "assistant", "content": "a"}, USER]
    assert marks(messages=said, tools=[tool()]) == ["system[1]", "messages[2].content[0]"]
    assert marks(messages=[SYSTEM, USER], tools=[tool(description=LONG)]) == [
        "tools[0]", "system[0]", "messages[0].content[0]",
    ]  # fmt: skip


def test_below_the_models_minimum_there_are_none() -> None:
    assert marks(messages=[{"role": "system", "content": "short"}, USER], tools=[tool()]) == []
    assert marks(messages=[{"role": "user", "content": LONG}]) == ["messages[0].content[0]"]


def test_a_callers_own_are_left_alone() -> None:
    own = {
        "role": "user",
        "content": [{"type": "text", "text": "a", "cache_control": {"type": "ephemeral", "ttl": "1h"}}],
    }
    assert marks(messages=[SYSTEM, own, {"role": "assistant", "content": "b"}, USER]) == []


def test_without_the_quirk_there_are_none() -> None:
    sent, _ = built(claude(), messages=[SYSTEM, USER])
    assert "cache_control" not in sent["system"][0]
