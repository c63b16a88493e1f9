"""Puts messages into the form a provider takes: missing contents, earlier reasoning, roles, names, ids of tool calls.

Only what a provider would refuse or needs is changed; what that leaves out is listed. The same messages give the same
bytes at every turn, so that prompt caches keep working.
"""

import hashlib
import re
from typing import Any, Final

import msgspec
from msgspec import Raw

from llmgateway.domain.chat import Chat, FileRef, Message, Part
from llmgateway.domain.routing import Deployment

MESSAGES: Final = msgspec.json.Decoder(list[dict[str, Raw]])
_PARTS: Final = msgspec.json.Decoder(list[Raw])
_CALLS: Final = msgspec.json.Decoder(list[dict[str, Raw]])
_EMPTY: Final = Raw(b'""')
_SYSTEM: Final = Raw(b'"system"')
_USER: Final = Raw(b'"user"')
_TRUE: Final = Raw(b"true")
_ROLES_WITH_CONTENT: Final = frozenset(("system", "developer", "user"))
_REASONING_MEMBERS: Final = ("reasoning", "reasoning_content", "reasoning_details")
_COMMON_MEMBERS: Final = frozenset(
    ("role", "content", "tool_calls", "tool_call_id", "prefix", "reasoning", "reasoning_content", "reasoning_details")
)
_NINE: Final = re.compile(r"[A-Za-z0-9]{9}")
_LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


def rewritten(chat: Chat, span: Raw, to: Deployment, dropped: list[str]) -> list[dict[str, Raw]]:
    """The messages as the provider takes them."""
    messages = MESSAGES.decode(span)
    quirks = to.provider.quirks
    for message, typed in zip(messages, chat.messages, strict=True):
        if typed.content is None and typed.role in _ROLES_WITH_CONTENT:
            message["content"] = _EMPTY
        if typed.reasoning is not None or typed.reasoning_content is not None or typed.reasoning_details:
            _replay(message, typed, to, dropped)
    if not to.parameters.rewrites_messages:
        return messages
    for message, typed in zip(messages, chat.messages, strict=True):
        _quirks_of_one(message, typed, quirks, dropped)
    if "prefix" in quirks and chat.messages[-1].role == "assistant":
        messages[-1].setdefault("prefix", _TRUE)
    return _alternating(messages) if "alternating" in quirks else messages


def _replay(message: dict[str, Raw], typed: Message, to: Deployment, dropped: list[str]) -> None:
    """Earlier reasoning goes to providers that take it, under their name."""
    quirks = to.provider.quirks
    for name in _REASONING_MEMBERS:
        if name in message and f"replay:{name}" not in quirks and not to.parameters.pass_unknown:
            del message[name]
    text = typed.reasoning if typed.reasoning is not None else typed.reasoning_content
    if text is not None:
        for name in ("reasoning_content", "reasoning"):
            if f"replay:{name}" in quirks:
                message[name] = _raw(text)
                message.pop("reasoning" if name == "reasoning_content" else "reasoning_content", None)
                return
        if "replay:thinking_parts" in quirks:
            message["content"] = _with_thinking(message.get("content"), text)
            return
    if not any(name in message for name in _REASONING_MEMBERS):
        _list("messages[].reasoning", dropped)


def _with_thinking(content: Raw | None, text: str) -> Raw:
    """Mistral's way (docs.mistral.ai/capabilities/reasoning): the thoughts are the first part of the content."""
    thinking = _raw({"type": "thinking", "thinking": [{"type": "text", "text": text}]})
    given = bytes(content) if content is not None else b"null"
    if given.startswith(b"["):
        return _raw([thinking, *_PARTS.decode(given)])
    said = msgspec.json.decode(given)
    return _raw([thinking, {"type": "text", "text": said}] if said else [thinking])


