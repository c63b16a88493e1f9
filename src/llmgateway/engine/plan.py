"""From a checked request to a route plan: a pure function of request and snapshot.

One provider serves a request here: the pinned one, or the cheapest that fits. Every offer that was left out is kept
with its reason, and when none is left the error names the field that removed the last one.
"""

from typing import Final

from llmgateway.domain import errors
from llmgateway.domain.chat import Chat
from llmgateway.domain.errors import GatewayError
from llmgateway.domain.routing import Candidate, Deployment, Excluded, Offer, RoutePlan
from llmgateway.engine.address import how_to_set
from llmgateway.engine.heal import JSON_FORMATS
from llmgateway.engine.snapshot import Route, Snapshot
from llmgateway.engine.tokens import estimate_prompt
from llmgateway.wire.openai_responses.vocabulary import chat_only, prefers_responses

_CONTEXT_MARGIN: Final = 0.8
_PLACES: Final = {
    "region": "is not offered in the provider's region; name another one behind a colon, or another provider",
    "address": "has a provider whose base_url or variables make no http(s) address",
    "name": "is no name that its provider's address could hold",
    "endpoint": "is offered in a protocol for which its provider has no endpoint; add one to its endpoints",
}


def plan_route(chat: Chat, *, snapshot: Snapshot) -> RoutePlan:
    """Raises GatewayError: UNSUPPORTED_PARAMETER, MODEL_NOT_FOUND, MODEL_DEACTIVATED, NO_PROVIDER, CONTEXT_LENGTH."""
    _not_yet(chat)
    route = snapshot.route(chat.request.model)
    if route is None:
        raise _unknown_model(chat.request.model, snapshot)
    excluded = route.excluded
    for offer in _natives_first(chat, route.offers):
        offered = offer.deployments[0]
        deployment, reason = offered, None
        if offered.responses is not None and (wish := _wish(chat, offered)) is not None:
            deployment, reason = offered.responses, _conflict(chat, offered, wish)
        reason = reason or _incapable(chat, deployment) or _too_long(chat, deployment)
        if reason is None:
            return RoutePlan((Candidate((deployment,)),), route.provider, excluded)
        excluded = (*excluded, reason)
    raise _nothing_left(chat.request.model, route, excluded, snapshot=snapshot)


def _not_yet(chat: Chat) -> None:
    """What is validated but has no effect in this version, and would change the answer."""
    request = chat.request
    if request.model == "auto":
        raise _unsupported("model", "'auto' is not supported by this version: name a model.")
    if request.routing not in (None, "auto"):
        raise _unsupported("routing", f"'routing: {request.routing}' is not supported by this version: leave it out.")
    if request.models is not None and len(request.models) > 1:
        raise _unsupported("models", "A fallback list is not supported by this version: name one model in 'model'.")


def _unsupported(param: str, message: str) -> GatewayError:
    return GatewayError(errors.UNSUPPORTED_PARAMETER, message, param=param)


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


def _natives_first(chat: Chat, offers: tuple[Offer, ...]) -> tuple[Offer, ...]:
    """Those that keep to a JSON format by themselves come before those that are asked to in words."""
    shape = chat.request.response_format
    if shape is None or shape.type not in JSON_FORMATS:
        return offers
    return tuple(sorted(offers, key=lambda offer: shape.type in offer.deployments[0].mapping.lacks))


def _field(param: str) -> str:
    """The top-level field of a JSON path."""
    return param.partition(".")[0].partition("[")[0]


def _too_long(chat: Chat, to: Deployment) -> Excluded | None:
    mapping, request = to.mapping, chat.request
    if mapping.max_output:
        limit = chat.output_limit
        if limit is not None and limit > mapping.max_output:
            param = "max_completion_tokens" if request.max_completion_tokens is not None else "max_tokens"
            return Excluded(mapping.provider, mapping.model, f"max_output:{mapping.max_output}", param)
    if mapping.context and chat.traits.prompt_bytes + 4 * len(request.messages) > mapping.context:
        estimate = estimate_prompt(chat.traits.prompt_bytes, messages=len(request.messages))
        if _CONTEXT_MARGIN * estimate > mapping.context:
            return Excluded(mapping.provider, mapping.model, f"context:{mapping.context}", "messages")
    return None


