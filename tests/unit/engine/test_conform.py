"""Does a value fit a schema: a right verdict, or none; never a hang, a crash or a request to somebody."""

import json
import time
from typing import Any

import pytest

from llmgateway.engine.conform import MAX_SCHEMA_BYTES, conforms

PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer", "minimum": 0}},
    "required": ["name", "age"],
    "additionalProperties": False,
}
TREE = {"$ref": "#/$defs/n", "$defs": {"n": {"type": "object", "properties": {"c": {"$ref": "#/$defs/n"}}}}}


def verdict(schema: Any, value: Any) -> bool | None:
    return conforms(value, json.dumps(schema).encode())


@pytest.mark.parametrize(
    ("schema", "value", "expected"),
    [
        (PERSON, {"name": "A", "age": 3}, True),
        (PERSON, {"name": "A", "age": -3}, False),
        (PERSON, {"name": "A"}, False),
        (PERSON, [1], False),
        (TREE, {"c": {"c": {}}}, True),
        (TREE, {"c": {"c": 1}}, False),
        ({"type": "string", "pattern": "^(?!foo)[a-z]+$"}, "bar", True),
        ({"type": "string", "pattern": "^(?!foo)[a-z]+$"}, "foo", False),
        ({"anyOf": [{"type": "null"}, PERSON]}, None, True),
        (True, 5, True),
    ],
)
def test_a_usable_schema_has_a_verdict(schema: Any, value: Any, expected: bool) -> None:
    assert verdict(schema, value) is expected


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "objekt"},
        {"type": 5},
        {"$ref": "#/$defs/missing"},
        {"$ref": "http://127.0.0.1:1/schema.json"},
        {"$ref": "https://example.com/schema.json"},
        {"$ref": "file:///etc/hostname"},
        {"type": "string", "pattern": "("},
        7,
    ],
)
def test_a_schema_that_cannot_be_used_has_none(schema: Any) -> None:
    assert verdict(schema, {}) is None


def test_a_schema_too_big_has_none() -> None:
    assert conforms({}, b'{"description":"' + b"x" * MAX_SCHEMA_BYTES + b'"}') is None


def deep(levels: int, opening: str, closing: str) -> bytes:
    return (opening * levels + '{"type":"object"}' + closing * levels).encode()


@pytest.mark.parametrize(("opening", "closing"), [('{"allOf":[', "]}"), ('{"properties":{"a":', "}}")])
@pytest.mark.parametrize("levels", [50, 900, 10_000])
def test_deep_schemas_end(opening: str, closing: str, levels: int) -> None:
    assert conforms({}, deep(levels, opening, closing)) is (True if levels == 50 else None)


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#"},
        {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}},
        {"$ref": "#/$defs/a", "$defs": {"a": {"allOf": [{"$ref": "#/$defs/a"}]}}},
        {"$dynamicRef": "#x", "$dynamicAnchor": "x"},
        {"type": "object", "properties": {f"p{n}": {"type": "string"} for n in range(5_000)}},
    ],
)
def test_loops_end(schema: Any) -> None:
    started = time.process_time()
    assert verdict(schema, {}) in (True, None)
    assert time.process_time() - started < 2


def doubling(levels: int) -> Any:
    definitions: dict[str, Any] = {"x0": {"type": "string"}}
    for level in range(1, levels):
        below = {"$ref": f"#/$defs/x{level - 1}"}
        definitions[f"x{level}"] = {"anyOf": [below, below]}
    return {"$defs": definitions, "$ref": f"#/$defs/x{levels - 1}"}


def test_a_schema_with_exponentially_many_ways_is_not_walked() -> None:
    assert verdict(doubling(12), 5) is False
    started = time.process_time()
    assert verdict(doubling(60), 5) is None
    assert time.process_time() - started < 2


def test_ways_that_multiply_from_level_to_level_are_counted_too() -> None:
    schema = {"anyOf": [{"properties": {"c": {"$ref": "#"}}, "required": [name]} for name in "xyzuvw"]}
    value: Any = {}
    for _ in range(40):
        value = {"c": value}
    started = time.process_time()
    assert verdict(schema, value) in (False, None)
    assert time.process_time() - started < 2


def test_unions_of_many_kinds_nested_as_real_schemas_are_get_a_verdict() -> None:
    kinds = [
        {"type": "object", "properties": {"kind": {"const": n}, "items": {"type": "array", "items": {"$ref": "#"}}}}
        for n in range(20)
    ]
    value: Any = {"kind": 3, "items": []}
    for _ in range(3):
        value = {"kind": 3, "items": [value]}
    assert verdict({"anyOf": kinds}, value) is True


@pytest.mark.parametrize("pattern", ["^(a+)+$", "(?=(a+)+$)(a+)+$", "^(a|a?)+(?!b)$"])
def test_patterns_that_run_away_end(pattern: str) -> None:
    started = time.process_time()
    verdict({"type": "array", "items": {"type": "string", "pattern": pattern}}, ["a" * 5_000 + "c"] * 20)
    assert time.process_time() - started < 3
