"""The directory in the database: projects and API keys, their version, and what a key has used.

Every change of a key moves the version in the same transaction, so that whoever polls the version misses none. Secrets
never come here, only digests. Deciding what may be done to a key is `control.keys`'s.
"""

import time
from typing import Literal, cast

import msgspec

from llmgateway.domain.identity import ApiKey, Project
from llmgateway.infra.db.engine import Database, Execute, Row

DEFAULT_PROJECT = Project(id="default", name="default")
_MICRO = 1_000_000
_SELECT_KEYS = """
    SELECT k.id, k.name, k.digest, k.status, k.expires_at, k.prefix, k.created_at, p.id, p.name, p.verified
    FROM api_keys k JOIN projects p ON p.id = k.project_id
"""


class StoredKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key as the database has it. `shown`: its masked form. `created_at`: seconds since 1970."""

    key: ApiKey
    shown: str
    created_at: float


class KeyUsage(msgspec.Struct, frozen=True, kw_only=True):
    """What a key's recorded requests add up to; requests of unknown price add nothing to the cost."""

    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_picousd: int = 0

    @property
    def total_tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens


def load_keys(database: Database) -> tuple[ApiKey, ...]:
    """Every key that is not deleted, disabled ones too. Raises DatabaseError, as all functions here do."""
    rows = database.read(_SELECT_KEYS + "WHERE k.status != 'deleted'")
    return tuple(_stored(row).key for row in rows)


def stored_keys(database: Database) -> tuple[StoredKey, ...]:
    """Every key that is not deleted, oldest first, with what a listing shows."""
    rows = database.read(_SELECT_KEYS + "WHERE k.status != 'deleted' ORDER BY k.created_at, k.id")
    return tuple(map(_stored, rows))


def find_key(database: Database, key_id: str) -> StoredKey | None:
    """The key of that id unless it is deleted."""
    rows = database.read(_SELECT_KEYS + "WHERE k.status != 'deleted' AND k.id = :id", id=key_id)
    return _stored(rows[0]) if rows else None


def has_keys(database: Database) -> bool:
    """Whether there is, or ever was, a key: deleted ones count."""
    return bool(database.read("SELECT 1 FROM api_keys LIMIT 1"))


def directory_version(database: Database) -> int:
    """A number that moves with every change of a key; cheap enough to be polled."""
    rows = database.read("SELECT value FROM meta WHERE name = 'directory_version'")
    return int(rows[0][0]) if rows else 0


def ensure_default_project(database: Database) -> Project:
    """The project of keys that name none."""
    return ensure_project(database, DEFAULT_PROJECT.name)


def ensure_project(database: Database, name: str) -> Project:
    """The project of that name, made if there is none; its id is its name."""
    rows = database.read("SELECT id, name, verified FROM projects WHERE name = :name", name=name)
    if not rows:
        with database.transaction() as execute:
            execute(
                "INSERT INTO projects (id, name, verified, created_at) VALUES (:name, :name, TRUE, :now)"
                " ON CONFLICT DO NOTHING",
                name=name,
                now=time.time(),
            )
        rows = database.read("SELECT id, name, verified FROM projects WHERE name = :name", name=name)
    return Project(id=rows[0][0], name=rows[0][1], verified=bool(rows[0][2]))


def insert_key(database: Database, key: ApiKey, *, shown: str) -> None:
    """A new key; its project must be there."""
    with database.transaction() as execute:
        _insert(execute, key, shown)


def insert_first_key(database: Database, key: ApiKey, *, shown: str) -> bool:
    """A new key, unless there is or ever was one; whether it went in."""
    with database.transaction() as execute:
        if execute("SELECT 1 FROM api_keys LIMIT 1"):
            return False
        _insert(execute, key, shown)
    return True


def _insert(execute: Execute, key: ApiKey, shown: str) -> None:
    execute(
        "INSERT INTO api_keys (id, project_id, name, digest, prefix, status, expires_at, created_at)"
        " VALUES (:id, :project, :name, :digest, :shown, :status, :expires_at, :now)",
        id=key.id,
        project=key.project.id,
        name=key.name,
        digest=key.digest,
        shown=shown,
        status=key.status,
        expires_at=key.expires_at,
        now=time.time(),
    )
    _moved(execute)


def set_status(database: Database, key_id: str, *, status: Literal["active", "disabled", "deleted"]) -> None:
    with database.transaction() as execute:
        execute("UPDATE api_keys SET status = :status WHERE id = :id", id=key_id, status=status)
        _moved(execute)


def set_digest(database: Database, key_id: str, *, digest: bytes, shown: str) -> None:
    """A new secret for a key: the old one is no longer known from here on."""
    with database.transaction() as execute:
        execute(
            "UPDATE api_keys SET digest = :digest, prefix = :shown WHERE id = :id",
            id=key_id,
            digest=digest,
            shown=shown,
        )
        _moved(execute)


def key_usage(database: Database, key_id: str) -> KeyUsage:
    """What the key's exchange rows add up to."""
    rows = database.read(
        "SELECT requests, prompt_tokens, completion_tokens, cost_micro, cost_pico FROM key_usage WHERE key_id = :id",
        id=key_id,
    )
    requests, prompt, completion, micro, pico = rows[0] if rows else (0, 0, 0, 0, 0)
    return KeyUsage(
        requests=requests, prompt_tokens=prompt, completion_tokens=completion, cost_picousd=micro * _MICRO + pico
    )


def _moved(execute: Execute) -> None:
    execute(
        "INSERT INTO meta (name, value) VALUES ('directory_version', 1)"
        " ON CONFLICT (name) DO UPDATE SET value = meta.value + 1"
    )


def _stored(row: Row) -> StoredKey:
    key_id, name, digest, status, expires_at, shown, created_at, project_id, project_name, verified = row
    return StoredKey(
        key=ApiKey(
            id=key_id,
            name=name,
            digest=digest,
            project=Project(id=project_id, name=project_name, verified=bool(verified)),
            status=cast(Literal["active", "disabled", "deleted"], status),
            expires_at=expires_at,
        ),
        shown=shown,
        created_at=created_at,
    )
