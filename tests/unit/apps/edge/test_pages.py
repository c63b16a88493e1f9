"""The pages beside chat, on a real socket: who may see them, what they show, what they refuse."""

from collections.abc import Iterator
from typing import Any

import pytest

from llmgateway.apps.edge.front import Route
from llmgateway.apps.edge.openapi import document
from llmgateway.apps.edge.pages import Pages
from llmgateway.domain.identity import ApiKey
from llmgateway.engine.pipeline import Gateway
from llmgateway.infra.db.engine import DatabaseError
from tests.support.rawhttp import Answer, request
from tests.unit.apps.edge.conftest import NewLoop
from tests.unit.apps.edge.door import BEARER, Door


class State:
    """What the pages ask for."""

    complaints: tuple[str, ...] = ()
    serving = True
    failure: Exception | None = None
    paths: frozenset[str] = frozenset()

    async def key_page(self, key: ApiKey) -> dict[str, Any]:
        if self.failure is not None:
            raise self.failure
        return {"name": key.name}


@pytest.fixture
def state() -> State:
    return State()


@pytest.fixture
def door(new_loop: NewLoop, state: State) -> Iterator[Door]:
    def routes(gateway: Gateway) -> tuple[Route, ...]:
        pages = Pages(
            gateway,
            key_page=state.key_page,
            readiness=lambda: (list(state.complaints), state.serving),
            metrics=lambda: b"m 1\n",
            openapi=document,
        )
        state.paths = frozenset(route.path.decode() for route in pages.routes())
        return pages.routes()

    door = Door(new_loop, routes=routes)
    yield door
    door.close()
    assert door.complaints == []


def get(door: Door, path: str, *headers: tuple[str, str], method: str = "GET") -> Answer:
    with door.connect() as client:
        client.send(request(method, path, headers=headers))
        return client.answer(method=method)


@pytest.mark.parametrize("path", ["/v1/models", "/v1/models/large", "/v1/models/large/routing", "/v1/key"])
def test_what_a_key_may_see_needs_one(door: Door, path: str) -> None:
    assert get(door, path).status == 401
    assert get(door, path, ("x-api-key", "wrong")).status == 401
    assert get(door, path, BEARER).status == 200


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/openapi.json"])
def test_what_machines_ask_for_needs_no_key(door: Door, path: str) -> None:
    answer = get(door, path)
    assert answer.status == 200
    assert answer.body
    head = get(door, path, method="HEAD")
    assert (head.status, head.body, head.header("content-length")) == (200, b"", str(len(answer.body)))


def test_models_are_listed_with_what_can_be_used(door: Door) -> None:
    listed = get(door, "/v1/models", BEARER).json
    assert listed["object"] == "list"
    assert {model["id"]: model["available"] for model in listed["data"]} == {"org/small": True, "large": False}
    small = next(model for model in listed["data"] if model["id"] == "org/small")
    assert (small["context_length"], small["max_output"], small["aliases"]) == (1000, 100, ["little"])
    assert small["pricing"] == {"input_usd_per_mtok": 0.1, "output_usd_per_mtok": 0.4}


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("?available=true", ["org/small"]),
        ("?available=false", ["org/small", "large"]),
        ("?other=1", ["org/small", "large"]),
    ],
)
def test_models_can_be_limited_to_those_that_can_be_used(door: Door, query: str, ids: list[str]) -> None:
    assert [model["id"] for model in get(door, f"/v1/models{query}", BEARER).json["data"]] == ids


def test_a_filter_nobody_knows_is_refused(door: Door) -> None:
    answer = get(door, "/v1/models?available=perhaps", BEARER)
    assert (answer.status, answer.error["param"]) == (400, "available")


@pytest.mark.parametrize("name", ["org/small", "org%2Fsmall", "org%2fsmall", "little", "here/small", "%6f%72g/small"])
def test_a_model_is_found_by_any_of_its_names_with_raw_and_escaped_slashes(door: Door, name: str) -> None:
    assert get(door, f"/v1/models/{name}", BEARER).json["id"] == "org/small"


def test_an_unknown_model_is_not_found_and_its_neighbours_are_named(door: Door) -> None:
    answer = get(door, "/v1/models/org/smal", BEARER)
    assert (answer.status, answer.error["code"], answer.error["param"]) == (404, "model_not_found", "model")
    assert "org/small" in answer.error["message"]


def test_the_key_page_tells_of_the_key_that_asks(door: Door) -> None:
    assert get(door, "/v1/key", BEARER).json == {"name": "door"}


def test_a_database_that_is_down_is_told_as_such(door: Door, state: State) -> None:
    state.failure = DatabaseError("down")
    answer = get(door, "/v1/key", BEARER)
    assert (answer.status, answer.error["code"], answer.header("retry-after")) == (503, "overloaded", "1")


def test_a_bug_in_a_page_is_answered(door: Door, state: State, caplog: pytest.LogCaptureFixture) -> None:
    state.failure = RuntimeError("secret words")
    answer = get(door, "/v1/key", BEARER)
    assert (answer.status, answer.error["code"]) == (500, "internal_error")
    assert "secret words" not in caplog.text


@pytest.mark.parametrize(
    ("complaints", "serving", "status", "word"),
    [((), True, 200, "ok"), (("slow",), True, 200, "degraded"), (("full",), False, 503, "unavailable")],
)
def test_readiness_follows_what_can_be_served(
    door: Door, state: State, complaints: tuple[str, ...], serving: bool, status: int, word: str
) -> None:
    state.complaints, state.serving = complaints, serving
    answer = get(door, "/readyz")
    assert (answer.status, answer.json) == (status, {"status": word, "complaints": list(complaints)})


def test_metrics_are_plain_text(door: Door) -> None:
    answer = get(door, "/metrics")
    assert (answer.header("content-type"), answer.body) == ("text/plain; version=0.0.4; charset=utf-8", b"m 1\n")


def test_every_page_is_in_the_openapi_document(door: Door, state: State) -> None:
    paths = set(get(door, "/openapi.json").json["paths"])
    served = state.paths | {"/v1/chat/completions", "/v1/models/{id}/routing"}
    assert paths == {path.removesuffix("/") + "/{id}" if path.endswith("/") else path for path in served}
