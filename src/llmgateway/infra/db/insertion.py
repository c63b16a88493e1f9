"""From journal lines to rows: decodes them and inserts exchanges and attempts, each at most once.

Two things make it cheap. Twenty rows go into one statement, so that the interpreter lock changes hands once per
twenty rows and not once per row. And NULL is bound as NaN, which SQLite stores as NULL
(https://www.sqlite.org/floatingpoint.html): the sqlite3 module binds a float several times faster than None.
"""

import sqlite3
from collections.abc import Sequence
from operator import itemgetter
from typing import Any, cast

import msgspec

from llmgateway.infra.journal.segment import Header

Row = tuple[Any, ...]  # a journal line's values, whatever JSON has
Record = tuple[Row, list[Row]]

_NULL = float("nan")
_ROWS_AT_ONCE = 20
_INT64 = 2**63 - 1
_POISON = (
    msgspec.DecodeError,
    ValueError,
    OverflowError,
    RecursionError,
    sqlite3.IntegrityError,
    sqlite3.ProgrammingError,
    sqlite3.InterfaceError,
    sqlite3.DataError,
)


_SUM_UP = """
INSERT INTO key_usage
SELECT key_id, COUNT(*), SUM(MIN(prompt_tokens, 1000000000000)), SUM(MIN(completion_tokens, 1000000000000)),
       SUM(COALESCE(cost_total, 0) / 1000000), SUM(COALESCE(cost_total, 0) % 1000000)
FROM exchanges WHERE rowid > ? GROUP BY key_id
ON CONFLICT (key_id) DO UPDATE SET
    requests = requests + excluded.requests, prompt_tokens = prompt_tokens + excluded.prompt_tokens,
    completion_tokens = completion_tokens + excluded.completion_tokens,
    cost_micro = cost_micro + excluded.cost_micro, cost_pico = cost_pico + excluded.cost_pico
"""


class Inserted(msgspec.Struct, frozen=True):
    """How many records went in (or were there already), and the lines that could not."""

    records: int
    bad: tuple[bytes, ...] = ()


class TableColumns(msgspec.Struct, frozen=True):
    """The columns that the database has."""

    exchanges: tuple[str, ...]
    attempts: tuple[str, ...]


def table_columns(connection: sqlite3.Connection) -> TableColumns:
    """Raises sqlite3.OperationalError while the tables are not there."""
    found: list[tuple[str, ...]] = []
    for table in ("exchanges", "other_attempts"):
        names = tuple(row[1] for row in connection.execute(f"PRAGMA table_info({table})"))
        if "log_id" not in names:
            raise sqlite3.OperationalError(f"no table {table} with a column log_id: apply the migrations")
        found.append(names)
    return TableColumns(*found)


def newest_row(connection: sqlite3.Connection) -> int:
    """Within a transaction that writes: all rows beyond it will be of that transaction."""
    (newest,) = connection.execute("SELECT COALESCE(MAX(rowid), 0) FROM exchanges").fetchone()
    return newest


def sum_up(connection: sqlite3.Connection, *, after: int) -> None:
    """Adds the exchanges that went in after that row to the sums of their keys; one that was there already is not."""
    connection.execute(_SUM_UP, (after,))


class Insertion:
    """The statements and the decoder for lines with one header. Columns that the table has not are left out."""

    def __init__(self, header: Header, *, columns: TableColumns) -> None:
        self._exchanges = _TableInsert("exchanges", header.exchange, known=columns.exchanges)
        self._attempts = _TableInsert("other_attempts", header.attempt, known=columns.attempts)
        exchange, attempt = tuple[(Any,) * len(header.exchange)], tuple[(Any,) * len(header.attempt)]
        self._decoder = msgspec.json.Decoder(cast("type[Record]", tuple[exchange, list[attempt]]))

    def insert(self, connection: sqlite3.Connection, lines: bytes) -> Inserted:
        """Within the caller's transaction. Raises sqlite3.Error when the database, not a line, is at fault."""
        try:
            records = self._decoder.decode_lines(lines)
            self._insert(connection, records)
        except _POISON:
            connection.execute("SELECT 1")  # raises when the connection is at fault
            return self._insert_each(connection, lines)
        return Inserted(len(records))

    def _insert(self, connection: sqlite3.Connection, records: Sequence[Record]) -> None:
        self._exchanges.insert(connection, [record[0] for record in records])
        self._attempts.insert(connection, [row for record in records for row in record[1]])

    def _insert_each(self, connection: sqlite3.Connection, lines: bytes) -> Inserted:
        """Find the lines that cannot be stored; the rest goes in."""
        records = 0
        bad: list[bytes] = []
        for line in lines.splitlines(keepends=True):
            try:
                exchange, attempts = self._decoder.decode(line)
                self._insert(connection, [(_storable(exchange), [_storable(row) for row in attempts])])
                records += 1
            except _POISON:
                bad.append(line)
        return Inserted(records, tuple(bad))


class _TableInsert:
    """INSERT statements for one table, for many rows and for one."""

    def __init__(self, table: str, columns: tuple[str, ...], *, known: tuple[str, ...]) -> None:
        places = [place for place, name in enumerate(columns) if name in known]
        self._pick = None if len(places) == len(columns) else itemgetter(*places)
        names = ", ".join(f'"{columns[place]}"' for place in places)
        row = f"({', '.join('?' * len(places))})"
        insert = f"INSERT INTO {table} ({names}) VALUES "  # noqa: S608 - a table of ours and columns that it has
        self._statements = tuple(
            (size, f"{insert}{', '.join([row] * size)} ON CONFLICT (log_id) DO NOTHING") for size in (_ROWS_AT_ONCE, 1)
        )

    def insert(self, connection: sqlite3.Connection, rows: list[Row]) -> None:
        if self._pick is not None:
            rows = [self._pick(row) for row in rows]
        start = 0
        for size, statement in self._statements:
            while len(rows) - start >= size:
                values = [_NULL if value is None else value for row in rows[start : start + size] for value in row]
                connection.execute(statement, values)
                start += size


def _storable(row: Row) -> Row:
    """What SQLite can hold of values that it cannot: integers within 64 bits, everything nested as JSON text."""
    return tuple(
        max(min(value, _INT64), -_INT64)
        if isinstance(value, int)
        else msgspec.json.encode(value).decode()
        if isinstance(value, list | dict)
        else value
        for value in row
    )
