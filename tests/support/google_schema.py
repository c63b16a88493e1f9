"""Google's own schemas (of OpenAPI 3.0, ai.google.dev/api/caching#Schema) as the JSON Schema they stand for."""

from typing import Any

_NESTED = ("items", "additionalProperties")
_LISTS = ("anyOf", "oneOf", "allOf", "prefixItems")
_MAPS = ("properties", "$defs")
_NUMBERS = ("minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties")


def json_schema(schema: Any) -> Any:
    """Types in lower case, `nullable` as the type null, counts as numbers (protobuf's JSON has them as strings)."""
    if not isinstance(schema, dict):
        return schema
    told: dict[str, Any] = {}
    for name, value in schema.items():
        if name == "type" and isinstance(value, str):
            told["type"] = value.lower()
        elif name in _NESTED:
            told[name] = json_schema(value)
        elif name in _LISTS:
            told[name] = [json_schema(one) for one in value]
        elif name in _MAPS:
            told[name] = {key: json_schema(one) for key, one in value.items()}
        elif name in _NUMBERS and isinstance(value, str):
            told[name] = int(value)
        elif name != "nullable":
            told[name] = value
    if schema.get("nullable") is True:
        return _nullable(told)
    return told


def _nullable(schema: dict[str, Any]) -> dict[str, Any]:
    if isinstance(schema.get("type"), str):
        return {**schema, "type": [schema["type"], "null"]}
    if "anyOf" in schema:
        return {**schema, "anyOf": [*schema["anyOf"], {"type": "null"}]}
    return {"anyOf": [schema, {"type": "null"}]}
