"""The OpenAI chat protocol as an upstream."""

from collections.abc import Sequence

from llmgateway.domain.chat import Chat
from llmgateway.domain.errors import UpstreamError
from llmgateway.domain.reply import Chunk
from llmgateway.domain.routing import Deployment, HttpRequest
from llmgateway.wire.openai_chat.build import build_request
from llmgateway.wire.openai_chat.errors import read_error
from llmgateway.wire.openai_chat.stream import ChatDecoder
from llmgateway.wire.openai_chat.whole import read_whole
from llmgateway.wire.tags import TaggedDecoder, untagged, variant_of
from llmgateway.wire.upstream import Decoder


class OpenAIChat:
    """Implements `Upstream`."""

    stream_type = b"text/event-stream"

    def build(self, chat: Chat, *, to: Deployment) -> tuple[HttpRequest, tuple[str, ...]]:
        return build_request(chat, to=to)

    def whole(self, body: bytes, *, chat: Chat, to: Deployment) -> Chunk:
        chunk = read_whole(body, to=to, functions=bool(chat.request.functions), indexed=chat.streamed)
        variant = variant_of(to) if to.provider.quirks else None
        return chunk if variant is None else untagged(chunk, variant)

    def decoder(self, *, chat: Chat, to: Deployment) -> Decoder:
        functions = bool(chat.request.functions)
        variant = variant_of(to) if to.provider.quirks else None
        if variant is not None:
            return TaggedDecoder(ChatDecoder(to=to, functions=functions), variant)
        return ChatDecoder(to=to, functions=functions, native=to.provider.clean and chat.streamed)

    def error(
        self, status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes, *, to: Deployment
    ) -> UpstreamError:
        return read_error(status, headers, body, to=to)
