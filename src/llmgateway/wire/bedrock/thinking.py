"""How much a model is to reason, in each vendor's own words beside the common request.

Claude takes a token budget, or since 4.6 decides itself under an effort; Nova 2, gpt-oss and Qwen take an effort. The
budgets, and when thinking is switched off, follow one table for every protocol that reaches Claude. What a model has no
words for is listed.
"""

from typing import Any, Final

from msgspec import Struct

from llmgateway.domain.chat import Chat, Message
from llmgateway.domain.errors import INVALID_VALUE, UpstreamError
from llmgateway.domain.routing import Deployment
from llmgateway.wire.bedrock.family import Family, family_of
from llmgateway.wire.bedrock.reasoning import replayed

_SMALLEST: Final = 1024
_BUDGETS: Final[dict[str, int]] = {"minimal": 1024, "low": 1024, "medium": 4096, "high": 16000, "xhigh": 32000}
_LARGEST: Final = 64000
_NEAREST: Final = {"minimal": "low", "xhigh": "high", "max": "high"}
"""What stands for an effort that a model does not know."""
_OFF: Final = {"disabled": {"type": "disabled"}, "between_tools": {"type": "between_tools"}}
_ANY: Final = "any"
"""The effort of a caller who only says that there shall be reasoning."""


class Reasoned(Struct, frozen=True):
    """`fields`: what is added to the request. `on`: Claude thinks, which narrows what else may be asked of it."""

    fields: dict[str, Any]
    on: bool = False
    dropped: tuple[str, ...] = ()


def thinks(chat: Chat, *, to: Deployment) -> bool:
    """Whether Claude will think about this request, as far as it can be asked at all."""
    try:
        return reasoning_fields(chat, to=to, family=family_of(to), forced=False).on
    except UpstreamError:
        return True


def reasoning_fields(chat: Chat, *, to: Deployment, family: Family, forced: bool) -> Reasoned:
    """`forced`: the model must call a tool, which does not go with a budget for Claude's thinking.

    Raises UpstreamError INVALID_VALUE for a budget that cannot be kept.
    """
    path, effort, budget = _wanted(chat)
    if effort is None and budget is None:
        return Reasoned({})
    if family.vendor == "claude":
        return _claude(chat, path, effort or "", budget, to=to, family=family, forced=forced)
    if effort == "none":
        return Reasoned({}, dropped=() if family.vendor in ("nova", "qwen") else (path,))
    told = _effort_of(budget) if budget is not None else effort or ""
    if family.vendor == "nova":
        return _nova(chat, told, to=to, path=path)
    if told == _ANY:
        return Reasoned({})
    if family.vendor == "openai":
        if "gpt-oss" in to.mapping.upstream:
            return Reasoned({"reasoning_effort": _NEAREST.get(told, told)})
        return Reasoned({"reasoning": {"effort": told}})
    if family.vendor == "qwen":
        return Reasoned({"reasoning_config": _NEAREST.get(told, told)})
    return Reasoned({}, dropped=(path,))


def _wanted(chat: Chat) -> tuple[str, str | None, int | None]:
    """Where the caller says how much to reason, and the effort or the budget. A budget comes before an effort."""
    request, reasoning = chat.request, chat.request.reasoning
    if reasoning is not None and reasoning.max_tokens is not None:
        return "reasoning.max_tokens", None, reasoning.max_tokens
    if request.reasoning_effort is not None or reasoning is None:
        return "reasoning_effort", request.reasoning_effort, None
    if reasoning.effort is not None or reasoning.enabled is None:
        return "reasoning.effort", reasoning.effort, None
    return "reasoning.enabled", _ANY if reasoning.enabled else "none", None


def _nova(chat: Chat, effort: str, *, to: Deployment, path: str) -> Reasoned:
    """High effort does not go with a limit on tokens (docs.aws.amazon.com/nova: extended thinking)."""
    if "nova-2" not in to.mapping.upstream:
        return Reasoned({}, dropped=(path,))
    told = "medium" if effort == _ANY else _NEAREST.get(effort, effort)
    bounded = told == "high" and chat.output_limit is not None
    config = {"type": "enabled", "maxReasoningEffort": "medium" if bounded else told}
    return Reasoned({"reasoningConfig": config}, dropped=(path,) if bounded else ())


def _claude(
    chat: Chat, path: str, effort: str, budget: int | None, *, to: Deployment, family: Family, forced: bool
) -> Reasoned:
    off = Reasoned({"thinking": _OFF[family.off]} if family.off in _OFF else {}, dropped=(path,))
    if effort == "none":
        return off if family.off == "never" else Reasoned(off.fields)
    if budget is None and family.adaptive:
        return Reasoned(_adaptive(chat, effort, family), on=True)
    tokens = _tokens(chat, effort, budget, to=to, family=family)
    messages = chat.messages
    barred = forced or messages[-1].role == "assistant" or _unsigned_loop(messages)
    if not family.budget or barred or tokens < _SMALLEST:
        return off
    return Reasoned({"thinking": {"type": "enabled", "budget_tokens": tokens}}, on=True)


def _adaptive(chat: Chat, effort: str, family: Family) -> dict[str, Any]:
    thinking = {"type": "adaptive"}
    if family.display and not chat.hides_reasoning:
        thinking["display"] = "summarized"
    if effort == _ANY:
        return {"thinking": thinking}
    told = effort if effort in family.efforts else _NEAREST.get(effort, effort)
    return {"thinking": thinking, "output_config": {"effort": told}}


def _tokens(chat: Chat, effort: str, budget: int | None, *, to: Deployment, family: Family) -> int:
    limit = chat.output_limit or to.mapping.max_output or None
    if budget is None:
        largest = (to.mapping.max_output or limit or _LARGEST) - _SMALLEST
        tokens = largest if effort == "max" else _BUDGETS.get(effort, _BUDGETS["medium"])
        return tokens if limit is None else min(tokens, limit - 1)
    if family.adaptive and not family.budget:
        problem = "the model takes no thinking budget; use 'reasoning.effort'"
    elif budget < _SMALLEST:
        problem = f"{budget} is below the model's least thinking budget, {_SMALLEST}"
    elif limit is not None and budget >= limit:
        problem = f"{budget} leaves nothing of the {limit} tokens that the answer may have"
    else:
        return budget
    message = f"Invalid value for 'reasoning.max_tokens': {problem}."
    raise UpstreamError(INVALID_VALUE, message, param="reasoning.max_tokens")


def _effort_of(budget: int) -> str:
    for effort in ("low", "medium", "high", "xhigh"):
        if budget <= _BUDGETS[effort]:
            return effort
    return "max"


def _unsigned_loop(messages: list[Message]) -> bool:
    """The turn under way began with tool calls whose thinking nobody can show; Claude refuses to go on thinking."""
    for message in reversed(messages):
        if message.role in ("tool", "function"):
            continue
        called = message.role == "assistant" and bool(message.tool_calls or message.function_call)
        return called and message is not messages[-1] and not replayed(message)
    return False
