"""One ticker for all connections of a process: keep-alives for silent streams, an end for requests that do not come to
theirs, and for clients that stop reading. It spares a timer per request.
"""

import asyncio
from typing import Final, Protocol

from llmgateway.apps.edge.front import Limits
from llmgateway.apps.edge.inbound import Inbound

_TICK_S: Final = 0.25
_LINGER_SILENT_S: Final = 2.0
_LINGER_S: Final = 30.0


class Watched(Protocol):
    """What the patrol looks at.

    `last_activity_s`: the patrol's clock when bytes last came or went. `unsent_bytes`: what a congested connection had
    still to send at the last visit. `lingering_since_s`: since when it only waits for the client to notice its end.
    """

    last_activity_s: float
    lingering_since_s: float | None
    congested: bool
    unsent_bytes: int
    transport: asyncio.Transport | None

    @property
    def current(self) -> Inbound | None: ...

    @property
    def reading(self) -> Inbound | None: ...

    def time_out(self) -> None: ...


class Patrol:
    """Walks over the connections four times a second while there are any. `now_s` is its coarse clock."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._connections: set[Watched] = set()
        self._timer: asyncio.TimerHandle | None = None
        self.now_s = 0.0

    def add(self, connection: Watched) -> None:
        loop = asyncio.get_running_loop()
        if self._timer is None:
            self.now_s = loop.time()
            self._timer = loop.call_later(_TICK_S, self._tick)
        connection.last_activity_s = self.now_s
        self._connections.add(connection)

    def discard(self, connection: Watched) -> None:
        self._connections.discard(connection)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(_TICK_S, self._tick) if self._connections else None
        self.now_s = loop.time()
        for connection in list(self._connections):
            self.visit(connection)

    def visit(self, connection: Watched) -> None:
        """What the clock asks of one connection now."""
        transport = connection.transport
        if transport is None:
            return
        silent_s = self.now_s - connection.last_activity_s
        current = connection.current
        if connection.congested:
            self._stalled(connection, transport, silent_s)
        elif current is not None:
            if silent_s >= self._limits.keep_alive_s and current.streaming:
                current.keep_alive()
        elif connection.lingering_since_s is not None:
            if silent_s > _LINGER_SILENT_S or self.now_s - connection.lingering_since_s > _LINGER_S:
                transport.abort()
        elif connection.reading is not None:
            self._slow_request(connection, connection.reading, silent_s)
        elif silent_s > self._limits.idle_timeout_s:
            self._idle(transport)

    def _stalled(self, connection: Watched, transport: asyncio.Transport, silent_s: float) -> None:
        """A client that reads slowly is waited for; one that does not read at all is not."""
        unsent_bytes = transport.get_write_buffer_size()
        if unsent_bytes < connection.unsent_bytes:
            connection.last_activity_s = self.now_s
        elif silent_s > self._limits.stall_timeout_s:
            transport.abort()
        connection.unsent_bytes = unsent_bytes

    def _slow_request(self, connection: Watched, reading: Inbound, silent_s: float) -> None:
        limit_s = self._limits.body_timeout_s if reading.request_id else self._limits.header_timeout_s
        if self.now_s - reading.began_s > limit_s or silent_s > limit_s:
            connection.time_out()

    def _idle(self, transport: asyncio.Transport) -> None:
        """Closing waits for what is still to be sent; who has not read that until the next visit never will."""
        if transport.is_closing():
            transport.abort()
        else:
            transport.close()
