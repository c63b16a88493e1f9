"""What a caller is told whose request leads nowhere: what was asked for, and what to change."""

from typing import Final

from llmgateway.domain import errors
from llmgateway.domain.errors import GatewayError
from llmgateway.domain.plan import Excluded
from llmgateway.engine.address import how_to_set
from llmgateway.engine.snapshot import Route, Snapshot

AUTO: Final = "auto"
_PLACES: Final = {
    "region": "is not offered in the provider's region; name another one behind a colon, or another provider",
    "address": "has a provider whose base_url or variables make no http(s) address",
    "name": "is no name that its provider's address could hold",
    "endpoint": "is offered in a protocol for which its provider has no endpoint; add one to its endpoints",
}


def unknown_model(name: str, *, snapshot: Snapshot, param: str = "model") -> GatewayError:
    nearest = snapshot.catalog.nearest(name)
    shown = name if len(name) <= 100 else f"{name[:100]}…"
    hint = f" Did you mean {', '.join(nearest)}?" if nearest else " GET /v1/models lists the models there are."
    return GatewayError(errors.MODEL_NOT_FOUND, f"The model '{shown}' does not exist.{hint}", param=param)


def nothing_left(name: str, route: Route, excluded: tuple[Excluded, ...], *, snapshot: Snapshot) -> GatewayError:
    """The error of the reason that came closest to serving: a field, an address, the protocol, a missing key."""
    if any(one.reason == "unverified" for one in excluded):
        return _unverified(name)
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
    if name == AUTO:
        return _nothing_to_choose_from(route, excluded)
    how = _keys(route)
    advice = f"Set {how} in the environment." if how else "Add api_keys to the provider's section of llmgateway.toml."
    return GatewayError(errors.NO_PROVIDER, f"No provider is configured for '{name}'. {advice}", param="model")


def _unverified(name: str) -> GatewayError:
    message = (
        f"'{name}' is free, and the project is not verified yet. Send 'onboarding: true' while it is being set up, "
        "have it verified, or choose a model that has a price."
    )
    return GatewayError(errors.PROJECT_NOT_VERIFIED, message, param="onboarding")


def _nothing_to_choose_from(route: Route, excluded: tuple[Excluded, ...]) -> GatewayError:
    """No model on the list of `auto` can be reached; the others may be configured or not."""
    known = {one.reason for one in excluded} - {"no_credential"}
    what = "None of its models can be used" if known else "No provider is configured for any of its models"
    how = _keys(route)
    advice = f"Set {how} in the environment, or list others" if how else "List models that are configured"
    return GatewayError(
        errors.NO_PROVIDER,
        f"'auto' has no model to choose: {what[0].lower()}{what[1:]}. {advice} in "
        "'auto_models' under [routing] in llmgateway.toml.",
        param="model",
    )


def _keys(route: Route) -> str:
    """The variables that would help, and whom they are for; "" for none."""
    return " or ".join([f"{variable} (for {provider})" for provider, variable in route.env[:3]])


def most_telling(refusals: list[GatewayError]) -> GatewayError:
    """Of several models' refusals the last that names a field of the request, else the first model's own."""
    of_the_request = [one for one in refusals if one.param != "model"]
    return of_the_request[-1] if of_the_request else refusals[0]


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
    if kind == "filter":
        message = f"No model is left for 'auto' with '{last.param}'. Leave it out, or configure such a model."
        return GatewayError(errors.UNSUPPORTED_PARAMETER, message, param=last.param)
    advice = "Leave it out, or change the model."
    message = f"'{last.param}' is not supported by any configured provider of '{name}'. {advice}"
    return GatewayError(errors.UNSUPPORTED_PARAMETER, message, param=last.param)
