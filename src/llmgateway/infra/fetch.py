"""Reads what a caller's URL names, without becoming the caller's way into private networks.

Addresses are checked by the dialer on the very address that is dialled, for the first URL and for each redirect, so a
name that resolves differently the second time gains nothing. Who may fetch how many URLs is left to the caller.
"""

import asyncio
from ipaddress import IPv4Address, IPv6Address
from urllib.parse import quote, urljoin, urlsplit

import msgspec

from llmgateway.domain.errors import INVALID_VALUE, GatewayError, UpstreamError
from llmgateway.domain.routing import HttpRequest, Origin, Timeouts
from llmgateway.engine.errand import within
from llmgateway.infra.transport.address import is_public
from llmgateway.infra.transport.connection import Connection
from llmgateway.infra.transport.dialer import Dialer, Reach, peer_name
from llmgateway.infra.transport.exchange import Exchange
from llmgateway.infra.transport.limits import DEFAULT_LIMITS

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_URL_CHARACTERS = 8192
_SAFE_IN_TARGET = "!#$%&'()*+,/:;=?@[]~"


class FetchLimits(msgspec.Struct, frozen=True, kw_only=True):
    """`total_s` covers everything, redirects included."""

    total_s: float = 10
    redirects: int = 3


DEFAULT_FETCH_LIMITS = FetchLimits()


class _Target(msgspec.Struct, frozen=True):
    """A URL taken apart: whom to dial, which addresses that may be, and what to ask for."""

    url: str
    origin: Origin
    reach: Reach
    host: str
    path: str


class GuardedFetcher:
    """Only https to public addresses; with `allow_private_network` private ones too, and these also over http."""

    def __init__(
        self,
        *,
        allow_private_network: bool = False,
        dialer: Dialer | None = None,
        limits: FetchLimits = DEFAULT_FETCH_LIMITS,
    ) -> None:
        self._allow_private_network = allow_private_network
        self._dialer = dialer or Dialer()
        self._limits = limits

    async def fetch(self, url: str, *, param: str, limit: int, types: tuple[str, ...]) -> tuple[str, bytes]:
        """Content type (lower case, without parameters) and bytes.

        `types`: what is accepted, as `image/png` or `image/*`. Raises GatewayError INVALID_VALUE naming `param`.
        """
        try:
            async with within(self._limits.total_s):
                return await self._follow(url, limit=limit, types=types)
        except TimeoutError:
            reason = f"it was not there within {self._limits.total_s:g} s"
        except (UpstreamError, _RefusedError) as error:
            reason = str(error)
        raise GatewayError(INVALID_VALUE, f"Cannot fetch the URL of {param}: {reason}.", param=param)

    def check(self, url: str, *, param: str) -> None:
        """Whether a provider may be told this URL: http or https, and no private address in it. Nothing is resolved.

        Raises GatewayError INVALID_VALUE naming `param`.
        """
        try:
            parts = urlsplit(url)
            named = parts.scheme in ("http", "https") and bool(parts.hostname)
        except ValueError:
            raise GatewayError(INVALID_VALUE, f"The URL of {param} is not a URL.", param=param) from None
        if not named or len(url) > _URL_CHARACTERS or _malformed(url):
            expected = "a data URL or an https URL"
            raise GatewayError(INVALID_VALUE, f"The URL of {param} cannot be used: expected {expected}.", param=param)
        if not self._allow_private_network and _looks_private(parts.hostname or ""):
            raise GatewayError(INVALID_VALUE, f"The URL of {param} names a private address.", param=param)

    async def _follow(self, url: str, *, limit: int, types: tuple[str, ...]) -> tuple[str, bytes]:
        for _ in range(self._limits.redirects + 1):
            target = self._target(url)
            exchange = await self._ask(target, accept=", ".join(types))
            try:
                if exchange.status not in _REDIRECTS:
                    return await _content(exchange, peer=peer_name(target.origin), limit=limit, types=types)
                location = _header(exchange, b"location")
            finally:
                exchange.close()
            if not location:
                raise _RefusedError(f"{peer_name(target.origin)} redirects to nowhere")
            url = _joined(target.url, location)
        raise _RefusedError(f"it is redirected more than {self._limits.redirects} times")

    def _target(self, url: str) -> _Target:
        if len(url) > _URL_CHARACTERS:
            raise _RefusedError(f"it has {len(url)} characters, at most {_URL_CHARACTERS} are allowed")
        if _malformed(url):
            raise _RefusedError("it is not a URL: it contains white space, control characters or backslashes")
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise _RefusedError("it is not a URL") from None
        scheme = parts.scheme
        if scheme == "https":
            reach: Reach = "any" if self._allow_private_network else "public"
        elif scheme == "http" and self._allow_private_network:
            reach = "private"
        else:
            raise _RefusedError("only https URLs are fetched")
        if parts.username is not None or parts.password is not None:
            raise _RefusedError("it contains a user name or password")
        host = _host(parts.hostname or "")
        path = quote(parts.path or "/", safe=_SAFE_IN_TARGET)
        query = "?" + quote(parts.query, safe=_SAFE_IN_TARGET) if parts.query else ""
        named = f"[{host}]" if ":" in host else host
        return _Target(
            url,
            Origin("https" if scheme == "https" else "http", host, port or (443 if scheme == "https" else 80)),
            reach,
            named if port is None else f"{named}:{port}",
            path + query,
        )

    async def _ask(self, target: _Target, *, accept: str) -> Exchange:
        head = (
            f"GET {target.path} HTTP/1.1\r\nhost: {target.host}\r\naccept: {accept}\r\n"
            "accept-encoding: identity\r\nuser-agent: llmgateway\r\nconnection: close\r\n"
        )
        peer = peer_name(target.origin)
        connection = await self._dialer.dial(
            target.origin,
            reach=target.reach,
            create=lambda: Connection(owner=_Nobody(), peer=peer, limits=DEFAULT_LIMITS),
        )
        request = HttpRequest(target.origin, head.encode("ascii"), b"", "GET")
        now = asyncio.get_running_loop().time()
        exchange = connection.begin(request, timeouts=Timeouts(), now=now, total_at=now + self._limits.total_s)
        await exchange.answered()
        return exchange


