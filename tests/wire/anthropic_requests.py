"""Recorded messages requests said in our vocabulary, and both forms brought to one shape that compares.

Written from the vendor's documentation and on its own: nothing here is shared with the codec.
"""

import base64
import json
from typing import Any

JSON = dict[str, Any]


def in_our_words(request: JSON) -> JSON:
    """The request as a client of ours would write it."""
    ours: JSON = {"model": "m", "messages": []}
    system = request.get("system")
    if system:
        ours["messages"].append({"role": "system", "content": system})
    for message in request["messages"]:
        ours["messages"] += _messages(message)
    if request.get("tools"):
        ours["tools"] = [_tool(tool) for tool in request["tools"]]
    _choice(request.get("tool_choice") or {}, ours)
    _reasoning(request, ours)
    schema = (request.get("output_config") or {}).get("format") or request.get("output_format")
    if schema:
        shape = {"name": "answer", "schema": schema["schema"]}
        ours["response_format"] = {"type": "json_schema", "json_schema": shape}
    for name, our_name in (("stop_sequences", "stop"), ("max_tokens", "max_tokens"), ("stream", "stream")):
        if request.get(name) is not None:
            ours[our_name] = request[name]
    for name in (
        "temperature", "top_p", "top_k", "metadata", "container", "mcp_servers", "cache_control", "context_management"
    ):  # fmt: skip
        if request.get(name) is not None:
            ours[name] = request[name]
    return ours


def _messages(message: JSON) -> list[JSON]:
    role, content = message["role"], message["content"]
    if isinstance(content, str):
        return [{"role": role, "content": content}]
    if role == "assistant":
        return [_assistant(content)]
    results = [_result(block) for block in content if block["type"] == "tool_result"]
    parts = [_part(block) for block in content if block["type"] != "tool_result"]
    return [*results, *([{"role": role, "content": parts}] if parts else [])]


def _assistant(content: list[JSON]) -> JSON:
    message: JSON = {"role": "assistant", "content": [], "tool_calls": [], "reasoning_details": []}
    for block in content:
        kind = block["type"]
        if kind == "tool_use":
            function = {"name": block["name"], "arguments": json.dumps(block["input"])}
            call = {"id": block["id"], "type": "function", "function": function}
            message["tool_calls"].append({**call, **_cached(block)})
        elif kind in ("thinking", "redacted_thinking"):
            hidden = kind == "redacted_thinking"
            detail = {"type": "reasoning.encrypted", "data": block["data"]} if hidden else {
                "type": "reasoning.text", "text": block["thinking"], "signature": block["signature"],
            }  # fmt: skip
            index = len(message["reasoning_details"])
            message["reasoning_details"].append({**detail, "format": "anthropic-claude-v1", "index": index})
        else:
            message["content"].append(_part(block))
    return {name: value for name, value in message.items() if value}


def _result(block: JSON) -> JSON:
    content = block.get("content")
    parts = [_part(part) for part in content] if isinstance(content, list) else content
    message: JSON = {"role": "tool", "tool_call_id": block["tool_use_id"], "content": parts, **_cached(block)}
    if block.get("is_error"):
        message["is_error"] = True
    return message


def _part(block: JSON) -> JSON:
    source = block.get("source") or {}
    if block["type"] == "text":
        cited = {"citations": block["citations"]} if block.get("citations") else {}
        return {"type": "text", "text": block["text"], **cited, **_cached(block)}
    if block["type"] == "image" and source["type"] in ("base64", "url"):
        url = source["url"] if source["type"] == "url" else f"data:{source['media_type']};base64,{source['data']}"
        return {"type": "image_url", "image_url": {"url": url}, **_cached(block)}
    if block["type"] == "document":
        return {"type": "file", "file": _file(source), **_cached(block)}
    return block


def _file(source: JSON) -> JSON:
    if source["type"] == "file":
        return {"file_id": source["file_id"]}
    if source["type"] == "url":
        return {"file_data": source["url"]}
    if source["type"] == "text":
        data = base64.b64encode(source["data"].encode()).decode()
        return {"file_data": f"data:text/plain;base64,{data}"}
    return {"file_data": f"data:{source['media_type']};base64,{source['data']}"}


def _cached(block: JSON) -> JSON:
    return {"cache_control": block["cache_control"]} if block.get("cache_control") else {}


def _tool(tool: JSON) -> JSON:
    if tool.get("type") == "web_search_20250305":
        options = {name: value for name, value in tool.items() if name not in ("type", "name") and value is not None}
        return {"type": "web_search", **options}
    if "input_schema" not in tool:
        return tool
    function = {"name": tool["name"], "parameters": tool["input_schema"]}
    function |= {name: tool[name] for name in ("description", "strict") if tool.get(name) is not None}
    rest = {
        name: value for name, value in tool.items() if name not in ("name", "description", "strict", "input_schema")
    }
    return {**rest, "type": "function", "function": function}


def _choice(choice: JSON, ours: JSON) -> None:
    if not choice:
        return
    named = {"type": "function", "function": {"name": choice.get("name")}}
    ours["tool_choice"] = {"any": "required", "tool": named}.get(choice["type"], choice["type"])
    if "disable_parallel_tool_use" in choice:
        ours["parallel_tool_calls"] = not choice["disable_parallel_tool_use"]


def _reasoning(request: JSON, ours: JSON) -> None:
    thinking = request.get("thinking") or {}
    effort = (request.get("output_config") or {}).get("effort")
    if thinking.get("type") == "enabled":
        ours["reasoning"] = {"max_tokens": thinking["budget_tokens"]}
    elif thinking.get("type") == "disabled":
        ours["reasoning_effort"] = "none"
    elif thinking.get("type") == "adaptive":
        ours["reasoning"] = {"effort": effort} if effort else {"enabled": True}
    elif effort:
        ours["effort"] = effort


def comparable(request: JSON) -> JSON:
    """The request without what makes no difference to the API: forms of saying the same, defaults, nulls."""
    same = _without_nulls(request)
    if "output_format" in same:
        same["output_config"] = {**same.get("output_config", {}), "format": same.pop("output_format")}
    same["system"] = _blocks(same.get("system", []))
    turns: list[JSON] = []
    for message in same["messages"]:
        blocks = [_settled(block) for block in _blocks(message["content"])]
        if turns and turns[-1]["role"] == message["role"]:
            turns[-1]["content"] += blocks
        else:
            turns.append({"role": message["role"], "content": blocks})
    same["messages"] = turns
    same["stream"] = same.get("stream", False)
    choice = same.get("tool_choice", {"type": "auto"})
    same["tool_choice"] = {name: value for name, value in choice.items() if value is not False}
    if same.get("tools") == []:
        del same["tools"]
    same["tools"] = [{"type": "custom", **tool} if "input_schema" in tool else tool for tool in same.get("tools", [])]
    if same.get("thinking") == {"type": "disabled"}:
        del same["thinking"]
    return same


def _settled(block: JSON) -> JSON:
    if block["type"] == "tool_result":
        block = {"is_error": False, **block, "content": _blocks(block.get("content", []))}
    return block


def _blocks(content: Any) -> list[JSON]:
    if isinstance(content, str):
        return [{"type": "text", "text": content}] if content else []
    return content


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_nulls(inner) for name, inner in value.items() if inner is not None}
    if isinstance(value, list):
        return [_without_nulls(inner) for inner in value]
    return value
