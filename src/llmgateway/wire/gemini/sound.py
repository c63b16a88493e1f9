"""Sound in pieces: base64 that can be joined, and the WAV header that Google's bare samples lack.

Speech models answer with `audio/L16;codec=pcm;rate=24000`, one channel of 16-bit samples
(https://ai.google.dev/gemini-api/docs/speech-generation).
"""

import base64
import binascii
import re
import struct
from typing import Final

_RATE: Final = re.compile(r"rate=(\d{4,6})")
_RAW: Final = re.compile(r"audio/(l16|pcm)", re.IGNORECASE)
_UNKNOWN_SIZE: Final = 0xFFFFFFFF
_HEADER_BYTES: Final = 44


class Sound:
    """`feed` base64 pieces, get base64 whose concatenation is base64 again; `close` hands out the last bytes."""

    __slots__ = ("_rest",)

    def __init__(self, kind: str, *, wav: bool) -> None:
        self._rest = _wav_header(kind) if wav and _RAW.match(kind) else b""

    def feed(self, data: str) -> str:
        try:
            piece = base64.b64decode(
                data + "=" * (-len(data) % 4), altchars=b"-_" if "-" in data or "_" in data else None
            )
        except (binascii.Error, ValueError):
            return ""
        whole = self._rest + piece
        cut = len(whole) - len(whole) % 3
        self._rest = whole[cut:]
        return base64.b64encode(whole[:cut]).decode("ascii")

    def close(self) -> str:
        rest, self._rest = self._rest, b""
        return base64.b64encode(rest).decode("ascii")


def sized(data: str) -> str:
    """A whole recording whose WAV header, written before its size was known, now tells it."""
    sound = base64.b64decode(data)
    if not sound.startswith(b"RIFF\xff\xff\xff\xff"):
        return data
    sizes = struct.pack("<I", len(sound) - 8), struct.pack("<I", len(sound) - _HEADER_BYTES)
    return base64.b64encode(b"RIFF" + sizes[0] + sound[8:40] + sizes[1] + sound[44:]).decode("ascii")


def _wav_header(kind: str) -> bytes:
    rate = int(found[1]) if (found := _RATE.search(kind)) else 24_000
    form = struct.pack("<IHHIIHH", 16, 1, 1, rate, rate * 2, 2, 16)
    return b"RIFF" + struct.pack("<I", _UNKNOWN_SIZE) + b"WAVEfmt " + form + b"data" + struct.pack("<I", _UNKNOWN_SIZE)
