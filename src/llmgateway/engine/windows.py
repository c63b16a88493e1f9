"""What recent attempts at one offer came to, in bounded memory: counts of the last minute, five minutes and the rest.

Time is cut into slots: 5 s in the last minute, 15 s (1/20) in the last five, 60 s (1/60) in the whole window. An
attempt moves on with its slot, so that it leaves a band at most one slot too early or 5 s too late. Everything is
counted in integers, sums are kept as slots come and go, and nothing is moved before somebody asks.
"""

from array import array
from collections.abc import Iterator
from typing import Final

from llmgateway.domain.plan import Figures
from llmgateway.domain.policy import RoutingPolicy
from llmgateway.engine.clock import SECOND_NS

SLOT_NS: Final = 5 * SECOND_NS
SLOTS: Final = (12, 20, 60)
"""Of the last minute, the last five and the whole window."""
_FIVE_MINUTES_S: Final = 300
_WIDTH: Final = 6
"""Attempts, failures, first tokens timed, their microseconds, output tokens, the microseconds they took."""
_MOST_TOKENS: Final = 1_000_000_000
_LONGEST_S: Final = 100_000.0
_LONGEST_MS: Final = 1_000 * _LONGEST_S

Counts = list[int]
_Slot = tuple[int, Counts]


class Band:
    """A ring of slots and their sums. `at`: the number of the newest one."""

    __slots__ = ("_cells", "at", "slot_ns", "slots", "sums")

    def __init__(self, *, slots: int, slot_ns: int, at: int) -> None:
        self.slots = slots
        self.slot_ns = slot_ns
        self.at = at
        self.sums: Counts = [0] * _WIDTH
        self._cells = array("q", bytes(8 * _WIDTH * slots))

    def advance(self, at: int) -> list[_Slot]:
        """Makes `at` the newest slot. What is too old for this band now: when it began, and its counts."""
        if at == self.at:
            return []
        first = self.at - self.slots + 1
        expelled = list(self._taken(first, min(at - self.slots, self.at)))
        self.at = at
        return expelled

    def put(self, slot: _Slot) -> _Slot | None:
        """Adds what another band expelled. What is too old for this one too comes back, begun when a slot here began,
        as if it had been here: where it goes does not depend on when somebody looked.
        """
        began_ns, counts = slot
        number = began_ns // self.slot_ns
        if self.at - number >= self.slots:
            return number * self.slot_ns, counts
        base = number % self.slots * _WIDTH
        cells, sums = self._cells, self.sums
        for index, count in enumerate(counts):
            cells[base + index] += count
            sums[index] += count
        return None

    def emptied(self) -> list[_Slot]:
        """All there is, which is then there no more."""
        return list(self._taken(self.at - self.slots + 1, self.at))

    def newest(self, reach_ns: int) -> Counts:
        """The sums of what is younger than that, up to a slot."""
        slots = -(-reach_ns // self.slot_ns)
        if slots >= self.slots:
            return self.sums
        rows = [self._row(number) for number in range(self.at - slots + 1, self.at + 1)]
        return [sum(row[index] for row in rows) for index in range(_WIDTH)]

    def _taken(self, first: int, last: int) -> Iterator[_Slot]:
        for number in range(first, last + 1):
            counts = self._row(number)
            if any(counts):
                base = number % self.slots * _WIDTH
                self._cells[base : base + _WIDTH] = array("q", bytes(8 * _WIDTH))
                for index, count in enumerate(counts):
                    self.sums[index] -= count
                yield number * self.slot_ns, counts

    def _row(self, number: int) -> Counts:
        base = number % self.slots * _WIDTH
        return list(self._cells[base : base + _WIDTH])


class Window:
    """One offer's, on a clock that never goes back. `sent_ns`: when an attempt at it began last. `running`: how many
    attempts are under way, `awaiting`: those of them without first content.
    """

    __slots__ = (
        "_figures",
        "_five",
        "_minute",
        "_next_ns",
        "_now",
        "_policy",
        "_rest",
        "awaiting",
        "running",
        "sent_ns",
        "window_s",
    )

    def __init__(self, *, window_s: int, now_ns: int) -> None:
        self.sent_ns = now_ns
        self.awaiting = self.running = 0
        self.window_s = window_s
        self._minute = Band(slots=SLOTS[0], slot_ns=SLOT_NS, at=now_ns // SLOT_NS)
        self._five, self._rest = _wider(window_s, now_ns=self._minute.at * SLOT_NS)
        self._now: Counts = [0] * _WIDTH
        self._next_ns = (self._minute.at + 1) * SLOT_NS
        self._policy: RoutingPolicy | None = None
        self._figures: Figures | None = None

    def succeeded(
        self, now_ns: int, *, ttft_ms: float | None, tokens: int, seconds: float, committed: bool = False
    ) -> None:
        """Times and tokens that cannot be are left out."""
        if self.running:
            self.running -= 1
        if self.awaiting and not committed:
            self.awaiting -= 1
        if now_ns >= self._next_ns:
            self._turn(now_ns)
        counts = self._now
        counts[0] += 1
        if ttft_ms is not None and 0 <= ttft_ms < _LONGEST_MS:
            counts[2] += 1
            counts[3] += int(1_000 * ttft_ms)
        if 0 < tokens <= _MOST_TOKENS and 0 < seconds < _LONGEST_S:
            counts[4] += tokens
            counts[5] += int(1_000_000 * seconds) or 1
        self._figures = None

    def committed(self) -> None:
        """One of those under way has its first content."""
        if self.awaiting:  # those that began before a window was dropped are not counted in the next one
            self.awaiting -= 1

    def ended(self, *, committed: bool) -> None:
        if self.running:
            self.running -= 1
        if not committed:
            self.committed()

    def failed(self, now_ns: int) -> None:
        if now_ns >= self._next_ns:
            self._turn(now_ns)
        counts = self._now
        counts[0] += 1
        counts[1] += 1
        self._figures = None

    def figures(self, now_ns: int, policy: RoutingPolicy) -> Figures:
        if now_ns >= self._next_ns:
            self._turn(now_ns)
        found = self._figures
        if found is None or policy is not self._policy:
            found = self._figures = self._weighed(policy)
            self._policy = policy
        return found

    def resize(self, window_s: int) -> None:
        """Goes on with another window; what it has no room for is forgotten."""
        old = (*self._five.emptied(), *self._rest.emptied())
        self.window_s = window_s
        self._five, self._rest = _wider(window_s, now_ns=self._minute.at * SLOT_NS)
        for slot in old:
            older = self._five.put(slot)
            if older is not None:
                self._rest.put(older)
        self._figures = None

    def _turn(self, now_ns: int) -> None:
        """Another slot begins."""
        minute = self._minute
        if any(self._now):
            minute.put((minute.at * SLOT_NS, self._now))
            self._now = [0] * _WIDTH
        leaving = minute.advance(now_ns // SLOT_NS)
        began_ns = minute.at * SLOT_NS
        for band in (self._five, self._rest):
            older = band.advance(began_ns // band.slot_ns)
            leaving = older + [left for slot in leaving if (left := band.put(slot)) is not None]
        self._next_ns = began_ns + SLOT_NS
        self._figures = None

    def _weighed(self, policy: RoutingPolicy) -> Figures:
        five, rest = self._five.sums, self._rest.sums
        if policy.metrics_window_s < self.window_s:
            reach_ns = policy.metrics_window_s * SECOND_NS
            five, rest = self._five.newest(reach_ns), self._rest.newest(reach_ns)
        ten, three, one = policy.recency_weight_1m, policy.recency_weight_5m, policy.recency_weight_rest
        a, b, c, d, e, f = self._minute.sums
        g, h, i, j, k, l = self._now  # noqa: E741 - the twelve counts of the last minute, in their order
        a5, b5, c5, d5, e5, f5 = five
        ar, br, cr, dr, er, fr = rest
        attempts = ten * (a + g) + three * a5 + one * ar
        if not attempts:
            return unknown(policy)
        failures = ten * (b + h) + three * b5 + one * br
        timed = ten * (c + i) + three * c5 + one * cr
        took = ten * (f + l) + three * f5 + one * fr
        return Figures(
            100 * (1 - failures / (attempts + policy.uptime_prior_attempts)),
            (ten * (d + j) + three * d5 + one * dr) / timed / 1_000 if timed else policy.default_latency_ms,
            (ten * (e + k) + three * e5 + one * er) * 1_000_000 / took if took else policy.default_throughput_tps,
            a + g + a5 + ar,
        )


def unknown(policy: RoutingPolicy) -> Figures:
    """Of an offer that nothing is known of."""
    return Figures(policy.default_uptime_pct, policy.default_latency_ms, policy.default_throughput_tps, 0.0)


def _wider(window_s: int, *, now_ns: int) -> tuple[Band, Band]:
    five_ns = min(window_s, _FIVE_MINUTES_S) * SECOND_NS // SLOTS[1]
    rest_ns = window_s * SECOND_NS // SLOTS[2]
    return (
        Band(slots=SLOTS[1], slot_ns=five_ns, at=now_ns // five_ns),
        Band(slots=SLOTS[2], slot_ns=rest_ns, at=now_ns // rest_ns),
    )
