"""Repeats at one provider: a tenth of its traffic, three a second at least, nothing saved up."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmgateway.domain.policy import RoutingPolicy
from llmgateway.engine.budget import RetryBudget

POLICY = RoutingPolicy()
SECOND = 1_000_000_000
START = 1_000_000 * SECOND


def taken(budget: RetryBudget, now_ns: int, *, tries: int = 10_000, policy: RoutingPolicy = POLICY) -> int:
    return sum(budget.take(now_ns, policy) for _ in range(tries))


def test_three_at_once_without_traffic_and_three_more_each_second() -> None:
    budget = RetryBudget(now_ns=START)
    assert taken(budget, START) == 3
    assert taken(budget, START + SECOND // 3 + 1) == 1
    assert taken(budget, START + 3600 * SECOND) == 3


def test_a_tenth_of_what_the_last_ten_seconds_brought() -> None:
    budget = RetryBudget(now_ns=START)
    for number in range(10_000):
        budget.began(START + number * SECOND // 1000)
    now_ns = START + 10 * SECOND - 1
    assert taken(budget, now_ns) == 100
    assert taken(budget, now_ns + SECOND // 10) == pytest.approx(10, abs=1)


def test_traffic_of_more_than_ten_seconds_ago_is_forgotten() -> None:
    budget = RetryBudget(now_ns=START)
    for _ in range(10_000):
        budget.began(START)
    assert taken(budget, START + 11 * SECOND) == 3


def test_the_share_alone_lets_a_repeat_through_now_and_then() -> None:
    policy = RoutingPolicy(retry_budget_min_per_s=0)
    budget = RetryBudget(now_ns=START)
    allowed = 0
    for second in range(100):
        budget.began(START + second * SECOND)
        allowed += taken(budget, START + second * SECOND, policy=policy)
    assert allowed == pytest.approx(10, abs=2)


def test_none_at_all_where_the_operator_wants_none() -> None:
    policy = RoutingPolicy(retry_budget_min_per_s=0, retry_budget_rate=0)
    budget = RetryBudget(now_ns=START)
    budget.began(START)
    assert taken(budget, START + 100 * SECOND, policy=policy) == 0


def test_a_clock_that_goes_back_hours_takes_nothing_away() -> None:
    budget = RetryBudget(now_ns=START)
    for number in range(1000):
        budget.began(START + number * SECOND // 100)
    assert taken(budget, START + 9 * SECOND) == 10
    earlier_ns = START - 7200 * SECOND
    assert taken(budget, earlier_ns) == 0
    assert taken(budget, earlier_ns + SECOND) == 10
    assert taken(budget, earlier_ns + 60 * SECOND) == 10


@given(events=st.lists(st.tuples(st.integers(0, 30 * SECOND), st.integers(0, 60)), max_size=60))
@settings(deadline=None)
def test_never_more_than_the_rate_and_a_seconds_worth(events: list[tuple[int, int]]) -> None:
    budget, now_ns, allowed, began = RetryBudget(now_ns=START), START, 0, 0
    for pause_ns, attempts in events:
        now_ns += pause_ns
        for _ in range(attempts):
            budget.began(now_ns)
        began += attempts
        allowed += taken(budget, now_ns, tries=100)
    elapsed_s = (now_ns - START) / SECOND
    highest = max(3.0, 0.1 * began / 10)
    assert allowed <= highest * (elapsed_s + 1) + 1
