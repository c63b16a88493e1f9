"""The one error table, and the exceptions that carry its rows.

    Exception
    ├── GatewayError      what the caller is told: a row, a message, the offending field
    └── UpstreamError     what one attempt met; `attempt` turns the last of them into a GatewayError

A row says which status, type and code a caller sees, and whom it *blames*. `blames` alone decides what a failure
does besides: answer now (caller), bench the credential, demote the deployment, raise an alarm (gateway), or nothing.
"""

from typing import Literal

import msgspec

Blames = Literal["caller", "credential", "deployment", "gateway", "nobody"]
RoutingErrorType = Literal[
    "none",
    "network_error",
    "timeout",
    "rate_limited",
    "auth_error",
    "upstream_error",
    "content_filter",
    "client_error",
]


class ErrorKind(msgspec.Struct, frozen=True):
    """One row. `retryable`: another deployment may succeed where this one failed.

    `should_retry` is what the `x-should-retry` header tells SDKs: None leaves the header out.
    `routing` is the `error_type` of an attempt that ended so.
    """

    name: str
    status: int
    type: str
    code: str
    blames: Blames = "caller"
    retryable: bool = False
    should_retry: bool | None = None
    routing: RoutingErrorType = "client_error"


_INVALID = "invalid_request_error"

INVALID_JSON = ErrorKind("invalid_json", 400, _INVALID, "invalid_json")
INVALID_VALUE = ErrorKind("invalid_value", 400, _INVALID, "invalid_value")
MISSING_PARAMETER = ErrorKind("missing_parameter", 400, _INVALID, "missing_required_parameter")
UNSUPPORTED_PARAMETER = ErrorKind("unsupported_parameter", 400, _INVALID, "unsupported_parameter")
CONTEXT_LENGTH = ErrorKind("context_length", 400, _INVALID, "context_length_exceeded")
NO_PROVIDER = ErrorKind("no_provider", 400, _INVALID, "no_provider_available")
BAD_REQUEST = ErrorKind("bad_request", 400, _INVALID, "bad_request")
INVALID_API_KEY = ErrorKind("invalid_api_key", 401, "authentication_error", "invalid_api_key")
INSUFFICIENT_CREDITS = ErrorKind("insufficient_credits", 402, "billing_error", "insufficient_credits")
BUDGET_EXCEEDED = ErrorKind("budget_exceeded", 402, "billing_error", "budget_exceeded")
MODEL_NOT_ALLOWED = ErrorKind("model_not_allowed", 403, "permission_error", "model_not_allowed")
PROVIDER_NOT_ALLOWED = ErrorKind("provider_not_allowed", 403, "permission_error", "provider_not_allowed")
IP_NOT_ALLOWED = ErrorKind("ip_not_allowed", 403, "permission_error", "ip_not_allowed")
PROJECT_NOT_VERIFIED = ErrorKind("project_not_verified", 403, "permission_error", "project_not_verified")
NOT_FOUND = ErrorKind("not_found", 404, _INVALID, "not_found")
MODEL_NOT_FOUND = ErrorKind("model_not_found", 404, _INVALID, "model_not_found")
METHOD_NOT_ALLOWED = ErrorKind("method_not_allowed", 405, _INVALID, "method_not_allowed")
REQUEST_TIMEOUT = ErrorKind("request_timeout", 408, _INVALID, "request_timeout")
MODEL_DEACTIVATED = ErrorKind("model_deactivated", 410, _INVALID, "model_deactivated")
REQUEST_TOO_LARGE = ErrorKind("request_too_large", 413, _INVALID, "request_too_large")
URI_TOO_LONG = ErrorKind("uri_too_long", 414, _INVALID, "uri_too_long")
UNSUPPORTED_MEDIA = ErrorKind("unsupported_media", 415, _INVALID, "unsupported_media_type")
RATE_LIMITED = ErrorKind("rate_limited", 429, "rate_limit_error", "rate_limit_exceeded", should_retry=True)
HEADERS_TOO_LARGE = ErrorKind("headers_too_large", 431, _INVALID, "headers_too_large")
CANCELLED = ErrorKind("cancelled", 499, _INVALID, "request_cancelled", blames="nobody")
INTERNAL = ErrorKind("internal", 500, "server_error", "internal_error", blames="gateway")
NOT_IMPLEMENTED = ErrorKind("not_implemented", 501, _INVALID, "not_implemented")
HTTP_VERSION = ErrorKind("http_version", 505, _INVALID, "http_version_not_supported")
OVERLOADED = ErrorKind("overloaded", 503, "overloaded_error", "overloaded", blames="gateway", should_retry=True)
LOOP_DETECTED = ErrorKind("loop_detected", 508, _INVALID, "loop_detected")

