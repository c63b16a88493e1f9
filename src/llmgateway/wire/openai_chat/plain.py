"""Plain events: text for the one choice and nothing else, which is most of a stream.

All that came in one read are decoded in one step, typed to the last member, and only their text is encoded anew. An
event that is anything more ends the run and is read on its own. Where one plain event shows what the others look like,
they need not even be decoded: `plain_mould`.
"""

import re
from itertools import takewhile
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Struct

from llmgateway.domain.reply import Wire
from llmgateway.wire.openai_chat.alike import OWN_TEXT, PADDING, Mould, mould_of
from llmgateway.wire.saying import AFTER, BEFORE, said, said_alone
from llmgateway.wire.sse import split_events


class _Delta(Struct, forbid_unknown_fields=True):
    content: str
    role: str | None = None


class _Choice(Struct, forbid_unknown_fields=True):
    delta: _Delta
    index: Literal[0] = 0
    logprobs: None = None
    finish_reason: None = None


class _Event(Struct, forbid_unknown_fields=True):
    choices: Annotated[list[_Choice], Meta(min_length=1, max_length=1)]
    usage: None = None
    obfuscation: str = ""


_DECODE: Final = msgspec.json.Decoder(list[_Event]).decode
_DECODE_ONE: Final = msgspec.json.Decoder(_Event).decode
_FIRST: Final = b'{"choices":'
_JOINT: Final = b"," + _FIRST
_CONTENT: Final = re.compile(rb'"content": ?"(%b)"' % OWN_TEXT)
_OBFUSCATION: Final = re.compile(rb'"obfuscation": ?"(%b)"' % PADDING)
_FINISH: Final = b'"finish_reason":"'
_LAST_ONES: Final = 4
_PLACE: Final = re.compile(r"`\$\[(\d+)\]")


def read_plain(data: bytes, *, opening: bytes) -> tuple[int, Wire | None]:
    """How many bytes of whole events at the start of `data` are plain, and what they tell (None: nothing).

    `opening`: what each of them begins with, up to and including `"choices":`; `data` begins so. The joint put between
    two events has quotes, so that no string of one can swallow it; one that closes early and opens another gives a
    wrong count.
    """
    end = data.rfind(b"\n\n")
    if end < 0:
        return 0, None
    events = split_events(data[:end])
    if len(events) == 1:
        return _read_one(events[0], opening)
    for place in range(max(len(events) - _LAST_ONES, 0), len(events)):
        if _FINISH in events[place]:
            return _read(events[:place], opening)
    return _read(events, opening)


def plain_mould(data: bytes, opening: bytes) -> Mould | None:
    """The mould of the first event of `data`, if it is plain.

    Two different texts, each put in the place of the event's own and read again, prove that this is where it stands.
    """
    event = data[: max(data.find(b"\n\n"), 0)]
    match = _CONTENT.search(event, len(opening)) if event.startswith(opening) else None
    if match is None or b"\n" in event or b"\r" in event:
        return None
    start, middle, end = event[: match.start(1)], b"", event[match.end(1) :]
    padding = _OBFUSCATION.search(end)
    if padding is not None:
        middle, end = end[: padding.start(1)], end[padding.end(1) :]
    head = _FIRST + start[len(opening) :]
    tried = [b"%b%b%b%b%b" % (head, text, middle, text if middle else b"", end) for text in (b"a", b"b")]
    try:
        read = [event.choices[0].delta.content for event in _DECODE(b"[%b,%b]" % (*tried,))]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if read != ["a", "b"]:
        return None
    return mould_of(
        start,
        middle,
        end,
        told_start=BEFORE + b'"',
        told_middle=b"",
        told_end=b'"' + AFTER,
        whole=False,
    )


def tails_of(events: list[bytes], opening: bytes) -> list[bytes]:
    """What follows the opening, of the events at the start that have it."""
    size = len(opening)
    tails = [event[size:] for event in events if event.startswith(opening)]
    if len(tails) == len(events):
        return tails
    return [event[size:] for event in takewhile(lambda event: event.startswith(opening), events)]


def _read_one(event: bytes, opening: bytes) -> tuple[int, Wire | None]:
    """What most reads of a stream are that comes at the pace of its model."""
    try:
        text = _DECODE_ONE(_FIRST + event[len(opening) :]).choices[0].delta.content
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return 0, None
    return len(event) + 2, said_alone(text)


def _read(events: list[bytes], opening: bytes) -> tuple[int, Wire | None]:
    tails = tails_of(events, opening)
    joined = _JOINT.join(tails)
    if b"\n" in joined:
        tails = list(takewhile(lambda tail: b"\n" not in tail, tails))
        joined = _JOINT.join(tails)
    try:
        decoded = _DECODE(b"[%b%b]" % (_FIRST, joined)) if tails else []
    except msgspec.ValidationError as error:
        place = _PLACE.search(str(error))
        return _read(events[: int(place[1])], opening) if place is not None and place[1] != "0" else (0, None)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return 0, None
    if len(decoded) != len(tails):
        return 0, None
    texts = [text for event in decoded if (text := event.choices[0].delta.content)]
    return sum(map(len, tails)) + len(tails) * (len(opening) + 2), said(texts)
