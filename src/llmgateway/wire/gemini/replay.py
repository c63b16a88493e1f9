"""What an earlier turn thought, to be sent back: signed thoughts, signatures, and what Google's own tools did.

The reverse of what `candidates` tells as `reasoning_details`. They go back only if all of them are Google's; half a
chain of thought is worth less than none.
"""

from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from llmgateway.domain.chat import Message, ToolCall
from llmgateway.wire.gemini.candidates import FORMAT

_NOT_JSON: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_OBJECT: Final = msgspec.json.Decoder(dict[str, Raw])


class Replayed(Struct):
    """`parts` stand before the text; `signatures` belong to the text, `by_id` to a call or a picture."""

    parts: list[dict[str, Any]] = []
    signatures: list[str] = []
    by_id: dict[str, str] = {}
    foreign: bool = False


def replayed(message: Message) -> Replayed:
    again = Replayed()
    details = [_strings(detail) for detail in message.reasoning_details or ()]
    if any(detail.get("format") != FORMAT for detail in details):
        again.foreign = True
        return again
    for detail in details:
        data, text = detail.get("data"), detail.get("text")
        if text is not None:
            part: dict[str, Any] = {"text": text, "thought": True}
            if signature := detail.get("signature"):
                part["thoughtSignature"] = signature
            again.parts.append(part)
        elif data and data.startswith("{"):
            again.parts += [whole for whole in (_part(data),) if whole is not None]
        elif data and "id" in detail:
            again.by_id[detail["id"]] = data
        elif data:
            again.signatures.append(data)
    return again


def call_signature(call: ToolCall) -> str | None:
    """`extra_content.google.thought_signature`, as Google's own OpenAI endpoint says it."""
    google = (call.extra_content or {}).get("google")
    try:
        signature = (
            None if google is None else msgspec.json.decode(google, type=dict[str, Any]).get("thought_signature")
        )
    except _NOT_JSON:
        return None
    return signature if isinstance(signature, str) and signature else None


def _part(data: str) -> dict[str, Any] | None:
    try:
        return dict(_OBJECT.decode(data))
    except _NOT_JSON:
        return None


def _strings(detail: dict[str, Raw]) -> dict[str, str]:
    """The members that are strings."""
    found: dict[str, str] = {}
    for name, span in detail.items():
        if bytes(span).startswith(b'"'):
            found[name] = msgspec.json.decode(span, type=str)
    return found
