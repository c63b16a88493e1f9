"""The open database file: reads, and transactions that happen wholly or not at all.

SQLite by the standard library's driver, because the serving process needs it within milliseconds and a few hundred
kilobytes (SQLAlchemy alone takes half a second and 34 MB). Statements use `:name` parameters and stay portable. What
the statements are is `directory`'s; bulk insertion of records is `sink`'s, over connections of its own.
"""

import sqlite3
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Value = str | int | float | bytes | None
Row = tuple[Any, ...]  # what a SELECT gives; the reader knows its columns
Execute = Callable[..., list[Row]]

FILE_NAME = "llmgateway.db"
_SETUP = ("PRAGMA synchronous=NORMAL", "PRAGMA foreign_keys=ON")
_AGAIN_S = 0.01


class DatabaseError(Exception):
    """The database cannot do what was asked (locked, read-only, full, damaged); the message is fit for an operator."""


def connect(path: Path, *, busy_timeout_s: float = 5) -> sqlite3.Connection:
    """A connection in WAL mode that commits each statement unless told to begin; usable from any one thread at a time.

    Raises sqlite3.Error.
    """
    connection = sqlite3.connect(path, timeout=busy_timeout_s, isolation_level=None, check_same_thread=False)
    try:
        _set_wal(connection, until=time.monotonic() + busy_timeout_s)
        for statement in _SETUP:
            connection.execute(statement)
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _set_wal(connection: sqlite3.Connection, *, until: float) -> None:
    """Where several make a new file WAL at once, SQLite gives up at once instead of waiting its turn."""
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() >= until:
                raise
            time.sleep(_AGAIN_S)  # noqa: TID251 - opening is done by threads and before the loop runs
        else:
            return


class Database:
    """One connection, lent to one thread at a time. Calls block: use it from a worker thread, never on the loop."""

    def __init__(self, path: Path, *, busy_timeout_s: float = 5) -> None:
        self.path = path
        self._lock = threading.Lock()
        with _explained(path):
            self._connection = connect(path, busy_timeout_s=busy_timeout_s)

    def read(self, statement: str, **values: Value) -> list[Row]:
        """The rows of a SELECT. Raises DatabaseError."""
        with self._lock, _explained(self.path):
            return self._connection.execute(statement, values).fetchall()

    @contextmanager
    def transaction(self) -> Generator[Execute]:
        """Lends `execute(statement, **values) -> rows`; commits at the end, undoes everything after an exception."""
        with self._lock, _explained(self.path):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._execute
                self._connection.execute("COMMIT")
            except BaseException:
                self._connection.rollback()
                raise

    def _execute(self, statement: str, **values: Value) -> list[Row]:
        return self._connection.execute(statement, values).fetchall()

    def close(self) -> None:
        with self._lock:
            self._connection.close()


def open_database(data_dir: Path, *, busy_timeout_s: float = 5) -> Database:
    """The database of a data directory; the file is made (0600) if it is missing. Raises DatabaseError."""
    path = data_dir / FILE_NAME
    try:
        path.touch(mode=0o600)
    except OSError as error:
        raise DatabaseError(f"database {path}: {error.strerror}") from None
    return Database(path, busy_timeout_s=busy_timeout_s)


@contextmanager
def _explained(path: Path) -> Generator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise DatabaseError(f"database {path}: {error}") from error
