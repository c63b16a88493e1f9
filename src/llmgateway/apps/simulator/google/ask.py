"""Reads a generateContent request (https://ai.google.dev/api/generate-content): from bytes to the protocol-neutral Ask.
Members may be spelled in camel or snake case, as protobuf's JSON allows; ones that Google does not know are refused."""

from typing import Any

from msgspec import Raw

from llmgateway.apps.simulator.dialect import Asked, InvalidAsk, Json
from llmgateway.apps.simulator.google import rules
from llmgateway.apps.simulator.google.names import ONCE, camel
from llmgateway.apps.simulator.reading import plain, read, size_of
from llmgateway.apps.simulator.scenario import Ask, Offer

_MAX_CANDIDATES = 8


def ask_of(asked: Asked) -> Ask:
    """Raises InvalidAsk."""
    members = read(asked.request.body, dict[str, Raw])
    body = camel({name: plain(raw) for name, raw in members.items()}, kind=ONCE)
    rules.check(body, strict=asked.model.endswith("reasoning") or asked.model.endswith("redacted"))
    parts = [members.get(name) for name in ("contents", "systemInstruction", "system_instruction", "tools")]
    query = asked.request.path.partition("?")[2].split("&")
    return _ask(asked, body, sse="alt=sse" in query, prompt_tokens=size_of(*parts))


def _ask(asked: Asked, body: Json, *, sse: bool, prompt_tokens: int) -> Ask:
    config: Json = body.get("generationConfig") or {}
    thinking: Json = config.get("thinkingConfig") or {}
    calling: Json = (body.get("toolConfig") or {}).get("functionCallingConfig") or {}
    allowed: list[str] = calling.get("allowedFunctionNames") or []
    tools: list[Json] = body.get("tools") or []
    schema = config.get("responseJsonSchema", config.get("responseSchema"))
    return Ask(
        model=asked.model.removeprefix("models/"),
        text=_last_text(body["contents"]),
        turns=len(body["contents"]),
        tools=tuple([_offer(it) for tool in tools for it in tool.get("functionDeclarations") or []]),
        forced=allowed[0] if calling.get("mode") == "ANY" and len(allowed) == 1 else None,
        forbids_tools=calling.get("mode") == "NONE",
        tool_result=_last_result(body["contents"]),
        json=config.get("responseMimeType") == "application/json",
        schema=schema,
        limit=config.get("maxOutputTokens"),
        stop=tuple(config.get("stopSequences") or ()),
        n=max(1, min(config.get("candidateCount") or 1, _MAX_CANDIDATES)),
        stream=asked.action == "stream",
        include_usage=True,
        prompt_tokens=prompt_tokens,
        searches=any("googleSearch" in tool for tool in tools),
        given={"sse": sse, "thoughts": thinking.get("includeThoughts") is True},
    )


def _offer(declaration: Json) -> Offer:
    if not isinstance(name := declaration.get("name"), str):
        raise InvalidAsk("* GenerateContentRequest.tools[0].function_declarations[0].name: Invalid function name.")
    return Offer(name, declaration.get("parametersJsonSchema", declaration.get("parameters")))


def _last_text(contents: list[Json]) -> str:
    for content in reversed(contents):
        texts = [part["text"] for part in content["parts"] if isinstance(part.get("text"), str)]
        if content.get("role", "user") == "user" and texts:
            return "".join(texts)
    return ""


def _last_result(contents: list[Json]) -> str | None:
    for content in reversed(contents):
        for part in reversed(content["parts"]):
            if (response := part.get("functionResponse")) is not None:
                return _said(response.get("response") or {})
    return None


def _said(response: Any) -> str:
    """The text of a function's response: its only member, or all of it."""
    values = list(response.values()) if isinstance(response, dict) else []
    return str(values[0]) if len(values) == 1 else str(response)
