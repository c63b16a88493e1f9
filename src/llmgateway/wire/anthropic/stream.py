"""Decodes the event stream of messages into chunks.

The type inside an event decides, not the name before it. Pings and events of types nobody knows are passed over, as the
API's versioning asks for (platform.claude.com/docs/en/api/versioning).
"""

from typing import Final

import msgspec
from msgspec import Raw, Struct

from llmgateway.domain.reply import ChoiceDelta, Chunk, Delta
from llmgateway.domain.routing import Deployment
from llmgateway.domain.usage import Usage
from llmgateway.wire.anthropic.blocks import Blocks, Growth, Mode, block_of
from llmgateway.wire.anthropic.errors import told_error
from llmgateway.wire.anthropic.finish import finishing
from llmgateway.wire.anthropic.usage import ReportedUsage, continued, read_reported, served_tier, usage_of
from llmgateway.wire.decoding import EventDecoder
from llmgateway.wire.errors import unreadable
from llmgateway.wire.spans import NULL, is_null, text_of, value_of, without_lone_surrogates


class _Event(Struct):
    type: str = ""
    index: int | None = None
    delta: Growth | None = None
    content_block: Raw = NULL
    message: Raw = NULL
    usage: Raw = NULL
    error: Raw = NULL


class _Head(Struct):
    """The message as it begins. Every member is read on its own, so that one odd one spoils nothing."""

    id: Raw = NULL
    model: Raw = NULL
    usage: Raw = NULL


_EVENT: Final = msgspec.json.Decoder(_Event)
_HEAD: Final = msgspec.json.Decoder(_Head)
_SPANS: Final = msgspec.json.Decoder(dict[str, Raw])
_UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_KNOWN: Final = frozenset((
    "message_start", "content_block_start", "content_block_delta", "content_block_stop", "message_delta",
    "message_stop", "error",
))  # fmt: skip


class MessagesDecoder(EventDecoder):
    """`feed` bytes as they come, `close` at the end; chunks out. A chunk with `error` or `done` is the last one."""

    def __init__(self, *, to: Deployment, mode: Mode) -> None:
        super().__init__(to=to)
        self._mode = mode
        self._blocks = Blocks(mode)
        self._reported: ReportedUsage | None = None
        self._started = False
        self._finished = False

    @property
    def finished(self) -> bool:
        """The reason to stop was told."""
        return self._finished

    def _event(self, payload: bytes, chunks: list[Chunk]) -> None:
        try:
            event = _EVENT.decode(payload)
        except _UNREADABLE:
            self._odd_event(payload, chunks)
            return
        kind, delta = event.type, event.delta
        if kind == "content_block_delta":
            if delta is not None:
                self._tell(self._blocks.grow(event.index or 0, delta), chunks)
        elif kind == "content_block_start":
            block = block_of(event.content_block)
            if block is None:
                self._fail(unreadable("a content block that is none", to=self._to), chunks)
                return
            self._tell(self._blocks.open(event.index or 0, block), chunks)
        elif kind == "content_block_stop":
            self._tell(self._blocks.close(event.index or 0), chunks)
        else:
            self._message_event(event, chunks)
        if self._blocks.broken is not None:
            self._fail(unreadable(self._blocks.broken, to=self._to), chunks)

    def _message_event(self, event: _Event, chunks: list[Chunk]) -> None:
        kind = event.type
        if kind == "message_delta":
            self._end(event, chunks)
        elif kind == "message_start":
            self._begin(event, chunks)
        elif kind == "message_stop":
            self._ended = True
            chunks.append(Chunk([], done=True))
        elif kind == "error" or not is_null(event.error):
            self._fail(told_error(value_of(event.error), to=self._to), chunks)

    def _tell(self, delta: Delta | None, chunks: list[Chunk]) -> None:
        if delta is None:
            return
        if not self._started:
            self._started = True
            delta.role = "assistant"
        chunks.append(Chunk([ChoiceDelta(0, delta)]))

    def _begin(self, event: _Event, chunks: list[Chunk]) -> None:
        if self._started:
            return
        try:
            head = _HEAD.decode(event.message)
        except _UNREADABLE:
            head = _Head()
        usage = self._usage(head.usage)
        self._started = True
        tier = served_tier(self._reported)
        chunks.append(
            Chunk(
                [ChoiceDelta(0, Delta(role="assistant"))],
                id=text_of(head.id),
                reported_model=text_of(head.model),
                service_tier=tier,
                usage=usage,
                extra={"service_tier": Raw(msgspec.json.encode(tier))} if tier is not None else None,
            )
        )

    def _end(self, event: _Event, chunks: list[Chunk]) -> None:
        """The reason to stop, and the final figures; either may come alone."""
        usage = self._usage(event.usage)
        delta = event.delta
        choices: list[ChoiceDelta] = []
        if delta is not None and delta.stop_reason and not self._finished:
            self._finished = True
            choice = finishing(self._blocks, delta.stop_reason, delta.stop_details, functions=self._mode.functions)
            if not self._started:
                self._started = True
                choice.delta.role = "assistant"
            choices.append(choice)
        if choices or usage is not None:
            chunks.append(Chunk(choices, usage=usage))

    def _usage(self, span: Raw) -> Usage | None:
        reported = read_reported(span)
        if reported is None:
            return None
        self._reported = continued(self._reported, reported)
        return usage_of(self._reported)

    def _odd_event(self, payload: bytes, chunks: list[Chunk]) -> None:
        """Not an event as they are known: half a character is mended, a type nobody knows may look like anything."""
        mended = without_lone_surrogates(payload)
        if mended is not None:
            self._event(mended, chunks)
            return
        text = payload.strip()
        if text == b"[DONE]":
            self._ended = True
            chunks.append(Chunk([], done=True))
            return
        if not text:
            return
        try:
            top = _SPANS.decode(text)
        except _UNREADABLE:
            self._fail(unreadable("an event that is not a JSON object", to=self._to), chunks)
            return
        kind = text_of(top.get("type"))
        if kind is None or kind in _KNOWN:
            self._fail(unreadable("an event with a member of the wrong type", to=self._to), chunks)
