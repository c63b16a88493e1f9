"""Sink: a thread that carries the journal's lines into the database and deletes segments that are wholly there.

The journal file is the queue: the sink reads on from where it was, inserts a batch and notes in the same transaction
how far it got, so that replaying after a crash, a start and normal running are the same code, and nothing goes in
twice. While the database is locked, read-only, full or gone the file merely grows and the sink tries again. Writing
the file is left to the journal, decoding and SQL to `insertion`.
"""

import logging
import os
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from llmgateway.infra.db.insertion import Insertion, TableColumns, newest_row, sum_up, table_columns
from llmgateway.infra.journal.segment import HEADER_LINE, Header, segment_paths
from llmgateway.infra.journal.tail import Tail

_log = logging.getLogger(__name__)
_READ_BYTES = 1 << 15  # about 50 records: decoding them holds the interpreter lock for less than 0.1 ms
_BATCH_BYTES = 1 << 20
_RETRY_FIRST_S, _RETRY_LAST_S = 0.1, 2.0
_OFFSETS_TABLE = (
    "CREATE TABLE IF NOT EXISTS journal_offsets (segment TEXT PRIMARY KEY, offset INTEGER NOT NULL) WITHOUT ROWID"
)


class SinkStats(msgspec.Struct, frozen=True, kw_only=True):
    """`rows`: exchanges carried over. `lag_bytes`, `lag_s`: how far, and for how long, the database is behind."""

    rows: int
    lag_bytes: int
    lag_s: float
    errors: int
    last_error: str | None
    bad_lines: int
    torn_lines: int