class _RefusedError(Exception):
    """Why a URL is not fetched, as the end of a sentence."""


class _Nobody:
    """The owner of a connection that carries one answer."""

    def freed(self, connection: Connection, *, keep_s: float) -> None:
        del keep_s
        connection.discard()

    def lost(self, connection: Connection) -> None:
        pass

    def failed(self, error: UpstreamError) -> None:
        pass


def _malformed(url: str) -> bool:
    """White space, control characters and backslashes, which readers of URLs take in different ways."""
    return "\\" in url or any(character <= " " or character == "\x7f" for character in url)


def _looks_private(host: str) -> bool:
    """Literal addresses in any spelling that resolvers accept, localhost, and what is no host name at all."""
    try:
        host = _host(host).rstrip(".")
    except _RefusedError:
        return True
    if host == "localhost" or host.endswith((".localhost", ".local", ".internal")):
        return True
    literal = ":" in host or host.rpartition(".")[2].isdigit()
    return literal and not is_public(host)


def _host(host: str) -> str:
    """An IP address or an ASCII host name. Numbers that resolvers read as addresses (127.1, 0x7f000001) are neither."""
    host = host.lower()
    if ":" in host:
        try:
            return str(IPv6Address(host))
        except ValueError:
            raise _RefusedError("its host is not a valid IPv6 address") from None
    try:
        host = host.encode("idna").decode("ascii").lower()
    except UnicodeError:
        raise _RefusedError("its host is not a valid host name") from None
    labels = host.rstrip(".").split(".")
    if labels[-1].isdigit() or labels[-1].startswith("0x"):
        try:
            return str(IPv4Address(host))
        except ValueError:
            raise _RefusedError("its host is neither a host name nor a dotted IPv4 address") from None
    if not all(label and label.replace("-", "a").replace("_", "a").isalnum() for label in labels):
        raise _RefusedError("its host is not a valid host name")
    return host


def _joined(url: str, location: str) -> str:
    try:
        return urljoin(url, location)
    except ValueError:
        raise _RefusedError("it is redirected to something that is not a URL") from None


async def _content(exchange: Exchange, *, peer: str, limit: int, types: tuple[str, ...]) -> tuple[str, bytes]:
    if exchange.status != 200:
        raise _RefusedError(f"{peer} answered with status {exchange.status}")
    content_type = _header(exchange, b"content-type").partition(";")[0].strip().lower()
    if not _accepted(content_type, types=types):
        found = f"{content_type[:100]!r}" if content_type else "no content type"
        raise _RefusedError(f"{peer} answered with {found}, expected {' or '.join(types)}")
    return content_type, await exchange.body(limit=limit)


def _accepted(content_type: str, *, types: tuple[str, ...]) -> bool:
    major, slash, minor = content_type.partition("/")
    return bool(slash and minor) and any(allowed in (content_type, f"{major}/*") for allowed in types)


def _header(exchange: Exchange, name: bytes) -> str:
    return next((value.decode("latin-1").strip() for key, value in exchange.headers if key == name), "")
