"""`/v1/models/{id}/routing` on a real socket: which model is meant, what is told of it, and what is refused."""

import json
import re
from collections.abc import Iterator
from datetime import date
from typing import Any

import msgspec
import pytest

from llmgateway.apps.edge.front import Route
from llmgateway.apps.edge.openapi import document
from llmgateway.apps.edge.pages import Pages
from llmgateway.catalog.lookup import Catalog
from llmgateway.domain import errors
from llmgateway.domain.errors import UpstreamError
from llmgateway.domain.identity import ApiKey
from llmgateway.domain.policy import RoutingPolicy
from llmgateway.domain.routing import Credential, Mapping, Model, Provider
from llmgateway.domain.usage import Price
from llmgateway.engine.pipeline import Gateway
from llmgateway.engine.snapshot import Snapshot
from tests.contract.tree import ROOT
from tests.support.rawhttp import Answer, request
from tests.unit.apps.edge.conftest import NewLoop
from tests.unit.apps.edge.door import BEARER, INSTANCE, Door
from tests.unit.apps.edge.door import snapshot as plain

FINGERPRINT = "f" * 16


def mapping(provider: str, model: str, *, usd_per_mtok: int) -> Mapping:
    price = Price(input=usd_per_mtok * 10**6, output=usd_per_mtok * 10**6)
    return Mapping(provider=provider, model=model, upstream=model.rpartition("/")[2], price=price, regions=("eu",))


def routed(*, own: RoutingPolicy | None = None) -> Snapshot:
    """Two providers of one model, one of a model that is called like the page, and one that takes any name."""
    key = next(iter(plain().keys.values()))
    models = {
        "org/model": [mapping("cheap", "org/model", usd_per_mtok=1), mapping("dear", "org/model", usd_per_mtok=2)],
        "org/routing": [mapping("cheap", "org/routing", usd_per_mtok=1)],
    }
    return Snapshot(
        catalog=Catalog(
            providers=[
                Provider(id="cheap", base_url="http://127.0.0.1:9", regions=("eu",)),
                Provider(id="dear", base_url="http://127.0.0.1:9"),
                Provider(id="any", base_url="http://127.0.0.1:9", any_model=True, custom=True),
            ],
            models=[Model(id=name, mappings=tuple(offers)) for name, offers in models.items()],
        ),
        keys=[msgspec.structs.replace(key, project=msgspec.structs.replace(key.project, routing=own))],
        credentials=[
            Credential(provider=name, secret="sk-secret", fingerprint=FINGERPRINT) for name in ("cheap", "dear", "any")
        ],
        protocols=frozenset(("openai-chat",)),
        instance_id=INSTANCE,
        today=date(2026, 1, 1),
    )


@pytest.fixture
def door(new_loop: NewLoop) -> Iterator[Door]:
    async def key_page(_key: ApiKey) -> dict[str, Any]:
        return {}

    def routes(gateway: Gateway) -> tuple[Route, ...]:
        return Pages(
            gateway, key_page=key_page, readiness=lambda: ([], True), metrics=lambda: b"", openapi=document
        ).routes()

    door = Door(new_loop, routes=routes)
    door.gateway.snapshot = routed()
    yield door
    door.close()
    assert door.complaints == []


def get(door: Door, path: str, *, method: str = "GET") -> Answer:
    with door.connect() as client:
        client.send(request(method, f"/v1/models/{path}", headers=(BEARER,)))
        return client.answer(method=method)


def providers(answer: Answer) -> list[str]:
    return [one["provider"] for one in answer.json["candidates"]]


@pytest.mark.parametrize(
    ("path", "model"),
    [
        ("org/model/routing", "org/model"),
        ("org%2Fmodel/routing", "org/model"),
        ("org%2fmodel/routing", "org/model"),
        ("cheap/org/model/routing", "cheap/org/model"),
        ("cheap%2Forg%2Fmodel:eu/routing", "cheap/org/model:eu"),
        ("org/routing/routing", "org/routing"),
        ("org%2Frouting/routing", "org/routing"),
        ("any/llama/routing", "any/llama"),
        ("any/a/b:c/routing", "any/a/b:c"),
    ],
)
def test_what_stands_before_the_suffix_is_the_model(door: Door, path: str, model: str) -> None:
    answer = get(door, path)
    assert (answer.status, answer.json["object"], answer.json["model"]) == (200, "model.routing", model)


@pytest.mark.parametrize("path", ["org/routing", "org%2Frouting", "cheap/org/routing", "any%2Frouting", "any/routing"])
def test_a_model_that_is_called_like_the_page_is_a_model(door: Door, path: str) -> None:
    answer = get(door, path)
    assert (answer.status, answer.json["object"]) == (200, "model")


