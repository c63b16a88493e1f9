"""Writes answers in our own vocabulary: whole ones, streams and errors.

The envelope (id, created, model) is ours and the same through a whole stream; it is encoded once. What a wire chunk
brings is forwarded with nothing but its envelope exchanged.
"""

from typing import Final

import msgspec
from msgspec import UNSET, Raw

from llmgateway.domain.errors import GatewayError
from llmgateway.domain.reply import ChoiceDelta, Chunk, Delta
from llmgateway.wire.spans import is_null

DONE: Final = b"data: [DONE]\n\n"
_ENCODE: Final = msgspec.json.Encoder().encode
_SPANS: Final = msgspec.json.Decoder(dict[str, Raw])
_ENVELOPE: Final = frozenset(("id", "object", "created", "model", "choices", "usage", "metadata", "error"))
_NOTHING_CHOSEN: Final = b'"choices":[]'
_NAIVE_CHOICE: Final = b'"choices":[{"index":0,"delta":{},"logprobs":null,"finish_reason":null}]'


def whole_answer(
    chunk: Chunk, *, answer_id: str, created: int, model: str, usage: bytes, metadata: bytes, hide_reasoning: bool
) -> bytes:
    """The body of a `chat.completion`."""
    if chunk.wire is not None:
        choices = chunk.wire.tails
    else:
        choices = [_whole_choice(choice, hide_reasoning=hide_reasoning) for choice in chunk.choices]
    return b'{"id":%b,"object":"chat.completion","created":%d,"model":%b,"choices":[%b],%b"usage":%b,"metadata":%b}' % (
        _ENCODE(answer_id),
        created,
        _ENCODE(model),
        choices[0] if len(choices) == 1 else b",".join(choices),
        _ENCODE(chunk.extra)[1:-1] + b"," if chunk.extra else b"",
        usage,
        metadata,
    )


def error_body(error: GatewayError, *, metadata: bytes | None = None) -> bytes:
    """`{"error": …}` for an answer that failed as a whole."""
    body = b'{"error":' + _error(error, with_status=False)
    return body + (b',"metadata":' + metadata + b"}" if metadata is not None else b"}")


class StreamEncoder:
    """Chunks to event bytes. `naive`: the client did not ask for usage, so the last chunk shows it a choice."""

    def __init__(self, *, fallback_id: str, created: int, model: str, naive: bool, hide_reasoning: bool) -> None:
        self._fallback_id = fallback_id
        self._created = created
        self._model = model
        self._naive = naive
        self._hide_reasoning = hide_reasoning
        self._envelope = b""
        self._openings: dict[bytes, bytes] = {}

    def feed(self, chunks: list[Chunk]) -> bytes:
        out: list[bytes] = []
        for chunk in chunks:
            if chunk.wire is not None:
                opening = self._opening(chunk)
                out.append(b"%b%b\n\n" % (opening, (b"\n\n" + opening).join(chunk.wire.tails)))
            elif chunk.choices:
                event = self._event(chunk)
                if event:
                    out.append(event)
        return out[0] if len(out) == 1 else b"".join(out)

    def final(self, *, usage: bytes, metadata: bytes, extra: dict[str, Raw] | None) -> bytes:
        """The usage chunk and the terminator."""
        return b"".join(
            (
                self._begin(None),
                _members(extra) if extra else b"",
                _NAIVE_CHOICE if self._naive else _NOTHING_CHOSEN,
                b',"usage":',
                usage,
                b',"metadata":',
                metadata,
                b"}\n\n",
                DONE,
            )
        )

    def failure(self, error: GatewayError, *, usage: bytes | None, metadata: bytes | None) -> bytes:
        """The one event that tells a stream failed, and the terminator."""
        parts = [self._begin(None), _NOTHING_CHOSEN, b',"error":', _error(error, with_status=True)]
        if usage is not None:
            parts += [b',"usage":', usage]
        if metadata is not None:
            parts += [b',"metadata":', metadata]
        return b"".join((*parts, b"}\n\n", DONE))

    def _begin(self, answer_id: str | None) -> bytes:
        """`data: {` and the envelope, fixed by the first event that is written."""
        if not self._envelope:
            self._envelope = b'data: {"id":%b,"object":"chat.completion.chunk","created":%d,"model":%b,' % (
                _ENCODE(answer_id or self._fallback_id),
                self._created,
                _ENCODE(self._model),
            )
        return self._envelope

    def _opening(self, chunk: Chunk) -> bytes:
        """Everything up to and including `"choices":`, with the members of the provider's envelope."""
        if not chunk.prefix:
            return self._begin(chunk.id) + b'"choices":'
        ours = self._openings.get(chunk.prefix)
        if ours is None:
            spans = _SPANS.decode(chunk.prefix + b"[]}")
            extra = {name: span for name, span in spans.items() if name not in _ENVELOPE and not is_null(span)}
            ours = self._openings[chunk.prefix] = self._begin(None) + _members(extra) + b'"choices":'
        return ours

    def _event(self, chunk: Chunk) -> bytes:
        choices = [_delta_choice(choice, hide_reasoning=self._hide_reasoning) for choice in chunk.choices]
        if self._hide_reasoning:
            choices = [choice for choice in choices if choice]
            if not choices:
                return b""
        opening = self._opening(chunk)
        body = choices[0] if len(choices) == 1 else b",".join(choices)
        if chunk.extra:
            return b"%b[%b],%b}\n\n" % (opening, body, _members(chunk.extra)[:-1])
        return b"%b[%b]}\n\n" % (opening, body)


