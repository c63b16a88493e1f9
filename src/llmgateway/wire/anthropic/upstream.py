"""The Anthropic messages protocol as an upstream."""

from collections.abc import Sequence

from llmgateway.domain.chat import Chat
from llmgateway.domain.errors import UpstreamError
from llmgateway.domain.reply import Chunk
from llmgateway.domain.routing import Deployment, HttpRequest
from llmgateway.wire.anthropic.blocks import Mode
from llmgateway.wire.anthropic.build import build_request
from llmgateway.wire.anthropic.errors import http_error
from llmgateway.wire.anthropic.stream import MessagesDecoder
from llmgateway.wire.anthropic.vocabulary import answer_tool, emulates
from llmgateway.wire.anthropic.whole import read_whole
from llmgateway.wire.upstream import Decoder


class Anthropic:
    """Implements `Upstream`."""

    stream_type = b"text/event-stream"

    def build(self, chat: Chat, *, to: Deployment) -> tuple[HttpRequest, tuple[str, ...]]:
        return build_request(chat, to=to)

    def whole(self, body: bytes, *, chat: Chat, to: Deployment) -> Chunk:
        return read_whole(body, to=to, mode=_mode(chat, to))

    def decoder(self, *, chat: Chat, to: Deployment) -> Decoder:
        return MessagesDecoder(to=to, mode=_mode(chat, to))

    def error(
        self, status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes, *, to: Deployment
    ) -> UpstreamError:
        return http_error(status, headers, body, to=to)


def _mode(chat: Chat, to: Deployment) -> Mode:
    request = chat.request
    return Mode(
        answer_tool=answer_tool(chat) if emulates(chat, to=to) == "tool" else None,
        functions=bool(request.functions) and not request.tools,
    )
