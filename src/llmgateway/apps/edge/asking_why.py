"""`GET /v1/models/{id}/routing`: how requests for a model would be routed now, as JSON. Nothing is sent or changed.

What is told is `engine.explain`'s word; here are its questions in the address, and its numbers in readable units.
"""

from typing import Any, Final, get_args
from urllib.parse import parse_qs

import msgspec
from msgspec import Raw

from llmgateway.catalog.lookup import Catalog
from llmgateway.domain import errors
from llmgateway.domain.chat import Routing
from llmgateway.domain.errors import GatewayError
from llmgateway.domain.identity import ApiKey
from llmgateway.domain.usage import decimal_usd
from llmgateway.engine.explain import PROMPT_TOKENS, Explanation, Rated, explain
from llmgateway.engine.pipeline import Gateway

SUFFIX: Final = b"/routing"
ROUTING: Final[tuple[Routing, ...]] = get_args(Routing)
MOST_TOKENS: Final = 100_000_000
_PLACES: Final = 6


def asked_about(name: str, *, catalog: Catalog) -> str | None:
    """The model whose routing is asked for; None where the whole of `name` is a model. A model of the catalogue may be
    called `…/routing`, and a provider may take any name: what is known by its own name goes first.
    """
    stem = name.removesuffix(SUFFIX.decode())
    if stem == name or not stem:
        return None
    whole = catalog.resolve(name)
    if whole is not None and (whole.model is not None or catalog.resolve(stem) is None):
        return None
    return stem


def routing_page(name: str, *, query: bytes, gateway: Gateway, key: ApiKey) -> bytes:
    """Raises GatewayError: INVALID_VALUE, MODEL_NOT_FOUND, UNSUPPORTED_PARAMETER, NO_PROVIDER."""
    asked = {field: values[-1] for field, values in parse_qs(query.decode("latin-1")).items()}
    streamed, routing = _streamed(asked), _strategy(asked)
    found = explain(
        name,
        snapshot=gateway.snapshot,
        health=gateway.health,
        affinity=gateway.affinity,
        project=key.project,
        routing=routing,
        streamed=streamed,
        prompt_tokens=_tokens(asked),
    )
    return msgspec.json.encode(_told(found, routing=routing, streamed=streamed))


def _told(found: Explanation, *, routing: Routing, streamed: bool) -> dict[str, Any]:
    volume = found.volume
    assumed = {"prompt_tokens": volume.prompt, "cached_tokens": volume.cached, "completion_tokens": volume.output}
    return {
        "object": "model.routing",
        "model": found.model,
        "requested_provider": found.requested_provider,
        "chosen": found.chosen,
        "chosen_by": found.chosen_by,
        "fallbacks": found.fallbacks,
        "assumed": {"routing": routing, "stream": streamed, **{name: round(value) for name, value in assumed.items()}},
        "weights": _rounded(found.weights),
        "candidates": [_candidate(one) for one in found.candidates],
        "excluded": found.excluded,
    }


def _candidate(one: Rated) -> dict[str, Any]:
    return {
        "provider": one.provider,
        "model": one.model,
        "region": one.region,
        "used_model": one.used_model,
        "expected_cost_usd": None if one.price_picousd is None else _usd(one.price_picousd),
        "priority": one.priority,
        "figures": _rounded(one.figures),
        "score": _rounded(one.score),
        "benched": one.benched,
        "credentials": [
            {"apiKeyHash": key.fingerprint, "weight": key.weight, "benched": key.benched} for key in one.credentials
        ],
    }


def _rounded(numbers: msgspec.Struct) -> dict[str, float]:
    return {name: round(value, _PLACES) for name, value in msgspec.structs.asdict(numbers).items()}


def _usd(picousd: float) -> Raw:
    return Raw(decimal_usd(round(picousd)).encode())


def _streamed(asked: dict[str, str]) -> bool:
    stream = asked.get("stream", "false")
    if stream not in ("true", "false"):
        raise GatewayError(errors.INVALID_VALUE, "'stream' must be true or false.", param="stream")
    return stream == "true"


def _strategy(asked: dict[str, str]) -> Routing:
    routing = asked.get("routing", "auto")
    if routing not in ROUTING:
        message = f"'routing' must be one of {', '.join(ROUTING)}."
        raise GatewayError(errors.INVALID_VALUE, message, param="routing")
    return routing


def _tokens(asked: dict[str, str]) -> int:
    given = asked.get("prompt_tokens", str(PROMPT_TOKENS))
    if not given.isascii() or not given.isdigit() or len(given) > len(str(MOST_TOKENS)):
        message = f"'prompt_tokens' must be a whole number from 0 to {MOST_TOKENS}."
        raise GatewayError(errors.INVALID_VALUE, message, param="prompt_tokens")
    return min(int(given), MOST_TOKENS)
