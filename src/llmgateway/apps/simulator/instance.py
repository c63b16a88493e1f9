"""A value that a JSON schema accepts: what a simulated model answers when a schema asks, and the arguments of its
tool calls.

It follows $ref, $defs, allOf, anyOf, oneOf, const, enum, types, bounds, formats and patterns. A recursive schema is
cut short with the smallest alternative; a contradictory one gets a value of the right type. It never raises.
"""

import math
from collections.abc import Mapping, Sequence
from typing import cast

from llmgateway.apps.simulator.pattern import matching
from llmgateway.apps.simulator.text import lorem

Schema = Mapping[str, object]
_FULL_DEPTH = 5
_MAX_DEPTH = 40
_MAX_NODES = 5_000
_MAX_ITEMS = 256
_MAX_CHARS = 100_000
_CHARS_PER_NODE = 64
_FORMATS = {
    "date-time": "2026-01-02T03:04:05Z",
    "date": "2026-01-02",
    "time": "03:04:05Z",
    "duration": "P1D",
    "email": "ada@example.com",
    "idn-email": "ada@example.com",
    "hostname": "example.com",
    "idn-hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uri": "https://example.com/a",
    "uri-reference": "/a",
    "iri": "https://example.com/a",
    "iri-reference": "/a",
    "uuid": "123e4567-e89b-42d3-a456-426614174000",
    "json-pointer": "/a",
    "relative-json-pointer": "0",
    "regex": "a+",
    "uri-template": "https://example.com/{id}",
}
_NAMED = {"city": "Paris", "location": "Paris", "name": "Ada", "country": "France", "query": "weather in Paris"}
_OBJECT_WORDS = ("properties", "required", "additionalProperties", "patternProperties", "minProperties")
_ARRAY_WORDS = ("items", "prefixItems", "minItems", "maxItems", "contains", "uniqueItems")
_COMBINED = ("allOf", "anyOf", "oneOf")
_STRING_WORDS = ("pattern", "minLength", "maxLength", "format")
_NUMBER_WORDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")


def instance_of(schema: object, *, variant: int = 0) -> object:
    """A value that `schema` accepts; another `variant` gives another value where the schema leaves a choice."""
    try:
        return _Generator(schema, variant=variant).value(schema, depth=0, name="")
    except RecursionError:
        return None


