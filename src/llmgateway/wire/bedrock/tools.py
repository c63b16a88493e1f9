"""Our tools as a toolConfig: their schemas as the caller wrote them, the choice among them, and what emulates the rest.

A conversation that called tools before needs a toolConfig in every request. Where the caller gives no tools any more,
or wants none called, the tools stand there all the same and the system prompt says that none is to be called.
"""

import re
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from llmgateway.domain.chat import Chat, Function, JsonSchema, NamedTool, Tool
from llmgateway.wire.bedrock.conversation import Conversation, cache_point
from llmgateway.wire.bedrock.family import Family
from llmgateway.wire.bedrock.vocabulary import held_to

QUIET: Final = "Do not call any tool. Answer with text."
_TOOLS: Final = msgspec.json.Decoder(list[dict[str, Raw]])
_OBJECT: Final[dict[str, Any]] = {"type": "object", "properties": {}}
_NOT_IN_NAMES: Final = re.compile(r"[^a-zA-Z0-9_-]")
_DEFAULT_SCHEMA_TOOL: Final = "answer"


class ToolPlan(Struct):
    """`config`: the toolConfig, None for none. `forced`: the model must call one. `quiet`: it must not.

    `single`: at most one call, which Claude is told beside the common request.
    """

    config: dict[str, Any] | None = None
    forced: bool = False
    quiet: bool = False
    single: bool = False


def plan_tools(chat: Chat, conversation: Conversation, *, family: Family) -> ToolPlan:
    request = chat.request
    tools = _tools(chat, conversation, family=family)
    choice = request.tool_choice if request.tool_choice is not None else _old_choice(chat)
    if not tools or choice == "none":
        if not conversation.calls_tools:
            return ToolPlan()
        tools = tools or _remembered(conversation)
        conversation.dropped.update({"tool_choice": None} if choice == "none" else {})
        return ToolPlan({"tools": tools}, quiet=True)
    config: dict[str, Any] = {"tools": tools}
    told = _choice(choice)
    if told is not None:
        config["toolChoice"] = told
    single = request.parallel_tool_calls is False
    if single and family.vendor != "claude":
        conversation.dropped["parallel_tool_calls"] = None
    return ToolPlan(config, forced=told is not None and "auto" not in told, single=single and family.vendor == "claude")


def schema_tool(shape: JsonSchema) -> str:
    """The name of the tool whose arguments stand for an answer in JSON."""
    return _NOT_IN_NAMES.sub("_", shape.name)[:64] or _DEFAULT_SCHEMA_TOOL


def forced_schema(shape: JsonSchema) -> ToolPlan:
    spec: dict[str, Any] = {"name": schema_tool(shape)}
    if shape.description:
        spec["description"] = shape.description
    spec["inputSchema"] = {"json": _schema(shape.schema)}
    return ToolPlan(
        {"tools": [{"toolSpec": spec}], "toolChoice": {"tool": {"name": spec["name"]}}},
        forced=True,
    )


def single_call(config: dict[str, Any]) -> dict[str, Any]:
    """Claude's word for one call at a time, beside the request's own choice (without which it wants a type)."""
    told: dict[str, Any] = {} if "toolChoice" in config else {"type": "auto"}
    return {"tool_choice": {**told, "disable_parallel_tool_use": True}}


def _tools(chat: Chat, conversation: Conversation, *, family: Family) -> list[dict[str, Any]]:
    given = chat.request.tools or [Tool("function", function) for function in chat.request.functions or ()]
    tools: list[dict[str, Any]] = []
    for index, tool in enumerate(given):
        if tool.function is None:
            own = _TOOLS.decode(chat.raw["tools"])[index]
            if tool.type in own:  # as converse writes it: the row takes the type
                tools.append({tool.type: own[tool.type]})
            else:
                conversation.dropped["tools[].type"] = None
            continue
        held = _held_to(tool.function, family=family)
        if tool.function.strict and held is None:
            conversation.dropped["tools[].function.strict"] = None
        tools.append({"toolSpec": _spec(tool.function, held)})
        if tool.cache_control is not None:
            if family.caches and family.vendor != "nova":
                tools.append(cache_point(tool.cache_control, family=family))
            else:
                conversation.dropped["tools[].cache_control"] = None
    return tools


def _held_to(function: Function, *, family: Family) -> Raw | None:
    """The schema that the model's calls are held to; None where they are held to none."""
    if not function.strict or not family.structured or not function.parameters:
        return None
    return held_to(function.parameters, family=family)


def _spec(function: Function, held: Raw | None) -> dict[str, Any]:
    spec: dict[str, Any] = {"name": function.name}
    if function.description:
        spec["description"] = function.description
    spec["inputSchema"] = {"json": _schema(function.parameters) if held is None else held}
    if held is not None:
        spec["strict"] = True
    return spec


def _schema(parameters: dict[str, Raw] | None) -> dict[str, Any]:
    if not parameters:
        return _OBJECT
    return parameters if "type" in parameters else {"type": "object", **parameters}


def _old_choice(chat: Chat) -> Any:
    """The old `function_call` in the words of `tool_choice`."""
    old = chat.request.function_call
    if old is None or isinstance(old, str):
        return old
    return NamedTool("function", old)


def _choice(choice: Any) -> dict[str, Any] | None:
    if choice == "auto":
        return {"auto": {}}
    if choice == "required":
        return {"any": {}}
    if isinstance(choice, NamedTool) and choice.function is not None:
        return {"tool": {"name": choice.function.name}}
    return None


def _remembered(conversation: Conversation) -> list[dict[str, Any]]:
    """Tools that the conversation has called, known by name only."""
    names = {
        block["toolUse"]["name"]: None
        for message in conversation.messages
        for block in message["content"]
        if "toolUse" in block
    }
    return [{"toolSpec": {"name": name, "inputSchema": {"json": _OBJECT}}} for name in names or ("tool",)]


def schema_text(shape: JsonSchema) -> str:
    """The schema as the caller wrote it, member by member."""
    return msgspec.json.encode(shape.schema).decode()
