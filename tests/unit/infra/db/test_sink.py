"""The sink: every journaled record becomes one row, whatever the segments look like, and whoever wrote them."""

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import closing
from functools import partial
from pathlib import Path

import msgspec
import pytest

from llmgateway.domain.record import ATTEMPT_COLUMNS, EXCHANGE_COLUMNS, LogRecord
from llmgateway.infra.db.engine import connect
from llmgateway.infra.db.sink import Sink
from llmgateway.infra.journal import FileJournal
from llmgateway.infra.journal.segment import HEADER_LINE, encode_lines
from tests.support.faulty_file import journal_in, quick
from tests.support.journaling import create_database, ids_of, record, rows, segments, stored_ids, until


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "gateway.db"
    create_database(path)
    return path


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    path = tmp_path / "journal"
    path.mkdir()
    return path


@pytest.fixture
async def journal(directory: Path) -> AsyncIterator[FileJournal]:
    async with journal_in(directory) as journal:
        yield journal


def write_segment(directory: Path, content: bytes, *, name: str = "0000000000000001-1") -> Path:
    """A segment that some process left behind."""
    path = directory / f"{name}.jsonl"
    path.write_bytes(content)
    return path


def replay(directory: Path, database: Path) -> Sink:
    """What a start does with the segments that it finds."""
    sink = Sink(directory, partial(connect, database))
    sink.start()
    assert sink.stop(drain=True)
    return sink


def test_a_row_is_the_record_value_for_value(directory: Path, database: Path) -> None:
    items = [record(attempts=attempts) for attempts in (0, 1, 3)]
    write_segment(directory, HEADER_LINE + encode_lines(items))
    replay(directory, database)
    stored = rows(database, f"SELECT {', '.join(EXCHANGE_COLUMNS)} FROM exchanges ORDER BY log_id")
    assert stored == [msgspec.structs.astuple(item.exchange) for item in items]
    stored = rows(database, f"SELECT {', '.join(ATTEMPT_COLUMNS)} FROM attempts ORDER BY log_id")
    assert stored == [msgspec.structs.astuple(attempt) for item in items for attempt in item.attempts]


@pytest.mark.parametrize("region", [None, "eu-west-1"])
def test_the_attempt_that_answered_is_told_by_its_exchange(directory: Path, database: Path, region: str | None) -> None:
    """The view and the record say the same of it."""
    used = "openai/gpt-4o:mini" + (f":{region}" if region else "")
    answered = {"used_provider": "openai", "used_model": used, "used_region": region, "upstream_model": "gpt"}
    told = {"credential": "a1b2", "attempt_started_us": 1_700_000_000_000_100, "attempt_us": 900, "ttft_us": 700}
    items = [record(attempts=others, **answered, **told) for others in (0, 2)]
    items = [
        LogRecord(msgspec.structs.replace(one.exchange, attempts=len(one.others) + 1), one.others) for one in items
    ]
    write_segment(directory, HEADER_LINE + encode_lines(items))
    replay(directory, database)
    stored = rows(database, f"SELECT {', '.join(ATTEMPT_COLUMNS)} FROM attempts ORDER BY log_id")
    assert stored == [msgspec.structs.astuple(attempt) for item in items for attempt in item.attempts]
    assert [len(item.attempts) for item in items] == [1, 3]
    last = items[1].attempts[-1]
    assert (last.log_id, last.seq, last.model) == (f"{items[1].exchange.log_id}-3", 3, "gpt-4o:mini")
    assert (last.ttft_us, last.duration_us, last.succeeded) == (600, 900, True)
    asked = "SELECT seq FROM attempts WHERE exchange_id = ? ORDER BY seq"
    with closing(connect(database)) as connection:
        found = connection.execute(asked, (items[1].exchange.log_id,)).fetchall()
        plan = str(connection.execute(f"EXPLAIN QUERY PLAN {asked}", ("x",)).fetchall())
    assert found == [(1,), (2,), (3,)]
    assert "SEARCH exchanges USING INDEX" in plan


