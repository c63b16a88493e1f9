"""What an upstream codec is: the only thing the engine knows of a provider's protocol."""

from collections.abc import Sequence
from typing import Protocol

from llmgateway.domain.chat import Chat
from llmgateway.domain.errors import UpstreamError
from llmgateway.domain.reply import Chunk
from llmgateway.domain.routing import Deployment, HttpRequest


class Decoder(Protocol):
    """Feed bytes as they come, get chunks; any split of the bytes gives the same chunks. Never raises."""

    @property
    def finished(self) -> bool:
        """Every choice that began has its finish reason."""
        ...

    def feed(self, data: bytes) -> list[Chunk]: ...

    def close(self) -> list[Chunk]: ...


class Upstream(Protocol):
    """A wire protocol, without I/O. `stream_type`: the content type of its streamed answers."""

    stream_type: bytes

    def build(self, chat: Chat, *, to: Deployment) -> tuple[HttpRequest, tuple[str, ...]]:
        """The request, and the parameters that were left out."""
        ...

    def whole(self, body: bytes, *, chat: Chat, to: Deployment) -> Chunk:
        """A whole answer as one chunk. Raises UpstreamError."""
        ...

    def decoder(self, *, chat: Chat, to: Deployment) -> Decoder: ...

    def error(
        self, status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes, *, to: Deployment
    ) -> UpstreamError:
        """What a non-2xx answer means."""
        ...
