"""Events alike: they differ in their text, and in its padding, and in nothing else, which is most of a stream.

What stands around the text is a `Mould`, taken from one event that was judged with care. A read is cut at its line
ends and put together again with the mould: the same bytes prove what is around the texts, for all events at once.
One pattern judges the texts.
"""

import re
from typing import Final

from msgspec import Struct

from llmgateway.domain.reply import Wire

ANY_TEXT: Final = rb'(?:[^"\\\x00-\x1f]++|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*+'
"""The inside of a JSON string."""
OWN_TEXT: Final = rb'(?:[^"\\\x00-\x1f]++|\\["\\bfnrt])*+'
"""The inside of a JSON string that is written so again when it has been read."""
PADDING: Final = b"[A-Za-z0-9]*+"
_BESIDE: Final = b"\x00"
"""Between text and padding, where neither may have it."""
_MOST_OTHERS: Final = 4
_LANES: Final = (OWN_TEXT, ANY_TEXT)
_BARE: Final = [re.compile(text.replace(rb"\x1f", rb"\x09\x0b-\x1f")) for text in _LANES]
"""Texts, a line each: no text of an event has a line end. By whether a mould tells the whole event."""
_PADDED: Final = [re.compile(b"(?:%b%b%b\n)*+" % (text, _BESIDE, PADDING)) for text in _LANES]
_SIMPLE: Final = re.compile(rb'[^"\\\x00-\x1f]*+').fullmatch
_ESCAPE: Final = re.compile(rb"\\u[dD][89abAB]..\\u....|\\u....|\\.")


class Mould(Struct, frozen=True):
    """What is around the text of an event, and around what is told of it. Built by `mould_of`.

    `start`: all before the text. `middle`: what is between text and padding; empty: there is no padding. `end`: the
    rest, without the blank line. `whole`: padding is told too, and an event without text; else the text alone is.
    The others save work: `close` is the end with the blank line, `joint` all between two texts, in `told_joint` as it
    is told, `inside` where the text is in an event.
    """

    start: bytes
    middle: bytes
    end: bytes
    told_start: bytes
    told_middle: bytes
    told_end: bytes
    whole: bool
    close: bytes
    joint: bytes
    told_joint: bytes
    inside: slice


def mould_of(
    start: bytes, middle: bytes, end: bytes, *, told_start: bytes, told_middle: bytes, told_end: bytes, whole: bool
) -> Mould:
    close = end + b"\n\n"
    return Mould(
        start=start,
        middle=middle,
        end=end,
        told_start=told_start,
        told_middle=told_middle,
        told_end=told_end,
        whole=whole,
        close=close,
        joint=close + start,
        told_joint=b"%b\n%b" % (told_end, told_start),
        inside=slice(len(start), -len(end)),
    )


def read_one(data: bytes, mould: Mould) -> Wire | None:
    """What a read tells that is one event of this mould, with a text that has no escapes, as most are; else None."""
    if not data.endswith(mould.close) or not data.startswith(mould.start):
        return None
    inside = text = data[len(mould.start) : -len(mould.close)]
    if mould.middle:
        text, _, padding = inside.partition(mould.middle)
        if not padding.isalnum():
            return None
        inside = text + mould.told_middle + padding if mould.whole else text
    if not text or not text.isascii() or _SIMPLE(text) is None:
        return None
    return Wire([mould.told_start + inside + mould.told_end], len(text))


def read_alike(data: bytes, mould: Mould) -> tuple[int, Wire | None]:
    """How many bytes at the start of `data` are events of this mould, and what they tell (None: nothing).

    All but a few at its end, or none.
    """
    start, end = mould.start, mould.end
    cut = data.rfind(b"\n\n")
    if cut < 0 or not data.startswith(start):
        return 0, None
    lines = data[:cut].split(b"\n")[::2]
    fewest = max(len(lines) - _MOST_OTHERS, 1)
    while not lines[-1].endswith(end) or not lines[-1].startswith(start):
        if len(lines) == fewest:
            return 0, None
        del lines[-1]
    where = mould.inside
    insides = [line[where] for line in lines]
    joined = mould.joint.join(insides)
    stop = len(start) + len(joined)
    if not data.startswith(joined, len(start)) or not data.startswith(mould.close, stop):
        return 0, None
    told = _told(b"\n".join(insides), mould)
    if told is None:
        return 0, None
    return stop + len(mould.close), told if told.tails else None


def length_of(text: bytes) -> int:
    """Characters of UTF-8 text in which each JSON escape counts as the one character it stands for."""
    length = len(text) if text.isascii() else len(text.decode())
    if b"\\" in text:
        length -= sum([len(escape) - 1 for escape in _ESCAPE.findall(text)])
    return length


def _told(inside: bytes, mould: Mould) -> Wire | None:
    """What the insides of events tell, a line each; None if one of them is anything but text, or text and padding."""
    texts = inside
    if mould.middle:
        inside = inside.replace(mould.middle, _BESIDE)
        if _PADDED[mould.whole].fullmatch(inside + b"\n") is None:
            return None
        texts = b"\n".join(inside.replace(_BESIDE, b"\n").split(b"\n")[::2])
        inside = inside.replace(_BESIDE, mould.told_middle)
    elif _BARE[mould.whole].fullmatch(inside) is None:
        return None
    try:
        characters = length_of(texts) - texts.count(b"\n")
    except UnicodeDecodeError:
        return None
    if not mould.whole:
        inside = texts
        if b"\n\n" in b"\n%b\n" % texts:
            inside = b"\n".join(filter(None, texts.split(b"\n")))
            if not inside:
                return Wire([], 0)
    told = mould.told_start + inside.replace(b"\n", mould.told_joint) + mould.told_end
    return Wire(told.split(b"\n"), characters)
