"""One answer as its reader sees it.

Holds no socket logic: the connection feeds it, and it tells the connection when it has been read, is wanted whole, or
is no longer wanted.
"""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from llmgateway.domain.errors import UpstreamError
from llmgateway.infra.transport.failures import unreachable, unreadable

if TYPE_CHECKING:
    from llmgateway.infra.transport.connection import Connection


class Exchange:
    """An UpstreamResponse. `status` is 0 until the head has arrived.

    While `connection` is set the answer is still arriving; afterwards `rest` holds what was not read yet, and `error`
    how it ended, None being well. `limit` is set once the body is wanted whole. `stale`: a connection used before was
    closed by the peer without one byte of this answer, so the request may be sent again.
    """

    __slots__ = ("connection", "error", "headers", "limit", "loop", "peer", "rest", "stale", "status", "waiter")

    def __init__(self, connection: "Connection", *, loop: asyncio.AbstractEventLoop, peer: str) -> None:
        self.connection: Connection | None = connection
        self.loop = loop
        self.peer = peer
        self.status = 0
        self.headers: Sequence[tuple[bytes, bytes]] = ()
        self.rest = b""
        self.error: UpstreamError | None = None
        self.limit: int | None = None
        self.stale = False
        self.waiter: asyncio.Future[None] | None = None

    async def answered(self) -> bool:
        """Waits for the head. False: nothing came and the request may be sent again. Raises UpstreamError."""
        while not self.status and self.connection is not None:
            waiter = self.waiter = self.loop.create_future()
            try:
                await waiter
            except BaseException:
                self.close()
                raise
        if self.status:
            return True
        if self.stale or self.error is None:
            return False
        raise self.error

    async def read(self) -> bytes:
        while (connection := self.connection) is not None:
            data = connection.take()
            if data:
                return data
            waiter = self.waiter = self.loop.create_future()
            try:
                await waiter
            except BaseException:
                self.close()
                raise
        if self.rest:
            data, self.rest = self.rest, b""
            return data
        if self.error is not None:
            raise self.error
        return b""

    async def body(self, *, limit: int) -> bytes:
        if self.connection is not None:
            self.limit = limit
            self.connection.collect()
        while self.connection is not None:
            waiter = self.waiter = self.loop.create_future()
            try:
                await waiter
            except BaseException:
                self.close()
                raise
        if self.error is not None:
            raise self.error
        body, self.rest = self.rest, b""
        if len(body) > limit:
            raise unreadable(self.peer, f"is larger than {limit} bytes", status_code=self.status)
        return body

    def close(self) -> None:
        connection = self.connection
        if connection is not None:
            connection.abandon(unreachable(self.peer, "was closed before its answer ended", status_code=self.status))

    def release(self) -> None:
        connection = self.connection
        if connection is not None:
            connection.release()

    def wake(self) -> None:
        waiter = self.waiter
        if waiter is not None:
            self.waiter = None
            if not waiter.done():
                waiter.set_result(None)
