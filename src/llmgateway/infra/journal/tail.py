"""Tail: reads a segment from an offset, whole lines at a time, while it may still be growing.

It knows where the reader is in the file and whether the file is finished; what the lines mean and what is remembered
of the progress is left to the sink.
"""

import os
from pathlib import Path

from llmgateway.infra.journal.segment import Header, header_of, try_lock


class Tail:
    """A segment opened for reading. `offset` is where the next unread line begins. Raises OSError as the file does."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.offset = 0
        self.locked = False
        self.header_line = b""
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def lock(self) -> bool:
        """Whether the segment is ours: nobody writes it any more, and nobody else replays it."""
        self.locked = self.locked or try_lock(self._descriptor)
        return self.locked

    def header(self) -> Header | None:
        """What the first line says, None when there is none to be understood."""
        if not self.header_line:
            first, newline, _ = self.lines(0, size=1 << 14).partition(b"\n")
            self.header_line = first + newline
        return header_of(self.header_line)

    def lines(self, offset: int, *, size: int) -> bytes:
        """About `size` bytes of whole lines (one at least, however long); b"" when there is no whole line left."""
        data = os.pread(self._descriptor, size, offset)
        end = data.rfind(b"\n") + 1
        while not end and len(data) == size:
            size *= 4
            data = os.pread(self._descriptor, size, offset)
            end = data.rfind(b"\n") + 1
        return data[:end]

    @property
    def size(self) -> int:
        return os.fstat(self._descriptor).st_size

    @property
    def deleted(self) -> bool:
        return not os.fstat(self._descriptor).st_nlink

    def close(self) -> None:
        """Also lets go of the lock."""
        os.close(self._descriptor)
