"""The OpenAI chat protocol as an upstream."""

from collections.abc import Sequence

from llmgateway.domain.chat import Chat
from llmgateway.domain.errors import UpstreamError
from llmgateway.domain.reply import Chunk
from llmgateway.domain.routing import Deployment
from llmgateway.wire.errors import read_error
from llmgateway.wire.openai_chat.build import build_request
from llmgateway.wire.openai_chat.citations import QUIRK as CITATIONS
from llmgateway.wire.openai_chat.citations import CitingDecoder, cited
from llmgateway.wire.openai_chat.stream import ChatDecoder
from llmgateway.wire.openai_chat.whole import read_whole
from llmgateway.wire.tags import TaggedDecoder, untagged, variant_of
from llmgateway.wire.upstream import Decoder


class OpenAIChat:
    """Implements `Upstream`."""

    stream_type = b"text/event-stream"

    build = staticmethod(build_request)

    def whole(self, body: bytes, *, chat: Chat, to: Deployment) -> Chunk:
        request, quirks = chat.request, to.provider.quirks
        variant, cites = (variant_of(to), CITATIONS in quirks) if quirks else (None, False)
        heals = request.response_format is not None or request.plugins is not None
        forwards = variant is None and not cites and not heals and not chat.streamed
        chunk = read_whole(body, to=to, functions=bool(request.functions), indexed=chat.streamed, forwards=forwards)
        if variant is not None:
            chunk = untagged(chunk, variant)
        return cited(chunk) if cites else chunk

    def decoder(self, *, chat: Chat, to: Deployment) -> Decoder:
        functions, quirks = bool(chat.request.functions), to.provider.quirks
        variant, cites = (variant_of(to), CITATIONS in quirks) if quirks else (None, False)
        forwards = chat.streamed and variant is None and not cites
        decoder: Decoder = ChatDecoder(
            to=to, functions=functions, native=to.provider.clean and forwards, streamed=forwards
        )
        if variant is not None:
            decoder = TaggedDecoder(decoder, variant)
        return CitingDecoder(decoder) if cites else decoder

    def error(
        self, status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes, *, to: Deployment
    ) -> UpstreamError:
        return read_error(status, headers, body, to=to)