def test_candidates_are_told_in_their_order_with_what_it_rests_on(door: Door) -> None:
    told = get(door, "org/model/routing").json
    assert (told["chosen"], told["chosen_by"], told["fallbacks"]) == ("cheap/org/model", "score", 1)
    assert told["assumed"] == {
        "routing": "auto", "stream": False, "prompt_tokens": 1000, "cached_tokens": 0, "completion_tokens": 333,
    }  # fmt: skip
    cheap, dear = told["candidates"]
    assert (cheap["provider"], cheap["score"]["total"], dear["provider"]) == ("cheap", 0, "dear")
    assert dear["score"]["price"] == 1
    assert dear["score"]["total"] == pytest.approx(told["weights"]["price"], abs=1e-5)
    assert cheap["figures"] == {"uptime": 100, "latency": 1000, "throughput": 50, "attempts": 0}
    assert 2 * cheap["expected_cost_usd"] == pytest.approx(dear["expected_cost_usd"])
    assert cheap["credentials"] == [{"apiKeyHash": FINGERPRINT, "weight": 1, "benched": False}]
    assert b"sk-secret" not in get(door, "org/model/routing").body


def test_the_documented_example_has_the_members_of_an_answer_and_adds_up(door: Door) -> None:
    page = (ROOT / "docs" / "routing.md").read_text(encoding="utf-8")
    (text,) = [block for block in re.findall(r"```json\n(.*?)```", page, re.DOTALL) if "model.routing" in block]
    shown, told = json.loads(text), get(door, "org/model/routing").json
    assert shape(shown) == shape(told)
    for one in shown["candidates"]:
        parts = [weight * one["score"][name] for name, weight in shown["weights"].items()]
        assert one["score"]["total"] == pytest.approx(sum(parts), abs=1e-5)


def shape(node: Any) -> Any:
    """Names only, a list as its first entry."""
    if isinstance(node, dict):
        return {name: shape(value) for name, value in node.items()}
    return shape(node[0]) if isinstance(node, list) and node else None


def test_failures_show_before_anybody_asks_for_the_model(door: Door) -> None:
    route = door.gateway.snapshot.route("cheap/org/model")
    assert route is not None
    to = route.offers[0].deployments[0]

    def fail() -> None:
        for _ in range(3):
            door.gateway.health.began(to)
            door.gateway.health.failed(to, UpstreamError(errors.UPSTREAM_ERROR, "500"))

    door.call(fail)
    told = get(door, "org/model/routing")
    assert providers(told) == ["dear", "cheap"]
    assert told.json["candidates"][1]["benched"]
    assert {"provider": "cheap", "model": "org/model", "reason": "benched", "param": None} in told.json["excluded"]


def test_a_pin_is_alone_and_named(door: Door) -> None:
    told = get(door, "dear/org/model/routing")
    assert providers(told) == ["dear"]
    assert (told.json["requested_provider"], told.json["chosen_by"], told.json["fallbacks"]) == ("dear", "pin", 0)


def test_the_project_of_the_key_has_its_own_numbers(door: Door) -> None:
    door.gateway.snapshot = routed(own=RoutingPolicy(max_fallbacks=0, weight_price=0))
    told = get(door, "org/model/routing").json
    assert (told["fallbacks"], told["weights"]["price"]) == (0, 0)


def test_the_question_can_be_made_more_precise(door: Door) -> None:
    told = get(door, "org/model/routing?stream=true&routing=latency&prompt_tokens=5000").json
    assert (told["assumed"]["stream"], told["assumed"]["routing"], told["assumed"]["prompt_tokens"]) == (
        True,
        "latency",
        5000,
    )
    assert told["weights"] == {"price": 0, "uptime": 0.1, "throughput": 0, "latency": 0.9}


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("stream=perhaps", "stream"),
        ("routing=best", "routing"),
        ("prompt_tokens=many", "prompt_tokens"),
        ("prompt_tokens=-1", "prompt_tokens"),
        ("prompt_tokens=" + "9" * 400, "prompt_tokens"),
    ],
)
def test_a_question_that_makes_no_sense_is_refused(door: Door, query: str, param: str) -> None:
    answer = get(door, f"org/model/routing?{query}")
    assert (answer.status, answer.error["param"]) == (400, param)


def test_a_strategy_beside_a_pin_is_refused_as_in_a_request(door: Door) -> None:
    answer = get(door, "dear/org/model/routing?routing=price")
    assert (answer.status, answer.error["code"]) == (400, "unsupported_parameter")


def test_an_unknown_model_is_not_found_and_its_neighbours_are_named(door: Door) -> None:
    answer = get(door, "org/modle/routing")
    assert (answer.status, answer.error["code"], answer.error["param"]) == (404, "model_not_found", "model")
    assert "org/model" in answer.error["message"]


@pytest.mark.parametrize("path", ["routing", "/routing", "%00/routing", "%ff%fe/routing"])
def test_a_path_without_a_model_is_not_found(door: Door, path: str) -> None:
    assert get(door, path).status == 404


def test_a_head_has_no_body_and_another_method_is_refused(door: Door) -> None:
    assert (get(door, "org/model/routing", method="HEAD").status, get(door, "org/model/routing").status) == (200, 200)
    assert get(door, "org/model/routing", method="POST").status == 405
