"""A server that does exactly what a test says: every accepted connection is played by a script, byte for byte."""

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from llmgateway.domain.routing import HttpRequest, Origin, Timeouts
from llmgateway.engine.ports import Transport, UpstreamResponse

TIMEOUTS = Timeouts(connect=2, first_byte=2, idle=2)


class Peer:
    """One accepted connection. `number` counts from 1; `gone` is set once the client has closed or reset it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, number: int) -> None:
        self._reader = reader
        self._writer = writer
        self.number = number
        self.requests: list[bytes] = []
        self.gone = asyncio.Event()

    async def request(self) -> bytes:
        """The next whole request, head and body. Raises EOFError when the client closes before it."""
        try:
            head = await self._reader.readuntil(b"\r\n\r\n")
            length = next(
                (int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0
            )
            whole = head + await self._reader.readexactly(length)
        except (asyncio.IncompleteReadError, ConnectionError):
            self.gone.set()
            raise EOFError from None
        self.requests.append(whole)
        return whole

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        try:
            await self._writer.drain()
        except ConnectionError:
            self.gone.set()
            raise EOFError from None

    async def left(self) -> None:
        """Returns when the client has closed the connection."""
        try:
            while await self._reader.read(65536):
                pass
        except ConnectionError:
            pass
        self.gone.set()

    @property
    def tls(self) -> ssl.SSLObject | None:
        return self._writer.get_extra_info("ssl_object")

    def close(self) -> None:
        """A clean end: FIN."""
        self._writer.close()

    def reset(self) -> None:
        """An unclean end: RST."""
        raw: socket.socket = self._writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()


Script = Callable[[Peer], Awaitable[None]]


class Upstream:
    """`peers`: every connection accepted so far, in order."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self._tasks: set[asyncio.Task[None]] = set()
        self.peers: list[Peer] = []
        self.port = 0
        self.scheme = "http"

    def origin(self, *, host: str = "127.0.0.1", allow_private: bool = True) -> Origin:
        return Origin("https" if self.scheme == "https" else "http", host, self.port, allow_private)

    def post(self, body: bytes = b"{}", *, host: str = "127.0.0.1") -> HttpRequest:
        return HttpRequest(self.origin(host=host), b"POST /v1/chat HTTP/1.1\r\nhost: upstream\r\n", body)

    @property
    def requests(self) -> list[bytes]:
        return [request for peer in self.peers for request in peer.requests]

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = Peer(reader, writer, number=len(self.peers) + 1)
        self.peers.append(peer)
        task = asyncio.create_task(self._play(peer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _play(self, peer: Peer) -> None:
        try:
            await self._script(peer)
        except EOFError:
            pass
        finally:
            peer.close()

    async def stop(self) -> None:
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@asynccontextmanager
async def upstream(
    script: Script, *, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1", port: int = 0
) -> AsyncIterator[Upstream]:
    """A listening server, on a port of its own if none is named."""
    playing = Upstream(script)
    server = await asyncio.start_server(playing.accept, host, port, ssl=tls)
    playing.port = server.sockets[0].getsockname()[1]
    playing.scheme = "http" if tls is None else "https"
    try:
        yield playing
    finally:
        server.close()
        await playing.stop()


def answering(*answers: bytes) -> Script:
    """Answers each request with the next of `answers`; the last one goes on for ever."""

    async def script(peer: Peer) -> None:
        turn = 0
        while True:
            await peer.request()
            await peer.send(answers[min(turn, len(answers) - 1)])
            turn += 1

    return script


def sending(*answers: bytes) -> Script:
    """Answers one request with all the bytes, and closes."""

    async def script(peer: Peer) -> None:
        await peer.request()
        for answer in answers:
            await peer.send(answer)

    return script


def whole(body: bytes, *, headers: bytes = b"") -> bytes:
    """A complete answer with a content-length."""
    return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n%bcontent-length: %d\r\n\r\n%b" % (
        headers,
        len(body),
        body,
    )


def chunked(*parts: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    """A complete chunked answer."""
    return b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n" + (
        b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + end
    )


async def ask(
    client: Transport, request: HttpRequest, *, timeouts: Timeouts = TIMEOUTS, total_s: float = 5
) -> UpstreamResponse:
    """Sends a request with the short timeouts of a test."""
    return await client.send(request, timeouts=timeouts, total_s=total_s)


async def read_all(response: UpstreamResponse) -> bytes:
    """The whole body, read piece by piece."""
    parts: list[bytes] = []
    while part := await response.read():
        parts.append(part)
    return b"".join(parts)


async def until(condition: Callable[[], bool]) -> None:
    """Gives the loop turns until the condition holds; a second at most."""
    async with asyncio.timeout(1):
        while not condition():  # noqa: ASYNC110 - what is awaited has no event
            await asyncio.sleep(0.001)
