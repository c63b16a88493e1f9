"""What an administrator can do with API keys, and the one key that the first start makes on its own.

Plain functions over an open database. Every change moves the directory's version, so that running gateways see it
within a second. Static keys of the configuration are not kept here and cannot be changed here.
"""

import re
import secrets as randomness
import time
from pathlib import Path

import msgspec

from llmgateway.domain.identity import ApiKey, Project
from llmgateway.infra import secrets
from llmgateway.infra.db import directory
from llmgateway.infra.db.directory import StoredKey
from llmgateway.infra.db.engine import Database

_NAME = re.compile(r"[^\s\x00-\x1f\x7f]([^\x00-\x1f\x7f]{0,126}[^\s\x00-\x1f\x7f])?")
_PROJECT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_FIRST_KEY_NAME = "first key"


class KeyRefused(Exception):
    """The change cannot be made; the message says what was given and what was expected."""


class NewKey(msgspec.Struct, frozen=True):
    """A key and its secret, which can be shown this once."""

    key: ApiKey
    secret: str

    def __repr__(self) -> str:
        return f"NewKey({self.key.id})"


class FirstKey(msgspec.Struct, frozen=True):
    """`path`: the file that holds the first key. `secret`: the key, at the start that made it, to be printed once."""

    path: Path
    secret: str | None

    def __repr__(self) -> str:
        return f"FirstKey({self.path})"


def create_key(
    database: Database, name: str, *, project: str = directory.DEFAULT_PROJECT.name, expires_at: float | None = None
) -> NewKey:
    """A new active key; the project is made if there is none of that name. `expires_at`: seconds since 1970."""
    if not _NAME.fullmatch(name):
        raise KeyRefused(f"name {name!r}: expected 1 to 128 printable characters without blanks at the ends")
    if not _PROJECT.fullmatch(project):
        raise KeyRefused(f"project {project!r}: expected up to 64 letters, digits, dots, dashes or underscores")
    if expires_at is not None and expires_at <= time.time():
        raise KeyRefused("the expiry is in the past: expected a time to come")
    new = _new_key(name, directory.ensure_project(database, project), secrets.generate_key(), expires_at)
    directory.insert_key(database, new.key, shown=secrets.mask(new.secret))
    return new


def list_keys(database: Database) -> tuple[StoredKey, ...]:
    """Every key that is not deleted, oldest first; no secret is among what is listed."""
    return directory.stored_keys(database)


def disable_key(database: Database, key_id: str) -> ApiKey:
    """The key is refused from now on (within a second on running gateways)."""
    found = _found(database, key_id)
    directory.set_status(database, key_id, status="disabled")
    return msgspec.structs.replace(found.key, status="disabled")


def roll_key(database: Database, key_id: str) -> NewKey:
    """A new secret with the same settings; the old one is refused from now on."""
    found = _found(database, key_id)
    secret = secrets.generate_key()
    digest = secrets.digest(secret)
    directory.set_digest(database, key_id, digest=digest, shown=secrets.mask(secret))
    return NewKey(key=msgspec.structs.replace(found.key, digest=digest), secret=secret)


def ensure_first_key(database: Database, *, data_dir: Path) -> FirstKey:
    """The default project, and one API key in DATA/first-key unless there is, or ever was, a key.

    The file comes first: a start that was cut off between file and database is completed by the next one.
    """
    path = secrets.first_key_path(data_dir)
    project = directory.ensure_default_project(database)
    if directory.has_keys(database):
        return FirstKey(path=path, secret=None)
    found = secrets.read_private(path) or secrets.write_private_once(path, secrets.generate_key().encode())
    new = _new_key(_FIRST_KEY_NAME, project, found.decode().strip(), None)
    made = directory.insert_first_key(database, new.key, shown=secrets.mask(new.secret))
    return FirstKey(path=path, secret=new.secret if made else None)


def _new_key(name: str, project: Project, secret: str, expires_at: float | None) -> NewKey:
    key = ApiKey(
        id=f"key_{randomness.token_hex(8)}",
        name=name,
        digest=secrets.digest(secret),
        project=project,
        expires_at=expires_at,
    )
    return NewKey(key=key, secret=secret)


def _found(database: Database, key_id: str) -> StoredKey:
    if key_id.startswith("static:"):
        raise KeyRefused(f"key {key_id} is in the configuration file: change it there")
    found = directory.find_key(database, key_id)
    if found is None:
        raise KeyRefused(f"key {key_id!r} is unknown: expected an id that `llmgateway keys list` shows")
    return found
