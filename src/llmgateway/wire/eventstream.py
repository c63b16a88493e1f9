"""The AWS event stream: bytes in, frames out, whatever the split of the bytes.

A frame is a prelude (total length, header length, CRC of these eight bytes), typed headers, a payload, and a CRC of
all of it (docs.aws.amazon.com/transcribe/latest/dg/event-stream.html). Both checksums are checked and a frame's size is
refused before any of it is waited for, so that nothing is read beyond a frame and no more is kept than what came in.
"""

from struct import Struct as Layout
from typing import Final
from zlib import crc32

from msgspec import Struct

MAX_FRAME_BYTES: Final = 16 * 1024 * 1024
_MAX_HEADER_BYTES: Final = 128 * 1024
_PRELUDE: Final = Layout(">III")
_CRC: Final = Layout(">I")
_SHORT: Final = Layout(">H")
_SMALLEST: Final = _PRELUDE.size + _CRC.size
_FIXED: Final = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}
"""Bytes of a value by its type: true, false, byte, short, int, long, timestamp, uuid."""
_BYTES: Final = 6
_STRING: Final = 7
_MOST_REMEMBERED: Final = 64


class _Broken(Exception):
    """The bytes are no event stream; what is wrong with them, in words."""


class Frame(Struct):
    """`headers`: those of type string, which is what names, types and errors are told in."""

    headers: dict[str, str]
    payload: bytes


class FrameReader:
    """`feed` returns the frames that are complete. Once bytes are none, `broken` says why and no more are read."""

    __slots__ = ("_known", "_needed", "_pending", "broken")

    def __init__(self) -> None:
        self.broken: str | None = None
        self._pending = bytearray()
        self._needed = _PRELUDE.size
        self._known: dict[bytes, dict[str, str]] = {}

    @property
    def between_frames(self) -> bool:
        """Nothing of a next frame was read."""
        return not self._pending

    def feed(self, data: bytes) -> list[Frame]:
        frames: list[Frame] = []
        if self.broken is not None:
            return frames
        if self._pending:
            self._pending += data
            if len(self._pending) < self._needed:
                return frames
            data = bytes(self._pending)
            self._pending.clear()
        try:
            rest = self._cut(data, frames)
        except _Broken as broken:
            self.broken = str(broken)
        else:
            self._pending += rest
        return frames

    def _cut(self, data: bytes, frames: list[Frame]) -> bytes:
        """Takes the complete frames; returns what is left, and notes how much is needed to go on."""
        at, end = 0, len(data)
        while end - at >= _PRELUDE.size:
            total = _checked_length(data, at)
            if end - at < total:
                self._needed = total
                return data[at:]
            frames.append(self._frame(data, at, total))
            at += total
        self._needed = _PRELUDE.size
        return data[at:]

    def _frame(self, data: bytes, at: int, total: int) -> Frame:
        last = at + total - _CRC.size
        if crc32(data[at:last]) != _CRC.unpack_from(data, last)[0]:
            raise _Broken("a frame whose checksum is wrong")
        start = at + _PRELUDE.size
        body = start + _PRELUDE.unpack_from(data, at)[1]
        return Frame(self._headers(data[start:body]), data[body:last])

    def _headers(self, block: bytes) -> dict[str, str]:
        """Every event of a kind has the same header bytes, so each kind is read once."""
        known = self._known.get(block)
        if known is None:
            known = _read_headers(block)
            if len(self._known) < _MOST_REMEMBERED and len(block) < 1024:
                self._known[block] = known
        return known


def _checked_length(data: bytes, at: int) -> int:
    """The length of the frame that begins here."""
    total, headers, checksum = _PRELUDE.unpack_from(data, at)
    if crc32(data[at : at + 8]) != checksum:
        raise _Broken("a frame whose prelude has a wrong checksum")
    if total >= MAX_FRAME_BYTES or headers > _MAX_HEADER_BYTES:
        raise _Broken(f"a frame of {total} bytes with {headers} bytes of headers")
    if total < _SMALLEST or headers > total - _SMALLEST:
        raise _Broken("a frame whose lengths contradict each other")
    return total


def _read_headers(block: bytes) -> dict[str, str]:
    headers: dict[str, str] = {}
    at, end = 0, len(block)
    while at < end:
        name_end = at + 1 + block[at]
        if name_end >= end:
            raise _Broken("a header that ends within its name")
        kind = block[name_end]
        start = name_end + 1
        if kind in (_BYTES, _STRING):
            if start + _SHORT.size > end:
                raise _Broken("a header that ends within its length")
            size = _SHORT.unpack_from(block, start)[0]
            start += _SHORT.size
        elif kind in _FIXED:
            size = _FIXED[kind]
        else:
            raise _Broken(f"a header of the unknown type {kind}")
        if start + size > end:
            raise _Broken("a header that ends within its value")
        if kind == _STRING:
            headers[_text(block[at + 1 : name_end])] = _text(block[start : start + size])
        at = start + size
    return headers


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise _Broken("a header that is not UTF-8") from None
