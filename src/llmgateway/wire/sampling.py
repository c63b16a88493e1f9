"""When a model that reasons takes sampling parameters: OpenAI's do while they are told, or left, not to reason."""

import msgspec
from msgspec import Raw

from llmgateway.domain.chat import Chat
from llmgateway.domain.routing import ParameterPlan


def takes_fixed(name: str, span: Raw, chat: Chat, plan: ParameterPlan) -> bool:
    """Whether a listed field is sent all the same: with the one value that is taken, or while the effort is none."""
    if name not in plan.fixed:
        return False
    return samples(chat, plan) or msgspec.json.decode(span) == plan.fixed[name]


def samples(chat: Chat, plan: ParameterPlan) -> bool:
    if not plan.samples:
        return False
    reasoning = chat.request.reasoning
    effort = chat.request.reasoning_effort
    if reasoning is not None:
        if reasoning.max_tokens is not None or reasoning.enabled:
            return False
        effort = effort or reasoning.effort
    return effort == "none" or (effort is None and plan.samples == "by_default")
