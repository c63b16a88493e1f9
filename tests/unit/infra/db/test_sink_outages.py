"""The sink while the database is locked, read-only, full or gone: requests go on, rows arrive later, exactly once."""

import asyncio
import shutil
import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from llmgateway.domain.record import LogRecord
from llmgateway.infra.db.engine import connect
from llmgateway.infra.db.sink import Sink
from llmgateway.infra.journal import FileJournal
from llmgateway.infra.journal.segment import HEADER_LINE, encode_lines
from tests.support.faulty_file import fill, journal_in, small_disk
from tests.support.journaling import create_database, ids_of, record, rows, segments, stored_ids, until

Connect = Callable[[], sqlite3.Connection]


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "gateway.db"
    create_database(path)
    return path


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "journal"


@pytest.fixture
async def journal(directory: Path) -> AsyncIterator[FileJournal]:
    async with journal_in(directory) as journal:
        yield journal


class Outage:
    """A sink behind a journal that is busy; `items` is what was answered meanwhile."""

    def __init__(self, journal: FileJournal, *, directory: Path, database: Path, connection: Connect) -> None:
        self.journal = journal
        self.database = database
        self.items: list[LogRecord] = []
        self.sink = Sink(directory, connection, live=lambda: journal.path, interval_s=0.005, busy_timeout_s=0.01)
        self.sink.start()

    async def serve(self, count: int) -> None:
        answered = asyncio.Event()
        for _ in range(count):
            answered.clear()
            self.items.append(record())
            self.journal.append(self.items[-1], then=answered.set)
            await asyncio.wait_for(answered.wait(), 1)

    async def begin(self, *, error: str) -> None:
        """Until the sink has noticed it, twice."""
        before = self.sink.stats().errors
        await self.serve(25)
        await until(lambda: self.sink.stats().errors >= before + 2)
        stats = self.sink.stats()
        assert error in (stats.last_error or "")
        assert stats.lag_bytes > 0
        assert stats.lag_s > 0
        await self.serve(25)
        assert self.journal.accepting
        assert not self.journal.degraded

    async def end(self) -> None:
        assert await asyncio.to_thread(self.sink.drain_until_empty, 10)
        stats = self.sink.stats()
        assert (stats.lag_s, stats.last_error, stats.bad_lines) == (0.0, None, 0)
        await self.journal.close()
        assert self.sink.stop(drain=True)
        assert stored_ids(self.database) == ids_of(self.items)
        assert rows(self.database, "SELECT count(*) FROM attempts") == [(len(self.items),)]


async def test_a_locked_database(journal: FileJournal, directory: Path, database: Path) -> None:
    outage = Outage(journal, directory=directory, database=database, connection=partial(connect, database))
    await outage.serve(25)
    await until(lambda: outage.sink.stats().rows == 25)
    other = connect(database)
    other.execute("BEGIN EXCLUSIVE")
    await outage.begin(error="locked")
    other.execute("ROLLBACK")
    other.close()
    await outage.end()


async def test_a_database_that_is_locked_from_the_start(journal: FileJournal, directory: Path, database: Path) -> None:
    other = connect(database)
    other.execute("PRAGMA locking_mode = EXCLUSIVE")
    other.execute("BEGIN IMMEDIATE")
    other.execute("COMMIT")
    outage = Outage(
        journal, directory=directory, database=database, connection=partial(connect, database, busy_timeout_s=0)
    )
    await outage.begin(error="locked")
    other.close()
    await outage.end()


async def test_a_read_only_database(journal: FileJournal, directory: Path, database: Path) -> None:
    mode = ["rw"]

    def connection() -> sqlite3.Connection:
        return sqlite3.connect(f"file:{database}?mode={mode[0]}", uri=True)

    mode[0] = "ro"
    outage = Outage(journal, directory=directory, database=database, connection=connection)
    await outage.begin(error="readonly")
    mode[0] = "rw"
    await outage.end()