@pytest.mark.parametrize("count", [1, 19, 20, 21, 3000])
def test_any_number_of_records_is_carried_over(directory: Path, database: Path, count: int) -> None:
    items = [record() for _ in range(count)]
    write_segment(directory, HEADER_LINE + encode_lines(items))
    sink = replay(directory, database)
    assert stored_ids(database) == ids_of(items)
    assert sink.stats().rows == count
    assert sink.stats().lag_bytes == 0


def test_a_replayed_segment_is_deleted_and_its_progress_forgotten(directory: Path, database: Path) -> None:
    write_segment(directory, HEADER_LINE + encode_lines([record()]))
    replay(directory, database)
    assert segments(directory) == []
    assert rows(database, "SELECT * FROM journal_offsets") == []


def test_the_same_segment_twice_gives_each_row_once(directory: Path, database: Path) -> None:
    items = [record(attempts=2) for _ in range(50)]
    for name in ("0000000000000001-1", "0000000000000002-1"):
        write_segment(directory, HEADER_LINE + encode_lines(items), name=name)
        replay(directory, database)
    assert stored_ids(database) == ids_of(items)
    assert rows(database, "SELECT count(*) FROM attempts") == [(100,)]


def test_each_exchange_is_summed_up_once_for_its_key(directory: Path, database: Path) -> None:
    """Also when a segment that is in the database already comes a second time."""
    items = [record() for _ in range(30)]
    for name in ("0000000000000001-1", "0000000000000002-1"):
        write_segment(directory, HEADER_LINE + encode_lines(items), name=name)
        replay(directory, database)
    summed = rows(database, "SELECT requests, prompt_tokens, cost_micro * 1000000 + cost_pico FROM key_usage")
    assert summed == rows(
        database, "SELECT COUNT(*), SUM(prompt_tokens), SUM(COALESCE(cost_total, 0)) FROM exchanges GROUP BY key_id"
    )
    assert sum(one[0] for one in summed) == 30


def test_a_replay_goes_on_where_the_last_one_committed(directory: Path, database: Path) -> None:
    items = [record() for _ in range(10)]
    content = HEADER_LINE + encode_lines(items)
    path = write_segment(directory, content)
    copy = shutil.copy(path, directory.parent / "copy")
    replay(directory, database)
    shutil.copy(copy, path)
    connection = connect(database)
    connection.execute("DELETE FROM exchanges")
    done = len(HEADER_LINE + encode_lines(items[:6]))
    connection.execute("INSERT INTO journal_offsets VALUES (?, ?)", (path.name, done))
    connection.close()
    replay(directory, database)
    assert stored_ids(database) == ids_of(items[6:])


def test_a_torn_last_line_is_skipped_and_counted(directory: Path, database: Path) -> None:
    items = [record() for _ in range(3)]
    write_segment(directory, HEADER_LINE + encode_lines(items)[:-5])
    sink = replay(directory, database)
    assert stored_ids(database) == ids_of(items[:2])
    assert sink.stats().torn_lines == 1
    assert segments(directory) == []


@pytest.mark.parametrize("content", [b"", b"{", HEADER_LINE[:-1], HEADER_LINE, bytes(5000)])
def test_a_segment_without_a_record_is_deleted(directory: Path, database: Path, content: bytes) -> None:
    write_segment(directory, content)
    sink = replay(directory, database)
    assert stored_ids(database) == []
    assert sink.stats().bad_lines == 0
    assert segments(directory) == []