def _unknown_model(name: str, snapshot: Snapshot) -> GatewayError:
    nearest = snapshot.catalog.nearest(name)
    shown = name if len(name) <= 100 else f"{name[:100]}…"
    hint = f" Did you mean {', '.join(nearest)}?" if nearest else " GET /v1/models lists the models there are."
    return GatewayError(errors.MODEL_NOT_FOUND, f"The model '{shown}' does not exist.{hint}", param="model")


def _nothing_left(name: str, route: Route, excluded: tuple[Excluded, ...], *, snapshot: Snapshot) -> GatewayError:
    """The error of the reason that came closest to serving: a field, an address, the protocol, a missing key."""
    fields = [one for one in excluded if one.param is not None]
    if fields:
        return _unsuitable(name, fields)
    if excluded and all(one.reason == "deactivated" for one in excluded):
        message = f"The model '{name}' has been retired by its providers. Choose another."
        return GatewayError(errors.MODEL_DEACTIVATED, message, param="model")
    unset = [one for one in excluded if one.reason.startswith("unset:")]
    if unset:
        ways = " Or ".join(_how_to_reach(one, snapshot) for one in unset[:3])
        return GatewayError(errors.NO_PROVIDER, f"'{name}' cannot be reached yet. {ways}", param="model")
    for one in excluded:
        why = _PLACES.get(one.reason.partition(":")[0])
        if why is not None:
            return GatewayError(errors.NO_PROVIDER, f"'{name}' {why} ({one.provider}).", param="model")
    spoken = sorted({one.reason.partition(":")[2] for one in excluded if one.reason.startswith("protocol:")})
    if spoken:
        message = f"'{name}' cannot be used yet: this version does not speak the protocol {', '.join(spoken)}."
        return GatewayError(errors.NO_PROVIDER, message, param="model")
    how = " or ".join([f"{variable} (for {provider})" for provider, variable in route.env[:3]])
    advice = f"Set {how} in the environment." if how else "Add api_keys to the provider's section of llmgateway.toml."
    return GatewayError(errors.NO_PROVIDER, f"No provider is configured for '{name}'. {advice}", param="model")


def _how_to_reach(one: Excluded, snapshot: Snapshot) -> str:
    way = how_to_set(snapshot.catalog.providers[one.provider], one.reason.partition(":")[2])
    return f"For {one.provider} set {way}."


def _unsuitable(name: str, fields: list[Excluded]) -> GatewayError:
    last = fields[-1]
    kind = last.reason.partition(":")[0]
    if kind in ("context", "max_output"):
        largest = max(int(one.reason.partition(":")[2]) for one in fields if one.reason.startswith(f"{kind}:"))
        if kind == "context":
            message = f"The prompt is longer than the context of '{name}' ({largest} tokens). Shorten 'messages'."
            return GatewayError(errors.CONTEXT_LENGTH, message, param="messages")
        message = f"'{last.param}' is above the maximum output of '{name}', which is {largest} tokens."
        return GatewayError(errors.INVALID_VALUE, message, param=last.param)
    if kind == "conflict":
        wish = last.reason.partition(":")[2]
        message = f"'{name}' is served by two protocols: '{last.param}' is in the one only, '{wish}' in the other. "
        return GatewayError(errors.UNSUPPORTED_PARAMETER, message + "Leave one of them out.", param=last.param)
    advice = "Leave it out, or change the model."
    message = f"'{last.param}' is not supported by any configured provider of '{name}'. {advice}"
    return GatewayError(errors.UNSUPPORTED_PARAMETER, message, param=last.param)
