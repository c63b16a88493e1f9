"""The simulated provider as a server: an HTTP/1.1 protocol of its own on asyncio and httptools, because faults need
the raw bytes and the bare socket. A script without pauses is written in the turn its request arrived in; the others
are played by a task."""

import asyncio
import contextlib
import signal
import socket
import struct
import time
from collections import deque
from collections.abc import Callable
from http import HTTPStatus
from typing import cast

import httptools

from llmgateway.apps.simulator.ledger import Entry
from llmgateway.apps.simulator.script import Close, Data, Head, Header, Request, Reset, Script, Stall, Wait
from llmgateway.apps.simulator.simulation import Simulation

DEFAULT_PORT = 4010
MAX_BODY_BYTES = 256 * 1024 * 1024
_WRITE_AT_ONCE_BYTES = 256 * 1024
_REASONS = {status.value: status.phrase.encode() for status in HTTPStatus} | {529: b"Overloaded"}
_LAST_CHUNK = b"0\r\n\r\n"
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class SimulatorServer:
    """A running simulator. `refused_port` is reserved and never listens: connections to it are refused."""

    def __init__(self, simulation: Simulation, *, host: str) -> None:
        self.simulation = simulation
        self.host = host
        self.port = 0
        self.refused_port = 0
        self._listener: asyncio.Server | None = None
        self._closed_door: socket.socket | None = None
        self._connections: set[Connection] = set()

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return len(self._connections)

    async def start(self, *, port: int) -> None:
        loop = asyncio.get_running_loop()
        self._listener = await loop.create_server(
            lambda: Connection(self.simulation, self._connections), self.host, port, backlog=2048
        )
        self.port = cast("int", self._listener.sockets[0].getsockname()[1])
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        self._closed_door = socket.socket(family, socket.SOCK_STREAM)
        self._closed_door.bind((self.host, 0))
        self.refused_port = cast("int", self._closed_door.getsockname()[1])
        self.simulation.refused_port = self.refused_port

    async def stop(self) -> None:
        """Stops listening and closes every connection at once."""
        if self._listener is not None:
            self._listener.close()
        for connection in tuple(self._connections):
            connection.drop()
        if self._listener is not None:
            await self._listener.wait_closed()
        if self._closed_door is not None:
            self._closed_door.close()


async def serve(
    *, host: str = "127.0.0.1", port: int = DEFAULT_PORT, simulation: Simulation | None = None
) -> SimulatorServer:
    """Listens; port 0 takes a free one. The caller stops it."""
    server = SimulatorServer(Simulation() if simulation is None else simulation, host=host)
    await server.start(port=port)
    return server


def run(
    *, host: str = "127.0.0.1", port: int = DEFAULT_PORT, started: Callable[[SimulatorServer], None] | None = None
) -> None:
    """Serves until SIGINT or SIGTERM; `started` is told once connections are taken."""
    with asyncio.Runner(loop_factory=_fast_loop()) as runner:
        runner.run(_serve_until_stopped(host=host, port=port, started=started))


async def _serve_until_stopped(*, host: str, port: int, started: Callable[[SimulatorServer], None] | None) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    server = await serve(host=host, port=port)
    if started is not None:
        started(server)
    await stopped.wait()
    await server.stop()


def _fast_loop() -> Callable[[], asyncio.AbstractEventLoop]:
    import uvloop  # noqa: PLC0415 - only a server of one's own needs it

    return uvloop.new_event_loop


