"""A recorded request to OpenAI's responses, said in our vocabulary: what a client would have asked us for.

Fields, tools, parts and items that our vocabulary has no word for are handed over as they are, items among the parts
of a message: whether the gateway takes them is its own affair. Encrypted reasoning comes back as the gateway told it.
"""

from collections.abc import Callable
from typing import Any

Retold = Callable[[list[dict[str, Any]]], dict[str, Any]]

_TAKEN = {"input", "instructions", "max_output_tokens", "text", "tools", "tool_choice", "include", "stream"}
_TAKEN |= {"reasoning"}
_OPAQUE = ("compaction", "tool_search_call", "tool_search_output", "web_search_call", "file_search_call", "mcp_call")
_OPAQUE += ("code_interpreter_call", "image_generation_call", "mcp_list_tools", "mcp_approval_request", "shell_call")
_OPAQUE += ("shell_call_output", "computer_call", "local_shell_call", "apply_patch_call")
"""Items of an answer that are neither text nor a call."""
_OUTPUTS = ("function_call_output", "custom_tool_call_output")
_MESSAGE = ("type", "role", "content", "id", "status")
_TEXTS = ("input_text", "output_text", "text")


def spoken(source: dict[str, Any], *, retold: Retold) -> dict[str, Any]:
    ours: dict[str, Any] = {name: value for name, value in source.items() if name not in _TAKEN and value is not None}
    given = source["input"]
    items = [{"role": "user", "content": given}] if isinstance(given, str) else given
    ours["messages"] = [
        *([{"role": "system", "content": source["instructions"]}] if source.get("instructions") else []),
        *_messages(items, retold),
    ]
    if source.get("max_output_tokens") is not None:
        ours["max_tokens"] = source["max_output_tokens"]
    if source.get("tools"):
        ours["tools"] = [_tool(tool) for tool in source["tools"]]
    if source.get("tool_choice") is not None:
        ours["tool_choice"] = _choice(source["tool_choice"])
    reasoning = {name: value for name, value in (source.get("reasoning") or {}).items() if value is not None}
    if reasoning:
        ours["reasoning"] = reasoning
    ours.update(_include(source.get("include") or []))
    ours.update(_text(source.get("text") or {}))
    return ours


def _messages(items: list[dict[str, Any]], retold: Retold) -> list[dict[str, Any]]:
    """What the model said in one go (reasoning, then text or items of its own, then calls) is one message."""
    ours: list[dict[str, Any]] = []
    said: list[dict[str, Any]] = []
    for item in items:
        stage = _stage(item)
        if said and (stage is None or stage < _stage(said[-1]) or (stage == 1 and _is_message(item, said))):
            ours.append(_assistant(said, retold))
            said = []
        if stage is not None:
            said.append(item)
            continue
        kind = item.get("type") or "message"
        if kind == "message":
            extra = {name: value for name, value in item.items() if name not in _MESSAGE}
            ours.append({"role": item["role"], "content": _content(item["content"]), **extra})
        elif kind in _OUTPUTS:
            ours.append({"role": "tool", "tool_call_id": item["call_id"], "content": _content(item["output"])})
        else:
            ours.append({"role": item.get("role", "user"), "content": [item]})
    return [*ours, _assistant(said, retold)] if said else ours


def _stage(item: dict[str, Any]) -> Any:
    """Where in a message of ours an item of the model's stands: 0 reasoning, 1 text and items as such, 2 calls; None
    for what the model did not say."""
    kind = item.get("type") or "message"
    if kind == "reasoning":
        return 0 if item.get("encrypted_content") else 1
    if kind in ("function_call", "custom_tool_call"):
        return 2
    return 1 if kind in _OPAQUE or (kind == "message" and item["role"] == "assistant") else None


def _is_message(item: dict[str, Any], said: list[dict[str, Any]]) -> bool:
    """Two messages of the model's are two."""
    return all(any((one.get("type") or "message") == "message" for one in some) for some in ([item], said))