@pytest.mark.parametrize(
    "damage",
    [
        b"\0\0\0\n",
        b'[["half a line\n',
        b"[[1],[]]\n",
        b'{"journal":1}\n',
        b"\xff\xfe\n",
        b'[["\\ud800"],[]]\n',
        b"nothing\n",
        b"[" * 100_000 + b"\n",
    ],
)
def test_a_damaged_line_is_put_aside_and_the_others_go_in(directory: Path, database: Path, damage: bytes) -> None:
    items = [record() for _ in range(30)]
    path = write_segment(directory, HEADER_LINE + encode_lines(items[:11]) + damage + encode_lines(items[11:]))
    sink = replay(directory, database)
    assert stored_ids(database) == ids_of(items)
    assert sink.stats().bad_lines == 1
    assert path.with_suffix(".bad").read_bytes() == HEADER_LINE + damage


def test_a_mended_line_is_replayed_under_its_old_name(directory: Path, database: Path) -> None:
    item = record()
    line = encode_lines([item])
    path = write_segment(directory, HEADER_LINE + line.replace(b"]]]", b"]]"))
    bad = path.with_suffix(".bad")
    replay(directory, database)
    bad.write_bytes(bad.read_bytes().replace(b"]]\n", b"]]]\n"))
    bad.rename(path)
    replay(directory, database)
    assert stored_ids(database) == ids_of([item])


def test_rows_whose_widths_cancel_out_do_not_slip_into_each_others_columns(directory: Path, database: Path) -> None:
    good = record()
    short, long = list(msgspec.structs.astuple(good.exchange))[:-1], [*msgspec.structs.astuple(good.exchange), None]
    lines = b"".join(msgspec.json.encode([row, []]) + b"\n" for row in (short, long))
    write_segment(directory, HEADER_LINE + lines)
    sink = replay(directory, database)
    assert stored_ids(database) == []
    assert sink.stats().bad_lines == 2


def test_values_that_sqlite_cannot_hold_do_not_cost_the_row(directory: Path, database: Path) -> None:
    values = [{"prompt_tokens": 2**70}, {"reported_model": {"name": ["x"]}}, {"finish_reason": ["stop"]}]
    items = [record(**value) for value in values]
    write_segment(directory, HEADER_LINE + encode_lines(items))
    sink = replay(directory, database)
    assert sink.stats().bad_lines == 0
    stored = rows(database, "SELECT prompt_tokens, reported_model, finish_reason FROM exchanges ORDER BY log_id")
    assert stored == [(2**63 - 1, None, None), (12, '{"name":["x"]}', None), (12, None, '["stop"]')]


def test_a_row_that_the_table_refuses_is_put_aside(directory: Path, database: Path) -> None:
    items = [record(), record(outcome=None), record()]
    write_segment(directory, HEADER_LINE + encode_lines(items))
    sink = replay(directory, database)
    assert stored_ids(database) == ids_of([items[0], items[2]])
    assert sink.stats().bad_lines == 1


def test_an_older_segment_lacks_columns_and_a_newer_one_has_more(directory: Path, database: Path) -> None:
    old, new = record(routing="{}"), record(routing="{}")
    columns = list(EXCHANGE_COLUMNS)
    header = msgspec.json.encode({"journal": 1, "exchange": columns[:-4], "attempt": ATTEMPT_COLUMNS})
    line = msgspec.json.encode([list(msgspec.structs.astuple(old.exchange))[:-4], old.others])
    write_segment(directory, header + b"\n" + line + b"\n", name="0000000000000001-1")
    header = msgspec.json.encode({"journal": 1, "exchange": ["mood", *columns], "attempt": ["luck", *ATTEMPT_COLUMNS]})
    attempts = [[True, *msgspec.structs.astuple(attempt)] for attempt in new.others]
    line = msgspec.json.encode([["good", *msgspec.structs.astuple(new.exchange)], attempts])
    write_segment(directory, header + b"\n" + line + b"\n", name="0000000000000002-1")
    replay(directory, database)
    stored = rows(database, "SELECT log_id, cost_total, routing FROM exchanges ORDER BY log_id")
    assert stored == [(old.exchange.log_id, 1_500_000, None), (new.exchange.log_id, 1_500_000, "{}")]
    assert rows(database, "SELECT count(*) FROM attempts") == [(2,)]


