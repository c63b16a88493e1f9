"""Each number of the score, and what holds whatever the numbers are."""

import math
from random import Random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmgateway.domain.plan import Figures, Score
from llmgateway.domain.policy import RoutingPolicy
from llmgateway.domain.usage import Price, PriceTier, tariff_of
from llmgateway.engine.score import penalty_of, scores, volume_of, weights_for
from tests.support.vitals import figures

POLICY = RoutingPolicy()
STREAM = weights_for(POLICY, strategy=None, streamed=True)
WHOLE = weights_for(POLICY, strategy=None, streamed=False)


def scored(
    prices: list[float | None], known: list[Figures] | None = None, priorities: list[float] | None = None
) -> list[Score]:
    known = known or [figures()] * len(prices)
    return scores(prices, known, priorities or [1.0] * len(prices), weights=STREAM, policy=POLICY)


def price_ratios(*prices: float | None) -> list[float]:
    return [one.price for one in scored(list(prices))]


# Weights


def test_the_weights_of_a_stream_are_normalised() -> None:
    assert (STREAM.price, STREAM.uptime, STREAM.throughput, STREAM.latency) == pytest.approx(
        (0.6 / 1.175, 0.5 / 1.175, 0.05 / 1.175, 0.025 / 1.175)
    )


def test_latency_counts_for_streams_only() -> None:
    assert (WHOLE.price, WHOLE.uptime, WHOLE.throughput, WHOLE.latency) == pytest.approx(
        (0.6 / 1.15, 0.5 / 1.15, 0.05 / 1.15, 0)
    )


@pytest.mark.parametrize("strategy", ["price", "throughput", "latency"])
def test_a_strategy_counts_nine_parts_and_uptime_one(strategy: str) -> None:
    weights = weights_for(POLICY, strategy=strategy, streamed=True)  # pyright: ignore[reportArgumentType]  # one of three
    told = msgspec.structs.asdict(weights)
    assert told.pop(strategy) == pytest.approx(0.9)
    assert told.pop("uptime") == pytest.approx(0.1)
    assert set(told.values()) == {0}


def test_without_any_weight_nothing_is_divided_by_nothing() -> None:
    nothing = RoutingPolicy(weight_price=0, weight_uptime=0, weight_throughput=0, weight_latency=0)
    weights = weights_for(nothing, strategy=None, streamed=True)
    assert set(msgspec.structs.asdict(weights).values()) == {0}


# Ratios


def test_a_price_is_compared_with_the_cheapest() -> None:
    assert price_ratios(1.0, 1.5, 3.0) == pytest.approx([0, 0.5, 2])


def test_a_price_of_nothing_is_0_and_the_others_pay_1_more_than_against_the_cheapest_that_costs() -> None:
    assert price_ratios(0.0, 2.0, 3.0) == pytest.approx([0, 1, 1.5])


def test_an_unknown_price_counts_as_the_dearest() -> None:
    assert price_ratios(1.0, None, 3.0) == pytest.approx([0, 2, 2])
    assert price_ratios(0.0, None, 2.0, 4.0) == pytest.approx([0, 2, 1, 2])


def test_an_unknown_price_beside_free_ones_is_no_free_one() -> None:
    assert price_ratios(0.0, None) == pytest.approx([0, 1])


def test_where_no_price_is_known_none_is_better() -> None:
    assert price_ratios(None, None) == [0, 0]


def test_ratios_are_capped_at_ten() -> None:
    (_, far) = scored([1.0, 1000.0], [figures(), figures(1, latency=1e6, throughput=1)])
    assert (far.price, far.uptime, far.throughput, far.latency) == (10, 10, 10, 10)
    assert price_ratios(0.0, 1.0, 50.0)[2] == 10


def test_uptime_throughput_and_latency_are_compared_with_the_best() -> None:
    known = [figures(100, latency=500, throughput=80), figures(80, latency=750, throughput=40)]
    (best, other) = scored([1.0, 1.0], known)
    assert (best.uptime, best.throughput, best.latency) == (0, 0, 0)
    assert (other.uptime, other.throughput, other.latency) == pytest.approx((0.25, 1, 0.5))


def test_figures_below_1_count_as_1() -> None:
    (best, other) = scored([1.0, 1.0], [figures(5, latency=0.1, throughput=3), figures(0, latency=2, throughput=0)])
    assert (other.uptime, other.throughput, other.latency) == pytest.approx((4, 2, 1))
    assert (best.uptime, best.throughput, best.latency) == (0, 0, 0)


def test_a_lower_priority_is_added() -> None:
    (one, other) = scored([1.0, 1.0], priorities=[1.0, 0.75])
    assert (one.total, other.total) == pytest.approx((0, 0.25))


def test_the_total_is_the_weighted_sum_and_the_penalty() -> None:
    known = [figures(100, latency=500, throughput=80), figures(80, latency=750, throughput=40)]
    (_, other) = scored([1.0, 1.5], known, [1.0, 0.9])
    expected = (0.6 * 0.5 + 0.5 * 0.25 + 0.05 * 1 + 0.025 * 0.5) / 1.175 + 0.1 + (5 * 15 / 95) ** 2
    assert other.total == pytest.approx(expected)


# Penalty


@pytest.mark.parametrize(("uptime", "penalty"), [(95, 0), (90, 0.07), (80, 0.62), (70, 1.73), (50, 5.61)])
def test_the_penalties_of_the_specification(uptime: float, penalty: float) -> None:
    assert round(penalty_of(figures(uptime), policy=POLICY), 2) == penalty


