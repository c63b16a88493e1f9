"""What an error of this protocol means: its class names have a status each, whether they come with it or in a stream.

The rows: platform.claude.com/docs/en/api/errors. Vertex and Azure wrap errors their own way, which the common reader
knows.
"""

import re
from collections.abc import Sequence
from typing import Any, Final, cast

from llmgateway.domain import errors
from llmgateway.domain.errors import UpstreamError
from llmgateway.domain.routing import Deployment
from llmgateway.wire.errors import in_band_error, read_error

_STATUSES: Final = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}
_UNPAID: Final = re.compile(rb"(your )?credit balance is too low", re.IGNORECASE)
_UNPAID_BODY: Final = re.compile(rb'"message"\s*:\s*"(your )?credit balance is too low', re.IGNORECASE)
"""How the words begin: further on they may quote the caller, who must not be able to set a credential aside."""
_FILTERED: Final = re.compile(rb"blocked by content filtering", re.IGNORECASE)


def http_error(status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes, *, to: Deployment) -> UpstreamError:
    """The error of a non-2xx answer. An account without credit, and an answer that was filtered, come as plain 400s."""
    error = read_error(402 if status == 400 and _UNPAID_BODY.search(body) else status, headers, body, to=to)
    error.status_code = status
    return _filtered(error) if status == 400 and _FILTERED.search(body) else error


def told_error(source: Any, *, to: Deployment) -> UpstreamError:
    """The error of an `error` event, or of an object with an `error` inside a 200."""
    error = cast("dict[str, Any]", source) if isinstance(source, dict) else {"message": source}
    kind = error.get("type")
    status = _STATUSES.get(kind) if isinstance(kind, str) else None
    if status is not None:
        error = {**error, "status": status}
    words = str(error.get("message")).encode("utf-8", "replace")
    if _UNPAID.match(words):
        error = {**error, "status": 402}
    failure = in_band_error(error, to=to)
    return _filtered(failure) if _FILTERED.search(words) else failure


def _filtered(error: UpstreamError) -> UpstreamError:
    error.kind, error.status = errors.UPSTREAM_CONTENT_FILTER, None
    return error