def test_a_line_longer_than_what_is_read_at_once_is_whole(directory: Path, database: Path) -> None:
    items = [record(), record(custom="x" * 3_000_000), record()]
    write_segment(directory, HEADER_LINE + encode_lines(items))
    replay(directory, database)
    assert rows(database, "SELECT length(custom) FROM exchanges ORDER BY log_id") == [(None,), (3_000_000,), (None,)]


def test_many_segments_are_replayed_batch_by_batch(directory: Path, database: Path) -> None:
    """More than one transaction takes."""
    items = [record(custom="x" * 2000) for _ in range(2000)]
    for place in range(10):
        lines = encode_lines(items[place * 200 : place * 200 + 200])
        write_segment(directory, HEADER_LINE + lines, name=f"00000000000000{place:02d}-1")
    replay(directory, database)
    assert sorted(stored_ids(database)) == ids_of(items)
    assert segments(directory) == []


async def test_a_growing_segment_is_followed_and_kept(journal: FileJournal, directory: Path, database: Path) -> None:
    sink = Sink(directory, partial(connect, database), live=lambda: journal.path, interval_s=0.005)
    sink.start()
    items: list[LogRecord] = []
    for step in range(1, 4):
        items.append(record())
        journal.append(items[-1])
        await until(lambda step=step: sink.stats().rows == step)
    assert stored_ids(database) == ids_of(items)
    assert segments(directory) == [journal.path]
    await journal.close()
    assert sink.stop(drain=True)
    assert segments(directory) == []


async def test_the_segments_of_a_journal_that_goes_on_in_new_ones_are_deleted(directory: Path, database: Path) -> None:
    async with journal_in(directory, settings=quick(segment_bytes=3000)) as journal:
        sink = Sink(directory, partial(connect, database), live=lambda: journal.path, interval_s=0.002)
        sink.start()
        items: list[LogRecord] = []
        paths = {journal.path}
        while len(paths) < 4:
            items.append(record())
            journal.append(items[-1], then=sink.wake)
            paths.add(journal.path)
            await until(lambda: sink.stats().rows == len(items))
        await until(lambda: segments(directory) == [journal.path])
        assert sink.stop(drain=True)
    assert stored_ids(database) == ids_of(items)


async def test_a_segment_that_another_process_writes_is_left_alone(
    journal: FileJournal, directory: Path, database: Path
) -> None:
    journal.append(record())
    path = journal.path
    replay(directory, database)
    assert segments(directory) == [path]
    assert stored_ids(database) == []
    await journal.close()
    replay(directory, database)
    assert len(stored_ids(database)) == 1


async def test_two_processes_share_a_directory_and_a_database(directory: Path, database: Path) -> None:
    items: list[LogRecord] = []
    async with journal_in(directory) as one, journal_in(directory) as other:
        sinks = [Sink(directory, partial(connect, database), live=lambda it=it: it.path) for it in (one, other)]
        for sink in sinks:
            sink.start()
        for _ in range(200):
            for journal in (one, other):
                items.append(record())
                journal.append(items[-1])
        await until(lambda: sum(sink.stats().rows for sink in sinks) == 400)
        await one.close()
        await other.close()
        assert [sink.stop(drain=True) for sink in sinks] == [True, True]
    assert sorted(stored_ids(database)) == sorted(ids_of(items))
    assert segments(directory) == []


async def test_draining_waits_for_what_was_journaled_before(
    journal: FileJournal, directory: Path, database: Path
) -> None:
    sink = Sink(directory, partial(connect, database), live=lambda: journal.path, interval_s=60)
    sink.start()
    await until(lambda: sink.drain_until_empty(1))
    items = [record() for _ in range(5000)]
    path = journal.path
    assert path is not None
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND)
    os.write(descriptor, encode_lines(items))
    os.close(descriptor)
    assert sink.drain_until_empty(10)
    assert stored_ids(database) == ids_of(items)
    sink.stop(drain=False)