async def test_a_full_database(journal: FileJournal, directory: Path, database: Path) -> None:
    """SQLite's page limit stands for a full disk: it fails in the middle of a transaction, with the same error."""
    spare = [0]

    def connection() -> sqlite3.Connection:
        opened = connect(database)
        (pages,) = opened.execute("PRAGMA page_count").fetchone()
        opened.execute(f"PRAGMA max_page_count = {pages + spare[0]}")
        return opened

    outage = Outage(journal, directory=directory, database=database, connection=connection)
    await outage.begin(error="full")
    spare[0] = 10_000
    await outage.end()


async def test_a_database_without_tables_yet(journal: FileJournal, directory: Path, tmp_path: Path) -> None:
    database = tmp_path / "new.db"
    outage = Outage(journal, directory=directory, database=database, connection=partial(connect, database))
    await outage.begin(error="no table exchanges")
    create_database(database)
    await outage.end()


async def test_a_database_whose_directory_is_away(journal: FileJournal, directory: Path, tmp_path: Path) -> None:
    away, place = tmp_path / "away", tmp_path / "place"
    away.mkdir()
    create_database(away / "gateway.db")
    database = place / "gateway.db"
    outage = Outage(journal, directory=directory, database=database, connection=partial(connect, database))
    await outage.begin(error="unable to open")
    shutil.move(away, place)
    await outage.end()


async def test_a_commit_whose_outcome_is_unknown_counts_nothing_twice(
    journal: FileJournal, directory: Path, database: Path
) -> None:
    """The commit happens, yet its caller is told that it failed."""
    lies = [True]

    class Lying(sqlite3.Connection):
        def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
            cursor = super().execute(sql, parameters)
            if sql == "COMMIT" and lies[0]:
                raise sqlite3.OperationalError("disk I/O error")
            return cursor

    outage = Outage(
        journal, directory=directory, database=database, connection=lambda: sqlite3.connect(database, factory=Lying)
    )
    await outage.begin(error="disk I/O error")
    assert len(stored_ids(database)) >= 25
    lies[0] = False
    await outage.end()


async def test_one_full_disk_for_journal_and_database(tmp_path: Path) -> None:
    """A real file system without room: records wait in memory, then in the file, then they are rows."""
    with small_disk(tmp_path / "disk", size="2m") as disk:
        database, directory = disk / "gateway.db", disk / "journal"
        create_database(database)
        async with journal_in(directory) as journal:
            outage = Outage(journal, directory=directory, database=database, connection=partial(connect, database))
            other = connect(database)
            other.execute("BEGIN IMMEDIATE")
            await outage.serve(1000)  # more than the write-ahead log has room for; none is carried over yet
            fill(disk / "ballast")
            await outage.serve(100)
            assert journal.degraded
            other.execute("ROLLBACK")
            other.close()
            before = outage.sink.stats().errors
            await until(lambda: outage.sink.stats().errors > before)
            (disk / "ballast").unlink()
            await until(lambda: not journal.degraded)
            await outage.end()


def test_trying_again_is_paced_and_stops_when_told(directory: Path, database: Path) -> None:
    """No busy loop, and an exit does not wait for a database that does not come back."""
    directory.mkdir()
    (directory / "0000000000000001-1.jsonl").write_bytes(HEADER_LINE + encode_lines([record()]))
    tries: list[float] = []

    def connection() -> sqlite3.Connection:
        tries.append(time.monotonic())
        raise sqlite3.OperationalError("database is locked")

    sink = Sink(directory, connection, interval_s=0.001)
    sink.start()
    assert not sink.drain_until_empty(0.5)
    assert len(tries) <= 3
    assert tries[2] - tries[1] > tries[1] - tries[0] >= 0.1
    began = time.monotonic()
    assert not sink.stop(drain=True, timeout_s=0.2)
    assert time.monotonic() - began < 1
    assert len(segments(directory)) == 1
    later = Sink(directory, partial(connect, database))
    later.start()
    assert later.stop(drain=True)
    assert len(stored_ids(database)) == 1
