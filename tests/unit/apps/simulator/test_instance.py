"""Generated values are accepted by an independent JSON-schema validator; hostile schemas are survived."""

import re
import time
from typing import Any

import jsonschema_rs
import msgspec
import pytest

from llmgateway.apps.simulator.instance import instance_of
from llmgateway.apps.simulator.pattern import matching

TREE = {
    "type": "object",
    "properties": {"value": {"type": "integer"}, "children": {"type": "array", "items": {"$ref": "#"}}},
}
STRICT_TREE = {
    "$defs": {
        "node": {
            "type": "object",
            "properties": {"name": {"type": "string"}, "next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]}},
            "required": ["name", "next"],
            "additionalProperties": False,
        }
    },
    "$ref": "#/$defs/node",
}
SCHEMAS: dict[str, Any] = {
    "anything": {},
    "true": True,
    "string": {"type": "string"},
    "integer": {"type": "integer"},
    "number": {"type": "number"},
    "boolean": {"type": "boolean"},
    "null": {"type": "null"},
    "array": {"type": "array"},
    "object": {"type": "object"},
    "const": {"const": {"a": [1, None]}},
    "enum": {"enum": ["red", 2, None]},
    "enum with type": {"type": "string", "enum": ["a", "b"]},
    "nullable type list": {"type": ["string", "null"]},
    "null first in type list": {"type": ["null", "integer"]},
    "minLength": {"type": "string", "minLength": 50},
    "maxLength": {"type": "string", "maxLength": 2},
    "maxLength 0": {"type": "string", "maxLength": 0},
    "length window": {"type": "string", "minLength": 7, "maxLength": 7},
    "minimum": {"type": "integer", "minimum": 100},
    "maximum": {"type": "integer", "maximum": -5},
    "number window": {"type": "number", "minimum": 0.1, "maximum": 0.2},
    "exclusive bounds": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 0.001},
    "exclusive integers": {"type": "integer", "exclusiveMinimum": 4, "exclusiveMaximum": 6},
    "exclusiveMinimum": {"type": "integer", "exclusiveMinimum": 42},
    "exclusiveMaximum": {"type": "integer", "exclusiveMaximum": 42},
    "multipleOf": {"type": "integer", "multipleOf": 5},
    "multipleOf in window": {"type": "integer", "multipleOf": 7, "minimum": 50, "maximum": 60},
    "multipleOf number": {"type": "number", "multipleOf": 0.5},
    "date-time": {"type": "string", "format": "date-time"},
    "date": {"type": "string", "format": "date"},
    "time": {"type": "string", "format": "time"},
    "email": {"type": "string", "format": "email"},
    "uri": {"type": "string", "format": "uri"},
    "uuid": {"type": "string", "format": "uuid"},
    "ipv4": {"type": "string", "format": "ipv4"},
    "ipv6": {"type": "string", "format": "ipv6"},
    "hostname": {"type": "string", "format": "hostname"},
    "duration": {"type": "string", "format": "duration"},
    "pattern": {"type": "string", "pattern": "^[A-Z]{3}-\\d{4}$"},
    "pattern with length": {"type": "string", "pattern": "^[a-z]+$", "minLength": 12},
    "pattern alternatives": {"type": "string", "pattern": "^(?:foo|bar)(-\\w+)?$"},
    "minItems": {"type": "array", "items": {"type": "integer"}, "minItems": 3},
    "maxItems 0": {"type": "array", "items": {"type": "integer"}, "maxItems": 0},
    "uniqueItems": {"type": "array", "items": {"type": "integer"}, "minItems": 4, "uniqueItems": True},
    "unique enum items": {"type": "array", "items": {"enum": ["a", "b", "c"]}, "minItems": 3, "uniqueItems": True},
    "unique strings": {"type": "array", "items": {"type": "string"}, "minItems": 3, "uniqueItems": True},
    "unique bounded": {
        "type": "array",
        "items": {"type": "integer", "minimum": 1, "maximum": 3},
        "minItems": 3,
        "uniqueItems": True,
    },
    "prefixItems": {"type": "array", "prefixItems": [{"type": "string"}, {"type": "integer"}], "items": False},
    "contains": {"type": "array", "contains": {"const": 7}, "minItems": 2},
    "required without properties": {"type": "object", "required": ["a", "b"]},
    "optional properties": {"type": "object", "properties": {"a": {"type": "integer"}}},
    "strict object": {
        "type": "object",
        "properties": {"city": {"type": "string"}, "days": {"type": "integer", "minimum": 1, "maximum": 14}},
        "required": ["city", "days"],
        "additionalProperties": False,
    },
    "minProperties": {"type": "object", "minProperties": 3, "additionalProperties": {"type": "integer"}},
    "maxProperties": {
        "type": "object",
        "properties": {"a": {}, "b": {}, "c": {}},
        "maxProperties": 1,
        "required": ["b"],
    },
    "patternProperties": {
        "type": "object",
        "patternProperties": {"^x-": {"type": "boolean"}},
        "minProperties": 1,
        "additionalProperties": False,
    },
    "forbidden property": {"type": "object", "properties": {"a": False, "b": {"type": "string"}}},
    "nested": {
        "type": "object",
        "properties": {"a": {"type": "array", "items": {"type": "object", "required": ["b"]}}},
    },
    "anyOf": {"anyOf": [{"type": "integer", "minimum": 3}, {"type": "string"}]},
    "oneOf": {"oneOf": [{"const": "a"}, {"const": "b"}]},
    "allOf": {
        "allOf": [
            {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]},
            {"properties": {"b": {"type": "string"}, "a": {"minimum": 50}}, "required": ["b"]},
        ]
    },
    "anyOf beside properties": {
        "type": "object",
        "properties": {"kind": {"type": "string"}},
        "required": ["kind"],
        "anyOf": [{"properties": {"kind": {"const": "cat"}}}, {"properties": {"kind": {"const": "dog"}}}],
    },
    "two anyOf": {"allOf": [{"anyOf": [{"minimum": 3}]}, {"anyOf": [{"type": "integer"}]}], "type": "integer"},
    "$defs": {
        "$defs": {"color": {"enum": ["red"]}},
        "type": "array",
        "items": {"$ref": "#/$defs/color"},
        "minItems": 1,
    },
    "definitions": {"definitions": {"a/b": {"type": "integer"}}, "$ref": "#/definitions/a~1b"},
    "$ref with siblings": {"$defs": {"n": {"type": "integer"}}, "$ref": "#/$defs/n", "minimum": 100},
    "recursive optional": TREE,
    "recursive required": STRICT_TREE,
    "recursive by defs": {
        "$defs": {
            "expr": {
                "anyOf": [
                    {
                        "type": "object",
                        "properties": {
                            "op": {"enum": ["+"]},
                            "left": {"$ref": "#/$defs/expr"},
                            "right": {"$ref": "#/$defs/expr"},
                        },
                        "required": ["op", "left", "right"],
                    },
                    {"type": "number"},
                ]
            }
        },
        "$ref": "#/$defs/expr",
    },
    "discriminated union": {
        "type": "object",
        "properties": {
            "shape": {
                "oneOf": [
                    {
                        "type": "object",
                        "properties": {
                            "kind": {"const": "circle"},
                            "radius": {"type": "number", "exclusiveMinimum": 0},
                        },
                        "required": ["kind", "radius"],
                        "additionalProperties": False,
                    },
                    {
                        "type": "object",
                        "properties": {"kind": {"const": "square"}, "side": {"type": "number"}},
                        "required": ["kind", "side"],
                        "additionalProperties": False,
                    },
                ]
            }
        },
        "required": ["shape"],
    },
    "no type, properties": {"properties": {"a": {"type": "integer"}}, "required": ["a"]},
    "no type, items": {"items": {"type": "integer"}, "minItems": 1},
    "unicode": {"type": "object", "properties": {"größe": {"enum": ["klein 🐁"]}}, "required": ["größe"]},
}


