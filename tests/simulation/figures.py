"""What a day comes to, beside what it could have been: shares, costs, and how long it took to leave and to return."""

from array import array
from bisect import bisect_left
from collections.abc import Sequence
from typing import Final

import msgspec

from tests.simulation.day import Day
from tests.simulation.oracle import NOBODY, Oracle, list_prices
from tests.simulation.scenario import EVENTS, HOSTS, OUTAGES, TOTAL, Event
from tests.simulation.world import wanted

SETTLED_S: Final = 10.0
"""How long after an outage began its amplification is looked at."""
_BEFORE_S: Final = 600.0
_MINUTE_S: Final = 60.0
_BACK_SHARE: Final = 0.5
_SEEN_SHARE: Final = 0.05


class Leaving(msgspec.Struct, frozen=True):
    """How one event of full share went by. Seconds; None: there was nothing to measure.

    `left_s`: from its first failed attempt's end to the last regular attempt that began there before the event's end.
    `first_s`, `back_s`: from the event's end to the first regular attempt there, and to the first minute with half the
    share of traffic that it had in the ten minutes before. `sent`: regular attempts there behind the first failure;
    `probes`: the others.
    """

    provider: str
    trouble: str
    start: float
    share_before: float
    sent: int
    probes: int
    left_s: float | None
    first_s: float | None
    back_s: float | None


class Measures(msgspec.Struct, frozen=True, kw_only=True):
    """One seed's day. Shares between 0 and 1; `healthy`: of requests made while a provider was healthy."""

    seed: int
    requests: int
    healthy_requests: int
    attempts: int
    success_healthy: float
    failed_healthy: int
    success_whole_day: float
    oracle_healthy: float
    alone: tuple[float, ...]
    alone_sdk: tuple[float, ...]
    cost_of_oracle: float
    cost_of_cheapest_healthy: float
    shares: tuple[float, ...]
    oracle_shares: tuple[float, ...]
    amplification_single: tuple[float, ...]
    amplification_total: float
    worst_ten_seconds: float
    leavings: tuple[Leaving, ...]


def lived(seed: int, requests: int) -> Measures:
    """A day, from its first request to what it came to."""
    day = Day(seed, requests=requests)
    day.run()
    return measured(day)


def measured(day: Day) -> Measures:
    """Of a day that is over."""
    oracle = Oracle(day.world, list_prices())
    healthy = bytearray(len(day.at))
    for number, at in enumerate(day.at):
        oracle.judge(wanted(day.world.seed, day.first + number), at=at)
        healthy[number] = day.world.any_healthy(at)
    answered = day.book.answered
    served = sum([1 for number, well in enumerate(healthy) if well and answered[number]])
    known = sum([1 for number, well in enumerate(healthy) if well and oracle.chosen[number] != NOBODY])
    total = oracle.healthy_requests
    return Measures(
        seed=day.world.seed,
        requests=len(day.at),
        healthy_requests=total,
        attempts=len(day.providers.sent.at),
        success_healthy=served / total,
        failed_healthy=total - served,
        success_whole_day=sum(answered) / len(answered),
        oracle_healthy=known / total,
        alone=tuple([count / total for count in oracle.alone]),
        alone_sdk=tuple([count / total for count in oracle.alone_sdk]),
        cost_of_oracle=_ratio(day.book.costs, oracle.costs, answered=answered),
        cost_of_cheapest_healthy=_ratio(day.book.costs, oracle.cheapest_healthy_costs, answered=answered),
        shares=_shares(_served_by(day)),
        oracle_shares=_shares(oracle.chosen),
        amplification_single=tuple([amplification(day, event) for event in OUTAGES]),
        amplification_total=amplification(day, TOTAL[0]),
        worst_ten_seconds=worst_ten_seconds(day, TOTAL[0]),
        leavings=tuple([leaving(day, event) for event in EVENTS if _fails_all(event)]),
    )


