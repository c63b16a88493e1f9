"""How offers of one model compare: a pure function of their prices, their figures and the policy. Lower is better.

A score is the weighted mean of four ratios, each against the best of those that compete, and on top of it what a low
priority and a low uptime cost. Where the figures come from, and what is done with the scores, is left to others.
"""

from collections.abc import Sequence
from math import inf
from typing import Final, Literal

import msgspec

from llmgateway.domain.policy import RoutingPolicy
from llmgateway.domain.routing import Figures, Score

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


class Contender(msgspec.Struct, frozen=True, gc=False):
    """What is compared of one offer. `price`: what the request is expected to cost there, None = unknown."""

    price: float | None
    figures: Figures
    priority: float = 1.0


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


def scores(contenders: Sequence[Contender], *, weights: Weights, policy: RoutingPolicy) -> list[Score]:
    """Of each contender, in their order."""
    cap = policy.ratio_cap
    best = _best_of(contenders)
    found: list[Score] = []
    for one in contenders:
        figures = _floored(one.figures)
        price = _price_ratio(one.price, best)
        uptime = best.uptime / figures.uptime - 1
        throughput = best.throughput / figures.throughput - 1
        latency = figures.latency / best.latency - 1
        if price > cap or uptime > cap or throughput > cap or latency > cap:
            price, uptime = min(cap, price), min(cap, uptime)
            throughput, latency = min(cap, throughput), min(cap, latency)
        penalty = penalty_of(figures, policy=policy)
        total = (
            weights.price * price
            + weights.uptime * uptime
            + weights.throughput * throughput
            + weights.latency * latency
            + (1 - one.priority)
            + penalty
        )
        found.append(Score(total, price, uptime, throughput, latency, penalty))
    return found


def penalty_of(figures: Figures, *, policy: RoutingPolicy) -> float:
    """What an uptime below the line costs besides its ratio: it grows with the square of the distance."""
    below = policy.penalty_below_pct
    if figures.uptime >= below or figures.attempts < policy.penalty_min_attempts:
        return 0.0
    return (policy.penalty_factor * (below - figures.uptime) / below) ** 2


class _Best(msgspec.Struct, gc=False):
    """What the ratios are taken against. `cheapest` above 0, `free`: 1 if a price of 0 competes."""

    cheapest: float = 0.0
    dearest: float = 0.0
    free: float = 0.0
    uptime: float = 0.0
    throughput: float = 0.0
    latency: float = inf


def _best_of(contenders: Sequence[Contender]) -> _Best:
    best = _Best()
    for one in contenders:
        figures, price = _floored(one.figures), one.price
        if figures.uptime > best.uptime:
            best.uptime = figures.uptime
        if figures.throughput > best.throughput:
            best.throughput = figures.throughput
        if figures.latency < best.latency:
            best.latency = figures.latency
        if price is None:
            continue
        if price <= 0:
            best.free = 1.0
        elif price < best.cheapest or not best.cheapest:
            best.cheapest = price
        if price > best.dearest:
            best.dearest = price
    return best


def _floored(figures: Figures) -> Figures:
    """So that a ratio divides by nothing below 1."""
    if figures.uptime >= _FLOOR and figures.latency >= _FLOOR and figures.throughput >= _FLOOR:
        return figures
    return Figures(
        max(_FLOOR, figures.uptime),
        max(_FLOOR, figures.latency),
        max(_FLOOR, figures.throughput),
        figures.attempts,
    )


def _price_ratio(price: float | None, best: _Best) -> float:
    """Against the cheapest that costs anything, and 1 more where a free one competes; unknown = the dearest."""
    if price is None:
        return best.dearest / best.cheapest - 1 + best.free if best.cheapest else best.free
    return price / best.cheapest - 1 + best.free if price > 0 else 0.0
