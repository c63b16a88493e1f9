"""Why an offer does not fit a request: what it lacks, what it refuses, what is too long for it; and in which of
OpenAI's two protocols it is asked. Every reason has a code for the log and the JSON path of the field behind it.
"""

from collections.abc import Iterable, Sequence
from math import inf
from typing import Final

import msgspec

from llmgateway.domain.chat import Chat
from llmgateway.domain.identity import Project
from llmgateway.domain.plan import Excluded, Offer
from llmgateway.domain.routing import Deployment
from llmgateway.engine.tokens import Tally, family_of, prompt_tokens, tally_of
from llmgateway.wire.openai_responses.vocabulary import chat_only, prefers_responses

_MEDIA: Final = frozenset(("vision", "documents", "audio"))
_NO_LIMIT: Final = 1 << 62


class Hurdles(msgspec.Struct, frozen=True):
    """What there is at any of several offers that could keep a request away; worked out once per snapshot.

    `max_output` and `context` are the least. `elsewhere`: fields that OpenAI's other protocol takes at one of them;
    None where none could be asked in it.
    """

    lacks: frozenset[str]
    refuse: frozenset[str]
    excluding: frozenset[str]
    max_output: int
    context: int
    elsewhere: frozenset[str] | None


def hurdles_of(offers: Sequence[Offer]) -> Hurdles:
    first = [offer.deployments[0] for offer in offers]
    rows = [to.parameters for to in first]
    others = [to.responses.parameters for to in first if to.responses is not None]
    return Hurdles(
        lacks=_any([row.lacks for row in rows]),
        refuse=_any([row.refuse for row in rows]),
        excluding=_any([row.excluding for row in rows]),
        max_output=min([to.mapping.max_output for to in first if to.mapping.max_output], default=_NO_LIMIT),
        context=min([to.mapping.context for to in first if to.mapping.context], default=_NO_LIMIT),
        elsewhere=_any([row.takes for row in others]) if others else None,
    )


def _any(sets: Iterable[Iterable[str]]) -> frozenset[str]:
    return frozenset([name for one in sets for name in one])


def unhindered(chat: Chat, hurdles: Hurdles) -> bool:
    """Whether the request certainly fits all of them; else each one is to be looked at."""
    request, traits = chat.request, chat.traits
    if traits.foreign or request.service_tier is not None:
        return False
    needs, raw = traits.needs, chat.raw
    if needs and not hurdles.lacks.isdisjoint(needs):
        return False
    if needs and hurdles.refuse and not hurdles.refuse.isdisjoint(map(_field, needs.values())):
        return False
    if not hurdles.excluding.isdisjoint(raw) or (chat.output_limit or 0) > hurdles.max_output:
        return False
    if _at_most(chat) > hurdles.context:
        return False
    if hurdles.elsewhere is None:
        return True
    asks_elsewhere = request.reasoning is not None or traits.rebuild or "web_search" in needs
    return not asks_elsewhere and hurdles.elsewhere.isdisjoint(raw)


def _at_most(chat: Chat) -> int:
    """Tokens that the text of a prompt cannot exceed: one for each byte, and what wraps each message."""
    return chat.traits.prompt_bytes + 4 * chat.traits.messages


class Size:
    """How long a prompt is: at most (`bound`; with media it has none), and by an estimate, made when it matters."""

    __slots__ = ("_chat", "_tally", "bound")

    def __init__(self, chat: Chat) -> None:
        self._chat = chat
        self._tally: Tally | None = None
        self.bound = _at_most(chat) if _MEDIA.isdisjoint(chat.traits.needs) else inf

    def at(self, to: Deployment) -> int:
        """Prompt tokens at a deployment; the text is read once for all of them."""
        if self._tally is None:
            self._tally = tally_of(self._chat)
        return prompt_tokens(self._tally, family=family_of(to.mapping, protocol=to.protocol))


def is_free(offer: Offer) -> bool:
    """Its prices are known, and nothing."""
    price = offer.deployments[0].mapping.price
    return price is not None and not (price.input or price.output or price.request or price.tiers)


