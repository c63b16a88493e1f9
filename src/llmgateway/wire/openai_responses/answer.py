"""Reads the output items of one response, whole or as they grow, into the one message that a chat answer is.

What was already told of an item is remembered as lengths and counts, never as text. So a provider may send deltas,
whole texts, whole items, or only the finished response, in any mixture: each character is told exactly once. A whole
answer is read as a finished response of which nothing has been told.
"""

import secrets
from collections import deque
from typing import Any, Final

from llmgateway.domain.reply import ToolCallDelta, ToolFunctionDelta
from llmgateway.wire.openai_responses.client_calls import call_id_of, function_of, is_client_call
from llmgateway.wire.openai_responses.events import Response
from llmgateway.wire.openai_responses.gathered import Gathered
from llmgateway.wire.openai_responses.pieces import (
    arguments_of,
    citation,
    image,
    object_of,
    objects_of,
    text_of,
    token_logprobs,
)

CONTENT: Final = "content"
REFUSAL: Final = "refusal"
SUMMARY: Final = "summary"
THOUGHT: Final = "text"
_DETAIL: Final = {SUMMARY: "reasoning.summary", THOUGHT: "reasoning.text"}
_CALLS: Final = {"function_call": "arguments", "custom_tool_call": "input"}
_MOST: Final = 16_384
"""Items and parts beyond which an answer is no answer: what is remembered stays bounded."""


_MOST_WAITING: Final = 128
"""Calls for the client beyond which the rest is not told."""


class Piece:
    """One text of an item. `sent`: its characters that were told; `before`: those of the answer ahead of it."""

    __slots__ = ("before", "cited", "detail", "kind", "logprobs", "part", "sent", "slot")

    def __init__(self, slot: "Slot", kind: str, part: int, *, before: int) -> None:
        self.slot = slot
        self.kind = kind
        self.part = part
        self.before = before
        self.sent = 0
        self.cited = 0
        self.logprobs = 0
        self.detail = -1


class Slot:
    """One output item. `call`: where it stands among the tool calls told, -1 before that; `sent`: its arguments."""

    __slots__ = ("call", "done", "id", "pieces", "sent", "type")

    def __init__(self, kind: str, item_id: str) -> None:
        self.type = kind
        self.id = item_id
        self.pieces: dict[tuple[str, int], Piece] = {}
        self.call = -1
        self.sent = 0
        self.done = False


