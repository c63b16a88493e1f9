"""HTTP/1.1 on one connection: httptools callbacks in, bytes out, with limits, pipelining in order and flow control.

It runs under uvicorn (or any asyncio server) in place of its HTTP protocol. What a request means is `Front`'s word,
what the clock asks of a connection `Patrol`'s. From a connection that is *deaf* no further request is read: it ends
with the answers it still owes.
"""

import asyncio
from collections import deque
from functools import partial
from typing import Any, Final, cast

import httptools

from llmgateway.apps.edge.framing import check_head, check_size, foreign_request_line, malformed, not_http
from llmgateway.apps.edge.front import Front
from llmgateway.apps.edge.inbound import Inbound
from llmgateway.apps.edge.mishap import note
from llmgateway.apps.edge.patrol import Patrol
from llmgateway.domain import errors
from llmgateway.domain.errors import GatewayError
from llmgateway.engine.errand import behind

_WRITE_HIGH: Final = 64 * 1024
_READ_PAUSE: Final = 4
_MAX_WAITING: Final = 64
_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"


class EdgeProtocol(asyncio.Protocol):
    """One client connection. `registry`: the set that the server waits for at shutdown.

    `current`: the request that is being answered. `reading`: the one of which head or body is still coming. Its head is
    `_small` if it came in one piece below the limit; `_overhead` counts the bytes of longer ones, and of framing.
    """

    __slots__ = (
        "_advancing", "_deaf", "_drain", "_front", "_length", "_overhead", "_parser", "_patrol", "_paused", "_peer",
        "_queue", "_registry", "_shutting_down", "_small", "_upgrading", "congested", "current", "last_activity_s",
        "lingering_since_s", "reading", "transport", "unsent_bytes",
    )  # fmt: skip

    def __init__(self, *, front: Front, patrol: Patrol, registry: set[Any]) -> None:
        self._front = front
        self._patrol = patrol
        self._registry = registry
        self._parser: httptools.HttpRequestParser | None = httptools.HttpRequestParser(self)
        self.reading: Inbound | None = None
        self._queue: deque[tuple[Inbound, GatewayError | None]] = deque()
        self.current: Inbound | None = None
        self._overhead = 0
        self._length: int | None = None
        self._advancing = self._deaf = self._paused = self._shutting_down = self._small = self._upgrading = False
        self._drain: asyncio.Future[None] | None = None
        self._peer: str | None = None
        self.lingering_since_s: float | None = None
        self.congested = False
        self.unsent_bytes = 0
        self.last_activity_s = 0.0
        self.transport: asyncio.Transport | None = None

    # The transport's callbacks

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport = cast("asyncio.Transport", transport)
        transport.set_write_buffer_limits(high=_WRITE_HIGH)
        peer = transport.get_extra_info("peername")
        self._peer = peer[0] if isinstance(peer, tuple) else None
        self._registry.add(self)
        self._patrol.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._registry.discard(self)
        self._patrol.discard(self)
        self._deaf = True
        self._forget_waiting()
        current, self.current = self.current, None
        if current is not None:
            current.gone = True
            self._release(current)
            if current.errand is not None:
                current.errand.cancel()
        self.resume_writing()
        self.transport = None
        self._parser = None

    def eof_received(self) -> bool:
        """A client that stops sending while it is owed an answer has left: many sockets cannot say more than that."""
        if self.current is not None and self.transport is not None:
            self.transport.abort()
        return False

    def data_received(self, data: bytes) -> None:
        parser = self._parser
        if self._deaf or parser is None:
            self._hear_nothing()
            return
        reading = self.reading
        fresh = reading is None and self.current is None and not self._queue and not self.congested
        if fresh:
            now_s = self._patrol.now_s
            inbound = self.current = self._front.recognise(data, line=self, peer=self._peer, began_s=now_s)
            if inbound is not None:
                self.last_activity_s = now_s
                inbound.close_after = self._shutting_down
                return
        had = reading.body_bytes if reading is not None else 0
        self._small = reading is None and len(data) <= self._front.limits.max_header_bytes
        try:
            parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._stay(data[upgrade.args[0] :])
        except httptools.HttpParserInvalidMethodError:
            self._refuse_method(data)
        except httptools.HttpParserCallbackError as error:
            self._refuse_in_callback(error)
        except httptools.HttpParserError as error:
            if not self._deaf:
                self._refuse(not_http(error), broken=True)
        if fresh and self.current is not None:
            self._front.remember(data, self.current)
        if reading is not None and reading is self.reading:
            self._went_on(reading, len(data) if reading.body_bytes == had else 0)

    def pause_writing(self) -> None:
        self.congested = True
        self.unsent_bytes = _WRITE_HIGH

    def resume_writing(self) -> None:
        self.congested = False
        if self._drain is not None and not self._drain.done():
            self._drain.set_result(None)
        if self._queue and self.current is None:
            self._advance()

    # The parser's callbacks

    def on_message_begin(self) -> None:
        if self._deaf or self.reading is not None:
            return
        now_s = self._patrol.now_s
        self.reading = Inbound(self, began_s=now_s)
        self._length = None
        self._overhead = 0
        if self.current is None:
            self.last_activity_s = now_s

    def on_url(self, url: bytes) -> None:
        reading = self.reading
        if reading is None or reading.request_id:
            return
        reading.path += url
        if len(reading.path) > self._front.limits.max_uri_bytes:
            raise GatewayError(errors.URI_TOO_LONG, "The request's address is too long.")

    def on_header(self, name: bytes, value: bytes) -> None:
        reading = self.reading
        if reading is None or reading.request_id:  # a trailer says nothing here
            return
        fields = reading.fields
        name = name.lower()
        if name in fields:
            reading.repeats += 1
            value = fields[name] + b", " + value
        fields[name] = value
        if len(fields) + reading.repeats > self._front.limits.max_headers:
            raise GatewayError(errors.HEADERS_TOO_LARGE, "The request has too many headers.")

    def on_headers_complete(self) -> None:
        inbound, parser = self.reading, self._parser
        if inbound is None or parser is None or inbound.request_id:
            return
        version = parser.get_http_version()
        method = inbound.method = parser.get_method()
        inbound.http10 = version == "1.0"
        inbound.head_only = method == b"HEAD"
        inbound.close_after = not parser.should_keep_alive() or inbound.http10 or self._shutting_down
        self._upgrading = parser.should_upgrade()
        inbound.path, _, inbound.query = inbound.path.partition(b"?")
        self._overhead = 0
        if not self._small:
            check_size(inbound, max_header_bytes=self._front.limits.max_header_bytes)
        self._length = check_head(inbound, version=version)
        if self._upgrading and self._length == 0:
            inbound.close_after = True
        try:
            self._front.admit(inbound, length=self._length)
        except GatewayError as error:
            self._refuse(error)
            return
        if self._length == 0:
            return
        if inbound.takes_body:
            self._expect_body(inbound)
        else:
            self.reading = None
            self._deaf = inbound.unread = inbound.close_after = True
            self._in_turn(inbound, None)

    def on_body(self, body: bytes) -> None:
        inbound, front = self.reading, self._front
        if inbound is None:
            return
        inbound.body_bytes += len(body)
        front.buffered_bytes += len(body)
        if inbound.body_bytes > front.limits.max_body_bytes:
            self._refuse(front.too_large())
        elif front.buffered_bytes > front.limits.max_buffered_bytes:
            self._refuse(front.overloaded())
        else:
            inbound.gather(body)

    def on_message_complete(self) -> None:
        inbound = self.reading
        if inbound is None or self._upgrading:
            return
        self.reading = None
        if inbound.close_after:
            self._deaf = True
        if len(self._queue) < _MAX_WAITING:
            self._in_turn(inbound, None)
        else:
            self.reading = inbound
            self._refuse(GatewayError(errors.OVERLOADED, "Too many requests wait on this connection."), broken=True)

    # What an Inbound and the Patrol need of their connection

    def put(self, data: bytes) -> None:
        if self.transport is not None:
            self.last_activity_s = self._patrol.now_s
            self.transport.write(data)

    def put_behind(self, data: bytes) -> None:
        behind(partial(self.put, data))

    async def drain(self) -> None:
        if self.congested:
            self._drain = asyncio.get_running_loop().create_future()
            await self._drain

    def answered(self, inbound: Inbound) -> None:
        """The answer is written: the next request's turn, or the end of the connection."""
        self._release(inbound)
        if inbound is not self.current:
            return
        self.current = None
        if self.transport is None:
            return
        if inbound.close_after or (self._shutting_down and not self._queue):
            behind(partial(self._leave, self.transport, unread=inbound.unread))
        elif self._queue or self.reading is not None:
            self._advance()

    def shutdown(self) -> None:
        """The server is going down: idle connections close now, busy ones after their answer."""
        self._shutting_down = True
        if self.current is not None:
            self.current.close_after = True
        elif self.transport is not None:
            self.transport.close()

    def time_out(self) -> None:
        """A request that does not come to its end."""
        self._refuse(GatewayError(errors.REQUEST_TIMEOUT, "The request did not arrive in time."), broken=True)

    # Requests in their order

    def _in_turn(self, inbound: Inbound, error: GatewayError | None) -> None:
        """Answered now, or behind what came before. Who sends many requests ahead is not read from for a while."""
        if self.current is None and not self._queue and not self.congested:
            self._serve(inbound, error)
            return
        self._queue.append((inbound, error))
        if len(self._queue) >= _READ_PAUSE and not self._paused and self.transport is not None:
            self._paused = True
            self.transport.pause_reading()

    def _serve(self, inbound: Inbound, error: GatewayError | None) -> None:
        self.current = inbound
        if error is None:
            self._front.dispatch(inbound, peer=self._peer)
        else:
            self._front.refuse(inbound, error, peer=self._peer)

    def _advance(self) -> None:
        """Answers what waits, one after the other; an answer given at once comes back here, and the loop goes on."""
        if self._advancing:
            return
        self._advancing = True
        try:
            while self._queue and self.current is None and not self.congested:
                inbound, error = self._queue.popleft()
                self._serve(inbound, error)
        finally:
            self._advancing = False
        if self._queue or self.transport is None:
            return
        if self._paused:
            self._paused = False
            self.transport.resume_reading()
        if self.reading is not None and self.current is None:
            self.reading.began_s = self._patrol.now_s
            self._expect_body(self.reading)

    def _leave(self, transport: asyncio.Transport, *, unread: bool) -> None:
        """Closing while the client still sends would reset the connection and could lose it the answer."""
        self._deaf = True
        self._forget_waiting()
        if (unread or self._paused) and transport.can_write_eof():
            self.lingering_since_s = self._patrol.now_s
            if self._paused:
                transport.resume_reading()
            transport.write_eof()
        else:
            transport.close()
        self._paused = False

    def _forget_waiting(self) -> None:
        """What was read but will not be answered: the connection ends before its turn."""
        if self.reading is not None:
            self._release(self.reading)
            self.reading = None
        for inbound, _ in self._queue:
            inbound.gone = True
            self._release(inbound)
        self._queue.clear()

    def _release(self, inbound: Inbound) -> None:
        self._front.buffered_bytes -= inbound.body_bytes
        inbound.body_bytes = 0

    def _stay(self, rest: bytes) -> None:
        """An offer to upgrade (`h2c`) is passed over: the parser has stopped, a fresh one goes on with the body."""
        self._upgrading = False
        if self._deaf:
            return
        parser = self._parser = httptools.HttpRequestParser(self)
        framing = b"transfer-encoding: chunked" if self._length is None else b"content-length: %d" % self._length
        parser.feed_data(b"POST / HTTP/1.1\r\n" + framing + b"\r\n\r\n")
        if rest:
            self.data_received(rest)

    def _expect_body(self, inbound: Inbound) -> None:
        """Tells a client that waits for it to go on, but never in the middle of another answer."""
        if inbound.expects and self.current is None and not self._queue and self.transport is not None:
            inbound.expects = False
            self.put_behind(_CONTINUE)

    def _went_on(self, reading: Inbound, overhead: int) -> None:
        """More of a request came. `overhead`: bytes that were no body, but head, chunk extensions or trailers."""
        if self.current is None:
            self.last_activity_s = self._patrol.now_s
        self._overhead += overhead
        limits = self._front.limits
        if self._overhead > limits.max_header_bytes + limits.max_uri_bytes:
            what = "framing is" if reading.request_id else "headers are"
            self._refuse(GatewayError(errors.HEADERS_TOO_LARGE, f"The request's {what} too large."), broken=True)

    def _hear_nothing(self) -> None:
        """Bytes that nobody will read: their sender has not yet seen its last answer."""
        if self.current is None:
            self.last_activity_s = self._patrol.now_s
        else:
            self.current.unread = True

    # Refusals

    def _refuse(self, error: GatewayError, *, broken: bool = False) -> None:
        """Answers the request being read, in its turn; with an unread body, or `broken`, the connection's last."""
        inbound = self.reading or Inbound(self, began_s=self._patrol.now_s)
        self.reading = None
        inbound.take_body()
        self._release(inbound)
        inbound.unread = broken or self._length != 0
        inbound.close_after = inbound.close_after or inbound.unread
        self._deaf = self._deaf or inbound.close_after
        self._in_turn(inbound, error)

    def _refuse_in_callback(self, error: httptools.HttpParserCallbackError) -> None:
        """httptools wraps what a callback raises."""
        cause = error.__context__
        if not isinstance(cause, GatewayError):
            note("reading a request", cause)
            cause = GatewayError(errors.INTERNAL, "The gateway failed.")
        self._refuse(cause, broken=True)

    def _refuse_method(self, data: bytes) -> None:
        """Methods the parser does not know end it, but deserve the answer that other wrong methods get."""
        if self._deaf:
            return
        inbound = self.reading = self.reading or Inbound(self, began_s=self._patrol.now_s)
        line = foreign_request_line(data)
        error = malformed("invalid method encountered")
        if line is not None:
            inbound.method, inbound.path = line
            try:
                self._front.admit(inbound, length=None)
            except GatewayError as refusal:
                error = refusal
        self._refuse(error, broken=True)
