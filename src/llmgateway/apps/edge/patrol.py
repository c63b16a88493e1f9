"""One ticker for all connections of a process: keep-alives for silent streams, an end for requests that do not come to
theirs, and for clients that stop reading. It spares a timer per request.
"""

import asyncio
from typing import Final, Protocol

from llmgateway.apps.edge.front import Limits
from llmgateway.apps.edge.inbound import Inbound

_TICK_S: Final = 0.25
_LINGER_S: Final = 2.0


class Watched(Protocol):
    """What the patrol looks at. `last_activity_s`: the patrol's clock when bytes last came or went."""

    last_activity_s: float
    congested: bool
    transport: asyncio.Transport | None

    @property
    def lingering(self) -> bool: ...

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
        self._began_s: dict[Watched, float] = {}
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
        self._began_s.pop(connection, None)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        self.now_s = loop.time()
        for connection in list(self._connections):
            self.visit(connection)
        self._timer = loop.call_later(_TICK_S, self._tick) if self._connections else None

    def visit(self, connection: Watched) -> None:
        """What the clock asks of one connection now."""
        silent_s = self.now_s - connection.last_activity_s
        current = connection.current
        if current is not None:
            self._began_s.pop(connection, None)
            if connection.congested:
                if silent_s > self._limits.stall_timeout_s and connection.transport is not None:
                    connection.transport.abort()
            elif silent_s >= self._limits.keep_alive_s and current.streaming:
                current.keep_alive()
            return
        if connection.lingering:
            if silent_s > _LINGER_S and connection.transport is not None:
                connection.transport.abort()
            return
        if connection.reading is None:
            self._began_s.pop(connection, None)
            if silent_s > self._limits.idle_timeout_s and connection.transport is not None:
                connection.transport.close()
            return
        self._slow_request(connection, connection.reading, silent_s)

    def _slow_request(self, connection: Watched, reading: Inbound, silent_s: float) -> None:
        began_s = self._began_s.setdefault(connection, self.now_s)
        limit_s = self._limits.body_timeout_s if reading.request_id else self._limits.header_timeout_s
        if self.now_s - began_s > limit_s or silent_s > limit_s:
            self._began_s.pop(connection, None)
            connection.time_out()
