"""Finds the objects of a JSON array that arrives in pieces: how generateContent streams without `alt=sse`.

Nothing is decoded here. Outside of strings a brace can only open or close an object, so that counting them is enough;
what stands between the objects (brackets, commas, white space) is passed over.
"""

import re
from typing import Final

from llmgateway.wire.sse import EventTooLarge

MAX_BYTES: Final = 64 * 1024 * 1024
_OUTSIDE: Final = re.compile(rb'["{}]')
_INSIDE: Final = re.compile(rb'["\\]')


class ObjectReader:
    """`feed` returns the objects that are complete; what is left at the end was none."""

    __slots__ = ("_at", "_buffer", "_depth", "_in_string", "_start")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._at = 0
        self._start = 0
        self._depth = 0
        self._in_string = False

    def feed(self, data: bytes) -> list[bytes]:
        """Raises EventTooLarge."""
        self._buffer += data
        if len(self._buffer) > MAX_BYTES:
            raise EventTooLarge
        objects: list[bytes] = []
        while (mark := (_INSIDE if self._in_string else _OUTSIDE).search(self._buffer, self._at)) is not None:
            self._at = mark.end()
            if self._in_string:
                if mark[0] == b'"':
                    self._in_string = False
                elif self._at == len(self._buffer):
                    self._at = mark.start()  # the escaped character has not arrived yet
                    return objects
                else:
                    self._at += 1
            else:
                self._outside(mark[0], objects)
        self._forget()
        return objects

    def close(self) -> list[bytes]:
        """An object that was cut off is handed out for its error to be told."""
        return [bytes(self._buffer[self._start :])] if self._depth else []

    def _outside(self, mark: bytes | bytearray, objects: list[bytes]) -> None:
        if mark == b'"':
            self._in_string = True
        elif mark == b"{":
            if self._depth == 0:
                self._start = self._at - 1
            self._depth += 1
        elif self._depth:
            self._depth -= 1
            if self._depth == 0:
                objects.append(bytes(self._buffer[self._start : self._at]))

    def _forget(self) -> None:
        """All that was searched, but for the object that is not complete."""
        kept = self._start if self._depth else len(self._buffer)
        del self._buffer[:kept]
        self._start = 0
        self._at = len(self._buffer)
