"""Decodes Cohere's event stream into chunks: one kind of event per step, the last of them with reason and usage."""

from typing import Final

import msgspec

from llmgateway.domain.chat import Chat
from llmgateway.domain.errors import UpstreamError
from llmgateway.domain.reply import ChoiceDelta, Chunk, Delta
from llmgateway.domain.routing import Deployment
from llmgateway.wire.cohere.answer import Answer, logprobs_of
from llmgateway.wire.cohere.shapes import (
    CitationStart,
    ContentDelta,
    ContentStart,
    Event,
    Logprobs,
    MessageEnd,
    MessagePiece,
    MessageStart,
    ToolCallDelta,
    ToolCallEnd,
    ToolCallStart,
    ToolPlanDelta,
)
from llmgateway.wire.cohere.usage import usage_of
from llmgateway.wire.cohere.whole import broken_off, no_answer
from llmgateway.wire.errors import unreadable
from llmgateway.wire.spans import without_lone_surrogates
from llmgateway.wire.sse import EventReader, EventTooLarge

_EVENT: Final[msgspec.json.Decoder[Event]] = msgspec.json.Decoder(Event)
_OBJECT: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ANYTHING: Final = msgspec.json.Decoder()
_NOT_JSON: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_KNOWN: Final = frozenset(
    (
        "message-start",
        "content-start",
        "content-delta",
        "content-end",
        "tool-plan-delta",
        "tool-call-start",
        "tool-call-delta",
        "tool-call-end",
        "citation-start",
        "citation-end",
        "message-end",
        "debug",
    )
)
_NOTHING: Final = MessagePiece()


class CohereDecoder:
    """`feed` bytes as they come, `close` at the end; chunks out. A chunk with `error` or `done` is the last one."""

    def __init__(self, *, chat: Chat, to: Deployment) -> None:
        self._to = to
        self._events = EventReader()
        self._answer = Answer(chat=chat)
        self._told: list[Chunk] = []
        self._begun = False
        self._finished = False
        self._ended = False

    @property
    def finished(self) -> bool:
        return self._finished

    def feed(self, data: bytes) -> list[Chunk]:
        if self._ended:
            return []
        chunks = self._told = []
        try:
            payloads = self._events.feed(data)
        except EventTooLarge:
            self._fail(unreadable("an event of more than 16 MiB", to=self._to))
            return chunks
        for payload in payloads:
            self._read(payload)
            if self._ended:
                break
        return chunks

    def close(self) -> list[Chunk]:
        """What an event without its blank line still holds."""
        self._told = []
        if not self._ended:
            for payload in self._events.close():
                self._read(payload)
                if self._ended:
                    break
        return self._told

    def _read(self, payload: bytes) -> None:
        try:
            if not payload.isascii():
                payload.decode()
            event = _EVENT.decode(payload)
        except _NOT_JSON:
            mended = without_lone_surrogates(payload)
            if mended is None:
                self._unusual(payload.strip())
            else:
                self._read(mended)
            return
        self._event(event)
        if self._answer.broken is not None and not self._ended:
            self._fail(unreadable(self._answer.broken, to=self._to))

    def _unusual(self, payload: bytes) -> None:
        """Events nobody knows are passed over; an object that is no event is an error told as one."""
        if payload in (b"[DONE]", b""):
            return
        try:
            members = _OBJECT.decode(payload)
            kind = _ANYTHING.decode(members["type"]) if "type" in members else None
            source = _ANYTHING.decode(payload)
        except _NOT_JSON:
            self._fail(unreadable("an event that is not JSON", to=self._to))
            return
        if kind is None:
            self._fail(no_answer(source, to=self._to))
        elif isinstance(kind, str) and kind in _KNOWN:
            self._fail(unreadable("an event that is not as Cohere has it", to=self._to))

    def _event(self, event: Event) -> None:
        answer = self._answer
        if isinstance(event, ContentDelta | ContentStart):
            part = (event.delta.message if event.delta is not None else None) or _NOTHING
            told = answer.content(event.index, part.content) if part.content is not None else None
            self._tell(told, event.logprobs if isinstance(event, ContentDelta) else None)
        elif isinstance(event, ToolCallDelta | ToolCallStart | ToolPlanDelta | CitationStart):
            piece = (event.delta.message if event.delta is not None else None) or _NOTHING
            self._piece(event, piece)
        elif isinstance(event, ToolCallEnd):
            self._tell(answer.call_end(event.index))
        elif isinstance(event, MessageStart):
            self._tell(Delta() if not self._begun else None, message=event.id)
        elif isinstance(event, MessageEnd):
            self._end(event)

    def _piece(self, event: ToolCallDelta | ToolCallStart | ToolPlanDelta | CitationStart, piece: MessagePiece) -> None:
        answer, call = self._answer, piece.tool_calls
        if isinstance(event, ToolPlanDelta):
            self._tell(answer.plan(piece.tool_plan or ""))
        elif isinstance(event, CitationStart):
            self._tell(answer.citation(piece.citations) if piece.citations is not None else None)
        elif call is not None and isinstance(event, ToolCallStart):
            self._tell(answer.call(event.index, call))
        elif call is not None and call.function is not None:
            self._tell(answer.arguments(event.index, call.function.arguments or ""))

    def _end(self, event: MessageEnd) -> None:
        delta = event.delta
        raw = delta.finish_reason if delta is not None else None
        if raw is None and (delta is None or not delta.error):  # no reason, no end: the stream counts as cut
            self._ended = True
            self._told.append(Chunk([], usage=usage_of(delta.usage) if delta is not None else None, done=True))
            return
        finish = self._answer.finish(raw)
        if finish is None or (delta is not None and delta.error):
            self._fail(broken_off(raw, self._answer.broken, delta.error if delta is not None else None, to=self._to))
            return
        self._finished = self._ended = True
        self._tell(Delta(), finish=finish, raw=raw)
        chunk = self._told[-1]
        chunk.usage = usage_of(delta.usage) if delta is not None else None
        chunk.done = True

    def _tell(
        self,
        delta: Delta | None,
        logprobs: Logprobs | None = None,
        *,
        message: str | None = None,
        finish: str | None = None,
        raw: str | None = None,
    ) -> None:
        if delta is None and logprobs is None:
            return
        delta = delta or Delta()
        if not self._begun:
            self._begun = True
            delta.role = "assistant"
        told = logprobs_of([logprobs]) if logprobs is not None else None
        self._told.append(Chunk([ChoiceDelta(0, delta, told, finish, raw)], id=message))

    def _fail(self, error: UpstreamError) -> None:
        self._ended = True
        self._told.append(Chunk([], error=error))
