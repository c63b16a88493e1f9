"""The day in the life: six providers of one model with their catalogue prices, and what goes wrong with them when.

Fixed before the code that has to survive it was written. Times are seconds since the day began; every draw comes from
the seed. All ten seeds are run and the worst one counts.
"""

from typing import Final, Literal

import msgspec

MODEL: Final = "deepseek-v3.2"
DAY_S: Final = 86_400.0
REQUESTS: Final = 1_000_000
REQUESTS_IN_THE_SUITE: Final = 20_000
SEEDS: Final = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10)
STREAMED_SHARE: Final = 0.7
PROJECTS: Final = 20
PROMPT_TOKENS: Final = (1_500.0, 1.0)
OUTPUT_TOKENS: Final = (350.0, 0.8)
"""Log-normal: median and sigma."""
BUSY: Final = 0.6
"""Traffic swings by this share around its mean, least at 04:00, most at 16:00."""


class Host(msgspec.Struct, frozen=True):
    """A provider as it is on a good hour. `flaw`: the share of attempts that fail at any time, by a 500.

    Latency (to the first token) and throughput are medians of log-normals of sigma 0.3.
    """

    provider: str
    latency_ms: float
    throughput_tps: float
    flaw: float


HOSTS: Final = (
    Host("deepinfra", latency_ms=700, throughput_tps=55, flaw=0.0015),
    Host("novita", latency_ms=900, throughput_tps=45, flaw=0.002),
    Host("siliconflow", latency_ms=1_100, throughput_tps=40, flaw=0.002),
    Host("chutes", latency_ms=800, throughput_tps=50, flaw=0.004),
    Host("baseten", latency_ms=450, throughput_tps=80, flaw=0.0005),
    Host("fireworks", latency_ms=400, throughput_tps=95, flaw=0.0005),
)
"""From the cheapest to the dearest by the catalogue's price list."""

Trouble = Literal["unreachable", "stalled", "errors", "rate_limited", "empty", "slow", "starved"]


class Event(msgspec.Struct, frozen=True):
    """From `start` to `end` a `share` of a provider's attempts meets a trouble.

    `slow`: latency times `factor`, `starved`: throughput divided by it, both drifting there over the first third and
    back over the last. `retry_after_s`: what a rate limit asks for, None = it does not say.
    """

    provider: str
    trouble: Trouble
    start: float
    end: float
    share: float = 1.0
    factor: float = 1.0
    retry_after_s: float | None = None


def _at(hour: float) -> float:
    return hour * 3600


OUTAGES: Final = (
    Event("deepinfra", "unreachable", _at(3), _at(3) + 1_200),
    Event("novita", "errors", _at(16), _at(17)),
)
TOTAL: Final = tuple(Event(host.provider, "unreachable", _at(22), _at(22) + 180) for host in HOSTS)
"""For three minutes nobody can be reached: no request can succeed, and none may be amplified."""

EVENTS: Final = (
    *OUTAGES,
    *TOTAL,
    Event("deepinfra", "errors", _at(8), _at(9), share=0.3),
    Event("siliconflow", "rate_limited", _at(11), _at(11) + 300, retry_after_s=10),
    Event("deepinfra", "rate_limited", _at(13), _at(13) + 300, share=0.9, retry_after_s=5),
    Event("deepinfra", "rate_limited", _at(13.5), _at(13.5) + 300, share=0.7),
    Event("deepinfra", "rate_limited", _at(16.25), _at(16.25) + 300, retry_after_s=20),
    Event("siliconflow", "empty", 0.0, DAY_S, share=0.25),
    Event("novita", "slow", _at(6), _at(10), factor=4),
    Event("siliconflow", "starved", _at(12), _at(15), factor=2.5),
    Event("deepinfra", "slow", _at(18), _at(20), factor=5),
    Event("baseten", "stalled", _at(16.5), _at(16.5) + 120, share=0.5),
)

SUCCESS_AT_LEAST: Final = 0.9999
"""Of the requests made while at least one provider was healthy."""
COST_AT_MOST: Final = 1.05
"""Of the oracle's, which knows which attempt would succeed."""
AMPLIFICATION_AT_MOST: Final = 1.2
"""Attempts per request, from ten seconds after a total outage began."""
