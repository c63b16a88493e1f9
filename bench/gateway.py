"""The gateway under test: its configuration, its process, and its ledger (the exchange rows it wrote to SQLite)."""

import contextlib
import os
import sqlite3
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from bench import payloads, traffic
from bench.client import get_status
from bench.processes import PROXY_CORE, RigError, running, wait_until


class Tally(msgspec.Struct, frozen=True):
    """Exchange rows since a mark: all of them, those of completed answers, and those with the exact cost."""

    rows: int
    completed: int
    exact_cost: int


class Gateway(msgspec.Struct, frozen=True, kw_only=True):
    """A running gateway. `ready_s`: from exec to the first 200 on /readyz."""

    pid: int
    port: int
    data: Path
    ready_s: float

    def mark(self) -> str:
        """The newest log id; a tally counts the rows after it."""
        return str(self.ask("SELECT coalesce(max(log_id), '') FROM exchanges")[0])

    def tally(self, mark: str) -> Tally:
        row = self.ask(
            "SELECT count(*), coalesce(sum(status = 200 AND outcome = 'completed'), 0),"
            " coalesce(sum(cost_total = ?), 0) FROM exchanges WHERE log_id > ?",
            payloads.COST_PICOUSD,
            mark,
        )
        return Tally(*(int(str(value)) for value in row))

    def settled(self, mark: str, *, expected: int, limit_s: float = 10) -> Tally:
        """The tally once `expected` rows have arrived and a moment has brought no more, or after `limit_s`."""
        deadline = time.monotonic() + limit_s
        while (tally := self.tally(mark)).rows < expected and time.monotonic() < deadline:
            time.sleep(0.1)
        time.sleep(0.3)
        return tally if tally.rows > expected else self.tally(mark)

    def ask(self, query: str, *values: object) -> tuple[object, ...]:
        path = self.data / "llmgateway.db"
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)) as database:
            row: tuple[object, ...] = database.execute(query, values).fetchone()
            return row


def configuration(*, whole_port: int, stream_port: int) -> str:
    """1,000 keys; one provider row per lane, 50 models on the whole one; nothing switched off."""
    lines: list[str] = []
    for lane in traffic.LANES:
        port = whole_port if lane.behaviour == "whole" else stream_port
        lines += [
            f"[providers.{lane.provider}]",
            f'protocol = "{lane.protocol}"',
            f'base_url = "http://127.0.0.1:{port}/{lane.behaviour}/v1"',
            'api_keys = ["sk-bench"]',
            "allow_private_network = true",
            f"clean = {str(lane.clean).lower()}",
        ]
        for number in range(lane.models):
            lines += [
                f"[[providers.{lane.provider}.models]]",
                f'id = "{lane.model(number)}"',
                f'upstream = "{lane.model(number)}"',
            ]
            lines += [f"{bucket}_usd_per_mtok = {price}" for bucket, price in payloads.PRICES_USD_PER_MTOK.items()]
    for number in range(traffic.KEY_COUNT):
        lines += ["[[keys]]", f'name = "bench-{number}"', f'key = "{traffic.key(number)}"']
    return "\n".join(lines) + "\n"


def environment() -> dict[str, str]:
    """Ours without provider keys and gateway settings, so that every run sees the same providers."""
    kept = ("PATH", "HOME", "LANG", "TMPDIR", "VIRTUAL_ENV", "PYTHONPATH")
    return {name: os.environ[name] for name in kept if name in os.environ}


@contextlib.contextmanager
def gateway(port: int, *, directory: Path, whole_port: int, stream_port: int) -> Iterator[Gateway]:
    """`serve` with one worker on the proxy core; the same directory again is a restart on existing data."""
    directory.mkdir(parents=True, exist_ok=True)
    file = directory / "llmgateway.toml"
    file.write_text(configuration(whole_port=whole_port, stream_port=stream_port))
    data = directory / "data"
    command = [
        sys.executable,
        "-m",
        "llmgateway",
        "serve",
        "--config",
        str(file),
        "--port",
        str(port),
        "--data-dir",
        str(data),
    ]
    log = directory / "gateway.log"
    started = time.monotonic()
    try:
        with running(command, log=log, core=PROXY_CORE, env=environment()) as child:
            wait_until(lambda: get_status(port, path="/readyz") == 200, what="the gateway's /readyz", child=child)
            try:
                yield Gateway(pid=child.pid, port=port, data=data, ready_s=time.monotonic() - started)
            finally:
                if child.poll() is not None:
                    raise RigError(f"the gateway ended under load with status {child.returncode}")
    except RigError as error:
        tail = log.read_text(errors="replace")[-2_000:] if log.exists() else ""
        raise RigError(f"{error}\n{tail}") from error