class Sink:
    """Carries `directory`'s segments over: the one that `live` names, and all whose writer is gone.

    `connect` is called in the sink's own thread, again after each failure; the tables must exist by then.
    """

    def __init__(
        self,
        directory: Path,
        connect: Callable[[], sqlite3.Connection],
        *,
        live: Callable[[], Path | None] = lambda: None,
        interval_s: float = 0.2,
        adopt_interval_s: float = 5.0,
        busy_timeout_s: float = 1.0,
    ) -> None:
        self._directory = directory
        self._connect = connect
        self._live = live
        self._interval_s = interval_s
        self._adopt_interval_s = adopt_interval_s
        self._busy_timeout_s = busy_timeout_s
        self._connection: sqlite3.Connection | None = None
        self._synchronous = 1
        self._columns = TableColumns((), ())
        self._tails: dict[Path, Tail] = {}
        self._insertions: dict[Path, Insertion] = {}
        self._adopt_at = 0.0
        self._rows = self._lag_bytes = self._errors = self._bad_lines = self._torn_lines = 0
        self._last_error: str | None = None
        self._behind_since: float | None = None
        self._retry_s = 0.0
        self._turn = threading.Condition()
        self._begun = self._clean = 0
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._drain_until = 0.0
        self._thread = threading.Thread(target=self._run, name="journal-sink", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        """Do not wait for the next interval."""
        self._wake.set()

    def stats(self) -> SinkStats:
        since = self._behind_since
        return SinkStats(
            rows=self._rows,
            lag_bytes=self._lag_bytes,
            lag_s=0.0 if since is None else time.monotonic() - since,
            errors=self._errors,
            last_error=self._last_error,
            bad_lines=self._bad_lines,
            torn_lines=self._torn_lines,
        )

    def drain_until_empty(self, timeout_s: float) -> bool:
        """Wait until all that was journaled before this call is in the database; False when time ran out."""
        with self._turn:
            begun = self._begun
            self._adopt_at = 0.0
            self._wake.set()
            return self._turn.wait_for(lambda: self._clean > begun, timeout_s)

    def stop(self, *, drain: bool, timeout_s: float = 10.0) -> bool:
        """End the thread, with `drain` once everything is carried over; False when time ran out before."""
        self._drain_until = time.monotonic() + timeout_s if drain else 0.0
        self._stopping.set()
        self._wake.set()
        self._thread.join(timeout_s + self._busy_timeout_s)
        return not self._thread.is_alive() and (not drain or self._lag_bytes == 0)

    # What follows runs in the sink's thread.

    def _run(self) -> None:
        last = False
        while not last:
            last = self._stopping.is_set()
            with self._turn:
                self._begun += 1
            more = self._carry_over(adopt_now=last)
            if last and (self._lag_bytes or self._retry_s) and time.monotonic() < self._drain_until:
                last = False
            if not last and not more:
                self._pause()
        self._let_go()

    def _pause(self) -> None:
        """Until the interval is over or somebody wakes us; after a failure only the order to stop does."""
        end = time.monotonic() + (self._retry_s or self._interval_s)
        while (left := end - time.monotonic()) > 0:
            woken = self._wake.wait(left)
            self._wake.clear()
            if woken and (not self._retry_s or self._stopping.is_set()):
                return

    def _carry_over(self, *, adopt_now: bool) -> bool:
        """One pass over all segments. True when there is more to carry over at once."""
        more = False
        try:
            self._open_tails(adopt_now=adopt_now)
            more = self._transfer()
            self._finish_tails()
        except Exception as error:  # noqa: BLE001 - the thread must go on; the records stay in the journal
            self._failed(error)
        else:
            self._recovered()
        self._lag_bytes = sum(tail.size - tail.offset for tail in self._tails.values())
        if not self._lag_bytes:
            self._behind_since = None
        elif self._behind_since is None:
            self._behind_since = time.monotonic()
        with self._turn:
            if not self._lag_bytes and not self._retry_s:
                self._clean = self._begun
                self._turn.notify_all()
        return more

    def _failed(self, error: Exception) -> None:
        if not self._retry_s:
            _log.error("journal sink: %s; records stay in the journal, trying again", error)
        self._errors += 1
        self._last_error = str(error) or repr(error)
        self._retry_s = min(max(self._retry_s * 2, _RETRY_FIRST_S), _RETRY_LAST_S)
        self._disconnect()

    def _recovered(self) -> None:
        if self._retry_s:
            _log.warning("journal sink: the database takes records again")
        self._retry_s = 0.0
        self._last_error = None

    def _connected(self) -> sqlite3.Connection:
        if self._connection is None:
            connection = self._connection = self._connect()
            connection.isolation_level = None
            connection.execute(f"PRAGMA busy_timeout = {int(self._busy_timeout_s * 1000)}")
            (self._synchronous,) = connection.execute("PRAGMA synchronous").fetchone()
            self._columns = table_columns(connection)
            self._insertions.clear()
            connection.execute(_OFFSETS_TABLE)
        return self._connection

    def _disconnect(self) -> None:
        """Whatever was under way is rolled back."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _open_tails(self, *, adopt_now: bool) -> None:
        live = self._live()
        if live is not None and live not in self._tails:
            self._tails[live] = Tail(live)
        if not adopt_now and time.monotonic() < self._adopt_at:
            return
        self._adopt_at = time.monotonic() + self._adopt_interval_s
        for path in segment_paths(self._directory):
            if path not in self._tails:
                self._adopt(path)

    def _adopt(self, path: Path) -> None:
        """Take over a segment whose writer is gone."""
        try:
            tail = Tail(path)
        except FileNotFoundError:
            return  # another process was faster
        if tail.lock() and not tail.deleted:
            self._tails[path] = tail
        else:
            tail.close()

    def _transfer(self) -> bool:
        """Carry a batch over from the segments that have grown, in one transaction. True: there is more."""
        grown = sorted((tail for tail in self._tails.values() if tail.size > tail.offset), key=lambda tail: tail.path)
        if not grown:
            return False
        connection = self._connected()
        connection.execute("BEGIN IMMEDIATE")
        newest = newest_row(connection)
        done: list[tuple[Tail, int, int, int]] = []
        carried = 0
        while grown and carried < _BATCH_BYTES:
            tail = grown.pop()  # the newest first: a long replay does not hold back what is happening now
            done.append((tail, *self._copy(connection, tail)))
            carried += done[-1][1] - tail.offset
        sum_up(connection, after=newest)
        connection.execute("COMMIT")
        for tail, offset, records, bad in done:
            tail.offset = offset
            self._rows += records
            self._bad_lines += bad
        return carried >= _BATCH_BYTES

    def _copy(self, connection: sqlite3.Connection, tail: Tail) -> tuple[int, int, int]:
        """New offset, number of records, number of bad lines."""
        offset = tail.offset or self._saved_offset(connection, tail)
        start, records, bad = offset, 0, 0
        while offset < start + _BATCH_BYTES and (lines := tail.lines(offset, size=_READ_BYTES)):
            if offset == 0 and tail.header() is not None:
                offset = len(tail.header_line)
                continue
            inserted = self._insertion(tail).insert(connection, lines)
            if inserted.bad:
                self._set_aside(tail, b"".join(inserted.bad))
            records += inserted.records
            bad += len(inserted.bad)
            offset += len(lines)
        connection.execute(
            "INSERT INTO journal_offsets VALUES (?, ?) ON CONFLICT (segment) DO UPDATE SET offset = excluded.offset",
            (tail.path.name, offset),
        )
        return offset, records, bad

    def _saved_offset(self, connection: sqlite3.Connection, tail: Tail) -> int:
        query = "SELECT offset FROM journal_offsets WHERE segment = ?"
        row: tuple[int] | None = connection.execute(query, (tail.path.name,)).fetchone()
        return row[0] if row is not None else 0

    def _insertion(self, tail: Tail) -> Insertion:
        """A segment without a readable header is taken to be of this version."""
        insertion = self._insertions.get(tail.path)
        if insertion is None:
            insertion = Insertion(tail.header() or Header(), columns=self._columns)
            self._insertions[tail.path] = insertion
        return insertion

    def _set_aside(self, tail: Tail, lines: bytes) -> None:
        """Keep lines that cannot be stored in a file beside the segment; renamed to .jsonl it is replayed."""
        _log.error("journal sink: %s has lines that cannot be stored; they are kept in *.bad", tail.path)
        descriptor = os.open(tail.path.with_suffix(".bad"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with open(descriptor, "ab") as file:
            if not file.tell():
                file.write(tail.header_line if tail.header() is not None else HEADER_LINE)
            file.write(lines)

    def _finish_tails(self) -> None:
        live = self._live()
        for path, tail in list(self._tails.items()):
            if path == live:
                continue
            if not tail.lock():
                if tail.deleted:
                    self._drop(path)
            elif tail.size <= tail.offset or not tail.lines(tail.offset, size=1 << 12):
                self._torn_lines += tail.size > tail.offset
                self._delete(path)

    def _delete(self, path: Path) -> None:
        """Delete a segment once its rows would survive a power loss too."""
        connection = self._connected()
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("DELETE FROM journal_offsets WHERE segment = ?", (path.name,))
        connection.execute(f"PRAGMA synchronous = {self._synchronous}")
        path.unlink(missing_ok=True)
        self._drop(path)

    def _drop(self, path: Path) -> None:
        self._tails.pop(path).close()
        self._insertions.pop(path, None)

    def _let_go(self) -> None:
        for path in list(self._tails):
            self._drop(path)
        self._disconnect()
