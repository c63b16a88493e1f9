"""How much a model is to reason, in each vendor's own words beside the common request.

Claude takes a token budget, or since 4.6 decides itself under an effort; Nova 2, gpt-oss and Qwen take an effort. The
budgets, and when thinking is switched off, follow one table for every protocol that reaches Claude. What a model has no
words for is listed.
"""

from typing import Any, Final

from msgspec import Struct

from llmgateway.domain.chat import Chat, Effort, Message
from llmgateway.domain.errors import INVALID_VALUE, UpstreamError
from llmgateway.domain.routing import Deployment
from llmgateway.wire.bedrock.family import Family, family_of
from llmgateway.wire.bedrock.reasoning import replayed

_SMALLEST: Final = 1024
_BUDGETS: Final[dict[str, int]] = {"minimal": 1024, "low": 1024, "medium": 4096, "high": 16000, "xhigh": 32000}
_LARGEST: Final = 64000
_ADAPTIVE_EFFORTS: Final = {"minimal": "low"}
_EFFORTS_46: Final = {"minimal": "low", "xhigh": "high"}
_THREE: Final = {"minimal": "low", "xhigh": "high", "max": "high"}


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
    """`forced`: the model must call a tool, which does not go with Claude's thinking.

    Raises UpstreamError INVALID_VALUE for a budget that cannot be kept.
    """
    reasoning = chat.request.reasoning
    budget = reasoning.max_tokens if reasoning is not None else None
    effort = chat.request.reasoning_effort or (reasoning.effort if reasoning is not None else None)
    if budget is None and effort is None:
        return Reasoned({})
    path = "reasoning_effort" if chat.request.reasoning_effort else "reasoning.effort"
    path = path if budget is None else "reasoning.max_tokens"
    if family.vendor == "claude":
        return _claude(chat, effort, budget, to=to, family=family, forced=forced, path=path)
    if budget is None and effort == "none":
        return Reasoned({}, dropped=() if family.vendor in ("nova", "qwen") else (path,))
    told = effort if budget is None and effort is not None else _effort_of(budget or 0)
    if family.vendor == "nova":
        return _nova(chat, told, to=to, path=path)
    if family.vendor == "openai":
        if "gpt-oss" in to.mapping.upstream:
            return Reasoned({"reasoning_effort": _THREE.get(told, told)})
        return Reasoned({"reasoning": {"effort": told}})
    if family.vendor == "qwen":
        return Reasoned({"reasoning_config": _THREE.get(told, told)})
    return Reasoned({}, dropped=(path,))


def _nova(chat: Chat, effort: str, *, to: Deployment, path: str) -> Reasoned:
    """High effort does not go with a limit on tokens (docs.aws.amazon.com/nova: extended thinking)."""
    if "nova-2" not in to.mapping.upstream:
        return Reasoned({}, dropped=(path,))
    told = _THREE.get(effort, effort)
    bounded = told == "high" and chat.output_limit is not None
    config = {"type": "enabled", "maxReasoningEffort": "medium" if bounded else told}
    return Reasoned({"reasoningConfig": config}, dropped=(path,) if bounded else ())


def _claude(
    chat: Chat,
    effort: Effort | None,
    budget: int | None,
    *,
    to: Deployment,
    family: Family,
    forced: bool,
    path: str,
) -> Reasoned:
    wanted = budget is not None or effort != "none"
    off: dict[str, Any] = {"thinking": {"type": "disabled"}} if family.thinking == "default" else {}
    if family.thinking is None:
        return Reasoned({}, dropped=(path,) if wanted else ())
    if not wanted or (forced and family.thinking != "always"):
        kept = family.thinking == "always" and not wanted
        return Reasoned(off, dropped=(path,) if wanted or kept else ())
    if family.thinking == "budget" or (family.thinking == "both" and budget is not None):
        return _budget(chat, effort, budget, to=to, path=path)
    told = effort if budget is None and effort is not None else _effort_of(budget or 0)
    names = _EFFORTS_46 if family.thinking == "both" else _ADAPTIVE_EFFORTS
    thinking = {"type": "adaptive"}
    if family.thinking != "both" and not chat.hides_reasoning:
        thinking["display"] = "summarized"  # since 4.7 the thoughts are left out unless they are asked for
    return Reasoned({"thinking": thinking, "output_config": {"effort": names.get(told, told)}}, on=True)


def _budget(chat: Chat, effort: Effort | None, budget: int | None, *, to: Deployment, path: str) -> Reasoned:
    limit = chat.output_limit or to.mapping.max_output or None
    if budget is not None:
        if budget < _SMALLEST or (limit is not None and budget >= limit):
            most = f" and less than the {limit} tokens of the whole answer" if limit is not None else ""
            raise UpstreamError(
                INVALID_VALUE,
                f"'reasoning.max_tokens' is {budget}; '{to.used_model}' takes at least {_SMALLEST}{most}.",
                param="reasoning.max_tokens",
            )
        tokens = budget
    else:
        largest = (to.mapping.max_output or limit or _LARGEST) - _SMALLEST
        tokens = largest if effort == "max" else _BUDGETS[effort or "medium"]
        tokens = tokens if limit is None else min(tokens, limit - 1)
    if tokens < _SMALLEST or _unsigned_loop(chat.request.messages):
        return Reasoned({}, dropped=(path,))
    return Reasoned({"thinking": {"type": "enabled", "budget_tokens": tokens}}, on=True)


def _effort_of(budget: int) -> Effort:
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
