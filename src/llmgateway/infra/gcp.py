"""Access tokens of Google service accounts, by google-auth (the extra `gcp`), over our own transport.

A token is fetched in a thread, kept until shortly before its end, and fetched by one request at a time however many
wait for it. The secret is the JSON of an account, or the path of a file with it; neither gets into a message.
"""

import asyncio
import math
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any, Final, Literal, cast
from urllib.parse import urlsplit

import msgspec

from llmgateway.domain.errors import UPSTREAM_AUTH, UpstreamError
from llmgateway.domain.routing import HttpRequest, Origin, Timeouts
from llmgateway.engine.ports import Transport

_SCOPES: Final = ("https://www.googleapis.com/auth/cloud-platform",)
_TIMEOUTS: Final = Timeouts(connect=5, first_byte=20, idle=10)
_TOTAL_S: Final = 30.0
_EARLY_S: Final = 300.0
_MAX_ANSWER: Final = 1024 * 1024
_MAX_ACCOUNTS: Final = 256
_PORTS: Final = {"http": 80, "https": 443}
_OURS: Final = frozenset(("host", "content-length", "accept-encoding", "connection"))


class _Account:
    """What is known of one secret. `until`: the end of the token's life, in seconds since 1970."""

    __slots__ = ("credentials", "fetching", "token", "until")

    def __init__(self) -> None:
        self.credentials: Any = None
        self.token = ""
        self.until = 0.0
        self.fetching: asyncio.Task[None] | None = None


class Tokens:
    """Belongs to the event loop it is first used in. `now`: seconds since 1970."""

    def __init__(self, transport: Transport, *, now: Callable[[], float] = time.time) -> None:
        self._transport = transport
        self._now = now
        self._accounts: dict[str, _Account] = {}

    async def token(self, secret: str) -> str:
        """A token that is good for a while. Raises UpstreamError UPSTREAM_AUTH."""
        account = self._accounts.get(secret)
        if account is None:
            if len(self._accounts) >= _MAX_ACCOUNTS:
                self._accounts.clear()
            account = self._accounts[secret] = _Account()
        left_s = account.until - self._now()
        if left_s > _EARLY_S:
            return account.token
        if account.fetching is None:
            account.fetching = asyncio.create_task(self._fetch(account, secret))
            account.fetching.add_done_callback(_noticed)
        if left_s <= 0:
            await asyncio.shield(account.fetching)
        return account.token

    async def _fetch(self, account: _Account, secret: str) -> None:
        loop = asyncio.get_running_loop()
        request = _Request(self._transport, loop)
        try:
            token, until = await loop.run_in_executor(None, _refreshed, account, secret, request)
        finally:
            account.fetching = None
        account.token, account.until = token, until


def _noticed(task: "asyncio.Task[None]") -> None:
    """A refresh that nobody waits for may fail: the next one that somebody waits for will tell."""
    if not task.cancelled():
        task.exception()


def _refreshed(account: _Account, secret: str, request: "_Request") -> tuple[str, float]:
    """Runs in a thread. The token and the end of its life."""
    try:
        exceptions = import_module("google.auth.exceptions")
    except ImportError:
        raise _refused("google-auth is not installed; install it beside the gateway: pip install google-auth") from None
    try:
        if account.credentials is None:
            account.credentials = _loaded(secret)
        account.credentials.refresh(request)
    except OSError as problem:
        raise _refused(f"the file that holds it cannot be read ({problem.strerror})") from None
    except ValueError:
        raise _refused("it is not the JSON of a service account, nor the path of a file with it") from None
    except exceptions.TransportError:
        raise _refused("Google's token endpoint cannot be reached") from None
    except exceptions.GoogleAuthError:
        raise _refused("Google refuses it") from None
    token, expiry = cast("tuple[str, datetime | None]", (account.credentials.token, account.credentials.expiry))
    return token, expiry.replace(tzinfo=UTC).timestamp() if expiry is not None else math.inf


def _loaded(secret: str) -> Any:
    """Service accounts, and what `gcloud auth application-default login` leaves behind. Raises OSError, ValueError."""
    account = account_of(secret)
    if account.get("type") == "authorized_user":
        return import_module("google.oauth2.credentials").Credentials.from_authorized_user_info(account, _SCOPES)
    return import_module("google.oauth2.service_account").Credentials.from_service_account_info(account, scopes=_SCOPES)


def account_of(secret: str) -> dict[str, Any]:
    """The account that a secret holds or names. Raises OSError or ValueError."""
    text = secret if secret.lstrip().startswith("{") else Path(secret).read_text(encoding="utf-8")
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError):
        raise ValueError("not a JSON object") from None


def _refused(why: str) -> UpstreamError:
    return UpstreamError(UPSTREAM_AUTH, f"A Google credential cannot be used: {why}.")


class _Response:
    """What google-auth wants to see of an answer."""

    def __init__(self, status: int, headers: Mapping[str, str], data: bytes) -> None:
        self.status = status
        self.headers = headers
        self.data = data


class _Request:
    """google-auth's transport: called in its thread, it has the event loop ask through our own client."""

    def __init__(self, transport: Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop

    def __call__(
        self,
        url: str,
        method: str = "GET",
        body: bytes | str | None = None,
        headers: Mapping[str, str] | None = None,
        **_: Any,
    ) -> _Response:
        request = _request(url, method, body.encode() if isinstance(body, str) else body or b"", headers or {})
        asked: Future[_Response] = asyncio.run_coroutine_threadsafe(self._ask(request), self._loop)
        try:
            return asked.result()
        except UpstreamError as problem:
            raise import_module("google.auth.exceptions").TransportError(problem.message) from None

    async def _ask(self, request: HttpRequest) -> _Response:
        response = await self._transport.send(request, timeouts=_TIMEOUTS, total_s=_TOTAL_S)
        try:
            data = await response.body(limit=_MAX_ANSWER)
        finally:
            response.close()
        named = {name.decode("latin-1"): value.decode("latin-1") for name, value in response.headers}
        return _Response(response.status, named, data)


def _request(url: str, method: str, body: bytes, headers: Mapping[str, str]) -> HttpRequest:
    parts = urlsplit(url)
    if parts.scheme not in _PORTS or not parts.hostname:
        raise ValueError("not an http(s) URL")
    scheme = cast("Literal['http', 'https']", parts.scheme)
    origin = Origin(scheme, parts.hostname, parts.port or _PORTS[scheme])
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    lines = [f"{method} {target} HTTP/1.1", f"host: {parts.netloc.rpartition('@')[2]}", "accept-encoding: identity"]
    lines += [f"{name}: {value}" for name, value in headers.items() if name.lower() not in _OURS]
    return HttpRequest(origin, "".join(f"{line}\r\n" for line in lines).encode("latin-1"), body, method)
