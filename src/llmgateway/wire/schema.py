"""Reduces JSON Schema to the dialect of OpenAPI 3.0 that Google's `Schema` takes: no references, no type lists.

For rows and models that do not take JSON Schema as it is. `$ref` is put in place of what it names; where that would
never end, or go too deep, an object of any shape stands instead. Keywords without a counterpart are left out: they
narrow what is allowed, and a schema that allows more is still one that the model can follow.
https://ai.google.dev/api/caching#Schema
"""

from typing import Any, Final, cast

import msgspec
from msgspec import Raw

_KEPT: Final = frozenset(
    (
        "title",
        "description",
        "nullable",
        "default",
        "example",
        "minItems",
        "maxItems",
        "minProperties",
        "maxProperties",
        "minLength",
        "maxLength",
        "minimum",
        "maximum",
        "pattern",
        "required",
        "propertyOrdering",
    )
)
_FORMATS: Final = {
    "string": frozenset(("date-time", "enum")),
    "number": frozenset(("float", "double")),
    "integer": frozenset(("int32", "int64")),
}
_DEEPEST: Final = 32
"""Protobuf parsers refuse more than 100 levels, of which a schema takes about three for one of its own."""
_MOST_NODES: Final = 10_000
_ANYTHING: Final[dict[str, Any]] = {"type": "OBJECT"}


def reduced(schema: dict[str, Raw]) -> dict[str, Any]:
    """The schema in Google's dialect; one that cannot be read at all allows any object."""
    try:
        source = msgspec.json.decode(msgspec.json.encode(schema), type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError):
        return dict(_ANYTHING)
    return _Reduction(source).node(source, depth=0, within=())


