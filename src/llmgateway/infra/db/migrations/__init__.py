"""Brings a database to this version's schema.

A new database is made from `schema.sql` in milliseconds, an up-to-date one is left alone, and only an older one pays
for importing alembic and running its revisions.
"""

from importlib import resources

from llmgateway.infra.db.engine import Database, DatabaseError

HEAD = "0003"
"""The newest revision; `versions/` must end there and `schema.sql` must say the same."""

_PACKAGE = "llmgateway.infra.db.migrations"


def upgrade(database: Database) -> None:
    """Idempotent; processes that start together wait for each other. Raises DatabaseError."""
    if _revision(database) == HEAD:
        return
    if _create(database):
        return
    from llmgateway.infra.db.migrations.revisions import run  # noqa: PLC0415 - alembic takes a second and 44 MB

    run(database.path)
    if _revision(database) != HEAD:
        raise DatabaseError(f"database {database.path}: the upgrade to revision {HEAD} did not get there")


def _revision(database: Database) -> str | None:
    """The database's revision; None if it has none yet."""
    if not database.read("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'alembic_version'"):
        return None
    rows = database.read("SELECT version_num FROM alembic_version")
    return str(rows[0][0]) if rows else None


def _create(database: Database) -> bool:
    """Makes the tables of a database that has none; False if there are some (perhaps since a moment ago)."""
    schema = resources.files(_PACKAGE).joinpath("schema.sql").read_text(encoding="utf-8")
    with database.transaction() as execute:
        if execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name IN ('exchanges', 'alembic_version')"):
            return False
        for statement in schema.split(";\n"):
            if statement.strip():
                execute(statement)
        execute("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)")
        execute("INSERT INTO alembic_version (version_num) VALUES (:head)", head=HEAD)
    return True
