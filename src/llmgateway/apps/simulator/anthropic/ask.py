"""Reads an Anthropic messages request (https://docs.claude.com/en/api/messages): from bytes to the protocol-neutral
Ask. What it cannot take for a request is refused as Anthropic does; rules.py has what a well-formed one must obey."""

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from llmgateway.apps.simulator.anthropic import rules
from llmgateway.apps.simulator.anthropic.blocks import Block, Message, Thinking, Tool, ToolChoice, text_of
from llmgateway.apps.simulator.dialect import Asked, InvalidAsk
from llmgateway.apps.simulator.reading import MEMBERS, plain, read, refuse_unknown, size_of
from llmgateway.apps.simulator.scenario import Ask, Offer

_FIELDS = (
    *("model", "messages", "max_tokens", "system", "metadata", "stop_sequences", "stream", "temperature", "top_k"),
    *("top_p", "tools", "tool_choice", "thinking", "service_tier", "container", "context_management", "mcp_servers"),
    *("output_config", "output_format", "inference_geo", "cache_control", "speed"),
)


class _Format(Struct, frozen=True):
    type: str
    schema: Raw | UnsetType = UNSET


class _OutputConfig(Struct, frozen=True):
    effort: str | None = None
    format: _Format | None = None


class _Body(Struct, frozen=True, kw_only=True):
    model: str
    messages: Raw
    max_tokens: int | None = None
    system: Raw | UnsetType = UNSET
    stop_sequences: list[str] | None = None
    stream: bool | None = None
    temperature: float | None = None
    top_k: int | None = None
    top_p: float | None = None
    tools: Raw | UnsetType = UNSET
    tool_choice: ToolChoice | None = None
    thinking: Thinking | None = None
    output_config: _OutputConfig | None = None
    output_format: _Format | None = None


_BODY = msgspec.json.Decoder(_Body)
_MESSAGES: msgspec.json.Decoder[list[Message]] = msgspec.json.Decoder(list[Message])
_TOOLS: msgspec.json.Decoder[list[Tool] | None] = msgspec.json.Decoder(list[Tool] | None)
_BLOCKS: msgspec.json.Decoder[str | list[Block]] = msgspec.json.Decoder(str | list[Block])


def ask_of(asked: Asked) -> Ask:
    """Raises InvalidAsk."""
    request = asked.request
    if request.header(b"anthropic-version") is None:
        raise InvalidAsk("anthropic-version: header is required")
    refuse_unknown(read(request.body, MEMBERS), known=_FIELDS, message="{name}: Extra inputs are not permitted")
    body = read(request.body, _BODY)
    if body.max_tokens is None:
        raise InvalidAsk("max_tokens: Field required")
    messages = read(body.messages, _MESSAGES)
    tools = (read(body.tools, _TOOLS) or []) if isinstance(body.tools, Raw) else []
    system = _system(body.system)
    rules.check_sampling(
        max_tokens=body.max_tokens, thinking=body.thinking, choice=body.tool_choice, temperature=body.temperature
    )
    rules.check_tools(tools, choice=body.tool_choice)
    rules.check_messages(messages, thinks=body.thinking is not None and body.thinking.type in ("enabled", "adaptive"))
    rules.check_breakpoints(messages, tools=tools, system=system)
    return _ask(body, messages, tools)


def _system(raw: Raw | UnsetType) -> list[Block]:
    """The blocks of the system prompt; none where it is plain text."""
    if raw is UNSET:
        return []
    system = read(raw, _BLOCKS)
    blocks = [] if isinstance(system, str) else system
    if any(block.type != "text" or not (block.text or "").strip() for block in blocks):
        raise InvalidAsk("system: text content blocks must be non-empty")
    return blocks


def _ask(body: _Body, messages: list[Message], tools: list[Tool]) -> Ask:
    form = body.output_format if body.output_config is None else body.output_config.format
    choice = body.tool_choice
    schemas = [(tool.name, tool.input_schema) for tool in tools if tool.input_schema is not UNSET]
    return Ask(
        model=body.model,
        text=_last_text(messages),
        turns=len(messages),
        tools=tuple([Offer(name, plain(schema)) for name, schema in schemas]),
        forced=None if choice is None else choice.name,
        forbids_tools=choice is not None and choice.type == "none",
        parallel=choice is None or choice.disable_parallel_tool_use is not True,
        tool_result=_last_result(messages),
        json=form is not None,
        schema=None if form is None else plain(form.schema),
        limit=body.max_tokens,
        stop=tuple(body.stop_sequences or ()),
        stream=body.stream is True,
        include_usage=True,
        prompt_tokens=size_of(body.system, body.tools, body.messages),
        searches=any(tool.type is not None and tool.type.startswith("web_search") for tool in tools),
    )


def _last_text(messages: list[Message]) -> str:
    """The text of the last user message that has more than tool results."""
    for message in reversed(messages):
        texts = [block.text or "" for block in message.blocks if block.type == "text"]
        if message.role == "user" and texts:
            return "".join(texts)
    return ""


def _last_result(messages: list[Message]) -> str | None:
    for message in reversed(messages):
        for block in reversed(message.blocks):
            if block.type == "tool_result":
                return text_of(block)
    return None
