"""Our own OpenAPI document, taken at its word: it is valid, and nothing it allows or forbids makes a server error."""

import json
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.specs.openapi.definitions import OPENAPI_31

from llmgateway.apps.edge.openapi import document
from tests.hostile.target import KEY, MODEL, Target, decent
from tests.support.rawhttp import Answer

_DOCUMENT: dict[str, Any] = json.loads(document())
_SCHEMA = schemathesis.openapi.from_dict(_DOCUMENT)
_EXAMPLES = 60


def test_the_document_is_valid_openapi() -> None:
    assert [error.message for error in jsonschema_rs.validator_for(OPENAPI_31).iter_errors(_DOCUMENT)] == []


def test_every_reference_in_the_document_leads_somewhere() -> None:
    names = set(_DOCUMENT["components"]["schemas"])
    assert {name.removeprefix("#/components/schemas/") for name in references(_DOCUMENT)} <= names


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


@_SCHEMA.parametrize()
@settings(
    max_examples=_EXAMPLES,
    derandomize=True,
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)
def test_generated_requests_meet_no_server_error(case: schemathesis.Case, target: Target) -> None:
    """Most of them are for a model that exists, so that they go all the way."""
    if isinstance(case.body, dict) and isinstance(case.body.get("model"), str) and case.body["model"] != "0":
        case.body["model"] = MODEL
    response = case.call(base_url=f"http://127.0.0.1:{target.port}", headers={"authorization": f"Bearer {KEY}"})
    assert response.status_code < 500, response.text
    if response.status_code >= 400 and case.method != "HEAD":
        headers = tuple((name.lower(), values[0]) for name, values in response.headers.items())
        decent(Answer(response.status_code, headers, response.content))
