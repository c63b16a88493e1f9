"""From a checked request to a route plan: a pure function of request, snapshot and date.

One provider serves a request here: the pinned one, or the cheapest that fits. Every offer that was left out is kept
with its reason, and when none is left the error names the field that removed the last one.
"""

from datetime import date
from typing import Final

from llmgateway.catalog.lookup import Resolution
from llmgateway.domain import errors
from llmgateway.domain.chat import Chat
from llmgateway.domain.errors import GatewayError
from llmgateway.domain.routing import Excluded, Mapping, Provider, RoutePlan
from llmgateway.engine.snapshot import Snapshot
from llmgateway.engine.tokens import estimate_prompt

_UNKNOWN_PRICE: Final = 1 << 62
_CONTEXT_MARGIN: Final = 0.8


def plan_route(chat: Chat, *, snapshot: Snapshot, today: date) -> RoutePlan:
    """Raises GatewayError: UNSUPPORTED_PARAMETER, MODEL_NOT_FOUND, MODEL_DEACTIVATED, NO_PROVIDER, CONTEXT_LENGTH."""
    _not_yet(chat)
    name = chat.request.model
    resolution = snapshot.catalog.resolve(name)
    if resolution is None:
        raise _unknown_model(name, snapshot)
    fitting: list[tuple[float, int, Mapping]] = []
    excluded: list[Excluded] = []
    for mapping in resolution.mappings:
        provider = snapshot.catalog.providers[mapping.provider]
        reason = _unfit(chat, mapping, provider, snapshot, today)
        if reason is None:
            fitting.append((-provider.priority * mapping.priority, _price(mapping), mapping))
        else:
            excluded.append(reason)
    if not fitting:
        raise _nothing_left(chat, resolution, excluded, snapshot)
    best = min(fitting, key=lambda candidate: (candidate[1], candidate[0]))[2]
    deployment = snapshot.deployment(best, region=resolution.region)
    return RoutePlan((deployment,), resolution.provider, tuple(excluded))


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


def _unfit(chat: Chat, mapping: Mapping, provider: Provider, snapshot: Snapshot, today: date) -> Excluded | None:
    """Why the mapping cannot serve the request; None if it can."""
    if mapping.deactivated is not None and mapping.deactivated <= today:
        return Excluded(mapping.provider, mapping.model, "deactivated")
    if provider.id not in snapshot.credentials:
        return Excluded(mapping.provider, mapping.model, "no_credential")
    if provider.protocol not in snapshot.protocols:
        return Excluded(mapping.provider, mapping.model, "protocol")
    if provider.priority <= 0 or mapping.priority <= 0:
        return Excluded(mapping.provider, mapping.model, "disabled")
    return _incapable(chat, mapping, provider) or _too_long(chat, mapping)


def _incapable(chat: Chat, mapping: Mapping, provider: Provider) -> Excluded | None:
    for capability, param in chat.traits.needs.items():
        if capability in mapping.lacks or param in provider.parameters.refuse:
            return Excluded(mapping.provider, mapping.model, f"capability:{capability}", param)
    takes_anything = provider.unknown_fields == "pass"
    if chat.traits.foreign is not None and not takes_anything:
        return Excluded(mapping.provider, mapping.model, "type", chat.traits.foreign)
    request = chat.request
    for name in ("effort", "image_config"):
        if getattr(request, name) is not None and not takes_anything and name not in provider.quirks:
            return Excluded(mapping.provider, mapping.model, f"parameter:{name}", name)
    budget = request.reasoning is not None and request.reasoning.max_tokens is not None
    if budget and "reasoning_object" not in provider.quirks:
        return Excluded(mapping.provider, mapping.model, "capability:reasoning_max_tokens", "reasoning.max_tokens")
    if request.service_tier not in (None, "auto", "default") and "service_tier" in provider.parameters.drop:
        return Excluded(mapping.provider, mapping.model, "service_tier", "service_tier")
    return None


def _too_long(chat: Chat, mapping: Mapping) -> Excluded | None:
    limit = chat.output_limit
    if limit is not None and 0 < mapping.max_output < limit:
        param = "max_completion_tokens" if chat.request.max_completion_tokens is not None else "max_tokens"
        return Excluded(mapping.provider, mapping.model, f"max_output:{mapping.max_output}", param)
    if mapping.context:
        estimate = estimate_prompt(chat.traits.prompt_bytes, messages=len(chat.request.messages))
        if _CONTEXT_MARGIN * estimate > mapping.context:
            return Excluded(mapping.provider, mapping.model, f"context:{mapping.context}", "messages")
    return None


def _price(mapping: Mapping) -> int:
    """3 × input + 1 × output; unknown counts as the dearest."""
    return _UNKNOWN_PRICE if mapping.price is None else 3 * mapping.price.input + mapping.price.output


def _unknown_model(name: str, snapshot: Snapshot) -> GatewayError:
    nearest = snapshot.catalog.nearest(name)
    shown = name if len(name) <= 100 else f"{name[:100]}…"
    hint = f" Did you mean {', '.join(nearest)}?" if nearest else " GET /v1/models lists the models there are."
    return GatewayError(errors.MODEL_NOT_FOUND, f"The model '{shown}' does not exist.{hint}", param="model")


def _nothing_left(chat: Chat, resolution: Resolution, excluded: list[Excluded], snapshot: Snapshot) -> GatewayError:
    """The error of the reason that came closest to serving: a field, then the protocol, then a missing key."""
    name = chat.request.model
    if all(one.reason == "deactivated" for one in excluded):
        return GatewayError(errors.MODEL_DEACTIVATED, f"The model '{name}' has been retired by its providers.", param="model")
    fields = [one for one in excluded if one.param is not None]
    if fields:
        return _unsuitable(name, fields)
    if any(one.reason == "protocol" for one in excluded):
        spoken = {snapshot.catalog.providers[one.provider].protocol for one in excluded if one.reason == "protocol"}
        return GatewayError(
            errors.NO_PROVIDER,
            f"No provider of '{name}' can be used: the protocol {', '.join(sorted(spoken))} is not spoken by this version.",
            param="model",
        )
    variables = {
        provider.id: provider.env[0]
        for provider in (snapshot.catalog.providers[mapping.provider] for mapping in resolution.mappings)
        if provider.env
    }
    how = " or ".join(f"{variable} (for {provider})" for provider, variable in sorted(variables.items())[:5])
    advice = f"Set {how} in the environment." if how else "Add an api_keys entry to the provider's section."
    return GatewayError(errors.NO_PROVIDER, f"No provider is configured for '{name}'. {advice}", param="model")


def _unsuitable(name: str, fields: list[Excluded]) -> GatewayError:
    last = fields[-1]
    kind, _, detail = last.reason.partition(":")
    if all(one.reason.startswith("context:") for one in fields):
        largest = max(int(one.reason.partition(":")[2]) for one in fields)
        message = f"The prompt is longer than the context of '{name}' ({largest} tokens). Shorten 'messages'."
        return GatewayError(errors.CONTEXT_LENGTH, message, param="messages")
    if kind == "max_output":
        message = f"'{last.param}' is above the maximum output of '{name}', which is {detail} tokens."
        return GatewayError(errors.INVALID_VALUE, message, param=last.param)
    message = f"'{last.param}' is not supported by any provider of '{name}' that is configured. Leave it out, or choose another model."
    return GatewayError(errors.UNSUPPORTED_PARAMETER, message, param=last.param)
