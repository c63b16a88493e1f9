"""Tools and tool choice.

A function's schema is sent as the caller wrote it, in the caller's order, so that provider-side prompt caches see the
same prefix from turn to turn.
"""

from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from llmgateway.domain.chat import Chat, Function, NamedFunction, NamedTool, Tool
from llmgateway.wire.anthropic.models import Dialect
from llmgateway.wire.anthropic.parts import Block, list_unknown, with_cache
from llmgateway.wire.anthropic.schema import constrained
from llmgateway.wire.anthropic.vocabulary import answer_tool

_SPANS: Final = msgspec.json.Decoder(list[dict[str, Raw]])
_KNOWN: Final = frozenset((
    "type", "function", "user_location", "search_context_size", "max_uses", "allowed_domains", "blocked_domains",
    "cache_control",
))  # fmt: skip
_NATIVE: Final = ("defer_loading", "allowed_callers", "input_examples", "eager_input_streaming")
"""Members of a tool that this protocol has and ours does not; a caller who writes them means them."""
_OBJECT: Final = Raw(b'"object"')
_NO_MEMBERS: Final = Raw(b"{}")
_PLACE: Final = ("city", "region", "country", "timezone")
_SEARCH: Final = "web_search"


class Toolbox(Struct, frozen=True):
    """`forced`: the model must call one of them. `choice` None leaves it to the model."""

    tools: list[Block]
    choice: Block | None
    forced: bool


def toolbox(
    chat: Chat, *, dialect: Dialect, turns: list[Block], answers_by_tool: bool, dropped: dict[str, None]
) -> Toolbox:
    """`answers_by_tool`: a response format is made up for by a tool whose input is the answer."""
    request = chat.request
    tools = _given(chat, dialect, dropped)
    tools += [_function(function, dialect, dropped) for function in request.functions or ()]
    if (request.web_search or request.web_search_options is not None) and not _searches(tools):
        tools.append(_default_search(chat, dropped))
    choice = _choice(chat, tools)
    if answers_by_tool:
        return _answering(chat, tools, choice)
    if not tools:
        tools = _remembered(turns)
        choice = {"type": "none"} if tools else None
    return Toolbox(tools, choice, choice is not None and choice["type"] in ("any", "tool"))


def _given(chat: Chat, dialect: Dialect, dropped: dict[str, None]) -> list[Block]:
    given = chat.request.tools
    if not given:
        return []
    spans = _SPANS.decode(chat.raw["tools"])
    tools: list[Block] = []
    for index, (tool, span) in enumerate(zip(given, spans, strict=True)):
        if tool.function is not None and tool.type == "function":
            list_unknown(span, _KNOWN.union(_NATIVE), "tools[]", dropped)
            block = _function(tool.function, dialect, dropped)
            block |= {name: span[name] for name in _NATIVE if name in span}
            tools.append(with_cache(block, tool.cache_control))
        elif tool.type == _SEARCH:
            tools.append(with_cache(_search(tool, index, dropped), tool.cache_control))
        else:
            tools.append(dict(span))
    return tools


def _function(function: Function, dialect: Dialect, dropped: dict[str, None]) -> Block:
    tool: Block = {"name": function.name}
    if function.description is not None:
        tool["description"] = function.description
    parameters = function.parameters or {"type": _OBJECT, "properties": _NO_MEMBERS}
    schema: Any = parameters if "type" in parameters else {"type": _OBJECT, **parameters}
    if function.strict and not dialect.structured:
        dropped["tools[].function.strict"] = None
    elif function.strict is not None:
        tool["strict"] = function.strict
        schema = (constrained(schema) if function.strict else None) or schema
    tool["input_schema"] = schema
    return tool


