"""What decoders of server-sent events share: from bytes to payloads, until the answer has ended or failed."""

from abc import ABC, abstractmethod

from llmgateway.domain.errors import UpstreamError
from llmgateway.domain.reply import Chunk
from llmgateway.domain.routing import Deployment
from llmgateway.wire.errors import unreadable
from llmgateway.wire.sse import EventReader, EventTooLarge


class EventDecoder(ABC):
    """`feed` bytes as they come, `close` at the end; chunks out. A chunk with `error` or `done` is the last one.

    What a payload means is the protocol's: `_event` tells it, and sets `_ended` behind the last.
    """

    def __init__(self, *, to: Deployment) -> None:
        self._to = to
        self._events = EventReader()
        self._ended = False

    def feed(self, data: bytes) -> list[Chunk]:
        chunks: list[Chunk] = []
        if self._ended:
            return chunks
        try:
            payloads = self._events.feed(data)
        except EventTooLarge:
            self._fail(unreadable("an event of more than 16 MiB", to=self._to), chunks)
            return chunks
        for payload in payloads:
            self._event(payload, chunks)
            if self._ended:
                break
        return chunks

    def close(self) -> list[Chunk]:
        """What an event without its blank line still holds."""
        chunks: list[Chunk] = []
        if not self._ended:
            for payload in self._events.close():
                self._event(payload, chunks)
        return chunks

    @abstractmethod
    def _event(self, payload: bytes, chunks: list[Chunk]) -> None:
        """Adds what one event tells."""

    def _fail(self, error: UpstreamError, chunks: list[Chunk]) -> None:
        self._ended = True
        chunks.append(Chunk([], error=error))
