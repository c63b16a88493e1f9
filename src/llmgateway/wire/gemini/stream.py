"""Decodes an answer as it arrives: an event stream, or the JSON array that Google sends without `alt=sse`.

There is no end mark: an answer is complete when every candidate has a finish reason and the stream closes. Finish
reasons are therefore told at the end, with the usage that only the last event has. Where the caller wants a stream,
runs of plain text are told in one step.
"""

from typing import Final

import msgspec
from msgspec import Raw

from llmgateway.domain.chat import Chat
from llmgateway.domain.errors import UpstreamError
from llmgateway.domain.reply import Chunk
from llmgateway.domain.routing import Deployment
from llmgateway.wire.errors import unreadable
from llmgateway.wire.gemini.answer import Event, Unreadable, read_event
from llmgateway.wire.gemini.candidates import Candidates
from llmgateway.wire.gemini.errors import read_failure
from llmgateway.wire.gemini.families import family_of
from llmgateway.wire.gemini.framing import MAX_BYTES, ObjectReader
from llmgateway.wire.gemini.plain import read_plain
from llmgateway.wire.gemini.usage import ReportedUsage, continued, last_of, tier_of, usage_of
from llmgateway.wire.spans import NULL, is_null
from llmgateway.wire.sse import EventReader, EventTooLarge

_BOM: Final = b"\xef\xbb\xbf"
_NOTHING: Final = (None,) * 5
_PLAIN_TRIES: Final = 2


class GeminiDecoder:
    """Implements `Decoder`. `whole`: the answer is here as a whole, so that its text may be searched."""

    def __init__(self, *, chat: Chat, to: Deployment, whole: bool = False) -> None:
        audio = chat.request.audio
        places = whole or "web_search" in chat.traits.needs
        self._to = to
        self._head = b""
        self._frames: EventReader | ObjectReader | None = None
        self._candidates = Candidates(
            functions=bool(chat.request.functions),
            places=places,
            searches=family_of(to.mapping.upstream).searches,
            wav=audio is not None and audio.format == "wav",
        )
        self._reported: ReportedUsage | None = None
        self._name: tuple[str | None, str | None] | None = None
        self._named = False
        self._ended = False
        self._forwards = chat.streamed and not places
        self._in_text = False
        self._plain_tries = _PLAIN_TRIES

    @property
    def finished(self) -> bool:
        """Every candidate that began has its finish reason."""
        return self._candidates.all_finished

    def feed(self, data: bytes) -> list[Chunk]:
        chunks: list[Chunk] = []
        if self._frames is None:
            data = self._begin(data)
        if self._frames is None or self._ended:
            return chunks
        try:
            payloads = self._frames.feed(data)
        except EventTooLarge:
            self._fail(
                unreadable(f"an event of more than {MAX_BYTES >> 20} MiB, or nested too deeply", to=self._to), chunks
            )
            return chunks
        place = 0
        while place < len(payloads) and not self._ended:
            taken = self._plain(payloads, place, chunks) if self._in_text and self._plain_tries else 0
            if not taken:
                self.read(payloads[place], chunks)
            place += taken or 1
        return chunks

    def close(self) -> list[Chunk]:
        """The last event, if it lacks its end, and how the answer ended."""
        chunks: list[Chunk] = []
        for payload in self._frames.close() if self._frames is not None and not self._ended else ():
            self.read(payload, chunks)
        if not self._ended:
            self.end(chunks)
        return chunks

    def complete(self) -> None:
        """An answer that did not come in pieces needs no finish reason to be whole."""
        self._candidates.complete()

    def read(self, payload: bytes, chunks: list[Chunk]) -> None:
        """One object of the answer."""
        try:
            event = read_event(payload)
        except Unreadable as what:
            if payload.strip() not in (b"", b"[DONE]"):
                self._fail(unreadable(str(what), to=self._to), chunks)
            return
        if (event.candidates is None or event.error is not NULL) and (failure := self._failure(event)) is not None:
            self._fail(failure, chunks)
            return
        told = self._candidates.read(event.candidates or [], event.promptFeedback)
        self._in_text = self._forwards and len(told) == 1 and told[0].index == 0 and bool(told[0].delta.content)
        chunk = Chunk(told)
        if self._candidates.broken is not None:
            self._fail(unreadable(self._candidates.broken, to=self._to), chunks)
            return
        if event.usageMetadata is not None:
            self._reported = continued(self._reported, event.usageMetadata)
            chunk.usage = usage_of(self._reported)
        if self._name is None:
            self._name = (event.responseId or None, event.modelVersion or None)
        self._tell(chunk, chunks)

    def _plain(self, payloads: list[bytes], begin: int, chunks: list[Chunk]) -> int:
        """Tells the events from there on that are nothing but more text of choice 0, which has begun.

        Streams in which text never is plain are left alone after a few of them.
        """
        taken, wire, reported = read_plain(payloads, begin=begin)
        self._plain_tries = _PLAIN_TRIES if taken else self._plain_tries - 1
        self._in_text = begin + taken == len(payloads)
        if wire is not None:
            chunks.append(Chunk([], wire=wire))
        if reported:
            self._reported = continued(self._reported, last_of(reported))
            usage = usage_of(self._reported)
            if usage is not None:
                chunks.append(Chunk([], usage=usage))
        return taken

    def end(self, chunks: list[Chunk]) -> None:
        """Finish reasons, citations, searches and the tier that served."""
        self._ended = True
        chunk = Chunk(self._candidates.close(), done=self._candidates.all_finished)
        reported = self._reported
        if reported is not None:
            chunk.usage = usage_of(reported, web_searches=self._candidates.web_searches)
            chunk.service_tier = tier_of(reported)
            if chunk.service_tier is not None:
                chunk.extra = {"service_tier": Raw(msgspec.json.encode(chunk.service_tier))}
        if self._candidates.broken is not None:
            chunk.choices, chunk.done = [], False
            chunk.error = unreadable(self._candidates.broken, to=self._to)
        self._tell(chunk, chunks)

    def _tell(self, chunk: Chunk, chunks: list[Chunk]) -> None:
        """Id and model stand in the first chunk with choices, which is the first that a client sees."""
        if chunk.choices and not self._named and self._name is not None:
            self._named = True
            chunk.id, chunk.reported_model = self._name
        if chunk.choices or chunk.usage is not None or chunk.error is not None:
            chunks.append(chunk)

    def _begin(self, data: bytes) -> bytes:
        """Which of both framings it is shows in the first character; white space and a mark may stand before it."""
        head = (self._head + data).lstrip()
        if len(head) < len(_BOM) and _BOM.startswith(head):
            self._head = head
            return b""
        head = head.removeprefix(_BOM).lstrip()
        self._head = _BOM if not head else b""
        if head:
            self._frames = ObjectReader() if head.startswith((b"[", b"{")) else EventReader(limit=MAX_BYTES)
        return head

    def _failure(self, event: Event) -> UpstreamError | None:
        if not is_null(event.error):
            return read_failure(bytes(event.error), to=self._to)
        told = (event.candidates, event.usageMetadata, event.promptFeedback, event.responseId, event.modelVersion)
        return unreadable("an object that is not an answer", to=self._to) if told == _NOTHING else None

    def _fail(self, error: UpstreamError, chunks: list[Chunk]) -> None:
        self._ended = True
        chunks.append(Chunk([], error=error))
