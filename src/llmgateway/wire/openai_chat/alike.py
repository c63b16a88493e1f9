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
_ESCAPE: Final = re.compile(rb"\\u[dD][89abAB]..\\u....|\\u....|\\.")


class Mould(Struct, frozen=True):
    """What is around the text of an event, and around what is told of it.

    `start`: all before the text. `middle`: what is between text and padding; empty: there is no padding. `end`: the
    rest, without the blank line. `whole`: padding is told too, and an event without text; else the text alone is.
    """

    start: bytes
    middle: bytes
    end: bytes
    told_start: bytes
    told_middle: bytes
    told_end: bytes
    whole: bool


def read_alike(data: bytes, mould: Mould) -> tuple[int, Wire | None]:
    """How many bytes at the start of `data` are events of this mould, and what they tell (None: nothing).

    All but a few at its end, or none.
    """
    start, end = mould.start, mould.end
    begin, cut = len(start), data.rfind(b"\n\n")
    if cut < 0 or not data.startswith(start):
        return 0, None
    close = cut - len(end)
    if data.endswith(end, begin, cut) and data.find(b"\n", begin, close) < 0:
        inside = data[begin:close]
    else:
        insides = _insides(data[:cut].split(b"\n")[::2], mould)
        joined = (b"%b\n\n%b" % (end, start)).join(insides)
        close = begin + len(joined)
        cut = close + len(end)
        if not insides or not data.startswith(joined, begin) or not data.startswith(end + b"\n\n", close):
            return 0, None
        inside = b"\n".join(insides)
    told = _told(inside, mould)
    if told is None:
        return 0, None
    return cut + 2, told if told.tails else None


def length_of(text: bytes) -> int:
    """Characters of UTF-8 text in which each JSON escape counts as the one character it stands for."""
    length = len(text) if text.isascii() else len(text.decode())
    if b"\\" in text:
        length -= sum([len(escape) - 1 for escape in _ESCAPE.findall(text)])
    return length


def _insides(lines: list[bytes], mould: Mould) -> list[bytes]:
    """What is between start and end, of all lines up to the last one that has both."""
    start, end = mould.start, mould.end
    for _ in range(_MOST_OTHERS):
        if lines and not (lines[-1].startswith(start) and lines[-1].endswith(end)):
            del lines[-1]
    begin, close = len(start), -len(end)
    return [line[begin:close] for line in lines]


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
    start, end = mould.told_start, mould.told_end
    if b"\n" not in inside:
        return Wire([b"%b%b%b" % (start, inside, end)], characters)
    inside = inside.replace(b"\n", b"%b\n%b" % (end, start))
    return Wire((b"%b%b%b" % (start, inside, end)).split(b"\n"), characters)
