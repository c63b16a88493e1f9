"""Where a session stays, which credential is tried first, what becomes of those that rest, and what pins hold."""

from collections import Counter
from typing import Any

import pytest

from llmgateway.domain import errors
from llmgateway.domain.errors import GatewayError
from llmgateway.domain.identity import Project
from llmgateway.domain.plan import RoutePlan
from llmgateway.domain.policy import RoutingPolicy
from llmgateway.domain.routing import Credential
from llmgateway.engine.plan import plan_route
from llmgateway.engine.snapshot import Snapshot
from llmgateway.wire.openai_chat.request import read_request
from tests.support.desk import CALM, Desk, price
from tests.support.fakes import offer, provider, request_body, snapshot
from tests.support.vitals import Vitals, figures

# Sessions


@pytest.mark.parametrize(
    "asked",
    [{"session": "s"}, {"prompt_cache_key": "s"}, {"user": "s"}],
    ids=["header", "prompt_cache_key", "user"],
)
def test_a_session_stays_where_it_was_answered(asked: dict[str, Any]) -> None:
    desk = Desk()
    desk.win("c", **asked)
    assert desk.led(**asked) == ("c", "session")


def test_the_header_counts_before_the_cache_key_and_that_before_the_user() -> None:
    desk = Desk()
    desk.win("c", session="one")
    desk.win("b", prompt_cache_key="two")
    assert desk.led(session="one", prompt_cache_key="two", user="three") == ("c", "session")
    assert desk.led(prompt_cache_key="two", user="three") == ("b", "session")
    assert desk.led(session="other", prompt_cache_key="two")[1] != "session"


def test_a_session_is_of_one_project_and_one_model() -> None:
    of = snapshot(offer("a"), offer("b", price=price(9e3)), offer("a", "gpt-y"), offer("b", "gpt-y"), policy=CALM)
    desk = Desk(of)
    desk.win("b", session="s")
    assert desk.led(session="s") == ("b", "session")
    assert desk.led(session="s", model="gpt-y")[1] != "session"
    assert desk.led(session="s", project="another")[1] != "session"


def test_a_session_ends_an_hour_after_its_last_use() -> None:
    desk = Desk()
    desk.win("c", session="s")
    desk.clock.now_s += 3599
    desk.win("c", session="s")
    desk.clock.now_s += 3599
    assert desk.led(session="s") == ("c", "session")
    desk.clock.now_s += 1
    assert desk.led(session="s") == ("a", "score")


def test_a_session_leaves_a_provider_whose_uptime_is_low_and_stays_with_the_next() -> None:
    desk = Desk()
    desk.win("c", session="s")
    desk.vitals.known["c/gpt-x"] = figures(84.9)
    assert desk.led(session="s") == ("a", "score")
    desk.win("b", session="s")
    desk.vitals.known.clear()
    assert desk.led(session="s") == ("b", "session")


def test_a_session_keeps_its_fallbacks_and_moves_to_who_answered() -> None:
    desk = Desk()
    desk.win("c", session="s")
    plan = desk.win("b", session="s")
    assert [one.deployments[0].provider.id for one in plan.candidates] == ["c", "a", "b"]
    assert plan.fallbacks == 2
    assert desk.led(session="s") == ("b", "session")


def test_a_session_goes_elsewhere_when_its_offer_does_not_fit() -> None:
    of = snapshot(offer("a"), offer("c", lacks=frozenset({"n"})), policy=CALM)
    desk = Desk(of)
    desk.win("c", session="s")
    assert desk.led(session="s", n=2)[0] == "a"


def pooled(*weights: int, **fields: Any) -> Snapshot:
    credentials = [
        Credential(provider="a", secret=f"sk-{at}", fingerprint=f"key-{at}", weight=weight)
        for at, weight in enumerate(weights)
    ]
    return snapshot(offer("a"), credentials=credentials, policy=CALM, **fields)


def keys(plan: RoutePlan) -> list[str]:
    return [to.credential.fingerprint for to in plan.deployments]


@pytest.mark.parametrize("asked", [{"session": "s"}, {"prompt_cache_key": "s"}])
def test_a_session_holds_its_credential(asked: dict[str, Any]) -> None:
    desk = Desk(pooled(1, 1, 1))
    plan = desk.plan(**asked)
    desk.affinity.won(plan, plan.deployments[2])
    held = keys(plan)[2]
    assert {keys(desk.plan(**asked))[0] for _ in range(40)} == {held}


def test_a_user_alone_holds_no_credential() -> None:
    desk = Desk(pooled(1, 1, 1))
    plan = desk.plan(user="u")
    desk.affinity.won(plan, plan.deployments[2])
    assert len({keys(desk.plan(user="u"))[0] for _ in range(40)}) == 3


def test_a_session_whose_credential_rests_takes_another_of_its_provider() -> None:
    desk = Desk(pooled(1, 1))
    plan = desk.plan(session="s")
    desk.affinity.won(plan, plan.deployments[0])
    held = keys(plan)[0]
    desk.vitals.resting.add(held)
    assert keys(desk.plan(session="s"))[-1] == held


# Credentials