def _quirks_of_one(message: dict[str, Raw], typed: Message, quirks: tuple[str, ...], dropped: list[str]) -> None:
    if typed.role == "developer" and "system_role" in quirks:
        message["role"] = _SYSTEM
    if typed.role in ("developer", "system") and "no_system_role" in quirks:
        message["role"] = _USER
    if "message_members" in quirks:
        _only_known(message, typed, dropped)
    if "document_parts" in quirks and isinstance(typed.content, list):
        _documents(message, typed.content)
    if "nine_letter_ids" in quirks:
        _short_ids(message, typed)
    if typed.tool_calls and "tool_turn_reasoning" in quirks:
        message.setdefault("reasoning_content", _EMPTY)


def _only_known(message: dict[str, Raw], typed: Message, dropped: list[str]) -> None:
    for name in [name for name in message if name not in _COMMON_MEMBERS]:
        if name == "name" and typed.role == "tool":
            continue
        span = bytes(message.pop(name))
        if span not in (b"null", b"[]", b'""', b"false"):
            _list(f"messages[].{name}", dropped)


def _documents(message: dict[str, Raw], parts: list[Part]) -> None:
    """Files in Mistral's words (docs.mistral.ai/capabilities/document_qna): by URL, or by their id."""
    if all(part.file is None for part in parts):
        return
    spans = _PARTS.decode(message["content"])
    message["content"] = _raw(
        [_document(part.file) if part.file is not None else span for part, span in zip(parts, spans, strict=True)]
    )


def _document(file: FileRef) -> dict[str, str]:
    if file.file_data is None:
        return {"type": "file", "file_id": file.file_id or ""}
    named = {"document_name": file.filename} if file.filename is not None else {}
    return {"type": "document_url", "document_url": file.file_data, **named}


def _short_ids(message: dict[str, Raw], typed: Message) -> None:
    if typed.tool_call_id is not None:
        message["tool_call_id"] = _raw(nine_letters(typed.tool_call_id))
    if typed.tool_calls:
        calls = _CALLS.decode(message["tool_calls"])
        for call, one in zip(calls, typed.tool_calls, strict=True):
            if one.id is not None:
                call["id"] = _raw(nine_letters(one.id))
        message["tool_calls"] = _raw(calls)


def nine_letters(call_id: str) -> str:
    """The id, if it is of nine letters or digits; else nine that follow from it."""
    if _NINE.fullmatch(call_id):
        return call_id
    number = int.from_bytes(hashlib.sha256(call_id.encode("utf-8", "surrogatepass")).digest()[:8], "big")
    letters: list[str] = []
    for _ in range(9):
        number, rest = divmod(number, len(_LETTERS))
        letters.append(_LETTERS[rest])
    return "".join(letters)


def _alternating(messages: list[dict[str, Raw]]) -> list[dict[str, Raw]]:
    """Neighbours of one role as one message (docs.perplexity.ai/api-reference/sonar-post); tool calls stay apart."""
    merged: list[dict[str, Raw]] = []
    for message in messages:
        before = merged[-1] if merged else None
        if before is None or not _mergeable(before, message):
            merged.append(dict(message))
            continue
        before["content"] = _joined(before["content"], message["content"])
    return merged


def _mergeable(before: dict[str, Raw], message: dict[str, Raw]) -> bool:
    if message.keys() != before.keys() or message.keys() != {"role", "content"}:
        return False
    return bytes(message["role"]) == bytes(before["role"]) and bytes(message["role"]) in (b'"user"', b'"assistant"')


def _joined(first: Raw, second: Raw) -> Raw:
    texts = [msgspec.json.decode(one) for one in (first, second)]
    if all(isinstance(text, str) for text in texts):
        return _raw("\n\n".join(texts))
    return _raw([part for text in texts for part in _as_parts(text)])


def _as_parts(content: Any) -> list[Any]:
    if isinstance(content, list):
        return content  # pyright: ignore[reportUnknownVariableType]  # parts of a caller, passed on
    return [{"type": "text", "text": content}] if content else []


def _list(name: str, dropped: list[str]) -> None:
    if name not in dropped:
        dropped.append(name)


def _raw(value: Any) -> Raw:
    return Raw(msgspec.json.encode(value))
