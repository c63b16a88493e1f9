"""What Google refuses of a request whose members it knows, in its own words: roles and turns of function calls, schemas
it has no words for, and thought signatures (https://ai.google.dev/gemini-api/docs/thought-signatures)."""

from typing import Any

import msgspec

from llmgateway.apps.simulator.dialect import InvalidAsk, Json
from llmgateway.apps.simulator.google.names import SCHEMA, camel
from llmgateway.apps.simulator.seal import decoded, is_envelope, is_signature

PURPOSE = "google"
UNCHECKED = ("skip_thought_signature_validator", "context_engineering_is_the_way_to_go")
"""Signatures that Google documents for histories that other models wrote."""
_TYPES = ("string", "number", "integer", "boolean", "array", "object", "null", "type_unspecified")


def check(body: Json, *, strict: bool) -> None:
    """`strict`: the model insists on the signatures of the function calls of the current turn, as Gemini 3 does."""
    contents = body.get("contents")
    if not contents or not isinstance(contents, list):
        raise InvalidAsk("* GenerateContentRequest.contents: contents is not specified\n")
    for at, content in enumerate(contents):
        _check_content(content, at=at)
    _check_turns(contents)
    if strict:
        _check_current_turn(contents)
    for at, tool in enumerate(body.get("tools") or []):
        for index, declaration in enumerate(tool.get("functionDeclarations") or []):
            place = f"tools[{at}].function_declarations[{index}].parameters"
            if (schema := declaration.get("parameters")) is not None:
                check_schema(schema, place=place)
    config: Json = body.get("generationConfig") or {}
    if (schema := config.get("responseSchema")) is not None:
        check_schema(schema, place="generation_config.response_schema")
    if ("responseSchema" in config or "responseJsonSchema" in config) and "responseMimeType" not in config:
        raise InvalidAsk("For controlled generation of enum or JSON, response_mime_type must be set.")


def _check_content(content: Json, *, at: int) -> None:
    place = f"* GenerateContentRequest.contents[{at}].parts"
    if content.get("role", "user") not in ("user", "model", "function"):
        raise InvalidAsk("Please use a valid role: user, model.")
    parts = content.get("parts")
    if not parts or not isinstance(parts, list):
        raise InvalidAsk(f"{place}: contents.parts must not be empty.\n")
    for index, part in enumerate(parts):
        named = [name for name in part if name not in ("thought", "thoughtSignature", "videoMetadata", "partMetadata")]
        if not named:
            raise InvalidAsk(f"{place}[{index}].data: required oneof field 'data' must have one initialized field\n")
        if len([name for name in named if name != "mediaResolution"]) > 1:
            raise InvalidAsk(
                f"Invalid value at 'contents[{at}].parts[{index}]' (oneof), oneof field 'data' is already set."
            )
        _check_part(part, place=f"contents[{at}].parts[{index}]")


def _check_part(part: Json, *, place: str) -> None:
    call, response, inline = part.get("functionCall"), part.get("functionResponse"), part.get("inlineData")
    if call is not None and not isinstance(call.get("args", {}), dict):
        raise InvalidAsk(f"Invalid value at '{place}.function_call.args' (type.googleapis.com/google.protobuf.Struct)")
    if response is not None and (not response.get("name") or not isinstance(response.get("response"), dict)):
        raise InvalidAsk(
            f"Invalid value at '{place}.function_response.response' (type.googleapis.com/google.protobuf.Struct)"
        )
    if inline is not None and (not inline.get("mimeType") or decoded(str(inline.get("data", ""))) is None):
        raise InvalidAsk(f"Invalid value at '{place}.inline_data.data' (TYPE_BYTES), Base64 decoding failed")
    signature = part.get("thoughtSignature")
    if isinstance(signature, str) and signature not in UNCHECKED and not _is_issued(signature, part):
        raise InvalidAsk("Corrupted thought signature.")


