"""Turns a provider's error answer, in any of the shapes seen on real wires, into an UpstreamError.

The status decides the row; the body gives code, param and words. Words of 401 and 403 are never relayed, since
providers echo keys there; other words are cut to 1,000 characters and searched for the credential.
"""

import re
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from llmgateway.domain import errors
from llmgateway.domain.errors import ErrorKind, UpstreamError
from llmgateway.domain.routing import Deployment
from llmgateway.wire.retry_after import retry_after_s

_CONTEXT: Final = re.compile(
    r"context.{0,20}(length|window|size)|maximum.{0,20}context|too many (input )?tokens|prompt is too long|"
    r"(input|prompt|request).{0,40}(too long|too large|exceed)",
    re.IGNORECASE,
)
_POLICY: Final = re.compile(
    r"content.{0,10}(policy|filter|management)|moderation|safety|policy.violation|flagged|responsible.?ai",
    re.IGNORECASE,
)
_QUOTA: Final = re.compile(
    r"insufficient.{0,3}(quota|balance|credit|funds)|exceeded your current quota|"
    r"billing.{0,3}(hard.{0,3}limit|not.active)|(have|has) any credits|(run out of|used all).{0,15}credits|"
    r"spend(ing)?.limit|key limit exceeded",
    re.IGNORECASE,
)
_KEY: Final = re.compile(
    r"\bkeys?\b|(api|access|subscription).?key|credential|signature|authenti|unrecognized.?client|authorization header|"
    r"(access|auth|bearer|security|client|session|expired).?token|token.{0,20}(expired|revoked|invalid)",
    re.IGNORECASE,
)
"""What a 403 says that is about the key itself, whatever it was used for."""
_SCOPE: Final = re.compile(r"\b(model|deployment|resource|engine)s?\b", re.IGNORECASE)
_KEY_REFUSED: Final = re.compile(r"incorrect( |%20)api( |%20)key( |%20)provided|api key not valid", re.IGNORECASE)
"""A 400 of xAI (github.com/continuedev/continue/issues/10778) and of Google; how it begins, since a caller's words may
be quoted further on."""
_OVERLOADED: Final = re.compile(r"overload|unavailable|timeout|internal|server_error|api_error|capacity", re.IGNORECASE)
_RATE: Final = re.compile(r"rate.?limit|too many requests|resource.?exhausted|throttl", re.IGNORECASE)
_BEARER: Final = re.compile(r"(?i)(bearer\s+|(?:sk|gsk|xai|llmgw|key)[-_])[A-Za-z0-9._\-]{8,}")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]+")
_WORDS_LIMIT: Final = 1000


class _Said:
    """What an error body says: message, code, param, type and a status of its own, each if given."""

    __slots__ = ("code", "message", "param", "status", "type")

    def __init__(self) -> None:
        self.message: str | None = None
        self.code: str | None = None
        self.param: str | None = None
        self.type: str | None = None
        self.status: int | None = None


def read_error(status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes, *, to: Deployment) -> UpstreamError:
    """The error of a non-2xx answer."""
    return _error(status, _said(_decoded(body)), to=to, retry_after=retry_after_s(headers))


def in_band_error(error: Any, *, to: Deployment) -> UpstreamError:
    """The error of an object found inside a 200, or as an event of a stream; its own status counts, else 502."""
    said = _said(error)
    return _error(said.status or _status_by_words(said), said, to=to, retry_after=None, status_code=200)


def unreadable(what: str, *, to: Deployment, status_code: int = 200) -> UpstreamError:
    """An answer that could not be understood."""
    return UpstreamError(
        errors.UPSTREAM_ERROR, f"{to.provider.id} sent an answer that cannot be read: {what}.", status_code=status_code
    )


def _error(
    status: int, said: _Said, *, to: Deployment, retry_after: float | None, status_code: int | None = None
) -> UpstreamError:
    kind = _kind(status, said, to)
    return UpstreamError(
        kind,
        _message(kind, status, said, to),
        status_code=status if status_code is None else status_code,
        code=said.code or said.type if kind in (errors.UPSTREAM_REFUSED, errors.UPSTREAM_CONTENT_FILTER) else None,
        param=said.param if kind in (errors.UPSTREAM_REFUSED, errors.UPSTREAM_CONTEXT) else None,
        retry_after_s=retry_after,
        status=status if kind is errors.UPSTREAM_REFUSED else None,
    )


