"""Reading the directory: keys with their projects, the version that moves, and exact sums of usage."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from llmgateway.domain.identity import ApiKey, Project
from llmgateway.domain.record import EXCHANGE_COLUMNS
from llmgateway.infra.db import directory, migrations
from llmgateway.infra.db.engine import Database, DatabaseError, connect, open_database
from llmgateway.infra.db.insertion import sum_up


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = open_database(tmp_path)
    migrations.upgrade(opened)
    yield opened
    opened.close()


def key(number: int, project: Project = directory.DEFAULT_PROJECT, **more: object) -> ApiKey:
    return ApiKey(id=f"key_{number}", name=f"key {number}", digest=bytes([number]) * 32, project=project, **more)  # type: ignore[arg-type]  # any field of the struct


def record(database: Database, log_id: str, **values: object) -> None:
    row = dict.fromkeys(EXCHANGE_COLUMNS, 0) | {"log_id": log_id, "cost_total": None} | values
    names = ", ".join(row)
    with database.transaction() as execute:
        execute(f"INSERT INTO exchanges ({names}) VALUES ({', '.join(':' + name for name in row)})", **row)
        ((number,),) = execute("SELECT MAX(rowid) FROM exchanges")
    with closing(connect(database.path)) as connection:
        sum_up(connection, after=number - 1)


def test_keys_come_back_as_they_went_in(database: Database) -> None:
    project = directory.ensure_project(database, "web")
    keys = (key(1, project, expires_at=1.5), key(2, project, status="disabled"))
    for one in keys:
        directory.insert_key(database, one, shown="llmgw_ab…yz")
    assert set(directory.load_keys(database)) == set(keys)
    assert directory.find_key(database, "key_1") is not None
    assert [stored.shown for stored in directory.stored_keys(database)] == ["llmgw_ab…yz"] * 2


def test_a_deleted_key_is_gone(database: Database) -> None:
    directory.ensure_default_project(database)
    directory.insert_key(database, key(1), shown="")
    directory.set_status(database, "key_1", status="deleted")
    assert directory.load_keys(database) == ()
    assert directory.find_key(database, "key_1") is None
    assert directory.has_keys(database)


def test_every_change_of_a_key_moves_the_version(database: Database) -> None:
    directory.ensure_default_project(database)
    seen = [directory.directory_version(database)]
    directory.insert_key(database, key(1), shown="")
    seen.append(directory.directory_version(database))
    directory.set_status(database, "key_1", status="disabled")
    seen.append(directory.directory_version(database))
    directory.set_digest(database, "key_1", digest=b"x" * 32, shown="")
    seen.append(directory.directory_version(database))
    assert seen == [0, 1, 2, 3]


def test_a_change_that_fails_moves_nothing(database: Database) -> None:
    directory.ensure_default_project(database)
    directory.insert_key(database, key(1), shown="")
    with pytest.raises(DatabaseError, match="UNIQUE"):
        directory.insert_key(database, key(1), shown="")
    with pytest.raises(DatabaseError, match="FOREIGN KEY"):
        directory.insert_key(database, key(2, Project(id="none", name="none")), shown="")
    assert directory.directory_version(database) == 1


def test_another_connection_sees_the_moved_version(database: Database, tmp_path: Path) -> None:
    directory.ensure_default_project(database)
    other = open_database(tmp_path)
    directory.insert_key(other, key(1), shown="")
    other.close()
    assert directory.directory_version(database) == 1


def test_only_the_very_first_key_is_a_first_key(database: Database) -> None:
    directory.ensure_default_project(database)
    assert directory.insert_first_key(database, key(1), shown="")
    directory.set_status(database, "key_1", status="deleted")
    assert not directory.insert_first_key(database, key(2), shown="")


def test_ensuring_a_project_twice_gives_the_same(database: Database) -> None:
    assert directory.ensure_project(database, "web") == directory.ensure_project(database, "web")
    assert directory.ensure_default_project(database) == directory.DEFAULT_PROJECT


def test_usage_of_a_key_without_requests_is_zero(database: Database) -> None:
    assert directory.key_usage(database, "key_1") == directory.KeyUsage()


def test_usage_sums_only_the_keys_own_rows_and_skips_unknown_prices(database: Database) -> None:
    record(database, "a", key_id="key_1", prompt_tokens=10, completion_tokens=5, cost_total=1_500_001)
    record(database, "b", key_id="key_1", prompt_tokens=1, completion_tokens=2)
    record(database, "c", key_id="key_2", prompt_tokens=100, cost_total=7)
    usage = directory.key_usage(database, "key_1")
    assert usage == directory.KeyUsage(requests=2, prompt_tokens=11, completion_tokens=7, cost_picousd=1_500_001)
    assert usage.total_tokens == 18


def test_sums_beyond_64_bits_stay_exact(database: Database) -> None:
    """Nine million dollars in pico-dollars overflow SQLite's SUM, which would fail every later /v1/key."""
    for number in range(3):
        record(database, str(number), key_id="key_1", cost_total=2**63 - 1)
    assert directory.key_usage(database, "key_1").cost_picousd == 3 * (2**63 - 1)
