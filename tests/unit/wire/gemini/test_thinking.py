"""How much a model thinks is said as its family takes it."""

from typing import Any

import pytest

from tests.unit.wire.gemini.asking import config, dropped

PRO, FLASH, LITE = "gemini-2.5-pro", "gemini-2.5-flash-preview-09-2025", "gemini-2.5-flash-lite"
THIRD_PRO, THIRD = "gemini-3-pro-preview", "publishers/google/models/gemini-3.5-flash"


@pytest.mark.parametrize(
    ("model", "effort", "thinking"),
    [
        (PRO, "low", {"thinkingBudget": 1024}),
        (PRO, "max", {"thinkingBudget": 32_768}),
        (FLASH, "minimal", {"thinkingBudget": 1024}),
        (FLASH, "medium", {"thinkingBudget": 8192}),
        (FLASH, "xhigh", {"thinkingBudget": 24_576}),
        (THIRD_PRO, "minimal", {"thinkingLevel": "low"}),
        (THIRD_PRO, "medium", {"thinkingLevel": "high"}),
        ("gemini-3.1-pro-preview", "medium", {"thinkingLevel": "medium"}),
        (THIRD, "minimal", {"thinkingLevel": "minimal"}),
        (THIRD, "max", {"thinkingLevel": "high"}),
        ("gemini-flash-latest", "low", {"thinkingLevel": "low"}),
    ],
)
def test_effort(model: str, effort: str, thinking: dict[str, Any]) -> None:
    both: list[dict[str, Any]] = [{"reasoning_effort": effort}, {"reasoning": {"effort": effort}}]
    for asked in both:
        assert config(model=model, **asked) == {"thinkingConfig": {"includeThoughts": True, **thinking}}
        assert dropped(model=model, **asked) == ()


@pytest.mark.parametrize(
    ("model", "thinking", "listed"),
    [
        (FLASH, {"thinkingBudget": 0}, ()),
        (LITE, {"thinkingBudget": 0}, ()),
        (PRO, {"thinkingBudget": 128}, ("reasoning_effort",)),
        (THIRD_PRO, {"thinkingLevel": "low"}, ("reasoning_effort",)),
        (THIRD, {"thinkingLevel": "minimal"}, ("reasoning_effort",)),
        ("gemini-2.0-flash", None, ()),
    ],
)
def test_off_is_off_or_as_little_as_there_is_and_told(model: str, thinking: Any, listed: tuple[str, ...]) -> None:
    assert config(model=model, reasoning_effort="none").get("thinkingConfig") == thinking
    assert dropped(model=model, reasoning_effort="none") == listed


@pytest.mark.parametrize(
    ("model", "tokens", "sent"), [(PRO, 50, 128), (LITE, 100, 512), (FLASH, 99_999, 24_576), (THIRD, 3_000, 3_000)]
)
def test_a_budget_is_kept_within_what_the_model_takes(model: str, tokens: int, sent: int) -> None:
    asked: dict[str, Any] = {"reasoning": {"max_tokens": tokens, "effort": "low"}}
    assert config(model=model, **asked)["thinkingConfig"] == {"includeThoughts": True, "thinkingBudget": sent}


def test_thoughts_are_sent_only_to_who_wants_them() -> None:
    assert config(model=THIRD) == {}
    assert config(model=THIRD, reasoning={"summary": "auto"}) == {"thinkingConfig": {"includeThoughts": True}}
    assert dropped(model=THIRD, reasoning={"summary": "auto"}) == ("reasoning.summary",)
    hidden: dict[str, Any] = {"reasoning": {"effort": "high", "exclude": True}}
    assert config(model=THIRD, **hidden) == {"thinkingConfig": {"thinkingLevel": "high"}}
    assert config(model=FLASH, reasoning={"enabled": False}) == {"thinkingConfig": {"thinkingBudget": 0}}


def test_a_model_that_cannot_think_is_not_asked_to() -> None:
    assert config(model="gemini-2.0-flash", reasoning_effort="high") == {}
    assert dropped(model="gemini-2.0-flash", reasoning_effort="high") == ("reasoning_effort",)
    assert dropped(model="gemini-2.5-flash-image", reasoning={"max_tokens": 9}) == ("reasoning.max_tokens",)