@pytest.mark.parametrize("variant", [0, 1, 2])
@pytest.mark.parametrize("name", SCHEMAS)
def test_an_instance_is_valid(name: str, variant: int) -> None:
    """Whatever the schema asks for within one of these features, the value has it, in every variant."""
    value = instance_of(SCHEMAS[name], variant=variant)
    schema = SCHEMAS[name]
    jsonschema_rs.validator_for(schema, validate_formats=True).validate(msgspec.json.decode(msgspec.json.encode(value)))


def test_there_are_enough_schemas() -> None:
    assert len(SCHEMAS) >= 50


def test_variants_differ_where_the_schema_leaves_a_choice() -> None:
    """Parallel calls of one tool do not all carry the same arguments."""
    schema = {"type": "object", "properties": {"city": {"type": "string"}}}
    assert instance_of(schema) == {"city": "Paris"}
    assert instance_of(schema, variant=1) != instance_of(schema)


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#"},
        {"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"},
        {"type": "object", "properties": {"a": {"$ref": "#"}, "b": {"$ref": "#"}}, "required": ["a", "b"]},
        {"anyOf": [{"$ref": "#"}, {"$ref": "#"}]},
        {"type": "array", "minItems": 10**9, "items": {"type": "array", "minItems": 10**9}},
        {"type": "string", "minLength": 10**12},
        {"type": "string", "pattern": "(a{9999}){9999}"},
        {"type": "string", "pattern": "(("},
        {"type": "integer", "minimum": 5, "maximum": 1},
        {"type": "number", "multipleOf": 0},
        {"type": 7, "enum": [], "properties": [], "required": "a", "items": 4},
        {"type": "object", "minProperties": 10**9, "additionalProperties": False},
        {"type": "object", "minProperties": 10**9},
        {"type": "object", "minProperties": 10**9, "patternProperties": {"^x": True}},
        {"type": "object", "minProperties": 2, "properties": {"key2": {}}},
        {"type": "array", "minItems": 10**6, "uniqueItems": True, "items": {"type": "boolean"}},
        {"type": "array", "minItems": 10**6, "items": {"type": "string", "minLength": 10**6}},
        {"allOf": [{"properties": {str(i): {}}} for i in range(2000)]},
        {"$defs": {str(i): {"allOf": [{"$ref": f"#/$defs/{i + 1}"}] * 2} for i in range(40)}, "$ref": "#/$defs/0"},
        {"type": "string", "pattern": "^(a+)+\\b\\B$", "minLength": 60},
        {"$ref": "https://example.com/schema"},
        [],
        None,
    ],
    ids=lambda schema: str(schema)[:80],
)
def test_a_hostile_schema_is_survived(schema: object) -> None:
    """Loops, contradictions and giants give some value of bounded size, soon."""
    started = time.process_time()
    assert len(msgspec.json.encode(instance_of(schema))) < 1_000_000
    assert time.process_time() - started < 2


