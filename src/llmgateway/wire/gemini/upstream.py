"""Google's generateContent protocol as an upstream."""

from collections.abc import Sequence

from llmgateway.domain.chat import Chat
from llmgateway.domain.errors import UpstreamError
from llmgateway.domain.reply import Chunk
from llmgateway.domain.routing import Deployment, HttpRequest
from llmgateway.wire.gemini.build import build_request
from llmgateway.wire.gemini.errors import read_refusal
from llmgateway.wire.gemini.stream import GeminiDecoder
from llmgateway.wire.gemini.whole import read_whole
from llmgateway.wire.upstream import Decoder


class Gemini:
    """Implements `Upstream`. Streams want `:streamGenerateContent?alt=sse`; without `alt` they are read, too."""

    stream_type = b"text/event-stream"

    def build(self, chat: Chat, *, to: Deployment) -> tuple[HttpRequest, tuple[str, ...]]:
        return build_request(chat, to=to)

    def whole(self, body: bytes, *, chat: Chat, to: Deployment) -> Chunk:
        return read_whole(body, chat=chat, to=to)

    def decoder(self, *, chat: Chat, to: Deployment) -> Decoder:
        return GeminiDecoder(chat=chat, to=to)

    def error(
        self, status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes, *, to: Deployment
    ) -> UpstreamError:
        return read_refusal(status, headers, body, to=to)
