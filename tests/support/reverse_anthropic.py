"""A recorded request to Anthropic's messages, said in our vocabulary: what a client would have asked us for.

Blocks, tools and fields that our vocabulary has no word for are handed over as they are, in the place where they stand:
whether the gateway takes them is its own affair.
"""

import base64
import json
from collections.abc import Callable
from typing import Any

Retold = Callable[[list[dict[str, Any]]], dict[str, Any]]
"""An assistant's blocks → the members of our message that only the gateway can write (`reasoning_details` …)."""

_SAME = ("model", "max_tokens", "temperature", "top_p", "top_k", "service_tier")
_TAKEN = {*_SAME, "messages", "system", "stop_sequences", "stream", "tools", "tool_choice", "thinking"}
_TAKEN |= {"metadata", "output_config", "output_format"}
_CHOICES = {"auto": "auto", "any": "required", "none": "none"}
_SEARCH = "web_search_20250305"


def spoken(source: dict[str, Any], *, retold: Retold) -> dict[str, Any]:
    ours: dict[str, Any] = {name: source[name] for name in _SAME if name in source}
    ours.update({name: value for name, value in source.items() if name not in _TAKEN})
    ours["messages"] = [
        *_system(source.get("system")),
        *[one for message in source["messages"] for one in _messages(message, retold)],
    ]
    if source.get("stop_sequences"):
        ours["stop"] = source["stop_sequences"]
    if "tools" in source:
        ours["tools"] = [_tool(tool) for tool in source["tools"]]
    if source.get("tool_choice"):
        ours.update(_tool_choice(source["tool_choice"]))
    if (source.get("metadata") or {}).get("user_id"):
        ours["user"] = source["metadata"]["user_id"]
    ours.update(_thinking(source))
    beside = {k: v for k, v in (source.get("output_config") or {}).items() if k not in ("effort", "format")}
    if beside:
        ours["output_config"] = beside
    ours.update(_format(source))
    return ours


def _system(system: str | list[dict[str, Any]] | None) -> list[dict[str, Any]]:
    if not system:
        return []
    return [{"role": "system", "content": system if isinstance(system, str) else [_part(block) for block in system]}]


def _messages(message: dict[str, Any], retold: Retold) -> list[dict[str, Any]]:
    """One message, or several: each tool result is one of its own."""
    role, content = message["role"], message["content"]
    if isinstance(content, str):
        return [{"role": role, "content": content}]
    if role == "assistant":
        return [_assistant(content, retold)]
    ours: list[dict[str, Any]] = []
    parts: list[dict[str, Any]] = []
    for block in content:
        if block["type"] != "tool_result":
            parts.append(_part(block))
            continue
        if parts:
            ours.append({"role": role, "content": parts})
            parts = []
        ours.append(_tool_result(block))
    return [*ours, {"role": role, "content": parts}] if parts or not ours else ours


def _tool_result(block: dict[str, Any]) -> dict[str, Any]:
    content = block.get("content", "")
    ours: dict[str, Any] = {
        "role": "tool",
        "tool_call_id": block["tool_use_id"],
        "content": content if isinstance(content, str) else [_part(part) for part in content],
    }
    ours.update({name: block[name] for name in ("is_error", "cache_control") if block.get(name)})
    return ours


def _assistant(blocks: list[dict[str, Any]], retold: Retold) -> dict[str, Any]:
    parts = [_part(block) for block in blocks if block["type"] not in ("tool_use", "thinking", "redacted_thinking")]
    calls = [_call(block) for block in blocks if block["type"] == "tool_use"]
    ours: dict[str, Any] = {"role": "assistant", "content": parts or None}
    if any(block["type"] in ("thinking", "redacted_thinking") for block in blocks):
        told = retold(blocks)
        ours.update({name: told[name] for name in ("reasoning", "reasoning_details") if name in told})
    if calls:
        ours["tool_calls"] = calls
    return ours


def _call(block: dict[str, Any]) -> dict[str, Any]:
    function = {"name": block["name"], "arguments": json.dumps(block["input"])}
    extra = {name: value for name, value in block.items() if name not in ("type", "id", "name", "input")}
    return {"type": "function", "id": block["id"], "function": function, **extra}


def _part(block: dict[str, Any]) -> dict[str, Any]:
    kind, source = block["type"], block.get("source") or {}
    kept = {"cache_control": block["cache_control"]} if block.get("cache_control") else {}
    if kind == "text":
        return {"type": "text", "text": block["text"], **kept, **_unknown(block, "text")}
    if kind == "image" and source["type"] in ("base64", "url"):
        return {"type": "image_url", "image_url": {"url": _url(source)}, **kept}
    if kind == "document" and source["type"] in ("base64", "url", "text"):
        file = {"file_data": _url(source), **({"filename": block["title"]} if block.get("title") else {})}
        return {"type": "file", "file": file, **kept, **_unknown(block, "source", "title")}
    if kind == "document" and source["type"] == "file":
        return {"type": "file", "file": {"file_id": source["file_id"]}, **kept, **_unknown(block, "source", "title")}
    return block


def _unknown(block: dict[str, Any], *known: str) -> dict[str, Any]:
    return {name: value for name, value in block.items() if name not in ("type", "cache_control", *known) and value}


def _url(source: dict[str, Any]) -> str:
    if source["type"] == "url":
        return source["url"]
    if source["type"] == "text":
        return f"data:{source['media_type']};base64,{_encoded(source['data'])}"
    return f"data:{source['media_type']};base64,{source['data']}"


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _tool(tool: dict[str, Any]) -> dict[str, Any]:
    kind = tool.get("type") or "custom"
    if kind == _SEARCH:
        named = {name: value for name, value in tool.items() if name not in ("type", "name")}
        return {"type": "web_search", **named}
    if kind != "custom":
        return tool
    function: dict[str, Any] = {"name": tool["name"], "parameters": tool["input_schema"]}
    function.update({name: tool[name] for name in ("description", "strict") if name in tool})
    extra = {
        name: value
        for name, value in tool.items()
        if name not in ("type", "name", "input_schema", "description", "strict")
    }
    return {"type": "function", "function": function, **extra}


def _tool_choice(choice: dict[str, Any]) -> dict[str, Any]:
    ours: dict[str, Any] = {}
    if choice["type"] == "tool":
        ours["tool_choice"] = {"type": "function", "function": {"name": choice["name"]}}
    else:
        ours["tool_choice"] = _CHOICES[choice["type"]]
    if choice.get("disable_parallel_tool_use"):
        ours["parallel_tool_calls"] = False
    return ours


def _thinking(source: dict[str, Any]) -> dict[str, Any]:
    """Adaptive thinking is an effort, of which `high` is Anthropic's default; with a budget it is that budget."""
    thinking, effort = source.get("thinking") or {}, (source.get("output_config") or {}).get("effort")
    if thinking.get("type") == "enabled":
        return {"reasoning": {"max_tokens": thinking["budget_tokens"]}, **({"effort": effort} if effort else {})}
    if thinking.get("type") == "adaptive":
        return {"reasoning_effort": effort or "high"}
    ours = {"reasoning_effort": "none"} if thinking.get("type") == "disabled" else {}
    return {**ours, "effort": effort} if effort else ours


def _format(source: dict[str, Any]) -> dict[str, Any]:
    shape = (source.get("output_config") or {}).get("format") or source.get("output_format")
    if not shape:
        return {}
    return {"response_format": {"type": "json_schema", "json_schema": {"name": "answer", "schema": shape["schema"]}}}