def _delta_choice(choice: ChoiceDelta, *, hide_reasoning: bool) -> bytes:
    delta = choice.delta
    if hide_reasoning and (delta.reasoning or delta.reasoning_details):
        delta.reasoning = delta.reasoning_details = UNSET
        if delta.role is UNSET and not delta.has_content and choice.finish_reason is None:
            return b""
    finish = b"null" if choice.finish_reason is None else b'"%b"' % choice.finish_reason.encode()
    logprobs = b"null" if choice.logprobs is None else _ENCODE(choice.logprobs)
    return b'{"index":%d,"delta":%b,"logprobs":%b,"finish_reason":%b%b}' % (
        choice.index,
        _delta(delta),
        logprobs,
        finish,
        _tail(choice),
    )


def _whole_choice(choice: ChoiceDelta, *, hide_reasoning: bool) -> bytes:
    message = choice.delta
    message.role = "assistant"
    if hide_reasoning:
        message.reasoning = message.reasoning_details = UNSET
    if message.content is UNSET:
        message.content = None
    if message.tool_calls:
        for call in message.tool_calls:
            call.index = UNSET
            if call.function and call.function.name is UNSET:
                call.function.name = ""
    if message.images or message.annotations:
        for item in (*(message.images or ()), *(message.annotations or ())):
            item.pop("index", None)
    return b'{"index":%d,"message":%b,"logprobs":%b,"finish_reason":"%b"%b}' % (
        choice.index,
        _ENCODE(message) if message.extra is UNSET else _delta(message),
        b"null" if choice.logprobs is None else _ENCODE(choice.logprobs),
        (choice.finish_reason or "stop").encode(),
        _tail(choice) if choice.extra else b"",
    )


def _delta(delta: Delta) -> bytes:
    if delta.extra is UNSET:
        return _ENCODE(delta)
    extra, delta.extra = delta.extra, UNSET
    known = _SPANS.decode(_ENCODE(delta))
    return _ENCODE({**extra, **known})


def _tail(choice: ChoiceDelta) -> bytes:
    """Members of a choice that nobody here knows, each after a comma."""
    if not choice.extra:
        return b""
    return b"".join(b",%b:%b" % (_ENCODE(name), _ENCODE(value)) for name, value in choice.extra.items())


def _members(extra: dict[str, Raw]) -> bytes:
    """Top-level members, each followed by a comma and on one line, as an event needs it."""
    return b"".join([b"%b:%b," % (_ENCODE(name), _one_line(bytes(span))) for name, span in extra.items()])


def _one_line(span: bytes) -> bytes:
    return msgspec.json.format(span, indent=-1) if b"\n" in span or b"\r" in span else span


def _error(error: GatewayError, *, with_status: bool) -> bytes:
    body: dict[str, str | int | None] = {
        "message": error.message,
        "type": error.kind.type,
        "param": error.param,
        "code": error.code,
    }
    if with_status:
        body["status"] = error.status
    return _ENCODE(body)
