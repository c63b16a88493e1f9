"""JSON Schema reduced to Google's dialect allows what it allowed before, and always ends."""

import json
import time
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Raw

from llmgateway.wire.schema import reduced

STRING = {"type": "STRING"}


def made(schema: dict[str, Any]) -> dict[str, Any]:
    return reduced(msgspec.json.decode(json.dumps(schema), type=dict[str, Raw]))


@pytest.mark.parametrize(
    ("schema", "result"),
    [
        ({"type": "string", "format": "date-time", "minLength": 1}, {**STRING, "format": "date-time", "minLength": 1}),
        ({"type": "string", "format": "uri", "$schema": "x", "examples": []}, STRING),
        ({"type": ["string", "null"], "title": "t"}, {**STRING, "nullable": True, "title": "t"}),
        ({"type": ["string", "integer"]}, {"anyOf": [STRING, {"type": "INTEGER"}]}),
        (
            {"anyOf": [{"type": "string"}, {"type": "null"}], "description": "d"},
            {**STRING, "nullable": True, "description": "d"},
        ),
        (
            {"oneOf": [{"type": "string"}, {"type": "number"}, {"type": "null"}], "type": "string"},
            {"anyOf": [{**STRING, "nullable": True}, {"type": "NUMBER", "nullable": True}]},
        ),
        ({"enum": ["a", "b"]}, {**STRING, "format": "enum", "enum": ["a", "b"]}),
        ({"enum": ["a", None]}, {**STRING, "format": "enum", "enum": ["a"], "nullable": True}),
        ({"const": "a"}, {**STRING, "format": "enum", "enum": ["a"]}),
        ({"enum": [1, 2], "description": "d"}, {"type": "INTEGER", "description": "d One of: [1,2]"}),
        ({"const": True}, {"type": "BOOLEAN", "description": "One of: [true]"}),
        ({"type": "array", "items": {"type": "string"}}, {"type": "ARRAY", "items": STRING}),
        ({"prefixItems": [{"type": "string"}]}, {"type": "ARRAY", "items": STRING}),
        ({"type": "array"}, {"type": "ARRAY", "items": {}}),
        (
            {
                "properties": {"b": {"type": "string"}, "a": True},
                "required": ["b", "lost"],
                "additionalProperties": False,
            },
            {
                "type": "OBJECT",
                "required": ["b"],
                "properties": {"b": STRING, "a": {"type": "OBJECT"}},
                "propertyOrdering": ["b", "a"],
            },
        ),
        (
            {
                "allOf": [
                    {"properties": {"a": {"type": "string"}}, "required": ["a"]},
                    {"properties": {"b": {"type": "string"}}},
                ]
            },
            {
                "type": "OBJECT",
                "required": ["a"],
                "properties": {"a": STRING, "b": STRING},
                "propertyOrdering": ["a", "b"],
            },
        ),
    ],
)
def test_keywords(schema: dict[str, Any], result: dict[str, Any]) -> None:
    assert made(schema) == result


def test_references_are_put_in_place() -> None:
    schema = {
        "type": "object",
        "properties": {
            "a": {"$ref": "#/$defs/A~1b", "description": "mine"},
            "b": {"$ref": "#/$defs/lost"},
            "c": {"$ref": "https://elsewhere.test/x"},
            "d": {"allOf": [{"$ref": "#/$defs/A~1b"}], "title": "t"},
        },
        "$defs": {"A/b": {"type": "string", "description": "theirs"}},
    }
    assert made(schema)["properties"] == {
        "a": {"type": "STRING", "description": "mine"},
        "b": {"type": "OBJECT"},
        "c": {"type": "OBJECT"},
        "d": {"type": "STRING", "title": "t", "description": "theirs"},
    }


def test_a_loop_of_references_ends_in_an_object_of_any_shape() -> None:
    tree = {
        "$ref": "#/$defs/T",
        "$defs": {"T": {"type": "object", "properties": {"kids": {"type": "array", "items": {"$ref": "#/$defs/T"}}}}},
    }
    assert made(tree)["properties"]["kids"]["items"] == {"type": "OBJECT"}
    assert made({"$ref": "#"}) == {"type": "OBJECT"}
    assert made({"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}}) == {
        "type": "OBJECT"
    }


def test_references_that_multiply_are_bounded() -> None:
    """Each level names the next one twice: 2⁴⁰ nodes, were they all put in place."""
    defs = {
        f"l{n}": {"type": "object", "properties": {x: {"$ref": f"#/$defs/l{n + 1}"} for x in "ab"}} for n in range(40)
    }
    started = time.process_time()
    result = made({"$ref": "#/$defs/l0", "$defs": defs})
    assert time.process_time() - started < 2
    assert len(json.dumps(result)) < 3_000_000


def test_what_is_nested_too_deeply_is_an_object_of_any_shape() -> None:
    deep: dict[str, Any] = {"type": "string"}
    for _ in range(300):
        deep = {"type": "object", "properties": {"a": deep}}
    text = json.dumps(made(deep))
    assert text.count("properties") < 40
    assert reduced({"a": Raw(b"[" * 5_000 + b"]" * 5_000)}) == {"type": "OBJECT"}


WORDS = st.sampled_from(["object", "#", "#/a", "null"])
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=4) | WORDS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "type",
                    "properties",
                    "items",
                    "$ref",
                    "anyOf",
                    "allOf",
                    "enum",
                    "const",
                    "required",
                    "format",
                    "a",
                    "$defs",
                    "prefixItems",
                    "description",
                    "nullable",
                ]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    schema=st.dictionaries(st.sampled_from(["type", "properties", "items", "anyOf", "allOf", "$ref", "enum"]), ANYTHING)
)
def test_no_schema_breaks_it(schema: dict[str, Any]) -> None:
    assert isinstance(json.dumps(made(schema)), str)
