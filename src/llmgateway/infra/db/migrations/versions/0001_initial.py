"""The first schema: projects, API keys, and the records of exchanges and attempts."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

EXCHANGES = (
    sa.Column("log_id", sa.Text, primary_key=True),
    sa.Column("request_id", sa.Text, nullable=False),
    sa.Column("started_us", sa.BigInteger, nullable=False),
    sa.Column("duration_us", sa.BigInteger, nullable=False),
    sa.Column("ttft_us", sa.BigInteger),
    sa.Column("ttfr_us", sa.BigInteger),
    sa.Column("project", sa.Text, nullable=False),
    sa.Column("key_id", sa.Text, nullable=False),
    sa.Column("session_id", sa.Text),
    sa.Column("source", sa.Text),
    sa.Column("user_agent", sa.Text),
    sa.Column("trace_id", sa.Text),
    sa.Column("client_ip", sa.Text),
    sa.Column("custom", sa.Text),
    sa.Column("stream", sa.Boolean, nullable=False),
    sa.Column("requested_model", sa.Text),
    sa.Column("requested_provider", sa.Text),
    sa.Column("used_model", sa.Text),
    sa.Column("used_provider", sa.Text),
    sa.Column("used_region", sa.Text),
    sa.Column("upstream_model", sa.Text),
    sa.Column("reported_model", sa.Text),
    sa.Column("status", sa.BigInteger, nullable=False),
    sa.Column("outcome", sa.Text, nullable=False),
    sa.Column("finish_reason", sa.Text),
    sa.Column("raw_finish_reason", sa.Text),
    sa.Column("error_type", sa.Text),
    sa.Column("error_code", sa.Text),
    sa.Column("error_message", sa.Text),
    sa.Column("truncated", sa.Boolean, nullable=False),
    sa.Column("cached", sa.Boolean, nullable=False),
    sa.Column("attempts", sa.BigInteger, nullable=False),
    sa.Column("prompt_tokens", sa.BigInteger, nullable=False),
    sa.Column("completion_tokens", sa.BigInteger, nullable=False),
    sa.Column("reasoning_tokens", sa.BigInteger, nullable=False),
    sa.Column("cached_tokens", sa.BigInteger, nullable=False),
    sa.Column("cache_write_tokens", sa.BigInteger, nullable=False),
    sa.Column("usage_source", sa.Text),
    sa.Column("cost_total", sa.BigInteger),
    sa.Column("cost_input", sa.BigInteger),
    sa.Column("cost_cached_input", sa.BigInteger),
    sa.Column("cost_cache_write", sa.BigInteger),
    sa.Column("cost_output", sa.BigInteger),
    sa.Column("cost_request", sa.BigInteger),
    sa.Column("cost_web_search", sa.BigInteger),
    sa.Column("cost_image_output", sa.BigInteger),
    sa.Column("price_version", sa.Text),
    sa.Column("dropped_parameters", sa.Text),
    sa.Column("routing", sa.Text),
)
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
    _create_directory()
    op.create_table("exchanges", *EXCHANGES)
    op.create_index("exchanges_key", "exchanges", ["key_id"])
    op.create_index("exchanges_project_started", "exchanges", ["project", "started_us"])
    op.create_table("attempts", *ATTEMPTS)
    op.create_index("attempts_exchange", "attempts", ["exchange_id"])


def _create_directory() -> None:
    op.create_table(
        "meta",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("value", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "projects",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, nullable=False, unique=True),
        sa.Column("verified", sa.Boolean, nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
    )
    op.create_table(
        "api_keys",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("project_id", sa.Text, sa.ForeignKey("projects.id"), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("digest", sa.LargeBinary, nullable=False, unique=True),
        sa.Column("prefix", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("expires_at", sa.Float),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.CheckConstraint("status IN ('active', 'disabled', 'deleted')", name="api_keys_status"),
    )
