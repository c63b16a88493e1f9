"""Reads a whole answer of Cohere: its parts, told one after the other and folded into one chunk."""

from typing import Any, Final

import msgspec
from msgspec import Raw

from llmgateway.domain.chat import Chat
from llmgateway.domain.errors import UPSTREAM_TIMEOUT, UpstreamError
from llmgateway.domain.reply import ChoiceDelta, Chunk, Delta, Fold
from llmgateway.domain.routing import Deployment
from llmgateway.wire.cohere.answer import Answer, logprobs_of
from llmgateway.wire.cohere.shapes import Message, Part, Response
from llmgateway.wire.cohere.usage import usage_of
from llmgateway.wire.errors import in_band_error, scrubbed, unreadable
from llmgateway.wire.spans import value_of, without_lone_surrogates

_RESPONSE: Final = msgspec.json.Decoder(Response)
_NOT_JSON: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def read_whole(body: bytes, *, chat: Chat, to: Deployment) -> Chunk:
    """The answer as one chunk. Raises UpstreamError for an error inside a 200 and for anything that is no answer."""
    response = _decoded(body, to=to)
    if response.message is None:
        raise no_answer(value_of(Raw(body)), to=to)
    answer, fold = Answer(chat=chat), Fold()
    fold.add(Chunk([ChoiceDelta(0, Delta(role="assistant"))]))
    for delta in _deltas(answer, response.message):
        if delta is not None:
            fold.add(Chunk([ChoiceDelta(0, delta)]))
    finish = answer.finish(response.finish_reason)
    if answer.broken is not None or finish is None:
        raise broken_off(response.finish_reason, answer.broken, None, to=to)
    chunk = fold.response()
    choice = chunk.choices[0]
    choice.finish_reason, choice.raw_finish_reason = finish, response.finish_reason
    if response.logprobs:
        choice.logprobs = logprobs_of(response.logprobs)
    chunk.id = response.id or None
    chunk.usage = usage_of(response.usage)
    return chunk


def broken_off(raw: str | None, what: str | None, words: str | None, *, to: Deployment) -> UpstreamError:
    """The error of a model that says it did not finish."""
    if raw == "TIMEOUT":
        return UpstreamError(UPSTREAM_TIMEOUT, f"{to.provider.id} took too long to answer.", status_code=200)
    error = unreadable(what or "no finish reason", to=to)
    if words:
        error.message = f"{to.provider.id}: {scrubbed(words, secret=to.credential.secret)}"
    return error


def no_answer(source: Any, *, to: Deployment) -> UpstreamError:
    """An object that is no answer: an error, or nothing known."""
    if isinstance(source, dict) and (source.get("message") or source.get("error")):  # pyright: ignore[reportUnknownMemberType]  # JSON of a provider
        return in_band_error(source, to=to)
    return unreadable("an object without a message", to=to)


def _decoded(body: bytes, *, to: Deployment) -> Response:
    body = body.removeprefix(b"\xef\xbb\xbf")
    try:
        if not body.isascii():
            body.decode()
        return _RESPONSE.decode(body)
    except _NOT_JSON:
        mended = without_lone_surrogates(body)
        if mended is not None:
            return _decoded(mended, to=to)
        source = value_of(Raw(body))
        if source is None:
            raise unreadable("a body that is not a JSON answer", to=to) from None
        raise no_answer(source, to=to) from None


def _deltas(answer: Answer, message: Message) -> list[Delta | None]:
    told = [answer.plan(message.tool_plan or "")]
    content = message.content
    parts = [Part(type="text", text=content)] if isinstance(content, str) else content or []
    told += [answer.content(index, part) for index, part in enumerate(parts)]
    for index, call in enumerate(message.tool_calls or ()):
        told += [answer.call(index, call), answer.call_end(index)]
    return told + [answer.citation(citation) for citation in message.citations or ()]
