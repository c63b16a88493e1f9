"""What is explained of a model is what a request would meet, and explaining changes nothing."""

from typing import Any

import pytest

from llmgateway.domain import errors
from llmgateway.domain.errors import GatewayError
from llmgateway.domain.identity import Project
from llmgateway.domain.policy import RoutingPolicy
from llmgateway.domain.routing import Credential
from llmgateway.engine.explain import Explanation, explain
from tests.support.desk import CALM, Desk, price, three
from tests.support.fakes import TODAY, offer, snapshot
from tests.support.vitals import Vitals, figures

PROJECT = Project(id="p", name="p")


def explained(desk: Desk, name: str = "gpt-x", **fields: Any) -> Explanation:
    return explain(name, snapshot=desk.of, health=desk.vitals, affinity=desk.affinity, **{"project": PROJECT, **fields})


def order(told: Explanation) -> list[str]:
    return [one.provider for one in told.candidates]


KNOWN = [
    {},
    {"a/gpt-x": figures(70)},
    {"a/gpt-x": figures(99, latency=5000), "b/gpt-x": figures(97, throughput=300), "c/gpt-x": figures(40)},
]


@pytest.mark.parametrize("known", KNOWN, ids=["nothing known", "one is low", "all differ"])
@pytest.mark.parametrize("routing", [None, "price", "latency", "throughput"])
@pytest.mark.parametrize("streamed", [True, False])
def test_it_tells_the_order_and_the_scores_of_a_request(known: dict[str, Any], routing: Any, streamed: bool) -> None:
    desk = Desk(vitals=Vitals(known, resting={"b/gpt-x"}))
    plan = desk.plan(routing=routing, stream=streamed, messages=[{"role": "user", "content": "x" * 3984}])
    told = explained(desk, routing=routing, streamed=streamed, prompt_tokens=1000)
    assert order(told) == [one.deployments[0].provider.id for one in plan.candidates]
    assert [one.score for one in told.candidates] == [one.score for one in plan.candidates]
    assert [one.figures for one in told.candidates] == [one.figures for one in plan.candidates]
    assert told.excluded == plan.excluded
    assert told.chosen_by == plan.chosen_by
    assert told.chosen == plan.candidates[0].deployments[0].used_model


def test_prices_are_of_the_prompt_that_is_assumed() -> None:
    told = explained(Desk(), prompt_tokens=3000)
    assert [one.price_picousd for one in told.candidates] == pytest.approx([4e6, 4.16e6, 8e6])
    assert (told.volume.prompt, told.volume.cached, told.volume.output) == (3000, 1500, 1000)


def test_a_preference_shows_where_it_leads() -> None:
    desk = Desk()
    desk.win("b")
    told = explained(desk)
    assert (order(told), told.chosen_by, told.fallbacks) == (["b", "a", "c"], "preference", 2)


def test_a_pin_is_alone_and_still_compared() -> None:
    told = explained(Desk(), "c/gpt-x")
    assert (order(told), told.chosen_by, told.requested_provider, told.fallbacks) == (["c"], "pin", "c", 0)
    assert told.candidates[0].score.total == 0


def test_a_pin_that_may_be_left_shows_where_it_goes() -> None:
    desk = Desk(three(policy=RoutingPolicy(reroute_pinned=True)), vitals=Vitals({"c/gpt-x": figures(50)}))
    told = explained(desk, "c/gpt-x")
    assert (order(told)[0], told.requested_provider, told.chosen_by) == ("a", "c", "score")


def test_the_left_out_have_their_reasons_and_nothing_is_no_error() -> None:
    desk = Desk(snapshot(offer("a", deactivated=TODAY), offer("b"), credentials=["a"]))
    told = explained(desk)
    assert {(one.provider, one.reason) for one in told.excluded} == {("a", "deactivated"), ("b", "no_credential")}
    assert (told.candidates, told.chosen, told.chosen_by, told.fallbacks) == ((), None, None, 0)


def test_credentials_are_shown_by_their_fingerprint() -> None:
    keys = [Credential(provider="a", secret="sk-secret", fingerprint=f"key-{at}", weight=at) for at in (1, 2)]
    told = explained(Desk(snapshot(offer("a"), credentials=keys), vitals=Vitals(resting={"key-2"})))
    (only,) = told.candidates
    assert [(one.fingerprint, one.weight, one.benched) for one in only.credentials] == [
        ("key-1", 1, False), ("key-2", 2, True)
    ]  # fmt: skip
    assert not only.benched
    assert "sk-secret" not in repr(told)


def test_nothing_is_taken_drawn_or_remembered() -> None:
    vitals = Vitals({"a/gpt-x": figures(50)}, due={"a/gpt-x"})
    desk = Desk(vitals=vitals)
    state = desk.draw.getstate()
    assert explained(desk) == explained(desk)
    assert (vitals.probed, desk.draw.getstate()) == ([], state)


def test_auto_is_explained_as_the_model_it_would_choose() -> None:
    of = snapshot(
        offer("a", "dear", price=price(9), context=100_000),
        offer("a", "cheap", price=price(1), context=100_000),
        policy=RoutingPolicy(auto_models=("dear", "cheap"), exploration_rate=0),
    )
    assert explained(Desk(of), "auto").chosen == "a/cheap"


def test_an_unknown_model_is_a_404_and_a_strategy_beside_a_pin_a_400() -> None:
    with pytest.raises(GatewayError) as unknown:
        explained(Desk(), "gpt-z")
    assert unknown.value.kind is errors.MODEL_NOT_FOUND
    with pytest.raises(GatewayError) as pinned:
        explained(Desk(), "a/gpt-x", routing="price")
    assert (pinned.value.status, pinned.value.param) == (400, "routing")


def test_a_project_has_its_own_policy() -> None:
    own = Project(id="own", name="own", routing=RoutingPolicy(max_fallbacks=1, weight_price=0))
    told = explained(Desk(policy=CALM), project=own)
    assert (told.fallbacks, told.weights.price) == (1, 0)
