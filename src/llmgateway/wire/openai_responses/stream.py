"""Decodes the event stream of a response into chunks, event by event, each decoded once.

Texts and arguments are told as their deltas come; events that end a text, an item or the response only tell what is
missing. `response.completed` or `response.incomplete` ends the answer: a stream without one was cut.
"""

from typing import Any, Final

import msgspec
from msgspec import UNSET, Raw

from llmgateway.domain.errors import UpstreamError
from llmgateway.domain.reply import ChoiceDelta, Chunk, Delta
from llmgateway.domain.routing import Deployment
from llmgateway.wire.decoding import EventDecoder
from llmgateway.wire.errors import unreadable
from llmgateway.wire.openai_responses.answer import CONTENT, REFUSAL, SUMMARY, THOUGHT, Answer, Piece
from llmgateway.wire.openai_responses.errors import failure
from llmgateway.wire.openai_responses.events import Event, Response, decode_event, lenient_event
from llmgateway.wire.openai_responses.gathered import Gathered
from llmgateway.wire.openai_responses.pieces import object_of
from llmgateway.wire.openai_responses.usage import read_usage
from llmgateway.wire.spans import without_lone_surrogates

_DELTAS: Final = {
    "response.output_text.delta": CONTENT,
    "response.refusal.delta": REFUSAL,
    "response.reasoning_summary_text.delta": SUMMARY,
    "response.reasoning_text.delta": THOUGHT,
    "response.reasoning.delta": THOUGHT,
}
"""The last one: https://www.openresponses.org/specification."""
_TEXTS: Final = {
    "response.output_text.done": CONTENT,
    "response.refusal.done": REFUSAL,
    "response.reasoning_summary_text.done": SUMMARY,
    "response.reasoning_text.done": THOUGHT,
    "response.reasoning.done": THOUGHT,
}
_ARGUMENTS: Final = frozenset(
    (
        "response.function_call_arguments.delta",
        "response.function_call_arguments.done",
        "response.custom_tool_call_input.delta",
        "response.custom_tool_call_input.done",
    )
)
_LAST: Final = frozenset(("response.completed", "response.incomplete", "response.failed", "response.cancelled"))
_NOT_JSON: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class ResponsesDecoder(EventDecoder):
    """`feed` bytes as they come, `close` at the end; chunks out. A chunk with `error` or `done` is the last one."""

    def __init__(self, *, answer: Answer, to: Deployment) -> None:
        super().__init__(to=to)
        self._answer = answer
        self._piece: Piece | None = None
        self._place: int | None = None
        self._begun = False
        self._finished = False
        self._id: str | None = None
        self._model: str | None = None

    @property
    def finished(self) -> bool:
        """The response has been told in full."""
        return self._finished

    def _event(self, payload: bytes, chunks: list[Chunk]) -> None:
        try:
            event = decode_event(payload)
        except _NOT_JSON:
            self._unusual(payload, chunks)
            return
        kind = _DELTAS.get(event.type)
        if kind is None:
            self._other(event, chunks)
        elif event.delta:
            self._text(event, kind, chunks)

    def _text(self, event: Event, kind: str, chunks: list[Chunk]) -> None:
        """The hot path: one more delta of the text that the last one belonged to."""
        part = event.summary_index if kind is SUMMARY else event.content_index
        piece = self._piece
        if piece is None or piece.kind is not kind or piece.part != part or self._place != event.output_index:
            piece = self._answer.piece(kind, part, place=event.output_index, item_id=event.item_id)
            self._piece = piece if event.output_index is not None else None
            self._place = event.output_index
            if self._answer.broken is not None:
                self._fail(unreadable(self._answer.broken, to=self._to), chunks)
                return
        if kind is CONTENT and not event.logprobs:
            size = len(event.delta)
            piece.sent += size
            self._answer.characters += size
            self._tell(ChoiceDelta(0, Delta(UNSET, event.delta)), chunks)
        else:
            gathered = Gathered()
            self._answer.tell(piece, event.delta, gathered, logprobs=event.logprobs)
            self._add(gathered, chunks)

    def _other(self, event: Event, chunks: list[Chunk]) -> None:
        kind = event.type
        if kind in _LAST:
            self._last(event, chunks)
            return
        if kind in ("response.created", "response.in_progress", "response.queued"):
            self._name(event.response)
            return
        if kind == "error" or (not kind and event.error is not None):
            self._failed(event, chunks)
            return
        gathered = Gathered()
        self._step(event, gathered)
        self._add(gathered, chunks)

    def _step(self, event: Event, into: Gathered) -> None:
        """An event that says something of an item. Those of tools that run at the provider say nothing to a caller."""
        answer, kind = self._answer, event.type
        if kind in _ARGUMENTS:
            whole = kind.endswith(".done")
            text = (event.arguments if event.arguments is not None else event.input) if whole else event.delta
            if isinstance(text, str):
                answer.arguments(text, event.output_index, event.item_id, into, whole=whole)
        elif kind in _TEXTS:
            text = event.refusal if kind == "response.refusal.done" else event.text
            if text and not answer.ended(event.output_index, event.item_id):
                part = event.summary_index if _TEXTS[kind] is SUMMARY else event.content_index
                piece = answer.piece(_TEXTS[kind], part, place=event.output_index, item_id=event.item_id)
                answer.complete(piece, text, into, logprobs=event.logprobs)
        elif kind == "response.output_item.added":
            self._piece = None
            answer.begin(object_of(event.item), event.output_index, into)
        elif kind == "response.output_item.done":
            self._piece = None
            answer.end(object_of(event.item), event.output_index, into)
        elif kind == "response.output_text.annotation.added":
            piece = answer.piece(CONTENT, event.content_index, place=event.output_index, item_id=event.item_id)
            answer.cite(piece, [object_of(event.annotation)], into)

    def _name(self, response: Response | None) -> None:
        if response is not None:
            self._id = self._id or response.id
            self._model = self._model or response.model

    def _last(self, event: Event, chunks: list[Chunk]) -> None:
        """The end, for better or worse. Which it is the event says, and the status where it says worse."""
        response = event.response or Response()
        self._name(response)
        usage = read_usage(response.usage, tool_usage=response.tool_usage, searches=self._answer.searches)
        if event.type in ("response.failed", "response.cancelled") or response.status in ("failed", "cancelled"):
            self._fail(failed_response(response, to=self._to), chunks)
            chunks[-1].usage = usage
            return
        gathered = Gathered()
        self._answer.finish(response, gathered)
        if self._answer.broken is not None:
            self._fail(unreadable(self._answer.broken, to=self._to), chunks)
            return
        choice = last_choice(self._answer, gathered, response, incomplete=event.type == "response.incomplete")
        self._tell(choice, chunks)
        chunk = chunks[-1]
        chunk.usage = read_usage(response.usage, tool_usage=response.tool_usage, searches=self._answer.searches)
        tell_tier(chunk, response)
        chunk.done = self._ended = self._finished = True

    def _add(self, gathered: Gathered, chunks: list[Chunk]) -> None:
        if self._answer.broken is not None:
            self._fail(unreadable(self._answer.broken, to=self._to), chunks)
        elif not gathered.empty:
            self._tell(ChoiceDelta(0, gathered.delta(), gathered.token_logprobs), chunks)

    def _tell(self, choice: ChoiceDelta, chunks: list[Chunk]) -> None:
        if self._begun:
            chunks.append(Chunk([choice]))
            return
        self._begun = True
        choice.delta.role = "assistant"
        chunks.append(Chunk([choice], self._id, self._model))

    def _unusual(self, payload: bytes, chunks: list[Chunk]) -> None:
        """Not an event, or one with members of another type than they should have."""
        try:
            source: Any = msgspec.json.decode(payload)
        except _NOT_JSON:
            mended = without_lone_surrogates(payload)
            if mended is not None:
                self._event(mended, chunks)
                return
            source = None
        if isinstance(source, dict):
            event = lenient_event(source)  # pyright: ignore[reportUnknownArgumentType]  # JSON of a provider
            kind = _DELTAS.get(event.type)
            if kind is None:
                self._other(event, chunks)
            elif event.delta:
                self._text(event, kind, chunks)
        elif payload.strip() == b"[DONE]":
            self._ended = True
            chunks.append(Chunk([], done=True))
        elif payload.strip():
            self._fail(unreadable("an event that is not a JSON object", to=self._to), chunks)

    def _failed(self, event: Event, chunks: list[Chunk]) -> None:
        """Both forms of an error are on the wire: its members in the event itself, or in an `error` of it."""
        said = {"message": event.message, "code": event.code, "param": event.param}
        self._fail(failure(event.error or said, to=self._to), chunks)


def failed_response(response: Response, *, to: Deployment) -> UpstreamError:
    error = response.error or {"message": f"The response ended with status {response.status!r}."}
    return failure(error, to=to)


def last_choice(answer: Answer, gathered: Gathered, response: Response, *, incomplete: bool) -> ChoiceDelta:
    """What was left to tell, and why it ended. `phase` goes back to the model on the next turn, so it is told too."""
    reason, raw = answer.finish_reason(response, incomplete=incomplete or response.status == "incomplete")
    delta = gathered.delta()
    if answer.phase is not None:
        delta.extra = {"phase": answer.phase}
    return ChoiceDelta(0, delta, gathered.token_logprobs, reason, raw)


def tell_tier(chunk: Chunk, response: Response) -> None:
    if response.service_tier:
        chunk.service_tier = response.service_tier
        chunk.extra = {"service_tier": Raw(msgspec.json.encode(response.service_tier))}
