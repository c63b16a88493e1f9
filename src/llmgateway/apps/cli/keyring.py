"""`llmgateway keys`: opens the database of a data directory and shows what `control.keys` did."""

import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from llmgateway.apps.cli.expiry import moment
from llmgateway.apps.cli.output import write_json, write_line, write_table
from llmgateway.control import keys
from llmgateway.control.keys import NewKey
from llmgateway.domain.identity import ApiKey
from llmgateway.infra.db.engine import Database, open_database
from llmgateway.infra.db.migrations import upgrade
from llmgateway.infra.operator import static_keys
from llmgateway.infra.secrets import open_data_directory
from llmgateway.infra.settings import Settings, config_path, load


class Where(msgspec.Struct, frozen=True):
    """Which gateway is meant: its configuration file, and a data directory that wins over the file's."""

    config: Path | None
    data_dir: Path | None

    def settings(self) -> Settings:
        return load(config_path(self.config, environ=os.environ), environ=os.environ)


def create(name: str, *, project: str, expires_at: float | None, where: Where, as_json: bool) -> int:
    with _opened(where, where.settings()) as database:
        new = keys.create_key(database, name, project=project, expires_at=expires_at)
    return _show_new(new, as_json=as_json)


def roll(key_id: str, *, where: Where, as_json: bool) -> int:
    with _opened(where, where.settings()) as database:
        new = keys.roll_key(database, key_id)
    return _show_new(new, as_json=as_json)


def disable(key_id: str, *, where: Where, as_json: bool) -> int:
    with _opened(where, where.settings()) as database:
        key = keys.disable_key(database, key_id)
    if as_json:
        write_json(_facts(key, shown=None))
    else:
        write_line(f"{key.id} ({key.name}) is disabled")
    return 0


def show(*, where: Where, as_json: bool) -> int:
    """Lists the database's keys and the configuration's."""
    settings = where.settings()
    with _opened(where, settings) as database:
        stored = keys.list_keys(database)
    facts = [{**_facts(one.key, shown=one.shown), "created_at": moment(one.created_at)} for one in stored]
    facts += [{**_facts(key, shown=None), "created_at": None} for key in static_keys(settings)]
    if as_json:
        write_json(facts)
        return 0
    columns = ("id", "name", "project", "status", "key", "created_at", "expires_at")
    write_table(columns, [[str(one[column] or "") for column in columns] for one in facts])
    return 0


@contextmanager
def _opened(where: Where, settings: Settings) -> Generator[Database]:
    data_dir = open_data_directory(where.data_dir or Path(settings.data.dir))
    database = open_database(data_dir)
    try:
        upgrade(database)
        yield database
    finally:
        database.close()


def _show_new(new: NewKey, *, as_json: bool) -> int:
    if as_json:
        write_json(_facts(new.key, shown=new.secret))
    else:
        write_line(new.secret)
    return 0


def _facts(key: ApiKey, *, shown: str | None) -> dict[str, object]:
    """A key for display. `shown` is its secret right after it was made, else its masked form."""
    return {
        "id": key.id,
        "name": key.name,
        "project": key.project.name,
        "status": key.status,
        "static": key.static,
        "key": shown,
        "expires_at": moment(key.expires_at),
    }
