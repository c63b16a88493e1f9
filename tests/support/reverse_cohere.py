"""A recorded request to Cohere's v2 chat, said in our vocabulary: what a client would have asked us for.

What our vocabulary has no word for is handed over as it is: whether the gateway takes it is its own affair.
"""

from collections.abc import Callable
from typing import Any

Retold = Callable[[dict[str, Any]], dict[str, Any]]

_RENAMED = {"p": "top_p", "k": "top_k", "stop_sequences": "stop"}
_TAKEN = {*_RENAMED, "messages", "tool_choice", "thinking", "response_format", "strict_tools", "stream"}
_CHOICES = {"REQUIRED": "required", "NONE": "none"}


def spoken(source: dict[str, Any], *, retold: Retold) -> dict[str, Any]:
    ours = {name: value for name, value in source.items() if name not in _TAKEN}
    ours.update({name: source[theirs] for theirs, name in _RENAMED.items() if theirs in source})
    ours["messages"] = [_message(message, retold) for message in source["messages"]]
    if source.get("tool_choice"):
        ours["tool_choice"] = _CHOICES[source["tool_choice"]]
    if source.get("strict_tools"):
        ours["tools"] = [{**tool, "function": {**tool["function"], "strict": True}} for tool in source["tools"]]
    thinking = source.get("thinking")
    if thinking:
        ours["reasoning"] = _thinking(thinking)
    shape = source.get("response_format") or {}
    schema = shape.get("json_schema") or shape.get("schema")
    if schema:
        ours["response_format"] = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}
    elif shape:
        ours["response_format"] = shape
    return ours


def _message(message: dict[str, Any], retold: Retold) -> dict[str, Any]:
    """A plan before tool calls, and thinking, are reasoning."""
    ours = dict(message)
    content: Any = message.get("content")
    thought = isinstance(content, list) and any(part["type"] == "thinking" for part in content)
    if thought:
        ours["content"] = [part for part in content if part["type"] != "thinking"] or None
    if message.get("tool_plan") or thought:
        told = retold(message)
        ours.pop("tool_plan", None)
        ours.update({name: told[name] for name in ("reasoning", "reasoning_details") if name in told})
    return ours


def _thinking(thinking: dict[str, Any]) -> dict[str, Any]:
    if thinking["type"] == "disabled":
        return {"effort": "none"}
    return {"max_tokens": thinking["token_budget"]} if thinking.get("token_budget") else {"enabled": True}