def test_a_schema_of_900_levels_is_survived() -> None:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(900):
        schema = {"type": "object", "properties": {"a": schema}, "required": ["a"]}
    assert isinstance(instance_of(schema), dict)
    instance_of({"allOf": [schema, schema]})


@pytest.mark.parametrize(
    "pattern",
    [
        "^abc$", "a|b", "^(a|b)+$", "[^a-z]", "\\d{2,}", "\\w+@\\w+\\.com", "^\\S+$", "x?y*z", "a{0,3}b",
        "[\\]\\-]", "[]a]", "(?P<year>\\d{4})-(?P<month>\\d\\d)", "^.{5,10}$", "\\x41\\u00e9",
        "^[A-Z][a-z]+( [A-Z][a-z]+)*$", "^\\+?[1-9]\\d{1,14}$", "^#[0-9a-fA-F]{6}$", "a+?b",
    ],
)  # fmt: skip
def test_a_pattern_finds_its_sample(pattern: str) -> None:
    """Python's own engine finds a match in the sample."""
    sample = matching(pattern)
    assert sample is not None
    assert re.search(pattern, sample)


@pytest.mark.parametrize("pattern", ["(?=a)b", "(a)\\1", "(", "[", "a{2", "\\"])
def test_a_pattern_that_is_not_followed_gives_nothing_or_a_match(pattern: str) -> None:
    sample = matching(pattern)
    assert sample is None or isinstance(sample, str)
