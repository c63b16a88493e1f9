"""What an administrator can do with keys, and what the first start makes."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from llmgateway.control import keys
from llmgateway.infra import secrets
from llmgateway.infra.db import directory, migrations
from llmgateway.infra.db.engine import Database, open_database


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = open_database(tmp_path)
    migrations.upgrade(opened)
    yield opened
    opened.close()


def test_a_created_key_is_found_by_the_digest_of_its_secret(database: Database) -> None:
    new = keys.create_key(database, "ci", project="web", expires_at=4e9)
    (loaded,) = directory.load_keys(database)
    assert loaded == new.key
    assert loaded.digest == secrets.digest(new.secret)
    assert (loaded.project.name, loaded.expires_at, loaded.status) == ("web", 4e9, "active")


def test_a_secret_is_nowhere_in_the_database_nor_in_a_repr(database: Database, tmp_path: Path) -> None:
    new = keys.create_key(database, "ci")
    database.read("PRAGMA wal_checkpoint(TRUNCATE)")
    for file in tmp_path.iterdir():
        assert new.secret.encode() not in file.read_bytes()
    assert new.secret not in repr(new)


def test_a_disabled_key_stays_listed_as_disabled(database: Database) -> None:
    new = keys.create_key(database, "ci")
    assert keys.disable_key(database, new.key.id).status == "disabled"
    (stored,) = keys.list_keys(database)
    assert stored.key.status == "disabled"


def test_rolling_gives_a_new_secret_and_keeps_every_setting(database: Database) -> None:
    old = keys.create_key(database, "ci", project="web", expires_at=4e9)
    new = keys.roll_key(database, old.key.id)
    assert new.secret != old.secret
    (loaded,) = directory.load_keys(database)
    assert loaded == new.key
    assert (loaded.id, loaded.name, loaded.project, loaded.expires_at) == (old.key.id, "ci", old.key.project, 4e9)
    assert keys.list_keys(database)[0].shown == secrets.mask(new.secret)


def test_creating_disabling_and_rolling_each_move_the_directory_version(database: Database) -> None:
    key_id = keys.create_key(database, "ci").key.id
    keys.disable_key(database, key_id)
    keys.roll_key(database, key_id)
    assert directory.directory_version(database) == 3


@pytest.mark.parametrize("key_id", ["key_none", "", "static:ci"])
def test_a_key_that_is_not_in_the_database_is_refused_by_name(database: Database, key_id: str) -> None:
    for change in (keys.disable_key, keys.roll_key):
        with pytest.raises(keys.KeyRefused, match="key"):
            change(database, key_id)
    assert directory.directory_version(database) == 0


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("", {}),
        (" ci", {}),
        ("a\nb", {}),
        ("x" * 129, {}),
        ("ci", {"project": "a b"}),
        ("ci", {"project": ""}),
        ("ci", {"expires_at": 1.0}),
    ],
)
def test_what_cannot_be_a_key_is_refused(database: Database, name: str, more: dict[str, object]) -> None:
    with pytest.raises(keys.KeyRefused, match="expected"):
        keys.create_key(database, name, **more)  # type: ignore[arg-type]  # wrong values are the point
    assert keys.list_keys(database) == ()


def test_the_first_start_makes_one_key_and_tells_it_once(database: Database, tmp_path: Path) -> None:
    first = keys.ensure_first_key(database, data_dir=tmp_path)
    assert first.secret is not None
    assert first.path.read_text() == first.secret
    assert first.path.stat().st_mode & 0o777 == 0o600
    (loaded,) = directory.load_keys(database)
    assert loaded.digest == secrets.digest(first.secret)
    assert first.secret not in repr(first)
    assert keys.ensure_first_key(database, data_dir=tmp_path).secret is None


def test_no_second_first_key_once_the_operator_has_put_it_away(database: Database, tmp_path: Path) -> None:
    first = keys.ensure_first_key(database, data_dir=tmp_path)
    first.path.unlink()
    directory.set_status(database, directory.load_keys(database)[0].id, status="deleted")
    assert keys.ensure_first_key(database, data_dir=tmp_path).secret is None
    assert not first.path.exists()


def test_a_first_start_that_was_cut_off_is_completed_with_the_same_key(database: Database, tmp_path: Path) -> None:
    secret = secrets.generate_key()
    secrets.write_private_once(secrets.first_key_path(tmp_path), secret.encode())
    assert keys.ensure_first_key(database, data_dir=tmp_path).secret == secret
    assert directory.load_keys(database)[0].digest == secrets.digest(secret)
