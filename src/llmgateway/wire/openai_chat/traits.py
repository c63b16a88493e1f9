"""One pass over a typed request: the checks that span fields, and what the request asks of a mapping.

Each capability is noted with the JSON path that asked for it, so that a refusal can name the field.
"""

from collections.abc import Set
from typing import Final

from msgspec import Struct

from llmgateway.domain.chat import ChatRequest, Function, Message, Part, Tool, Traits
from llmgateway.domain.errors import INVALID_VALUE, MISSING_PARAMETER, GatewayError
from llmgateway.wire.openai_chat.glance import PlainMessages, PlainTools

_PART_MEMBER: Final = {
    "text": "text",
    "image_url": "image_url",
    "input_audio": "input_audio",
    "file": "file",
    "refusal": "refusal",
}
_PART_NEEDS: Final = {"image_url": "vision", "input_audio": "audio", "file": "documents"}
_CONTENT_REQUIRED: Final = frozenset(("system", "developer", "user"))
TELLING: Final = frozenset(
    (
        "n",
        "stop",
        "logprobs",
        "top_logprobs",
        "logit_bias",
        "parallel_tool_calls",
        "response_format",
        "modalities",
        "web_search",
        "web_search_options",
        "stream",
        "tools",
        "functions",
        "tool_choice",
        "reasoning",
        "reasoning_effort",
    )
)
"""Fields besides the messages that ask for something, or are checked against each other."""


class _Pass(Struct):
    """What one pass gathers; lives for one call of `read_traits`."""

    needs: dict[str, str] = {}
    bytes: int = 0
    rebuild: bool = False
    foreign: list[tuple[str, str]] = []


def read_traits(
    request: ChatRequest,
    *,
    messages: list[Message] | PlainMessages,
    tools: PlainTools | None = None,
    names: Set[str] = TELLING,
) -> Traits:
    """Raises GatewayError for what no provider could take. `tools`: the request's own, if they are plain. `names`: of
    the fields that are there.
    """
    seen = _Pass()
    if isinstance(messages, PlainMessages):
        count, seen.bytes = messages.count, messages.characters
    else:
        count = len(messages)
        _messages(messages, seen)
    if not TELLING.isdisjoint(names):
        _asked(request, tools, seen)
    return Traits(seen.needs, seen.bytes, seen.rebuild, tuple(seen.foreign), count)


def _asked(request: ChatRequest, tools: PlainTools | None, seen: _Pass) -> None:
    _options(request, seen)
    if request.tools:
        if tools is None:
            _tools(request.tools, seen)
        else:
            seen.needs["tools"] = "tools"
            seen.bytes += tools.characters
    if request.functions:
        seen.needs["tools"] = "functions"
    _tool_choice(request, seen)
    _reasoning(request, seen)


def _messages(messages: list[Message], seen: _Pass) -> None:
    for index, message in enumerate(messages):
        content, role = message.content, message.role
        if content is None:
            if role in _CONTENT_REQUIRED:
                seen.rebuild = True
        elif isinstance(content, str):
            seen.bytes += len(content)
        else:
            _parts(content, f"messages[{index}].content", seen)
        if role not in _CONTENT_REQUIRED:
            _assistant_and_tool(message, index, seen)


def _parts(parts: list[Part], path: str, seen: _Pass) -> None:
    for index, part in enumerate(parts):
        member = _PART_MEMBER.get(part.type)
        if member is None:
            seen.foreign.append((part.type, f"{path}[{index}].type"))
        elif getattr(part, member) is None:
            raise _missing(f"{path}[{index}].{member}")
        elif part.text is not None:
            seen.bytes += len(part.text)
        need = _PART_NEEDS.get(part.type)
        if need is not None:
            seen.needs.setdefault(need, f"{path}[{index}].type")


