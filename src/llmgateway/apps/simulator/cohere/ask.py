"""Reads a Cohere chat request, version 2 (https://docs.cohere.com/reference/chat): from bytes to the protocol-neutral
Ask. What Cohere refuses of a well-formed request is refused here too, in its own words."""

from collections.abc import Sequence
from typing import Literal

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from llmgateway.apps.simulator.dialect import Asked, InvalidAsk
from llmgateway.apps.simulator.reading import MEMBERS, mapping, plain, read, refuse_unknown, size_of
from llmgateway.apps.simulator.scenario import Ask, Offer

_FIELDS = (
    *("model", "messages", "stream", "tools", "documents", "citation_options", "response_format", "safety_mode"),
    *("max_tokens", "stop_sequences", "temperature", "seed", "frequency_penalty", "presence_penalty", "k", "p"),
    *("logprobs", "tool_choice", "thinking", "priority", "strict_tools", "raw_prompting", "return_prompt"),
)


class _Part(Struct, frozen=True):
    type: str = "text"
    text: str | None = None
    thinking: str | None = None
    image_url: Raw | UnsetType = UNSET
    document: Raw | UnsetType = UNSET


class _Function(Struct, frozen=True):
    name: str
    arguments: str = "{}"


class _Call(Struct, frozen=True):
    id: str
    function: _Function
    type: Literal["function"] = "function"


class _Message(Struct, frozen=True):
    role: Literal["user", "assistant", "system", "tool"]
    content: str | list[_Part] | None = None
    tool_calls: list[_Call] | None = None
    tool_call_id: str | None = None
    tool_plan: str | None = None

    @property
    def text(self) -> str:
        if isinstance(self.content, str):
            return self.content
        return "".join([part.text or _document_text(part.document) for part in self.content or ()])


class _ToolFunction(Struct, frozen=True):
    name: str
    parameters: Raw
    description: str | None = None


class _Tool(Struct, frozen=True):
    type: Literal["function"]
    function: _ToolFunction


class _Format(Struct, frozen=True):
    type: Literal["text", "json_object"]
    schema: Raw | UnsetType = UNSET
    json_schema: Raw | UnsetType = UNSET


class _Body(Struct, frozen=True, kw_only=True):
    model: str
    messages: Raw
    stream: bool | None = None
    tools: Raw | UnsetType = UNSET
    response_format: _Format | None = None
    max_tokens: int | None = None
    stop_sequences: list[str] | None = None
    tool_choice: Literal["REQUIRED", "NONE"] | None = None


_BODY = msgspec.json.Decoder(_Body)
_MESSAGES: msgspec.json.Decoder[list[_Message]] = msgspec.json.Decoder(list[_Message])
_TOOLS: msgspec.json.Decoder[list[_Tool] | None] = msgspec.json.Decoder(list[_Tool] | None)


def ask_of(asked: Asked) -> Ask:
    """Raises InvalidAsk."""
    members = read(asked.request.body, MEMBERS)
    refuse_unknown(members, known=_FIELDS, message="invalid request: unknown field: parameter '{name}' is not valid")
    body = read(asked.request.body, _BODY)
    messages = read(body.messages, _MESSAGES)
    tools = (read(body.tools, _TOOLS) or []) if isinstance(body.tools, Raw) else []
    _check(messages)
    if body.tool_choice == "REQUIRED" and not tools:
        raise InvalidAsk("invalid request: tool_choice cannot be REQUIRED without tools")
    form = body.response_format
    schema = None if form is None else plain(form.schema if form.schema is not UNSET else form.json_schema)
    return Ask(
        model=body.model,
        text=next((message.text for message in reversed(messages) if message.role == "user"), ""),
        turns=len(messages),
        tools=tuple([Offer(tool.function.name, plain(tool.function.parameters)) for tool in tools]),
        forbids_tools=body.tool_choice == "NONE",
        tool_result=next((message.text for message in reversed(messages) if message.role == "tool"), None),
        json=form is not None and form.type == "json_object",
        schema=schema,
        limit=body.max_tokens,
        stop=tuple(body.stop_sequences or ()),
        stream=body.stream is True,
        include_usage=True,
        prompt_tokens=size_of(body.tools, body.messages),
    )


def _document_text(document: Raw | UnsetType) -> str:
    """The text of a tool result's document: its data's only member, or all of it."""
    data = mapping(plain(document)).get("data", "")
    values = list(mapping(data).values())
    return str(values[0]) if len(values) == 1 else str(data)


def _check(messages: Sequence[_Message]) -> None:
    if not messages:
        raise InvalidAsk("invalid request: messages must not be empty")
    if messages[-1].role not in ("user", "tool"):
        raise InvalidAsk("invalid request: the last message must be from the user or a tool")
    open_calls: set[str] = set()
    for at, message in enumerate(messages):
        if message.role == "tool":
            if message.tool_call_id not in open_calls:
                raise InvalidAsk(f"invalid request: tool_call_id {message.tool_call_id!r} not found (message {at})")
            open_calls.discard(message.tool_call_id or "")
            continue
        if open_calls:
            raise InvalidAsk(
                f"invalid request: missing tool results for {', '.join(sorted(open_calls))} (message {at})"
            )
        open_calls = {call.id for call in message.tool_calls or ()}
        if message.role == "assistant" and not (message.content or message.tool_calls):
            raise InvalidAsk(f"invalid request: message {at} must have content or tool_calls")
        if message.role in ("user", "system") and not message.content:
            raise InvalidAsk(f"invalid request: message {at} must have non-empty content or tool calls")
    if open_calls:
        raise InvalidAsk(f"invalid request: missing tool results for {', '.join(sorted(open_calls))}")
