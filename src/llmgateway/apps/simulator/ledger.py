"""What a simulated provider was asked: the last requests that arrived, whether their clients stayed, and totals.
Secrets are kept as fingerprints only, bodies up to 64 KiB."""

import re
from collections import Counter, deque
from collections.abc import Iterable
from hashlib import sha256

import msgspec

from llmgateway.apps.simulator.script import Header, Request

KEPT_REQUESTS = 1000
_KEY_IN_QUERY = re.compile(r"([?&]key=)[^&]*")
KEPT_BODY_BYTES = 64 * 1024
_SECRETS = frozenset(
    (
        b"authorization",
        b"proxy-authorization",
        b"x-api-key",
        b"api-key",
        b"x-goog-api-key",
        b"cookie",
        b"x-amz-security-token",
    )
)


class Entry(msgspec.Struct, kw_only=True):
    """A request that arrived. `time` is in Unix seconds; `status` 0 until a head was sent. `aborted_after_ms`: how
    long after its arrival the client went away before the answer's end; None: it did not."""

    number: int
    request: Request
    time: float
    fault: str | None = None
    status: int = 0
    finished: bool = False
    aborted_after_ms: float | None = None


class Ledger:
    """Counts every request, keeps the last `keep`."""

    def __init__(self, *, keep: int = KEPT_REQUESTS) -> None:
        self._kept: deque[Entry] = deque(maxlen=keep)
        self._totals: Counter[str] = Counter()
        self._by_path: Counter[str] = Counter()
        self._by_fault: Counter[str] = Counter()
        self._by_status: Counter[int] = Counter()

    @property
    def entries(self) -> tuple[Entry, ...]:
        return tuple(self._kept)

    @property
    def requests(self) -> int:
        """How many arrived."""
        return self._totals["requests"]

    @property
    def aborted(self) -> int:
        """How many clients went away before the end of their answer."""
        return self._totals["aborted"]

    @property
    def open(self) -> int:
        """How many are being answered."""
        return self._totals["requests"] - self._totals["finished"] - self._totals["aborted"]

    def arrive(self, request: Request, *, number: int, time: float, fault: str | None, path: str) -> Entry:
        """`path` is one of the simulator's own, so that the counts stay bounded."""
        entry = Entry(number=number, request=_bounded(request), time=time, fault=fault)
        self._kept.append(entry)
        self._totals["requests"] += 1
        self._by_path[path] += 1
        if fault is not None:
            self._by_fault[fault] += 1
        return entry

    def head(self, entry: Entry, *, status: int) -> None:
        entry.status = status
        self._by_status[status] += 1

    def finish(self, entry: Entry) -> None:
        """The script was played to its end."""
        if not entry.finished and entry.aborted_after_ms is None:
            entry.finished = True
            self._totals["finished"] += 1

    def abort(self, entry: Entry, *, after_ms: float) -> None:
        """The client went away first."""
        if not entry.finished and entry.aborted_after_ms is None:
            entry.aborted_after_ms = after_ms
            self._totals["aborted"] += 1

    def reset(self) -> None:
        """Forgets everything; requests that are being answered are no longer counted."""
        for entry in self._kept:
            entry.finished = True
        self._kept.clear()
        for counter in (self._totals, self._by_path, self._by_fault, self._by_status):
            counter.clear()

    def report(self, *, refused_port: int | None) -> bytes:
        """The JSON of GET /simulator/requests."""
        totals = {
            "requests": self.requests,
            "finished": self._totals["finished"],
            "aborted": self.aborted,
            "open": self.open,
            "by_path": self._by_path,
            "by_fault": self._by_fault,
            "by_status": {str(status): count for status, count in self._by_status.items()},
        }
        rows = [_row(entry) for entry in self._kept]
        return msgspec.json.encode({"totals": totals, "refused_port": refused_port, "requests": rows})


def masked(headers: Iterable[Header]) -> list[tuple[str, str]]:
    """Headers for the eye: of a secret only a fingerprint, so that two can be told apart."""
    return [
        (
            name.decode("latin-1"),
            f"sha256:{sha256(value).hexdigest()[:16]}" if name in _SECRETS else value.decode("latin-1"),
        )
        for name, value in headers
    ]


def _bounded(request: Request) -> Request:
    if len(request.body) <= KEPT_BODY_BYTES:
        return request
    return Request(request.method, request.path, request.headers, request.body[:KEPT_BODY_BYTES])


def _row(entry: Entry) -> dict[str, object]:
    request = entry.request
    return {
        "number": entry.number,
        "time": entry.time,
        "method": request.method,
        "path": _KEY_IN_QUERY.sub(r"\1…", request.path),
        "headers": masked(request.headers),
        "body": request.body.decode("utf-8", "replace"),
        "fault": entry.fault,
        "status": entry.status,
        "finished": entry.finished,
        "aborted": entry.aborted_after_ms is not None,
        "aborted_after_ms": entry.aborted_after_ms,
    }