class Answer:
    """The state of one answer. `broken`: why it is none.

    `reasoning_format`: the `format` of its reasoning details. `functions`: the request used the old `functions`.
    `custom`: the caller's own custom tools; calls of others are the provider's affair. None: any may be the caller's.
    """

    def __init__(self, *, reasoning_format: str, functions: bool = False, custom: frozenset[str] | None = None) -> None:
        self._format = reasoning_format
        self._functions = functions
        self._custom = custom
        self._slots: list[Slot] = []
        self._by_place: dict[int, Slot] = {}
        self._by_id: dict[str, Slot] = {}
        self._known = 0
        self._details = 0
        self._annotations = 0
        self._images = 0
        self._for_client: list[dict[str, Any]] = []
        self._carried_out: set[str] = set()
        self.calls = 0
        self.characters = 0
        self.searches = 0
        self.phase: str | None = None
        self.broken: str | None = None

    def begin(self, item: dict[str, Any], place: int | None, into: Gathered) -> None:
        """An item was announced. What it already holds is left to its deltas, or to its end."""
        kind, item_id = text_of(item.get("type")), text_of(item.get("id"))
        slot = self._by_place.get(place) if place is not None else self._by_id.get(item_id)
        if slot is None or slot.done or slot.type != kind or (slot.id and item_id and slot.id != item_id):
            slot = self._new(kind, item_id, place)
        if kind in _CALLS and slot.call < 0 and item.get("call_id") and item.get("name"):
            self._introduce(slot, item, "", into)

    def piece(self, kind: str, part: int, *, place: int | None, item_id: str | None) -> Piece:
        """The text that a delta adds to; items that nobody announced begin with it."""
        wanted = "reasoning" if kind in _DETAIL else "message"
        slot = self._find(place, item_id)
        if slot is None or slot.type != wanted or slot.done:
            slot = self._new(wanted, item_id or "", place)
        return self._part(slot, kind, part)

    def ended(self, place: int | None, item_id: str | None) -> bool:
        """The item is there in full already."""
        slot = self._find(place, item_id)
        return slot is not None and slot.done

    def tell(self, piece: Piece, text: str, into: Gathered, *, logprobs: list[Any] | None = None) -> None:
        """More of a text."""
        piece.sent += len(text)
        if piece.kind == CONTENT:
            self.characters += len(text)
            into.content.append(text)
            if logprobs:
                piece.logprobs += len(logprobs)
                into.logprobs += token_logprobs(logprobs)
        elif piece.kind == REFUSAL:
            into.refusal.append(text)
        else:
            into.reasoning.append(text)
            self._detail(piece, text, into)

    def complete(self, piece: Piece, text: str, into: Gathered, *, logprobs: list[Any] | None = None) -> None:
        """The whole of a text: what was not told yet is told now."""
        if len(text) > piece.sent:
            self.tell(piece, text[piece.sent :], into)
        if logprobs is not None and piece.kind == CONTENT and len(logprobs) > piece.logprobs:
            into.logprobs += token_logprobs(logprobs[piece.logprobs :])
            piece.logprobs = len(logprobs)

    def cite(self, piece: Piece, annotations: list[dict[str, Any]], into: Gathered) -> None:
        for annotation in annotations:
            into.annotations.append(citation(annotation, index=self._annotations, before=piece.before))
            self._annotations += 1
        piece.cited += len(annotations)

    def arguments(self, text: str, place: int | None, item_id: str | None, into: Gathered, *, whole: bool) -> None:
        """More of a call's arguments (or a custom call's input); those of calls nobody announced wait for their end."""
        slot = self._find(place, item_id)
        if slot is not None and slot.call >= 0:
            rest = text[slot.sent :] if whole else text
            if rest:
                slot.sent += len(rest)
                self._call(slot, _more(slot, rest), into)

    def end(self, item: dict[str, Any], place: int | None, into: Gathered) -> None:
        """An item is there in full."""
        kind, item_id = text_of(item.get("type")), text_of(item.get("id"))
        slot = self._find(place, item_id)
        if slot is None or slot.type != kind or (slot.done and slot.id and slot.id != item_id):
            slot = self._new(kind, item_id, place)
        self._finish(slot, item, into)

    def finish(self, response: Response, into: Gathered) -> None:
        """All items are there in full: those are told of which something is missing.

        They are recognised by their id, and where ids changed on the way, by their order among those of their type.
        """
        items = objects_of(response.output)
        known = [self._by_id.get(text_of(item.get("id"))) for item in items]
        taken = {id(slot) for slot in known if slot is not None}
        rest: dict[str, deque[Slot]] = {}
        for slot in self._slots:
            if id(slot) not in taken:
                rest.setdefault(slot.type, deque()).append(slot)
        for item, recognised in zip(items, known, strict=True):
            slot, kind = recognised, text_of(item.get("type"))
            if slot is None or slot.type != kind:
                left = rest.get(kind)
                slot = left.popleft() if left else self._new(kind, text_of(item.get("id")), None)
            self._finish(slot, item, into)
            if self.broken is not None:
                return
        self._call_client(into)

    def _call_client(self, into: Gathered) -> None:
        """Told at the end: only then it is known which calls OpenAI has carried out itself."""
        waiting = [item for item in self._for_client if call_id_of(item) not in self._carried_out]
        self._for_client = []
        if self._functions:
            return
        for item in waiting:
            name, arguments = function_of(item)
            function = ToolFunctionDelta(name, arguments)
            into.calls.append(ToolCallDelta(self.calls, call_id_of(item), "function", function))
            self.calls += 1

    def _find(self, place: int | None, item_id: str | None) -> Slot | None:
        """Places lead, since there are providers whose ids change from event to event."""
        if place is not None:
            return self._by_place.get(place)
        if item_id:
            return self._by_id.get(item_id)
        return self._slots[-1] if self._slots else None

    def _new(self, kind: str, item_id: str, place: int | None) -> Slot:
        self._count()
        slot = Slot(kind, item_id)
        self._slots.append(slot)
        if place is not None:
            self._by_place[place] = slot
        if item_id:
            self._by_id[item_id] = slot
        return slot

    def _part(self, slot: Slot, kind: str, part: int) -> Piece:
        piece = slot.pieces.get((kind, part))
        if piece is None:
            self._count()
            piece = slot.pieces[kind, part] = Piece(slot, kind, part, before=self.characters)
        return piece

    def _count(self) -> None:
        self._known += 1
        if self._known > _MOST:
            self.broken = f"more than {_MOST} items and parts"

    def _finish(self, slot: Slot, item: dict[str, Any], into: Gathered) -> None:
        if slot.done:
            return
        slot.done = True
        match slot.type:
            case "message":
                self._message(slot, item, into)
            case "reasoning":
                self._reasoning(slot, item, into)
            case "function_call" | "custom_tool_call":
                self._whole_call(slot, item, into)
            case "web_search_call":
                self.searches += object_of(item.get("action")).get("type", "search") == "search"
            case "image_generation_call":
                made = image(item, index=self._images)
                if made is not None:
                    self._images += 1
                    into.images.append(made)
            case _:  # tools that run at the provider, and what has no word in a chat answer
                if is_client_call(item) and len(self._for_client) < _MOST_WAITING:
                    self._for_client.append(item)
                elif slot.type.endswith("_output") and len(self._carried_out) < _MOST_WAITING:
                    self._carried_out.add(call_id_of(item))

    def _message(self, slot: Slot, item: dict[str, Any], into: Gathered) -> None:
        self.phase = text_of(item.get("phase")) or self.phase
        content = item.get("content")
        parts = [{"type": "output_text", "text": content}] if isinstance(content, str) else objects_of(content)
        for place, part in enumerate(parts):
            if self.broken is not None:
                return
            if part.get("type") == "refusal":
                self.complete(self._part(slot, REFUSAL, place), text_of(part.get("refusal")), into)
                continue
            piece = self._part(slot, CONTENT, place)
            logprobs = part.get("logprobs")
            self.complete(
                piece,
                text_of(part.get("text")),
                into,
                logprobs=logprobs if isinstance(logprobs, list) else None,
            )
            self.cite(piece, objects_of(part.get("annotations"))[piece.cited :], into)

    def _reasoning(self, slot: Slot, item: dict[str, Any], into: Gathered) -> None:
        for kind, member in ((SUMMARY, "summary"), (THOUGHT, "content")):
            for place, part in enumerate(objects_of(item.get(member))):
                if self.broken is not None:
                    return
                self.complete(self._part(slot, kind, place), text_of(part.get("text")), into)
        data = text_of(item.get("encrypted_content"))
        if data:
            slot.id = text_of(item.get("id")) or slot.id
            into.details.append(self._new_detail("reasoning.encrypted", "data", data, slot))

    def _detail(self, piece: Piece, text: str, into: Gathered) -> None:
        """Kind, id and format come once: accumulators of SDKs join the strings of items with the same index."""
        if piece.detail < 0:
            piece.detail = self._details
            into.details.append(self._new_detail(_DETAIL[piece.kind], piece.kind, text, piece.slot))
        else:
            into.details.append({"type": _DETAIL[piece.kind], piece.kind: text, "index": piece.detail})

    def _new_detail(self, kind: str, member: str, value: str, slot: Slot) -> dict[str, Any]:
        index = self._details
        self._details += 1
        named = {"id": slot.id} if slot.id else {}
        return {"type": kind, member: value, **named, "format": self._format, "index": index}

    def _whole_call(self, slot: Slot, item: dict[str, Any], into: Gathered) -> None:
        arguments = arguments_of(item.get(_CALLS[slot.type]))
        if slot.call < 0:
            self._introduce(slot, item, arguments, into)
        elif len(arguments) > slot.sent:
            self._call(slot, _more(slot, arguments[slot.sent :]), into)

    def _introduce(self, slot: Slot, item: dict[str, Any], arguments: str, into: Gathered) -> None:
        name = text_of(item.get("name"))
        if slot.type == "custom_tool_call" and self._custom is not None and name not in self._custom:
            return
        slot.call, slot.sent = self.calls, len(arguments)
        self.calls += 1
        call_id = text_of(item.get("call_id")) or text_of(item.get("id")) or f"call_{secrets.token_hex(12)}"
        if slot.type == "custom_tool_call":
            call = ToolCallDelta(slot.call, call_id, "custom", custom={"name": name, "input": arguments})
        else:
            call = ToolCallDelta(slot.call, call_id, "function", ToolFunctionDelta(name, arguments))
            if item.get("namespace"):
                call.extra_content = {"openai": {"namespace": text_of(item["namespace"])}}
        self._call(slot, call, into)

    def _call(self, slot: Slot, call: ToolCallDelta, into: Gathered) -> None:
        if self._functions and slot.call == 0 and call.function:
            into.function_call = call.function
        else:
            into.calls.append(call)

    def finish_reason(self, response: Response, *, incomplete: bool) -> tuple[str, str]:
        """Ours, and the provider's own word."""
        if incomplete:
            reason = text_of(object_of(response.incomplete_details).get("reason"))
            return ("content_filter" if reason == "content_filter" else "length"), reason or "incomplete"
        if self.calls:
            return ("function_call" if self._functions else "tool_calls"), "completed"
        return "stop", "completed"


def _more(slot: Slot, text: str) -> ToolCallDelta:
    if slot.type == "custom_tool_call":
        return ToolCallDelta(slot.call, custom={"input": text})
    return ToolCallDelta(slot.call, function=ToolFunctionDelta(arguments=text))
