"""The model `auto`: the cheapest model that fits, what keeps an offer from being chosen, what is told if none is."""

from datetime import date
from typing import Any

import msgspec

from llmgateway.catalog.auto import AUTO_MODELS
from llmgateway.catalog.lookup import load
from llmgateway.domain import errors
from llmgateway.domain.identity import Project
from llmgateway.domain.policy import RoutingPolicy
from llmgateway.domain.routing import Deployment
from llmgateway.domain.usage import Price
from llmgateway.engine.snapshot import Snapshot
from llmgateway.wire.openai_chat.request import read_request
from llmgateway.wire.protocols import PROTOCOLS
from tests.support.fakes import JSON as JSON_HEADERS
from tests.support.fakes import ONCE, Bench, Script, planned, provider, request_body, snapshot, whole
from tests.unit.engine.auto_cases import (
    CHEAP,
    DEAR,
    FREE,
    MIDDLE,
    REASONS,
    TOOLS,
    UNVERIFIED,
    built_in,
    chosen,
    listing,
    model,
    plan,
    refusal,
)

# The choice


def test_the_cheapest_model_that_fits_wins() -> None:
    of = listing(model("dear", DEAR), model("cheap", CHEAP), model("middle", MIDDLE))
    assert chosen(of) == "acme/cheap"


def test_a_model_costs_what_its_cheapest_usable_offer_does() -> None:
    of = listing(
        model("a", DEAR), model("a", MIDDLE, at="b"), model("c", CHEAP, at="keyless"), credentials=["acme", "b"]
    )
    assert chosen(of) == "b/a"


def test_the_price_is_three_parts_input_and_one_part_output() -> None:
    assert chosen(listing(model("a", Price(input=10, output=100)), model("b", Price(input=40, output=1)))) == "acme/b"


def test_the_chosen_models_providers_compete_like_any_models() -> None:
    of = listing(model("a", CHEAP), model("a", MIDDLE, at="b"), model("z", DEAR))
    found = plan(of)
    assert [to.used_model for to in found.deployments] == ["acme/a", "b/a"]
    assert (found.requested_provider, found.chosen_by) == (None, "score")


def test_a_listed_name_may_be_pinned_and_still_no_provider_was_asked_for() -> None:
    of = listing(model("a", DEAR), model("a", CHEAP, at="b"), models=("acme/a",))
    found = plan(of)
    assert [to.used_model for to in found.deployments] == ["acme/a"]
    assert found.requested_provider is None


def test_a_model_that_lacks_what_is_asked_for_is_passed_over() -> None:
    of = listing(model("cheap", CHEAP, lacks=frozenset({"tools"})), model("dear", DEAR))
    assert chosen(of) == "acme/cheap"
    assert chosen(of, tools=TOOLS) == "acme/dear"


def test_effort_is_a_filter() -> None:
    of = listing(model("plain", CHEAP, lacks=frozenset({"reasoning"})), model("thinker", DEAR, **REASONS))
    assert chosen(of, reasoning_effort="low") == "acme/thinker"


def test_prompt_and_answer_have_to_fit_the_context_together() -> None:
    of = listing(model("small", CHEAP, context=8192), model("large", DEAR, context=100_000))
    short, long = [{"role": "user", "content": " word" * 100}], [{"role": "user", "content": " word" * 5000}]
    assert chosen(of, messages=short) == "acme/small"
    assert chosen(of, messages=long) == "acme/large"
    assert chosen(of, messages=long, max_tokens=100) == "acme/small"
    assert chosen(of, messages=short, max_completion_tokens=8100) == "acme/large"


def test_tools_count_for_the_context() -> None:
    tools = [{"type": "function", "function": {"name": "f", "description": " word" * 5000}}]
    of = listing(model("small", CHEAP, context=8192), model("large", DEAR, context=100_000))
    assert chosen(of, tools=tools) == "acme/large"


