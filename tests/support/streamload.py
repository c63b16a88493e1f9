"""A load of many streams at once, some of which fail at their provider and some of which their client leaves.

Each stream has a connection and a request id of its own. What a client saw of it is kept as an `Ending`, so that it can
be held against the row in the gateway's database.
"""

import asyncio
import json
from collections.abc import Sequence
from typing import Literal, cast

from tests.support.gateway import HELLO, STATIC_KEY
from tests.support.http_client import CHAT

Ending = Literal["complete", "failed", "cut", "left", "refused", "broken"]
"""complete: an answer with its finish reason; failed: content, then an error event; refused: an error instead of
content; left: by the client, with content under way; cut, broken: what must never be."""


class Client(asyncio.Protocol):
    """One streamed request. `leaves`: closes once the first content has come."""

    def __init__(self, request: bytes, *, leaves: bool) -> None:
        self._request = request
        self._leaves = leaves
        self._received = bytearray()
        self._transport: asyncio.Transport | None = None
        self.ended: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._received += data
        if self._leaves and b'"content":"' in data and self._transport is not None:
            self._transport.abort()
            self._end("left")

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(_ending(bytes(self._received)))

    def _end(self, ending: Ending) -> None:
        if not self.ended.done():
            self.ended.set_result(ending)


def _ending(received: bytes) -> Ending:
    head, _, body = received.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200"):
        return "refused" if body.endswith(b"}") else "broken"
    if body.count(b"data: [DONE]\n\n") != 1 or not body.endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n"):
        return "cut"
    finished, error = body.count(b'"finish_reason":"stop"'), body.count(b'data: {"error"') + body.count(b'"error":{')
    if bool(finished) == bool(error) or finished > 1:
        return "broken"
    return "complete" if finished else "failed"


def request(model: str, *, request_id: str, steering: dict[str, object]) -> bytes:
    body = json.dumps({"model": model, "messages": HELLO, "stream": True}).encode()
    head = (
        f"POST {CHAT} HTTP/1.1\r\nhost: gateway\r\nconnection: close\r\nauthorization: Bearer {STATIC_KEY}\r\n"
        f"content-type: application/json\r\nx-request-id: {request_id}\r\nx-simulator: {json.dumps(steering)}\r\n"
        f"content-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def all_at_once(port: int, requests: Sequence[tuple[str, bytes]], *, leaving: int) -> dict[str, Ending]:
    """Every stream open at the same time; of each `leaving` one is left. Endings by request id."""
    loop = asyncio.get_running_loop()
    clients: dict[str, Client] = {}
    for number, (name, data) in enumerate(requests):
        client = clients[name] = Client(data, leaves=number % leaving == leaving - 1)
        await loop.create_connection(lambda client=client: client, "127.0.0.1", port)
    return {name: await client.ended for name, client in clients.items()}
