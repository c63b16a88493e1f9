"""A recorded request to Bedrock's converse, said in our vocabulary: what a client would have asked us for.

Blocks and fields that our vocabulary has no word for are handed over as they are, in the place where they stand:
whether the gateway takes them is its own affair.
"""

import json
from collections.abc import Callable
from typing import Any

Retold = Callable[[list[dict[str, Any]]], dict[str, Any]]

_TAKEN = {"messages", "system", "toolConfig", "inferenceConfig", "additionalModelRequestFields", "outputConfig"}
_TAKEN |= {"serviceTier", "modelId", "stream"}
_INFERENCE = {"maxTokens": "max_tokens", "temperature": "temperature", "topP": "top_p", "stopSequences": "stop"}
_DOCUMENTS = {
    "pdf": "application/pdf",
    "csv": "text/csv",
    "doc": "application/msword",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "xls": "application/vnd.ms-excel",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "html": "text/html",
    "txt": "text/plain",
    "md": "text/markdown",
}


def spoken(source: dict[str, Any], *, retold: Retold) -> dict[str, Any]:
    ours: dict[str, Any] = {name: value for name, value in source.items() if name not in _TAKEN}
    system = _parts(source.get("system") or [])
    ours["messages"] = [
        *([{"role": "system", "content": system}] if system else []),
        *[one for message in source["messages"] for one in _messages(message, retold)],
    ]
    for theirs, name in _INFERENCE.items():
        if theirs in (source.get("inferenceConfig") or {}):
            ours[name] = source["inferenceConfig"][theirs]
    ours.update(_tools(source.get("toolConfig") or {}))
    ours.update(_further(source.get("additionalModelRequestFields") or {}))
    if source.get("serviceTier"):
        ours["service_tier"] = source["serviceTier"]["type"]
    shape = ((source.get("outputConfig") or {}).get("textFormat") or {}).get("structure", {}).get("jsonSchema")
    if shape:
        schema = {**shape, "schema": json.loads(shape["schema"])}
        ours["response_format"] = {"type": "json_schema", "json_schema": schema}
    return ours


def _messages(message: dict[str, Any], retold: Retold) -> list[dict[str, Any]]:
    """One message, or several: each tool result is one of its own."""
    blocks: list[dict[str, Any]] = message["content"]
    if message["role"] == "assistant":
        return [_assistant(blocks, retold)]
    ours: list[dict[str, Any]] = []
    others: list[dict[str, Any]] = []
    for block in blocks:
        if "toolResult" not in block:
            others.append(block)
            continue
        if others:
            ours.append({"role": "user", "content": _parts(others)})
            others = []
        ours.append(_tool_result(block["toolResult"]))
    return [*ours, {"role": "user", "content": _parts(others)}] if others or not ours else ours


def _tool_result(result: dict[str, Any]) -> dict[str, Any]:
    ours: dict[str, Any] = {"role": "tool", "tool_call_id": result["toolUseId"], "content": _parts(result["content"])}
    return {**ours, "is_error": True} if result.get("status") == "error" else ours


def _assistant(blocks: list[dict[str, Any]], retold: Retold) -> dict[str, Any]:
    ours: dict[str, Any] = {"role": "assistant"}
    ours["content"] = _parts([one for one in blocks if one.keys().isdisjoint(("toolUse", "reasoningContent"))]) or None
    if any("reasoningContent" in block for block in blocks):
        told = retold(blocks)
        ours.update({name: told[name] for name in ("reasoning", "reasoning_details") if name in told})
    calls = [block["toolUse"] for block in blocks if "toolUse" in block]
    if calls:
        ours["tool_calls"] = [
            {
                "type": "function",
                "id": call["toolUseId"],
                "function": {"name": call["name"], "arguments": json.dumps(call["input"])},
            }
            for call in calls
        ]
    return ours


def _parts(blocks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A cache point marks what comes before it, as `cache_control` does."""
    parts: list[dict[str, Any]] = []
    for block in blocks:
        if "cachePoint" in block and parts:
            point = block["cachePoint"]
            parts[-1]["cache_control"] = {"type": "ephemeral", **({"ttl": point["ttl"]} if point.get("ttl") else {})}
        else:
            parts.append(_part(block))
    return parts


def _part(block: dict[str, Any]) -> dict[str, Any]:
    if "text" in block:
        return {"type": "text", "text": block["text"]}
    if "image" in block:
        image = block["image"]
        return {"type": "image_url", "image_url": {"url": _url(f"image/{image['format']}", image["source"])}}
    if "document" in block:
        document = block["document"]
        file = {"filename": document["name"], "file_data": _url(_DOCUMENTS[document["format"]], document["source"])}
        extra = {name: value for name, value in document.items() if name not in ("name", "format", "source")}
        return {"type": "file", "file": file, **extra}
    ((kind, value),) = block.items()
    return {"type": kind, kind: value}


def _url(kind: str, source: dict[str, Any]) -> str:
    if "s3Location" in source:
        return source["s3Location"]["uri"]
    return f"data:{kind};base64,{source['bytes']}"


def _tools(config: dict[str, Any]) -> dict[str, Any]:
    ours: dict[str, Any] = {}
    tools: list[dict[str, Any]] = []
    for tool in config.get("tools") or ():
        if "cachePoint" in tool and tools:
            tools[-1]["cache_control"] = {"type": "ephemeral"}
        elif "toolSpec" in tool:
            spec = tool["toolSpec"]
            function = {"name": spec["name"], "parameters": spec["inputSchema"]["json"]}
            function.update({name: spec[name] for name in ("description", "strict") if name in spec})
            tools.append({"type": "function", "function": function})
        else:
            ((kind, value),) = tool.items()
            tools.append({"type": kind, kind: value})
    if tools:
        ours["tools"] = tools
    choice = config.get("toolChoice") or {}
    if "tool" in choice:
        ours["tool_choice"] = {"type": "function", "function": {"name": choice["tool"]["name"]}}
    elif choice:
        ours["tool_choice"] = "required" if "any" in choice else "auto"
    return ours


def _further(fields: dict[str, Any]) -> dict[str, Any]:
    """What models take beside converse's own parameters, each vendor under its own name."""
    ours: dict[str, Any] = {}
    for name, value in fields.items():
        if name in ("reasoning_effort", "reasoning_config") and isinstance(value, str):
            ours["reasoning_effort"] = value
        elif name in ("thinking", "reasoning_config") and value["type"] == "enabled":
            ours["reasoning"] = {"max_tokens": value["budget_tokens"]}
        elif name == "thinking" and value["type"] == "adaptive":
            ours["reasoning_effort"] = (fields.get("output_config") or {}).get("effort") or "high"
        elif name == "thinking" and value["type"] == "disabled":
            ours["reasoning_effort"] = "none"
        elif name == "inferenceConfig" and value.keys() == {"topK"}:
            ours["top_k"] = value["topK"]
        elif name == "top_k":
            ours[name] = value
        elif name != "output_config":
            ours.setdefault("additionalModelRequestFields", {})[name] = value
    return ours
