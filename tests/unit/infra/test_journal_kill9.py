"""kill -9 of the writing process, at any moment: what was answered is a row afterwards, once."""

import random
import subprocess
import sys
from functools import partial
from pathlib import Path

from llmgateway.infra.db.engine import connect
from llmgateway.infra.db.sink import Sink
from tests.support.journaling import create_database, rows, segments, stored_ids

ROOT = Path(__file__).parents[3]


def test_killed_processes_lose_no_answered_record_and_double_none(tmp_path: Path) -> None:
    """Two at a time share directory and database, and adopt what the ones before them left."""
    directory, database = tmp_path / "journal", tmp_path / "gateway.db"
    create_database(database)
    answered: list[str] = []
    for _ in range(10):
        pair = [start(directory, database), start(directory, database)]
        for process in pair:
            answered += killed(process, after=random.randrange(1, 1500))
    sink = Sink(directory, partial(connect, database))
    sink.start()
    assert sink.stop(drain=True, timeout_s=30)
    stored = stored_ids(database)
    assert len(stored) == len(set(stored))
    assert set(answered) - set(stored) == set()
    assert len(set(answered)) == len(answered) > 1000
    assert rows(database, "SELECT count(DISTINCT exchange_id) FROM attempts") == [(len(stored),)]
    assert rows(database, "SELECT count(*) FROM journal_offsets") == [(0,)]
    assert segments(directory) == []


def start(directory: Path, database: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.support.journalload", str(directory), str(database)]
    return subprocess.Popen(command, cwd=ROOT, env={"PYTHONPATH": f"{ROOT}/src"}, stdout=subprocess.PIPE)


def killed(process: subprocess.Popen[bytes], *, after: int) -> list[str]:
    """Whatever ids the process has printed, killed once it has printed `after` of them."""
    assert process.stdout is not None
    with process, process.stdout as output:
        lines = [output.readline() for _ in range(after)]
        process.kill()
        lines += output.readlines()
    return [line.decode().strip() for line in lines if line.endswith(b"\n")]
