"""Records, a database and waiting, for the tests of the journal and the sink."""

import asyncio
import sqlite3
import time
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import msgspec

from llmgateway.domain.ids import LogIds
from llmgateway.domain.record import EXCHANGE_COLUMNS, AttemptRow, ExchangeRow, LogRecord
from llmgateway.infra.db.engine import connect

_ids = LogIds()


def record(*, attempts: int = 1, **values: Any) -> LogRecord:
    """A completed request that cost 1,500,000 pico-dollars."""
    log_id = values.pop("log_id", None) or _ids.next()
    exchange: dict[str, Any] = dict.fromkeys(EXCHANGE_COLUMNS)
    exchange |= {"log_id": log_id, "request_id": f"req-{log_id}", "project": "default", "key_id": "key_1"}
    exchange |= {"started_us": 1_700_000_000_000_000, "duration_us": 12_345, "stream": True, "status": 200}
    exchange |= {"outcome": "completed", "truncated": False, "cached": False, "attempts": attempts}
    exchange |= {"prompt_tokens": 12, "completion_tokens": 3, "reasoning_tokens": 0, "cached_tokens": 0}
    exchange |= {"cache_write_tokens": 0, "cost_total": 1_500_000, "user_agent": "Straße/1.0 ✓"}
    rows = tuple(_attempt(log_id, seq) for seq in range(1, attempts + 1))
    return LogRecord(ExchangeRow(**exchange | values), rows)


def _attempt(log_id: str, seq: int) -> AttemptRow:
    return AttemptRow(
        log_id=f"{log_id}-{seq}",
        exchange_id=log_id,
        seq=seq,
        provider="openai",
        model="gpt-4o-mini",
        region=None,
        upstream_model="gpt-4o-mini",
        credential="default",
        started_us=1_700_000_000_000_000,
        duration_us=12_000,
        ttft_us=None,
        status_code=200,
        error_type="",
        error_code=None,
        error_message=None,
        succeeded=True,
        upstream_cost=1_500_000,
    )


def ids_of(records: list[LogRecord]) -> list[str]:
    return [item.exchange.log_id for item in records]


def create_database(path: Path) -> None:
    connection = connect(path)
    connection.executescript(files("llmgateway.infra.db.migrations").joinpath("schema.sql").read_text())
    connection.close()


def rows(path: Path, query: str) -> list[tuple[Any, ...]]:
    connection = sqlite3.connect(path)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def stored_ids(path: Path) -> list[str]:
    """With repetitions, should there be any."""
    return [row[0] for row in rows(path, "SELECT log_id FROM exchanges ORDER BY rowid")]


def journaled_ids(directory: Path) -> list[str]:
    """Read by a plain JSON reader, from all segments, oldest first; every line must be whole."""
    found: list[str] = []
    for path in sorted(directory.glob("*.jsonl")):
        header, *lines = path.read_bytes().splitlines()
        assert msgspec.json.decode(header)["journal"] == 1
        found += [msgspec.json.decode(line)[0][0] for line in lines]
    return found


def segment_bytes(directory: Path) -> bytes:
    return b"\n".join(path.read_bytes() for path in directory.glob("*.jsonl"))


async def until(condition: Callable[[], bool], *, timeout_s: float = 5.0) -> None:
    """Waits for what another thread does."""
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "what was waited for did not happen"
        await asyncio.sleep(0.002)


def segments(directory: Path) -> list[Path]:
    return sorted(directory.glob("*.jsonl"))