class _Reduction:
    """One schema; `nodes` bounds what references may multiply to."""

    def __init__(self, root: dict[str, Any]) -> None:
        self._root = root
        self._nodes = 0

    def node(self, source: Any, *, depth: int, within: tuple[str, ...]) -> dict[str, Any]:
        self._nodes += 1
        if not isinstance(source, dict) or depth > _DEEPEST or self._nodes > _MOST_NODES:
            return dict(_ANYTHING)
        node = cast("dict[str, Any]", source)
        target = node.get("$ref")
        if isinstance(target, str):
            return self._referred(node, target, depth=depth, within=within)
        merged = _without_all_of(node)
        result = {name: value for name, value in merged.items() if name in _KEPT and value is not None}
        self._type(merged, result)
        self._values(merged, result)
        self._members(merged, result, depth=depth, within=within)
        self._choices(merged, result, depth=depth, within=within)
        return _alone(result) if "anyOf" in result else result

    def _referred(self, node: dict[str, Any], target: str, *, depth: int, within: tuple[str, ...]) -> dict[str, Any]:
        """What the reference names, with what stands beside it."""
        beside = {name: value for name, value in node.items() if name in ("title", "description", "default")}
        found = None if target in within else self._target(target)
        if found is None:
            return {**_ANYTHING, **beside}
        named = self.node(found, depth=depth + 1, within=(*within, target))
        return named if "anyOf" in named else {**named, **beside}

    def _target(self, reference: str) -> Any:
        """By JSON pointer within the schema; None where there is nothing."""
        if not reference.startswith("#"):
            return None
        found: Any = self._root
        for step in reference[1:].strip("/").split("/") if len(reference) > 1 else ():
            name = step.replace("~1", "/").replace("~0", "~")
            found = cast("dict[str, Any]", found).get(name) if isinstance(found, dict) else None
        return found

    def _type(self, node: dict[str, Any], result: dict[str, Any]) -> None:
        """One type, and null said as `nullable`; several become alternatives."""
        kinds: Any = node.get("type")
        names = [kind for kind in (kinds if isinstance(kinds, list) else [kinds]) if isinstance(kind, str)]  # pyright: ignore[reportUnknownVariableType]  # JSON of a caller
        lowered = [name.lower() for name in names]
        if "null" in lowered:
            result["nullable"] = True
        others = [name for name in lowered if name != "null"]
        if len(others) == 1:
            result["type"] = others[0].upper()
        elif len(others) > 1:
            result["anyOf"] = [{"type": name.upper()} for name in others]
        elif "properties" in node:
            result["type"] = "OBJECT"
        elif "items" in node or "prefixItems" in node:
            result["type"] = "ARRAY"
        form: Any = node.get("format")
        if len(others) == 1 and form in _FORMATS.get(others[0], ()):
            result["format"] = form

    def _values(self, node: dict[str, Any], result: dict[str, Any]) -> None:
        """Enumerations of strings; of anything else Google knows none, so that they are said in the description."""
        values: Any = [node["const"]] if "const" in node else node.get("enum")
        if not isinstance(values, list):
            return
        listed = cast("list[Any]", values)
        if None in listed:
            result["nullable"] = True
        told = [value for value in listed if value is not None]
        if told and all(isinstance(value, str) for value in told) and result.get("type", "STRING") == "STRING":
            result["type"], result["format"], result["enum"] = "STRING", "enum", told
        elif told:
            hint = f"One of: {msgspec.json.encode(told).decode()[:2000]}"
            before: Any = result.get("description")
            result["description"] = f"{before} {hint}" if isinstance(before, str) else hint
            if "type" not in result and (kind := _type_of(told[0])) is not None:
                result["type"] = kind

    def _members(self, node: dict[str, Any], result: dict[str, Any], *, depth: int, within: tuple[str, ...]) -> None:
        properties: Any = node.get("properties")
        if isinstance(properties, dict):
            members = cast("dict[str, Any]", properties)
            result["properties"] = {
                name: self.node(member, depth=depth + 1, within=within) for name, member in members.items()
            }
            result.setdefault("propertyOrdering", list(members))
            required: Any = result.get("required")
            if isinstance(required, list):
                result["required"] = [name for name in cast("list[Any]", required) if name in members]
        if not result.get("required"):
            result.pop("required", None)
        if result.get("type") == "ARRAY":
            items: Any = node.get("items")
            first: Any = node.get("prefixItems")
            if not isinstance(items, dict) and isinstance(first, list) and first:
                items = {"anyOf": cast("list[Any]", first)}
            result["items"] = self.node(items if isinstance(items, dict) else {}, depth=depth + 1, within=within)

    def _choices(self, node: dict[str, Any], result: dict[str, Any], *, depth: int, within: tuple[str, ...]) -> None:
        """Alternatives; `null` among them is `nullable`, and a single one is no choice."""
        given: Any = node.get("anyOf") or node.get("oneOf")
        if not isinstance(given, list):
            return
        options = [self.node(option, depth=depth + 1, within=within) for option in cast("list[Any]", given)]
        told = [option for option in options if option.keys() != {"nullable"}]
        if len(told) < len(options):
            result["nullable"] = True
        if len(told) == 1:
            for name, value in told[0].items():
                result.setdefault(name, value)
        elif told:
            result["anyOf"] = told


def _alone(result: dict[str, Any]) -> dict[str, Any]:
    """Beside `anyOf` Google takes nothing else, so that null and the description go into the alternatives."""
    shared = {name: result[name] for name in ("nullable", "description") if name in result}
    return {"anyOf": [{**shared, **option} for option in result["anyOf"]]}


def _without_all_of(node: dict[str, Any]) -> dict[str, Any]:
    """`allOf` said as one object: members together, the rest of the first that says it."""
    parts: Any = node.get("allOf")
    if not isinstance(parts, list):
        return node
    merged = {name: value for name, value in node.items() if name != "allOf"}
    listed = [cast("dict[str, Any]", part) for part in cast("list[Any]", parts) if isinstance(part, dict)]
    if len(listed) == 1 and "$ref" in listed[0]:
        return {**merged, "anyOf": listed}
    for part in listed:
        for name, value in part.items():
            before: Any = merged.get(name)
            if name == "properties" and isinstance(before, dict) and isinstance(value, dict):
                merged[name] = {**before, **value}
            elif name == "required" and isinstance(before, list) and isinstance(value, list):
                merged[name] = [*before, *value]
            else:
                merged.setdefault(name, value)
    return merged


def _type_of(value: Any) -> str | None:
    if isinstance(value, bool):
        return "BOOLEAN"
    if isinstance(value, int):
        return "INTEGER"
    return "NUMBER" if isinstance(value, float) else None
