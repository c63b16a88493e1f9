"""Finds the objects of a JSON array that arrives in pieces: how generateContent streams without `alt=sse`.

Nothing is decoded here. Outside of strings a brace can only open or close an object, so that counting them is enough;
what stands between the objects (brackets, commas, white space) is passed over.
"""

import re
from typing import Final

from llmgateway.wire.sse import EventTooLarge

MAX_BYTES: Final = 64 * 1024 * 1024
_DEEPEST: Final = 1000
_QUOTE: Final = ord('"')
_OPEN: Final = ord("{")
_BACKSLASH: Final = ord("\\")
_TO_BRACE: Final = re.compile(rb'(?:[^"{}]++|"(?:[^"\\]++|\\.)*+")*+', re.DOTALL)
"""All up to the next brace, or to a string that has not come to its end."""
_IN_STRING: Final = re.compile(rb'(?:[^"\\]++|\\.)*+', re.DOTALL)


class ObjectReader:
    """`feed` returns the objects that are complete, `close` the one that was cut off, for its error to be told."""

    __slots__ = ("_at", "_buffer", "_depth", "_in_string", "_start")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._at = 0
        self._start = 0
        self._depth = 0
        self._in_string = False

    def feed(self, data: bytes) -> list[bytes]:
        """Raises EventTooLarge, for one that is nested too deeply as well."""
        buffer = self._buffer
        buffer += data
        if len(buffer) > MAX_BYTES:
            raise EventTooLarge
        objects: list[bytes] = []
        end = len(buffer)
        while self._at < end:
            found = (_IN_STRING if self._in_string else _TO_BRACE).match(buffer, self._at)
            self._at = found.end() if found is not None else end
            if self._at == end or (self._in_string and buffer[self._at] == _BACKSLASH):
                break  # an escaped character has not arrived yet, or nothing more has
            self._mark(buffer[self._at], objects)
        kept = self._start if self._depth else self._at
        del buffer[:kept]
        self._at -= kept
        self._start = 0
        return objects

    def close(self) -> list[bytes]:
        return [bytes(self._buffer)] if self._depth else []

    def _mark(self, mark: int, objects: list[bytes]) -> None:
        self._at += 1
        if mark == _QUOTE:
            self._in_string = not self._in_string
        elif mark == _OPEN:
            if self._depth == 0:
                self._start = self._at - 1
            self._depth += 1
            if self._depth > _DEEPEST:
                raise EventTooLarge
        elif self._depth:
            self._depth -= 1
            if self._depth == 0:
                objects.append(bytes(self._buffer[self._start : self._at]))
