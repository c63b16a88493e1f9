"""Admission: what becomes of a request by its head alone, in the documented order, and its dispatch once it is whole.

Headers (404, 405) → declared length (413) → content type (415) → key (401) → overload (503). Nothing of a body is read
before the key; a body that will not be read closes the connection.
"""

import asyncio
import ipaddress
import re
import time
from collections.abc import Callable
from functools import partial
from typing import Final

import msgspec

from llmgateway.apps.edge.heads import Head, KnownHeads
from llmgateway.apps.edge.inbound import Inbound, Line
from llmgateway.apps.edge.mishap import failed
from llmgateway.domain import errors
from llmgateway.domain.errors import GatewayError
from llmgateway.domain.identity import ApiKey
from llmgateway.domain.ids import clean_request_id
from llmgateway.engine.authenticate import authenticate
from llmgateway.engine.errand import Errand
from llmgateway.engine.exchange import RequestFacts
from llmgateway.engine.pipeline import Gateway, error_headers
from llmgateway.wire.openai_chat.encode import error_body

CHAT_PATH: Final = b"/v1/chat/completions"
_JSON: Final = b"application/json"
_CUSTOM: Final = b"x-llmgateway-"
_HOP: Final = b"x-llmgateway-hop"
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]+")
_VARYING: Final = frozenset((b"x-request-id", b"traceparent", b"expect"))
"""Headers that differ from request to request: a head with one of them is not worth remembering."""
_OFF: Final = frozenset((b"", b"false", b"0", b"no", b"off"))
_MAX_CUSTOM: Final = 32
_MAX_HOPS_BYTES: Final = 1024

