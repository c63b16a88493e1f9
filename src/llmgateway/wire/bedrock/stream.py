"""Decodes converse-stream: frames of the AWS event stream into chunks.

Text blocks begin without a start, every event is padded by a member `p`, and the usage comes in a last event behind the
one that says why the model stopped. An exception frame, or bytes that are no frame, end the stream with an error.
"""

from collections.abc import Callable
from typing import Any, Final

import msgspec
from msgspec import Raw

from llmgateway.domain.chat import Chat
from llmgateway.domain.errors import UpstreamError
from llmgateway.domain.reply import ChoiceDelta, Chunk, Delta
from llmgateway.domain.routing import Deployment
from llmgateway.wire.bedrock.answer import Answer, piece_of
from llmgateway.wire.bedrock.errors import in_band
from llmgateway.wire.bedrock.shapes import (
    BlockDelta,
    BlockDeltaEvent,
    BlockStartEvent,
    BlockStopEvent,
    MessageStopEvent,
    MetadataEvent,
)
from llmgateway.wire.bedrock.usage import usage_of
from llmgateway.wire.errors import unreadable
from llmgateway.wire.eventstream import Frame, FrameReader
from llmgateway.wire.spans import value_of, without_lone_surrogates

_DELTA: Final = msgspec.json.Decoder(BlockDeltaEvent)
_START: Final = msgspec.json.Decoder(BlockStartEvent)
_STOP: Final = msgspec.json.Decoder(BlockStopEvent)
_MESSAGE_STOP: Final = msgspec.json.Decoder(MessageStopEvent)
_METADATA: Final = msgspec.json.Decoder(MetadataEvent)
_NOT_JSON: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class ConverseDecoder:
    """`feed` bytes as they come, `close` at the end; chunks out. A chunk with `error` or `done` is the last one."""

    def __init__(self, *, chat: Chat, to: Deployment) -> None:
        self._to = to
        self._frames = FrameReader()
        self._answer = Answer(chat=chat, to=to)
        self._told: list[Chunk] = []
        self._begun = False
        self._open: int | None = None
        self._finished = False
        self._ended = False
        self._readers: dict[str, Callable[[bytes], None]] = {
            "messageStart": self._message_start,
            "contentBlockStart": self._start,
            "contentBlockDelta": self._delta,
            "contentBlockStop": self._stop,
            "messageStop": self._message_stop,
            "metadata": self._metadata,
        }

    @property
    def finished(self) -> bool:
        return self._finished

    def feed(self, data: bytes) -> list[Chunk]:
        if self._ended:
            return []
        chunks = self._told = []
        for frame in self._frames.feed(data):
            self._read(frame)
            if self._ended:
                return chunks
        if self._frames.broken is not None:
            self._fail(unreadable(self._frames.broken, to=self._to))
        return chunks

    def close(self) -> list[Chunk]:
        self._told = []
        if not self._ended and not self._frames.between_frames:
            self._fail(unreadable("a stream that ends within a frame", to=self._to))
        return self._told

    def _read(self, frame: Frame) -> None:
        headers = frame.headers
        reader = self._readers.get(headers.get(":event-type", ""))
        if reader is None or headers.get(":message-type", "event") != "event":
            self._unusual(frame)
            return
        try:
            reader(frame.payload)
        except _NOT_JSON:
            mended = without_lone_surrogates(frame.payload)
            if mended is None:
                self._fail(unreadable("an event that is not as converse has it", to=self._to))
            else:
                self._read(Frame(headers, mended))
        if self._answer.broken is not None and not self._ended:
            self._fail(unreadable(self._answer.broken, to=self._to))

    def _unusual(self, frame: Frame) -> None:
        """Exceptions that the service models, errors that it does not; events nobody knows are passed over."""
        headers = frame.headers
        kind = headers.get(":exception-type") or headers.get(":error-code")
        if kind is None and headers.get(":message-type", "event") == "event":
            return
        source = value_of(Raw(frame.payload)) if frame.payload else None
        said: dict[str, Any] = {"message": headers.get(":error-message")}
        if isinstance(source, dict):
            said.update(source)  # pyright: ignore[reportUnknownArgumentType]  # JSON of a provider
        error = in_band(said, to=self._to, kind=kind or "")
        self._fail(error or unreadable("an exception without a name", to=self._to))

    def _fail(self, error: UpstreamError) -> None:
        self._ended = True
        self._told.append(Chunk([], error=error))

    def _tell(self, delta: Delta | None, finish: str | None = None, raw: str | None = None) -> None:
        if delta is None:
            return
        if not self._begun:
            self._begun = True
            delta.role = "assistant"
        self._told.append(Chunk([ChoiceDelta(0, delta, None, finish, raw)]))

    def _message_start(self, _: bytes) -> None:
        if not self._begun:
            self._tell(Delta())

    def _start(self, payload: bytes) -> None:
        event = _START.decode(payload)
        self._enter(event.contentBlockIndex)
        if event.start.image is not None:
            self._answer.image(kind=event.start.image.format)
        if event.start.toolUse is not None:
            self._tell(self._answer.tool(event.contentBlockIndex, event.start.toolUse))

    def _delta(self, payload: bytes) -> None:
        if not payload.isascii():
            payload.decode()
        event = _DELTA.decode(payload)
        index, delta = event.contentBlockIndex, event.delta
        if index != self._open:
            self._enter(index)
        if delta.text is not None:
            self._tell(self._answer.text(index, delta.text))
        else:
            self._tell(self._other(index, delta))

    def _other(self, index: int, delta: BlockDelta) -> Delta | None:
        answer = self._answer
        if delta.toolUse is not None:
            return answer.arguments(index, piece_of(delta.toolUse.input))
        if delta.reasoningContent is not None:
            return answer.reasoning(index, delta.reasoningContent)
        if delta.citation is not None:
            answer.citation(delta.citation)
        elif delta.image is not None and delta.image.source is not None:
            answer.image(data=delta.image.source.bytes)
        return None

    def _enter(self, index: int) -> None:
        """A block begins; one that nobody closed ends with it."""
        if self._open is not None and self._open != index:
            self._leave(self._open)
        self._open = index

    def _leave(self, index: int) -> None:
        self._open = None
        self._tell(self._answer.end(index))

    def _stop(self, payload: bytes) -> None:
        self._leave(_STOP.decode(payload).contentBlockIndex)

    def _message_stop(self, payload: bytes) -> None:
        raw = _MESSAGE_STOP.decode(payload).stopReason
        if self._open is not None:
            self._leave(self._open)
        finish = self._answer.finish(raw)
        if finish is not None and not self._finished:
            self._finished = True
            self._tell(Delta(), finish, raw)

    def _metadata(self, payload: bytes) -> None:
        """The last event, unless the model has not yet said why it stopped."""
        event = _METADATA.decode(payload)
        self._ended = self._finished
        router = event.trace.promptRouter if event.trace is not None else None
        self._told.append(
            Chunk(
                [],
                usage=usage_of(event.usage),
                service_tier=event.serviceTier.type if event.serviceTier is not None else None,
                reported_model=router.invokedModelId if router is not None else None,
                done=self._finished,
            )
        )
