"""FileJournal: appends the records of each turn of the event loop to the journal file with one write.

While the file takes writes, the event loop alone writes to it. Once a write fails or stalls, records go to a bounded
backlog and the keeper thread alone writes, until the file is well again. The keeper also syncs the file about once a
second and opens the next segment when one has grown large. Reading the file back is left to the sink.
"""

import asyncio
import errno
import fcntl
import logging
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from llmgateway.domain.record import LogRecord
from llmgateway.engine.errand import follow
from llmgateway.infra.journal.backlog import Backlog, Entry
from llmgateway.infra.journal.segment import HEADER_LINE, create_segment, encode_lines

Write = Callable[[int, bytes], int]
_log = logging.getLogger(__name__)
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_MIB = 1 << 20


class JournalStats(msgspec.Struct, frozen=True, kw_only=True):
    """Since the start: what was journaled, what is `queued` in memory now, and what was `dropped` for want of room."""

    records: int
    bytes: int
    write_errors: int
    stalls: int
    sync_errors: int
    queued: int
    dropped: int
    last_error: str | None


class JournalSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds and paces. `unrecorded`: with neither file nor queue to take a record, serve without one, not refuse."""

    unrecorded: bool = False
    queue_limit_bytes: int = 32 * _MIB
    queue_limit_records: int = 50_000
    segment_bytes: int = 64 * _MIB
    sync_interval_s: float = 1.0
    retry_interval_s: float = 0.25
    stall_s: float = 0.1
    close_timeout_s: float = 10.0


class FileJournal:
    """The Journal port over one locked file of this process. Made and used in the event loop's thread.

    Raises OSError when `directory` cannot be written at the start. `write`, `sync` and `clock` are seams for tests.
    """

    def __init__(
        self,
        directory: Path,
        *,
        loop: asyncio.AbstractEventLoop | None = None,
        settings: JournalSettings | None = None,
        write: Write = os.write,
        sync: Callable[[int], None] = os.fdatasync,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._directory = directory
        self._loop = loop if loop is not None else asyncio.get_running_loop()
        self._settings = settings = settings if settings is not None else JournalSettings()
        self._write, self._sync, self._clock = write, sync, clock
        self._turn: list[LogRecord] = []
        self._thens: list[Callable[[], None]] = []
        self._backlog = Backlog(
            limit_bytes=settings.queue_limit_bytes,
            limit_records=settings.queue_limit_records,
            grace=1 if settings.unrecorded else 2,
        )
        self._head_written = 0  # bytes of the backlog's first entry that are in the file
        self._well_after = 0.0
        self._records = self._bytes = self._write_errors = self._stalls = self._sync_errors = self._dropped = 0
        self._last_error: str | None = None
        self._dirty = self._closed = False
        self._next: tuple[int, Path] | None = None
        self._retired: list[int] = []
        self._wake, self._closing = threading.Event(), threading.Event()
        self._descriptor, self._path = create_segment(directory)
        self._size = 0
        self._append_lines(HEADER_LINE, records=0)
        self._keeper = threading.Thread(target=self._keep, name="journal-keeper", daemon=True)
        self._keeper.start()

    @property
    def path(self) -> Path | None:
        """The segment that is being written, None once closed."""
        return None if self._closed else self._path

    @property
    def accepting(self) -> bool:
        return self._settings.unrecorded or not self._backlog.full

    @property
    def degraded(self) -> bool:
        """Whether records wait in memory because the file fails or stalls."""
        return self._backlog.open

    def stats(self) -> JournalStats:
        return JournalStats(
            records=self._records,
            bytes=self._bytes,
            write_errors=self._write_errors,
            stalls=self._stalls,
            sync_errors=self._sync_errors,
            queued=self._backlog.records,
            dropped=self._dropped,
            last_error=self._last_error,
        )

    def append(self, record: LogRecord, *, then: Callable[[], None] | None = None) -> None:
        turn = self._turn
        if not turn and not follow(self._flush):
            self._loop.call_soon(self._flush)
        turn.append(record)
        if then is not None:
            self._thens.append(then)

    def _flush(self) -> None:
        """Write what this turn brought, then let the answers go."""
        records, thens = self._turn, self._thens
        self._turn, self._thens = [], []
        try:
            if records:
                self._append_lines(encode_lines(records), records=len(records))
        finally:
            for then in thens:
                try:
                    then()
                except Exception as error:  # noqa: BLE001 - one answer's failure must not hold back the others
                    self._loop.call_exception_handler({"message": "journal: `then` raised", "exception": error})

    def _append_lines(self, lines: bytes, *, records: int) -> None:
        self._records += records
        self._bytes += len(lines)
        queued = self._backlog.push(Entry(lines, records)) if self._backlog.open else None
        if queued is False or self._closed:
            self._dropped += records
        elif queued is None:
            self._write_lines(lines, records)

    def _write_lines(self, lines: bytes, records: int) -> None:
        if self._next is not None:
            self._take_next()
        began = self._clock()
        written = 0
        try:
            while written < len(lines):
                written += self._written(lines[written:] if written else lines)
        except OSError as error:
            _log.error("journal: writing %s failed (%s); records wait in memory", self._path, error)
            self._failed(error)
            self._head_written = written
            self._backlog.begin(Entry(lines, records))
        else:
            self._size += written
            if self._clock() - began > self._settings.stall_s:
                _log.warning("journal: a write to %s stalled; records wait in memory", self._path)
                self._stalled()
                self._backlog.begin()
        if not self._dirty:
            self._dirty = True
            self._wake.set()

    def _written(self, data: bytes) -> int:
        written = self._write(self._descriptor, data)
        if written <= 0:
            raise OSError(errno.EIO, "the journal file took no bytes")
        return written

    def _failed(self, error: OSError) -> None:
        self._write_errors += 1
        self._last_error = str(error)

    def _stalled(self) -> None:
        self._stalls += 1
        self._well_after = self._clock() + self._settings.sync_interval_s

    def _take_next(self) -> None:
        """Go on in the segment that the keeper has prepared; it also closes the old one."""
        if self._next is not None:
            self._retired.append(self._descriptor)
            (self._descriptor, self._path), self._next = self._next, None
            self._size = len(HEADER_LINE)

    async def close(self) -> None:
        """Write what is left and let go of the file; the sink may delete it once it is in the database."""
        self._flush()
        self._closed = True
        self._closing.set()
        self._wake.set()
        await asyncio.to_thread(self._keeper.join, self._settings.close_timeout_s)

    # What follows runs in the keeper thread.

    def _keep(self) -> None:
        closing = False
        while not closing:
            self._wake.wait()
            closing = self._closing.wait(
                self._settings.retry_interval_s if self._backlog.open else self._settings.sync_interval_s
            )
            self._wake.clear()
            try:
                self._recover(final=closing)
                self._sync_file()
                self._prepare_next()
            except Exception:  # noqa: BLE001 - without this thread a degraded journal would stay so
                _log.exception("journal: the keeper thread failed; it tries again")
            if self._backlog.open:
                self._wake.set()
        self._finish()

    def _recover(self, *, final: bool) -> None:
        """Write the backlog to the file; once all of it is written, and fast, the event loop has the file again."""
        try:
            while (entry := self._backlog.first()) is not None:
                self._write_entry(entry)
                self._backlog.written()
                self._head_written = 0
        except OSError as error:
            self._failed(error)
            if error.errno not in _FULL:
                self._replace_segment()
            return
        if self._backlog.open and (final or self._clock() >= self._well_after) and self._backlog.end_if_empty():
            self._last_error = None
            _log.warning("journal: %s is written again", self._path)

    def _write_entry(self, entry: Entry) -> None:
        began = self._clock()
        while self._head_written < len(entry.lines):
            written = self._written(entry.lines[self._head_written :])
            self._head_written += written
            self._size += written
        self._dirty = True
        if self._clock() - began > self._settings.stall_s:
            self._stalled()

    def _sync_file(self) -> None:
        if self._dirty:
            self._dirty = False
            try:
                self._sync(self._descriptor)
            except OSError as error:
                self._sync_errors += 1
                self._last_error = str(error)
        for descriptor in self._retired[:]:
            self._release(descriptor)
            self._retired.remove(descriptor)

    def _release(self, descriptor: int) -> None:
        """Sync and close a segment; its lock goes with it."""
        try:
            self._sync(descriptor)
        except OSError:
            self._sync_errors += 1
        os.close(descriptor)

    def _prepare_next(self) -> None:
        """A fresh segment for the loop to go on in, when this one has grown large or somebody has deleted it."""
        large = self._size >= self._settings.segment_bytes
        if self._next is None and not self._backlog.open and (large or not os.fstat(self._descriptor).st_nlink):
            self._next = self._fresh_segment()

    def _fresh_segment(self) -> tuple[int, Path] | None:
        try:
            descriptor, path = create_segment(self._directory)
        except OSError as error:
            self._failed(error)
            return None
        try:
            if self._write(descriptor, HEADER_LINE) != len(HEADER_LINE):
                raise OSError(errno.ENOSPC, "the journal file took only part of its header")
        except OSError as error:
            self._failed(error)
            path.unlink(missing_ok=True)
            os.close(descriptor)
            return None
        return descriptor, path

    def _replace_segment(self) -> None:
        """The file itself is broken: go on in another one, with the first entry whole (twice is harmless)."""
        if self._next is None:
            self._next = self._fresh_segment()
        if self._next is not None:
            self._take_next()
            self._head_written = 0

    def _finish(self) -> None:
        if self._backlog.records:
            self._dropped += self._backlog.records
            _log.error("journal: %d records could not be written before the exit", self._backlog.records)
        if self._next is not None:
            os.close(self._next[0])
            self._next = None
        fcntl.flock(self._descriptor, fcntl.LOCK_UN)
        os.close(self._descriptor)
