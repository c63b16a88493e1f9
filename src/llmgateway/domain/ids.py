"""Identifiers: sortable log ids of ours, and the clean-up of request ids that callers send."""

import os
import re
import time

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._:\-]{1,128}")


class LogIds:
    """Makes ids that sort by time: 10 characters of milliseconds, 6 of a counter, 10 random of this process.

    Unique across processes by the 50 random bits and by the start time, within one by the counter.
    """

    def __init__(self) -> None:
        self._counter = int.from_bytes(os.urandom(2), "big")
        self._process = _base32(int.from_bytes(os.urandom(7), "big"), 10)
        self._last_ms = -1
        self._prefix = ""

    def next(self) -> str:
        now_ms = time.time_ns() // 1_000_000
        if now_ms > self._last_ms:
            self._last_ms = now_ms
            self._prefix = _base32(now_ms, 10)
        self._counter = (self._counter + 1) & 0x3FFFFFFF
        return f"{self._prefix}{_base32(self._counter, 6)}{self._process}"


def _base32(number: int, width: int) -> str:
    digits = ["0"] * width
    for place in range(width - 1, -1, -1):
        number, digit = divmod(number, 32)
        digits[place] = _ALPHABET[digit]
    return "".join(digits)


def clean_request_id(value: bytes | None) -> str | None:
    """A caller's x-request-id if it is 1 to 128 of `A-Z a-z 0-9 . _ : -`, else None (we make one then)."""
    if value is None or _REQUEST_ID.fullmatch(value) is None:
        return None
    return value.decode("ascii")
