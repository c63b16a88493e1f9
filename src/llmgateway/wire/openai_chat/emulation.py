"""Asks a model in words for JSON where its mapping has no `response_format` for it, in the same bytes at every turn.

The instruction ends the first system message, or is one of its own before all others, so that the prefix which a
provider caches stays what it was. The answer is put right by healing, which the engine switches on.
"""

from typing import Any, Final, Literal

import msgspec
from msgspec import Raw

from llmgateway.domain.chat import Chat, JsonSchema
from llmgateway.domain.routing import Deployment

_OBJECT: Final = (
    "Answer with one JSON object and nothing else: no explanation before or after it, and no Markdown code fence."
)
_SCHEMA: Final = (
    "Answer with one JSON value and nothing else: no explanation before or after it, and no Markdown code fence. "
    "It must be valid against this JSON Schema:\n"
)
_JSON_OBJECT: Final = Raw(b'{"type":"json_object"}')
_SYSTEM: Final = frozenset(("system", "developer"))
_PARTS: Final = msgspec.json.Decoder(list[Raw])


def emulates(chat: Chat, *, to: Deployment) -> Literal["instruction"] | None:
    """How `response_format` is made up for at this mapping; None where it goes out as it is, or there is none."""
    shape = chat.request.response_format
    return "instruction" if shape is not None and shape.type in to.mapping.lacks else None


def native_format(to: Deployment) -> Raw | None:
    """What still goes out as `response_format` of an emulated schema: JSON mode, where the mapping is known for it."""
    return _JSON_OBJECT if "json_object" in to.mapping.has else None


def with_instruction(messages: list[dict[str, Raw]], chat: Chat, *, to: Deployment) -> list[dict[str, Raw]]:
    """The messages with the instruction in the first system message."""
    text = instruction(chat)
    if "no_system_role" in to.provider.quirks:
        return [{"role": Raw(b'"user"'), "content": _raw(text)}, *messages]
    first = messages[0]
    role = msgspec.json.decode(first["role"]) if "role" in first else None
    if role not in _SYSTEM:
        return [{"role": Raw(b'"system"'), "content": _raw(text)}, *messages]
    content = bytes(first.get("content", b'""'))
    if content.startswith(b"["):
        part = _raw({"type": "text", "text": text})
        return [{**first, "content": _raw([*_PARTS.decode(content), part])}, *messages[1:]]
    given = msgspec.json.decode(content, type=str | None)
    return [{**first, "content": _raw(f"{given}\n\n{text}" if given else text)}, *messages[1:]]


def instruction(chat: Chat) -> str:
    """What the model is told."""
    shape = chat.request.response_format
    schema = shape.json_schema if shape is not None and shape.type == "json_schema" else None
    return _OBJECT if schema is None or schema.schema is None else _told(schema)


def _told(schema: JsonSchema) -> str:
    """The schema in the caller's own bytes and order."""
    text = _SCHEMA + msgspec.json.encode(schema.schema).decode()
    return f"{text}\nWhat it describes: {schema.description}" if schema.description else text


def _raw(value: Any) -> Raw:
    return Raw(msgspec.json.encode(value))
