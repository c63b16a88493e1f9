"""How much a model is to think: our effort or token budget as Google's `thinkingConfig`.

Efforts become budgets as Google's own OpenAI endpoint has it (https://ai.google.dev/gemini-api/docs/openai#thinking):
minimal and low 1,024, medium 8,192, high 24,576, and what lies above is the most that the model takes.
"""

from typing import Any, Final

from llmgateway.domain.chat import Chat
from llmgateway.wire.gemini.families import Family

_BUDGETS: Final = {"minimal": 1024, "low": 1024, "medium": 8192, "high": 24_576}
_LEVELS: Final = {
    "minimal": ("minimal", "low"),
    "low": ("low",),
    "medium": ("medium", "high"),
    "high": ("high",),
}


def thinking_config(chat: Chat, *, family: Family) -> tuple[dict[str, Any], str | None]:
    """The config, empty where nothing was asked, and the field that this model cannot follow, if there is one."""
    request = chat.request
    reasoning = request.reasoning
    effort = request.reasoning_effort or (reasoning.effort if reasoning is not None else None)
    field = "reasoning_effort" if request.reasoning_effort is not None else "reasoning.effort"
    if reasoning is not None and reasoning.enabled is False and effort is None and reasoning.max_tokens is None:
        effort, field = "none", "reasoning.enabled"
    if effort is None and reasoning is None:
        return {}, None
    if reasoning is not None and reasoning.max_tokens is not None:
        if family.thinking == "none":
            return {}, "reasoning.max_tokens"
        config: dict[str, Any] = {"thinkingBudget": _within(reasoning.max_tokens, family)}
        return _shown(config, chat), None
    if effort == "none":
        return _off(family, field)
    if family.thinking == "none":
        return {}, field if effort is not None else None
    return _shown(_amount(effort, family), chat), None


def _amount(effort: str | None, family: Family) -> dict[str, Any]:
    if effort is None:
        return {}
    if family.thinking == "budget":
        return {"thinkingBudget": _within(_BUDGETS.get(effort, family.most), family)}
    level = next((level for level in _LEVELS.get(effort, ()) if level in family.levels), None)
    return {"thinkingLevel": level or (family.levels[-1] if effort != "low" else family.levels[0])}


def _off(family: Family, field: str) -> tuple[dict[str, Any], str | None]:
    """As little as there is, and told, where it cannot be nothing."""
    if family.thinking == "budget":
        return {"thinkingBudget": 0 if family.off else family.least}, None if family.off else field
    if family.thinking == "level":
        return {"thinkingLevel": family.levels[0]}, field
    return {}, None if family.off else field


def _shown(config: dict[str, Any], chat: Chat) -> dict[str, Any]:
    """Thoughts come only when asked for; who hides them need not be sent any."""
    return config if chat.hides_reasoning else {"includeThoughts": True, **config}


def _within(budget: int, family: Family) -> int:
    """Models that think in levels take budgets too, and check them themselves."""
    return budget if family.thinking == "level" else min(max(budget, family.least), family.most)
