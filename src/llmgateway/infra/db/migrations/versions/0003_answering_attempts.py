"""The attempt that answered is told by its exchange's row; a view goes on telling all of them."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

ATTEMPTS = """
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


def upgrade() -> None:
    op.add_column("exchanges", sa.Column("credential", sa.Text))
    op.add_column("exchanges", sa.Column("attempt_started_us", sa.BigInteger))
    op.add_column("exchanges", sa.Column("attempt_us", sa.BigInteger))
    op.rename_table("attempts", "other_attempts")
    op.execute(ATTEMPTS)
