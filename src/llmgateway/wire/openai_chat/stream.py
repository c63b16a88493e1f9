"""Decodes the event stream of an OpenAI-compatible provider into chunks, on one of two lanes.

The decoding lane reads every event and puts its choices right; runs of plain text are read in one step where the
caller wants a stream. The native lane looks at a whole read at once: of rows
declared clean, events that begin with the bytes the last envelope had and whose choices match one strict pattern
(plain text for choice 0) become one `Wire` chunk that the encoder forwards with its own envelope. The pattern admits
nothing that would break an invariant, and a JSON string cannot contain the envelope's bare quotes, so what it lets
through needs no decoding. Everything else, event by event, takes the decoding lane. On both lanes a run of events that
differ in nothing but their text is told by the first of them.
"""

import re
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from llmgateway.domain.errors import UpstreamError
from llmgateway.domain.reply import Chunk, Wire
from llmgateway.domain.routing import Deployment
from llmgateway.domain.usage import Usage
from llmgateway.wire.errors import in_band_error, unreadable
from llmgateway.wire.openai_chat.alike import ANY_TEXT, PADDING, Mould, length_of, mould_of, read_alike, read_one
from llmgateway.wire.openai_chat.choices import Choices
from llmgateway.wire.openai_chat.plain import plain_mould, read_plain, tails_of
from llmgateway.wire.openai_chat.usage import ReportedUsage, continued, read_reported, usage_of
from llmgateway.wire.spans import NULL, is_null, text_of, value_of, without_lone_surrogates
from llmgateway.wire.sse import EventReader, EventTooLarge, split_events


class _Event(Struct, forbid_unknown_fields=True):
    """An event behind a known envelope, or one that has no members but the usual ones."""

    choices: list[Any] | None = None
    usage: Raw = NULL
    id: Raw = NULL
    object: Raw = NULL
    created: Raw = NULL
    model: Raw = NULL
    obfuscation: Raw = NULL


_SPANS: Final = msgspec.json.Decoder(dict[str, Raw])
_EVENT: Final = msgspec.json.Decoder(_Event)
_CHOICES: Final = msgspec.json.Decoder(list[Any] | None)
_ENVELOPE: Final = frozenset(("id", "object", "created", "model", "choices", "usage", "metadata", "error"))
_PER_EVENT: Final = frozenset(("usage", "metadata", "error"))
_CHOICES_KEY: Final = b'"choices":'
_CLEAN_EVENT: Final = (
    rb'\[\{"index":0,"delta":\{"content":"%b"\}(?:,"logprobs":null)?+,"finish_reason":null\}\]'
    rb'(?:,"usage":null)?+(?:,"obfuscation":"%b")?+\}\n\n'
)
_CLEAN_EVENTS: Final = re.compile(b"(?:%b)*+" % (_CLEAN_EVENT % (ANY_TEXT, PADDING)))
_ONE_CLEAN_EVENT: Final = re.compile(_CLEAN_EVENT % (b"(%b)" % ANY_TEXT, b"(%b)" % PADDING))
_PADDINGS: Final = re.compile(rb'"obfuscation":"([A-Za-z0-9]*)')
_NULL_USAGE: Final = b'}],"usage":null'
"""Stands for no usage; bare quotes cannot occur within a JSON string."""
_LEARN_LIMIT: Final = 4
_PLAIN_TRIES: Final = 2
_MOULD_TRIES: Final = 4
_MOST_CARRIED: Final = 256


