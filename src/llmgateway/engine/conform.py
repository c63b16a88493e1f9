"""Says whether a value fits a JSON Schema, within bounds: no network, no endless loop, no schema too big to look at.

A schema that cannot be used within them gives no verdict (None) rather than a wrong one. A validator looks at one place
of a value once for every way that leads there through the schema, and there can be exponentially many: they are
counted, with a memory, before it is let loose.
"""

from collections.abc import Iterator
from typing import Any, Final, cast

import msgspec

MAX_SCHEMA_BYTES: Final = 256 * 1024
MAX_LOOKS: Final = 10_000_000
"""What a validator may do for one value: about a tenth of a second."""
_MAX_PAIRS: Final = 200_000
"""Pairs of schema and value that are counted; beyond them there is no verdict."""
_BACKTRACKING: Final = 10_000
_PATTERN_BYTES: Final = 256 * 1024
_IN_PLACE: Final = ("allOf", "anyOf", "oneOf")
_IN_PLACE_ONE: Final = ("not", "if", "then", "else")
_IN_PLACE_NAMED: Final = ("dependentSchemas", "dependencies")
_REFERENCES: Final = ("$ref", "$dynamicRef", "$recursiveRef")
_OTHER_MEMBERS: Final = ("additionalProperties", "unevaluatedProperties")
_ELEMENTS: Final = ("items", "contains", "unevaluatedItems", "additionalItems")


def conforms(value: Any, schema: bytes) -> bool | None:
    """None: no verdict (the schema is invalid, too big, refers elsewhere, or would take too long)."""
    if len(schema) > MAX_SCHEMA_BYTES:
        return None
    from jsonschema_rs import FancyRegexOptions, validator_for  # noqa: PLC0415 - only healed answers pay for it

    try:
        source: Any = msgspec.json.decode(schema)
        if _Looks(source).at(source, value) > MAX_LOOKS:
            return None
        patterns = FancyRegexOptions(
            backtrack_limit=_BACKTRACKING, size_limit=_PATTERN_BYTES, dfa_size_limit=_PATTERN_BYTES
        )
        return validator_for(source, pattern_options=patterns, offline=True).is_valid(value)
    except (ValueError, RecursionError, msgspec.DecodeError):
        return None


class _Looks:
    """How often a validator looks anywhere in a value, if no shortcut helps it."""

    def __init__(self, schema: Any) -> None:
        self._schema = schema
        self._known: dict[tuple[int, int], int] = {}
        self._pairs = 0

    def at(self, node: Any, value: Any) -> int:
        """Of one schema and one value. Raises RecursionError beyond what can be counted."""
        if not isinstance(node, dict):
            return 1
        pair = (id(cast("Any", node)), id(value))
        known = self._known.get(pair)
        if known is not None:
            return known
        self._pairs += 1
        if self._pairs > _MAX_PAIRS:
            raise RecursionError
        self._known[pair] = 1  # a schema that comes back to itself at the same place adds nothing
        here = cast("dict[str, Any]", node)
        looks = 1
        for child in self._in_place(here):
            looks += self.at(child, value)
        for child, part in _below(here, value):
            looks += self.at(child, part)
        self._known[pair] = looks
        return looks

    def _in_place(self, node: dict[str, Any]) -> Iterator[Any]:
        """The schemas that look at the same place."""
        for name in _IN_PLACE:
            several = node.get(name)
            if isinstance(several, list):
                yield from cast("list[Any]", several)
        for name in _IN_PLACE_ONE:
            if name in node:
                yield node[name]
        for name in _IN_PLACE_NAMED:
            yield from _values(node.get(name))
        for name in _REFERENCES:
            if name in node:
                yield self._target(node[name])

    def _target(self, reference: Any) -> Any:
        """What a reference within the schema names; an anchor, which is rare, counts as the whole schema."""
        if not isinstance(reference, str) or not reference.startswith("#/"):
            return self._schema
        found: Any = self._schema
        for step in reference[2:].split("/"):
            name = step.replace("~1", "/").replace("~0", "~")
            if isinstance(found, dict):
                found = cast("dict[str, Any]", found).get(name)
            elif isinstance(found, list) and name.isdecimal() and int(name) < len(cast("list[Any]", found)):
                found = cast("list[Any]", found)[int(name)]
            else:
                return None
        return found


def _below(node: dict[str, Any], value: Any) -> Iterator[tuple[Any, Any]]:
    """The schemas that look at a part of the value, each with that part."""
    if isinstance(value, dict):
        properties = node.get("properties")
        named = cast("dict[str, Any]", properties) if isinstance(properties, dict) else {}
        others = [*_values(node.get("patternProperties")), *[node[name] for name in _OTHER_MEMBERS if name in node]]
        for name, part in cast("dict[str, Any]", value).items():
            if name in named:
                yield named[name], part
            for other in others:
                yield other, part
    elif isinstance(value, list):
        every = [node[name] for name in _ELEMENTS if name in node]
        tuples = [_listed(node.get("prefixItems")), _listed(node.get("items"))]
        for place, part in enumerate(cast("list[Any]", value)):
            for schema in every:
                yield schema, part
            for several in tuples:
                if place < len(several):
                    yield several[place], part


def _values(named: Any) -> list[Any]:
    return list(cast("dict[str, Any]", named).values()) if isinstance(named, dict) else []


def _listed(several: Any) -> list[Any]:
    return cast("list[Any]", several) if isinstance(several, list) else []
