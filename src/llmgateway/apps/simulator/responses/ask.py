"""Reads an OpenAI responses request (https://platform.openai.com/docs/api-reference/responses/create): from bytes to
the protocol-neutral Ask; rules.py has what a well-formed one must obey."""

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from llmgateway.apps.simulator.dialect import Asked, InvalidAsk, Json
from llmgateway.apps.simulator.reading import MEMBERS, plain, read, refuse_unknown, size_of
from llmgateway.apps.simulator.responses import rules
from llmgateway.apps.simulator.responses.items import Item, text_of
from llmgateway.apps.simulator.scenario import Ask, Offer

_FIELDS = (
    *("background", "conversation", "context_management", "include", "input", "instructions", "max_output_tokens"),
    *("max_tool_calls", "metadata", "model", "parallel_tool_calls", "previous_response_id", "prompt", "user"),
    *("prompt_cache_key", "prompt_cache_retention", "reasoning", "safety_identifier", "service_tier", "store"),
    *("stream", "stream_options", "temperature", "text", "tool_choice", "tools", "top_logprobs", "top_p"),
    *("truncation", "moderation"),
)
ENCRYPTED = "reasoning.encrypted_content"


class _Format(Struct, frozen=True):
    type: str = "text"
    schema: Raw | UnsetType = UNSET
    name: str | None = None


class _Text(Struct, frozen=True):
    format: _Format | None = None


class _Reasoning(Struct, frozen=True):
    effort: str | None = None
    summary: str | None = None


class _Tool(Struct, frozen=True):
    type: str
    name: str | None = None
    parameters: Raw | UnsetType = UNSET


class _Choice(Struct, frozen=True):
    type: str
    name: str | None = None


class _StreamOptions(Struct, frozen=True):
    include_obfuscation: bool | None = None


class _Body(Struct, frozen=True, kw_only=True):
    model: str
    input: Raw
    instructions: Raw | UnsetType = UNSET
    include: list[str] | None = None
    max_output_tokens: int | None = None
    parallel_tool_calls: bool | None = None
    reasoning: _Reasoning | None = None
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    text: _Text | None = None
    tool_choice: str | _Choice | None = None
    tools: Raw | UnsetType = UNSET


_BODY = msgspec.json.Decoder(_Body)
_INPUT: msgspec.json.Decoder[str | list[Item]] = msgspec.json.Decoder(str | list[Item])
_TOOLS: msgspec.json.Decoder[list[_Tool] | None] = msgspec.json.Decoder(list[_Tool] | None)


def ask_of(asked: Asked) -> Ask:
    """Raises InvalidAsk."""
    members = read(asked.request.body, MEMBERS)
    refuse_unknown(members, known=_FIELDS, message="Unknown parameter: '{name}'.")
    body = read(asked.request.body, _BODY)
    given = read(body.input, _INPUT)
    items = [Item(role="user", content=body.input)] if isinstance(given, str) else given
    tools = (read(body.tools, _TOOLS) or []) if isinstance(body.tools, Raw) else []
    rules.check_items(items)
    for at, tool in enumerate(tools):
        if tool.type == "function" and not tool.name:
            raise InvalidAsk(f"Missing required parameter: 'tools[{at}].name'.", param=f"tools[{at}].name")
    if body.max_output_tokens is not None and body.max_output_tokens < rules.MIN_OUTPUT:
        message = f"Invalid 'max_output_tokens': integer below minimum value. Expected a value >= {rules.MIN_OUTPUT}."
        raise InvalidAsk(message, code="integer_below_min_value", param="max_output_tokens")
    return _ask(body, items, tools, echo={name: plain(raw) for name, raw in members.items()})


def _ask(body: _Body, items: list[Item], tools: list[_Tool], *, echo: Json) -> Ask:
    form = None if body.text is None else body.text.format
    choice = body.tool_choice
    offers = [Offer(tool.name or "", plain(tool.parameters)) for tool in tools if tool.type == "function"]
    options = body.stream_options
    return Ask(
        model=body.model,
        text=next((text_of(item.content) for item in reversed(items) if item.role == "user"), ""),
        turns=len(items),
        tools=tuple(offers),
        forced=choice.name if isinstance(choice, _Choice) else None,
        forbids_tools=choice == "none",
        parallel=body.parallel_tool_calls is not False,
        tool_result=next((text_of(it.output) for it in reversed(items) if it.type == "function_call_output"), None),
        json=form is not None and form.type in ("json_object", "json_schema"),
        schema=None if form is None else plain(form.schema),
        limit=body.max_output_tokens,
        stream=body.stream is True,
        include_usage=True,
        prompt_tokens=size_of(body.instructions, body.tools, body.input),
        searches=any(tool.type.startswith("web_search") for tool in tools),
        given={
            "echo": echo,
            "encrypted": ENCRYPTED in (body.include or ()),
            "summary": body.reasoning is not None and body.reasoning.summary is not None,
            "obfuscated": options is None or options.include_obfuscation is not False,
        },
    )
