"""The rings of slots against a reference that keeps every attempt and adds them up each time."""

import sys
from array import array
from typing import NamedTuple

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmgateway.domain.plan import Figures
from llmgateway.domain.policy import RoutingPolicy
from llmgateway.engine.windows import Band, Window, unknown

POLICY = RoutingPolicy()
SECOND = 1_000_000_000
START = 1_000_000 * SECOND


class Seen(NamedTuple):
    """One attempt. `ttft_us` None: not timed; `failed`: nothing else counts."""

    at_ns: int
    failed: bool
    ttft_us: int | None = None
    tokens: int = 0
    micros: int = 0


class Reference:
    """Keeps all; the weight of each is worked out by the documented slots, or by its true age."""

    def __init__(self, window_s: int) -> None:
        self.window_s = window_s
        self.seen: list[Seen] = []

    def weight(self, at_ns: int, now_ns: int, policy: RoutingPolicy) -> float:
        now_ns -= now_ns % (5 * SECOND)
        began_ns = at_ns - at_ns % (5 * SECOND)
        if now_ns - began_ns < 60 * SECOND:
            return policy.recency_weight_1m
        reach_ns = min(self.window_s, policy.metrics_window_s) * SECOND
        for slots, band_s, weight in (
            (20, min(300, self.window_s), policy.recency_weight_5m),
            (60, self.window_s, policy.recency_weight_rest),
        ):
            slot_ns = band_s * SECOND // slots
            number = began_ns // slot_ns
            age = now_ns // slot_ns - number
            if age < slots:
                return weight if age < -(-reach_ns // slot_ns) else 0
            began_ns = number * slot_ns
        return 0

    def figures(self, now_ns: int, policy: RoutingPolicy) -> Figures:
        weighed = [(self.weight(one.at_ns, now_ns, policy), one) for one in self.seen]
        weighed = [(weight, one) for weight, one in weighed if weight]
        attempts = sum(weight for weight, _ in weighed)
        if not attempts:
            return unknown(policy)
        failures = sum(weight for weight, one in weighed if one.failed)
        timed = sum(weight for weight, one in weighed if one.ttft_us is not None)
        waited = sum(weight * (one.ttft_us or 0) for weight, one in weighed)
        tokens = sum(weight * one.tokens for weight, one in weighed)
        micros = sum(weight * one.micros for weight, one in weighed)
        return Figures(
            100 * (1 - failures / (attempts + policy.uptime_prior_attempts)),
            waited / timed / 1000 if timed else policy.default_latency_ms,
            tokens * 1_000_000 / micros if micros else policy.default_throughput_tps,
            len(weighed),
        )


def record(window: Window, one: Seen) -> None:
    if one.failed:
        window.failed(one.at_ns)
        return
    ttft_ms = None if one.ttft_us is None else one.ttft_us / 1000
    window.succeeded(one.at_ns, ttft_ms=ttft_ms, tokens=one.tokens, seconds=one.micros / 1_000_000)


PAUSES = st.one_of(
    st.integers(0, 3 * SECOND),
    st.integers(0, 90 * SECOND),
    st.integers(0, 400 * SECOND),
    st.integers(0, 4000 * SECOND),
    st.integers(0, 100_000 * SECOND),
    st.sampled_from([5, 10, 15, 45, 50, 55, 60, 225, 240, 270, 285, 300, 3300, 3480, 3540, 3600]).map(
        lambda seconds: seconds * SECOND
    ),
)
"""Long and short ones, and those that end where slots and bands do."""
ATTEMPTS = st.one_of(
    st.just((True, None, 0, 0)),
    st.tuples(
        st.just(False),
        st.none() | st.integers(0, 10_000).map(lambda ms: ms * 1000),
        st.integers(1, 5000),
        st.integers(1, 500).map(lambda tenths: tenths * 100_000),
    ),
)
DAY = st.lists(st.tuples(PAUSES, st.none() | ATTEMPTS), max_size=60)
WINDOWS = st.sampled_from([60, 61, 299, 300, 301, 1000, 3600, 86_400])


def near(got: Figures, wanted: Figures) -> None:
    assert list(msgspec.structs.astuple(got)) == pytest.approx(list(msgspec.structs.astuple(wanted)))


@given(day=DAY, window_s=WINDOWS, asked_s=WINDOWS)
@settings(max_examples=300, deadline=None)
def test_figures_are_those_of_a_reference_that_keeps_everything(
    day: list[tuple[int, tuple[bool, int | None, int, int] | None]], window_s: int, asked_s: int
) -> None:
    window, reference = Window(window_s=window_s, now_ns=START), Reference(window_s)
    own = RoutingPolicy(metrics_window_s=window_s, uptime_prior_attempts=10)
    other = RoutingPolicy(metrics_window_s=asked_s, recency_weight_1m=7, recency_weight_5m=5, uptime_prior_attempts=0)
    now_ns = START
    for pause_ns, attempt in day:
        now_ns += pause_ns
        if attempt is None:
            near(window.figures(now_ns, own), reference.figures(now_ns, own))
            near(window.figures(now_ns, other), reference.figures(now_ns, other))
        else:
            one = Seen(now_ns, *attempt)
            reference.seen.append(one)
            record(window, one)
    near(window.figures(now_ns, own), reference.figures(now_ns, own))


@given(ages=st.lists(st.integers(0, 4000 * SECOND), min_size=1, max_size=50))
@settings(deadline=None)
def test_an_attempt_leaves_a_band_at_most_a_slot_too_early_or_five_seconds_too_late(ages: list[int]) -> None:
    """Against true ages: the sum of weights lies between the two."""
    policy = RoutingPolicy(uptime_prior_attempts=0)
    window = Window(window_s=3600, now_ns=START)
    now_ns = START + 4000 * SECOND
    for age_ns in sorted(ages, reverse=True):
        window.failed(now_ns - age_ns)
    for _ in range(1000):
        window.succeeded(now_ns, ttft_ms=None, tokens=0, seconds=0.0)
    failed = 10_000 * (100 / window.figures(now_ns, policy).uptime - 1)

    def weight(age_ns: int, minute: int, five: int, whole: int) -> int:
        age = age_ns / SECOND
        return 10 if age < minute else 3 if age < five else 1 if age < whole else 0

    least = sum(weight(age_ns, 55, 285, 3540) for age_ns in ages)
    most = sum(weight(age_ns, 60, 305, 3605) for age_ns in ages)
    assert least - 0.001 <= failed <= most + 0.001


@given(day=st.lists(st.tuples(PAUSES, ATTEMPTS), min_size=1, max_size=40), old_s=WINDOWS, new_s=WINDOWS)
@settings(deadline=None)
def test_another_window_keeps_what_it_has_room_for(
    day: list[tuple[int, tuple[bool, int | None, int, int]]], old_s: int, new_s: int
) -> None:
    window = Window(window_s=old_s, now_ns=START)
    now_ns = START
    for pause_ns, attempt in day:
        now_ns += pause_ns
        record(window, Seen(now_ns, *attempt))
    before = window.figures(now_ns, RoutingPolicy(metrics_window_s=old_s))
    window.resize(new_s)
    after = window.figures(now_ns, RoutingPolicy(metrics_window_s=new_s))
    if new_s >= max(old_s, 300):
        assert after.attempts == before.attempts
    assert 1 <= after.attempts <= before.attempts
    later_ns = now_ns + (new_s + 400) * SECOND
    assert window.figures(later_ns, POLICY) == unknown(POLICY)


@pytest.mark.parametrize("window_s", [61, 301, 1000, 3600])
def test_it_does_not_matter_when_somebody_looks(window_s: int) -> None:
    """One is looked at every few seconds, the other after the whole time only."""
    policy = RoutingPolicy(metrics_window_s=window_s)
    watched = Window(window_s=window_s, now_ns=START)
    watched.failed(START)
    for second in range(1, window_s + 20, 2):
        alone = Window(window_s=window_s, now_ns=START)
        alone.failed(START)
        now_ns = START + second * SECOND
        assert watched.figures(now_ns, policy) == alone.figures(now_ns, policy), f"after {second} s"


def test_uptime_is_smoothed_by_attempts_that_never_were() -> None:
    """100 × (1 − f/(n + 10)), both weighted; attempts are told unweighted."""
    window = Window(window_s=3600, now_ns=START)
    window.failed(START)
    figures = window.figures(START, POLICY)
    assert (figures.uptime, figures.attempts) == (50.0, 1)
    assert window.figures(START + 65 * SECOND, POLICY).uptime == pytest.approx(100 * (1 - 3 / 13))
    assert window.figures(START + 310 * SECOND, POLICY).uptime == pytest.approx(100 * (1 - 1 / 11))
    assert window.figures(START + 3700 * SECOND, POLICY).uptime == 100


def test_recent_answers_count_ten_times() -> None:
    window = Window(window_s=3600, now_ns=START)
    window.succeeded(START, ttft_ms=1000.0, tokens=100, seconds=1.0)
    window.succeeded(START + 1000 * SECOND, ttft_ms=100.0, tokens=100, seconds=10.0)
    figures = window.figures(START + 1000 * SECOND, POLICY)
    assert figures.latency == pytest.approx((1000 + 10 * 100) / 11)
    assert figures.throughput == pytest.approx((100 + 10 * 100) / (1 + 10 * 10))


@pytest.mark.parametrize(
    ("ttft_ms", "tokens", "seconds"),
    [(-5.0, 10**40, 1e-9), (float("nan"), -1, -1.0), (float("inf"), 1, float("inf")), (1e300, 0, float("nan"))],
)
def test_absurd_numbers_are_left_out(ttft_ms: float, tokens: int, seconds: float) -> None:
    window = Window(window_s=3600, now_ns=START)
    window.succeeded(START, ttft_ms=ttft_ms, tokens=tokens, seconds=seconds)
    figures = window.figures(START + 3000 * SECOND, POLICY)
    assert figures == Figures(100, POLICY.default_latency_ms, POLICY.default_throughput_tps, 1)


def test_a_clock_that_goes_back_hours_makes_nothing_older_or_younger() -> None:
    window = Window(window_s=3600, now_ns=START)
    window.failed(START)
    window.failed(START - 7200 * SECOND)
    figures = window.figures(START - 7200 * SECOND, POLICY)
    assert (figures.uptime, figures.attempts) == (pytest.approx(100 * (1 - 20 / 30)), 2)
    assert window.figures(START + 3700 * SECOND, POLICY) == unknown(POLICY)


def test_figures_are_worked_out_again_only_after_a_change() -> None:
    window = Window(window_s=3600, now_ns=START)
    window.failed(START)
    first = window.figures(START, POLICY)
    assert window.figures(START + SECOND, POLICY) is first
    window.failed(START + SECOND)
    assert window.figures(START + SECOND, POLICY) is not first


def test_a_window_takes_a_few_kilobytes_however_many_attempts_it_saw() -> None:
    window = Window(window_s=3600, now_ns=START)
    for number in range(20_000):
        record(window, Seen(START + number * SECOND, failed=number % 3 == 0, ttft_us=1000, tokens=9, micros=9))
    bands = [value for name in Window.__slots__ if isinstance(value := getattr(window, name), Band)]
    cells = [value for band in bands for name in Band.__slots__ if isinstance(value := getattr(band, name), array)]
    assert len(cells) == 3
    assert sum(sys.getsizeof(cell) for cell in cells) < 5000
