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
        if b"\r" in data:
            return self._any_line_end(data)
        cut = data.rfind(b"\n") + 1
        if cut < len(data):
            self._keep(data[cut:])
        lines = data[:cut].split(b"\n")
        del lines[-1]
        if not self._data and cut <= self._limit and not any(lines[1::2]):
            alone = [line[6:] for line in lines[::2] if line.startswith(b"data: ")]
            if len(alone) * 2 == len(lines):
                return alone
        return self._lines(lines)

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

    def _any_line_end(self, data: bytes) -> list[bytes]:
        """A CR at the very end may be half of a CRLF, so it waits for what follows."""
        held = b"\r" if data.endswith(b"\r") else b""
        lines = (data[:-1] if held else data).replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        self._keep(lines.pop() + held)
        return self._lines(lines)

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


def split_events(data: bytes) -> list[bytes]:
    """The events of `data`, which ends before the blank line of its last one.

    Almost always each is one line, and lines are found several times faster than pairs of line ends.
    """
    if b"\n" not in data:
        return [data]
    lines = data.split(b"\n")
    return data.split(b"\n\n") if any(lines[1::2]) or not len(lines) % 2 else lines[::2]