def _kind(status: int, said: _Said, to: Deployment) -> ErrorKind:
    words = " ".join(filter(None, (said.message, said.code, said.type)))
    if status in (401, 402, 403, 429):
        return _credential_kind(status, words, said)
    if status == 400 and _KEY_REFUSED.match(said.message or ""):
        return errors.UPSTREAM_AUTH
    if status == 408:
        return errors.UPSTREAM_TIMEOUT
    if status == errors.LOOP_DETECTED.status and said.code == errors.LOOP_DETECTED.code:
        return errors.LOOP_DETECTED
    if status == 413 or (status in (400, 422) and _CONTEXT.search(words)):
        return errors.UPSTREAM_CONTEXT
    if status in (404, 405):
        any_model = to.provider.custom and to.provider.any_model
        return errors.UPSTREAM_MODEL_NOT_FOUND if any_model and status == 404 else errors.UPSTREAM_ERROR
    if 400 <= status < 500 and status != 409:
        return errors.UPSTREAM_CONTENT_FILTER if status == 400 and _is_policy(said) else errors.UPSTREAM_REFUSED
    return errors.UPSTREAM_ERROR


def _credential_kind(status: int, words: str, said: _Said) -> ErrorKind:
    """Groq's rate limits point at its billing page, so that a code that says rate limit is believed first."""
    names_key = _KEY.search(words) is not None and _SCOPE.search(words) is None
    if status == 403 and (_is_policy(said) or (not names_key and _POLICY.search(words))):
        return errors.UPSTREAM_CONTENT_FILTER
    limited = _RATE.search(said.code or "") is not None
    if status == 402 or (status in (403, 429) and not limited and _QUOTA.search(words)):
        return errors.UPSTREAM_QUOTA
    if status == 429:
        return errors.UPSTREAM_RATE_LIMITED
    return errors.UPSTREAM_AUTH if status == 401 or names_key else errors.UPSTREAM_FORBIDDEN


def _is_policy(said: _Said) -> bool:
    return bool(_POLICY.search(said.code or "") or _POLICY.search(said.type or ""))


def _status_by_words(said: _Said) -> int:
    words = " ".join(filter(None, (said.code, said.type, said.message)))
    if _RATE.search(words):
        return 429
    if _OVERLOADED.search(words) is None and (said.type or "").startswith("invalid_request"):
        return 400
    return 502


def _message(kind: ErrorKind, status: int, said: _Said, to: Deployment) -> str:
    provider = to.provider.id
    if kind is errors.UPSTREAM_AUTH:
        return f"{provider} rejected the gateway's credential (status {status})."
    if kind is errors.UPSTREAM_FORBIDDEN:
        return f"{provider} does not let the gateway's credential use this model (status {status})."
    if kind is errors.UPSTREAM_QUOTA:
        return f"{provider} says the gateway's account is out of quota or credit (status {status})."
    if not said.message:
        return f"{provider} answered with status {status}."
    return f"{provider}: {scrubbed(said.message, secret=to.credential.secret)}"


def scrubbed(words: str, *, secret: str) -> str:
    """A provider's words, fit for a caller: no credential, no control characters, at most 1,000 characters."""
    if secret:
        words = words.replace(secret, "[redacted]")
    words = _CONTROL.sub(" ", _BEARER.sub(r"\1[redacted]", words))
    return words if len(words) <= _WORDS_LIMIT else words[: _WORDS_LIMIT - 1] + "…"


def _decoded(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body.removeprefix(b"\xef\xbb\xbf"))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _said(source: Any) -> _Said:
    said = _Said()
    if isinstance(source, list):
        source = source[0] if source else None  # pyright: ignore[reportUnknownVariableType]  # JSON of a provider
    if isinstance(source, str):
        said.message = source
    if not isinstance(source, dict):
        return said
    inner: Any = source.get("error")  # pyright: ignore[reportUnknownMemberType,reportUnknownVariableType]  # as above
    if isinstance(inner, str):
        said.message = inner
        inner = {}
    fields: dict[str, Any] = {**source, **inner} if isinstance(inner, dict) else source  # pyright: ignore[reportUnknownVariableType]  # as above
    _take(said, fields)
    return said


def _take(said: _Said, fields: dict[str, Any]) -> None:
    for name in ("message", "detail", "msg", "error_message"):
        value = fields.get(name)
        if value and said.message is None:
            said.message = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    code = fields.get("code")
    for number in (fields.get("status"), fields.get("status_code"), code):
        if isinstance(number, int | str) and str(number).isdecimal() and 400 <= int(number) <= 599:
            said.status = said.status or int(number)
    if isinstance(code, str) and not code.isdecimal():
        said.code = code[:100]
    status = fields.get("status")
    if said.code is None and isinstance(status, str):
        said.code = status[:100]
    said.type = fields["type"][:100] if isinstance(fields.get("type"), str) else None
    said.param = fields["param"][:200] if isinstance(fields.get("param"), str) else None