def test_pictures_count_for_the_context() -> None:
    of = listing(model("small", CHEAP, context=8192), model("large", DEAR, context=100_000))
    parts = [{"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}] * 6
    assert chosen(of, messages=[{"role": "user", "content": parts[:1]}]) == "acme/small"
    assert chosen(of, messages=[{"role": "user", "content": parts}]) == "acme/large"


def test_of_the_chosen_model_only_offers_with_room_are_tried() -> None:
    of = listing(model("a", CHEAP, context=100_000), model("a", MIDDLE, at="narrow", context=6000))
    messages = [{"role": "user", "content": " word" * 3000}]
    assert [to.used_model for to in plan(of, messages=messages).deployments] == ["acme/a"]


def test_a_context_that_nobody_knows_is_not_checked() -> None:
    of = listing(model("unknown", CHEAP, context=0), model("large", DEAR, context=10_000_000))
    assert chosen(of, messages=[{"role": "user", "content": " word" * 200_000}]) == "acme/unknown"


async def test_a_model_all_of_whose_credentials_rest_is_passed_over() -> None:
    class Health:
        def figures(self, offer_key: str, *, policy: RoutingPolicy) -> Any:
            raise AssertionError("one offer is not compared")

        def open(self, to: Deployment) -> bool:
            return to.mapping.model != "cheap"

        def due_probe(self, offer_key: str, *, policy: RoutingPolicy) -> bool:
            return False

    of = listing(model("cheap", CHEAP), model("dear", DEAR))
    chat = read_request(request_body(model="auto"))
    assert planned(chat, snapshot=of, health=Health()).deployments[0].used_model == "acme/dear"
    alone = listing(model("cheap", CHEAP))
    assert planned(chat, snapshot=alone, health=Health()).deployments[0].used_model == "acme/cheap"


def test_a_project_may_have_its_own_list() -> None:
    of = listing(model("a", CHEAP), model("b", DEAR), models=("a",))
    mine = Project(id="p", name="P", routing=msgspec.structs.replace(ONCE, auto_models=("b",)))
    assert (chosen(of), chosen(of, project=mine)) == ("acme/a", "acme/b")


def test_the_order_is_worked_out_once() -> None:
    of = listing(model("a"), model("b"))
    for _ in range(3):
        plan(of)
        plan(of, free_models_only=False)
    assert len(of.menus) == 1


# What is no candidate unless the operator lists it

NAME = AUTO_MODELS[0]


def test_a_deprecated_offer_is_chosen_only_if_it_is_listed() -> None:
    old = model(NAME, CHEAP, deprecated=date(2029, 12, 31))
    assert chosen(built_in(old, model(NAME, DEAR, at="b"))) == f"b/{NAME}"
    assert chosen(built_in(model(NAME, CHEAP, deprecated=date(2030, 1, 2)))) == f"acme/{NAME}"
    assert chosen(listing(old)) == f"acme/{NAME}"


def test_an_unknown_price_is_chosen_only_if_it_is_listed_and_then_last() -> None:
    unpriced = model(NAME, None)
    assert chosen(built_in(unpriced, model(AUTO_MODELS[1], DEAR))) == f"acme/{AUTO_MODELS[1]}"
    refusal(built_in(unpriced), errors.NO_PROVIDER)
    assert chosen(listing(unpriced, model("dear", DEAR))) == "acme/dear"
    assert chosen(listing(unpriced)) == f"acme/{NAME}"


def test_a_custom_offer_at_no_price_is_chosen_only_if_it_is_listed() -> None:
    rows = [provider(custom=True), provider("b")]
    assert chosen(built_in(model(NAME, FREE), model(NAME, DEAR, at="b"), providers=rows)) == f"b/{NAME}"
    assert chosen(listing(model(NAME, FREE), model(NAME, DEAR, at="b"), providers=rows)) == f"acme/{NAME}"


def test_a_free_offer_of_the_catalogue_is_chosen() -> None:
    assert chosen(built_in(model(NAME, FREE), model(NAME, DEAR, at="b"))) == f"acme/{NAME}"


def test_the_simulator_is_chosen_only_if_it_is_listed() -> None:
    rows = [provider("simulator", protocol="simulator"), provider("b")]
    speaking: dict[str, Any] = {"providers": rows, "protocols": frozenset({"openai-chat"})}
    simulated = model(NAME, FREE, at="simulator", protocol="openai-chat")
    of = built_in(simulated, model(AUTO_MODELS[1], DEAR, at="b"), **speaking)
    assert chosen(of) == f"b/{AUTO_MODELS[1]}"


# Nothing to choose


def test_without_any_credential_the_error_says_how_to_set_one() -> None:
    catalog = load()
    bare = Snapshot(
        catalog=catalog,
        keys=[],
        credentials=[],
        protocols=frozenset(PROTOCOLS),
        instance_id="i",
        today=date(2026, 11, 26),
    )
    error = refusal(bare, errors.NO_PROVIDER)
    assert (error.status, error.param) == (400, "model")
    assert "OPENAI_API_KEY" in error.message
    assert "ANTHROPIC_API_KEY" in error.message


def test_a_list_of_nothing_that_exists_is_told() -> None:
    assert "auto_models" in refusal(listing(model("a"), models=("nothing",)), errors.NO_PROVIDER).message


def test_a_prompt_that_no_context_holds_names_the_largest() -> None:
    of = listing(model("a", CHEAP, context=900), model("b", DEAR, context=5000))
    error = refusal(of, errors.CONTEXT_LENGTH, messages=[{"role": "user", "content": " word" * 4000}])
    assert "5000" in error.message


def test_a_capability_that_no_model_has_is_named() -> None:
    of = listing(model("a", lacks=frozenset({"tools"})))
    assert refusal(of, errors.UNSUPPORTED_PARAMETER, tools=TOOLS).param == "tools"


def test_all_that_was_left_out_is_kept_with_its_reason() -> None:
    of = listing(model("a", CHEAP, lacks=frozenset({"tools"})), model("b", DEAR))
    error = refusal(listing(model("a", CHEAP, lacks=frozenset({"tools"}))), errors.UNSUPPORTED_PARAMETER, tools=TOOLS)
    assert "auto" in error.message
    assert chosen(of, tools=TOOLS) == "acme/b"


# Fallback lists


def test_auto_may_follow_a_named_model() -> None:
    of = listing(model("named", DEAR), model("a", CHEAP), model("b", MIDDLE), models=("a", "b"))
    found = plan(of, model="named", models=["auto"])
    assert [to.used_model for to in found.deployments] == ["acme/named", "acme/a"]


def test_a_named_model_may_follow_auto() -> None:
    of = listing(model("named", DEAR), model("a", CHEAP), models=("a",))
    assert [to.used_model for to in plan(of, models=["named"]).deployments] == ["acme/a", "acme/named"]


def test_where_auto_finds_nothing_the_next_of_the_list_serves() -> None:
    of = listing(model("named", DEAR), model("a", CHEAP, lacks=frozenset({"tools"})), models=("a",))
    assert [to.used_model for to in plan(of, models=["named"], tools=TOOLS).deployments] == ["acme/named"]


# Projects that are not verified


def test_a_free_model_needs_a_verified_project_or_onboarding() -> None:
    of = listing(model("free", FREE), model("paid", DEAR))
    assert chosen(of) == "acme/free"
    assert chosen(of, project=UNVERIFIED) == "acme/paid"
    assert chosen(of, project=UNVERIFIED, onboarding=True) == "acme/free"
    error = refusal(listing(model("free", FREE)), errors.PROJECT_NOT_VERIFIED, project=UNVERIFIED)
    assert (error.status, error.param) == (403, "onboarding")


def test_the_same_holds_for_a_free_model_that_is_named() -> None:
    of = snapshot(model("free", FREE))
    assert refusal(of, errors.PROJECT_NOT_VERIFIED, project=UNVERIFIED, model="free").status == 403
    assert chosen(of, project=UNVERIFIED, model="free", onboarding=True) == "acme/free"
    assert chosen(of, model="free") == "acme/free"


def test_an_unverified_project_goes_to_the_offer_that_costs() -> None:
    of = snapshot(model("a", FREE), model("a", DEAR, at="b"))
    assert [to.used_model for to in plan(of, project=UNVERIFIED, model="a").deployments] == ["b/a"]


def test_what_an_unverified_project_pays_for_it_may_use() -> None:
    assert chosen(snapshot(model("a", CHEAP)), project=UNVERIFIED, model="a") == "acme/a"


# Through the pipeline


async def test_the_answer_tells_which_model_it_was() -> None:
    bench = Bench(Script(whole(), headers=JSON_HEADERS), snapshot_=listing(model("a", CHEAP), model("b", DEAR)))
    down = await bench.ask(model="auto", free_models_only=False, no_reasoning=True)
    metadata = down.answer["metadata"]
    assert (metadata["used_model"], metadata["requested_model"], metadata["requested_provider"]) == (
        "acme/a",
        "auto",
        None,
    )
    assert metadata["dropped_parameters"] == []
    assert down.answer["model"] == "acme/a"
    assert msgspec.json.decode(bench.transport.requests[0].body)["model"] == "a-upstream"
    assert bench.journal.exchange["requested_model"] == "auto"


async def test_without_auto_its_filters_have_no_effect_and_are_listed() -> None:
    bench = Bench(Script(whole(), headers=JSON_HEADERS))
    down = await bench.ask(free_models_only=True, no_reasoning=True)
    assert sorted(down.answer["metadata"]["dropped_parameters"]) == ["free_models_only", "no_reasoning"]
