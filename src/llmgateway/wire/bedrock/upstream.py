"""Bedrock converse as an upstream. Its requests are signed, or carry a bearer key, outside of here."""

from collections.abc import Sequence

from llmgateway.domain.chat import Chat
from llmgateway.domain.errors import UpstreamError
from llmgateway.domain.reply import Chunk
from llmgateway.domain.routing import Deployment, HttpRequest
from llmgateway.wire.bedrock.build import build_request
from llmgateway.wire.bedrock.errors import error_of
from llmgateway.wire.bedrock.stream import ConverseDecoder
from llmgateway.wire.bedrock.whole import read_whole
from llmgateway.wire.upstream import Decoder


class Bedrock:
    """Implements `Upstream`."""

    stream_type = b"application/vnd.amazon.eventstream"

    def build(self, chat: Chat, *, to: Deployment) -> tuple[HttpRequest, tuple[str, ...]]:
        return build_request(chat, to=to)

    def whole(self, body: bytes, *, chat: Chat, to: Deployment) -> Chunk:
        return read_whole(body, chat=chat, to=to)

    def decoder(self, *, chat: Chat, to: Deployment) -> Decoder:
        return ConverseDecoder(chat=chat, to=to)

    def error(
        self, status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes, *, to: Deployment
    ) -> UpstreamError:
        return error_of(status, headers, body, to=to)
