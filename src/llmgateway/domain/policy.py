"""The numbers of routing: what an operator may set for the gateway, and for one project."""

from typing import Annotated, Final

import msgspec
from msgspec import Meta

Fraction = Annotated[float, Meta(ge=0, le=1)]
Percent = Annotated[float, Meta(ge=0, le=100)]
Positive = Annotated[float, Meta(gt=0)]
NotNegative = Annotated[float, Meta(ge=0)]
Count = Annotated[int, Meta(ge=0)]
AtLeastOne = Annotated[int, Meta(ge=1)]
Seconds = Annotated[float, Meta(gt=0, le=86_400)]


class RoutingPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """Every number of the choice among providers: score, preference, sessions, retries, benching, deadlines."""

    weight_price: NotNegative = 0.6
    weight_uptime: NotNegative = 0.5
    weight_throughput: NotNegative = 0.05
    weight_latency: NotNegative = 0.025
    strategy_weight: NotNegative = 0.9
    strategy_uptime_weight: NotNegative = 0.1
    metrics_window_s: Annotated[int, Meta(ge=60, le=86_400)] = 3600
    recency_weight_1m: Positive = 10
    recency_weight_5m: Positive = 3
    recency_weight_rest: Positive = 1
    default_uptime_pct: Percent = 100
    default_latency_ms: Positive = 1000
    default_throughput_tps: Positive = 50
    uptime_prior_attempts: NotNegative = 10
    ratio_cap: Positive = 10
    input_output_ratio: Positive = 3
    long_prompt_tokens: Count = 1024
    long_prompt_cached_share: Fraction = 0.5
    penalty_below_pct: Percent = 95
    penalty_factor: NotNegative = 5
    penalty_min_attempts: Count = 5
    exploration_rate: Fraction = 0.01
    probe_below_pct: Percent = 85
    probe_interval_s: Seconds = 60
    preference_s: NotNegative = 3600
    preference_min_uptime_pct: Percent = 85
    preference_gap: NotNegative = 0.15
    preference_price_gap: NotNegative = 0.05
    session_s: NotNegative = 3600
    session_min_uptime_pct: Percent = 85
    session_map_size: AtLeastOne = 100_000
    reroute_pinned: bool = False
    reroute_pinned_below_pct: Percent = 90
    max_fallbacks: Annotated[int, Meta(ge=0, le=16)] = 2
    max_attempts: Annotated[int, Meta(ge=1, le=16)] = 4
    same_credential_retries: Annotated[int, Meta(ge=0, le=16)] = 2
    backoff_s: Seconds = 0.5
    backoff_max_s: Seconds = 8
    retry_after_short_s: NotNegative = 5
    retry_budget_rate: Fraction = 0.1
    retry_budget_min_per_s: NotNegative = 3
    context_slack: Positive = 0.8
    bench_failures: AtLeastOne = 3
    bench_failures_share: Fraction = 0.5
    bench_s: Seconds = 30
    bench_max_s: Seconds = 600
    bench_auth_probe_s: Seconds = 600
    bench_quota_s: Seconds = 600
    bench_forbidden_s: Seconds = 60
    bench_limited_s: Seconds = 5
    first_byte_slow_s: Seconds = 600
    idle_reasoning_s: Seconds = 300
    deadline_s: Seconds = 600
    deadline_stream_s: Seconds = 1200
    auto_models: tuple[str, ...] = ()


SHARED: Final = frozenset(
    (
        "session_map_size",
        "retry_budget_rate",
        "retry_budget_min_per_s",
        "bench_failures",
        "bench_failures_share",
        "bench_s",
        "bench_max_s",
        "bench_auth_probe_s",
        "bench_quota_s",
        "bench_forbidden_s",
        "bench_limited_s",
    )
)
"""Numbers of what all projects have in common: credentials that rest, budgets of providers, the one map of sessions."""
