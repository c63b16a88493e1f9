"""Gives earlier reasoning back to the provider that issued it: `reasoning_details` become reasoning items again.

With `store: false` the provider keeps nothing, so an item must bring its encrypted content, or, from open models, its
text. All of a message's details are given back in order, or none of them.
"""

from typing import Any

import msgspec
from msgspec import Struct

from llmgateway.domain.chat import JsonObject, Message


class _Detail(Struct):
    type: str
    format: str | None = None
    id: str | None = None
    text: str | None = None
    summary: str | None = None
    data: str | None = None


class _Item:
    """A reasoning item that is being put together."""

    __slots__ = ("data", "id", "summary", "text")

    def __init__(self) -> None:
        self.id: str | None = None
        self.summary: list[str] = []
        self.text: list[str] = []
        self.data: str | None = None


def replay(message: Message, *, own: str, store: bool, with_ids: bool) -> list[dict[str, Any]] | None:
    """The reasoning items before this message; None if it has reasoning that this provider cannot read.

    `with_ids`: calls follow. Before a message the ids are left out: OpenAI insists that an item with an id is followed
    by the very message it came with, whose id chat completions do not have. Without ids it takes any.
    """
    items: list[_Item] = []
    for source in message.reasoning_details or ():
        detail = _read(source)
        if detail is None or detail.format != own or not _add(items, detail):
            return None
    kept = [_written(item, with_ids=with_ids, store=store) for item in items]
    usable = [item for item in kept if item is not None]
    return usable if len(usable) == len(kept) else None


def _read(source: JsonObject) -> _Detail | None:
    try:
        return msgspec.json.decode(msgspec.json.encode(source), type=_Detail)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _add(items: list[_Item], detail: _Detail) -> bool:
    """Details of the same id are one item; encrypted content ends an item whose other details have none."""
    last = items[-1] if items else None
    if (
        last is None
        or (last.id and detail.id and last.id != detail.id)
        or (last.data and (detail.id is None or last.id != detail.id))
    ):
        last = _Item()
        items.append(last)
    last.id = last.id or detail.id
    match detail.type:
        case "reasoning.summary":
            last.summary += [detail.summary] if detail.summary else []
        case "reasoning.text":
            last.text += [detail.text] if detail.text else []
        case "reasoning.encrypted" if detail.data and last.data is None:
            last.data = detail.data
        case _:
            return False
    return True


def _written(item: _Item, *, with_ids: bool, store: bool) -> dict[str, Any] | None:
    """None where the provider could not make anything of it."""
    stored = store and item.id is not None
    if item.data is None and not item.text and not stored:
        return None
    sent: dict[str, Any] = {"type": "reasoning"}
    if item.id is not None and (with_ids or item.data is None):
        sent["id"] = item.id
    sent["summary"] = [{"type": "summary_text", "text": text} for text in item.summary]
    if item.text:
        sent["content"] = [{"type": "reasoning_text", "text": text} for text in item.text]
    if item.data is not None:
        sent["encrypted_content"] = item.data
    return sent
