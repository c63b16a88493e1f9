"""The simulation's page: what ten days and the conversations came to, beside the limits. Pure text from measures.

What stands above the mark in docs/simulation.md is written by hand and kept.
"""

from collections.abc import Callable, Sequence
from statistics import fmean, median
from typing import Final

from tests.simulation.conversing import Conversing
from tests.simulation.figures import Leaving, Measures
from tests.simulation.scenario import (
    AMPLIFICATION_AT_MOST,
    COST_AT_MOST,
    HOSTS,
    OUTAGES,
    SUCCESS_AT_LEAST,
)

MARK: Final = "<!-- From here on written by `make simulation`. -->"
CACHED_AT_LEAST: Final = 0.99
NAMES: Final = [host.provider for host in HOSTS]
_SEED_HEADS: Final = [
    "seed",
    "success",
    "failed",
    "oracle",
    "whole day",
    "cost ÷ oracle's",
    "cost ÷ cheapest healthy",
    "attempts ÷ requests",
    *[f"{event.provider} out" for event in OUTAGES],
    "all out",
    "all out, from the start",
]
_EVENT_HEADS: Final = [
    "provider",
    "trouble",
    "at",
    "share before",
    "left after",
    "regular requests meanwhile",
    "probes meanwhile",
    "first again after",
    "back after",
]
_TALK_HEADS: Final = [
    "the cheapest provider",
    "seed",
    "direct",
    "direct, patient",
    "gateway",
    "÷ direct",
    f"≥ {CACHED_AT_LEAST}",
    "turns direct had to ask again",
    "turns that failed here",
    "turns that moved",
    "of them had to",
]


def page(before: str, days: Sequence[Measures], talks: Sequence[Conversing]) -> str:
    """`before`: the page as it is."""
    written = before.partition(MARK)[0].rstrip() or "# A day in the life"
    parts = [written, MARK, *_day_parts(days), *_talk_parts(talks)]
    return "\n\n".join(parts) + "\n"


def _day_parts(days: Sequence[Measures]) -> list[str]:
    total = sum(day.requests for day in days)
    return [
        "## Against the limits",
        f"Seeds {_named([day.seed for day in days])}, {total:,} requests in all; the worst seed counts.",
        _table(["what", "worst seed", "limit", ""], _limits(days)),
        "## Seed by seed",
        _table(
            _SEED_HEADS,
            [_seed_row(day) for day in days],
        ),
        "## Provider by provider",
        "Success as above; worst seed. Shares of answered requests; mean of the seeds.",
        _table(
            ["provider", "alone", "alone, client library's retries", "the gateway's share", "the oracle's share"],
            [_host_row(days, host) for host in range(len(HOSTS))],
        ),
        "## Leaving and returning",
        "Seconds; median of the seeds, and in brackets the worst.",
        _table(
            _EVENT_HEADS,
            [_event_row(days, index) for index in range(len(days[0].leavings))],
        ),
    ]


def _limits(days: Sequence[Measures]) -> list[list[str]]:
    best_alone = max(min(day.alone_sdk[host] for day in days) for host in range(len(HOSTS)))
    success = min(day.success_healthy for day in days)
    cost = max(day.cost_of_oracle for day in days)
    rows = [
        ["success while a provider is healthy", _share(success), f"≥ {_share(SUCCESS_AT_LEAST)}",
         _kept(success >= SUCCESS_AT_LEAST)],
        ["success of the best provider alone, with retries", _share(best_alone), "", ""],
        ["cost ÷ oracle's", f"{cost:.4f}", f"≤ {COST_AT_MOST}", _kept(cost <= COST_AT_MOST)],
    ]  # fmt: skip
    named: list[tuple[str, Callable[[Measures], float]]] = [
        (f"attempts ÷ requests, {event.provider} out", lambda day, n=n: day.amplification_single[n])
        for n, event in enumerate(OUTAGES)
    ]
    for name, figure in [*named, ("attempts ÷ requests, all out", lambda day: day.amplification_total)]:
        worst = max(figure(day) for day in days)
        rows.append([name, f"{worst:.3f}", f"≤ {AMPLIFICATION_AT_MOST}", _kept(worst <= AMPLIFICATION_AT_MOST)])
    return rows


def _seed_row(day: Measures) -> list[str]:
    return [
        str(day.seed),
        _share(day.success_healthy),
        str(day.failed_healthy),
        _share(day.oracle_healthy),
        _share(day.success_whole_day),
        f"{day.cost_of_oracle:.4f}",
        f"{day.cost_of_cheapest_healthy:.4f}",
        f"{day.attempts / day.requests:.4f}",
        *[f"{one:.3f}" for one in day.amplification_single],
        f"{day.amplification_total:.3f}",
        f"{day.worst_ten_seconds:.2f}",
    ]


def _host_row(days: Sequence[Measures], host: int) -> list[str]:
    return [
        NAMES[host],
        _share(min(day.alone[host] for day in days)),
        _share(min(day.alone_sdk[host] for day in days)),
        _percent(fmean([day.shares[host] for day in days])),
        _percent(fmean([day.oracle_shares[host] for day in days])),
    ]


def _event_row(days: Sequence[Measures], index: int) -> list[str]:
    ones = [day.leavings[index] for day in days]
    first = ones[0]

    def told(figure: Callable[[Leaving], float | None]) -> str:
        known = [value for one in ones if (value := figure(one)) is not None]
        return f"{median(known):.0f} ({max(known):.0f})" if known else "–"

    return [
        first.provider,
        first.trouble,
        f"{int(first.start // 3600):02d}:{int(first.start % 3600 // 60):02d}",
        _percent(fmean([one.share_before for one in ones])),
        told(lambda one: one.left_s),
        told(lambda one: one.sent),
        told(lambda one: one.probes),
        told(lambda one: one.first_s),
        told(lambda one: one.back_s),
    ]


def _talk_parts(talks: Sequence[Conversing]) -> list[str]:
    if not talks:
        return []
    return [
        "## Conversations",
        f"{talks[0].conversations:,} conversations to each line.",
        _table(
            _TALK_HEADS,
            [_talk_row(one) for one in talks],
        ),
    ]


def _talk_row(one: Conversing) -> list[str]:
    return [
        one.flap,
        str(one.seed),
        f"{one.direct_calm:.4f}",
        f"{one.direct_flapping:.4f}",
        f"{one.gateway:.4f}",
        f"{one.gateway / one.direct_calm:.4f}",
        _kept(one.gateway >= CACHED_AT_LEAST * one.direct_calm),
        f"{one.direct_failures:,}",
        f"{one.failures:,}",
        f"{one.moves:,}",
        f"{one.forced:,}",
    ]


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(heads)} |", f"|{'|'.join(['---'] * len(heads))}|"]
    return "\n".join([*lines, *[f"| {' | '.join(row)} |" for row in rows]])


def _named(numbers: Sequence[int]) -> str:
    return ", ".join([str(number) for number in numbers])


def _share(value: float) -> str:
    return f"{100 * value:.4f} %"


def _percent(value: float) -> str:
    return f"{100 * value:.1f} %"


def _kept(well: bool) -> str:
    return "kept" if well else "**missed**"
