"""JSON Schemas as structured outputs and strict tools take them.

The API compiles a schema to a grammar and refuses what a grammar cannot count
(platform.claude.com/docs/en/build-with-claude/structured-outputs#json-schema-limitations): bounds of numbers, lengths
and sizes become part of the description, `oneOf` becomes `anyOf`, and objects are closed. A schema that needs none of
this is sent byte for byte. What cannot be said at all (maps with free keys, references to elsewhere or in a circle) is
left to the caller of `constrained`.
"""

from functools import lru_cache
from typing import Any, Final, cast

import msgspec
from msgspec import Raw

from llmgateway.domain.chat import JsonObject

_UNCOUNTABLE: Final = frozenset((
    "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength", "maxItems",
    "uniqueItems", "minContains", "maxContains", "minProperties", "maxProperties",
))  # fmt: skip
_UNSAYABLE: Final = frozenset((
    "patternProperties", "propertyNames", "unevaluatedProperties", "not", "if", "dependentSchemas", "prefixItems",
    "contains",
))  # fmt: skip
_FORMATS: Final = frozenset(
    ("date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid")
)
_MAPS: Final = ("properties", "$defs", "definitions")
_LISTS: Final = ("anyOf", "oneOf", "allOf")
_DEEPEST: Final = 100
_REMEMBERED_BYTES: Final = 65_536

Node = dict[str, Any]


class _Unsayable(Exception):
    """The schema holds something that has no counterpart."""


def constrained(schema: JsonObject) -> Raw | None:
    """The schema, changed where it must be; None where it cannot be said."""
    text = msgspec.json.encode(schema)
    return _remembered(text) if len(text) <= _REMEMBERED_BYTES else _constrained(text)


def _constrained(text: bytes) -> Raw | None:
    try:
        source: Node = msgspec.json.decode(text)
        target = _node(source, 0)
        _refuse_circles(target)
    except (_Unsayable, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return Raw(text if target == source else msgspec.json.encode(target))


_remembered: Final = lru_cache(maxsize=256)(_constrained)


def _node(source: Any, depth: int) -> Any:
    if not isinstance(source, dict):
        if source is True or depth > _DEEPEST:
            raise _Unsayable
        return source
    node = cast("Node", source)
    if depth > _DEEPEST or node.keys() & _UNSAYABLE or not node:
        raise _Unsayable
    target: Node = {}
    unmet: list[str] = []
    for name, value in node.items():
        if name in _UNCOUNTABLE or (name == "minItems" and value not in (0, 1)):
            unmet.append(f"{name}: {msgspec.json.encode(value).decode()}")
        elif name == "format" and value not in _FORMATS:
            unmet.append(f"format: {value}")
        elif name == "oneOf" and "anyOf" in node:
            raise _Unsayable
        else:
            target["anyOf" if name == "oneOf" else name] = _member(name, value, depth + 1)
    _close(target)
    if unmet:
        described = target.get("description")
        target["description"] = f"{described} ({', '.join(unmet)})" if described else ", ".join(unmet)
    return target


def _member(name: str, value: Any, depth: int) -> Any:
    if name in _MAPS and isinstance(value, dict):
        return {key: _node(inner, depth) for key, inner in cast("Node", value).items()}
    if name in _LISTS and isinstance(value, list):
        return [_node(inner, depth) for inner in cast("list[Any]", value)]
    if name == "items":
        return _node(value, depth)
    if name == "$ref" and not str(value).startswith("#"):
        raise _Unsayable
    return value


def _close(target: Node) -> None:
    kind = target.get("type")
    if kind != "object" and not (isinstance(kind, list) and "object" in kind):
        return
    if target.get("additionalProperties", False) is not False:
        raise _Unsayable
    target["additionalProperties"] = False


def _refuse_circles(root: Node) -> None:
    """A definition that leads back to itself has no finite grammar."""
    leads: dict[str, set[str]] = {"#": _references(root, below_definitions=False)}
    for place in ("$defs", "definitions"):
        definitions: Node = root.get(place) or {}
        for name, definition in definitions.items():
            leads[f"#/{place}/{name}"] = _references(definition, below_definitions=True)
    while leads:
        ends = [place for place, others in leads.items() if not others & leads.keys()]
        if not ends:
            raise _Unsayable
        for place in ends:
            del leads[place]


def _references(node: Any, *, below_definitions: bool) -> set[str]:
    found: set[str] = set()
    pending: list[Any] = [node]
    while pending:
        value = pending.pop()
        if isinstance(value, list):
            pending += cast("list[Any]", value)
        elif isinstance(value, dict):
            for name, inner in cast("Node", value).items():
                if name == "$ref" and isinstance(inner, str):
                    found.add(inner)
                elif below_definitions or name not in ("$defs", "definitions"):
                    pending.append(inner)
    return found
