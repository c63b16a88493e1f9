"""The journal: what is in the file when an answer goes out, and what becomes of the file."""

import asyncio
import errno
import os
import stat
import threading
from pathlib import Path
from typing import Any

import pytest

from llmgateway.engine.errand import Errand
from llmgateway.infra.journal import FileJournal
from llmgateway.infra.journal.segment import try_lock
from tests.support.faulty_file import FaultyFile, journal_in, quick
from tests.support.journaling import ids_of, journaled_ids, record, segment_bytes, until


async def test_the_record_is_in_the_file_when_the_answer_goes_out(tmp_path: Path) -> None:
    seen: list[str] = []
    done = asyncio.Event()
    item = record()

    def then() -> None:
        seen.extend(journaled_ids(tmp_path))
        done.set()

    async with journal_in(tmp_path) as journal:
        journal.append(item, then=then)
        assert not seen
        await done.wait()
    assert seen == [item.exchange.log_id]


async def test_records_of_one_loop_turn_share_one_write(tmp_path: Path) -> None:
    file = FaultyFile()
    order: list[int] = []
    async with journal_in(tmp_path, write=file.write) as journal:
        before = file.calls
        for number in range(50):
            journal.append(record(), then=lambda number=number: order.append(number))
        await asyncio.sleep(0)
        assert file.calls == before + 1
        assert order == list(range(50))
        assert journal.stats().records == 50


async def test_records_of_errands_that_go_on_together_are_written_behind_them(tmp_path: Path) -> None:
    file = FaultyFile()
    order: list[str] = []
    async with journal_in(tmp_path, write=file.write) as journal:
        before = file.calls

        async def answer(name: str) -> None:
            order.append(name)
            journal.append(record(), then=lambda: order.append(f"{name} told"))
            assert file.calls == before

        for name in "ab":
            Errand(answer(name), on_end=lambda _error: order.append("ended"))
        await until(lambda: len(order) == 6)
        assert file.calls == before + 1
        assert order == ["a", "ended", "b", "ended", "a told", "b told"]


async def test_a_write_that_takes_only_some_bytes_is_continued(tmp_path: Path) -> None:
    file = FaultyFile()
    items = [record() for _ in range(5)]
    async with journal_in(tmp_path, write=file.write) as journal:
        file.at_most = 7
        for item in items:
            journal.append(item)
        await asyncio.sleep(0)
        assert not journal.degraded
    assert journaled_ids(tmp_path) == ids_of(items)


async def test_one_answer_that_fails_does_not_hold_back_the_others(tmp_path: Path) -> None:
    problems: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: problems.append(context))
    sent: list[int] = []

    def fail() -> None:
        raise ConnectionResetError

    items = [record() for _ in range(3)]
    async with journal_in(tmp_path) as journal:
        journal.append(items[0], then=lambda: sent.append(0))
        journal.append(items[1], then=fail)
        journal.append(items[2], then=lambda: sent.append(2))
        await asyncio.sleep(0)
    assert sent == [0, 2]
    assert isinstance(problems[0]["exception"], ConnectionResetError)
    assert journaled_ids(tmp_path) == ids_of(items)


async def test_text_that_is_no_unicode_is_written_with_question_marks(tmp_path: Path) -> None:
    items = [record(), record(user_agent="bad \ud800 agent"), record()]
    async with journal_in(tmp_path) as journal:
        for item in items:
            journal.append(item)
        await asyncio.sleep(0)
    assert journaled_ids(tmp_path) == ids_of(items)
    assert b"bad ? agent" in segment_bytes(tmp_path)


async def test_a_large_segment_is_followed_by_the_next(tmp_path: Path) -> None:
    items: list[Any] = []
    async with journal_in(tmp_path, settings=quick(segment_bytes=3000)) as journal:
        paths = {journal.path}
        while len(paths) < 4:
            items.append(record())
            journal.append(items[-1])
            paths.add(journal.path)
            await asyncio.sleep(0.001)
        first = os.open(min(path for path in paths if path), os.O_RDONLY)
        await until(lambda: try_lock(first))  # the journal has let go of it
        os.close(first)
    assert journaled_ids(tmp_path) == ids_of(items)


async def test_a_deleted_file_is_noticed(tmp_path: Path) -> None:
    async with journal_in(tmp_path) as journal:
        first = journal.path
        assert first is not None
        first.unlink()
        kept: list[Any] = []
        while journal.path == first:
            kept.append(record())
            journal.append(kept[-1])
            await asyncio.sleep(0.001)
    assert journaled_ids(tmp_path) == ids_of(kept[-1:])


async def test_the_file_is_synced_soon_and_not_by_the_event_loop(tmp_path: Path) -> None:
    synced: list[int] = []

    def sync(descriptor: int) -> None:
        synced.append(threading.get_ident())
        os.fdatasync(descriptor)

    async with journal_in(tmp_path, sync=sync) as journal:
        await until(lambda: bool(synced))  # the header
        synced.clear()
        journal.append(record())
        await until(lambda: bool(synced))
    assert threading.get_ident() not in synced


async def test_closing_writes_what_waits_and_lets_go_of_the_file(tmp_path: Path) -> None:
    sent: list[None] = []
    file = FaultyFile()
    async with journal_in(
        tmp_path, write=file.write, settings=quick(retry_interval_s=60, sync_interval_s=60)
    ) as journal:
        path = journal.path
        items = [record() for _ in range(3)]
        journal.append(items[0])
        await asyncio.sleep(0)
        file.error = OSError(errno.ENOSPC, "No space left on device")
        journal.append(items[1])
        await asyncio.sleep(0)
        file.error = None
        journal.append(items[2], then=lambda: sent.append(None))
        await journal.close()
        assert sent == [None]
        assert journal.path is None
        journal.append(record())  # comes too late, is counted
    assert journal.stats().dropped == 1
    assert path is not None
    descriptor = os.open(path, os.O_RDONLY)
    assert try_lock(descriptor)
    os.close(descriptor)
    assert journaled_ids(tmp_path) == ids_of(items)


async def test_two_journals_have_a_locked_file_each_that_only_the_owner_may_read(tmp_path: Path) -> None:
    async with journal_in(tmp_path) as one, journal_in(tmp_path) as other:
        assert one.path != other.path
        for path in (one.path, other.path):
            assert path is not None
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            descriptor = os.open(path, os.O_RDONLY)
            assert not try_lock(descriptor)
            os.close(descriptor)


async def test_a_directory_that_cannot_be_written_is_an_error_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        FileJournal(tmp_path / "file" / "journal")