def withheld(chat: Chat, offer: Offer, *, project: Project) -> Excluded | None:
    """Free models are for projects that are verified, or on their way to be."""
    if project.verified or chat.request.onboarding or not is_free(offer):
        return None
    mapping = offer.deployments[0].mapping
    return Excluded(mapping.provider, mapping.model, "unverified", "onboarding")


def fitted(chat: Chat, offer: Offer, *, slack: float, size: Size | None = None) -> tuple[Deployment, ...] | Excluded:
    """The deployments that a request would be sent to, or why it fits none of them.

    `slack`: the share of the estimated prompt that must fit the context. `size`: of the same prompt, where several
    offers are looked at.
    """
    deployments = offer.deployments
    to, reason = deployments[0], None
    if to.responses is not None and (wish := _wish(chat, to)) is not None:
        to, reason = to.responses, _conflict(chat, to, wish)
        deployments = tuple([one.responses for one in deployments if one.responses is not None])
    return reason or _incapable(chat, to) or _too_long(chat, to, slack=slack, size=size) or deployments


def _wish(chat: Chat, to: Deployment) -> str | None:
    """The field that only OpenAI's other protocol can honour. What most requests lack is looked at first."""
    own = _own(chat, to)
    if own is not None:
        return own
    if chat.request.reasoning is None and not chat.traits.rebuild and "web_search" not in chat.traits.needs:
        return None
    return prefers_responses(chat, search_variant="web_search" not in to.parameters.lacks)


def _own(chat: Chat, to: Deployment) -> str | None:
    """A type or a field that only the other protocol's row takes; a field gives way to what only this one says."""
    other = to.responses
    if other is None:
        return None
    for kind, path in chat.traits.foreign:
        if not to.parameters.takes_type(kind) and other.parameters.takes_type(kind):
            return path
    if other.parameters.takes.isdisjoint(chat.raw) or chat_only(chat) is not None:
        return None
    return next((name for name in chat.raw if name in other.parameters.takes - to.parameters.takes), None)


def _conflict(chat: Chat, to: Deployment, wish: str) -> Excluded | None:
    """A request that needs both of OpenAI's protocols can be sent by neither."""
    only = chat_only(chat)
    return None if only is None else Excluded(to.mapping.provider, to.mapping.model, f"conflict:{wish}", only)


def _incapable(chat: Chat, to: Deployment) -> Excluded | None:
    """Why the deployment cannot serve the request; None if it can."""
    parameters = to.parameters
    if chat.traits.needs:
        for capability, param in chat.traits.needs.items():
            if capability in parameters.lacks or _field(param) in parameters.refuse:
                return Excluded(to.mapping.provider, to.mapping.model, f"capability:{capability}", param)
    for kind, path in chat.traits.foreign:
        if not parameters.takes_type(kind):
            return Excluded(to.mapping.provider, to.mapping.model, "type", path)
    for name in parameters.excluding:
        if name in chat.raw and _asks(name, chat):
            return Excluded(to.mapping.provider, to.mapping.model, f"parameter:{name}", name)
    tier = chat.request.service_tier
    if tier is not None and parameters.tiers and tier not in parameters.tiers:
        return Excluded(to.mapping.provider, to.mapping.model, "parameter:service_tier", "service_tier")
    return None


def _asks(name: str, chat: Chat) -> bool:
    """Whether a field that is there asks for anything."""
    if name == "service_tier":
        return chat.request.service_tier not in ("auto", "default")
    return name != "top_logprobs" or bool(chat.request.top_logprobs)


def _field(param: str) -> str:
    """The top-level field of a JSON path."""
    return param.partition(".")[0].partition("[")[0]


def _too_long(chat: Chat, to: Deployment, *, slack: float, size: Size | None) -> Excluded | None:
    mapping, request = to.mapping, chat.request
    if mapping.max_output:
        limit = chat.output_limit
        if limit is not None and limit > mapping.max_output:
            param = "max_completion_tokens" if request.max_completion_tokens is not None else "max_tokens"
            return Excluded(mapping.provider, mapping.model, f"max_output:{mapping.max_output}", param)
    if mapping.context and _at_most(chat) > mapping.context:
        size = size or Size(chat)
        if slack * size.at(to) > mapping.context:
            return Excluded(mapping.provider, mapping.model, f"context:{mapping.context}", "messages")
    return None
