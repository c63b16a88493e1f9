"""Claude's thinking, there and back: `reasoningContent` blocks as `reasoning_details`, and these as blocks again.

Only thinking that is signed can be shown to the model again; one item that is foreign or unsigned and the whole message
goes without. Bedrock wraps the text of redacted thinking in base64 once more than Anthropic does, which is undone here,
so that the same item serves both.
"""

from base64 import b64decode, b64encode
from binascii import Error
from typing import Any, Final

from msgspec import Raw

from llmgateway.domain.chat import Message
from llmgateway.wire.spans import text_of, value_of

FORMAT: Final = "anthropic-claude-v1"
_AS_IT_IS: Final = "bedrock:"
"""Marks a blob that holds no text to unwrap."""


def thought(index: int, *, text: str | None = None, signature: str | None = None) -> dict[str, Any]:
    detail: dict[str, Any] = {"type": "reasoning.text", "format": FORMAT, "index": index}
    if text:
        detail["text"] = text
    if signature:
        detail["signature"] = signature
    return detail


def redacted(index: int, blob: str) -> dict[str, Any]:
    return {"type": "reasoning.encrypted", "data": _unwrapped(blob), "format": FORMAT, "index": index}


def replayed(message: Message) -> list[dict[str, Any]]:
    """The blocks of a message's thinking, in order; none unless all of it can be replayed."""
    blocks: list[dict[str, Any]] = []
    for detail in message.reasoning_details or ():
        block = _block(detail)
        if block is None:
            return []
        blocks.append({"reasoningContent": block})
    return blocks


def _block(detail: dict[str, Raw]) -> dict[str, Any] | None:
    if text_of(detail.get("format")) != FORMAT:
        return None
    kind = text_of(detail.get("type"))
    if kind == "reasoning.text":
        signature = text_of(detail.get("signature"))
        text = value_of(detail["text"]) if "text" in detail else ""
        if signature is None or not isinstance(text, str):
            return None
        return {"reasoningText": {"text": text, "signature": signature}}
    data = text_of(detail.get("data"))
    return {"redactedContent": _wrapped(data)} if kind == "reasoning.encrypted" and data else None


def _unwrapped(blob: str) -> str:
    try:
        return b64decode(blob, validate=True).decode("ascii")
    except (Error, ValueError):
        return _AS_IT_IS + blob


def _wrapped(data: str) -> str:
    return data.removeprefix(_AS_IT_IS) if data.startswith(_AS_IT_IS) else b64encode(data.encode()).decode()
