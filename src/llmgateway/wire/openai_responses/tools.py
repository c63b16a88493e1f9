"""Tools and the choice among them: the same things as in chat completions, one level flatter.

Functions of this protocol are strict unless told otherwise, those of chat completions are not: `strict` is always sent
(https://platform.openai.com/docs/guides/migrate-to-responses). Tool types nobody here knows are sent as they are.
"""

from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from llmgateway.domain.chat import Chat, Function, ImageConfig, NamedFunction, Tool

_NO_PARAMETERS: Final = Raw(b'{"type":"object","properties":{}}')
_TOOLS: Final = msgspec.json.Decoder(list[dict[str, Raw]])
_NOT_BESIDE: Final = frozenset(("type", "function", "cache_control"))
_OUR_SEARCH: Final = frozenset(Tool.__struct_fields__)
_SIZES: Final = {"1:1": "1024x1024", "3:2": "1536x1024", "2:3": "1024x1536"}
"""https://platform.openai.com/docs/guides/image-generation#customize-image-output"""


class _Named(Struct):
    name: str


class _Custom(Struct):
    type: str | None = None
    custom: _Named | None = None


class _Choice(Struct):
    """A choice that names more than a function: `custom`, or `allowed_tools` with its mode."""

    type: str
    function: _Named | None = None
    custom: dict[str, Raw] | None = None
    allowed_tools: dict[str, Raw] | None = None


class _Allowed(Struct):
    type: str
    function: _Named | None = None
    custom: _Named | None = None


_CUSTOM: Final = msgspec.json.Decoder(list[_Custom])
_CHOICE: Final = msgspec.json.Decoder(_Choice)
_ALLOWED: Final = msgspec.json.Decoder(list[Raw])
_ONE_ALLOWED: Final = msgspec.json.Decoder(_Allowed)


def custom_names(chat: Chat) -> frozenset[str] | None:
    """The caller's custom tools; None where it gave no tools at all."""
    if not chat.request.tools:
        return None
    if all(tool.type != "custom" for tool in chat.request.tools):
        return frozenset()
    try:
        tools = _CUSTOM.decode(chat.raw["tools"])
    except msgspec.ValidationError:
        return None
    return frozenset(tool.custom.name for tool in tools if tool.type == "custom" and tool.custom is not None)


def build_tools(chat: Chat, *, body: dict[str, Any], dropped: list[str]) -> None:
    request = chat.request
    sent: list[Any] = []
    spans = _TOOLS.decode(chat.raw["tools"]) if request.tools else []
    for place, tool in enumerate(request.tools or ()):
        if tool.function is not None and tool.type == "function":
            sent.append(_function(tool.function, spans[place]))
        elif tool.type == "web_search":
            sent.append(_search(tool, place, spans[place], dropped))
        else:
            sent.append(_other(spans[place]))
    sent += [_function(function, {}) for function in request.functions or ()]
    if not any(tool.type == "web_search" for tool in request.tools or ()):
        if request.web_search_options is not None:
            sent.append(_search_options(request.web_search_options))
        elif request.web_search:
            sent.append({"type": "web_search"})
    if "image" in (request.modalities or ()):
        sent.append(_image_generation(request.image_config or ImageConfig(), dropped))
    if sent:
        body["tools"] = sent


def _function(function: Function, beside: dict[str, Raw]) -> dict[str, Any]:
    """`beside`: the tool's own members, of which those nobody here knows go along."""
    sent: dict[str, Any] = {"type": "function", "name": function.name}
    if function.description is not None:
        sent["description"] = function.description
    sent["parameters"] = _NO_PARAMETERS if function.parameters is None else function.parameters
    sent["strict"] = function.strict is True
    return {**sent, **{name: span for name, span in beside.items() if name not in _NOT_BESIDE}}


def _search(tool: Tool, place: int, beside: dict[str, Raw], dropped: list[str]) -> dict[str, Any]:
    """`beside`: the tool's own members, of which those nobody here knows go along."""
    sent: dict[str, Any] = {"type": "web_search"}
    if tool.user_location is not None:
        sent["user_location"] = _location(tool.user_location)
    if tool.search_context_size is not None:
        sent["search_context_size"] = tool.search_context_size
    if tool.allowed_domains is not None:
        sent["filters"] = {"allowed_domains": tool.allowed_domains}
    if tool.blocked_domains is not None:
        dropped.append(f"tools[{place}].blocked_domains")
    return {**{name: span for name, span in beside.items() if name not in _OUR_SEARCH}, **sent}


