"""What is written down of a request: one exchange row with the money, one attempt row per attempt.

`EXCHANGE_COLUMNS` and `ATTEMPT_COLUMNS` name the columns in order; journal lines and database tables are both made
from them, so that a row travels from the pipeline to the database as one flat list, never re-keyed.
"""

import msgspec


class AttemptRow(msgspec.Struct, frozen=True, array_like=True):
    """One attempt. `log_id` is `<exchange log id>-<n>`. Times in microseconds; `started_us` since 1970."""

    log_id: str
    exchange_id: str
    seq: int
    provider: str
    model: str
    region: str | None
    upstream_model: str
    credential: str
    started_us: int
    duration_us: int
    ttft_us: int | None
    status_code: int
    error_type: str
    error_code: str | None
    error_message: str | None
    succeeded: int
    upstream_cost: int


class ExchangeRow(msgspec.Struct, frozen=True, array_like=True):
    """One authenticated request, whatever became of it. Money in pico-dollars, None = price unknown.

    `status`: what the client got (499 = it left). `outcome`: completed, length_limit, content_filter, tool_calls,
    gateway_error, upstream_error, client_error, canceled. `truncated`: an error after content was relayed.
    `credential`, `attempt_started_us`, `attempt_us`: of the attempt that answered with 200; told here, it needs no
    row of its own.
    """

    log_id: str
    request_id: str
    started_us: int
    duration_us: int
    ttft_us: int | None
    ttfr_us: int | None
    project: str
    key_id: str
    session_id: str | None
    source: str | None
    user_agent: str | None
    trace_id: str | None
    client_ip: str | None
    custom: str | None
    stream: int
    requested_model: str | None
    requested_provider: str | None
    used_model: str | None
    used_provider: str | None
    used_region: str | None
    upstream_model: str | None
    reported_model: str | None
    status: int
    outcome: str
    finish_reason: str | None
    raw_finish_reason: str | None
    error_type: str | None
    error_code: str | None
    error_message: str | None
    truncated: int
    cached: int
    attempts: int
    prompt_tokens: int
    completion_tokens: int
    reasoning_tokens: int
    cached_tokens: int
    cache_write_tokens: int
    usage_source: str | None
    cost_total: int | None
    cost_input: int | None
    cost_cached_input: int | None
    cost_cache_write: int | None
    cost_output: int | None
    cost_request: int | None
    cost_web_search: int | None
    cost_image_output: int | None
    price_version: str | None
    dropped_parameters: str | None
    routing: str | None
    credential: str | None = None
    attempt_started_us: int | None = None
    attempt_us: int | None = None


class LogRecord(msgspec.Struct, frozen=True, array_like=True):
    """One journal line: an exchange and those of its attempts that it does not tell, written whole or not at all."""

    exchange: ExchangeRow
    others: tuple[AttemptRow, ...] = ()

    @property
    def attempts(self) -> tuple[AttemptRow, ...]:
        """All of them; the database has a view that says the same."""
        row = self.exchange
        if row.credential is None or row.attempt_started_us is None or row.attempt_us is None:
            return self.others
        provider, region = row.used_provider or "", row.used_region
        model = (row.used_model or "").removeprefix(f"{provider}/").removesuffix(f":{region}")
        answered = AttemptRow(
            f"{row.log_id}-{row.attempts}",
            row.log_id,
            row.attempts,
            provider,
            model,
            region,
            row.upstream_model or "",
            row.credential,
            row.attempt_started_us,
            row.attempt_us,
            None if row.ttft_us is None else row.started_us + row.ttft_us - row.attempt_started_us,
            200,
            "none",
            None,
            None,
            succeeded=1,
            upstream_cost=0,
        )
        return (*self.others, answered)


FLAGS: frozenset[str] = frozenset(("stream", "truncated", "cached", "succeeded"))
"""Columns that are 0 or 1, in the journal as in the database: the sink binds integers as they are."""

EXCHANGE_COLUMNS: tuple[str, ...] = ExchangeRow.__struct_fields__
ATTEMPT_COLUMNS: tuple[str, ...] = AttemptRow.__struct_fields__
