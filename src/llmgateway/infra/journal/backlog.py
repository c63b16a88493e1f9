"""The bounded memory queue that takes records while the journal file does not.

The event loop pushes, the keeper thread takes: the oldest entry stays in place until it is wholly written. Past its
limits the backlog asks for no new work; what was already under way may still be pushed up to twice the limits, so that
a request that was accepted is not forgotten. What happens to the entries is left to `writer`.
"""

import threading
from collections import deque

import msgspec


class Entry(msgspec.Struct, frozen=True):
    """Whole lines of one loop turn, and how many records they are."""

    lines: bytes
    records: int


class Backlog:
    """First in, first out, thread-safe. The limits say when to ask for no more, `grace` times them when to forget."""

    def __init__(self, *, limit_bytes: int, limit_records: int, grace: int = 2) -> None:
        self._limit_bytes = limit_bytes
        self._limit_records = limit_records
        self._grace = grace
        self._lock = threading.Lock()
        self._entries: deque[Entry] = deque()
        self._bytes = 0
        self._records = 0
        self._open = False
        self.full = False
        """Past a limit: no new work is wanted."""

    @property
    def records(self) -> int:
        return self._records

    @property
    def open(self) -> bool:
        """Whether lines go here instead of to the file."""
        return self._open

    def begin(self, entry: Entry | None = None) -> None:
        """From now on lines go here (`entry` first), whatever the file could take meanwhile: one writer at a time."""
        with self._lock:
            self._open = True
            if entry is not None:
                self._add(entry)

    def end_if_empty(self) -> bool:
        """Give the file back to the event loop, unless something is still queued."""
        with self._lock:
            if self._entries:
                return False
            self._open = False
            return True

    def push(self, entry: Entry) -> bool | None:
        """True: queued. False: no room, forgotten. None: closed meanwhile, so the entry belongs to the file."""
        with self._lock:
            if not self._open:
                return None
            if self._bytes >= self._limit_bytes * self._grace or self._records >= self._limit_records * self._grace:
                return False
            self._add(entry)
            return True

    def _add(self, entry: Entry) -> None:
        self._entries.append(entry)
        self._bytes += len(entry.lines)
        self._records += entry.records
        self._measure()

    def first(self) -> Entry | None:
        with self._lock:
            return self._entries[0] if self._entries else None

    def written(self) -> None:
        """The first entry is in the file."""
        with self._lock:
            entry = self._entries.popleft()
            self._bytes -= len(entry.lines)
            self._records -= entry.records
            self._measure()

    def _measure(self) -> None:
        self.full = self._bytes >= self._limit_bytes or self._records >= self._limit_records
