"""The database fails while the gateway serves: requests go on, /readyz says so, rows arrive later and exactly once."""

import contextlib
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.support.gateway import Gateway, custom_provider, running_gateway, static_key, wait_until
from tests.support.told_upstream import USAGE, ToldUpstream

_PRICES = "input_usd_per_mtok = 1\noutput_usd_per_mtok = 1\n"
_COST = USAGE["total_tokens"] * 1_000_000
_DISK_BYTES = 8 * 1024 * 1024
REQUESTS = 40


def configuration(upstream: ToldUpstream) -> str:
    return (
        f'{custom_provider("told", upstream.base_url)}\n[[providers.told.models]]\nid = "one"\n{_PRICES}{static_key()}'
    )


@pytest.fixture
def serving(upstream: ToldUpstream, tmp_path: Path) -> Iterator[Gateway]:
    with running_gateway(tmp_path, configuration=configuration(upstream)) as gateway:
        yield gateway


@pytest.fixture
def small_disk(upstream: ToldUpstream, tmp_path: Path) -> Iterator[Gateway]:
    """A gateway whose data directory is a file system of its own, of a few megabytes."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("only root can mount a small file system")
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={_DISK_BYTES}", "tmpfs", str(place)], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip(f"a small file system cannot be mounted here: {mounted.stderr.decode().strip()}")
    try:
        with running_gateway(place, configuration=configuration(upstream)) as gateway:
            yield gateway
    finally:
        subprocess.run(["umount", str(place)], check=True)


def requests(gateway: Gateway, name: str) -> None:
    """Every other one streamed, all of them answered."""
    for number in range(REQUESTS):
        answer = gateway.chat("told/one", stream=number % 2 == 0, headers={"x-request-id": f"{name}-{number}"})
        assert (answer.status, answer.text) == (200, "Hello.")


def complaints(gateway: Gateway) -> list[str]:
    page = gateway.get("/readyz")
    assert page.status == 200
    return page.json["complaints"]


def check_rows(gateway: Gateway, *names: str) -> None:
    """Each request has one exchange row and one attempt row, with its cost."""
    expected = sorted(f"{name}-{number}" for name in names for number in range(REQUESTS))
    query = "SELECT request_id, status, cost_total, log_id FROM exchanges"
    rows = wait_until(
        lambda: found if len(found := gateway.ask(query)) >= len(expected) else [], what="all rows", limit_s=20
    )
    assert sorted(row["request_id"] for row in rows) == expected
    assert {(row["status"], row["cost_total"]) for row in rows} == {(200, _COST)}
    attempts = gateway.ask("SELECT exchange_id FROM attempts")
    assert sorted(row["exchange_id"] for row in attempts) == sorted(row["log_id"] for row in rows)


@contextlib.contextmanager
def locked(gateway: Gateway) -> Iterator[None]:
    """Another program writes and does not end."""
    with contextlib.closing(sqlite3.connect(gateway.data / "llmgateway.db", isolation_level=None)) as database:
        database.execute("BEGIN EXCLUSIVE")
        yield
        database.execute("ROLLBACK")


@contextlib.contextmanager
def without_table(gateway: Gateway) -> Iterator[None]:
    """The database refuses every row."""
    with contextlib.closing(sqlite3.connect(gateway.data / "llmgateway.db", isolation_level=None)) as database:
        database.execute("ALTER TABLE exchanges RENAME TO hidden")
        yield
        database.execute("ALTER TABLE hidden RENAME TO exchanges")


@pytest.mark.parametrize("outage", [locked, without_table])
def test_requests_outlive_a_database_that_takes_no_rows(
    serving: Gateway, outage: Callable[[Gateway], AbstractContextManager[None]]
) -> None:
    requests(serving, "before")
    check_rows(serving, "before")
    with outage(serving):
        requests(serving, "during")
        wait_until(lambda: complaints(serving), what="a complaint on /readyz")
        assert complaints(serving) == ["database: records wait in the journal"]
    requests(serving, "after")
    check_rows(serving, "before", "during", "after")
    wait_until(lambda: not complaints(serving), what="the end of the complaint")


def test_requests_outlive_a_full_disk(small_disk: Gateway) -> None:
    """Journal and database are on it: records wait in memory until there is room again."""
    requests(small_disk, "before")
    check_rows(small_disk, "before")
    filler = small_disk.data / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"\0" * 4096)
    requests(small_disk, "during")
    assert "journal: records wait in memory" in wait_until(
        lambda: complaints(small_disk), what="a complaint on /readyz"
    )
    filler.unlink()
    wait_until(lambda: not complaints(small_disk), what="the end of the complaint", limit_s=20)
    requests(small_disk, "after")
    check_rows(small_disk, "before", "during", "after")


def test_a_restart_during_the_outage_loses_and_doubles_nothing(serving: Gateway) -> None:
    """Killed while its rows wait in the journal: the next start carries them over."""
    with locked(serving):
        requests(serving, "waiting")
        wait_until(lambda: complaints(serving), what="a complaint on /readyz")
        serving.kill()
    serving.start()
    check_rows(serving, "waiting")
