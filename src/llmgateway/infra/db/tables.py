"""The schema: which tables and columns there are. The two tables of records follow the structs in `domain.record`.

Only migrations and the tests that guard them import it; `migrations/schema.sql` is what it compiles to for SQLite.
"""

from typing import get_args

import msgspec
from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Index,
    LargeBinary,
    MetaData,
    Table,
    Text,
)
from sqlalchemy.dialects import sqlite
from sqlalchemy.schema import CreateIndex, CreateTable

from llmgateway.domain.record import FLAGS, AttemptRow, ExchangeRow

_TYPES = {str: Text, int: BigInteger}

metadata = MetaData()

meta = Table(
    "meta",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", BigInteger, nullable=False),
)

projects = Table(
    "projects",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("verified", Boolean, nullable=False),
    Column("created_at", Float, nullable=False),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", Text, primary_key=True),
    Column("project_id", Text, ForeignKey("projects.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("digest", LargeBinary, nullable=False, unique=True),
    Column("prefix", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("expires_at", Float),
    Column("created_at", Float, nullable=False),
    CheckConstraint("status IN ('active', 'disabled', 'deleted')", name="api_keys_status"),
)


def _columns(row: type[msgspec.Struct]) -> list[Column[object]]:
    """A struct's fields as columns: the type by annotation, NULL where the annotation allows None."""
    columns: list[Column[object]] = []
    for field in msgspec.structs.fields(row):
        kinds = [kind for kind in get_args(field.type) or (field.type,) if kind is not type(None)]
        nullable = type(None) in get_args(field.type)
        kind = Boolean if field.name in FLAGS else _TYPES[kinds[0]]
        columns.append(Column(field.name, kind, primary_key=field.name == "log_id", nullable=nullable))
    return columns


exchanges = Table(
    "exchanges",
    metadata,
    *_columns(ExchangeRow),
    Index("exchanges_project_started", "project", "started_us"),
)

other_attempts = Table(
    "other_attempts",
    metadata,
    *_columns(AttemptRow),
    sqlite_with_rowid=False,  # found by `<log id of the exchange>-<n>`, in one tree
)

key_usage = Table(
    "key_usage",
    metadata,
    Column("key_id", Text, primary_key=True),
    Column("requests", BigInteger, nullable=False),
    Column("prompt_tokens", BigInteger, nullable=False),
    Column("completion_tokens", BigInteger, nullable=False),
    Column("cost_micro", BigInteger, nullable=False),
    Column("cost_pico", BigInteger, nullable=False),
)
"""Sums over the exchanges of each key, kept by the sink. The cost is in two parts, since 64 bits of pico-dollars end at
nine million: millionths of a dollar, and what is left of each cost below that, in pico-dollars."""


ATTEMPTS_VIEW = """
CREATE VIEW attempts AS
SELECT * FROM other_attempts
UNION ALL
SELECT
    log_id || '-' || attempts AS log_id,
    log_id AS exchange_id,
    attempts AS seq,
    used_provider AS provider,
    substr(
        used_model,
        length(used_provider) + 2,
        length(used_model) - length(used_provider) - 1 - coalesce(length(used_region) + 1, 0)
    ) AS model,
    used_region AS region,
    upstream_model,
    credential,
    attempt_started_us AS started_us,
    attempt_us AS duration_us,
    started_us + ttft_us - attempt_started_us AS ttft_us,
    200 AS status_code,
    'none' AS error_type,
    NULL AS error_code,
    NULL AS error_message,
    1 AS succeeded,
    0 AS upstream_cost
FROM exchanges
WHERE credential IS NOT NULL
"""
"""Every attempt: those with rows of their own, and the one of each exchange that answered, told by its row."""


def schema_sql() -> str:
    """What `migrations/schema.sql` has to say: every table, index and view in SQLite's words."""
    dialect = sqlite.dialect()
    statements: list[str] = []
    for table in metadata.sorted_tables:
        statements.append(str(CreateTable(table).compile(dialect=dialect)))
        statements += [str(CreateIndex(index).compile(dialect=dialect)) for index in sorted(table.indexes, key=str)]
    statements.append(ATTEMPTS_VIEW)
    lines = [line.rstrip() for statement in statements for line in f"{statement.strip()};\n".split("\n")]
    return "\n".join(lines)
