"""What an answer's head says about its framing, and which heads are refused. Pure; llhttp has checked the syntax.

llhttp (through httptools) already refuses bare CR and LF, folded and malformed headers, repeated or malformed
content-lengths, and content-length beside transfer-encoding; what it lets pass is judged here (RFC 9112 section 6).
"""

import math
from collections.abc import Callable, Sequence

from llmgateway.infra.transport.failures import UnreadableError

Headers = Sequence[tuple[bytes, bytes]]

_BODILESS = frozenset({204, 304})


def ends_at_close(status: int, *, headers: Headers, keeps: bool, version: Callable[[], str]) -> bool:
    """Whether the body ends with the connection. Raises UnreadableError where the head cannot be trusted.

    `keeps`: the connection stays open after this answer. `version` is called only where the answer depends on it.
    """
    values = dict(headers)
    if b"content-encoding" in values and not _only(b"content-encoding", headers=headers, allowed=(b"", b"identity")):
        reason = "is compressed (content-encoding), though identity was asked for"
        raise UnreadableError(reason, status_code=status)
    chunked = b"transfer-encoding" in values
    if chunked and not _only(b"transfer-encoding", headers=headers, allowed=(b"chunked",)):
        raise UnreadableError("has a transfer-encoding other than chunked", status_code=status)
    if (chunked or not keeps) and version() not in ("1.1", "1.0"):
        raise UnreadableError("is not HTTP/1.1", status_code=status)
    return not chunked and b"content-length" not in values and status not in _BODILESS


def keep_s(headers: Headers) -> float:
    """Seconds the peer keeps an idle connection, less one against the race with its closing; infinite if unsaid."""
    for name, value in headers:
        if name == b"keep-alive":
            for part in value.split(b","):
                key, _, seconds = part.strip().partition(b"=")
                if key.lower() == b"timeout" and seconds.isdigit():
                    return max(int(seconds[:9]) - 1, 0.5)
    return math.inf


def announced_bytes(headers: Headers) -> int:
    """The content-length, 0 where there is none."""
    return next((int(value) for name, value in headers if name == b"content-length"), 0)


def head_bytes(headers: Headers) -> int:
    """What the headers took on the wire."""
    return sum(len(name) + len(value) + 4 for name, value in headers)


def _only(name: bytes, *, headers: Headers, allowed: tuple[bytes, ...]) -> bool:
    values = [value.strip().lower() for key, value in headers if key == name]
    return len(values) == 1 and values[0] in allowed