def _search(tool: Tool, index: int, dropped: dict[str, None]) -> Block:
    """platform.claude.com/docs/en/agents-and-tools/tool-use/web-search-tool"""
    block: Block = {"type": "web_search_20250305", "name": _SEARCH}
    for name in ("max_uses", "allowed_domains", "blocked_domains"):
        value = getattr(tool, name)
        if value is not None:
            block[name] = value
    if tool.user_location is not None:
        block["user_location"] = _location(tool.user_location)
    if tool.search_context_size is not None:
        dropped[f"tools[{index}].search_context_size"] = None
    return block


def _default_search(chat: Chat, dropped: dict[str, None]) -> Block:
    """A search asked for by `web_search` or by OpenAI's `web_search_options`."""
    block: Block = {"type": "web_search_20250305", "name": _SEARCH}
    for name, span in (chat.request.web_search_options or {}).items():
        location = msgspec.json.decode(span) if name == "user_location" else None
        if isinstance(location, dict):
            block["user_location"] = _location(msgspec.json.decode(span, type=dict[str, Raw]))
        elif bytes(span) != b"null":
            dropped[f"web_search_options.{name}"] = None
    return block


def _location(location: dict[str, Raw]) -> Block:
    """Chat completions nest the place one deeper than this protocol does."""
    inner = location.get("approximate")
    try:
        place = msgspec.json.decode(inner, type=dict[str, Raw]) if inner is not None else location
    except msgspec.ValidationError:
        place = location
    return {"type": "approximate", **{name: place[name] for name in _PLACE if name in place}}


def _searches(tools: list[Block]) -> bool:
    return any(tool.get("name") == _SEARCH for tool in tools)


def _choice(chat: Chat, tools: list[Block]) -> Block | None:
    """platform.claude.com/docs/en/agents-and-tools/tool-use/define-tools#forcing-tool-use"""
    request = chat.request
    if not tools:
        return None
    named = request.tool_choice if request.tool_choice is not None else request.function_call
    choice: Block | None
    if isinstance(named, NamedTool):
        choice = _chosen(chat, named)
    elif isinstance(named, NamedFunction):
        choice = {"type": "tool", "name": named.name}
    else:
        choice = {"type": "any" if named == "required" else named} if named is not None else None
    if request.parallel_tool_calls is False or request.functions:
        choice = choice or {"type": "auto"}
        if choice["type"] != "none":
            choice["disable_parallel_tool_use"] = True
    return choice


def _chosen(chat: Chat, named: NamedTool) -> Block | None:
    """One of the caller's functions, or a choice in this protocol's own words."""
    if named.function is not None:
        return {"type": "tool", "name": named.function.name}
    return dict(msgspec.json.decode(chat.raw["tool_choice"], type=Block)) if named.type == "tool" else None


def _answering(chat: Chat, tools: list[Block], choice: Block | None) -> Toolbox:
    """The caller's tools stay on offer; where one of them must be called, that call is the answer."""
    if choice is not None and choice["type"] in ("any", "tool"):
        return Toolbox(tools, choice, forced=True)
    shape = chat.request.response_format
    schema = shape.json_schema if shape is not None else None
    name = answer_tool(chat)
    description = (schema.description if schema is not None else None) or "Gives the answer. Call it once, at the end."
    answer = {
        "name": name,
        "description": description,
        "input_schema": (schema.schema if schema is not None else None) or {"type": _OBJECT},
    }
    chosen: Block = {"type": "any"}
    if not tools or (choice is not None and choice["type"] == "none"):
        chosen = {"type": "tool", "name": name, "disable_parallel_tool_use": True}
    elif choice is not None and "disable_parallel_tool_use" in choice:
        chosen["disable_parallel_tool_use"] = True
    return Toolbox([*tools, answer], chosen, forced=True)


def _remembered(turns: list[Block]) -> list[Block]:
    """The tools of earlier calls, for a request that offers none any more: calls without tools are refused."""
    names: dict[str, None] = {}
    for turn in turns:
        if turn["role"] == "assistant":
            names.update({block["name"]: None for block in turn["content"] if block["type"] == "tool_use"})
    return [{"name": name, "input_schema": {"type": _OBJECT, "properties": _NO_MEMBERS}} for name in names]
