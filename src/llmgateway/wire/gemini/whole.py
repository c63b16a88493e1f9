"""Reads a whole answer: one object, the array of a stream without `alt=sse`, or events that call themselves JSON.

It is read as a stream of one and folded, so that there is one way of reading an answer.
"""

from llmgateway.domain.chat import Chat
from llmgateway.domain.errors import STREAM_TRUNCATED, UpstreamError
from llmgateway.domain.reply import Chunk, Fold
from llmgateway.domain.routing import Deployment
from llmgateway.wire.errors import unreadable
from llmgateway.wire.gemini.sound import sized
from llmgateway.wire.gemini.stream import GeminiDecoder


def read_whole(body: bytes, *, chat: Chat, to: Deployment) -> Chunk:
    """The answer as one chunk whose deltas are whole messages. Raises UpstreamError."""
    decoder = GeminiDecoder(chat=chat, to=to, whole=True)
    body = body.removeprefix(b"\xef\xbb\xbf").strip()
    chunks: list[Chunk] = []
    if body.startswith(b"{"):
        decoder.read(body, chunks)
        decoder.complete()
    else:
        chunks = decoder.feed(body)
    chunks += decoder.close()
    fold = Fold()
    for chunk in chunks:
        if chunk.error is not None:
            raise chunk.error
        fold.add(chunk)
    answer = fold.response()
    if not answer.choices:
        raise unreadable("a body that is not a JSON answer" if not chunks else "an answer without candidates", to=to)
    if not decoder.finished:
        raise UpstreamError(
            STREAM_TRUNCATED, f"{to.provider.id} ended its answer without a finish reason.", status_code=200
        )
    for choice in answer.choices:
        if choice.delta.audio and "data" in choice.delta.audio:
            choice.delta.audio["data"] = sized(choice.delta.audio["data"])
    return answer
