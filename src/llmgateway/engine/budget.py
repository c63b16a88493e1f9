"""How often a provider may be asked again for a request that it has just failed: a share of its recent traffic.

A bucket that fills by the second: with the share of what the last ten seconds brought, at least with the minimum. It
holds one second's worth, so that an outage is not amplified by what was saved up before it.
"""

from typing import Final

from llmgateway.domain.policy import RoutingPolicy
from llmgateway.engine.clock import SECOND_NS

SECONDS: Final = 10


class RetryBudget:
    """One provider's, on a clock that never goes back."""

    __slots__ = ("_counts", "_current", "_filled_ns", "_next_ns", "_room", "_second", "_traffic")

    def __init__(self, *, now_ns: int) -> None:
        self._second = now_ns // SECOND_NS
        self._next_ns = (self._second + 1) * SECOND_NS
        self._current = 0
        self._counts = [0] * SECONDS
        self._traffic = 0
        self._room = 0.0
        self._filled_ns = now_ns - SECONDS * SECOND_NS

    def began(self, now_ns: int) -> None:
        """An attempt, which is traffic."""
        if now_ns >= self._next_ns:
            self._turn(now_ns // SECOND_NS)
        self._current += 1

    def take(self, now_ns: int, policy: RoutingPolicy) -> bool:
        """Whether there is room for a repeat, which is then used."""
        if now_ns >= self._next_ns:
            self._turn(now_ns // SECOND_NS)
        traffic = self._traffic + self._current
        rate = max(policy.retry_budget_min_per_s, policy.retry_budget_rate * traffic / SECONDS)
        room = self._room + rate * max(0, now_ns - self._filled_ns) / SECOND_NS
        self._room = min(room, max(rate, 1.0))
        self._filled_ns = now_ns
        if self._room < 1:
            return False
        self._room -= 1
        return True

    def _turn(self, second: int) -> None:
        self._counts[self._second % SECONDS] = self._current
        self._traffic += self._current
        self._current = 0
        for gone in range(self._second + 1, min(second, self._second + SECONDS) + 1):
            self._traffic -= self._counts[gone % SECONDS]
            self._counts[gone % SECONDS] = 0
        self._second = second
        self._next_ns = (second + 1) * SECOND_NS
