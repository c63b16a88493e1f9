"""HTTP/1.1 on one connection: httptools callbacks in, bytes out, with limits, pipelining in order and flow control.

It runs under uvicorn (or any asyncio server) in place of its HTTP protocol. What a request means is `Front`'s word.
"""

import asyncio
import re
from collections import deque
from typing import Any, Final, cast

import httptools

from llmgateway.apps.edge.front import Front
from llmgateway.apps.edge.inbound import Inbound
from llmgateway.apps.edge.patrol import Patrol
from llmgateway.domain import errors
from llmgateway.domain.errors import ErrorKind, GatewayError

_REQUEST_LINE: Final = re.compile(rb"([!-~]{1,64}) (/[!-~]*|\*) HTTP/1\.[01]\r?\n")
_WRITE_HIGH: Final = 64 * 1024
_READ_PAUSE: Final = 4
_VERSIONS: Final = frozenset(("1.0", "1.1"))


class EdgeProtocol(asyncio.Protocol):
    """One client connection. `registry`: the set that the server waits for at shutdown."""

    __slots__ = (
        "_current", "_drain", "_front", "_head_bytes", "_length", "_lingering", "_parser", "_patrol", "_paused", "_peer", "_queue",
        "_reading", "_registry", "_shutting_down", "congested", "last_activity_s", "transport",
    )  # fmt: skip

    def __init__(self, *, front: Front, patrol: Patrol, registry: set[Any]) -> None:
        self._front = front
        self._patrol = patrol
        self._registry = registry
        self._parser = httptools.HttpRequestParser(self)
        self._reading: Inbound | None = None
        self._queue: deque[tuple[Inbound, GatewayError | None]] = deque()
        self._current: Inbound | None = None
        self._head_bytes = 0
        self._length: int | None = None
        self._paused = False
        self._drain: asyncio.Future[None] | None = None
        self._peer: str | None = None
        self._shutting_down = False
        self._lingering = False
        self.congested = False
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
        if self._reading is not None:
            self._front.buffered_bytes -= self._reading.body_bytes
            self._reading = None
        for inbound in (self._current, *(queued for queued, _ in self._queue)):
            if inbound is not None:
                inbound.gone = True
                self._front.buffered_bytes -= inbound.body_bytes
                inbound.body_bytes = 0
                if inbound.task is not None:
                    inbound.task.cancel()
        self._queue.clear()
        self.resume_writing()
        self.transport = None

    @property
    def lingering(self) -> bool:
        """Answered, and waiting for the client to notice: what still comes in is thrown away."""
        return self._lingering

    def eof_received(self) -> bool:
        """A client that stops sending while it is owed an answer has left: many sockets cannot say more than that."""
        return False

    def data_received(self, data: bytes) -> None:
        if self.transport is None or self._lingering or self.transport.is_closing():
            return
        self.last_activity_s = self._patrol.now_s
        if self._reading is None or not self._reading.request_id:
            self._head_bytes += len(data)
            limits = self._front.limits
            if self._head_bytes > limits.max_header_bytes + limits.max_uri_bytes and not self._head_is_complete(data):
                self._refuse_bytes(errors.HEADERS_TOO_LARGE, "The request's headers are too large.")
                return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._refuse_bytes(errors.NOT_IMPLEMENTED, "Upgrades and CONNECT are not supported.")
        except httptools.HttpParserInvalidMethodError:
            self._refuse_method(data)
        except httptools.HttpParserCallbackError as error:
            self._refuse_in_callback(error)
        except httptools.HttpParserError as error:
            self._refuse_bytes(errors.BAD_REQUEST, f"The request is not well-formed HTTP: {error}.")

    def pause_writing(self) -> None:
        self.congested = True

    def resume_writing(self) -> None:
        self.congested = False
        if self._drain is not None and not self._drain.done():
            self._drain.set_result(None)

    # The parser's callbacks

    def on_message_begin(self) -> None:
        self._reading = Inbound(self)
        self._length = None
        self.last_activity_s = self._patrol.now_s

    def on_url(self, url: bytes) -> None:
        reading = self._now_reading()
        reading.path += url
        if len(reading.path) > self._front.limits.max_uri_bytes:
            raise GatewayError(errors.URI_TOO_LONG, "The request's address is too long.")

    def on_header(self, name: bytes, value: bytes) -> None:
        headers = self._now_reading().headers
        if len(headers) >= self._front.limits.max_headers:
            raise GatewayError(errors.HEADERS_TOO_LARGE, "The request has too many headers.")
        headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        inbound = self._now_reading()
        parser = self._parser
        version = parser.get_http_version()
        inbound.method = parser.get_method()
        inbound.http10 = version == "1.0"
        inbound.close_after = not parser.should_keep_alive() or inbound.http10 or self._shutting_down
        inbound.path, _, inbound.query = inbound.path.partition(b"?")
        self._check_framing(inbound, version)
        try:
            self._front.admit(inbound, length=self._length)
        except GatewayError as error:
            self._refuse(error)
            return
        if any(name == b"expect" for name, _ in inbound.headers) and self.transport is not None:
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        inbound = self._reading
        if inbound is None:
            return
        inbound.body_bytes += len(body)
        self._front.buffered_bytes += len(body)
        if inbound.body_bytes > self._front.limits.max_body_bytes:
            self._refuse(self._front.too_large())
            return
        inbound.body.append(body)

    def on_message_complete(self) -> None:
        inbound, self._reading = self._reading, None
        self._head_bytes = 0
        if inbound is None:
            return
        if self._current is None:
            self._start(inbound)
            return
        self._queue.append((inbound, None))
        if len(self._queue) >= _READ_PAUSE and self.transport is not None:
            self._paused = True
            self.transport.pause_reading()

    # What an Inbound and the Patrol need of their connection

    @property
    def current(self) -> Inbound | None:
        """The request that is being answered."""
        return self._current

    @property
    def reading(self) -> Inbound | None:
        """The request of which head or body is still coming."""
        return self._reading

    def put(self, data: bytes) -> None:
        if self.transport is not None:
            self.last_activity_s = self._patrol.now_s
            self.transport.write(data)

    async def drain(self) -> None:
        if self.congested:
            self._drain = asyncio.get_running_loop().create_future()
            await self._drain

    def answered(self, inbound: Inbound) -> None:
        """The answer is written: the next request's turn, or the end of the connection."""
        self._front.buffered_bytes -= inbound.body_bytes
        inbound.body_bytes = 0
        if inbound is not self._current:
            return
        self._current = None
        if self.transport is None:
            return
        if inbound.close_after or (self._shutting_down and not self._queue):
            self._leave(self.transport, unread=inbound.unread)
            return
        if self._queue:
            following, error = self._queue.popleft()
            if error is None:
                self._start(following)
            else:
                self._answer_refusal(following, error)
        if self._paused and not self._queue:
            self._paused = False
            self.transport.resume_reading()

    def shutdown(self) -> None:
        """The server is going down: idle connections close now, busy ones after their answer."""
        self._shutting_down = True
        if self._current is not None:
            self._current.close_after = True
        elif self.transport is not None:
            self.transport.close()

    def time_out(self) -> None:
        """A request that does not come to its end."""
        self._refuse_bytes(errors.REQUEST_TIMEOUT, "The request did not arrive in time.")

    def _leave(self, transport: asyncio.Transport, *, unread: bool) -> None:
        """Closing while the client still sends would reset the connection and could lose it the answer."""
        self._queue.clear()
        if unread and transport.can_write_eof():
            self._lingering = True
            transport.resume_reading()
            transport.write_eof()
        else:
            transport.close()

    # Refusals

    def _start(self, inbound: Inbound) -> None:
        self._current = inbound
        self._front.dispatch(inbound, peer=self._peer)

    def _refuse(self, error: GatewayError) -> None:
        """Answers the request being read, in its turn; a connection with an unread body is not used again."""
        inbound = self._reading or Inbound(self)
        self._reading = None
        has_body = self._length is None or self._length > 0 or error.kind is errors.REQUEST_TOO_LARGE
        carries = any(name in (b"content-length", b"transfer-encoding") for name, _ in inbound.headers)
        inbound.unread = (has_body and carries) or not inbound.method
        inbound.close_after = inbound.close_after or inbound.unread
        if inbound.close_after and self.transport is not None and self._current is not None:
            self.transport.pause_reading()
        if self._current is None:
            self._answer_refusal(inbound, error)
        else:
            self._queue.append((inbound, error))

    def _answer_refusal(self, inbound: Inbound, error: GatewayError) -> None:
        self._current = inbound
        self._front.refuse(inbound, error, peer=self._peer)

    def _refuse_bytes(self, kind: ErrorKind, message: str) -> None:
        inbound = self._reading
        if inbound is not None:
            inbound.close_after = True
            inbound.admitted = None
        self._refuse(GatewayError(kind, message))

    def _refuse_in_callback(self, error: httptools.HttpParserCallbackError) -> None:
        """httptools wraps what a callback raises."""
        cause = error.__context__
        if not isinstance(cause, GatewayError):
            raise error
        if self._reading is not None:
            self._reading.close_after = True
        self._refuse(cause)

    def _refuse_method(self, data: bytes) -> None:
        """Methods the parser does not know end it, but deserve the answer that other wrong methods get."""
        line = _REQUEST_LINE.match(data)
        inbound = self._reading = self._reading or Inbound(self)
        inbound.close_after = True
        if line is None:
            self._refuse(GatewayError(errors.BAD_REQUEST, "The request is not well-formed HTTP: Invalid method encountered."))
            return
        inbound.method, inbound.path = line.group(1), line.group(2).partition(b"?")[0]
        try:
            self._front.admit(inbound, length=None)
        except GatewayError as error:
            self._refuse(error)

    def _now_reading(self) -> Inbound:
        if self._reading is None:
            raise GatewayError(errors.BAD_REQUEST, "The request is not well-formed HTTP.")
        return self._reading

    def _head_is_complete(self, data: bytes) -> bool:
        return self._reading is None and b"\r\n\r\n" in data

    def _check_framing(self, inbound: Inbound, version: str) -> None:
        """Stricter than the parser where ambiguity would let two servers read two different requests."""
        if version not in _VERSIONS:
            raise GatewayError(errors.HTTP_VERSION, f"HTTP/{version} is not supported. Use HTTP/1.1.")
        hosts = 0
        chunked = False
        for name, value in inbound.headers:
            if name == b"content-length":
                if not value.isdigit() or len(value) > 18 or self._length is not None:
                    raise self._bad_framing(inbound, "Content-Length is not one number")
                self._length = int(value)
            elif name == b"transfer-encoding":
                if chunked or value.strip().lower() != b"chunked" or version == "1.0":
                    raise self._bad_framing(inbound, "Transfer-Encoding is not 'chunked'")
                chunked = True
            elif name == b"host":
                hosts += 1
        if chunked and self._length is not None:
            raise self._bad_framing(inbound, "Content-Length and Transfer-Encoding exclude each other")
        if not chunked and self._length is None:
            self._length = 0
        if hosts > 1 or (hosts == 0 and version == "1.1"):
            raise self._bad_framing(inbound, "exactly one Host header is needed")
        if not inbound.path.startswith(b"/"):
            raise self._bad_framing(inbound, "the request target must be a path")

    def _bad_framing(self, inbound: Inbound, why: str) -> GatewayError:
        inbound.close_after = True
        return GatewayError(errors.BAD_REQUEST, f"The request is not well-formed HTTP: {why}.")
