"""The pages beside chat: models, their routing, the key that asks, health, readiness, metrics, the OpenAPI document."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final
from urllib.parse import parse_qs, unquote_to_bytes

import msgspec
from msgspec import Raw

from llmgateway.apps.edge.asking_why import SUFFIX, asked_about, routing_page
from llmgateway.apps.edge.front import Route
from llmgateway.apps.edge.inbound import Inbound
from llmgateway.apps.edge.mishap import failed
from llmgateway.domain import errors
from llmgateway.domain.errors import GatewayError
from llmgateway.domain.identity import ApiKey
from llmgateway.domain.routing import Mapping, Model
from llmgateway.domain.usage import Price, decimal_usd
from llmgateway.engine.pipeline import Gateway, error_headers
from llmgateway.engine.snapshot import Snapshot
from llmgateway.infra.db.engine import DatabaseError
from llmgateway.wire.openai_chat.encode import error_body

_TEXT: Final = b"content-type: text/plain; version=0.0.4; charset=utf-8\r\n"
_PER_MILLION: Final = 1_000_000
KeyPage = Callable[[ApiKey], Awaitable[dict[str, Any]]]


class Pages:
    """`readiness`: complaints, and whether requests can be served. `key_page`: what `/v1/key` tells of a key."""

    def __init__(
        self,
        gateway: Gateway,
        *,
        key_page: KeyPage,
        readiness: Callable[[], tuple[list[str], bool]],
        metrics: Callable[[], bytes],
        openapi: Callable[[], bytes],
    ) -> None:
        self._gateway = gateway
        self._key_page = key_page
        self._readiness = readiness
        self._metrics = metrics
        self._openapi = openapi
        self._listed: tuple[Snapshot, dict[bool, bytes]] | None = None

    def routes(self) -> tuple[Route, ...]:
        return (
            Route(b"/v1/models", self.models),
            Route(b"/v1/models/", self.model),
            Route(b"/v1/key", self.key),
            Route(b"/healthz", self.healthz, public=True),
            Route(b"/readyz", self.readyz, public=True),
            Route(b"/metrics", self.metrics, public=True),
            Route(b"/openapi.json", self.openapi, public=True),
        )

    def models(self, inbound: Inbound, _key: ApiKey | None) -> None:
        wanted = parse_qs(inbound.query.decode("latin-1")).get("available", [""])[-1]
        if wanted not in ("", "true", "false"):
            raise GatewayError(errors.INVALID_VALUE, "'available' must be true or false.", param="available")
        inbound.send(200, (), self._list(only_available=wanted == "true"))

    def model(self, inbound: Inbound, key: ApiKey | None) -> None:
        """A model, or behind it `/routing`: only there as it is, since an escaped slash belongs to a name."""
        path = inbound.path.removeprefix(b"/v1/models/")
        name = _unescaped(path)
        snapshot = self._gateway.snapshot
        if path.endswith(SUFFIX) and key is not None:
            about = asked_about(name, catalog=snapshot.catalog)
            if about is not None:
                inbound.send(200, (), routing_page(about, query=inbound.query, gateway=self._gateway, key=key))
                return
        found = snapshot.catalog.resolve(name)
        if found is None:
            nearest = snapshot.catalog.nearest(name)
            hint = f" Did you mean {', '.join(nearest)}?" if nearest else ""
            raise GatewayError(errors.MODEL_NOT_FOUND, f"The model '{name[:100]}' does not exist.{hint}", param="model")
        model = found.model or Model(id=name)
        inbound.send(200, (), msgspec.json.encode(_entry(model, found.mappings, snapshot)))

    def key(self, inbound: Inbound, key: ApiKey | None) -> None:
        if key is not None:
            inbound.errand = asyncio.get_running_loop().create_task(self._answer_key(inbound, key))

    def healthz(self, inbound: Inbound, _key: ApiKey | None) -> None:
        inbound.send(200, (), b'{"status":"ok"}')

    def readyz(self, inbound: Inbound, _key: ApiKey | None) -> None:
        complaints, serving = self._readiness()
        status = "ok" if not complaints else "degraded" if serving else "unavailable"
        inbound.send(200 if serving else 503, (), msgspec.json.encode({"status": status, "complaints": complaints}))

    def metrics(self, inbound: Inbound, _key: ApiKey | None) -> None:
        inbound.answer(200, _TEXT, self._metrics())

    def openapi(self, inbound: Inbound, _key: ApiKey | None) -> None:
        inbound.send(200, (), self._openapi())

    async def _answer_key(self, inbound: Inbound, key: ApiKey) -> None:
        try:
            page = await self._key_page(key)
        except (OSError, DatabaseError):
            error = GatewayError(errors.OVERLOADED, "The database does not answer. Try again shortly.", retry_after_s=1)
            inbound.send(error.status, error_headers(error), error_body(error))
        except Exception as error:  # noqa: BLE001 - the edge of a request: a bug must not lose its answer
            failed(inbound, error)
        else:
            inbound.send(200, (), msgspec.json.encode(page))

    def _list(self, *, only_available: bool) -> bytes:
        snapshot = self._gateway.snapshot
        if self._listed is None or self._listed[0] is not snapshot:
            self._listed = (snapshot, {})
        lists = self._listed[1]
        if only_available not in lists:
            entries = [_entry(model, model.mappings, snapshot) for model in snapshot.catalog.models.values()]
            kept = [entry for entry in entries if entry["available"] or not only_available]
            lists[only_available] = msgspec.json.encode({"object": "list", "data": kept})
        return lists[only_available]


def _unescaped(path: bytes) -> str:
    return unquote_to_bytes(path).decode("utf-8", "replace")


def _entry(model: Model, mappings: tuple[Mapping, ...], snapshot: Snapshot) -> dict[str, Any]:
    """A model in OpenAI's shape, with what the catalogue knows of each offer."""
    offers = [_offer(mapping, snapshot) for mapping in mappings]
    best = next((offer for offer in offers if offer["available"]), offers[0] if offers else {})
    return {
        "id": model.id,
        "object": "model",
        "created": model.created,
        "owned_by": model.family or (mappings[0].provider if mappings else ""),
        "name": model.name or model.id,
        "available": any(offer["available"] for offer in offers),
        "context_length": max((mapping.context for mapping in mappings), default=0) or None,
        "max_output": max((mapping.max_output for mapping in mappings), default=0) or None,
        "pricing": best.get("pricing"),
        "capabilities": sorted({capability for mapping in mappings for capability in mapping.has}),
        "aliases": model.aliases,
        "providers": offers,
    }


def _offer(mapping: Mapping, snapshot: Snapshot) -> dict[str, Any]:
    return {
        "id": mapping.provider,
        "upstream": mapping.upstream,
        "available": snapshot.usable(mapping),
        "context_length": mapping.context or None,
        "max_output": mapping.max_output or None,
        "pricing": _pricing(mapping.price) if mapping.price is not None else None,
        "capabilities": sorted(mapping.has),
        "regions": mapping.regions,
        "deprecated": mapping.deprecated,
        "deactivated": mapping.deactivated,
    }


def _pricing(price: Price) -> dict[str, Raw]:
    """USD, exact: per million tokens, per request, per search."""
    tokens = {
        "input_usd_per_mtok": price.input,
        "output_usd_per_mtok": price.output,
        "cached_input_usd_per_mtok": price.cached_input,
        "cache_write_5m_usd_per_mtok": price.cache_write_5m,
    }
    pricing = {name: _usd(value * _PER_MILLION) for name, value in tokens.items() if value is not None}
    if price.request:
        pricing["request_usd"] = _usd(price.request)
    if price.web_search:
        pricing["web_search_usd"] = _usd(price.web_search)
    return pricing


def _usd(picousd: int) -> Raw:
    return Raw(decimal_usd(picousd).encode())
