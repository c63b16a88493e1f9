"""The connections of one origin: which are open, which are idle, and who waits for one. Bounded in all three."""

import asyncio
import math
from collections import deque

import msgspec

from llmgateway.domain.errors import UPSTREAM_TIMEOUT, UpstreamError
from llmgateway.domain.routing import Origin
from llmgateway.engine.errand import within
from llmgateway.infra.transport.connection import Connection
from llmgateway.infra.transport.dialer import Dialer, peer_name
from llmgateway.infra.transport.failures import timed_out, unreachable
from llmgateway.infra.transport.limits import TransportLimits


class OriginStats(msgspec.Struct, frozen=True, kw_only=True):
    """Now: `open` = `idle` + `in_use`, and `waiting` requests. Since the start: the others."""

    open: int
    idle: int
    in_use: int
    waiting: int
    created: int
    reused: int
    retried: int
    errors: int
    timeouts: int


class Pool:
    """`idle` is a stack: the connection used last is used next, so that the others can expire."""

    def __init__(self, origin: Origin, *, dialer: Dialer, limits: TransportLimits) -> None:
        self._origin = origin
        self._peer = peer_name(origin)
        self._dialer = dialer
        self._limits = limits
        self._waiting: deque[asyncio.Future[Connection | None]] = deque()
        self._dialling = 0
        self.now = asyncio.get_running_loop().time
        self.connections: set[Connection] = set()
        self.idle: list[Connection] = []
        self.closed = False
        self.created = self.reused = self.retried = self.errors = self.timeouts = 0

    @property
    def unused(self) -> bool:
        """No connection is open, none is being opened."""
        return not self.connections and not self._dialling and not self._waiting

    @property
    def spare(self) -> bool:
        """Nobody would notice if it were closed."""
        return len(self.connections) == len(self.idle) and not self._dialling and not self._waiting

    def stats(self) -> OriginStats:
        return OriginStats(
            open=len(self.connections),
            idle=len(self.idle),
            in_use=len(self.connections) - len(self.idle),
            waiting=len(self._waiting),
            created=self.created,
            reused=self.reused,
            retried=self.retried,
            errors=self.errors,
            timeouts=self.timeouts,
        )

    async def open(self, *, connect_s: float, total_at: float) -> Connection:
        """A new connection, or when there are too many, the next that becomes free. Raises UpstreamError."""
        left_s = total_at - self.now()
        phase = "connect" if connect_s < left_s else "total"
        waited = False
        try:
            async with within(min(connect_s, left_s)):
                while not self.closed:
                    if len(self.connections) + self._dialling < self._limits.connections_per_origin:
                        return await self._dial()
                    waited = True
                    freed = await self._wait()
                    waited = False
                    if freed is not None and not freed.closed:
                        self.reused += 1
                        return freed
        except TimeoutError:
            self.errors += 1
            self.timeouts += 1
            raise timed_out(self._peer, "no connection became free: pool" if waited else phase) from None
        except UpstreamError:
            self.errors += 1
            raise
        raise unreachable(self._peer, "was left: the transport is closed")

    def freed(self, connection: Connection, *, keep_s: float) -> None:
        connection.deadline = self.now() + min(self._limits.idle_s, keep_s)
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                connection.deadline = math.inf
                waiter.set_result(connection)
                return
        if self.closed or len(self.idle) >= self._limits.idle_per_origin:
            connection.discard()
        else:
            self.idle.append(connection)

    def lost(self, connection: Connection) -> None:
        self.connections.discard(connection)
        if connection in self.idle:
            self.idle.remove(connection)
        self._wake_waiter()

    def failed(self, error: UpstreamError) -> None:
        self.errors += 1
        self.timeouts += error.kind is UPSTREAM_TIMEOUT

    def close(self) -> None:
        self.closed = True
        for connection in tuple(self.connections):
            connection.discard()
        while self._waiting:
            self._wake_waiter()

    async def _dial(self) -> Connection:
        self._dialling += 1
        try:
            connection = await self._dialer.dial(
                self._origin,
                reach="any" if self._origin.allow_private else "public",
                create=lambda: Connection(owner=self, peer=self._peer, limits=self._limits),
            )
        except BaseException:
            self._dialling -= 1
            self._wake_waiter()
            raise
        self._dialling -= 1
        self.created += 1
        if self.closed:
            connection.discard()
        if not connection.closed:
            self.connections.add(connection)
        return connection

    async def _wait(self) -> Connection | None:
        """A connection that became free, or None: try to dial."""
        if len(self._waiting) >= self._limits.waiting_per_origin:
            raise unreachable(self._peer, "has no free connection, and too many requests wait for one")
        waiter: asyncio.Future[Connection | None] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():
                given = waiter.result()
                if given is None:
                    self._wake_waiter()
                elif not given.closed:
                    self.freed(given, keep_s=math.inf)
            elif waiter in self._waiting:
                self._waiting.remove(waiter)
            raise

    def _wake_waiter(self) -> None:
        """A place became free."""
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return