UPSTREAM_REFUSED = ErrorKind("upstream_refused", 400, _INVALID, "upstream_refused")
UPSTREAM_CONTENT_FILTER = ErrorKind(
    "upstream_content_filter", 400, _INVALID, "content_filter", routing="content_filter"
)
UPSTREAM_CONTEXT = ErrorKind("upstream_context", 400, _INVALID, "context_length_exceeded", retryable=True)
UPSTREAM_MODEL_NOT_FOUND = ErrorKind("upstream_model_not_found", 404, _INVALID, "model_not_found")
UPSTREAM_RATE_LIMITED = ErrorKind(
    "upstream_rate_limited",
    429,
    "rate_limit_error",
    "upstream_rate_limited",
    blames="credential",
    retryable=True,
    should_retry=False,
    routing="rate_limited",
)
UPSTREAM_AUTH = ErrorKind(
    "upstream_auth",
    502,
    "upstream_error",
    "upstream_auth_error",
    blames="credential",
    retryable=True,
    should_retry=False,
    routing="auth_error",
)
UPSTREAM_QUOTA = ErrorKind(
    "upstream_quota",
    502,
    "upstream_error",
    "upstream_auth_error",
    blames="credential",
    retryable=True,
    should_retry=False,
    routing="auth_error",
)
UPSTREAM_FORBIDDEN = ErrorKind(
    "upstream_forbidden",
    502,
    "upstream_error",
    "upstream_auth_error",
    blames="credential",
    retryable=True,
    should_retry=False,
    routing="auth_error",
)
UPSTREAM_ERROR = ErrorKind(
    "upstream_error",
    502,
    "upstream_error",
    "upstream_error",
    blames="deployment",
    retryable=True,
    should_retry=False,
    routing="upstream_error",
)
UPSTREAM_UNREACHABLE = ErrorKind(
    "upstream_unreachable",
    502,
    "upstream_error",
    "upstream_unreachable",
    blames="deployment",
    retryable=True,
    should_retry=False,
    routing="network_error",
)
UPSTREAM_TIMEOUT = ErrorKind(
    "upstream_timeout",
    504,
    "timeout_error",
    "upstream_timeout",
    blames="deployment",
    retryable=True,
    should_retry=False,
    routing="timeout",
)
STREAM_TRUNCATED = ErrorKind(
    "stream_truncated",
    502,
    "upstream_error",
    "stream_truncated",
    blames="deployment",
    retryable=True,
    should_retry=False,
    routing="upstream_error",
)

TABLE: tuple[ErrorKind, ...] = tuple(kind for kind in list(globals().values()) if isinstance(kind, ErrorKind))
"""Every row: our own by status, then those of failed attempts; docs/errors.md is tested against it."""


class GatewayError(Exception):
    """What the caller is told.

    `param` is the JSON path of the offending field (`messages[2].content[0].type`); `retry_after_s` becomes the
    `retry-after` header; `status` and `code` replace the row's where a provider's own are passed on.
    """

    def __init__(
        self,
        kind: ErrorKind,
        message: str,
        *,
        param: str | None = None,
        retry_after_s: float | None = None,
        status: int | None = None,
        code: str | None = None,
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.param = param
        self.retry_after_s = retry_after_s
        self.status = status or kind.status
        self.code = code or kind.code


class UpstreamError(Exception):
    """How one attempt failed.

    `status_code` is the provider's HTTP status (0 = no HTTP answer); `message` is fit for a caller: a provider's own
    words only where the row allows it, never a credential; `status`, `code` and `param` are the provider's, for its
    own 4xx, and replace the row's.
    """

    def __init__(
        self,
        kind: ErrorKind,
        message: str,
        *,
        status_code: int = 0,
        status: int | None = None,
        code: str | None = None,
        param: str | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.status_code = status_code
        self.status = status
        self.code = code
        self.param = param
        self.retry_after_s = retry_after_s
