"""Reads a whole converse answer: the blocks, told one after the other and folded into one chunk."""

from typing import Final

import msgspec
from msgspec import Raw

from llmgateway.domain.chat import Chat
from llmgateway.domain.reply import ChoiceDelta, Chunk, Delta, Fold
from llmgateway.domain.routing import Deployment
from llmgateway.wire.bedrock.answer import Answer, arguments_of
from llmgateway.wire.bedrock.errors import in_band
from llmgateway.wire.bedrock.shapes import Block, Response
from llmgateway.wire.bedrock.usage import usage_of
from llmgateway.wire.errors import unreadable
from llmgateway.wire.spans import value_of, without_lone_surrogates

_RESPONSE: Final = msgspec.json.Decoder(Response)
_NOT_JSON: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def read_whole(body: bytes, *, chat: Chat, to: Deployment) -> Chunk:
    """The answer as one chunk. Raises UpstreamError for an error inside a 200 and for anything that is no answer."""
    response = _decoded(body, to=to)
    message = response.output.message if response.output is not None else None
    if message is None or message.content is None:
        raise in_band(value_of(Raw(body)), to=to) or unreadable("an object without a message", to=to)
    answer, fold = Answer(chat=chat, to=to), Fold()
    for index, block in enumerate(message.content):
        for delta in _deltas(answer, index, block):
            fold.add(Chunk([ChoiceDelta(0, delta)]))
    finish = answer.finish(response.stopReason)
    if answer.broken is not None or finish is None:
        raise unreadable(answer.broken or "no finish reason", to=to)
    chunk = fold.response()
    choice = chunk.choices[0] if chunk.choices else ChoiceDelta(0, Delta(role="assistant", content=None))
    choice.finish_reason, choice.raw_finish_reason = finish, response.stopReason
    chunk.choices = [choice]
    chunk.usage = usage_of(response.usage)
    chunk.service_tier = response.serviceTier.type if response.serviceTier is not None else None
    router = response.trace.promptRouter if response.trace is not None else None
    chunk.reported_model = router.invokedModelId if router is not None else None
    return chunk


def _decoded(body: bytes, *, to: Deployment) -> Response:
    body = body.removeprefix(b"\xef\xbb\xbf")
    try:
        if not body.isascii():
            body.decode()
        return _RESPONSE.decode(body)
    except _NOT_JSON:
        mended = without_lone_surrogates(body)
        if mended is None:
            raise unreadable("a body that is not a converse answer", to=to) from None
        return _decoded(mended, to=to)


def _deltas(answer: Answer, index: int, block: Block) -> list[Delta]:
    told: list[Delta | None] = []
    if block.text is not None:
        told.append(answer.text(index, block.text))
    if block.reasoningContent is not None:
        told.append(answer.reasoning(index, block.reasoningContent))
    if block.toolUse is not None:
        told.append(answer.tool(index, block.toolUse))
        told.append(answer.arguments(index, arguments_of(block.toolUse.input)))
    if block.citationsContent is not None:
        told += [answer.text(index, piece.text or "") for piece in block.citationsContent.content or ()]
        for citation in block.citationsContent.citations or ():
            answer.citation(citation)
    if block.image is not None and block.image.source is not None:
        answer.image(kind=block.image.format, data=block.image.source.bytes)
    told.append(answer.end(index))
    return [delta for delta in told if delta is not None]
