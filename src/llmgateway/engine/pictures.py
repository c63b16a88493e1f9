"""How large a picture is, from the first bytes of its data URL, without decoding it. A link says nothing."""

import base64
import binascii
from typing import Final

import msgspec

_HEAD: Final = 8_192
_JPEG_SIZES: Final = frozenset((*range(0xC0, 0xC4), *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0)))


class Picture(msgspec.Struct, frozen=True):
    """Pixels; 0 where they are not known. `low`: the caller asks for no detail."""

    width: int = 0
    height: int = 0
    low: bool = False


def picture(url: str, *, detail: str | None = None) -> Picture:
    low = detail == "low"
    if not url.startswith("data:"):
        return Picture(low=low)
    start = url.find(",", 0, 256) + 1
    try:
        head = base64.b64decode(url[start : start + _HEAD - len(url[start : start + _HEAD]) % 4])
    except (binascii.Error, ValueError):
        return Picture(low=low)
    width, height = _size(head)
    return Picture(width, height, low)


def _size(head: bytes) -> tuple[int, int]:
    if head.startswith(b"\x89PNG"):
        return int.from_bytes(head[16:20]), int.from_bytes(head[20:24])
    if head.startswith(b"GIF8"):
        return int.from_bytes(head[6:8], "little"), int.from_bytes(head[8:10], "little")
    if head.startswith(b"\xff\xd8"):
        return _jpeg(head)
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return _webp(head)
    return 0, 0


def _jpeg(head: bytes) -> tuple[int, int]:
    """The first frame header; none within the head: unknown."""
    at = 2
    while at + 9 <= len(head) and head[at] == 0xFF:
        if head[at + 1] in _JPEG_SIZES:
            return int.from_bytes(head[at + 7 : at + 9]), int.from_bytes(head[at + 5 : at + 7])
        at += 2 + int.from_bytes(head[at + 2 : at + 4])
    return 0, 0


def _webp(head: bytes) -> tuple[int, int]:
    """https://developers.google.com/speed/webp/docs/riff_container"""
    kind = head[12:16]
    if kind == b"VP8X":
        return 1 + int.from_bytes(head[24:27], "little"), 1 + int.from_bytes(head[27:30], "little")
    if kind == b"VP8L":
        bits = int.from_bytes(head[21:25], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    return int.from_bytes(head[26:28], "little") & 0x3FFF, int.from_bytes(head[28:30], "little") & 0x3FFF
