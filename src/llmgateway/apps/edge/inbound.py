"""One request on a connection and the answer to it: what came in, and the bytes that go out, in HTTP's framing.

An `Inbound` is the pipeline's `Downstream`. It never reads from the socket and never decides what to answer.
"""

from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Final, Protocol

import msgspec

from llmgateway.domain.identity import ApiKey

Headers = Sequence[tuple[bytes, bytes]]

_CRUMB: Final = 4096
KEEP_ALIVE_COMMENT: Final = b": keep-alive\n\n"
_STATUS_LINES: Final = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus}
_JSON: Final = b"content-type: application/json\r\n"
EVENT_LINES: Final = (
    b"content-type: text/event-stream; charset=utf-8\r\ncache-control: no-cache\r\nx-accel-buffering: no\r\n"
)


def status_line(status: int) -> bytes:
    return _STATUS_LINES.get(status) or b"HTTP/1.1 %d Error\r\n" % status


class Cancellable(Protocol):
    """What is at work on an answer: an errand or a task."""

    def cancel(self) -> object: ...


class Line(Protocol):
    """What an answer needs of its connection."""

    @property
    def congested(self) -> bool: ...

    def put(self, data: bytes) -> None: ...

    def put_behind(self, data: bytes) -> None:
        """The same for a whole answer, which leaves with those of the same turn."""
        ...

    async def drain(self) -> None: ...

    def answered(self, inbound: "Inbound") -> None: ...


class Inbound(msgspec.Struct, eq=False):
    """A request as parsed, and its answer.

    `fields`: header values by name in lower case; those of a name that came more than once are joined by commas (RFC
    9110, section 5.3), which makes none of a header that takes one value only. `repeats`: how many were joined.
    `began_s`: the patrol's clock at its first byte. `close_after`: the connection cannot be used for another request;
    `unread`: because bytes of this one were left unread. `expects`: the client waits to be told before it sends the
    body. `takes_body`: a body is read and kept.
    """

    _line: Line
    began_s: float = 0.0
    method: bytes = b""
    path: bytes = b""
    query: bytes = b""
    fields: dict[bytes, bytes] = {}
    repeats: int = 0
    body_bytes: int = 0
    request_id: str = ""
    extra_headers: bytes = b""
    admitted: ApiKey | None = None
    errand: Cancellable | None = None
    http10: bool = False
    close_after: bool = False
    head_only: bool = False
    begun: bool = False
    done: bool = False
    gone: bool = False
    unread: bool = False
    expects: bool = False
    takes_body: bool = False
    _body: list[bytes | bytearray] = []
    _head: Callable[[], Headers] = tuple
    _streaming: bool = False
    _chunked: bool = False

    @property
    def congested(self) -> bool:
        return self._line.congested

    @property
    def streaming(self) -> bool:
        """Silence on it is to be broken by keep-alives."""
        return self._streaming and not self.done

    def gather(self, piece: bytes) -> None:
        """More of the body. One that comes in crumbs must not cost a multiple of its size."""
        pieces = self._body
        if pieces and len(piece) < _CRUMB:
            last = pieces[-1]
            if isinstance(last, bytearray):
                last += piece
            else:
                pieces.append(bytearray(piece))
        else:
            pieces.append(piece)

    def take_body(self) -> bytes:
        """The whole body, once."""
        pieces, self._body = self._body, []
        return bytes(pieces[0]) if len(pieces) == 1 else b"".join(pieces)

    def send(self, status: int, headers: Headers, body: bytes) -> None:
        """A whole JSON answer."""
        self.answer(status, _JSON + header_lines(headers), body)

    def answer(self, status: int, lines: bytes, body: bytes) -> None:
        """A whole answer of any type; `lines` of headers end with CR LF each."""
        if self.done or self.gone:
            return
        self.begun = self.done = True
        head = b"%b%bx-request-id: %b\r\n%b%bcontent-length: %d\r\n\r\n" % (
            status_line(status),
            lines,
            self.request_id.encode("ascii"),
            self.extra_headers,
            b"connection: close\r\n" if self.close_after else b"",
            len(body),
        )
        self._line.put_behind(head if self.head_only else head + body)
        self._line.answered(self)

    def stream(self, head: Callable[[], Headers]) -> None:
        self._streaming = True
        self._head = head
        self._chunked = not self.http10
        self.close_after = self.close_after or self.http10

    def write(self, data: bytes) -> None:
        if self.done or self.gone or not data:
            return
        framed = b"%x\r\n%b\r\n" % (len(data), data) if self._chunked else data
        self._line.put(framed if self.begun else self._begin() + framed)

    def end(self, data: bytes) -> None:
        if self.done or self.gone:
            return
        framed = b"%x\r\n%b\r\n0\r\n\r\n" % (len(data), data) if self._chunked else data
        begin = b"" if self.begun else self._begin()
        self.done = True
        self._line.put(begin + framed)
        self._line.answered(self)

    def abandon(self) -> None:
        """Ends an answer that cannot be completed: the client sees that it was cut."""
        if self.done or self.gone:
            return
        self.done = self.close_after = True
        self._line.answered(self)

    def keep_alive(self) -> None:
        self.write(KEEP_ALIVE_COMMENT)

    async def drain(self) -> None:
        await self._line.drain()

    def _begin(self) -> bytes:
        self.begun = True
        return b"%b%bx-request-id: %b\r\n%b%b%b%b\r\n" % (
            status_line(200),
            EVENT_LINES,
            self.request_id.encode("ascii"),
            self.extra_headers,
            header_lines(self._head()),
            b"transfer-encoding: chunked\r\n" if self._chunked else b"",
            b"connection: close\r\n" if self.close_after else b"",
        )


def header_lines(headers: Headers) -> bytes:
    if len(headers) == 1:
        return b"%b: %b\r\n" % headers[0]
    return b"".join([b"%b: %b\r\n" % pair for pair in headers])
