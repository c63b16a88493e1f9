"""Functions and web search as Google's `tools` and `toolConfig`."""

from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from llmgateway.domain.chat import Chat, Function, NamedFunction, NamedTool, Tool
from llmgateway.domain.routing import Deployment
from llmgateway.wire.gemini.families import Family
from llmgateway.wire.schema import reduced

OPENAPI_QUIRK: Final = "openapi_schema"
"""The row's API takes `parameters` and `responseSchema`, not JSON Schema."""
_DOMAINS_QUIRK: Final = "exclude_domains"
"""The row's API can leave domains out of a search (Vertex)."""
_MEMBERS: Final = ("behavior", "response", "responseJsonSchema")
"""Members of a function that Google has and we do not (https://ai.google.dev/api/caching#FunctionDeclaration); they
stand beside `function`."""
_IN_TEXT: Final = tuple(f'"{name}"'.encode() for name in _MEMBERS)
_NOTHING: Final = dict[str, Raw]()
_TOOLS: Final = msgspec.json.Decoder(list[dict[str, Raw]])
_EMPTY: Final = Raw(b"{}")
_SPACE: Final = b" \t\r\n"
_SEARCH_OPTIONS: Final = ("user_location", "search_context_size", "max_uses", "allowed_domains", "blocked_domains")


class _AllowedTools(Struct):
    mode: str = "auto"
    tools: list[NamedTool] = []


class _Choice(Struct):
    allowed_tools: _AllowedTools


def tools_of(chat: Chat, *, to: Deployment, family: Family, dropped: list[str]) -> list[dict[str, Any]]:
    """One tool of all functions, in the caller's order, and one that searches."""
    request = chat.request
    functions = [(function, _NOTHING) for function in request.functions or ()]
    search: dict[str, Any] | None = {} if "web_search" in chat.traits.needs else None
    native: list[dict[str, Any]] = []
    spans = _spans(chat)
    for index, tool in enumerate(request.tools or ()):
        if tool.function is not None:
            functions.append((tool.function, spans[index] if spans else _NOTHING))
        elif tool.type == "web_search":
            search = _search(tool, index, to=to, dropped=dropped)
        else:
            native.append(_native(tool.type, spans[index]))
    if request.web_search_options:
        dropped.append("web_search_options")
    tools: list[dict[str, Any]] = []
    if functions:
        by_schema = family.json_schema and OPENAPI_QUIRK not in to.provider.quirks
        told = [_declaration(function, span, native=by_schema) for function, span in functions]
        tools.append({"functionDeclarations": told})
    if search is not None:
        tools.append({"googleSearch": search})
    return tools + native


def _spans(chat: Chat) -> list[dict[str, Raw]]:
    """The caller's tools as written, where they hold anything of Google's own; else none."""
    if not chat.request.tools:
        return []
    if all(tool.function is not None or tool.type == "web_search" for tool in chat.request.tools):
        text = bytes(chat.raw["tools"])
        if not any(name in text for name in _IN_TEXT):
            return []
    return _TOOLS.decode(chat.raw["tools"])


def _native(kind: str, span: dict[str, Raw]) -> dict[str, Any]:
    """A tool of Google's own: its options stand under its name, or beside the type."""
    return {kind: span[kind] if kind in span else {name: one for name, one in span.items() if name != "type"}}


def tool_config(chat: Chat, *, family: Family, dropped: list[str]) -> dict[str, Any]:
    config: dict[str, Any] = {}
    request = chat.request
    if isinstance(request.tool_choice, NamedTool) and request.tool_choice.function is None:
        mode = _allowed(chat.raw["tool_choice"], family=family)
        if mode is None:
            dropped.append("tool_choice")
    else:
        mode = _mode(request.tool_choice if request.tool_choice is not None else request.function_call)
    functions = [tool.function for tool in request.tools or () if tool.function is not None]
    if any(function.strict for function in functions):
        if not family.validates:
            dropped.append("tools[].function.strict")
        elif mode is None or mode["mode"] == "AUTO":
            mode = {"mode": "VALIDATED"}
    if mode is not None and (functions or request.functions):
        config["functionCallingConfig"] = mode
    if functions and "web_search" in chat.traits.needs and family.tools_together:
        config["includeServerSideToolInvocations"] = True
    return config


def _allowed(span: Raw, *, family: Family) -> dict[str, Any] | None:
    """OpenAI's `allowed_tools`: some of the functions, one of which must be called or may be
    (https://ai.google.dev/gemini-api/docs/function-calling#function_calling_modes)."""
    try:
        allowed = msgspec.json.decode(span, type=_Choice).allowed_tools
    except msgspec.ValidationError:
        return None
    names = [tool.function.name for tool in allowed.tools if tool.function is not None]
    if not names or (allowed.mode != "required" and not family.validates):
        return None
    return {"mode": "ANY" if allowed.mode == "required" else "VALIDATED", "allowedFunctionNames": names}


def _mode(choice: str | NamedTool | NamedFunction | None) -> dict[str, Any] | None:
    if choice is None:
        return None
    if isinstance(choice, NamedTool):
        choice = choice.function
    if isinstance(choice, NamedFunction):
        return {"mode": "ANY", "allowedFunctionNames": [choice.name]}
    return {"mode": {"none": "NONE", "required": "ANY"}.get(choice or "", "AUTO")}


def _declaration(function: Function, span: dict[str, Raw], *, native: bool) -> dict[str, Any]:
    """A function without parameters has none here either; an empty object schema is refused by older models.

    `span`: the tool as written, for members that only Google's functions have.
    """
    declaration: dict[str, Any] = {"name": function.name}
    declaration |= {name: span[name] for name in _MEMBERS if name in span}
    if function.description is not None:
        declaration["description"] = function.description
    parameters = function.parameters
    if not parameters:
        return declaration
    if native:
        declaration["parametersJsonSchema"] = parameters
    elif not _is_empty(parameters):
        declaration["parameters"] = reduced(parameters)
    return declaration


def _is_empty(parameters: dict[str, Raw]) -> bool:
    return bytes(parameters.get("properties", _EMPTY)).translate(None, _SPACE) in (b"{}", b"null")


def _search(tool: Tool, index: int, *, to: Deployment, dropped: list[str]) -> dict[str, Any]:
    options: dict[str, Any] = {}
    if tool.blocked_domains and _DOMAINS_QUIRK in to.provider.quirks:
        options["excludeDomains"] = tool.blocked_domains
    dropped.extend(
        f"tools[{index}].{name}"
        for name in _SEARCH_OPTIONS
        if getattr(tool, name) is not None and not (name == "blocked_domains" and options)
    )
    return options
