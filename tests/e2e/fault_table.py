"""What becomes of each fault of the simulator behind a gateway, written by hand.

A row: the fault, then how a whole and how a streamed request ends. `OK` is a complete answer. A failure says status,
type and code as the client sees them, and the attempt's `error_type`, as metadata.routing and its row have it.
"""

from typing import Final, NamedTuple


class End(NamedTuple):
    """How a request ends. `upstream`: the attempt's status code. `begun`: content had been relayed, so that the client
    gets a 200 and an error event. `retry_after`: as the header says. `param`: as the error says.
    """

    status: int = 200
    type: str | None = None
    code: str | None = None
    attempt: str = "none"
    upstream: int = 200
    begun: bool = False
    retry_after: int | None = None
    param: str | None = None
    outcome: str = "completed"
    usage: str = "reported"

    def after_start(self) -> "End":
        return self._replace(begun=True, usage="estimated")

    def answered(self, upstream: int) -> "End":
        return self._replace(upstream=upstream)

    @property
    def should_retry(self) -> str | None:
        """The x-should-retry header: a provider's failure says no, unless it is known when to come back."""
        blamed = self.type in ("upstream_error", "timeout_error", "rate_limit_error")
        return "false" if blamed and self.retry_after is None else None


def _caller(status: int, code: str, upstream: int, *, attempt: str = "client_error", param: str | None = None) -> End:
    return End(status, "invalid_request_error", code, attempt, upstream, param=param, outcome="client_error")


def _provider(code: str, attempt: str, upstream: int = 200, *, status: int = 502, kind: str = "upstream_error") -> End:
    return End(status, kind, code, attempt, upstream, outcome="upstream_error")


OK: Final = End()
TOOLS: Final = End(outcome="tool_calls")
ESTIMATED: Final = End(usage="estimated")
BAD: Final = _provider("upstream_error", "upstream_error")
LOST: Final = _provider("upstream_unreachable", "network_error", 0)
SILENT: Final = _provider("upstream_timeout", "timeout", 0, status=504, kind="timeout_error")
TRUNCATED: Final = _provider("stream_truncated", "upstream_error")
DENIED: Final = _provider("upstream_auth_error", "auth_error", 401)
LIMITED: Final = _provider("upstream_rate_limited", "rate_limited", 429, status=429, kind="rate_limit_error")
LATER: Final = LIMITED._replace(retry_after=2)
REFUSED: Final = _caller(400, "invalid_value", 400, param="messages")
TOO_LONG: Final = _caller(400, "context_length_exceeded", 400, param="messages")

FAULTS: Final[dict[str, tuple[End, ...]]] = {
    # Connections
    "connect-refused": (LOST, LOST),
    "reset": (LOST, LOST),
    "reset-mid": (LOST.answered(200), LOST.answered(200).after_start()),
    "stall-headers": (SILENT, SILENT),
    "stall-mid": (SILENT.answered(200), SILENT.answered(200).after_start()),
    "cut": (LOST.answered(200), LOST.answered(200).after_start()),
    "slow-body": (OK, OK),
    "content-length-long": (LOST.answered(200), OK),
    "content-length-short": (BAD, ESTIMATED),
    # Bytes
    "gzip": (BAD, BAD),
    "gzip-unannounced": (BAD, BAD),
    "wrong-content-type": (OK, OK),
    "byte-split": (OK, OK),
    "utf8-split": (OK, OK),
    "huge-chunk": (OK, OK),
    "huge-event": (OK, OK),
    "crlf": (OK, OK),
    "bom": (OK, OK),
    "bad-crc": (OK, OK),
    "comments": (OK, OK),
    "multi-line-data": (OK, OK),
    "no-last-blank-line": (OK, OK),
    "leading-space": (OK, OK),
    "malformed-json": (BAD, BAD.after_start()),
    "empty-body": (BAD, BAD),
    # Error answers
    "400": (REFUSED, REFUSED),
    "400-context": (TOO_LONG, TOO_LONG),
    "400-content-filter": (_caller(400, "content_filter", 400, attempt="content_filter"),) * 2,
    "400-array": (REFUSED, REFUSED),
    "401": (DENIED, DENIED),
    "402": (DENIED.answered(402), DENIED.answered(402)),
    "403": (DENIED.answered(403), DENIED.answered(403)),
    "404": (_caller(404, "model_not_found", 404),) * 2,
    "408": (SILENT.answered(408), SILENT.answered(408)),
    "409": (BAD.answered(409), BAD.answered(409)),
    "413-context": (TOO_LONG.answered(413), TOO_LONG.answered(413)),
    "429": (LIMITED, LIMITED),
    "429-seconds": (LATER, LATER),
    "429-date": (LATER, LATER),
    "429-ms": (LATER, LATER),
    "429-quota": (DENIED.answered(429), DENIED.answered(429)),
    "500": (BAD.answered(500), BAD.answered(500)),
    "503": (BAD.answered(503), BAD.answered(503)),
    "529": (BAD.answered(529), BAD.answered(529)),
    "html-502": (BAD.answered(502), BAD.answered(502)),
    "key-echo": (DENIED, DENIED),
    "key-echo-400": (_caller(400, "invalid_value", 400),) * 2,
    "key-echo-500": (BAD.answered(500), BAD.answered(500)),
    # Answers
    "error-in-200": (BAD, BAD),
    "error-event": (BAD, BAD.after_start()),
    "key-echo-event": (BAD, BAD.after_start()),
    "no-finish": (OK, TRUNCATED.after_start()._replace(usage="reported")),
    "no-done": (OK, OK),
    "empty-choices": (BAD, BAD),
    "empty-message": (BAD, BAD),
    "json-array": (BAD, BAD),
    "no-usage": (ESTIMATED, ESTIMATED),
    "role-every-chunk": (OK, OK),
    "usage-every-chunk": (OK, OK),
    "changing-id": (OK, OK),
    "duplicate-finish": (OK, OK),
    "content-parts": (OK, OK),
    "tool-no-index": (TOOLS, TOOLS),
    "tool-no-id": (TOOLS, TOOLS),
    "tool-repeated": (TOOLS, TOOLS),
    "tool-object-arguments": (TOOLS, TOOLS),
    "tool-empty-arguments": (TOOLS, TOOLS),
    "tool-invalid-arguments": (TOOLS, TOOLS),
    "tool-interleaved": (TOOLS, TOOLS),
    "tool-finish-stop": (TOOLS, TOOLS),
}
"""By fault: how a whole request ends, how a streamed one."""

INSIDE: Final[dict[str, tuple[End, End]]] = {"404": (BAD.answered(404), BAD.answered(404))}
"""What differs for the simulator inside the gateway, whose models are listed: only a provider that takes any name can
blame the caller for one."""