class _Generator:
    """One walk over one schema; bounded in depth and in the number of values it makes."""

    def __init__(self, root: object, *, variant: int) -> None:
        self._root = root
        self._variant = variant
        self._nodes = 0

    def value(self, schema: object, *, depth: int, name: str) -> object:
        self._nodes += 1
        if not isinstance(schema, Mapping):
            return None if schema is False else "text"
        if depth > _MAX_DEPTH or self._nodes > _MAX_NODES:
            return None
        node = self._resolved(cast("Schema", schema), depth=depth)
        if "const" in node:
            return node["const"]
        if options := _sequence(node.get("enum")):
            return options[self._variant % len(options)]
        return self._typed(node, kind=_kind(node, depth=depth), depth=depth, name=name)

    def _typed(self, node: Schema, *, kind: str, depth: int, name: str) -> object:
        if kind == "object":
            return self._object(node, depth=depth)
        if kind == "array":
            return self._array(node, depth=depth, name=name)
        if kind == "string":
            text = _string(node, name=name, variant=self._variant)
            self._nodes += len(text) // _CHARS_PER_NODE
            return text
        if kind in ("integer", "number"):
            return _number(node, whole=kind == "integer", variant=self._variant)
        if kind == "boolean":
            return self._variant % 2 == 0
        return None

    def _resolved(self, node: Schema, *, depth: int) -> Schema:
        """The node with references followed, allOf merged and one alternative of anyOf or oneOf chosen."""
        for _ in range(16):
            if isinstance(reference := node.get("$ref"), str):
                target = self._target(reference)
                rest = {key: value for key, value in node.items() if key != "$ref"}
                node = _merged(target, rest)
            elif parts := _schemas(node.get("allOf"))[:_MAX_ITEMS]:
                rest = {key: value for key, value in node.items() if key != "allOf"}
                for part in parts:
                    rest = dict(_merged(rest, part))
                node = rest
            elif word := next((word for word in ("anyOf", "oneOf") if _schemas(node.get(word))), None):
                rest = {key: value for key, value in node.items() if key != word}
                node = _merged(rest, self._alternative(_schemas(node[word]), depth=depth))
            else:
                break
        return node

    def _alternative(self, options: Sequence[Schema], *, depth: int) -> Schema:
        """The first alternative, or deep inside a recursion one that nests no further."""
        if depth <= _FULL_DEPTH:
            return options[self._variant % len(options)]
        return min(options, key=self._weight)

    def _weight(self, option: Schema) -> int:
        node = option
        for _ in range(4):
            if not isinstance(reference := node.get("$ref"), str):
                break
            node = self._target(reference)
        if _kind(node, depth=0) not in ("object", "array"):
            return 0
        nested = len(_sequence(node.get("required"))) or (1 if node.get("minItems") else 0)
        return 1 + nested + (1 if "anyOf" in node or "$ref" in node else 0)

    def _target(self, reference: str) -> Schema:
        if not reference.startswith("#"):
            return {}
        found = self._root
        for step in reference[1:].split("/"):
            key = step.replace("~1", "/").replace("~0", "~").replace("%24", "$")
            if not key:
                continue
            if isinstance(found, Mapping):
                found = cast("Schema", found).get(key)
            elif isinstance(found, list) and key.isdigit() and int(key) < len(cast("list[object]", found)):
                found = cast("list[object]", found)[int(key)]
            else:
                return {}
        return cast("Schema", found) if isinstance(found, Mapping) else {}

    def _object(self, node: Schema, *, depth: int) -> dict[str, object]:
        properties = _mapping(node.get("properties"))
        required = [name for name in _sequence(node.get("required")) if isinstance(name, str)]
        limit = _integer(node.get("maxProperties"))
        names = list(properties) if depth <= _FULL_DEPTH else []
        wanted = list(dict.fromkeys([*required, *names]))
        if limit is not None:
            wanted = wanted[: max(limit, len(required))]
        filled = {
            name: self.value(properties.get(name, self._unnamed(node, name)), depth=depth + 1, name=name)
            for name in wanted
            if properties.get(name) is not False
        }
        self._fill_up(filled, node, depth=depth)
        return filled

    def _unnamed(self, node: Schema, name: str) -> object:
        for expression, schema in _mapping(node.get("patternProperties")).items():
            sample = matching(expression)
            if sample is not None and sample in name:
                return schema
        return node.get("additionalProperties", True)

    def _fill_up(self, filled: dict[str, object], node: Schema, *, depth: int) -> None:
        """Names of its own until minProperties is reached, from patternProperties where only they may occur."""
        least = min(_integer(node.get("minProperties")) or 0, _MAX_ITEMS)
        for expression, schema in _mapping(node.get("patternProperties")).items():
            for length in range(least - len(filled)):
                sample = matching(expression, min_length=length + 1)
                if sample is not None:
                    filled.setdefault(sample, self.value(schema, depth=depth + 1, name=sample))
        extra = node.get("additionalProperties", True)
        for number in range(1, 2 * _MAX_ITEMS):
            name = f"key{number}"
            if len(filled) >= least or extra is False:
                break
            if name not in filled:
                filled[name] = self.value(extra, depth=depth + 1, name=name)

    def _array(self, node: Schema, *, depth: int, name: str) -> list[object]:
        prefix = _sequence(node.get("prefixItems"))
        items = node.get("items", True)
        if isinstance(items, list):
            prefix, items = cast("list[object]", items), node.get("additionalItems", True)
        least = _integer(node.get("minItems")) or 0
        most = _integer(node.get("maxItems"))
        usual = max(len(prefix), 1 if depth <= _FULL_DEPTH and items is not False and not prefix else 0)
        count = min(max(least, usual), _MAX_ITEMS)
        count = count if most is None else min(count, most)
        found: list[object] = []
        contains = node.get("contains")
        for index in range(count):
            schema = prefix[index] if index < len(prefix) else (items if contains is None else contains)
            found.append(self._item(schema, found, unique=node.get("uniqueItems") is True, depth=depth, name=name))
        return found

    def _item(self, schema: object, found: list[object], *, unique: bool, depth: int, name: str) -> object:
        item = self.value(schema, depth=depth + 1, name=name)
        usual = self._variant
        while unique and item in found and self._variant < usual + _MAX_ITEMS and self._nodes < _MAX_NODES:
            self._variant += 1
            item = self.value(schema, depth=depth + 1, name=name)
        self._variant = usual
        return item


def _kind(node: Schema, *, depth: int) -> str:
    """The JSON type to make; of several the first that is not null, deep inside a recursion null."""
    kinds = [kind for kind in _sequence(node.get("type")) if isinstance(kind, str)]
    if isinstance(node.get("type"), str):
        kinds = [str(node["type"])]
    if kinds:
        if depth > _FULL_DEPTH and "null" in kinds:
            return "null"
        return next((kind for kind in kinds if kind != "null"), "null").lower()
    for kind, words in (("object", _OBJECT_WORDS), ("array", _ARRAY_WORDS), ("string", _STRING_WORDS)):
        if any(word in node for word in words):
            return kind
    return "number" if any(word in node for word in _NUMBER_WORDS) else "string"


