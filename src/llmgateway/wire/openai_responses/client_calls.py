"""Calls of OpenAI's own tools that the client is to carry out: a shell, a patch, a computer, a search for tools.

Chat completions know functions only, so such a call is told as one: its name is the type of the item, its arguments
are the item's members. Handed back, it becomes the item again, and what came of it the item of its output; a tool
message that is a JSON object gives the members of that item itself
(platform.openai.com/docs/guides/tools-local-shell and its neighbours).
"""

from typing import Any, Final

import msgspec

from llmgateway.domain.chat import FunctionCall, Message
from llmgateway.wire.openai_responses.pieces import arguments_of, object_of, objects_of, text_of

_OUTPUTS: Final = {
    "apply_patch_call": "apply_patch_call_output",
    "computer_call": "computer_call_output",
    "local_shell_call": "local_shell_call_output",
    "mcp_approval_request": "mcp_approval_response",
    "shell_call": "shell_call_output",
    "tool_search_call": "tool_search_output",
}
_SEARCH: Final = "tool_search_call"
_YES: Final = frozenset(("true", "yes", "approve", "approved"))
_NOT_MEMBERS: Final = ("type", "call_id")


def is_client_call(item: dict[str, Any]) -> bool:
    """A search for tools may also be OpenAI's own affair."""
    kind = text_of(item.get("type"))
    return kind in _OUTPUTS and (kind != _SEARCH or item.get("execution") == "client")


def call_id_of(item: dict[str, Any]) -> str:
    """The id by which a result names its call; a request for approval has its own only."""
    return text_of(item.get("call_id")) or text_of(item.get("id"))


def function_of(item: dict[str, Any]) -> tuple[str, str]:
    """Name and arguments."""
    members = {name: value for name, value in item.items() if name not in _NOT_MEMBERS}
    return text_of(item.get("type")), arguments_of(members)


def item_of(function: FunctionCall, call_id: str) -> dict[str, Any] | None:
    """The call as the item it was; None for a function of the caller's."""
    if function.name not in _OUTPUTS:
        return None
    members = _members(function.arguments)
    named = {} if function.name == "mcp_approval_request" else {"call_id": call_id}
    return None if members is None else {**members, **named, "type": function.name}


def output_of(kind: str, call_id: str, message: Message, parts: list[Any]) -> dict[str, Any]:
    """What came of a call, as the item of its own. `parts`: the content in the protocol's words."""
    texts = [text_of(part.get("text")) for part in objects_of(parts)]
    text = message.content if isinstance(message.content, str) else "".join(texts)
    told = _members(text) or _told(kind, text, message, parts)
    named = {"mcp_approval_request": "approval_request_id", "local_shell_call": "id"}.get(kind, "call_id")
    return {**told, named: call_id, "type": _OUTPUTS[kind]}


def _told(kind: str, text: str, message: Message, parts: list[Any]) -> dict[str, Any]:
    match kind:
        case "apply_patch_call":
            return {"status": "failed" if message.is_error else "completed", "output": text}
        case "computer_call":
            images = [part["image_url"] for part in objects_of(parts) if "image_url" in part]
            return {"output": {"type": "computer_screenshot", "image_url": images[0] if images else text}}
        case "mcp_approval_request":
            return {"approve": text.strip().lower() in _YES}
        case "shell_call":
            ended = {"type": "exit", "exit_code": 1 if message.is_error else 0}
            return {"output": [{"stdout": text, "stderr": "", "outcome": ended}]}
        case "tool_search_call":
            return {"execution": "client", "status": "completed", "tools": _list(text)}
        case _:
            return {"output": text}


def _members(text: str) -> dict[str, Any] | None:
    """Those of the JSON object that a text is; None for any other text."""
    try:
        return object_of(msgspec.json.decode(text)) or None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _list(text: str) -> list[Any]:
    try:
        return msgspec.json.decode(text, type=list[Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return []
