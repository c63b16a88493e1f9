"""The journal while its file is in trouble: answers go out, nothing is lost, memory stays bounded."""

import asyncio
import errno
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.faulty_file import FaultyFile, fill, journal_in, quick, small_disk
from tests.support.journaling import ids_of, journaled_ids, record, segment_bytes, until


async def test_a_full_disk_keeps_records_in_memory_and_answers_go_out(tmp_path: Path) -> None:
    file = FaultyFile()
    sent: list[int] = []
    items = [record() for _ in range(30)]
    async with journal_in(tmp_path, write=file.write) as journal:
        file.room = 1500  # ends within the third line
        for number, item in enumerate(items):
            journal.append(item, then=lambda number=number: sent.append(number))
            await asyncio.sleep(0)
            assert sent[-1] == number
        assert journal.degraded
        assert journal.accepting
        await until(lambda: journal.stats().write_errors > 2)
        assert journal.stats().queued >= 27
        assert journal.stats().last_error == "[Errno 28] No space left on device"
        file.room = 1 << 30
        await until(lambda: not journal.degraded)
        assert journal.stats().queued == 0
        assert journal.stats().last_error is None
        last = record()
        journal.append(last)
    assert journaled_ids(tmp_path) == [*ids_of(items), last.exchange.log_id]
    assert len(os.listdir(tmp_path)) == 1


async def test_a_device_that_says_no_space_is_survived(tmp_path: Path) -> None:
    """/dev/full refuses as a full disk does."""
    items = [record() for _ in range(3)]
    device = os.open("/dev/full", os.O_WRONLY)
    full = threading.Event()
    full.set()

    def write(descriptor: int, data: bytes) -> int:
        return os.write(device if full.is_set() else descriptor, data)

    async with journal_in(tmp_path, write=write) as journal:
        for item in items:
            journal.append(item)
        await asyncio.sleep(0)
        assert journal.degraded
        full.clear()
        await until(lambda: not journal.degraded)
    os.close(device)
    assert journaled_ids(tmp_path) == ids_of(items)


async def test_a_file_system_that_really_fills_up_loses_nothing(tmp_path: Path) -> None:
    items = [record() for _ in range(60)]
    with small_disk(tmp_path / "disk", size="64k") as disk:
        async with journal_in(disk) as journal:
            fill(disk / "ballast")
            for item in items:
                journal.append(item)
                await asyncio.sleep(0)
            assert journal.degraded
            (disk / "ballast").unlink()
            await until(lambda: not journal.degraded)
        assert journaled_ids(disk) == ids_of(items)


async def test_a_broken_file_is_replaced_by_a_fresh_one(tmp_path: Path) -> None:
    """What the broken one took only in part is written again, whole."""
    file = FaultyFile()
    items = [record() for _ in range(4)]
    async with journal_in(tmp_path, write=file.write) as journal:
        first = journal.path
        journal.append(items[0])
        await asyncio.sleep(0)
        file.broken.update(_descriptors_of(first))
        for item in items[1:]:
            journal.append(item)
            await asyncio.sleep(0)
        await until(lambda: not journal.degraded)
        assert journal.path != first
    assert journaled_ids(tmp_path) == ids_of(items)


def _descriptors_of(path: Path | None) -> set[int]:
    return {int(entry.name) for entry in Path("/proc/self/fd").iterdir() if entry.resolve() == path}


async def test_a_stalled_write_sends_the_next_records_through_memory(tmp_path: Path) -> None:
    now = [0.0]
    slow = [0.2]
    loop_thread = threading.get_ident()
    writers: list[int] = []

    def write(descriptor: int, data: bytes) -> int:
        writers.append(threading.get_ident())
        now[0] += slow[0]
        return os.write(descriptor, data)

    items = [record() for _ in range(3)]
    slow[0] = 0.0
    async with journal_in(tmp_path, write=write, clock=lambda: now[0], settings=quick(sync_interval_s=1.0)) as journal:
        slow[0] = 0.2
        journal.append(items[0])
        await asyncio.sleep(0)
        assert journal.degraded
        assert journal.stats().stalls == 1
        slow[0] = 0.0
        writers.clear()
        journal.append(items[1])
        await asyncio.sleep(0)
        await until(lambda: journal.stats().queued == 0)
        assert loop_thread not in writers
        assert journal.degraded  # until a while after the stall
        now[0] += 1.1
        await until(lambda: not journal.degraded)
        journal.append(items[2])
        await asyncio.sleep(0)
        assert writers[-1] == loop_thread
    assert journaled_ids(tmp_path) == ids_of(items)