def _string(node: Schema, *, name: str, variant: int) -> str:
    least = min(_integer(node.get("minLength")) or 0, _MAX_CHARS)
    most = _integer(node.get("maxLength"))
    if isinstance(pattern := node.get("pattern"), str):
        sample = matching(pattern, min_length=least)
        if sample is not None:
            return sample
    if isinstance(form := node.get("format"), str) and form in _FORMATS:
        return _FORMATS[form]
    text = _NAMED.get(name, "text") + (f" {variant + 1}" if variant else "")
    if len(text) < least:
        text = (text + " " + "".join(lorem(least)))[:least]
    return text if most is None or len(text) <= most else text[-most:] if most else ""


def _number(node: Schema, *, whole: bool, variant: int) -> int | float:
    step = _real(node.get("multipleOf"))
    unit = step if step and step > 0 else (1 if whole else 0.5)
    low, high = _bounds(node, unit=unit)
    usual: int | float = 42 if whole else 4.5
    chosen = _within(usual, low=low, high=high, unit=unit, variant=variant)
    if step:
        chosen = _multiple(chosen, step=step, low=low)
    if whole:
        rounded = math.ceil(chosen)
        return rounded if high is None or rounded <= high else math.floor(chosen)
    return chosen


def _within(usual: float, *, low: float | None, high: float | None, unit: float, variant: int) -> float:
    """The usual number or the nearest allowed one, moved by `variant` units; at the end of a window it starts again."""
    nearest = usual if high is None or usual <= high else high
    nearest = nearest if low is None or nearest >= low else low
    if high is None or nearest + variant * unit <= high:
        return nearest + variant * unit
    if low is None:
        return nearest - variant * unit
    places = int((high - low) / unit) + 1
    return low + (int((nearest - low) / unit) + variant) % places * unit


def _bounds(node: Schema, *, unit: float) -> tuple[float | None, float | None]:
    """Lowest and highest allowed value; exclusive bounds (as a number, or draft 4's flag) moved inwards."""
    low, high = _real(node.get("minimum")), _real(node.get("maximum"))
    above, below = _real(node.get("exclusiveMinimum")), _real(node.get("exclusiveMaximum"))
    if node.get("exclusiveMinimum") is True:
        above, low = low, None
    if node.get("exclusiveMaximum") is True:
        below, high = high, None
    margin = unit
    if above is not None and below is not None and below - above <= unit:
        margin = (below - above) / 2
    if above is not None:
        low = above + margin if low is None else max(low, above + margin)
    if below is not None:
        high = below - margin if high is None else min(high, below - margin)
    return low, high


def _multiple(number: float, *, step: float, low: float | None) -> float:
    times = math.floor(number / step)
    if low is not None and times * step < low:
        times = math.ceil(low / step)
    return times * step


def _merged(first: Schema, second: Schema) -> Schema:
    """Both schemas at once, as allOf means it; of two bounds the tighter one."""
    merged = dict(first)
    for key, value in second.items():
        if key in _COMBINED and key in merged:
            merged["allOf"] = [*_sequence(merged.get("allOf")), {key: value}]
        else:
            merged[key] = _both(merged[key], value, key=key) if key in merged else value
    return merged


def _both(before: object, value: object, *, key: str) -> object:
    """What a keyword says that both schemas state."""
    older, newer = _mapping(before), _mapping(value)
    if older and newer:
        return _merged_members(older, newer, key=key)
    if key == "required":
        return list(dict.fromkeys([*_sequence(before), *_sequence(value)]))
    if key == "enum":
        return [option for option in _sequence(before) if option in _sequence(value)] or value
    first, second = _real(before), _real(value)
    if first is None or second is None:
        return value
    return max(first, second) if key.startswith("min") or key == "exclusiveMinimum" else min(first, second)


def _merged_members(first: Schema, second: Schema, *, key: str) -> Schema:
    if key not in ("properties", "patternProperties", "$defs", "definitions"):
        return _merged(first, second)
    members = dict(first)
    for name, schema in second.items():
        before = members.get(name)
        both = isinstance(before, Mapping) and isinstance(schema, Mapping)
        members[name] = _merged(cast("Schema", before), cast("Schema", schema)) if both else schema
    return members


def _mapping(value: object) -> Schema:
    return cast("Schema", value) if isinstance(value, Mapping) else {}


def _sequence(value: object) -> list[object]:
    return cast("list[object]", value) if isinstance(value, list) else []


def _schemas(value: object) -> list[Schema]:
    return [cast("Schema", item) for item in _sequence(value) if isinstance(item, Mapping)]


def _integer(value: object) -> int | None:
    number = _real(value)
    return int(number) if number is not None and number >= 0 else None


def _real(value: object) -> int | float | None:
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None
