"""What Google refuses of a request whose members it knows, in its own words: roles and turns of function calls, schemas
it has no words for, and thought signatures (https://ai.google.dev/gemini-api/docs/thought-signatures)."""

from typing import Any

import msgspec

from llmgateway.apps.simulator.dialect import InvalidAsk, Json
from llmgateway.apps.simulator.google.names import SCHEMA, camel
from llmgateway.apps.simulator.reading import mapping, sequence
from llmgateway.apps.simulator.seal import decoded, is_envelope, is_signature

PURPOSE = "google"
UNCHECKED = (b"skip_thought_signature_validator", b"context_engineering_is_the_way_to_go")
"""Signatures that Google documents for histories that other models wrote; as text, or in base64 as bytes are."""
_BESIDES = ("thought", "thoughtSignature", "videoMetadata", "partMetadata", "mediaResolution")
_TYPES = ("string", "number", "integer", "boolean", "array", "object", "null", "type_unspecified")


def contents_of(body: Json) -> list[Json]:
    """The turns of the conversation, each with a list of parts. Raises InvalidAsk."""
    contents = [mapping(content) for content in several(body.get("contents"))]
    if not contents:
        raise InvalidAsk("* GenerateContentRequest.contents: contents is not specified\n")
    turns: list[Json] = []
    for at, content in enumerate(contents):
        role, parts = content.get("role", "user"), [mapping(part) for part in several(content.get("parts"))]
        if role not in ("user", "model", "function"):
            raise InvalidAsk("Please use a valid role: user, model.")
        if not parts:
            raise InvalidAsk(f"* GenerateContentRequest.contents[{at}].parts: contents.parts must not be empty.\n")
        for index, part in enumerate(parts):
            _check_part(part, place=f"contents[{at}].parts[{index}]")
        turns.append({"role": "model" if role == "model" else "user", "parts": parts})
    return turns


def several(value: object) -> list[Any]:
    """A repeated member, which may be given as a single value."""
    return [value] if isinstance(value, dict) else sequence(value)


def check(body: Json, contents: list[Json], *, strict: bool) -> None:
    """`strict`: the model insists on the signatures of the function calls of the current turn, as Gemini 3 does."""
    _check_turns(contents)
    if strict:
        _check_current_turn(contents)
    for at, tool in enumerate(several(body.get("tools"))):
        for index, declaration in enumerate(several(mapping(tool).get("functionDeclarations"))):
            place = f"tools[{at}].function_declarations[{index}].parameters"
            if (schema := mapping(declaration).get("parameters")) is not None:
                check_schema(schema, place=place)
    config = mapping(body.get("generationConfig"))
    if (schema := config.get("responseSchema")) is not None:
        check_schema(schema, place="generation_config.response_schema")
    if ("responseSchema" in config or "responseJsonSchema" in config) and "responseMimeType" not in config:
        raise InvalidAsk("For controlled generation of enum or JSON, response_mime_type must be set.")


def _check_part(part: Json, *, place: str) -> None:
    named = [name for name in part if name not in _BESIDES]
    if not named:
        what = "data: required oneof field 'data' must have one initialized field"
        raise InvalidAsk(f"* GenerateContentRequest.{place}.{what}\n")
    if len(named) > 1:
        raise InvalidAsk(f"Invalid value at '{place}' (oneof), oneof field 'data' is already set.")
    call, response, inline = part.get("functionCall"), part.get("functionResponse"), part.get("inlineData")
    if call is not None and (not call.get("name") or not isinstance(call.get("args", {}), dict)):
        raise InvalidAsk(f"Invalid value at '{place}.function_call.args' (type.googleapis.com/google.protobuf.Struct)")
    if response is not None and (not response.get("name") or not isinstance(response.get("response"), dict)):
        raise InvalidAsk(
            f"Invalid value at '{place}.function_response.response' (type.googleapis.com/google.protobuf.Struct)"
        )
    if inline is not None and (not inline.get("mimeType") or decoded(str(inline.get("data", ""))) is None):
        raise InvalidAsk(f"Invalid value at '{place}.inline_data.data' (TYPE_BYTES), Base64 decoding failed")
    signature = part.get("thoughtSignature")
    if signature is not None and not (isinstance(signature, str) and _is_issued(signature, part)):
        raise InvalidAsk("Corrupted thought signature.")


def call_text(name: object, args: object) -> str:
    """What the signature of a function call is made of: the call, whatever the order of its arguments."""
    return msgspec.json.encode([name, args], order="sorted").decode()


def _is_issued(signature: str, part: Json) -> bool:
    if signature.encode() in UNCHECKED or decoded(signature) in UNCHECKED:
        return True
    if (call := part.get("functionCall")) is not None:
        return is_signature(signature, call_text(call.get("name"), call.get("args", {})), purpose=PURPOSE)
    return is_envelope(decoded(signature) or b"", purpose=PURPOSE)


def _check_turns(contents: list[Json]) -> None:
    """Each turn of function calls is followed by as many responses."""
    for at, content in enumerate(contents):
        calls = [part["functionCall"] for part in content["parts"] if "functionCall" in part]
        if not calls:
            continue
        if at == 0 or contents[at - 1]["role"] == "model":
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
        before: list[Json] = contents[at - 1]["parts"] if at else []
        answers = any("functionResponse" in part for part in content["parts"])
        if answers and not any("functionCall" in part for part in before):
            raise InvalidAsk("Please ensure that function response turn comes immediately after a function call turn.")


def _check_current_turn(contents: list[Json]) -> None:
    """The first function call of each step since the user last spoke carries its signature."""
    for at in range(len(contents) - 1, -1, -1):
        parts: list[Json] = contents[at]["parts"]
        if contents[at]["role"] == "user" and not any("functionResponse" in part for part in parts):
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
    named = mapping(camel(schema, kind=own, place=place))
    kind = named.get("type")
    if kind is not None and (not isinstance(kind, str) or kind.lower() not in _TYPES):
        raise InvalidAsk(f"Invalid value at '{place}.type' (type.googleapis.com/google.ai.generativelanguage.Type)")
    if str(kind).lower() == "array" and "items" not in named:
        raise InvalidAsk(f"* GenerateContentRequest.{place}.items: missing field.\n")
    if any(not isinstance(option, str) for option in sequence(named.get("enum"))):
        raise InvalidAsk(f"Invalid value at '{place}.enum[0]' (TYPE_STRING)")
    properties = mapping(named.get("properties"))
    for name, inner in properties.items():
        check_schema(inner, place=f"{place}.properties[{name!r}]")
    for name in sequence(named.get("required")):
        if not isinstance(name, str) or name not in properties:
            raise InvalidAsk(f"* GenerateContentRequest.{place}.required[0]: property is not defined\n")
    if "items" in named:
        check_schema(named["items"], place=f"{place}.items")
    for at, option in enumerate(sequence(named.get("anyOf"))):
        check_schema(option, place=f"{place}.any_of[{at}]")
