"""Recorded requests in our own words: where a vendor's SDK speaks its own dialect, the same said as OpenAI says it.

Mistral's SDK leaves out the type of a function tool, calls the required tool choice `any`, and gives an image's URL
as a bare string. Azure names the deployment in the path, so that a body may have no model. Our vocabulary is OpenAI's,
which has none of these.
"""

from typing import Any

NO_MODEL = "deployment"


def in_our_words(request: dict[str, Any]) -> dict[str, Any]:
    ours = dict(request)
    if ours.get("model") is None:
        ours["model"] = NO_MODEL
    if isinstance(ours.get("tools"), list):
        ours["tools"] = [{"type": "function", **tool} if "function" in tool else tool for tool in ours["tools"]]
    if ours.get("tool_choice") == "any":
        ours["tool_choice"] = "required"
    if isinstance(ours.get("messages"), list):
        ours["messages"] = [_message(message) for message in ours["messages"]]
    return ours


def _message(message: dict[str, Any]) -> dict[str, Any]:
    if not isinstance(message.get("content"), list):
        return message
    return {**message, "content": [_part(part) for part in message["content"]]}


def _part(part: Any) -> Any:
    if isinstance(part, dict) and isinstance(part.get("image_url"), str):
        return {**part, "image_url": {"url": part["image_url"]}}
    return part
