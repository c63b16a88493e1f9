"""The six providers as they are at any moment: what becomes of an attempt that begins then.

A pure function of scenario, seed, request, provider, try and time. What an attempt meets is decided when it begins: one
that is under way when an outage starts ends well. It knows nothing of the gateway.
"""

from collections.abc import Sequence
from typing import Final, Literal

import msgspec

from tests.simulation.draws import log_normal, of_attempt, of_request
from tests.simulation.scenario import (
    EVENTS,
    HOSTS,
    OUTPUT_TOKENS,
    PROJECTS,
    PROMPT_TOKENS,
    STREAMED_SHARE,
    Event,
    Host,
)

SPREAD: Final = 0.3
MOST_PROMPT_TOKENS: Final = 120_000
"""The longest prompt that all six take; about one request in 170,000 is cut down to it."""
MOST_OUTPUT_TOKENS: Final = 60_000
REFUSED_AFTER_S: Final = 0.02
RATE_LIMITED_AFTER_S: Final = 0.05
BROKEN_AFTER: Final = 0.3
"""An error comes after this share of the time to the first token."""
_STATUSES: Final = (500, 502, 503)
_FAILING: Final = ("unreachable", "rate_limited", "errors", "stalled", "empty")
"""In the order in which an attempt meets them: the network first, then the limiter, then the model."""
_EMPTY: Final[tuple[tuple[int, Event], ...]] = ()

Ending = Literal["answer", "refused", "lost", "status", "stalled", "empty"]


class Fate(msgspec.Struct, frozen=True):
    """What becomes of an attempt. `first_s`: until its answer, or its failure, begins; `last_s`: until all is there.

    refused: the connection, at once; lost: nobody answers the knocking; stalled: connected, then silence;
    status: an HTTP error, with its `retry_after_s`; empty: a 200 with nothing in it.
    """

    ending: Ending
    first_s: float = 0.0
    last_s: float = 0.0
    status: int = 200
    retry_after_s: float | None = None

    @property
    def answers(self) -> bool:
        return self.ending == "answer"


class Wanted(msgspec.Struct, frozen=True):
    """A request as its caller makes it."""

    number: int
    project: int
    streamed: bool
    prompt_tokens: int
    output_tokens: int


def wanted(seed: int, number: int) -> Wanted:
    u = of_request(seed, number)
    prompt = log_normal(u[2], median=PROMPT_TOKENS[0], sigma=PROMPT_TOKENS[1])
    output = log_normal(u[3], median=OUTPUT_TOKENS[0], sigma=OUTPUT_TOKENS[1])
    return Wanted(
        number,
        int(u[0] * PROJECTS),
        u[1] < STREAMED_SHARE,
        min(MOST_PROMPT_TOKENS, max(1, round(prompt))),
        min(MOST_OUTPUT_TOKENS, max(1, round(output))),
    )


class World:
    """Hosts and their events, of one seed."""

    def __init__(self, seed: int, *, hosts: Sequence[Host] = HOSTS, events: Sequence[Event] = EVENTS) -> None:
        self.seed = seed
        self.hosts = tuple(hosts)
        self._failing = [
            sorted(
                [(mark, event) for mark, event in _of(host, events) if event.trouble in _FAILING],
                key=lambda one: _FAILING.index(one[1].trouble),
            )
            for host in hosts
        ]
        self._drifting = [
            [(mark, event) for mark, event in _of(host, events) if event.trouble not in _FAILING] for host in hosts
        ]
        self._edges = sorted({edge for event in events for edge in (event.start, event.end)})
        self._now = (0.0, 0.0)
        self._on: list[list[tuple[int, Event]]] = []

    def fate(self, request: int, host: int, attempt: int, *, at: float, output_tokens: int) -> Fate:
        """`at`: seconds since the day began; `attempt`: 0 for the request's first one at this host."""
        u = of_attempt(self.seed, request, host, attempt)
        row = self.hosts[host]
        for mark, event in self._failing_now(host, at):
            if event.share >= 1 or u[4 + mark % 4] < event.share:
                return self._trouble(event, host, u, at=at, output_tokens=output_tokens)
        first_s, last_s = self._pace(host, u, at=at, output_tokens=output_tokens)
        if u[0] < row.flaw:
            return Fate("status", BROKEN_AFTER * first_s, status=500)
        return Fate("answer", first_s, last_s)

    def healthy(self, host: int, at: float) -> bool:
        """Whether nothing that befalls it then fails all of its attempts."""
        return all(event.share < 1 for _, event in self._failing_now(host, at))

    def any_healthy(self, at: float) -> bool:
        return any(self.healthy(host, at) for host in range(len(self.hosts)))

    def troubled(self, host: int, at: float) -> bool:
        """Whether any event that fails attempts is on."""
        return bool(self._failing_now(host, at))

    def slowness(self, host: int, at: float) -> tuple[float, float]:
        """Factors of latency and of the time per token."""
        slow = starved = 1.0
        for _, event in self._drifting[host]:
            if event.start <= at < event.end:
                factor = drift(event, at)
                if event.trouble == "slow":
                    slow *= factor
                else:
                    starved *= factor
        return slow, starved

    def _failing_now(self, host: int, at: float) -> Sequence[tuple[int, Event]]:
        """Looked up once for all that happens between two edges of events."""
        if not self._now[0] <= at < self._now[1]:
            before = [edge for edge in self._edges if edge <= at]
            behind = [edge for edge in self._edges if edge > at]
            self._now = (before[-1] if before else float("-inf"), behind[0] if behind else float("inf"))
            self._on = [
                [one for one in self._failing[number] if one[1].start <= at < one[1].end]
                for number in range(len(self.hosts))
            ]
        return self._on[host]

    def _pace(self, host: int, u: Sequence[float], *, at: float, output_tokens: int) -> tuple[float, float]:
        row = self.hosts[host]
        slow, starved = self.slowness(host, at) if self._drifting[host] else (1.0, 1.0)
        first_s = slow * log_normal(u[1], median=row.latency_ms, sigma=SPREAD) / 1000
        tokens_a_second = log_normal(u[2], median=row.throughput_tps, sigma=SPREAD) / starved
        return first_s, first_s + output_tokens / tokens_a_second

    def _trouble(self, event: Event, host: int, u: Sequence[float], *, at: float, output_tokens: int) -> Fate:
        if event.trouble == "unreachable":
            return Fate("refused", REFUSED_AFTER_S) if u[3] < 0.5 else Fate("lost")
        if event.trouble == "rate_limited":
            return Fate("status", RATE_LIMITED_AFTER_S, status=429, retry_after_s=event.retry_after_s)
        if event.trouble == "stalled":
            return Fate("stalled")
        first_s, _ = self._pace(host, u, at=at, output_tokens=output_tokens)
        if event.trouble == "empty":
            return Fate("empty", first_s, first_s)
        return Fate("status", BROKEN_AFTER * first_s, status=_STATUSES[int(u[3] * len(_STATUSES))])


def drift(event: Event, at: float) -> float:
    """There over the first third, back over the last."""
    passed = (at - event.start) / (event.end - event.start)
    return 1 + (event.factor - 1) * min(1.0, 3 * passed, 3 * (1 - passed))


def _of(host: Host, events: Sequence[Event]) -> list[tuple[int, Event]]:
    """Each with a number of its own, that says which draw is its."""
    return list(enumerate([event for event in events if event.provider == host.provider]))