def call_text(name: object, args: object) -> str:
    """What the signature of a function call is made of: the call, whatever the order of its arguments."""
    return msgspec.json.encode([name, args], order="sorted").decode()


def _is_issued(signature: str, part: Json) -> bool:
    if (call := part.get("functionCall")) is not None:
        return is_signature(signature, call_text(call.get("name"), call.get("args", {})), purpose=PURPOSE)
    return is_envelope(decoded(signature) or b"", purpose=PURPOSE)


def _check_turns(contents: list[Json]) -> None:
    """Each turn of function calls is followed by as many responses."""
    for at, content in enumerate(contents):
        calls = [part["functionCall"] for part in content["parts"] if "functionCall" in part]
        if not calls:
            continue
        if at == 0 or contents[at - 1].get("role", "user") == "model":
            raise InvalidAsk(
                "Please ensure that function call turn comes immediately after a user turn or after a function "
                "response turn."
            )
        following = contents[at + 1]["parts"] if at + 1 < len(contents) else None
        if following is None:
            continue
        responses = [part["functionResponse"] for part in following if "functionResponse" in part]
        if len(responses) != len(calls):
            raise InvalidAsk(
                "Please ensure that the number of function response parts is equal to the number of function call "
                "parts of the function call turn."
            )
        if sorted(str(one.get("name")) for one in responses) != sorted(str(one.get("name")) for one in calls):
            raise InvalidAsk("Please ensure that function response names match the function calls before them.")
    for at, content in enumerate(contents):
        before = contents[at - 1]["parts"] if at else []
        if any("functionResponse" in part for part in content["parts"]) and not any(
            "functionCall" in p for p in before
        ):
            raise InvalidAsk("Please ensure that function response turn comes immediately after a function call turn.")


def _check_current_turn(contents: list[Json]) -> None:
    """The first function call of each step since the user last spoke carries its signature."""
    for at in range(len(contents) - 1, -1, -1):
        parts: list[Json] = contents[at]["parts"]
        if contents[at].get("role", "user") == "user" and not any("functionResponse" in part for part in parts):
            return
        calls = [part for part in parts if "functionCall" in part]
        if calls and not calls[0].get("thoughtSignature"):
            raise InvalidAsk(
                "Function call is missing a thought_signature in functionCall parts. This is required for tools to "
                "work correctly, and missing thought_signature may lead to degraded model performance. Additional "
                f"data, function call `default_api:{calls[0]['functionCall'].get('name')}` , position {at + 1}. Please "
                "refer to https://ai.google.dev/gemini-api/docs/thought-signatures for more details."
            )


def check_schema(schema: Any, *, place: str) -> None:
    """Google's own Schema is a part of JSON Schema (https://ai.google.dev/api/caching#Schema)."""
    own: Json = {"properties": None, "items": None, "anyOf": None, **SCHEMA}
    named: Json = camel(schema, kind=own, place=place)
    kind = named.get("type")
    if kind is not None and (not isinstance(kind, str) or kind.lower() not in _TYPES):
        raise InvalidAsk(f"Invalid value at '{place}.type' (type.googleapis.com/google.ai.generativelanguage.Type)")
    if str(kind).lower() == "array" and "items" not in named:
        raise InvalidAsk(f"* GenerateContentRequest.{place}.items: missing field.\n")
    if any(not isinstance(option, str) for option in named.get("enum", ())):
        raise InvalidAsk(f"Invalid value at '{place}.enum[0]' (TYPE_STRING)")
    properties: Json = named.get("properties", {})
    for name, inner in properties.items():
        check_schema(inner, place=f"{place}.properties[{name!r}]")
    for name in named.get("required", ()):
        if name not in properties:
            raise InvalidAsk(f"* GenerateContentRequest.{place}.required[0]: property is not defined\n")
    if "items" in named:
        check_schema(named["items"], place=f"{place}.items")
    for at, option in enumerate(named.get("anyOf", ())):
        check_schema(option, place=f"{place}.any_of[{at}]")