def test_credentials_are_drawn_by_weight_and_followed_in_the_operators_order() -> None:
    desk = Desk(pooled(1, 3, 0))
    seen = Counter(tuple(keys(desk.plan())) for _ in range(4000))
    assert set(seen) == {("key-0", "key-1", "key-2"), ("key-1", "key-0", "key-2")}
    assert 850 <= seen["key-0", "key-1", "key-2"] <= 1150


def test_a_reserve_is_drawn_when_nothing_else_is_left() -> None:
    desk = Desk(pooled(1, 3, 0), vitals=Vitals(resting={"key-0", "key-1"}))
    assert {tuple(keys(desk.plan())) for _ in range(20)} == {("key-2", "key-0", "key-1")}


def test_without_any_weight_the_order_decides() -> None:
    assert keys(Desk(pooled(0, 0)).plan()) == ["key-0", "key-1"]


# Rest


def test_a_resting_offer_goes_last_and_the_log_is_told() -> None:
    desk = Desk(vitals=Vitals(resting={"a/gpt-x"}))
    plan = desk.plan()
    assert [one.deployments[0].provider.id for one in plan.candidates] == ["b", "c", "a"]
    assert [one.benched for one in plan.candidates] == [False, False, True]
    assert [(one.provider, one.reason) for one in plan.excluded] == [("a", "benched")]


def test_where_all_rest_there_is_one_attempt() -> None:
    plan = Desk(vitals=Vitals(resting={f"{name}/gpt-x" for name in "abc"})).plan()
    assert (len(plan.candidates), len(plan.deployments), plan.fallbacks) == (1, 1, 0)
    assert plan.candidates[0].benched
    assert {one.reason for one in plan.excluded} == {"benched"}
    assert len(plan.excluded) == 3


def test_an_only_offer_that_rests_is_asked_once_all_the_same() -> None:
    plan = Desk(pooled(1, 1), vitals=Vitals(resting={"key-0", "key-1"})).plan()
    assert len(plan.deployments) == 1
    assert plan.candidates[0].benched


def test_an_offer_rests_only_when_all_of_its_credentials_do() -> None:
    plan = Desk(pooled(1, 1), vitals=Vitals(resting={"key-0"})).plan()
    assert keys(plan) == ["key-1", "key-0"]
    assert not plan.candidates[0].benched


# Pins and fallback


def test_without_fallback_only_the_first_and_its_own_credentials_are_left() -> None:
    plan = Desk().plan(no_fallback=True)
    assert (len(plan.candidates), plan.fallbacks) == (1, 0)
    assert len(Desk(pooled(1, 1)).plan(no_fallback=True).deployments) == 2


def test_fallbacks_are_as_many_as_the_policy_says() -> None:
    desk = Desk(policy=RoutingPolicy(exploration_rate=0, max_fallbacks=1))
    assert desk.plan().fallbacks == 1


REROUTING = RoutingPolicy(exploration_rate=0, reroute_pinned=True)


@pytest.mark.parametrize(("policy", "leader"), [(CALM, "c"), (REROUTING, "a")])
def test_a_pin_with_a_low_uptime_stays_unless_the_policy_lets_it_go(policy: RoutingPolicy, leader: str) -> None:
    desk = Desk(policy=policy, vitals=Vitals({"c/gpt-x": figures(89.9)}))
    plan = desk.plan(model="c/gpt-x")
    assert plan.deployments[0].provider.id == leader
    assert plan.requested_provider == "c"


def test_a_pin_that_is_well_stays() -> None:
    desk = Desk(policy=REROUTING, vitals=Vitals({"c/gpt-x": figures(90)}))
    assert desk.led(model="c/gpt-x") == ("c", "pin")


def test_without_fallback_a_pin_stays_whatever_its_uptime() -> None:
    desk = Desk(policy=REROUTING, vitals=Vitals({"c/gpt-x": figures(10)}))
    assert desk.led(model="c/gpt-x", no_fallback=True) == ("c", "pin")


def test_a_region_and_a_custom_provider_are_never_left() -> None:
    rows = [provider("a"), provider("b", custom=True)]
    of = snapshot(offer("a", regions=("eu",)), offer("b"), providers=rows, policy=REROUTING)
    low = {name: figures(10) for name in ("a/gpt-x", "a/gpt-x:eu", "b/gpt-x")}
    desk = Desk(of, vitals=Vitals(low))
    assert desk.led(model="a/gpt-x:eu") == ("a", "pin")
    assert desk.led(model="b/gpt-x") == ("b", "pin")


def test_a_projects_own_policy_counts() -> None:
    desk = Desk()
    own = Project(id="own", name="own", routing=RoutingPolicy(exploration_rate=0, max_fallbacks=0))
    plan = plan_route(
        read_request(request_body()),
        snapshot=desk.of,
        health=desk.vitals,
        affinity=desk.affinity,
        project=own,
        draw=desk.draw,
    )
    assert plan.fallbacks == 0


def test_the_error_names_what_removed_the_last_one() -> None:
    of = snapshot(offer("a", lacks=frozenset({"n"})), offer("b", lacks=frozenset({"n"})), policy=CALM)
    with pytest.raises(GatewayError) as raised:
        Desk(of).plan(n=2)
    assert raised.value.kind is errors.UNSUPPORTED_PARAMETER
    assert raised.value.param == "n"
