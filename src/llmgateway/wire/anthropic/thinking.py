"""How much the model is to think: an effort as a budget of tokens, or adaptive thinking where the model has it.

The budgets are the gateway's own (docs/providers.md); what excludes thinking is the protocol's rule: with a budget, no
forced tool, no words put in the model's mouth, no tool loop that began without signed thinking
(platform.claude.com/docs/en/build-with-claude/thinking). Adaptive thinking has none of these limits.
"""

from typing import Any, Final

from msgspec import Struct

from llmgateway.domain import errors
from llmgateway.domain.chat import Chat
from llmgateway.domain.errors import UpstreamError
from llmgateway.wire.anthropic.models import Dialect

_BUDGETS: Final = {"minimal": 1024, "low": 1024, "medium": 4096, "high": 16_000, "xhigh": 32_000}
_LEAST: Final = 1024
_NEAREST: Final = {"minimal": "low", "xhigh": "high", "max": "high"}
_OFF: Final = {"disabled": {"type": "disabled"}, "between_tools": {"type": "between_tools"}}

Config = dict[str, Any]


class Thinking(Struct, frozen=True):
    """`config`: the `thinking` member. `effort`: of `output_config`. `on`: the caller's thinking is on."""

    config: Config | None = None
    effort: str | None = None
    on: bool = False


def thinking_for(chat: Chat, *, dialect: Dialect, max_tokens: int, barred: bool, dropped: dict[str, None]) -> Thinking:
    """`barred`: something in the request excludes a budget. Raises UpstreamError for a budget that does not fit."""
    reasoning = chat.request.reasoning
    effort = _declared_effort(chat, dialect, dropped)
    if reasoning is not None and reasoning.max_tokens is not None:
        budget = _given_budget(reasoning.max_tokens, dialect, max_tokens)
        if not barred:
            return Thinking(_enabled(budget), effort, on=True)
        dropped["reasoning.max_tokens"] = None
        return Thinking(_off(dialect), effort)
    path, wanted = _wanted(chat)
    if wanted is None:
        return Thinking(effort=effort)
    if wanted == "none":
        if dialect.off == "never":
            dropped[path] = None
        return Thinking(_off(dialect), effort)
    if dialect.adaptive:
        config: Config = {"type": "adaptive"}
        if dialect.display and not chat.hides_reasoning:
            config["display"] = "summarized"
        return Thinking(config, effort or _level(wanted, dialect), on=True)
    budget = _budget(wanted, dialect, max_tokens)
    if not dialect.budget or barred or budget < _LEAST:
        dropped[path] = None
        return Thinking(effort=effort)
    return Thinking(_enabled(budget), effort, on=True)


def _wanted(chat: Chat) -> tuple[str, str | None]:
    """Where the caller says how much to think, and what: an effort, `enabled` for any, `none`, or nothing."""
    request, reasoning = chat.request, chat.request.reasoning
    if request.reasoning_effort is not None or reasoning is None:
        return "reasoning_effort", request.reasoning_effort
    if reasoning.effort is not None or reasoning.enabled is None:
        return "reasoning.effort", reasoning.effort
    return "reasoning.enabled", "enabled" if reasoning.enabled else "none"


def _enabled(budget: int) -> Config:
    return {"type": "enabled", "budget_tokens": budget}


def _off(dialect: Dialect) -> Config | None:
    return dict(_OFF[dialect.off]) if dialect.off in _OFF else None


def _declared_effort(chat: Chat, dialect: Dialect, dropped: dict[str, None]) -> str | None:
    effort = chat.request.effort
    if effort is not None and not dialect.efforts:
        dropped["effort"] = None
        return None
    return effort


def _level(wanted: str, dialect: Dialect) -> str | None:
    """The effort of that name, or the nearest below that the model has."""
    if wanted in dialect.efforts:
        return wanted
    nearest = _NEAREST.get(wanted)
    return nearest if nearest in dialect.efforts else None


def _budget(wanted: str, dialect: Dialect, max_tokens: int) -> int:
    if wanted == "max":
        return min(dialect.max_output - _LEAST, max_tokens - 1)
    return min(_BUDGETS.get(wanted, _BUDGETS["medium"]), max_tokens - 1)


def _given_budget(budget: int, dialect: Dialect, max_tokens: int) -> int:
    """The caller's own figure is taken as it is, or not at all."""
    if not dialect.budget:
        problem = "the model takes no thinking budget; use 'reasoning.effort'"
    elif budget < _LEAST:
        problem = f"{budget} is below the model's least thinking budget, {_LEAST}"
    elif budget >= max_tokens:
        problem = f"{budget} leaves nothing of the {max_tokens} tokens that the answer may have"
    else:
        return budget
    raise UpstreamError(
        errors.INVALID_VALUE, f"Invalid value for 'reasoning.max_tokens': {problem}.", param="reasoning.max_tokens"
    )
