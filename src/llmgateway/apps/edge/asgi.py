"""The same door as an ASGI application: for tests in one process, and for mounting the gateway in another application.

Admission, pages and the gateway are `Front`'s, as at the socket. Framing, limits of headers and slow clients are left
to the server it runs under; `protocol` is the door for the world.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final, Self, cast

import msgspec

from llmgateway.apps.edge.front import Front
from llmgateway.apps.edge.inbound import EVENT_LINES, Inbound, Line, header_lines
from llmgateway.domain.errors import GatewayError

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
_HIGH_BYTES: Final = 64 * 1024


class AsgiDoor:
    """`app = AsgiDoor(front)`; paths below `root_path`, where it is mounted."""

    def __init__(self, front: Front) -> None:
        self._front = front

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise NotImplementedError(f"only http is served, not {scope['type']}")
        inbound = _Inbound.of(scope)
        front = self._front
        peer: str | None = (scope.get("client") or (None,))[0]
        try:
            front.admit(inbound, length=_length(inbound.fields))
            if not inbound.takes_body or await self._read(inbound, receive):
                front.dispatch(inbound, peer=peer)
        except GatewayError as error:
            front.refuse(inbound, error, peer=peer)
        watching = asyncio.ensure_future(_gone(inbound, receive))
        try:
            await inbound.deliver(send, silence_s=front.limits.keep_alive_s)
        finally:
            watching.cancel()
            inbound.leave()
            front.buffered_bytes -= inbound.body_bytes

    async def _read(self, inbound: "_Inbound", receive: Receive) -> bool:
        """The whole body; False if the client left in it. Raises GatewayError: REQUEST_TOO_LARGE, OVERLOADED."""
        front = self._front
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                inbound.leave()
                return False
            piece: bytes = message.get("body", b"")
            inbound.body_bytes += len(piece)
            front.buffered_bytes += len(piece)
            if inbound.body_bytes > front.limits.max_body_bytes:
                raise front.too_large()
            if front.buffered_bytes > front.limits.max_buffered_bytes:
                raise front.overloaded()
            inbound.gather(piece)
            if not message.get("more_body", False):
                return True


class _Inbound(Inbound):
    """A request of an ASGI server; its answer waits here until the server takes it."""

    _messages: deque[Message] = msgspec.field(default_factory=deque[Message])
    _news: asyncio.Event = msgspec.field(default_factory=asyncio.Event)
    _room: asyncio.Event = msgspec.field(default_factory=asyncio.Event)
    _waiting_bytes: int = 0

    @classmethod
    def of(cls, scope: Message) -> Self:
        fields: dict[bytes, bytes] = {}
        for name, value in scope["headers"]:
            fields[name] = fields[name] + b", " + value if name in fields else value
        method = scope["method"].encode()
        inbound = cls(
            cast(Line, None),
            method=method,
            path=scope["path"].removeprefix(scope.get("root_path", "")).encode("utf-8", "surrogateescape"),
            query=scope.get("query_string", b""),
            fields=fields,
            head_only=method == b"HEAD",
            http10=True,  # the server does the chunking
        )
        inbound._line = inbound  # it has no connection: it takes its answer itself
        return inbound

    @property
    def congested(self) -> bool:
        return self._waiting_bytes > _HIGH_BYTES and not self.gone

    def put(self, data: bytes) -> None:
        """Bytes of the body, as they are: the server frames them."""
        self._waiting_bytes += len(data)
        self._tell({"type": "http.response.body", "body": data, "more_body": True})

    put_behind = put

    async def drain(self) -> None:
        while self.congested:
            self._room.clear()
            await self._room.wait()

    def answered(self, inbound: Inbound) -> None:
        self._tell({"type": "http.response.body", "body": b"", "more_body": False})

    def answer(self, status: int, lines: bytes, body: bytes) -> None:
        if self.done or self.gone:
            return
        self.begun = self.done = True
        self._start(status, lines + self.extra_headers + b"content-length: %d\r\n" % len(body))
        if not self.head_only:
            self.put(body)
        self.answered(self)

    def abandon(self) -> None:
        """The server is told nothing more: it cuts the answer."""
        self.leave()

    def leave(self) -> None:
        """Nobody waits for the rest of the answer."""
        if self.gone:
            return
        self.gone = True
        self._room.set()
        self._news.set()
        if self.errand is not None:
            self.errand.cancel()

    async def deliver(self, send: Send, *, silence_s: float) -> None:
        """Hands the answer over until its end, or until the client has left."""
        while True:
            while self._messages:
                message = self._messages.popleft()
                await send(message)
                self._waiting_bytes -= len(message.get("body", b""))
                self._room.set()
                if message.get("more_body") is False:
                    return
            if self.gone:
                return
            self._news.clear()
            try:
                async with asyncio.timeout(silence_s):
                    await self._news.wait()
            except TimeoutError:
                if self.streaming:
                    self.keep_alive()

    def _begin(self) -> bytes:
        self.begun = True
        self._start(200, EVENT_LINES + self.extra_headers + header_lines(self._head()))
        return b""

    def _start(self, status: int, lines: bytes) -> None:
        headers = [line.split(b": ", 1) for line in lines.split(b"\r\n") if line]
        headers.append([b"x-request-id", self.request_id.encode()])
        self._tell({"type": "http.response.start", "status": status, "headers": headers})

    def _tell(self, message: Message) -> None:
        self._messages.append(message)
        self._news.set()


async def _gone(inbound: _Inbound, receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    inbound.leave()


def _length(fields: dict[bytes, bytes]) -> int | None:
    given = fields.get(b"content-length", b"")
    return int(given) if given.isdigit() else None