class ChatDecoder:
    """`feed` bytes as they come, `close` at the end; chunks out. A chunk with `error` or `done` is the last one."""

    def __init__(
        self, *, to: Deployment, functions: bool = False, native: bool = False, streamed: bool = False
    ) -> None:
        self._to = to
        self._events = EventReader()
        self._choices = Choices(functions=functions)
        self._native = native
        self._by_reads = native or streamed
        self._plain_tries = _PLAIN_TRIES
        self._learn = _LEARN_LIMIT
        self._prefix = b""
        self._opening = b""
        self._fixed = 0
        self._padded = False
        self._mould: Mould | None = None
        self._mould_tries = _MOULD_TRIES
        self._carried: dict[str, Raw] | None = None
        self._named = False
        self._reported: ReportedUsage | None = None
        self._ended = False

    @property
    def finished(self) -> bool:
        """Every choice that began has its finish reason."""
        return self._choices.all_finished

    def feed(self, data: bytes) -> list[Chunk]:
        mould = self._mould
        if mould is not None and self._events.empty:
            told = read_one(data, mould)
            if told is not None:
                return [Chunk([], prefix=self._prefix, wire=told)]
        chunks: list[Chunk] = []
        if self._by_reads and b"\n" in data and self._events.between_events:
            data = self._by_read(self._events.with_pending(data), chunks)
        if data and not self._ended:
            self._decode(data, chunks)
        return chunks

    def close(self) -> list[Chunk]:
        """What an event without its blank line still holds."""
        chunks: list[Chunk] = []
        if not self._ended:
            for payload in self._events.close():
                self._event(payload, chunks)
        return chunks

    def _by_read(self, data: bytes, chunks: list[Chunk]) -> bytes:
        """Takes what can be taken of a read as a whole, and returns what is left to be decoded event by event."""
        if not self._prefix and self._learn:
            cut = data.find(b"\n\n") + 2
            self._decode(data[:cut] if cut > 1 else data, chunks)
            data = data[cut:] if cut > 1 else b""
        if not self._prefix or not self._choices.started(0):
            return data
        taken = self._alike(data, chunks)
        if taken:
            return data[taken:]
        return self._forward(data, chunks) if self._native else self._plain(data, chunks)

    def _alike(self, data: bytes, chunks: list[Chunk]) -> int:
        """Takes the events at the start of `data` that are like one that was judged; returns their size."""
        mould = self._mould
        if mould is None:
            if not self._mould_tries or not (self._native or self._plain_tries):
                return 0
            mould = self._mould = (_clean_mould if self._native else plain_mould)(data, self._opening)
            if mould is None:
                return 0
        taken, told = read_alike(data, mould)
        if not taken or (self._native and taken < len(data) and _clean_mould(data[taken:], self._opening) is not None):
            self._mould = None
            self._mould_tries -= 1
            return 0
        self._mould_tries = _MOULD_TRIES
        if told is not None:
            chunks.append(Chunk([], prefix=self._prefix, wire=told))
        return taken

    def _forward(self, data: bytes, chunks: list[Chunk]) -> bytes:
        """The native lane: takes the clean events at the start of `data`, returns what is left to be decoded."""
        opening = self._opening
        cut = data.rfind(b"\n\n")
        if cut < 0 or not data.startswith(opening):
            return data
        tails = tails_of(split_events(data[:cut]), opening)
        joined = b"\n\n".join(tails) + b"\n\n"
        match = _CLEAN_EVENTS.match(joined)
        end = match.end() if match is not None else 0
        if end == 0 or not _is_utf8(joined):
            return data
        if end != len(joined):
            joined = joined[:end]
            tails = joined[:-2].split(b"\n\n")
        if self._fixed and not self._padded and joined.isascii() and b"\\" not in joined:
            characters = end - len(tails) * self._fixed
        else:
            characters = self._characters(joined, end, len(tails))
        taken = end + len(tails) * len(opening)
        if _NULL_USAGE in joined:
            tails = joined[:-2].replace(_NULL_USAGE, b"}]").split(b"\n\n")
        chunks.append(Chunk([], prefix=self._prefix, wire=Wire(tails, characters)))
        return data[taken:]

    def _characters(self, tails: bytes, end: int, events: int) -> int:
        """How much text these clean events carry, as the decoding lane would count it."""
        if not self._fixed:
            first = _ONE_CLEAN_EVENT.match(tails)
            if first is None:
                return 0
            self._padded = first[2] is not None
            self._fixed = first.end() - len(first[1]) - len(first[2] or b"")
        taken = tails if end == len(tails) else tails[:end]
        padding = sum(map(len, _PADDINGS.findall(taken))) if self._padded else 0
        return length_of(taken) - events * self._fixed - padding

    def _decode(self, data: bytes, chunks: list[Chunk]) -> None:
        """The decoding lane."""
        try:
            payloads = self._events.feed(data)
        except EventTooLarge:
            self._fail(unreadable("an event of more than 16 MiB", to=self._to), chunks)
            return
        for payload in payloads:
            self._event(payload, chunks)
            if self._ended:
                return
        if self._mould is not None and not self._choices.started(0):
            self._mould = None

    def _plain(self, data: bytes, chunks: list[Chunk]) -> bytes:
        """Takes the events at the start of `data` that are nothing but text; a stream without such is left alone."""
        if not self._plain_tries or not data.startswith(self._opening):
            return data
        taken, told = read_plain(data, opening=self._opening)
        self._plain_tries = _PLAIN_TRIES if taken else self._plain_tries - 1
        if told is not None:
            chunks.append(Chunk([], prefix=self._prefix, wire=told))
        return data[taken:]

    def _event(self, payload: bytes, chunks: list[Chunk]) -> None:
        if payload == b"[DONE]":
            self._not_an_object(payload, chunks)
            return
        prefix = self._prefix
        if prefix and payload.startswith(prefix):
            try:
                event = _EVENT.decode(b'{"choices":' + payload[len(prefix) :])
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                pass
            else:
                self._chunk(event.choices, event.usage, None, chunks, prefix=prefix)
                return
        self._unknown_event(payload, chunks)

    def _unknown_event(self, payload: bytes, chunks: list[Chunk]) -> None:
        """An event whose members are not the ones seen before: the envelope is read, and learnt for the next."""
        try:
            if not payload.isascii():
                payload.decode()
            top = _SPANS.decode(payload)
            choices = _CHOICES.decode(top["choices"]) if "choices" in top else None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            mended = without_lone_surrogates(payload)
            if mended is None:
                self._not_an_object(payload.strip(), chunks)
            else:
                self._unknown_event(mended, chunks)
            return
        failure = _failure(top, self._to)
        if failure is not None:
            self._fail(failure, chunks)
            return
        extra = {name: span for name, span in top.items() if name not in _ENVELOPE and not is_null(span)}
        told = len(chunks)
        self._chunk(choices, top.get("usage"), extra, chunks, prefix=b"")
        if len(chunks) > told:
            self._name(top, chunks[-1])
        if self._learn and choices:
            self._learn_prefix(payload)

    def _not_an_object(self, payload: bytes, chunks: list[Chunk]) -> None:
        if payload == b"[DONE]":
            self._ended = True
            chunks.append(Chunk([], done=True))
        elif payload:
            self._fail(unreadable("an event that is not JSON", to=self._to), chunks)

    def _chunk(
        self,
        choices: list[Any] | None,
        usage_span: Raw | None,
        extra: dict[str, Raw] | None,
        chunks: list[Chunk],
        *,
        prefix: bytes,
    ) -> None:
        deltas = self._choices.read(choices) if choices else []
        if self._choices.broken is not None:
            self._fail(unreadable(self._choices.broken, to=self._to), chunks)
            return
        usage = self._usage(usage_span) if usage_span is not None else None
        if not deltas and usage is None:
            if extra:
                extra.pop("obfuscation", None)
                carried = {**(self._carried or {}), **extra}
                self._carried = carried if len(carried) <= _MOST_CARRIED else None
            return
        if self._carried is not None:
            extra, self._carried = {**self._carried, **(extra or {})}, None
        chunks.append(Chunk(deltas, usage=usage, extra=extra or None, prefix=prefix))

    def _usage(self, span: Raw) -> Usage | None:
        reported = read_reported(span)
        if reported is None:
            return None
        if self._reported is not None:
            reported = continued(self._reported, reported)
        self._reported = reported
        return usage_of(reported)

    def _name(self, top: dict[str, Raw], chunk: Chunk) -> None:
        chunk.service_tier = text_of(top.get("service_tier"))
        if not self._named:
            self._named = True
            chunk.id, chunk.reported_model = text_of(top.get("id")), text_of(top.get("model"))

    def _learn_prefix(self, payload: bytes) -> None:
        """The bytes up to the choices, if they are the whole of the envelope before them."""
        self._learn -= 1
        cut = payload.find(_CHOICES_KEY) + len(_CHOICES_KEY)
        try:
            envelope = _SPANS.decode(payload[:cut] + b"[]}")
        except (msgspec.DecodeError, UnicodeDecodeError):
            return
        if b"\n" in payload or any(not is_null(envelope[name]) for name in _PER_EVENT & envelope.keys()):
            return
        self._prefix = payload[:cut]
        self._opening = b"data: " + self._prefix
        self._mould = None

    def _fail(self, error: UpstreamError, chunks: list[Chunk]) -> None:
        self._ended = True
        chunks.append(Chunk([], error=error))


def _failure(top: dict[str, Raw], to: Deployment) -> UpstreamError | None:
    """An error told as an event: `error`, or a message where an answer should be."""
    error = top.get("error")
    if error is not None and not is_null(error):
        return in_band_error(value_of(error), to=to)
    if "choices" not in top and ("message" in top or "detail" in top):
        return in_band_error({name: value_of(span) for name, span in top.items()}, to=to)
    return None


def _clean_mould(data: bytes, opening: bytes) -> Mould | None:
    """The mould of the first event of `data`, if it is clean; what the pattern admits in its place is clean as well."""
    match = _ONE_CLEAN_EVENT.match(data, len(opening))
    if match is None or not data.startswith(opening):
        return None
    padded = match[2] is not None
    start, end = data[: match.start(1)], data[match.end(2 if padded else 1) : match.end() - 2]
    middle = data[match.end(1) : match.start(2)] if padded else b""
    return mould_of(
        start,
        middle,
        end,
        told_start=start[len(opening) :],
        told_middle=middle.replace(_NULL_USAGE, b"}]"),
        told_end=end.replace(_NULL_USAGE, b"}]"),
        whole=True,
    )


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
