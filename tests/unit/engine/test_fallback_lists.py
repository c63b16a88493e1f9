"""`models`: who is tried after `model`, and how far a plan goes down the list."""

import pytest

from llmgateway.domain import errors
from llmgateway.domain.errors import GatewayError
from llmgateway.domain.plan import RoutePlan
from llmgateway.domain.policy import RoutingPolicy
from llmgateway.engine.snapshot import Snapshot
from tests.support.desk import CALM, Desk, price
from tests.support.fakes import TODAY, offer, snapshot
from tests.support.vitals import Vitals

TOOLS = [{"type": "function", "function": {"name": "f"}}]


def library(policy: RoutingPolicy = CALM) -> Snapshot:
    """`x` at four providers, `y` at two, `z` at one."""
    offers = [offer(name, "x", price=price(at)) for at, name in enumerate("abcd", 1)]
    offers += [offer(name, "y", price=price(at)) for at, name in enumerate("ab", 1)]
    return snapshot(*offers, offer("c", "z"), policy=policy)


def tried(plan: RoutePlan) -> list[str]:
    return [one.deployments[0].used_model for one in plan.candidates]


def test_the_next_models_follow_the_first_and_each_keeps_an_attempt() -> None:
    plan = Desk(library()).plan(model="x", models=["y", "z"])
    assert tried(plan) == ["a/x", "b/x", "a/y", "c/z"]
    assert (plan.fallbacks, plan.chosen_by, plan.requested_provider) == (3, "score", None)


def test_of_one_model_no_more_than_the_policys_fallbacks_are_tried() -> None:
    wide = RoutingPolicy(exploration_rate=0, max_attempts=16)
    assert tried(Desk(library(wide)).plan(model="x", models=["y"])) == ["a/x", "b/x", "c/x", "a/y", "b/y"]
    narrow = RoutingPolicy(exploration_rate=0, max_attempts=16, max_fallbacks=0)
    plan = Desk(library(narrow)).plan(model="x", models=["y", "z"])
    assert (tried(plan), plan.fallbacks) == (["a/x", "a/y", "c/z"], 2)


def test_a_list_that_is_longer_than_the_attempts_has_one_of_each() -> None:
    few = RoutingPolicy(exploration_rate=0, max_attempts=2)
    assert tried(Desk(library(few)).plan(model="x", models=["y", "z"])) == ["a/x", "a/y", "c/z"]


def test_a_model_that_is_there_already_is_not_tried_twice() -> None:
    plan = Desk(library()).plan(model="y", models=["y", "z", "y", "z"])
    assert tried(plan) == ["a/y", "b/y", "c/z"]
    assert Desk(library()).plan(model="y", models=["y"]).fallbacks == 1


def test_a_pin_in_the_list_is_the_callers_own_fallback() -> None:
    plan = Desk(library()).plan(model="b/x", models=["d/x"])
    assert tried(plan) == ["b/x", "d/x"]
    assert (plan.requested_provider, plan.chosen_by) == ("b", "pin")


def test_without_fallback_nothing_of_the_list_is_tried() -> None:
    plan = Desk(library()).plan(model="x", models=["y"], no_fallback=True)
    assert (tried(plan), plan.fallbacks) == (["a/x"], 0)


def test_an_unknown_name_is_told_with_its_place() -> None:
    with pytest.raises(GatewayError) as raised:
        Desk(library()).plan(model="x", models=["y", "yy"])
    assert (raised.value.status, raised.value.param) == (404, "models[1]")


def test_a_model_that_does_not_fit_gives_way_to_the_next() -> None:
    of = snapshot(offer("a", "x", lacks=frozenset({"tools"})), offer("b", "y"), policy=CALM)
    plan = Desk(of).plan(model="x", models=["y"], tools=TOOLS)
    assert tried(plan) == ["b/y"]
    assert [(one.model, one.reason) for one in plan.excluded] == [("x", "capability:tools")]


def test_a_model_without_a_credential_gives_way_to_the_next() -> None:
    of = snapshot(offer("a", "x"), offer("b", "y"), credentials=["b"], policy=CALM)
    assert tried(Desk(of).plan(model="x", models=["y"])) == ["b/y"]


def test_where_nothing_of_the_list_fits_the_field_that_removed_the_last_is_named() -> None:
    lacking = {"lacks": frozenset({"tools"})}
    of = snapshot(offer("a", "x", **lacking), offer("b", "y", deactivated=TODAY), policy=CALM)
    with pytest.raises(GatewayError) as raised:
        Desk(of).plan(model="x", models=["y"], tools=TOOLS)
    assert raised.value.kind is errors.UNSUPPORTED_PARAMETER
    assert raised.value.param == "tools"


def test_where_nobody_has_a_credential_the_first_model_is_told() -> None:
    of = snapshot(offer("a", "x"), offer("b", "y"), credentials=[], policy=CALM)
    with pytest.raises(GatewayError) as raised:
        Desk(of).plan(model="x", models=["y"])
    assert raised.value.kind is errors.NO_PROVIDER
    assert "'x'" in raised.value.message


def test_offers_that_rest_come_behind_the_other_models() -> None:
    desk = Desk(library(), vitals=Vitals(resting={"a/y", "b/y"}))
    assert tried(desk.plan(model="y", models=["z"])) == ["c/z", "a/y", "b/y"]


def test_a_fallback_model_is_not_what_a_session_or_a_project_sticks_to() -> None:
    desk = Desk(library())
    plan = desk.plan(model="y", models=["z"], session="s")
    desk.affinity.won(plan, plan.candidates[-1].deployments[0])
    assert tried(desk.plan(model="y", models=["z"], session="s"))[0] == "a/y"
    assert desk.plan(model="y", session="s").chosen_by == "score"
