"""One HTTP/1.1 connection: writes a request, parses its answer strictly, keeps its deadlines, and says when it is free.

Knows nothing of pools, names or addresses: an `Owner` is told when the connection is free and when it is gone, and
calls `expire` when its deadline has passed.
"""

import asyncio
import math
from functools import partial
from typing import Protocol, cast

import httptools

from llmgateway.domain.errors import UpstreamError
from llmgateway.domain.routing import HttpRequest, Timeouts
from llmgateway.engine.errand import behind
from llmgateway.infra.transport.exchange import Exchange
from llmgateway.infra.transport.failures import UnreadableError, timed_out, unreachable, unreadable
from llmgateway.infra.transport.head import announced_bytes, ends_at_close, head_bytes, keep_s
from llmgateway.infra.transport.limits import TransportLimits

_JOINED_BYTES = 64 * 1024
"""Bodies up to this size are written together with their head; copying them is cheaper than a second buffer."""


class Owner(Protocol):
    """Who a connection reports to."""

    def freed(self, connection: "Connection", *, keep_s: float) -> None:
        """Its answer has ended and it can carry another request, if that comes within `keep_s` seconds."""
        ...

    def lost(self, connection: "Connection") -> None:
        """It is closed for good."""
        ...

    def failed(self, error: UpstreamError) -> None:
        """An answer ended badly."""
        ...