def _assistant_and_tool(message: Message, at: int, seen: _Pass) -> None:
    if message.role == "tool" and message.tool_call_id is None:
        raise _missing(f"messages[{at}].tool_call_id")
    if message.reasoning is not None or message.reasoning_content is not None or message.reasoning_details:
        seen.rebuild = True
    for index, call in enumerate(message.tool_calls or ()):
        if call.function is not None:
            seen.bytes += len(call.function.arguments)
        elif call.type in (None, "function"):
            raise _missing(f"messages[{at}].tool_calls[{index}].function")


def _options(request: ChatRequest, seen: _Pass) -> None:
    needs = seen.needs
    if request.n is not None and request.n > 1:
        needs["n"] = "n"
    if request.stop:
        needs["stop"] = "stop"
    if request.logprobs or request.top_logprobs:
        needs["logprobs"] = "logprobs" if request.logprobs else "top_logprobs"
    if request.logit_bias:
        needs["logit_bias"] = "logit_bias"
    if request.parallel_tool_calls is False:
        needs["parallel_tool_calls"] = "parallel_tool_calls"
    shape = request.response_format
    if shape is not None and shape.type != "text":
        if shape.type == "json_schema" and shape.json_schema is None:
            raise _missing("response_format.json_schema")
        needs[shape.type] = "response_format.type"
    for modality in request.modalities or ():
        if modality != "text":
            needs[f"{modality}_output"] = "modalities"
    if request.web_search or request.web_search_options is not None:
        needs["web_search"] = "web_search" if request.web_search else "web_search_options"
    if request.stream:
        needs["streaming"] = "stream"


def _tools(tools: list[Tool], seen: _Pass) -> None:
    for index, tool in enumerate(tools):
        if tool.type == "function":
            if tool.function is None:
                raise _missing(f"tools[{index}].function")
            seen.needs["tools"] = "tools"
            seen.bytes += _weight(tool.function)
        elif tool.type == "web_search":
            seen.needs["web_search"] = f"tools[{index}].type"
        else:
            seen.foreign.append((tool.type, f"tools[{index}].type"))


def _weight(function: Function) -> int:
    schema = function.parameters or {}
    return len(function.name) + len(function.description or "") + sum(map(len, schema)) + sum(map(len, schema.values()))


def _tool_choice(request: ChatRequest, seen: _Pass) -> None:
    choice = request.tool_choice
    if choice is None or choice in ("none", "auto"):
        return
    if choice == "required":
        if not request.tools:
            message = "'tool_choice' is 'required' but there are no 'tools'."
            raise GatewayError(INVALID_VALUE, message, param="tool_choice")
        seen.needs["tool_choice"] = "tool_choice"
        return
    if choice.type != "function":
        seen.foreign.append((choice.type, "tool_choice.type"))
        return
    if choice.function is None:
        raise _missing("tool_choice.function")
    names = {tool.function.name if tool.function is not None else tool.name for tool in request.tools or ()}
    if choice.function.name not in names:
        param = "tool_choice.function.name"
        raise GatewayError(INVALID_VALUE, f"'{param}' names a function that is not in 'tools'.", param=param)
    seen.needs["tool_choice"] = "tool_choice"


def _reasoning(request: ChatRequest, seen: _Pass) -> None:
    reasoning = request.reasoning
    if reasoning is None:
        if request.reasoning_effort not in (None, "none"):
            seen.needs["reasoning"] = "reasoning_effort"
        return
    if reasoning.effort is not None and request.reasoning_effort is not None:
        raise GatewayError(
            INVALID_VALUE, "Send 'reasoning_effort' or 'reasoning.effort', not both.", param="reasoning.effort"
        )
    if reasoning.max_tokens is not None:
        seen.needs["reasoning_max_tokens"] = "reasoning.max_tokens"
    elif (reasoning.effort or request.reasoning_effort) not in (None, "none"):
        seen.needs["reasoning"] = "reasoning.effort" if reasoning.effort else "reasoning_effort"


def _missing(param: str) -> GatewayError:
    return GatewayError(MISSING_PARAMETER, f"Missing required parameter: '{param}'.", param=param)
