"""JSON Schemas as a grammar takes them."""

from typing import Any

import msgspec
import pytest
from msgspec import Raw

from llmgateway.wire.anthropic.schema import constrained

CLOSED: dict[str, Any] = {"additionalProperties": False}


def said(schema: dict[str, Any]) -> Any:
    spans = {name: Raw(msgspec.json.encode(value)) for name, value in schema.items()}
    result = constrained(spans)
    return None if result is None else msgspec.json.decode(result)


def test_a_schema_that_needs_nothing_keeps_its_bytes() -> None:
    spans = {
        "type": Raw(b'"object"'),
        "properties": Raw(b'{ "a" : {"enum":[1.50,"x"]} }'),
        "additionalProperties": Raw(b"false"),
    }
    sent = constrained(spans)
    assert sent is not None
    assert bytes(sent) == b'{"type":"object","properties":{ "a" : {"enum":[1.50,"x"]} },"additionalProperties":false}'


def test_objects_are_closed_at_every_depth() -> None:
    inner = {"type": "object", "properties": {}}
    schema = {"type": "object", "properties": {"a": {"type": "array", "items": inner}}, "$defs": {"d": inner}}
    assert said(schema) == {
        "type": "object",
        "properties": {"a": {"type": "array", "items": {**inner, **CLOSED}}},
        "$defs": {"d": {**inner, **CLOSED}},
        **CLOSED,
    }


def test_what_a_grammar_cannot_count_is_described() -> None:
    number = {"type": "integer", "minimum": 1, "maximum": 10}
    assert said(number) == {"type": "integer", "description": "minimum: 1, maximum: 10"}
    text = {"type": "string", "description": "A word", "maxLength": 5, "format": "color", "pattern": "^a"}
    assert said(text) == {"type": "string", "description": "A word (maxLength: 5, format: color)", "pattern": "^a"}
    assert said({"type": "array", "minItems": 1, "maxItems": 2}) == {
        "type": "array", "minItems": 1, "description": "maxItems: 2",
    }  # fmt: skip
    assert said({"type": "array", "minItems": 3}) == {"type": "array", "description": "minItems: 3"}
    assert said({"type": "string", "format": "date"}) == {"type": "string", "format": "date"}


def test_one_of_is_any_of() -> None:
    assert said({"oneOf": [{"type": "null"}, {"type": "string"}]}) == {"anyOf": [{"type": "null"}, {"type": "string"}]}


def test_members_named_like_keywords_are_members() -> None:
    schema = {"type": "object", "properties": {"minimum": {"type": "integer"}, "not": {"type": "string"}}, **CLOSED}
    assert said(schema) == schema


CIRCLE = {"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}}}


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "additionalProperties": {"type": "string"}},
        {"type": "object", "additionalProperties": True},
        {"type": "object", "properties": {"a": {}}},
        {"type": "object", "properties": {"a": True}},
        {"type": "object", "patternProperties": {}},
        {"$ref": "https://x.test/schema.json"},
        {"not": {"type": "string"}},
        {"anyOf": [{"type": "string"}], "oneOf": [{"type": "null"}]},
        {**CIRCLE, "$defs": {"node": CIRCLE}},
        {"type": "object", "properties": {"again": {"$ref": "#"}}},
        {},
    ],
)
def test_what_cannot_be_said(schema: dict[str, Any]) -> None:
    assert said(schema) is None


def test_references_without_a_circle_are_kept() -> None:
    schema = {
        "type": "object",
        "properties": {"a": {"$ref": "#/$defs/d"}},
        "$defs": {"d": {"type": "string"}},
        **CLOSED,
    }
    assert said(schema) == schema


def test_a_schema_of_any_depth_is_said_or_not() -> None:
    deep: dict[str, Any] = {"type": "string"}
    for _ in range(300):
        deep = {"type": "array", "items": deep}
    assert said(deep) is None
