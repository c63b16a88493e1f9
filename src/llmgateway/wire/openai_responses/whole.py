"""Reads a whole response: one JSON object, one chunk."""

import re
from typing import Any, Final

import msgspec

from llmgateway.domain.errors import UpstreamError
from llmgateway.domain.reply import Chunk
from llmgateway.domain.routing import Deployment
from llmgateway.wire.errors import unreadable
from llmgateway.wire.folding import folded
from llmgateway.wire.openai_responses.answer import Answer
from llmgateway.wire.openai_responses.errors import failure
from llmgateway.wire.openai_responses.events import Response, decode_response, lenient
from llmgateway.wire.openai_responses.gathered import Gathered
from llmgateway.wire.openai_responses.stream import ResponsesDecoder, failed_response, last_choice, tell_tier
from llmgateway.wire.openai_responses.usage import read_usage
from llmgateway.wire.spans import without_lone_surrogates

_EVENTS: Final = re.compile(rb"\s*(?:data:|:|event:)")
_UNDER_WAY: Final = frozenset(("queued", "in_progress"))
_NOT_JSON: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def read_whole(body: bytes, *, answer: Answer, to: Deployment) -> Chunk:
    """The answer as one chunk whose delta is a whole message.

    Raises UpstreamError for a response that failed, and for anything that is none.
    """
    body = body.removeprefix(b"\xef\xbb\xbf")
    try:
        response = decode_response(body)
    except _NOT_JSON:
        if _EVENTS.match(body) is not None:
            return folded(body, ResponsesDecoder(answer=answer, to=to), to=to)
        response = _lenient(body, to=to)
    if response.status in ("failed", "cancelled") or (response.error and response.output is None):
        raise failed_response(response, to=to)
    if response.output is None:
        raise _no_response(body, to=to)
    if response.status in _UNDER_WAY and not response.output:
        raise unreadable(f"a response that is still {response.status!r}", to=to)
    return _told(response, answer=answer, to=to)


def _told(response: Response, *, answer: Answer, to: Deployment) -> Chunk:
    gathered = Gathered()
    answer.finish(response, gathered)
    if answer.broken is not None:
        raise unreadable(answer.broken, to=to)
    choice = last_choice(answer, gathered, response, incomplete=False)
    message = choice.delta
    message.role, message.content, message.refusal = "assistant", message.content or None, message.refusal or None
    chunk = Chunk(
        [choice],
        id=response.id or None,
        reported_model=response.model or None,
        usage=read_usage(response.usage, tool_usage=response.tool_usage, searches=answer.searches),
        done=True,
    )
    tell_tier(chunk, response)
    return chunk


def _lenient(body: bytes, *, to: Deployment) -> Response:
    """The members that can be read of a response some of whose members cannot."""
    try:
        source: Any = msgspec.json.decode(body)
    except _NOT_JSON:
        mended = without_lone_surrogates(body)
        if mended is None:
            raise unreadable("a body that is not a JSON answer", to=to) from None
        return _lenient(mended, to=to)
    if not isinstance(source, dict):
        raise unreadable("a body that is not a JSON object", to=to)
    return lenient(source, Response)  # pyright: ignore[reportUnknownArgumentType]  # JSON of a provider


def _no_response(body: bytes, *, to: Deployment) -> UpstreamError:
    """An error without an `error`: the words are at the top, as in an `error` event."""
    try:
        source: Any = msgspec.json.decode(body)
    except _NOT_JSON:
        source = None
    if isinstance(source, dict) and ("message" in source or "code" in source or "detail" in source):
        return failure({**source, "message": source.get("message") or source.get("detail")}, to=to)  # pyright: ignore[reportUnknownMemberType]  # JSON of a provider
    return unreadable("an object without output", to=to)
