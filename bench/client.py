"""The rig's own HTTP client: raw requests over kept connections, timed, for latency and held streams."""

import asyncio
import socket
import time
from typing import cast

import httptools
import msgspec

TOKEN = b'"content":" '
"""Begins the first text of the mock's streams; the role's event, which has no text yet, does not contain it."""


class Answer(msgspec.Struct, frozen=True):
    """One answer. Seconds from the write of the request to its first token (whole: its body) and to its end."""

    status: int
    first_s: float
    total_s: float
    body: bytes


class Connection(asyncio.Protocol):
    """One connection, one request at a time."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport
        self.closed = False
        self.waiter: asyncio.Future[Answer] | None = None
        self.first = asyncio.Event()
        self.begin()

    def begin(self) -> None:
        self.parser = httptools.HttpResponseParser(self)
        self.parts: list[bytes] = []
        self.sent = self.first_at = 0.0
        self.first.clear()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's transports are no subclass of it

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True
        self.first.set()
        if self.waiter is not None and not self.waiter.done():
            self.waiter.set_exception(ConnectionResetError("closed before the answer was complete"))

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        if not self.first_at and (TOKEN in body or body.startswith(b"{")):
            self.first_at = time.perf_counter()
            self.first.set()
        self.parts.append(body)

    def on_message_complete(self) -> None:
        now = time.perf_counter()
        status = self.parser.get_status_code()
        if self.waiter is not None and not self.waiter.done():
            first = (self.first_at or now) - self.sent
            self.waiter.set_result(Answer(status, first, now - self.sent, b"".join(self.parts)))

    def send(self, request: bytes) -> asyncio.Future[Answer]:
        """The answer's future; the clock starts now."""
        self.begin()
        self.waiter = asyncio.get_running_loop().create_future()
        self.sent = time.perf_counter()
        self.transport.write(request)
        return self.waiter

    def leave(self) -> None:
        """Closes at once, answer or not; an unfinished answer is nobody's error."""
        self.waiter = None
        self.transport.abort()


class Pool:
    """Kept connections to one port; a request takes a free one or opens another, so a slow answer delays no other."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.free: list[Connection] = []

    async def take(self) -> Connection:
        while self.free:
            if not (connection := self.free.pop()).closed:
                return connection
        _, connection = await asyncio.get_running_loop().create_connection(Connection, "127.0.0.1", self.port)
        return connection

    async def ask(self, request: bytes) -> Answer:
        connection = await self.take()
        answer = await connection.send(request)
        self.free.append(connection)
        return answer

    def close(self) -> None:
        for connection in self.free:
            connection.leave()
        self.free.clear()


def get_status(port: int, *, path: str) -> int:
    """The status of a GET, 0 when nobody answers yet."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as link:
            link.sendall(f"GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n".encode())
            head = link.recv(4096)
    except OSError:
        return 0
    fields = head.split(b" ", 2)
    return int(fields[1]) if len(fields) == 3 and fields[1].isdigit() else 0