def _fails_all(event: Event) -> bool:
    return event.share >= 1 and event.trouble in ("unreachable", "errors", "rate_limited") and event not in TOTAL


def _ratio(costs: "array[int]", others: "array[int]", *, answered: bytearray) -> float:
    """Of the requests that both answered; what the gateway paid for requests that it failed counts against it."""
    both = [number for number, other in enumerate(others) if other and answered[number]]
    wasted = sum([cost for number, cost in enumerate(costs) if not answered[number]])
    return (sum([costs[number] for number in both]) + wasted) / sum([others[number] for number in both])


def _served_by(day: Day) -> "array[int]":
    sent = day.providers.sent
    return array("b", [host for host, answered in zip(sent.host, sent.answered, strict=True) if answered])


def _shares(hosts: Sequence[int]) -> tuple[float, ...]:
    chosen = [host for host in hosts if host != NOBODY]
    return tuple([chosen.count(host) / len(chosen) for host in range(len(HOSTS))])


def amplification(day: Day, event: Event) -> float:
    """Attempts sent per request made, from ten seconds after it began to its end."""
    begin, end = event.start + SETTLED_S, event.end
    requests = bisect_left(day.at, end) - bisect_left(day.at, begin)
    attempts = bisect_left(day.providers.sent.at, end) - bisect_left(day.providers.sent.at, begin)
    return attempts / requests


def worst_ten_seconds(day: Day, event: Event) -> float:
    """The most attempts per request of any ten seconds in it, from its first on."""
    sent, at = day.providers.sent.at, day.at
    begin = event.start
    worst = 0.0
    while begin + SETTLED_S <= event.end:
        end = begin + SETTLED_S
        requests = bisect_left(at, end) - bisect_left(at, begin)
        worst = max(worst, (bisect_left(sent, end) - bisect_left(sent, begin)) / max(1, requests))
        begin += 1.0
    return worst


def leaving(day: Day, event: Event) -> Leaving:
    sent = day.providers.sent
    host = [one.provider for one in HOSTS].index(event.provider)
    began, ended = bisect_left(sent.at, event.start), bisect_left(sent.at, event.end)
    there = [n for n in range(began, ended) if sent.host[n] == host]
    failures = [sent.over_at[n] for n in there if not sent.answered[n]]
    before = bisect_left(sent.at, event.start - _BEFORE_S)
    share_before = _share(day, host, before, began)
    left_s, regular, probes = None, 0, 0
    if failures:
        first = min(failures)
        behind = [n for n in there if sent.at[n] > first]
        regulars = [n for n in behind if sent.regular[n]]
        regular, probes = len(regulars), len(behind) - len(regulars)
        left_s = max(0.0, sent.at[regulars[-1]] - first) if regulars else 0.0
    first_s, back_s = (None, None) if share_before < _SEEN_SHARE else _return(day, host, event, share=share_before)
    return Leaving(event.provider, event.trouble, event.start, share_before, regular, probes, left_s, first_s, back_s)


def _share(day: Day, host: int, begin: int, end: int) -> float:
    """Of the regular attempts between two of them."""
    sent = day.providers.sent
    regular = [n for n in range(begin, end) if sent.regular[n]]
    return sum([1 for n in regular if sent.host[n] == host]) / max(1, len(regular))


def _return(day: Day, host: int, event: Event, *, share: float) -> tuple[float | None, float | None]:
    sent = day.providers.sent
    begin = bisect_left(sent.at, event.end)
    first_s = next(
        (sent.at[n] - event.end for n in range(begin, len(sent.at)) if sent.host[n] == host and sent.regular[n]), None
    )
    minute = 0
    while begin < len(sent.at):
        end = bisect_left(sent.at, event.end + (minute + 1) * _MINUTE_S)
        if _share(day, host, begin, end) >= _BACK_SHARE * share:
            return first_s, minute * _MINUTE_S
        begin, minute = end, minute + 1
    return first_s, None