def _search_options(options: dict[str, Raw]) -> dict[str, Any]:
    """What chat completions say beside the tools."""
    sent: dict[str, Any] = {"type": "web_search", **options}
    if "user_location" in options:
        try:
            sent["user_location"] = _location(msgspec.json.decode(options["user_location"], type=dict[str, Raw]))
        except msgspec.ValidationError:
            del sent["user_location"]
    return sent


def _location(location: dict[str, Raw]) -> dict[str, Any]:
    """Flat, where chat completions nest the place in `approximate`."""
    place = {name: span for name, span in location.items() if name not in ("type", "approximate")}
    if "approximate" in location:
        try:
            place |= msgspec.json.decode(location["approximate"], type=dict[str, Raw] | None) or {}
        except msgspec.ValidationError:
            pass
    return {"type": "approximate", **place}


def _image_generation(config: ImageConfig, dropped: list[str]) -> dict[str, Any]:
    """Images come from a tool here; of `image_config` it has a quality and three sizes."""
    sent: dict[str, Any] = {"type": "image_generation"}
    size = _SIZES.get(config.aspect_ratio or "")
    if config.image_size in ("auto", *_SIZES.values()):
        size = config.image_size
    elif config.image_size is not None:
        dropped.append("image_config.image_size")
    if config.aspect_ratio is not None and (size is None or size != _SIZES.get(config.aspect_ratio)):
        dropped.append("image_config.aspect_ratio")
    if size is not None:
        sent["size"] = size
    if config.image_quality is not None:
        sent["quality"] = config.image_quality
    dropped += [f"image_config.{name}" for name in ("n", "seed") if getattr(config, name) is not None]
    return sent


def _other(tool: dict[str, Raw]) -> dict[str, Raw]:
    """A custom tool flattened; any other as it is."""
    if bytes(tool.get("type", b"")) != b'"custom"' or "custom" not in tool:
        return tool
    try:
        inner = msgspec.json.decode(tool["custom"], type=dict[str, Raw])
        shape = msgspec.json.decode(inner.get("format", b"null"), type=dict[str, Raw] | None)
        if shape is not None and "grammar" in shape:
            grammar = msgspec.json.decode(shape["grammar"], type=dict[str, Raw])
            inner["format"] = Raw(msgspec.json.encode({"type": "grammar", **grammar}))
    except msgspec.ValidationError:
        return tool
    return {"type": tool["type"], **inner}


def build_choice(chat: Chat, *, body: dict[str, Any]) -> None:
    """Which tools are to be called, and how often those of the provider may be.

    `max_uses` is the limit for all of them, of which a caller in our words has the search only.
    """
    request = chat.request
    limits = [tool.max_uses for tool in request.tools or () if tool.type == "web_search" and tool.max_uses is not None]
    if limits:
        body["max_tool_calls"] = limits[0]
    choice = request.tool_choice
    if choice is None:
        legacy = request.function_call
        if legacy is not None:
            named = isinstance(legacy, NamedFunction)
            body["tool_choice"] = {"type": "function", "name": legacy.name} if named else legacy
    elif isinstance(choice, str):
        body["tool_choice"] = choice
    elif choice.type == "function" and choice.function is not None:
        body["tool_choice"] = {"type": "function", "name": choice.function.name}
    else:
        body["tool_choice"] = _foreign_choice(chat.raw["tool_choice"])


def _foreign_choice(span: Raw) -> Any:
    """`custom` and `allowed_tools` flattened; any other choice as it is."""
    try:
        choice = _CHOICE.decode(span)
        if choice.custom is not None:
            return {"type": choice.type, **choice.custom}
        if choice.allowed_tools is None:
            return span
        allowed = dict[str, Any](choice.allowed_tools)
        if "tools" in allowed:
            allowed["tools"] = [_allowed(one) for one in _ALLOWED.decode(allowed["tools"])]
    except msgspec.ValidationError:
        return span
    return {"type": choice.type, **allowed}


def _allowed(span: Raw) -> Any:
    one = _ONE_ALLOWED.decode(span)
    named = one.function or one.custom
    return span if named is None else {"type": one.type, "name": named.name}
