"""Runs alembic's revisions on a database file, in one transaction that other processes wait for."""

from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import create_engine, event
from sqlalchemy.exc import SQLAlchemyError

from llmgateway.infra.db.engine import DatabaseError, connect


def run(path: Path, *, to: str = "head") -> None:
    """Upgrades to a revision. Raises DatabaseError."""
    engine = create_engine("sqlite://", creator=lambda: connect(path, busy_timeout_s=60))
    event.listen(engine, "begin", _begin)
    try:
        with engine.begin() as connection:
            config = configuration()
            config.attributes["connection"] = connection
            command.upgrade(config, to)
    except CommandError as error:
        message = f"database {path}: {error}; was it made by a newer version?"
        raise DatabaseError(message) from error
    except SQLAlchemyError as error:
        raise DatabaseError(f"database {path}: upgrade failed: {error}") from error
    finally:
        engine.dispose()


def configuration() -> Config:
    """Where the revisions are, without an ini file."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    return config


def heads() -> list[str]:
    """The revisions that no other follows; there must be one."""
    return list(ScriptDirectory.from_config(configuration()).get_heads())


def _begin(connection: Any) -> None:
    """The driver is in autocommit mode, so that BEGIN is ours and schema changes are part of the transaction."""
    connection.exec_driver_sql("BEGIN IMMEDIATE")