class Connection(asyncio.Protocol):
    """One client connection: parses requests, plays their scripts one after the other."""

    def __init__(self, simulation: Simulation, connections: "set[Connection]") -> None:
        self._simulation = simulation
        self._connections = connections
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpRequestParser(self)
        self._waiting: deque[tuple[Request, bool]] = deque()
        self._playing: asyncio.Task[None] | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._target = b""
        self._headers: list[Header] = []
        self._parts: list[bytes] = []
        self._size = 0

    # What asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.discard(self)
        self._transport = None
        self._waiting.clear()
        if self._playing is not None:
            self._playing.cancel()

    def eof_received(self) -> bool:
        """A client that closes its side has gone."""
        return False

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._refuse(400)
        except (httptools.HttpParserError, _TooLarge) as error:
            self._refuse(413 if isinstance(error.__context__, _TooLarge) or isinstance(error, _TooLarge) else 400)

    # What the parser calls

    def on_message_begin(self) -> None:
        self._target = b""
        self._headers = []
        self._parts = []
        self._size = 0

    def on_url(self, url: bytes) -> None:
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        self._headers.append((name, value))
        if name == b"expect" and self._transport is not None:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        self._size += len(body)
        if self._size > MAX_BODY_BYTES:
            raise _TooLarge
        self._parts.append(body)

    def on_message_complete(self) -> None:
        parts = self._parts
        body = parts[0] if len(parts) == 1 else b"".join(parts)
        method = self._parser.get_method().decode("latin-1")
        request = Request(method, self._target.decode("latin-1"), tuple(self._headers), body)
        self._waiting.append((request, self._parser.should_keep_alive()))
        if self._playing is None and len(self._waiting) == 1:
            self._next()

    # Answering

    def drop(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def _refuse(self, status: int) -> None:
        if self._transport is not None:
            self._transport.write(_head_bytes(Head(status, ((b"content-length", b"0"), (b"connection", b"close")))))
            self._transport.close()

    def _next(self) -> None:
        """Answers what has arrived, in order, until an answer needs time."""
        while self._waiting and self._transport is not None and not self._transport.is_closing():
            request, keep_alive = self._waiting.popleft()
            script, entry = self._simulation.answer(request)
            answer = _Answer(self._simulation, entry, keep_alive=keep_alive)
            if _is_instant(script):
                self._transport.write(answer.bytes_of(script))
                self._ended(answer)
            else:
                self._playing = asyncio.get_running_loop().create_task(self._play(script, answer))
                return

    def _ended(self, answer: "_Answer") -> None:
        answer.finish()
        if not answer.keep_alive and self._transport is not None:
            self._transport.close()

    async def _play(self, script: Script, answer: "_Answer") -> None:
        try:
            await self._perform(script, answer)
        except asyncio.CancelledError:
            answer.abort()
            raise
        self._playing = None
        self._next()

    async def _perform(self, script: Script, answer: "_Answer") -> None:
        pending: list[bytes] = []
        size = 0
        for step in script:
            if isinstance(step, (Head, Data)):
                part = answer.bytes_of((step,), ends=False)
                pending.append(part)
                size += len(part)
                if size < _WRITE_AT_ONCE_BYTES:
                    continue
            await self._write(pending)
            pending, size = [], 0
            if isinstance(step, Wait):
                await asyncio.sleep(step.seconds)
            elif not isinstance(step, (Head, Data)):
                await self._break_off(step, answer)
                return
        await self._write([*pending, answer.end])
        self._ended(answer)

    async def _write(self, parts: list[bytes]) -> None:
        if self._transport is None:
            raise asyncio.CancelledError
        if parts:
            self._transport.write(b"".join(parts))
        await self._writable.wait()

    async def _break_off(self, step: Reset | Stall | Close, answer: "_Answer") -> None:
        if isinstance(step, Stall):
            await asyncio.get_running_loop().create_future()
        answer.finish()
        transport = self._transport
        if transport is None:
            return
        if isinstance(step, Reset):
            connection: socket.socket | None = transport.get_extra_info("socket")
            if connection is not None:
                with contextlib.suppress(OSError):
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            transport.abort()
        else:
            transport.close()


class _TooLarge(Exception):
    pass


class _Answer:
    """The framing of one answer, and its line in the ledger."""

    def __init__(self, simulation: Simulation, entry: Entry | None, *, keep_alive: bool) -> None:
        self.keep_alive = keep_alive
        self._ledger = simulation.ledger
        self._entry = entry
        self._chunked = False
        self._arrived = time.monotonic()

    @property
    def end(self) -> bytes:
        return _LAST_CHUNK if self._chunked else b""

    def bytes_of(self, script: Script, *, ends: bool = True) -> bytes:
        """The wire bytes of steps that need no time; `ends`: the body's end behind them."""
        parts: list[bytes] = []
        for step in script:
            if isinstance(step, Head):
                parts.append(self._begin(step))
            elif isinstance(step, Data) and step.data:
                parts.append(b"%x\r\n%b\r\n" % (len(step.data), step.data) if self._chunked else step.data)
        if ends:
            parts.append(self.end)
        return b"".join(parts)

    def _begin(self, head: Head) -> bytes:
        self._chunked = head.declared_length is None
        if self._entry is not None:
            self._ledger.head(self._entry, status=head.status)
        extra: list[Header] = [(b"transfer-encoding", b"chunked")] if self._chunked else []
        if not self.keep_alive:
            extra.append((b"connection", b"close"))
        return _head_bytes(Head(head.status, (*head.headers, *extra)))

    def finish(self) -> None:
        if self._entry is not None:
            self._ledger.finish(self._entry)

    def abort(self) -> None:
        if self._entry is not None:
            self._ledger.abort(self._entry, after_ms=(time.monotonic() - self._arrived) * 1000)


def _is_instant(script: Script) -> bool:
    size = 0
    for step in script:
        if isinstance(step, Data):
            size += len(step.data)
        elif not isinstance(step, Head):
            return False
    return size <= _WRITE_AT_ONCE_BYTES


def _head_bytes(head: Head) -> bytes:
    lines = [b"HTTP/1.1 %d %b\r\n" % (head.status, _REASONS.get(head.status, b"Unassigned"))]
    lines += [b"%b: %b\r\n" % pair for pair in head.headers]
    lines.append(b"\r\n")
    return b"".join(lines)
