"""Reads a whole answer of an OpenAI-compatible provider: one JSON object, one chunk."""

import re
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import UNSET, Meta, Raw, Struct

from llmgateway.domain.reply import ChoiceDelta, Chunk, Delta
from llmgateway.domain.routing import Deployment
from llmgateway.wire.errors import in_band_error, unreadable
from llmgateway.wire.folding import folded
from llmgateway.wire.openai_chat.choices import Choices
from llmgateway.wire.openai_chat.stream import ChatDecoder
from llmgateway.wire.openai_chat.usage import ReportedUsage, read_usage, usage_of
from llmgateway.wire.saying import said_whole
from llmgateway.wire.spans import NULL, is_null, text_of, value_of, without_lone_surrogates


class _PlainMessage(Struct, forbid_unknown_fields=True):
    content: str
    role: str | None = None
    refusal: None = None
    annotations: Annotated[list[Raw], Meta(max_length=0)] = []


class _PlainChoice(Struct, forbid_unknown_fields=True):
    message: _PlainMessage
    finish_reason: Literal["stop", "length", "content_filter"]
    index: Literal[0] = 0
    logprobs: None = None


class _PlainAnswer(Struct, forbid_unknown_fields=True):
    """What most answers are: one choice of text and the usual members, with nothing to put right."""

    choices: Annotated[list[_PlainChoice], Meta(min_length=1, max_length=1)]
    id: str | None = None
    model: str | None = None
    usage: ReportedUsage | None = None
    object: Raw = NULL
    created: Raw = NULL
    service_tier: str | None = None
    system_fingerprint: str | None = None


_ENCODE: Final = msgspec.json.Encoder().encode
_PLAIN: Final = msgspec.json.Decoder(_PlainAnswer)
_SPANS: Final = msgspec.json.Decoder(dict[str, Raw])
_CHOICES: Final = msgspec.json.Decoder(list[Any] | None)
_EVENTS: Final = re.compile(rb"\s*(?:data:|:|event:)")
_ENVELOPE: Final = frozenset(("id", "object", "created", "model", "choices", "usage", "metadata", "error"))
_WORDS: Final = frozenset(("message", "detail", "msg", "error_message", "code"))
_NOT_JSON: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def read_whole(
    body: bytes, *, to: Deployment, functions: bool = False, indexed: bool = False, forwards: bool = False
) -> Chunk:
    """The answer as one chunk whose deltas are whole messages.

    `indexed`: it will be told as a stream, so that list items need an index. `forwards`: nobody changes the text on
    its way, so that a chunk may come that is all `wire`. Raises UpstreamError for an error inside a 200 and for
    anything that is not an answer.
    """
    try:
        answer = _PLAIN.decode(body)
    except _NOT_JSON:
        return _unusual(body, Choices(member="message", functions=functions, indexed=indexed), to=to)
    choice = answer.choices[0]
    finish, tier, usage = choice.finish_reason, answer.service_tier, answer.usage
    text = choice.message.content
    chunk = Chunk(
        [],
        answer.id or None,
        answer.model or None,
        tier,
        None if usage is None else usage_of(usage),
        done=True,
    )
    if forwards and text:
        chunk.wire = said_whole(text, finish)
    else:
        delta = Delta("assistant", text, UNSET, UNSET, None)
        chunk.choices = [ChoiceDelta(0, delta, None, finish, finish)]
    if tier is not None:
        chunk.extra = {"service_tier": Raw(_ENCODE(tier))}
    if answer.system_fingerprint is not None:
        fingerprint = Raw(_ENCODE(answer.system_fingerprint))
        chunk.extra = {**(chunk.extra or {}), "system_fingerprint": fingerprint}
    return chunk


def _unusual(body: bytes, reader: Choices, *, to: Deployment) -> Chunk:
    """Anything else: tool calls, several choices, members nobody here knows, errors inside a 200, stray white space."""
    body = body.removeprefix(b"\xef\xbb\xbf")
    try:
        if not body.isascii():
            body.decode()
        top = _SPANS.decode(body)
        choices = _CHOICES.decode(top["choices"]) if "choices" in top else None
    except _NOT_JSON:
        if _EVENTS.match(body) is not None:
            return folded(body, ChatDecoder(to=to, functions=reader.functions), to=to)
        mended = without_lone_surrogates(body)
        if mended is not None:
            return _unusual(mended, reader, to=to)
        raise unreadable("a body that is not a JSON answer", to=to) from None
    error = top.get("error")
    if error is not None and not is_null(error):
        raise in_band_error(value_of(error), to=to)
    if choices is None and not top.keys() & _WORDS:
        raise unreadable("an object without choices", to=to)
    if choices is None:
        raise in_band_error({name: value_of(span) for name, span in top.items()}, to=to)
    chunk = Chunk(
        reader.read(choices),
        id=text_of(top.get("id")),
        reported_model=text_of(top.get("model")),
        service_tier=text_of(top.get("service_tier")),
        usage=read_usage(top.get("usage")),
        extra={name: span for name, span in top.items() if name not in _ENVELOPE and not is_null(span)} or None,
        done=True,
    )
    return _checked(chunk, reader, to=to)


def _checked(chunk: Chunk, reader: Choices, *, to: Deployment) -> Chunk:
    if reader.broken is not None:
        raise unreadable(reader.broken, to=to)
    return chunk
