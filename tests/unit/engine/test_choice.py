"""Who leads a plan, and by what: score, strategy, exploration, probe, preference."""

from collections import Counter
from typing import Any

import pytest

from llmgateway.domain.errors import GatewayError
from llmgateway.domain.policy import RoutingPolicy
from llmgateway.domain.usage import Price
from tests.support.desk import CALM, Desk, price, three
from tests.support.fakes import offer, snapshot
from tests.support.vitals import Vitals, figures

# Score and strategies


def test_the_best_score_leads_and_the_others_follow_by_score() -> None:
    plan = Desk().plan()
    assert [one.deployments[0].provider.id for one in plan.candidates] == ["a", "b", "c"]
    assert (plan.chosen_by, plan.fallbacks) == ("score", 2)
    totals = [one.score.total for one in plan.candidates if one.score is not None]
    assert totals == sorted(totals)


def test_a_low_uptime_outweighs_a_low_price() -> None:
    desk = Desk(vitals=Vitals({"a/gpt-x": figures(70)}))
    assert desk.led() == ("b", "score")


def test_a_single_offer_is_not_scored() -> None:
    (candidate,) = Desk(snapshot(offer("a"))).plan().candidates
    assert (candidate.score, candidate.figures) == (None, None)


@pytest.mark.parametrize(("strategy", "leader"), [("price", "a"), ("throughput", "b"), ("latency", "c")])
def test_a_strategy_puts_its_own_first(strategy: str, leader: str) -> None:
    known = {
        "a/gpt-x": figures(latency=900, throughput=40),
        "b/gpt-x": figures(latency=800, throughput=90),
        "c/gpt-x": figures(latency=300, throughput=50),
    }
    assert Desk(vitals=Vitals(known)).led(routing=strategy, stream=True) == (leader, "strategy")


def test_the_strategy_auto_is_none() -> None:
    assert Desk().led(routing="auto") == ("a", "score")


def test_a_strategy_beside_a_pin_is_a_400_that_names_it() -> None:
    with pytest.raises(GatewayError) as raised:
        Desk().plan(model="a/gpt-x", routing="price")
    assert (raised.value.status, raised.value.param) == (400, "routing")


def test_a_strategy_goes_by_score_whoever_won_last() -> None:
    desk = Desk()
    desk.win("b")
    assert desk.led(routing="price") == ("a", "strategy")


def test_offers_that_know_json_come_before_those_that_are_asked_in_words() -> None:
    of = snapshot(offer("a", price=price(1), lacks=frozenset({"json_object"})), offer("b", price=price(3)), policy=CALM)
    desk = Desk(of)
    assert desk.led(response_format={"type": "json_object"})[0] == "b"
    assert desk.led()[0] == "a"


# Exploration and probes


def test_one_in_a_hundred_goes_to_any_of_them() -> None:
    desk = Desk(policy=RoutingPolicy())
    seen = Counter(desk.led() for _ in range(20_000))
    explored = {leader: count for (leader, by), count in seen.items() if by == "exploration"}
    assert 150 <= sum(explored.values()) <= 250
    assert all(count >= 30 for count in explored.values())
    assert set(explored) == {"a", "b", "c"}


@pytest.mark.parametrize(
    "asked",
    [{"session": "s"}, {"user": "u"}, {"prompt_cache_key": "k"}, {"routing": "price"}, {"no_fallback": True}],
    ids=["session", "user", "cache key", "strategy", "no fallback"],
)
def test_who_has_something_to_lose_is_not_sent_exploring(asked: dict[str, Any]) -> None:
    desk = Desk(policy=RoutingPolicy(exploration_rate=1))
    assert {desk.led(**asked)[1] for _ in range(50)} <= {"score", "strategy"}


def test_a_pin_is_not_explored_away_from() -> None:
    assert Desk(policy=RoutingPolicy(exploration_rate=1)).led(model="c/gpt-x") == ("c", "pin")


def test_nobody_explores_where_uptime_is_low_or_all_rest() -> None:
    vitals = Vitals({"b/gpt-x": figures(84)}, resting={"c/gpt-x"})
    desk = Desk(policy=RoutingPolicy(exploration_rate=1), vitals=vitals)
    assert {desk.led() for _ in range(50)} == {("a", "exploration")}


def test_a_low_uptime_gets_the_probe_that_is_due() -> None:
    vitals = Vitals({"a/gpt-x": figures(60)}, due={"a/gpt-x"})
    desk = Desk(vitals=vitals)
    assert desk.led() == ("a", "probe")
    vitals.due.clear()
    assert desk.led() == ("b", "score")
    assert vitals.probed == ["a/gpt-x"]