@pytest.mark.parametrize("limit", [{"queue_limit_bytes": 5000}, {"queue_limit_records": 8}])
async def test_a_full_queue_asks_for_no_more_work_until_the_file_is_well(tmp_path: Path, limit: dict[str, int]) -> None:
    file = FaultyFile()
    items: list[Any] = []
    async with journal_in(tmp_path, write=file.write, settings=quick(**limit)) as journal:
        file.error = OSError(errno.EROFS, "Read-only file system")
        while journal.accepting:
            items.append(record())
            journal.append(items[-1])
            await asyncio.sleep(0)
        for _ in range(4):  # requests that were accepted before it was full
            items.append(record())
            journal.append(items[-1])
            await asyncio.sleep(0)
        file.error = None
        await until(lambda: journal.accepting and not journal.degraded)
        assert journal.stats().dropped == 0
    assert set(journaled_ids(tmp_path)) == set(ids_of(items))


async def test_the_queue_is_bounded_even_for_accepted_requests(tmp_path: Path) -> None:
    file = FaultyFile()
    async with journal_in(tmp_path, write=file.write, settings=quick(queue_limit_records=5)) as journal:
        file.error = OSError(errno.ENOSPC, "No space left on device")
        sent: list[None] = []
        for _ in range(30):
            journal.append(record(), then=lambda: sent.append(None))
            await asyncio.sleep(0)
        assert journal.stats().queued == 10
        assert journal.stats().dropped == 20
        assert len(sent) == 30
        file.error = None


async def test_unrecorded_rather_serves_than_records(tmp_path: Path) -> None:
    file = FaultyFile()
    async with journal_in(
        tmp_path, write=file.write, settings=quick(queue_limit_records=5, unrecorded=True)
    ) as journal:
        file.error = OSError(errno.ENOSPC, "No space left on device")
        for _ in range(8):
            journal.append(record())
            await asyncio.sleep(0)
            assert journal.accepting
        assert journal.stats().queued == 5
        assert journal.stats().dropped == 3
        file.error = None


async def test_a_disk_that_is_full_from_the_start_is_survived(tmp_path: Path) -> None:
    file = FaultyFile()
    file.room = 20
    item = record()
    async with journal_in(tmp_path, write=file.write) as journal:
        assert journal.degraded
        journal.append(item)
        await asyncio.sleep(0)
        file.room = 1 << 30
        await until(lambda: not journal.degraded)
    assert journaled_ids(tmp_path) == [item.exchange.log_id]


async def test_random_faults_lose_nothing(tmp_path: Path) -> None:
    """Errors, short writes and full disks by turns: every record is in some segment as a whole line."""
    faults: list[Callable[[FaultyFile], None]] = [
        lambda file: setattr(file, "error", OSError(errno.EIO, "Input/output error")),
        lambda file: setattr(file, "at_most", 100),
        lambda file: setattr(file, "room", 1700),
        lambda file: file.__init__(),
    ]
    file = FaultyFile()
    items: list[Any] = []
    async with journal_in(
        tmp_path, write=file.write, settings=quick(retry_interval_s=0.001, segment_bytes=20_000)
    ) as journal:
        for step in range(400):
            faults[(step * 7919 >> 3) % 4](file)
            items.append(record())
            journal.append(items[-1])
            await asyncio.sleep(0.0005 if step % 5 == 0 else 0)
        file.__init__()
        await until(lambda: not journal.degraded)
    whole = [line for line in segment_bytes(tmp_path).splitlines() if line.endswith(b"]]")]
    assert {line.split(b'"')[1].decode() for line in whole if line.startswith(b"[[")} == set(ids_of(items))
