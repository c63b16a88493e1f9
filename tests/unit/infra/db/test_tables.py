"""The schema, said three times (tables, schema.sql, revisions), is one schema; and it follows the records."""

import os
import sqlite3
import threading
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import pytest

from llmgateway.domain.record import ATTEMPT_COLUMNS, EXCHANGE_COLUMNS
from llmgateway.infra.db import migrations
from llmgateway.infra.db.engine import FILE_NAME, Database, DatabaseError, open_database
from llmgateway.infra.db.migrations import revisions
from llmgateway.infra.db.tables import metadata, schema_sql


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = open_database(tmp_path, busy_timeout_s=10)
    yield opened
    opened.close()


def shape(database: Database) -> dict[str, object]:
    """What the database itself says of its tables: columns, keys, indexes, references."""
    tables = [row[0] for row in database.read("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]
    views = database.read("SELECT name, sql FROM sqlite_master WHERE type = 'view'")
    found: dict[str, object] = {name: sql.split() for name, sql in views}
    for table in tables:
        found[table] = [
            database.read(f"PRAGMA table_info({table})"),
            sorted(
                (unique, tuple(column[2] for column in database.read(f'PRAGMA index_info("{name}")')))
                for _, name, unique, *_ in database.read(f"PRAGMA index_list({table})")
            ),
            database.read(f"PRAGMA foreign_key_list({table})"),
        ]
    return found


def test_record_tables_have_the_columns_of_the_records_in_their_order() -> None:
    assert tuple(metadata.tables["exchanges"].columns.keys()) == EXCHANGE_COLUMNS
    assert tuple(metadata.tables["other_attempts"].columns.keys()) == ATTEMPT_COLUMNS


def test_schema_sql_is_what_the_tables_compile_to() -> None:
    """After a change of tables.py write `schema_sql()` to migrations/schema.sql, and add a revision."""
    committed = resources.files(migrations).joinpath("schema.sql").read_text(encoding="utf-8")
    assert committed == schema_sql()


def test_a_new_database_equals_one_that_went_through_all_revisions(database: Database, tmp_path: Path) -> None:
    migrations.upgrade(database)
    (tmp_path / "other").mkdir()
    grown = open_database(tmp_path / "other")
    revisions.run(grown.path)
    assert shape(grown) == shape(database)
    assert grown.read("SELECT * FROM alembic_version") == database.read("SELECT * FROM alembic_version")
    grown.close()


def test_there_is_one_newest_revision_and_the_fast_path_knows_it() -> None:
    assert revisions.heads() == [migrations.HEAD]


def test_upgrading_twice_changes_nothing(database: Database) -> None:
    migrations.upgrade(database)
    before = shape(database)
    migrations.upgrade(database)
    assert shape(database) == before


def test_neither_a_new_nor_an_upgraded_database_imports_alembic_or_sqlalchemy(tmp_path: Path) -> None:
    """They cost more than the rest of the start together."""
    import subprocess
    import sys

    program = (
        "import sys, pathlib\n"
        "from llmgateway.infra.db.engine import open_database\n"
        "from llmgateway.infra.db.migrations import upgrade\n"
        "from llmgateway.infra.db import directory\n"
        "from llmgateway.control import keys\n"
        "for _ in range(2):\n"
        "    database = open_database(pathlib.Path(sys.argv[1])); upgrade(database)\n"
        "    keys.ensure_first_key(database, data_dir=pathlib.Path(sys.argv[1]))\n"
        "assert len(directory.load_keys(database)) == 1\n"
        "print(sorted({'alembic', 'sqlalchemy'} & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": "src"},
    )
    assert done.stdout.strip() == "[]"


def test_an_older_database_goes_through_the_revisions(database: Database) -> None:
    with database.transaction() as execute:
        execute("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)")
    migrations.upgrade(database)
    assert database.read("SELECT version_num FROM alembic_version") == [(migrations.HEAD,)]
    assert database.read("SELECT COUNT(*) FROM exchanges") == [(0,)]


def test_attempts_of_before_are_there_as_they_were(tmp_path: Path) -> None:
    """Revision 0003 makes a view of the table that they were in."""
    database = open_database(tmp_path)
    revisions.run(database.path, to="0002")
    names = ", ".join(ATTEMPT_COLUMNS)
    old = ("x-1", "x", 1, "openai", "gpt", None, "gpt", "a1b2", 5, 6, 7, 200, "none", None, None, 1, 0)
    with sqlite3.connect(database.path) as connection:
        connection.execute(f"INSERT INTO attempts ({names}) VALUES ({', '.join('?' * len(old))})", old)
    migrations.upgrade(database)
    assert database.read(f"SELECT {names} FROM attempts") == [old]
    database.close()


def test_a_database_of_a_newer_version_is_refused(database: Database) -> None:
    migrations.upgrade(database)
    with database.transaction() as execute:
        execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(DatabaseError, match="newer version"):
        migrations.upgrade(database)


def test_a_revision_that_fails_leaves_the_database_as_it_was(database: Database) -> None:
    """Half a schema could neither be used nor upgraded again."""
    with database.transaction() as execute:
        execute("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)")
        execute("CREATE TABLE attempts (x)")
    before = shape(database)
    with pytest.raises(DatabaseError, match="upgrade failed"):
        migrations.upgrade(database)
    assert shape(database) == before


def test_processes_that_start_together_make_one_schema(tmp_path: Path) -> None:
    barrier = threading.Barrier(4)
    errors: list[Exception] = []

    def start() -> None:
        try:
            barrier.wait()
            opened = open_database(tmp_path, busy_timeout_s=30)
            migrations.upgrade(opened)
            opened.close()
        except Exception as error:  # noqa: BLE001 - whatever a thread meets fails the test
            errors.append(error)

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


def test_the_file_is_private_and_in_wal_mode(database: Database) -> None:
    assert database.path.stat().st_mode & 0o777 == 0o600
    assert database.read("PRAGMA journal_mode") == [("wal",)]
    assert database.read("PRAGMA synchronous") == [(1,)]
    assert database.read("PRAGMA foreign_keys") == [(1,)]


def test_a_transaction_that_fails_leaves_nothing_behind(database: Database) -> None:
    migrations.upgrade(database)

    def half() -> None:
        with database.transaction() as execute:
            execute("INSERT INTO meta (name, value) VALUES ('a', 1)")
            execute("INSERT INTO nowhere VALUES (1)")

    with pytest.raises(DatabaseError, match="no such table"):
        half()
    assert database.read("SELECT * FROM meta") == []
    with database.transaction() as execute:
        execute("INSERT INTO meta (name, value) VALUES ('a', 2)")
    assert database.read("SELECT * FROM meta") == [("a", 2)]


def test_a_locked_database_is_an_explained_error_and_works_again_afterwards(tmp_path: Path) -> None:
    opened = open_database(tmp_path, busy_timeout_s=0.01)
    migrations.upgrade(opened)
    other = sqlite3.connect(tmp_path / FILE_NAME, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(DatabaseError, match="locked"), opened.transaction():
        pass
    other.rollback()
    other.close()
    with opened.transaction() as execute:
        execute("INSERT INTO meta (name, value) VALUES ('a', 1)")
    opened.close()


def test_a_file_that_is_no_database_is_an_explained_error(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes(b"this is not a database at all" * 100)
    with pytest.raises(DatabaseError, match="not a database"):
        open_database(tmp_path)


def test_a_directory_that_is_not_there_is_an_explained_error(tmp_path: Path) -> None:
    with pytest.raises(DatabaseError, match="No such file"):
        open_database(tmp_path / "nowhere")
