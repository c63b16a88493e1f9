"""Sums per key in a table of their own instead of an index over all exchanges; attempts in one tree, not three."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_PICO_PER_MICRO = 1_000_000


ATTEMPTS = (
    sa.Column("log_id", sa.Text, primary_key=True),
    sa.Column("exchange_id", sa.Text, nullable=False),
    sa.Column("seq", sa.BigInteger, nullable=False),
    sa.Column("provider", sa.Text, nullable=False),
    sa.Column("model", sa.Text, nullable=False),
    sa.Column("region", sa.Text),
    sa.Column("upstream_model", sa.Text, nullable=False),
    sa.Column("credential", sa.Text, nullable=False),
    sa.Column("started_us", sa.BigInteger, nullable=False),
    sa.Column("duration_us", sa.BigInteger, nullable=False),
    sa.Column("ttft_us", sa.BigInteger),
    sa.Column("status_code", sa.BigInteger, nullable=False),
    sa.Column("error_type", sa.Text, nullable=False),
    sa.Column("error_code", sa.Text),
    sa.Column("error_message", sa.Text),
    sa.Column("succeeded", sa.Boolean, nullable=False),
    sa.Column("upstream_cost", sa.BigInteger, nullable=False),
)


def upgrade() -> None:
    op.drop_index("exchanges_key", "exchanges")
    op.create_table(
        "key_usage",
        sa.Column("key_id", sa.Text, primary_key=True),
        sa.Column("requests", sa.BigInteger, nullable=False),
        sa.Column("prompt_tokens", sa.BigInteger, nullable=False),
        sa.Column("completion_tokens", sa.BigInteger, nullable=False),
        sa.Column("cost_micro", sa.BigInteger, nullable=False),
        sa.Column("cost_pico", sa.BigInteger, nullable=False),
    )
    op.execute(
        "INSERT INTO key_usage SELECT key_id, COUNT(*), SUM(prompt_tokens), SUM(completion_tokens),"  # noqa: S608 - numbers of ours
        f" SUM(COALESCE(cost_total, 0) / {_PICO_PER_MICRO}), SUM(COALESCE(cost_total, 0) % {_PICO_PER_MICRO})"
        " FROM exchanges GROUP BY key_id"
    )
    op.drop_index("attempts_exchange", "attempts")
    op.rename_table("attempts", "attempts_before")
    op.create_table("attempts", *ATTEMPTS, sqlite_with_rowid=False)
    op.execute("INSERT INTO attempts SELECT * FROM attempts_before")
    op.drop_table("attempts_before")
