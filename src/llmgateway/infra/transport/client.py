"""The HTTP client behind the Transport port: a pool per origin, one clock for all deadlines, one retry when stale.

What an answer means is left to the caller; how bytes become an answer, to the connection.
"""

import asyncio

from llmgateway.domain.routing import HttpRequest, Origin, Timeouts
from llmgateway.infra.transport.dialer import Dialer, peer_name
from llmgateway.infra.transport.exchange import Exchange
from llmgateway.infra.transport.failures import unreachable
from llmgateway.infra.transport.limits import DEFAULT_LIMITS, TransportLimits
from llmgateway.infra.transport.pool import OriginStats, Pool


class HttpTransport:
    """Belongs to the event loop of its first `send`."""

    def __init__(
        self,
        *,
        limits: TransportLimits = DEFAULT_LIMITS,
        ca_file: str | None = None,
        dialer: Dialer | None = None,
    ) -> None:
        self._limits = limits
        self._dialer = dialer or Dialer(ca_file=ca_file, stagger_s=limits.stagger_s)
        self._pools: dict[Origin, Pool] = {}
        self._tick_handle: asyncio.TimerHandle | None = None
        self._closed = False

    async def send(self, request: HttpRequest, *, timeouts: Timeouts, total_s: float) -> Exchange:
        """Returns when the head of the answer is there. Raises UpstreamError."""
        pool = self._pools.get(request.origin) or self.pool(request.origin)
        now = pool.now()
        total_at = now + total_s
        retried = False
        while True:
            if pool.idle and not retried:
                connection = pool.idle.pop()
                pool.reused += 1
            else:
                if self._tick_handle is None:
                    self._schedule_tick()
                connection = await pool.open(connect_s=timeouts.connect, total_at=total_at)
                now = pool.now()
            exchange = connection.begin(request, timeouts=timeouts, now=now, total_at=total_at)
            if exchange.connection is not None:  # most need one wait, and no coroutine for it
                try:
                    await exchange.more()
                except BaseException:
                    exchange.close()
                    raise
            if exchange.status or await exchange.answered():
                return exchange
            if retried:
                raise exchange.error or unreachable(peer_name(request.origin), "closed the connection")
            retried = True
            pool.retried += 1

    async def close(self) -> None:
        """Closes every connection; answers still arriving end with an error."""
        self._closed = True
        if self._tick_handle is not None:
            self._tick_handle.cancel()
            self._tick_handle = None
        for pool in self._pools.values():
            pool.close()
        await asyncio.sleep(0)  # lets the sockets close

    @property
    def ticking(self) -> bool:
        """Whether deadlines are being looked at: only while a connection is open or being opened."""
        return self._tick_handle is not None

    def stats(self) -> dict[Origin, OriginStats]:
        return {origin: pool.stats() for origin, pool in self._pools.items()}

    def pool(self, origin: Origin) -> Pool:
        """The origin's pool; for a new one, when there are too many, one that has no connection in use makes place."""
        if origin in self._pools:
            return self._pools[origin]
        peer = peer_name(origin)
        if self._closed:
            raise unreachable(peer, "cannot be reached: the transport is closed")
        if len(self._pools) >= self._limits.origins:
            spare = next((known for known, pool in self._pools.items() if pool.spare), None)
            if spare is None:
                raise unreachable(peer, f"cannot be reached: {self._limits.origins} origins are in use already")
            self._pools.pop(spare).close()
        pool = self._pools[origin] = Pool(origin, dialer=self._dialer, limits=self._limits)
        return pool

    def _tick(self) -> None:
        """Looks at every deadline, and again `tick_s` later as long as there is a connection."""
        now = asyncio.get_running_loop().time()
        for pool in self._pools.values():
            for connection in tuple(pool.connections):
                if connection.deadline <= now:
                    connection.expire(now)
        self._tick_handle = None
        if not all(pool.unused for pool in self._pools.values()):
            self._schedule_tick()

    def _schedule_tick(self) -> None:
        self._tick_handle = asyncio.get_running_loop().call_later(self._limits.tick_s, self._tick)
