"""Reads a whole answer of this protocol: one JSON object, one chunk."""

import re
from typing import Final

import msgspec
from msgspec import Raw, Struct

from llmgateway.domain.errors import UpstreamError
from llmgateway.domain.reply import ChoiceDelta, Chunk, Delta, Fold
from llmgateway.domain.routing import Deployment
from llmgateway.wire.anthropic.blocks import Blocks, Mode, block_of
from llmgateway.wire.anthropic.errors import told_error
from llmgateway.wire.anthropic.finish import finishing
from llmgateway.wire.anthropic.stream import MessagesDecoder
from llmgateway.wire.anthropic.usage import read_reported, served_tier, usage_of
from llmgateway.wire.errors import unreadable
from llmgateway.wire.folding import folded
from llmgateway.wire.spans import NULL, is_null, text_of, value_of, without_lone_surrogates


class _Answer(Struct):
    id: Raw = NULL
    model: Raw = NULL
    content: list[Raw] | None = None
    stop_reason: str | None = None
    stop_details: Raw = NULL
    usage: Raw = NULL
    error: Raw = NULL


_ANSWER: Final = msgspec.json.Decoder(_Answer)
_SPANS: Final = msgspec.json.Decoder(dict[str, Raw])
_EVENTS: Final = re.compile(rb"\s*(?:data:|:|event:)")
_WORDS: Final = frozenset(("message", "detail", "msg", "error_message", "code"))
_UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def read_whole(body: bytes, *, to: Deployment, mode: Mode) -> Chunk:
    """The answer as one chunk whose deltas are whole messages. Raises UpstreamError for an error inside a 200 and for
    anything that is not an answer.
    """
    body = body.removeprefix(b"\xef\xbb\xbf")
    try:
        if not body.isascii():
            body.decode()
        answer = _ANSWER.decode(body)
    except _UNREADABLE:
        return _unusual(body, to=to, mode=mode)
    if not is_null(answer.error):
        raise told_error(value_of(answer.error), to=to)
    if answer.content is None:
        raise _no_answer(body, to=to)
    return _chunk(answer, answer.content, to=to, mode=mode)


def _chunk(answer: _Answer, content: list[Raw], *, to: Deployment, mode: Mode) -> Chunk:
    blocks = Blocks(mode)
    fold = Fold()
    fold.add(Chunk([ChoiceDelta(0, Delta())]))
    for index, span in enumerate(content):
        block = block_of(span)
        if block is None:
            raise unreadable("a content block that is none", to=to)
        for delta in (blocks.open(index, block), blocks.close(index)):
            if delta is not None:
                fold.add(Chunk([ChoiceDelta(0, delta)]))
    if blocks.broken is not None:
        raise unreadable(blocks.broken, to=to)
    reason = answer.stop_reason or "end_turn"
    fold.add(Chunk([finishing(blocks, reason, answer.stop_details, functions=mode.functions)]))
    chunk = fold.response()
    reported = read_reported(answer.usage)
    chunk.id, chunk.reported_model = text_of(answer.id), text_of(answer.model)
    chunk.usage = usage_of(reported) if reported is not None else None
    chunk.service_tier = served_tier(reported)
    if chunk.service_tier is not None:
        chunk.extra = {"service_tier": Raw(msgspec.json.encode(chunk.service_tier))}
    return chunk


def _unusual(body: bytes, *, to: Deployment, mode: Mode) -> Chunk:
    """An event stream that calls itself JSON, half characters, and what is no answer at all."""
    if _EVENTS.match(body) is not None:
        return folded(body, MessagesDecoder(to=to, mode=mode), to=to)
    mended = without_lone_surrogates(body)
    if mended is not None:
        return read_whole(mended, to=to, mode=mode)
    raise _no_answer(body, to=to)


def _no_answer(body: bytes, *, to: Deployment) -> UpstreamError:
    try:
        top = _SPANS.decode(body)
    except _UNREADABLE:
        return unreadable("a body that is not a JSON answer", to=to)
    error = top.get("error")
    if error is not None and not is_null(error):
        return told_error(value_of(error), to=to)
    if top.keys() & _WORDS and "content" not in top:
        return told_error({name: value_of(span) for name, span in top.items()}, to=to)
    return unreadable("an object without content", to=to)
