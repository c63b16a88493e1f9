"""Journal segments: their names, their header line, their lock, and the lines in them.

A segment is a file `<start in microseconds>-<pid>.jsonl`. Its first line is a header object that names the columns;
every further line is one record as an array `[exchange, [attempt, …]]`. Whoever holds the file's lock is responsible
for it: the process that writes it, and once that one is gone the process that replays and deletes it. Who writes when,
and what becomes of the lines, is left to `writer` and to the sink.
"""

import fcntl
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import msgspec

from llmgateway.domain.record import ATTEMPT_COLUMNS, EXCHANGE_COLUMNS, LogRecord

FORMAT = 1
SUFFIX = ".jsonl"

_encoder = msgspec.json.Encoder(enc_hook=repr)


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """The first line of a segment: which format, and what the values of each line are called."""

    journal: int = FORMAT
    exchange: tuple[str, ...] = EXCHANGE_COLUMNS
    attempt: tuple[str, ...] = ATTEMPT_COLUMNS


HEADER_LINE = _encoder.encode(Header()) + b"\n"
_header_decoder = msgspec.json.Decoder(Header)


def header_of(line: bytes) -> Header | None:
    """The header that `line` is, None when it is none (or of a format that this version cannot read)."""
    try:
        header = _header_decoder.decode(line)
    except msgspec.DecodeError:
        return None
    return header if header.journal == FORMAT else None


def encode_lines(records: Sequence[LogRecord]) -> bytes:
    """One line per record. A text that is no valid Unicode (lone surrogates) is written with `?` in their place."""
    try:
        return _encoder.encode_lines(records)
    except UnicodeEncodeError:
        return b"".join(_encoder.encode(_clean(record)) + b"\n" for record in records)


def _clean(value: object) -> object:
    match value:
        case str():
            return value.encode("utf-8", "replace").decode("utf-8")
        case msgspec.Struct():
            return [_clean(item) for item in msgspec.structs.astuple(value)]
        case tuple():
            return [_clean(item) for item in cast("tuple[object, ...]", value)]
        case _:
            return value


def create_segment(directory: Path) -> tuple[int, Path]:
    """A new, empty, locked segment, open for appending, that a power loss would leave in its directory.

    Raises OSError when the directory cannot be written.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    while True:
        path = directory / f"{time.time_ns() // 1000:016d}-{os.getpid()}{SUFFIX}"
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
        except FileExistsError:
            continue
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:
            _sync_directory(directory)
            return descriptor, path
        os.close(descriptor)  # a replaying process locked and deleted the still empty file first


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def try_lock(descriptor: int) -> bool:
    """Whether the segment is ours now: False while another process writes or replays it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def segment_paths(directory: Path) -> list[Path]:
    """All segments, oldest first."""
    try:
        return sorted(path for path in directory.iterdir() if path.suffix == SUFFIX)
    except FileNotFoundError:
        return []
