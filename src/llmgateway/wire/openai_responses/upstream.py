"""The OpenAI responses protocol as an upstream."""

from collections.abc import Sequence

from llmgateway.domain.chat import Chat
from llmgateway.domain.errors import UpstreamError
from llmgateway.domain.reply import Chunk
from llmgateway.domain.routing import Deployment, HttpRequest
from llmgateway.wire.errors import read_error
from llmgateway.wire.openai_responses.answer import Answer
from llmgateway.wire.openai_responses.build import build_request
from llmgateway.wire.openai_responses.items import reasoning_format
from llmgateway.wire.openai_responses.stream import ResponsesDecoder
from llmgateway.wire.openai_responses.tools import custom_names
from llmgateway.wire.openai_responses.whole import read_whole
from llmgateway.wire.upstream import Decoder


class OpenAIResponses:
    """Implements `Upstream`."""

    stream_type = b"text/event-stream"

    def build(self, chat: Chat, *, to: Deployment) -> tuple[HttpRequest, tuple[str, ...]]:
        return build_request(chat, to=to)

    def whole(self, body: bytes, *, chat: Chat, to: Deployment) -> Chunk:
        return read_whole(body, answer=_answer(chat, to), to=to)

    def decoder(self, *, chat: Chat, to: Deployment) -> Decoder:
        return ResponsesDecoder(answer=_answer(chat, to), to=to)

    def error(
        self, status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes, *, to: Deployment
    ) -> UpstreamError:
        return read_error(status, headers, body, to=to)


def _answer(chat: Chat, to: Deployment) -> Answer:
    return Answer(
        reasoning_format=reasoning_format(to),
        functions=bool(chat.request.functions),
        custom=custom_names(chat),
    )
