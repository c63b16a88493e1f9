"""Cohere's v2 chat as an upstream."""

from collections.abc import Sequence

from llmgateway.domain.chat import Chat
from llmgateway.domain.errors import UpstreamError
from llmgateway.domain.reply import Chunk
from llmgateway.domain.routing import Deployment, HttpRequest
from llmgateway.wire.cohere.build import build_request
from llmgateway.wire.cohere.stream import CohereDecoder
from llmgateway.wire.cohere.whole import read_whole
from llmgateway.wire.errors import read_error
from llmgateway.wire.upstream import Decoder


class Cohere:
    """Implements `Upstream`."""

    stream_type = b"text/event-stream"

    def build(self, chat: Chat, *, to: Deployment) -> tuple[HttpRequest, tuple[str, ...]]:
        return build_request(chat, to=to)

    def whole(self, body: bytes, *, chat: Chat, to: Deployment) -> Chunk:
        return read_whole(body, chat=chat, to=to)

    def decoder(self, *, chat: Chat, to: Deployment) -> Decoder:
        return CohereDecoder(chat=chat, to=to)

    def error(
        self, status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes, *, to: Deployment
    ) -> UpstreamError:
        return read_error(status, headers, body, to=to)
