"""A recorded request of the chat protocol, said as OpenAI says it: what a client would have asked us for.

Most of it is OpenAI's own wording already. Vendors who have other words for what OpenAI or the gateway's documented
extensions can say are put in those words here; what only a vendor knows stays as it is.
"""

from typing import Any

from tests.wire.dialects import in_our_words


def spoken(source: dict[str, Any]) -> dict[str, Any]:
    ours = in_our_words(source)
    if "random_seed" in ours:
        ours["seed"] = ours.pop("random_seed")
    if (
        isinstance(ours.get("thinking"), dict)
        and ours["thinking"].keys() == {"type"}
        and "reasoning_effort" not in ours
    ):
        thinks = ours.pop("thinking")["type"] != "disabled"
        ours.update({"reasoning": {"enabled": True}} if thinks else {"reasoning_effort": "none"})
    if ours.get("reasoning_format") == "hidden":
        del ours["reasoning_format"]
        ours["reasoning"] = {**(ours.get("reasoning") or {}), "exclude": True}
    ours["messages"] = [_message(message) for message in ours["messages"]]
    return ours


def _message(message: dict[str, Any]) -> dict[str, Any]:
    """Mistral's parts: documents by URL are files, thoughts are reasoning."""
    content = message.get("content")
    if not isinstance(content, list):
        return message
    thoughts = [part for part in content if part.get("type") == "thinking" and isinstance(part["thinking"], list)]
    told = {**message, "content": [_part(part) for part in content if part not in thoughts]}
    if thoughts:
        told["reasoning"] = "".join(piece.get("text", "") for part in thoughts for piece in part["thinking"])
    return told


def _part(part: dict[str, Any]) -> dict[str, Any]:
    if part.get("type") != "document_url":
        return part
    name = {"filename": part["document_name"]} if part.get("document_name") else {}
    return {"type": "file", "file": {"file_data": part["document_url"], **name}}