def _assistant(items: list[dict[str, Any]], retold: Retold) -> dict[str, Any]:
    """Items that are neither text nor a call stand among the parts as a client has them that knows the protocol; so
    does reasoning that OpenAI is to remember by its id."""
    ours: dict[str, Any] = {"role": "assistant", "content": None}
    parts: list[dict[str, Any]] = []
    calls: list[dict[str, Any]] = []
    for item in items:
        kind = item.get("type") or "message"
        if kind == "message":
            content = _content(item["content"])
            parts += [{"type": "text", "text": content}] if isinstance(content, str) else content
            ours.update({name: item[name] for name in ("phase",) if item.get(name)})
            ours.update(_annotations(item["content"]))
        elif kind == "function_call":
            function = {"name": item["name"], "arguments": item["arguments"]}
            extra = {"namespace": item["namespace"]} if item.get("namespace") else {}
            beside = {"extra_content": {"openai": extra}} if extra else {}
            calls.append({"type": "function", "id": item["call_id"], "function": function, **beside})
        elif kind == "custom_tool_call":
            custom = {"name": item["name"], "input": item["input"]}
            calls.append({"type": "custom", "id": item["call_id"], "custom": custom})
        elif _stage(item) == 1:
            parts.append(item)
    if parts:
        ours["content"] = parts[0]["text"] if len(parts) == 1 and parts[0]["type"] == "text" else parts
    thoughts = [item for item in items if _stage(item) == 0]
    if thoughts:
        told = retold(thoughts)
        ours.update({name: told[name] for name in ("reasoning", "reasoning_details") if name in told})
    return {**ours, "tool_calls": calls} if calls else ours


def _content(content: Any) -> Any:
    return [_part(part) for part in content] if isinstance(content, list) else content


def _part(part: dict[str, Any]) -> dict[str, Any]:
    kind = part["type"]
    if kind in _TEXTS:
        return {"type": "text", "text": part["text"]}
    if kind == "input_image" and part.get("image_url"):
        detail = {"detail": part["detail"]} if part.get("detail") else {}
        return {"type": "image_url", "image_url": {"url": part["image_url"], **detail}}
    if kind == "input_file":
        file = {name: part[name] for name in ("file_id", "file_data", "filename") if part.get(name)}
        return {"type": "file", "file": {**file, **({"file_data": part["file_url"]} if part.get("file_url") else {})}}
    return part


def _annotations(content: Any) -> dict[str, Any]:
    notes = [note for part in content if isinstance(part, dict) for note in part.get("annotations") or ()]
    if not notes:
        return {}
    return {
        "annotations": [
            {"type": note["type"], note["type"]: {name: value for name, value in note.items() if name != "type"}}
            for note in notes
        ]
    }


def _tool(tool: dict[str, Any]) -> dict[str, Any]:
    if tool["type"] == "function":
        function = {name: tool[name] for name in ("name", "description", "parameters") if tool.get(name) is not None}
        function["strict"] = tool["strict"] if tool.get("strict") is not None else True
        known = ("type", "name", "description", "parameters", "strict")
        return {"type": "function", "function": function, **{k: v for k, v in tool.items() if k not in known}}
    if tool["type"] == "web_search":
        ours = {name: value for name, value in tool.items() if name != "filters"}
        domains = (tool.get("filters") or {}).get("allowed_domains")
        return {**ours, "allowed_domains": domains} if domains else ours
    if tool["type"] == "custom":
        return {"type": "custom", "custom": {name: value for name, value in tool.items() if name != "type"}}
    return tool


def _choice(choice: Any) -> Any:
    if isinstance(choice, str):
        return choice
    if choice["type"] == "function":
        return {"type": "function", "function": {"name": choice["name"]}}
    if choice["type"] == "allowed_tools":
        tools = [
            {"type": tool["type"], "function": {"name": tool["name"]}} if tool["type"] == "function" else tool
            for tool in choice["tools"]
        ]
        return {"type": "allowed_tools", "allowed_tools": {"mode": choice["mode"], "tools": tools}}
    return choice


def _include(include: list[str]) -> dict[str, Any]:
    """Encrypted reasoning is what the gateway always asks for."""
    ours: dict[str, Any] = {"logprobs": True} if "message.output_text.logprobs" in include else {}
    rest = [one for one in include if one not in ("message.output_text.logprobs", "reasoning.encrypted_content")]
    return {**ours, "include": rest} if rest else ours


def _text(text: dict[str, Any]) -> dict[str, Any]:
    ours: dict[str, Any] = {"verbosity": text["verbosity"]} if text.get("verbosity") else {}
    shape = text.get("format") or {}
    if shape.get("type") == "json_schema":
        schema = {name: value for name, value in shape.items() if name != "type" and value is not None}
        ours["response_format"] = {"type": "json_schema", "json_schema": schema}
    elif shape.get("type") == "json_object":
        ours["response_format"] = {"type": "json_object"}
    return ours
