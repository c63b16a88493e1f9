"""Reads a generateContent request (https://ai.google.dev/api/generate-content): from bytes to the protocol-neutral Ask.
Members may be spelled in camel or snake case, as protobuf's JSON allows; ones that Google does not know are refused."""

import re
from typing import TypeVar

import msgspec
from msgspec import Struct

from llmgateway.apps.simulator.dialect import Asked, InvalidAsk, Json
from llmgateway.apps.simulator.google import rules
from llmgateway.apps.simulator.google.names import ONCE, camel
from llmgateway.apps.simulator.reading import MEMBERS, mapping, plain, read, size_of
from llmgateway.apps.simulator.scenario import Ask, Offer

T = TypeVar("T")
_MAX_CANDIDATES = 8
_STRICT = re.compile(r"gemini-3|reasoning$|redacted$")


class _Thinking(Struct, frozen=True, rename="camel"):
    include_thoughts: bool | None = None


class _Config(Struct, frozen=True, rename="camel"):
    candidate_count: int | None = None
    max_output_tokens: int | None = None
    response_json_schema: object = None
    response_mime_type: str | None = None
    response_schema: object = None
    stop_sequences: list[str] | None = None
    thinking_config: _Thinking | None = None


class _Calling(Struct, frozen=True, rename="camel"):
    mode: str | None = None
    allowed_function_names: list[str] | None = None


def ask_of(asked: Asked) -> Ask:
    """Raises InvalidAsk."""
    members = read(asked.request.body, MEMBERS)
    body = camel({name: plain(raw) for name, raw in members.items()}, kind=ONCE)
    contents = rules.contents_of(body)
    rules.check(body, contents, strict=_STRICT.search(asked.model) is not None)
    parts = [members.get(name) for name in ("contents", "systemInstruction", "system_instruction", "tools")]
    query = asked.request.path.partition("?")[2].split("&")
    return _ask(asked, body, contents, sse="alt=sse" in query, prompt_tokens=size_of(*parts))


def _ask(asked: Asked, body: Json, contents: list[Json], *, sse: bool, prompt_tokens: int) -> Ask:
    config = _typed(body.get("generationConfig"), _Config)
    calling = _typed(mapping(body.get("toolConfig")).get("functionCallingConfig"), _Calling)
    allowed = calling.allowed_function_names or []
    tools = [mapping(tool) for tool in rules.several(body.get("tools"))]
    schema = config.response_schema if config.response_json_schema is None else config.response_json_schema
    return Ask(
        model=asked.model.removeprefix("models/"),
        text=_last_text(contents),
        turns=len(contents),
        tools=tuple([_offer(it) for tool in tools for it in rules.several(tool.get("functionDeclarations"))]),
        forced=allowed[0] if calling.mode == "ANY" and len(allowed) == 1 else None,
        forbids_tools=calling.mode == "NONE",
        tool_result=_last_result(contents),
        json=config.response_mime_type == "application/json",
        schema=schema,
        limit=config.max_output_tokens,
        stop=tuple(config.stop_sequences or ()),
        n=max(1, min(config.candidate_count or 1, _MAX_CANDIDATES)),
        stream=asked.action == "stream",
        include_usage=True,
        prompt_tokens=prompt_tokens,
        searches=any("googleSearch" in tool for tool in tools),
        given={
            "sse": sse,
            "thoughts": config.thinking_config is not None and config.thinking_config.include_thoughts is True,
        },
    )


def _typed(value: object, kind: type[T]) -> T:
    try:
        return msgspec.convert(value or {}, kind)
    except msgspec.ValidationError as error:
        raise InvalidAsk(f"Invalid JSON payload received. {error}") from None


def _offer(declaration: Json) -> Offer:
    if not isinstance(name := declaration.get("name"), str):
        raise InvalidAsk("* GenerateContentRequest.tools[0].function_declarations[0].name: Invalid function name.")
    return Offer(name, declaration.get("parametersJsonSchema", declaration.get("parameters")))


def _last_text(contents: list[Json]) -> str:
    for content in reversed(contents):
        texts = [part["text"] for part in content["parts"] if isinstance(part.get("text"), str)]
        if content["role"] == "user" and texts:
            return "".join(texts)
    return ""


def _last_result(contents: list[Json]) -> str | None:
    for content in reversed(contents):
        for part in reversed(content["parts"]):
            if (response := part.get("functionResponse")) is not None:
                return _said(mapping(mapping(response).get("response")))
    return None


def _said(response: Json) -> str:
    """The text of a function's response: its only member, or all of it."""
    values = list(response.values())
    return str(values[0]) if len(values) == 1 else str(response)
