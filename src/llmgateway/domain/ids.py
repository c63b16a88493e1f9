"""Identifiers: sortable log ids of ours, and the clean-up of request ids that callers send."""

import os
import re
import time

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._:\-]{1,128}")
_COUNTER_MASK = 0xFFFFFF


class LogIds:
    """Makes ids that sort by time: 12 hex digits of milliseconds, 6 of a counter, 10 random ones of this process.

    Unique across processes by the random digits and by the time, within one by the counter.
    """

    def __init__(self) -> None:
        self._counter = int.from_bytes(os.urandom(2), "big")
        self._process = os.urandom(5).hex()
        self._ms = 0
        self._time = ""

    def next(self) -> str:
        self._counter = counter = (self._counter + 1) & _COUNTER_MASK
        ms = time.time_ns() // 1_000_000
        if ms != self._ms:
            self._ms, self._time = ms, f"{ms:012x}"
        return f"{self._time}{counter:06x}{self._process}"


def clean_request_id(value: bytes | None) -> str | None:
    """A caller's x-request-id if it is 1 to 128 of `A-Z a-z 0-9 . _ : -`, else None (we make one then)."""
    if value is None or _REQUEST_ID.fullmatch(value) is None:
        return None
    return value.decode("ascii")
