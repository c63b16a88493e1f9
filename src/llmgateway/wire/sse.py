"""Server-sent events, by the WHATWG rules: bytes in, `data` payloads out, whatever the split of the bytes.

LF, CRLF and CR line ends, comments, a byte order mark, several data lines in one event and a last event without its
blank line are all read. Names, ids and retry fields are passed over, since no chat protocol here needs them.
"""

from typing import Final

_BOM: Final = b"\xef\xbb\xbf"
MAX_EVENT_BYTES: Final = 16 * 1024 * 1024


class EventTooLarge(Exception):
    """One event exceeded the reader's limit."""


class EventReader:
    """`feed` returns the payloads of the events that are complete; `close` the one that was not."""

    __slots__ = ("_data", "_data_bytes", "_limit", "_pending", "_started")

    def __init__(self, *, limit: int = MAX_EVENT_BYTES) -> None:
        self._limit = limit
        self._pending = bytearray()
        self._data: list[bytes] = []
        self._data_bytes = 0
        self._started = False

    def feed(self, data: bytes) -> list[bytes]:
        if not self._started:
            data = self._first(data)
            if not self._started:
                return []
        if b"\n" not in data and b"\r" not in data:
            self._keep(data)
            return []
        if self._pending:
            data = self.take_pending() + data
        lines, rest = _lines_of(data)
        if rest:
            self._keep(rest)
        alike = _alike(lines) if not self._data and len(data) <= self._limit else None
        return self._lines(lines) if alike is None else alike

    def close(self) -> list[bytes]:
        """The rest as an event of its own: providers do forget the last blank line."""
        return self._lines([self.take_pending().removesuffix(b"\r"), b""])

    def take_pending(self) -> bytes:
        """Hands out, and forgets, the bytes of a line that is not complete yet."""
        pending = bytes(self._pending)
        self._pending.clear()
        return pending

    def with_pending(self, data: bytes) -> bytes:
        """`data` behind the bytes of a line that was not complete, which are forgotten here."""
        return self.take_pending() + data if self._pending else data

    @property
    def empty(self) -> bool:
        """Nothing of a next event was read."""
        return not self._data and not self._pending

    @property
    def between_events(self) -> bool:
        """Nothing of a next event was read but, at most, a part of its first line."""
        return not self._data

    def _first(self, data: bytes) -> bytes:
        data = self.take_pending() + data
        if len(data) < len(_BOM) and _BOM.startswith(data):
            self._keep(data)
            return b""
        self._started = True
        return data.removeprefix(_BOM)

    def _keep(self, rest: bytes) -> None:
        self._pending += rest
        if len(self._pending) > self._limit:
            raise EventTooLarge

    def _lines(self, lines: list[bytes]) -> list[bytes]:
        events: list[bytes] = []
        data = self._data
        for line in lines:
            if not line:
                if data:
                    events.append(data[0] if len(data) == 1 else b"\n".join(data))
                    data.clear()
                    self._data_bytes = 0
            elif line.startswith(b"data:"):
                data.append(line[6:] if line[5:6] == b" " else line[5:])
                self._data_bytes += len(line)
                if self._data_bytes > self._limit:
                    raise EventTooLarge
        return events


def _lines_of(data: bytes) -> tuple[list[bytes], bytes]:
    """The lines that have their end, and the rest. A CR at the very end may be half of a CRLF, so it waits."""
    if b"\r" not in data:
        lines = data.split(b"\n")
        return lines, lines.pop()
    held = b"\r" if data.endswith(b"\r") else b""
    data = data.removesuffix(held)
    lines = data.splitlines()
    return lines, (held if data.endswith((b"\n", b"\r")) or not lines else lines.pop() + held)


def _alike(lines: list[bytes]) -> list[bytes] | None:
    """The payloads of events that are one data line each, or all have one line more before it; None for any other."""
    if not any(lines[1::2]):
        step, payloads = 2, [line[6:] for line in lines[::2] if line.startswith(b"data: ")]
    elif not any(lines[2::3]) and not [line for line in lines[::3] if line.startswith(b"data")]:
        step, payloads = 3, [line[6:] for line in lines[1::3] if line.startswith(b"data: ")]
    else:
        return None
    return payloads if len(payloads) * step == len(lines) else None


def split_events(data: bytes) -> list[bytes]:
    """The events of `data`, which ends before the blank line of its last one.

    Almost always each is one line, and lines are found several times faster than pairs of line ends.
    """
    if b"\n" not in data:
        return [data]
    lines = data.split(b"\n")
    return data.split(b"\n\n") if any(lines[1::2]) or not len(lines) % 2 else lines[::2]
