"""How offers of one model compare: a pure function of their prices, their figures and the policy. Lower is better.

A score is the weighted mean of four ratios, each against the best of those that compete, and on top of it what a low
priority and a low uptime cost. Where the figures come from, and what is done with the scores, is left to others.
"""

from collections.abc import Sequence
from typing import Final, Literal

import msgspec

from llmgateway.domain.plan import Figures, Score
from llmgateway.domain.policy import RoutingPolicy

Strategy = Literal["price", "throughput", "latency"]
_FLOOR: Final = 1.0


class Weights(msgspec.Struct, frozen=True, gc=False):
    """What each ratio counts; they sum to 1, or are all 0."""

    price: float
    uptime: float
    throughput: float
    latency: float


class Volume(msgspec.Struct, frozen=True, gc=False):
    """The tokens that a request is expected to cost; `cached` of the prompt's come from a provider's cache."""

    prompt: float
    cached: float
    output: float


def weights_for(policy: RoutingPolicy, *, strategy: Strategy | None, streamed: bool) -> Weights:
    """Time to the first token counts for streams only. A strategy counts for most, uptime for the rest."""
    price = throughput = latency = 0.0
    uptime = policy.strategy_uptime_weight
    if strategy is None:
        price, uptime = policy.weight_price, policy.weight_uptime
        throughput, latency = policy.weight_throughput, policy.weight_latency
    elif strategy == "price":
        price = policy.strategy_weight
    elif strategy == "throughput":
        throughput = policy.strategy_weight
    else:
        latency = policy.strategy_weight
    if not streamed:
        latency = 0.0
    whole = price + uptime + throughput + latency or 1.0
    return Weights(price / whole, uptime / whole, throughput / whole, latency / whole)


def volume_of(policy: RoutingPolicy, *, prompt_tokens: int, output_limit: int | None, choices: int = 1) -> Volume:
    """What to expect of a request: for three tokens read one is written (the mix that prices of models are compared
    by everywhere), though never more than its limit, times the choices asked for. Of a long prompt (from the length
    at which providers begin to cache) half is read from the cache.
    """
    output = prompt_tokens / policy.input_output_ratio
    if output_limit is not None and output > output_limit:
        output = output_limit
    cached = prompt_tokens * policy.long_prompt_cached_share if prompt_tokens >= policy.long_prompt_tokens else 0.0
    return Volume(prompt_tokens, cached, output * choices)


def scores(
    prices: Sequence[float | None],
    figures: Sequence[Figures],
    priorities: Sequence[float],
    *,
    weights: Weights,
    policy: RoutingPolicy,
) -> list[Score]:
    """Of each offer, in their order. `prices`: what the request is expected to cost there, None = unknown."""
    if not figures:
        return []
    cap, below = policy.ratio_cap, policy.penalty_below_pct
    by_price, by_uptime = weights.price, weights.uptime
    by_throughput, by_latency = weights.throughput, weights.latency
    cheapest, free, unknown = _price_range(prices)
    uptimes = [one.uptime for one in figures]
    throughputs = [one.throughput for one in figures]
    latencies = [one.latency for one in figures]
    if min(uptimes) < _FLOOR or min(throughputs) < _FLOOR or min(latencies) < _FLOOR:
        uptimes, throughputs, latencies = _floored(uptimes), _floored(throughputs), _floored(latencies)
    best_uptime, best_throughput, best_latency = max(uptimes), max(throughputs), min(latencies)
    found: list[Score] = []
    for asked, u, t, l, priority, known in zip(  # noqa: E741 - uptime, throughput and latency of one offer
        prices, uptimes, throughputs, latencies, priorities, figures, strict=True
    ):
        price = unknown if asked is None else asked / cheapest - 1 + free if asked else 0.0
        uptime = best_uptime / u - 1
        throughput = best_throughput / t - 1
        latency = l / best_latency - 1
        if price + uptime + throughput + latency > cap:
            price, uptime = min(cap, price), min(cap, uptime)
            throughput, latency = min(cap, throughput), min(cap, latency)
        ratios = by_price * price + by_uptime * uptime + by_throughput * throughput + by_latency * latency
        penalty = penalty_of(known, policy=policy) if u < below else 0.0
        found.append(Score(ratios + (1 - priority) + penalty, price, uptime, throughput, latency, penalty))
    return found


def penalty_of(figures: Figures, *, policy: RoutingPolicy) -> float:
    """What an uptime below the line costs besides its ratio: it grows with the square of the distance."""
    below = policy.penalty_below_pct
    if figures.uptime >= below or figures.attempts < policy.penalty_min_attempts:
        return 0.0
    return (policy.penalty_factor * (below - figures.uptime) / below) ** 2


def _price_range(prices: Sequence[float | None]) -> tuple[float, float, float]:
    """The cheapest that costs anything; 1 if a free one competes, which every other one pays for; the ratio of an
    unknown price, which counts as the dearest.
    """
    costing = [one for one in prices if one]
    if len(costing) == len(prices):
        return min(costing), 0.0, 0.0
    free = 1.0 if 0 in prices else 0.0
    if not costing:
        return 1.0, free, free
    cheapest = min(costing)
    return cheapest, free, max(costing) / cheapest - 1 + free


def _floored(values: list[float]) -> list[float]:
    """So that a ratio divides by nothing below 1."""
    return [max(_FLOOR, one) for one in values]