class Connection(asyncio.Protocol):
    """`deadline`: when `expire` wants to be called (loop time). `served`: answers it has carried to their end."""

    __slots__ = (
        "_chunks",
        "_complete",
        "_exchange",
        "_framing_bytes",
        "_head_at",
        "_headers",
        "_heard_at",
        "_idle_s",
        "_interim",
        "_keep_s",
        "_limits",
        "_loop",
        "_method",
        "_now",
        "_owner",
        "_parser",
        "_paused",
        "_peer",
        "_released",
        "_reusable",
        "_total_at",
        "_transport",
        "_unread_bytes",
        "_until_close",
        "closed",
        "deadline",
        "on_body",
        "served",
    )

    def __init__(self, *, owner: Owner, peer: str, limits: TransportLimits) -> None:
        self._owner = owner
        self._peer = peer
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._now = self._loop.time
        self._transport: asyncio.Transport | None = None
        self._chunks: list[bytes] = []
        self.on_body = self._chunks.append  # the parser calls this for every piece of a body
        self._parser: httptools.HttpResponseParser | None = httptools.HttpResponseParser(self)
        self._exchange: Exchange | None = None
        self._headers: list[tuple[bytes, bytes]] = []
        self._complete = self._interim = self._until_close = False
        self._reusable = self._paused = self._released = False
        self._method = ""
        self.served = self._framing_bytes = self._unread_bytes = 0
        self._head_at = self._heard_at = self._total_at = self._idle_s = 0.0
        self.deadline = self._keep_s = math.inf
        self.closed = False

    # --- what the owner calls ---------------------------------------------------------------------------------------

    def begin(self, request: HttpRequest, *, timeouts: Timeouts, now: float, total_at: float) -> Exchange:
        """Sends a request. Its answer's fate is told by the Exchange, also when the connection is closed already.

        `now` and `total_at`, when everything must be over, are loop times.
        """
        exchange = Exchange(self, peer=self._peer)
        transport = self._transport
        self._exchange = exchange
        if self.closed or transport is None:
            self._lose(None)
            return exchange
        self._complete = self._released = False
        self._framing_bytes = self._unread_bytes = 0
        self._heard_at = 0.0
        if self._headers:
            self._headers = []  # the trailers of the last answer
        self._method = request.method
        self._idle_s = timeouts.idle
        self._total_at = total_at
        self._head_at = head_at = now + timeouts.first_byte
        self.deadline = head_at if head_at < total_at else total_at  # noqa: FURB136 - min() costs three times as much
        behind(partial(transport.writelines, _pieces(request)))
        return exchange

    def expire(self, now: float) -> None:
        """The deadline has passed: fail the answer, close an idle connection, or set the next deadline."""
        exchange = self._exchange
        if exchange is None or self._released:
            self.discard()
        elif now >= self._total_at:
            self._fail(timed_out(self._peer, "total", status_code=exchange.status))
        elif not exchange.status:
            self._fail(timed_out(self._peer, "first byte"))
        elif self._paused:
            self.deadline = min(now + self._idle_s, self._total_at)
        elif now >= self._heard_at + self._idle_s:
            self._fail(timed_out(self._peer, "idle", status_code=exchange.status))
        else:
            self.deadline = min(self._heard_at + self._idle_s, self._total_at)

    def discard(self) -> None:
        """Closes the connection at once; an answer still arriving ends with an error."""
        if self._exchange is not None:
            self.abandon(unreachable(self._peer, "was left: the transport is closing"))
            return
        if not self.closed:
            self.closed = True
            self._owner.lost(self)
        if self._transport is not None:
            self._transport.abort()

    # --- what the exchange calls ------------------------------------------------------------------------------------

    def take(self) -> bytes:
        """What has arrived and was not taken yet."""
        chunks = self._chunks
        if not chunks:
            return b""
        data = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        chunks.clear()
        self._unread_bytes = 0
        if self._paused:
            self._resume()
        return data

    def collect(self) -> None:
        """The body is wanted whole: from now on its limit bounds it, not the reader's pace."""
        exchange = self._exchange
        if exchange is None or exchange.limit is None:
            return
        if announced_bytes(exchange.headers) > exchange.limit:
            self._fail(unreadable(self._peer, f"is larger than {exchange.limit} bytes", status_code=exchange.status))
            return
        if self._paused:
            self._resume()
        self._bound(exchange, limit=exchange.limit)

    def bear(self, idle_s: float) -> None:
        """Another patience with silence, from now on."""
        if idle_s != self._idle_s:
            self._idle_s = idle_s
            self.deadline = min(self._now() + idle_s, self._total_at)

    def release(self) -> None:
        """Whatever still comes is dropped; soon the answer has ended or the connection is closed."""
        self._released = True
        self._unread_bytes = 0
        self._chunks.clear()
        self.deadline = self._now() + self._limits.release_s
        if self._paused:
            self._resume()

    def abandon(self, error: UpstreamError) -> None:
        """The reader has left: closes the connection at once."""
        exchange, self._exchange = self._exchange, None
        self._chunks.clear()
        if exchange is not None:
            exchange.connection = None
            exchange.error = error
        self.discard()
        if exchange is not None:
            exchange.wake()

    # --- what the socket calls --------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        if self.closed:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        exchange, parser = self._exchange, self._parser
        if exchange is None or parser is None:
            self.discard()  # bytes nobody asked for
            return
        self._framing_bytes += len(data)
        try:
            parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._reusable = False
            if not self._complete:
                self._refuse(error, exchange=exchange)
                return
        if self._complete:
            self._finish(exchange)
            return
        self._heard_at = self._now()
        if self._head_at and exchange.status:
            self._head_at = 0.0
            self.deadline = min(self._heard_at + self._idle_s, self._total_at)
        if self._chunks:
            self._framing_bytes = 0
            self._unread_bytes += len(data)
            self._arrived(exchange)
        elif self._framing_bytes > self._limits.head_bytes:
            self._fail(unreadable(self._peer, self._oversized(), status_code=exchange.status))
        elif exchange.status and exchange.limit is None:
            exchange.wake()

    def eof_received(self) -> None:
        exchange = self._exchange
        if exchange is not None and exchange.status and self._until_close:
            self._reusable = False
            self._finish(exchange)
        else:
            self._lose(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self._lose(exc)
        self._transport = self._parser = None  # the parser holds this in turn: a circle

    # --- what the parser calls (and on_body) ------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        if self._complete:
            raise UnreadableError("is followed by another")

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        exchange, parser = self._exchange, self._parser
        if exchange is None or parser is None:
            return
        status = parser.get_status_code()
        headers, self._headers = self._headers, []
        if len(headers) > self._limits.header_count:
            raise UnreadableError(f"has more than {self._limits.header_count} headers", status_code=status)
        if self._framing_bytes > self._limits.head_bytes and head_bytes(headers) > self._limits.head_bytes:
            raise UnreadableError(self._oversized(), status_code=status)
        if status < 200:
            if status < 100 or status == 101:
                raise UnreadableError("switches protocols or has no valid status", status_code=status)
            self._interim = True
            return
        self._interim = False
        keeps = parser.should_keep_alive()
        self._until_close = ends_at_close(status, headers=headers, keeps=keeps, version=parser.get_http_version)
        self._reusable = keeps and not self._until_close
        exchange.headers = headers
        exchange.status = status
        if self._method == "HEAD":
            self._complete = True
            raise UnreadableError("has no body")  # stops the parser, which would wait for one

    def on_message_complete(self) -> None:
        self._complete = not self._interim

    # --- within -----------------------------------------------------------------------------------------------------

    def _arrived(self, exchange: Exchange) -> None:
        """Body bytes are here and the answer goes on: wake its reader, or see that they do not pile up."""
        if self._released:
            self._chunks.clear()
            if self._unread_bytes > self._limits.release_bytes:
                self.discard()
        elif exchange.limit is not None:
            if self._unread_bytes > exchange.limit:
                self._bound(exchange, limit=exchange.limit)
        elif exchange.step is not None:
            exchange.pass_on(self.take())
        elif exchange.waiter is not None:
            exchange.wake()
        elif self._unread_bytes > self._limits.unread_bytes and not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()

    def _bound(self, exchange: Exchange, *, limit: int) -> None:
        """`_unread_bytes` counts chunk framing too: count again exactly, and fail beyond the limit."""
        self._unread_bytes = sum(map(len, self._chunks))
        if self._unread_bytes > limit:
            self._fail(unreadable(self._peer, f"is larger than {limit} bytes", status_code=exchange.status))

    def _oversized(self) -> str:
        return f"has more than {self._limits.head_bytes} bytes of headers or chunk framing"

    def _resume(self) -> None:
        self._paused = False
        self._heard_at = self._now()
        if self._transport is not None and not self.closed:
            self._transport.resume_reading()

    def _finish(self, exchange: Exchange) -> None:
        """The answer has ended well."""
        self._exchange = None
        self.served += 1
        exchange.connection = None
        chunks = self._chunks
        if chunks:
            if not self._released:
                exchange.rest = chunks[0] if len(chunks) == 1 else b"".join(chunks)
            chunks.clear()
        if self._reusable and self._transport is not None and not self._transport.get_write_buffer_size():
            if self._paused:
                self._resume()
            if self.served == 1:
                self._keep_s = keep_s(exchange.headers)
            self._owner.freed(self, keep_s=self._keep_s)
        else:
            self.discard()
        exchange.wake()

    def _fail(self, error: UpstreamError) -> None:
        """The answer has ended badly; what had arrived can still be read before the error is."""
        rest = b"".join(self._chunks)
        exchange = self._exchange
        if exchange is not None:
            exchange.rest = rest
        self._owner.failed(error)
        self.abandon(error)

    def _refuse(self, error: Exception, *, exchange: Exchange) -> None:
        cause = error.__context__
        if isinstance(cause, UnreadableError):
            self._fail(unreadable(self._peer, str(cause), status_code=cause.status_code or exchange.status))
        else:
            self._fail(unreadable(self._peer, f"is not valid HTTP/1.1 ({error})", status_code=exchange.status))

    def _lose(self, exc: Exception | None) -> None:
        """The peer has closed or reset the connection."""
        exchange = self._exchange
        if exchange is None:
            self.discard()
            return
        exchange.stale = self.served > 0 and not self._heard_at
        verb = "reset" if isinstance(exc, ConnectionResetError) else "closed"
        if exchange.status:
            reason = f"{verb} the connection before its answer had ended (ended early)"
        elif self._heard_at:
            reason = f"{verb} the connection within the head of its answer"
        else:
            reason = f"{verb} the connection without answering"
        error = unreachable(self._peer, reason, status_code=exchange.status)
        if exchange.stale:
            self.abandon(error)
        else:
            self._fail(error)


def _pieces(request: HttpRequest) -> tuple[bytes, ...]:
    """The request as it goes out; a small body in one piece with its head, since a second buffer costs more."""
    body = request.body
    if not body and request.method in {"GET", "HEAD"}:
        return (request.head + b"\r\n",)
    if len(body) <= _JOINED_BYTES:
        return (b"%bcontent-length: %d\r\n\r\n%b" % (request.head, len(body), body),)
    return b"%bcontent-length: %d\r\n\r\n" % (request.head, len(body)), body
