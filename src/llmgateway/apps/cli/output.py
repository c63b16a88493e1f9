"""Printing: lines, JSON, and tables as wide as the terminal, or as wide as needed where there is none."""

import sys
from collections.abc import Iterable, Sequence

import msgspec

_NO_TERMINAL_COLUMNS = 240


def write_line(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def write_json(value: object) -> None:
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n")


def write_table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, right: frozenset[str] = frozenset()) -> None:
    """A table on stdout; the columns in `right` are aligned there."""
    from rich import box  # noqa: PLC0415 - only tables need it
    from rich.console import Console  # noqa: PLC0415 - as above
    from rich.table import Table  # noqa: PLC0415 - as above

    console = Console(highlight=False, width=None if sys.stdout.isatty() else _NO_TERMINAL_COLUMNS)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*[cell.replace("[", r"\[") for cell in row])
    console.print(table)