@pytest.mark.parametrize(("attempts", "punished"), [(4, False), (5, True)])
def test_below_five_attempts_there_is_no_penalty(attempts: float, punished: bool) -> None:
    (one,) = scored([1.0], [figures(50, attempts=attempts)])
    assert (one.penalty > 0) is punished


# What a request is expected to cost


def test_three_tokens_read_make_one_written() -> None:
    volume = volume_of(POLICY, prompt_tokens=900, output_limit=None)
    assert (volume.prompt, volume.cached, volume.output) == (900, 0, 300)


def test_no_more_is_expected_than_is_allowed_and_every_choice_is_written() -> None:
    assert volume_of(POLICY, prompt_tokens=900, output_limit=100).output == 100
    assert volume_of(POLICY, prompt_tokens=900, output_limit=100, choices=3).output == 300


@pytest.mark.parametrize(("prompt", "cached"), [(1023, 0), (1024, 512), (10_000, 5000)])
def test_half_of_a_long_prompt_is_read_from_the_cache(prompt: int, cached: float) -> None:
    assert volume_of(POLICY, prompt_tokens=prompt, output_limit=None).cached == cached


def test_a_price_is_of_the_whole_mix_with_its_request_and_multiplier() -> None:
    price = Price(input=10, output=30, cached_input=2, request=500, multiplier_bp=5000)
    expected = (600 * 10 + 400 * 2 + 100 * 30 + 500) / 2
    assert tariff_of(price).expected(1000, cached=400, output=100) == expected


def test_without_a_price_of_its_own_the_cached_part_costs_what_input_does() -> None:
    assert tariff_of(Price(input=10, output=0)).expected(1000, cached=400, output=0) == 10_000


def test_a_longer_prompt_has_the_prices_of_its_tier() -> None:
    tiers = (PriceTier(above_tokens=1000, input=20, output=40), PriceTier(above_tokens=2000, input=50, output=60))
    tariff = tariff_of(Price(input=10, output=30, tiers=tiers, request=7))
    assert tariff.expected(1000, cached=0, output=10) == 10 * 1000 + 30 * 10 + 7
    assert tariff.expected(1001, cached=0, output=10) == 20 * 1001 + 40 * 10 + 7
    assert tariff.expected(2001, cached=0, output=10) == 50 * 2001 + 60 * 10 + 7


# Whatever the numbers

OFFERS = st.lists(
    st.tuples(
        st.none() | st.just(0.0) | st.floats(1e-3, 1e12),
        st.builds(Figures, st.floats(0, 100), st.floats(0, 1e6), st.floats(0, 1e5), st.integers(0, 1000).map(float)),
        st.floats(0.01, 1),
    ),
    min_size=1,
    max_size=12,
)


@given(OFFERS)
def test_scores_are_finite_and_ratios_between_0_and_the_cap(offers: list[tuple[float | None, Figures, float]]) -> None:
    prices, known, priorities = zip(*offers, strict=True)
    for one in scores(prices, known, priorities, weights=STREAM, policy=POLICY):
        for ratio in (one.price, one.uptime, one.throughput, one.latency):
            assert 0 <= ratio <= 10
        assert math.isfinite(one.total)
        assert one.total >= one.penalty


@given(OFFERS, st.randoms())
def test_a_score_does_not_depend_on_the_order_of_the_offers(
    offers: list[tuple[float | None, Figures, float]], random: Random
) -> None:
    shuffled = list(offers)
    random.shuffle(shuffled)
    before = dict(zip(map(repr, offers), _of(offers), strict=True))
    assert all(before[repr(offer)] == one for offer, one in zip(shuffled, _of(shuffled), strict=True))


@given(OFFERS, st.floats(1.001, 100))
def test_what_gets_dearer_and_slower_never_gets_better(
    offers: list[tuple[float | None, Figures, float]], factor: float
) -> None:
    """Compared with itself against the same others."""
    price, known, priority = offers[0]
    if price is None:
        return
    worse = Figures(known.uptime / factor, known.latency * factor, known.throughput / factor, known.attempts)
    rest = offers[1:] or [offers[0]]
    before = _of([offers[0], *rest])
    after = _of([(price * factor, worse, priority), *rest])
    assert after[0].total - after[1].total >= before[0].total - before[1].total - 1e-9


def _of(offers: list[tuple[float | None, Figures, float]]) -> list[Score]:
    prices, known, priorities = zip(*offers, strict=True)
    return scores(prices, known, priorities, weights=STREAM, policy=POLICY)


def test_the_example_of_the_documentation() -> None:
    """docs/routing.md: three providers, 900 tokens of prompt, a stream."""
    volume = volume_of(POLICY, prompt_tokens=900, output_limit=None)
    lists = [(260_000, 380_000), (300_000, 450_000), (560_000, 1_680_000)]
    prices = [tariff_of(Price(input=read, output=written)) for read, written in lists]
    expected = [one.expected(volume.prompt, cached=volume.cached, output=volume.output) for one in prices]
    others = [figures(latency=450, throughput=80), figures(latency=400, throughput=95)]
    for uptime, total in ((99.5, 0.076), (90, 0.190), (80, 0.804)):
        told = scored([*expected], [figures(uptime, latency=900, throughput=45), *others])
        assert [round(one.total, 3) for one in told] == [total, 0.094, 0.968]