def test_who_leads_anyway_needs_no_probe() -> None:
    low = {f"{name}/gpt-x": figures(50) for name in "abc"}
    vitals = Vitals(low, due={"a/gpt-x"})
    assert Desk(vitals=vitals).led() == ("a", "score")
    assert vitals.probed == []


@pytest.mark.parametrize("asked", [{"no_fallback": True}, {"routing": "price"}, {"model": "b/gpt-x"}])
def test_no_probe_is_taken_from_who_could_not_go_on(asked: dict[str, Any]) -> None:
    vitals = Vitals({"a/gpt-x": figures(60)}, due={"a/gpt-x"})
    Desk(vitals=vitals).plan(**asked)
    assert vitals.probed == []


def test_a_new_session_may_probe_and_a_held_one_does_not() -> None:
    vitals = Vitals({"a/gpt-x": figures(60)})
    desk = Desk(vitals=vitals)
    desk.win("b", session="held")
    vitals.due.add("a/gpt-x")
    assert desk.led(session="held") == ("b", "session")
    assert desk.led(session="new") == ("a", "probe")


# Stable preference


def test_the_last_winner_stays_while_it_is_close() -> None:
    desk = Desk()
    desk.win("b")
    assert desk.led() == ("b", "preference")


def test_it_is_kept_for_an_hour_after_its_last_win() -> None:
    desk = Desk()
    desk.win("b")
    desk.clock.now_s += 3599
    desk.win("b")
    desk.clock.now_s += 3599
    assert desk.led() == ("b", "preference")
    desk.clock.now_s += 2
    assert desk.led() == ("a", "score")


def test_it_is_of_one_project_and_one_model() -> None:
    desk = Desk()
    desk.win("b")
    assert desk.led(project="another") == ("a", "score")


@pytest.mark.parametrize(("dearer", "leader"), [(1.05, "b"), (1.051, "a")])
def test_more_than_five_percent_dearer_is_too_far(dearer: float, leader: str) -> None:
    desk = Desk(three(b=dearer))
    desk.win("b")
    assert desk.led()[0] == leader


def test_the_cached_price_counts_for_a_long_prompt() -> None:
    cached = Price(input=1000, output=1000, cached_input=100)
    of = snapshot(offer("a", price=cached), offer("b", price=price(1.02)), policy=CALM)
    desk = Desk(of)
    desk.win("b")
    assert desk.led() == ("b", "preference")
    assert desk.led(messages=[{"role": "user", "content": "x" * 8000}]) == ("a", "score")


@pytest.mark.parametrize(("latency", "leader"), [(7500, "b"), (8500, "a")])
def test_a_score_that_is_more_than_0_15_worse_is_too_far(latency: float, leader: str) -> None:
    """0.025 / 1.175 × 6.5 = 0.138, and × 7.5 = 0.160."""
    desk = Desk(three(b=1.0), vitals=Vitals({"b/gpt-x": figures(latency=latency)}))
    desk.win("b")
    assert desk.led(stream=True)[0] == leader


def test_a_preference_ends_with_a_low_uptime_or_a_rest() -> None:
    desk = Desk(policy=RoutingPolicy(exploration_rate=0, penalty_factor=0))
    desk.win("b")
    desk.vitals.known["b/gpt-x"] = figures(85)
    assert desk.led() == ("b", "preference")
    desk.vitals.known["b/gpt-x"] = figures(84.9)
    assert desk.led() == ("a", "score")
    desk.vitals.known["b/gpt-x"] = figures()
    desk.vitals.resting.add("b/gpt-x")
    assert desk.led() == ("a", "score")


def test_an_unknown_price_is_no_cheap_one() -> None:
    of = snapshot(offer("a", price=price(1)), offer("b", price=None), offer("c", price=price(1.2)), policy=CALM)
    desk = Desk(of)
    desk.win("b")
    assert desk.led() == ("a", "score")


@pytest.mark.parametrize("asked", [{"routing": "throughput"}, {"model": "b/gpt-x"}])
def test_what_was_chosen_otherwise_sets_no_preference(asked: dict[str, Any]) -> None:
    desk = Desk()
    desk.win("b", **asked)
    assert desk.led() == ("a", "score")


def test_a_held_session_sets_no_preference_but_a_new_one_does() -> None:
    desk = Desk()
    desk.win("b", session="s")
    assert desk.led() == ("b", "preference")
    desk.win("a")
    desk.win("b", session="s")
    assert desk.led() == ("a", "score")