Page = Callable[[Inbound, ApiKey | None], None]


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What the edge takes at most. Bytes, counts and seconds."""

    max_body_bytes: int = 32 * 1024 * 1024
    max_buffered_bytes: int = 512 * 1024 * 1024
    max_in_flight: int = 2000
    max_header_bytes: int = 65_536
    max_headers: int = 100
    max_uri_bytes: int = 8192
    header_timeout_s: float = 10
    body_timeout_s: float = 60
    idle_timeout_s: float = 75
    keep_alive_s: float = 15
    stall_timeout_s: float = 120
    trusted_proxies: tuple[str, ...] = ()


class Route(msgspec.Struct, frozen=True):
    """A page: `path` exact, or a prefix when it ends with `/`. `public`: no key needed."""

    path: bytes
    page: Page
    public: bool = False


class Front:
    """Decides for every request; holds what is shared by all connections of a process."""

    def __init__(self, *, gateway: Gateway, limits: Limits, routes: tuple[Route, ...]) -> None:
        self.gateway = gateway
        self.limits = limits
        self.buffered_bytes = 0
        self._exact = {route.path: route for route in routes if not route.path.endswith(b"/")}
        self._prefixes = [route for route in routes if route.path.endswith(b"/")]
        self._heads = KnownHeads()
        self._proxies = [ipaddress.ip_network(proxy) for proxy in limits.trusted_proxies]

    def admit(self, inbound: Inbound, *, length: int | None) -> None:
        """By the head. Raises GatewayError, or sets `inbound.admitted`."""
        fields = inbound.fields
        inbound.request_id = clean_request_id(fields.get(b"x-request-id")) or f"req_{self.gateway.ids.next()}"
        if inbound.path != CHAT_PATH:
            self._admit_page(inbound)
            return
        if inbound.method != b"POST":
            raise self._not_allowed(inbound, b"POST")
        if length is not None and length > self.limits.max_body_bytes:
            raise self.too_large()
        _check_media(fields)
        inbound.admitted = self._key(fields)
        inbound.takes_body = True
        self._check_loop(fields)
        self._check_load()

    def too_large(self) -> GatewayError:
        megabytes = self.limits.max_body_bytes / (1024 * 1024)
        return GatewayError(
            errors.REQUEST_TOO_LARGE,
            f"The request body is larger than {megabytes:g} MiB. Send less, or raise server.max_body_mb.",
        )

    def overloaded(self) -> GatewayError:
        self.gateway.meters.overloaded += 1
        return GatewayError(errors.OVERLOADED, "Too many requests are in flight. Try again shortly.", retry_after_s=1)

    def dispatch(self, inbound: Inbound, *, peer: str | None) -> None:
        """The request is whole."""
        if inbound.path != CHAT_PATH:
            self._page(inbound)
            return
        key = inbound.admitted
        if key is None:
            raise AssertionError("only admitted requests are dispatched")  # a bug, not an input
        self._begin(inbound, inbound.take_body(), key=key, facts=self.facts(inbound, peer=peer))

    def recognise(self, data: bytes, *, line: Line, peer: str | None, began_s: float) -> Inbound | None:
        """The request that a read is, if its head is known and nothing about it wants a closer look; it has begun."""
        found = self._heads.find(data)
        if found is None:
            return None
        head, body = found
        gateway = self.gateway
        if head.snapshot is not gateway.snapshot or len(body) > self.limits.max_body_bytes or self._busy:
            return None
        key = head.key
        if (key.expires_at is not None and key.expires_at <= time.time()) or not gateway.journal.accepting:
            return None
        log_id = gateway.ids.next()
        request_id = f"req_{log_id}"
        facts = msgspec.structs.replace(head.facts, request_id=request_id, log_id=log_id, client_ip=peer)
        size = len(body)
        inbound = Inbound(line, began_s=began_s, path=CHAT_PATH, body_bytes=size, request_id=request_id, admitted=key)
        self.buffered_bytes += size
        self._begin(inbound, body, key=key, facts=facts)
        return inbound

    def remember(self, data: bytes, inbound: Inbound) -> None:
        """A chat request that was admitted and came in one read: its head will be recognised."""
        fields = inbound.fields
        if inbound.admitted is None or inbound.close_after or self._proxies or not _VARYING.isdisjoint(fields):
            return
        facts = self.facts(inbound, peer=None)
        self._heads.learn(data, Head(facts, inbound.admitted, self.gateway.snapshot))

    def _begin(self, inbound: Inbound, body: bytes, *, key: ApiKey, facts: RequestFacts) -> None:
        self.gateway.meters.in_flight += 1
        inbound.errand = Errand(
            self.gateway.chat(body, key=key, facts=facts, down=inbound), on_end=partial(self._done, inbound)
        )

    def refuse(self, inbound: Inbound, error: GatewayError, *, peer: str | None) -> None:
        """Answers with an error; an authenticated chat request leaves a record of it."""
        if inbound.admitted is not None and inbound.path == CHAT_PATH and self.gateway.journal.accepting:
            self.gateway.refuse(error, key=inbound.admitted, facts=self.facts(inbound, peer=peer), down=inbound)
            return
        if error.kind is errors.INVALID_API_KEY:
            self.gateway.meters.unauthenticated += 1
        inbound.request_id = inbound.request_id or f"req_{self.gateway.ids.next()}"
        inbound.send(error.status, error_headers(error), error_body(error))

    def facts(self, inbound: Inbound, *, peer: str | None) -> RequestFacts:
        facts = RequestFacts(inbound.request_id)
        fields = inbound.fields
        get = fields.get
        facts.user_agent = _text(get(b"user-agent"))
        facts.source = _text(get(b"x-source")) or _text(get(b"referer"))
        facts.trace_id = _text(get(b"traceparent"))
        facts.session_id = _text(get(b"x-session-id") or get(b"x-session-affinity") or get(b"session_id"))
        facts.no_fallback = _flag(get(b"x-no-fallback"))
        facts.timeout_s = _seconds(get(b"x-request-timeout"))
        facts.simulator = get(b"x-simulator", b"")
        facts.hops = get(_HOP, b"")[-_MAX_HOPS_BYTES:]
        if _CUSTOM in b"\n".join(fields):
            facts.custom = _custom(fields)
        facts.client_ip = self._client_ip(get(b"x-forwarded-for"), peer) if self._proxies else peer
        return facts

    def _done(self, inbound: Inbound, error: BaseException | None) -> None:
        self.gateway.meters.in_flight -= 1
        if error is not None and not isinstance(error, asyncio.CancelledError):
            failed(inbound, error)

    def _key(self, fields: dict[bytes, bytes]) -> ApiKey:
        bearer, plain = fields.get(b"authorization"), fields.get(b"x-api-key")
        return authenticate(
            self.gateway.snapshot,
            authorization=[] if bearer is None else [bearer],
            api_key=[] if plain is None else [plain],
        )

    def _check_loop(self, fields: dict[bytes, bytes]) -> None:
        hops = fields.get(_HOP)
        if hops is not None and self.gateway.snapshot.instance_id in hops.decode("latin-1"):
            raise GatewayError(errors.LOOP_DETECTED, "This gateway is its own upstream. Check the providers' base_url.")

    def _check_load(self) -> None:
        if self._busy:
            raise self.overloaded()
        if not self.gateway.journal.accepting:
            self.gateway.meters.overloaded += 1
            raise GatewayError(
                errors.OVERLOADED, "Requests cannot be recorded at the moment. Try again shortly.", retry_after_s=5
            )

    @property
    def _busy(self) -> bool:
        limits = self.limits
        return self.gateway.meters.in_flight >= limits.max_in_flight or self.buffered_bytes > limits.max_buffered_bytes

    def _route(self, path: bytes) -> Route | None:
        found = self._exact.get(path)
        if found is not None:
            return found
        return next((route for route in self._prefixes if path.startswith(route.path)), None)

    def _admit_page(self, inbound: Inbound) -> None:
        route = self._route(inbound.path)
        if route is None:
            shown = inbound.path[:200].decode("latin-1")
            raise GatewayError(errors.NOT_FOUND, f"There is nothing at {_CONTROL.sub('', shown)}. See /openapi.json.")
        if inbound.method not in (b"GET", b"HEAD"):
            raise self._not_allowed(inbound, b"GET, HEAD")
        if not route.public:
            inbound.admitted = self._key(inbound.fields)

    def _not_allowed(self, inbound: Inbound, allowed: bytes) -> GatewayError:
        inbound.extra_headers += b"allow: %b\r\n" % allowed
        method = inbound.method[:20].decode("latin-1")
        return GatewayError(errors.METHOD_NOT_ALLOWED, f"{method} is not allowed here. Use {allowed.decode()}.")

    def _page(self, inbound: Inbound) -> None:
        route = self._route(inbound.path)
        if route is None:
            raise AssertionError("only admitted requests are dispatched")  # a bug, not an input
        try:
            route.page(inbound, inbound.admitted)
        except GatewayError as error:
            inbound.send(error.status, error_headers(error), error_body(error))
        except Exception as error:  # noqa: BLE001 - the edge of a request: a bug must not lose its answer
            failed(inbound, error)

    def _client_ip(self, forwarded: bytes | None, peer: str | None) -> str | None:
        """The last address of X-Forwarded-For that is not a trusted proxy, if the peer is one."""
        address = peer
        hops = [] if forwarded is None else forwarded.decode("latin-1").split(",")
        for hop in reversed([part.strip() for part in hops]):
            if address is None or not self._trusted(address):
                break
            address = hop if _is_address(hop) else None
        return address

    def _trusted(self, address: str) -> bool:
        ip = ipaddress.ip_address(address)
        return any(ip in network for network in self._proxies)


def _check_media(fields: dict[bytes, bytes]) -> None:
    """JSON, uncompressed. A body without a content type is taken for JSON."""
    given = fields.get(b"content-type")
    if given is not None and given != _JSON:
        kind = given.partition(b";")[0].strip().lower()
        if kind != _JSON and not kind.endswith(b"+json"):
            shown = (_text(given) or "")[:100]
            raise GatewayError(
                errors.UNSUPPORTED_MEDIA, f"The content type '{shown}' is not supported. Send application/json."
            )
    if fields.get(b"content-encoding", b"").strip().lower() not in (b"", b"identity"):
        raise GatewayError(
            errors.UNSUPPORTED_MEDIA, "Compressed bodies are not read. Send it without content-encoding."
        )


def _custom(fields: dict[bytes, bytes]) -> dict[str, str] | None:
    """The caller's own facts for the record."""
    names = [name for name in fields if name.startswith(_CUSTOM) and name != _HOP][:_MAX_CUSTOM]
    custom = {_text(name.removeprefix(_CUSTOM)) or "": _text(fields[name]) or "" for name in names}
    return custom or None


def _text(value: bytes | None) -> str | None:
    """At most 256 characters, without control characters; None for nothing."""
    if not value:
        return None
    try:
        text = value.decode()
    except UnicodeDecodeError:
        text = value.decode("latin-1")
    return (text if text.isprintable() else _CONTROL.sub(" ", text))[:256]


def _seconds(value: bytes | None) -> float | None:
    try:
        seconds = float(value or b"0")
    except ValueError:
        return None
    return seconds if 0 < seconds < 86_400 else None


def _flag(value: bytes | None) -> bool:
    """On, unless it is missing, empty or says no."""
    return value is not None and value.strip().lower() not in _OFF


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
