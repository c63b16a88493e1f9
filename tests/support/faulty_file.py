"""A journal in a test: quick to retry, closed at the end, over a file or a disk that can be made to fail."""

import errno
import os
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest

from llmgateway.infra.journal import FileJournal, JournalSettings


class FaultyFile:
    """os.write with a fault: an exception to raise, or a bound to the bytes it takes at once."""

    def __init__(self) -> None:
        self.calls = 0
        self.error: OSError | None = None
        self.at_most = 1 << 30
        self.room = 1 << 30
        self.broken: set[int] = set()

    def write(self, descriptor: int, data: bytes) -> int:
        self.calls += 1
        if self.error is not None or descriptor in self.broken:
            raise self.error or OSError(errno.EIO, "Input/output error")
        if not self.room:
            raise OSError(errno.ENOSPC, "No space left on device")
        written = os.write(descriptor, data[: min(self.at_most, self.room)])
        self.room -= written
        return written


def quick(**changes: Any) -> JournalSettings:
    """Settings of a journal that retries and syncs at once."""
    return msgspec.structs.replace(JournalSettings(retry_interval_s=0.01, sync_interval_s=0.01), **changes)


@asynccontextmanager
async def journal_in(
    directory: Path,
    *,
    settings: JournalSettings | None = None,
    write: Callable[[int, bytes], int] = os.write,
    sync: Callable[[int], None] = os.fdatasync,
    clock: Callable[[], float] = time.monotonic,
) -> AsyncIterator[FileJournal]:
    journal = FileJournal(directory, settings=settings or quick(), write=write, sync=sync, clock=clock)
    try:
        yield journal
    finally:
        await journal.close()


@contextmanager
def small_disk(place: Path, *, size: str) -> Iterator[Path]:
    """A file system of its own in memory; skips the test where that needs more rights than this run has."""
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting a tmpfs needs more rights than this run has")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def fill(ballast: Path) -> None:
    """Take all the room that the file system has left."""
    with ballast.open("wb", buffering=0) as file:
        for size in (4096, 1):
            with suppress(OSError):
                while file.write(bytes(size)):
                    pass
