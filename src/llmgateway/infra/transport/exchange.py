"""One answer as its reader sees it.

Holds no socket logic: the connection feeds it, and it tells the connection when it has been read, is wanted whole, or
is no longer wanted.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import msgspec

from llmgateway.domain.errors import UpstreamError
from llmgateway.engine.errand import Waiter
from llmgateway.infra.transport.failures import unreachable, unreadable

if TYPE_CHECKING:
    from llmgateway.infra.transport.connection import Connection


class Exchange(msgspec.Struct, eq=False):
    """An UpstreamResponse. `status` is 0 until the head has arrived.

    While `connection` is set the answer is still arriving; afterwards `rest` holds what was not read yet, and `error`
    how it ended, None being well. `step` takes what arrives while somebody pumps. `limit` is set once the body is
    wanted whole. `stale`: a connection used before was closed by the peer without one byte of this answer, so the
    request may be sent again.
    """

    connection: "Connection | None"
    peer: str
    status: int = 0
    headers: Sequence[tuple[bytes, bytes]] = ()
    rest: bytes = b""
    error: UpstreamError | None = None
    limit: int | None = None
    stale: bool = False
    step: Callable[[bytes], bool] | None = None
    waiter: Waiter | None = None

    async def answered(self) -> bool:
        """Waits for the head. False: nothing came and the request may be sent again. Raises UpstreamError."""
        while not self.status and self.connection is not None:
            try:
                await self.more()
            except BaseException:
                self.close()
                raise
        if self.status:
            return True
        if self.stale or self.error is None:
            return False
        raise self.error

    def more(self) -> Waiter:
        """Happens once there is something new: the head, a piece, the end. Whoever stops waiting for it closes this."""
        waiter = self.waiter = Waiter()
        return waiter

    async def read(self) -> bytes:
        while (connection := self.connection) is not None:
            data = connection.take()
            if data:
                return data
            try:
                await self.more()
            except BaseException:
                self.close()
                raise
        if self.rest:
            data, self.rest = self.rest, b""
            return data
        if self.error is not None:
            raise self.error
        return b""

    async def pump(self, step: Callable[[bytes], bool]) -> bool:
        """Gives `step` what arrives, from within the socket's callback, so that nobody is woken for a piece.

        True once `step` said that it has enough, False at the body's clean end. Raises as `read` does, and whatever
        `step` raises.
        """
        while (connection := self.connection) is not None:
            data = connection.take()
            if data and step(data):
                return True
            self.step = step
            try:
                await self.more()
            except BaseException:
                self.close()
                raise
            if self.step is None:
                return True
            self.step = None
        if self.rest:
            data, self.rest = self.rest, b""
            if step(data):
                return True
        if self.error is not None:
            raise self.error
        return False

    def pass_on(self, data: bytes) -> None:
        """A piece for the step that waits for it; its verdict, or what it raised, ends the wait."""
        step, waiter = self.step, self.waiter
        if step is None or waiter is None or waiter.done:
            return
        try:
            if not step(data):
                return
        except BaseException as error:  # noqa: BLE001 - told to whoever waits for it
            self.step = self.waiter = None
            waiter.fail(error)
            return
        self.step = self.waiter = None
        waiter.wake()

    async def body(self, *, limit: int) -> bytes:
        if self.connection is not None:
            self.limit = limit
            self.connection.collect()
        while self.connection is not None:
            try:
                await self.more()
            except BaseException:
                self.close()
                raise
        if self.error is not None:
            raise self.error
        body, self.rest = self.rest, b""
        if len(body) > limit:
            raise unreadable(self.peer, f"is larger than {limit} bytes", status_code=self.status)
        return body

    def bear(self, idle_s: float) -> None:
        connection = self.connection
        if connection is not None:
            connection.bear(idle_s)

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
            waiter.wake()
