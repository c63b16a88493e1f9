"""Plain counters of the data plane, added up per request and rendered only when somebody scrapes them.

Labels come from configuration (providers, models, outcomes), so the maps are bounded by it; `_LIMIT` guards the rest.
"""

from bisect import bisect_left
from collections import defaultdict
from typing import Final

from llmgateway.domain.record import AttemptRow, LogRecord

DURATION_BOUNDS_S: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)
OVERHEAD_BOUNDS_S: Final = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)
_LIMIT: Final = 10_000


class Histogram:
    """Counts per bucket (the last one is +Inf) and the sum, in microseconds. `bounds_s`: of the buckets, in seconds."""

    __slots__ = ("_bounds_us", "bounds_s", "buckets", "sum_us")

    def __init__(self, bounds_s: tuple[float, ...] = DURATION_BOUNDS_S) -> None:
        self.bounds_s = bounds_s
        self._bounds_us = [round(bound * 1_000_000) for bound in bounds_s]
        self.buckets = [0] * (len(bounds_s) + 1)
        self.sum_us = 0

    def add(self, value_us: int) -> None:
        self.buckets[bisect_left(self._bounds_us, value_us)] += 1
        self.sum_us += value_us


class Route:
    """What is counted per provider and model."""

    __slots__ = ("cached_tokens", "completion_tokens", "cost_picousd", "duration", "prompt_tokens", "ttft")

    def __init__(self) -> None:
        self.prompt_tokens = 0
        self.completion_tokens = 0
        self.cached_tokens = 0
        self.cost_picousd = 0
        self.duration = Histogram()
        self.ttft = Histogram()


def _used_model(attempt: AttemptRow) -> str:
    region = f":{attempt.region}" if attempt.region else ""
    return f"{attempt.provider}/{attempt.model}{region}"


class Meters:
    """`requests` by (provider, model, outcome, status); `attempts` by (provider, model, error_type).

    `overhead`: our own time in each answer, until its head goes out.
    """

    def __init__(self) -> None:
        self.requests: defaultdict[tuple[str, str, str, int], int] = defaultdict(int)
        self.attempts: defaultdict[tuple[str, str, str], int] = defaultdict(int)
        self.routes: dict[tuple[str, str], Route] = {}
        self.overhead = Histogram(OVERHEAD_BOUNDS_S)
        self.unauthenticated = 0
        self.in_flight = 0
        self.overloaded = 0

    def count(self, record: LogRecord) -> None:
        row = record.exchange
        provider = row.used_provider or ""
        model = row.used_model or ""
        self.requests[provider, model, row.outcome, row.status] += 1
        if row.credential is not None:
            self.attempts[provider, model, "none"] += 1
        for attempt in record.others:
            self.attempts[attempt.provider, _used_model(attempt), attempt.error_type] += 1
        route = self.routes.get((provider, model))
        if route is None:
            if len(self.routes) >= _LIMIT:
                self._forget()
            route = self.routes[(provider, model)] = Route()
        route.prompt_tokens += row.prompt_tokens
        route.completion_tokens += row.completion_tokens
        route.cached_tokens += row.cached_tokens
        route.cost_picousd += row.cost_total or 0
        route.duration.add(row.duration_us)
        if row.ttft_us is not None:
            route.ttft.add(row.ttft_us)

    def _forget(self) -> None:
        """Any-model providers let callers name models: start anew rather than grow without bound."""
        self.requests.clear()
        self.attempts.clear()
        self.routes.clear()
