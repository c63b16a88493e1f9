"""Google's errors: `{"error": {code, message, status, details}}`, alone or in an array, as an answer or inside one.

https://cloud.google.com/apis/design/errors. What the status and the words mean is the business of `read_error`; here
is what only the details tell: when to come back, and a key that is refused as a bad request.
"""

import re
from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec import Struct

from llmgateway.domain.errors import UPSTREAM_AUTH, UPSTREAM_TIMEOUT, UpstreamError
from llmgateway.domain.routing import Deployment
from llmgateway.wire.errors import in_band_error, read_error
from llmgateway.wire.spans import value_of

_KEY_REASONS: Final = frozenset(
    ("API_KEY_INVALID", "API_KEY_SERVICE_BLOCKED", "ACCESS_TOKEN_EXPIRED", "ACCOUNT_STATE_INVALID", "CONSUMER_INVALID")
)
_ACCOUNT: Final = re.compile(
    r"API key (not valid|expired)|(User )?location is not supported|Gemini API free tier is not available",
    re.IGNORECASE,
)
"""The key, or where or how its account is registered: another credential or provider may serve the same request. Only
how the words begin counts: further on they may quote the caller."""
_SECONDS: Final = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)s")
_LONGEST_S: Final = 86_400.0


class _Detail(Struct):
    reason: str | None = None
    retryDelay: str | None = None


class _Error(Struct):
    code: int | None = None
    message: str | None = None
    status: str | None = None
    details: list[_Detail] | None = None


class _Body(Struct):
    error: _Error | None = None


_BODIES: Final = msgspec.json.Decoder(list[_Body], strict=False)
_NOT_READABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def read_refusal(status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes, *, to: Deployment) -> UpstreamError:
    """What a non-2xx answer means."""
    return _refined(read_error(status, headers, body, to=to), _said(body), status, to=to)


def read_failure(span: bytes, *, to: Deployment) -> UpstreamError:
    """An error found inside a 200, by its `error` member."""
    said = _said(b'{"error":%b}' % span)
    error = in_band_error(value_of(msgspec.Raw(span)), to=to)
    return _refined(error, said, said.code or 0, to=to, status_code=200)


def _refined(
    error: UpstreamError, said: _Error, status: int, *, to: Deployment, status_code: int | None = None
) -> UpstreamError:
    details = said.details or []
    if status in (400, 403) and (
        any(detail.reason in _KEY_REASONS for detail in details) or _ACCOUNT.match(said.message or "")
    ):
        message = f"{to.provider.id} rejected the gateway's credential (status {status})."
        error = UpstreamError(UPSTREAM_AUTH, message, status_code=status if status_code is None else status_code)
    elif status == 504 and said.status == "DEADLINE_EXCEEDED":
        error = UpstreamError(UPSTREAM_TIMEOUT, error.message, status_code=error.status_code)
    if error.retry_after_s is None:
        delays = [seconds for detail in details if (seconds := _seconds(detail.retryDelay)) is not None]
        error.retry_after_s = max(delays, default=None)
    return error


def _seconds(delay: str | None) -> float | None:
    """A protobuf duration, `34.4s`."""
    found = _SECONDS.fullmatch(delay) if delay is not None else None
    return None if found is None else min(float(found[1]), _LONGEST_S)


def _said(body: bytes) -> _Error:
    body = body.removeprefix(b"\xef\xbb\xbf").strip()
    try:
        bodies = _BODIES.decode(body if body.startswith(b"[") else b"[%b]" % body)
    except _NOT_READABLE:
        return _Error()
    return next((one.error for one in bodies if one.error is not None), _Error())
