"""What an operator can set: typed sections with their defaults and limits.

Each field's annotation is its type, its range and (through docs/configuration.md) its documentation. Reading and
checking a file is `check`'s; turning providers and keys into rows is `infra.operator`'s.
"""

from decimal import Decimal
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from llmgateway.domain.routing import Capability, Endpoint, ParameterPolicy
from llmgateway.infra.settings.positions import Sources

Fraction = Annotated[float, Meta(ge=0, le=1)]
Percent = Annotated[float, Meta(ge=0, le=100)]
Positive = Annotated[float, Meta(gt=0)]
NotNegative = Annotated[float, Meta(ge=0)]
Count = Annotated[int, Meta(ge=0)]
AtLeastOne = Annotated[int, Meta(ge=1)]
Seconds = Annotated[float, Meta(gt=0, le=86_400)]
Usd = Annotated[Decimal, Meta(extra={"usd": True})]
"""Money in USD, exact. `check` refuses what is negative or not finite, and what is no whole number of pico-dollars."""

WireProtocol = Literal["openai-chat", "openai-responses", "anthropic", "google", "bedrock", "cohere"]


class Secret(msgspec.Struct, frozen=True):
    """A text that no log line, error or repr shows."""

    value: str

    def __repr__(self) -> str:
        return "Secret(…)"

    def __rich_repr__(self) -> list[tuple[str, str]]:
        return [("value", "…")]


class ServerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The address and the limits of what comes in. `port` 0: any free one."""

    host: Annotated[str, Meta(min_length=1)] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65_535)] = 4000
    workers: Annotated[int, Meta(ge=1, le=64)] = 1
    max_body_mb: Annotated[int, Meta(ge=1, le=1024)] = 32
    max_in_flight: AtLeastOne = 2000
    max_header_bytes: Annotated[int, Meta(ge=1024, le=1_048_576)] = 65_536
    max_headers: Annotated[int, Meta(ge=8, le=10_000)] = 100
    max_uri_bytes: Annotated[int, Meta(ge=256, le=65_536)] = 8192
    header_timeout_s: Seconds = 10
    body_timeout_s: Seconds = 60
    idle_timeout_s: Seconds = 75
    keep_alive_s: Seconds = 15
    trusted_proxies: tuple[str, ...] = ()
    shutdown_grace_s: NotNegative = 600
    allow_private_fetch: bool = False
    log_level: Literal["debug", "info", "warning", "error"] = "info"


class DataSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where things are kept. `unrecorded`: requests go on when nothing can be recorded (else they get 503)."""

    dir: Annotated[str, Meta(min_length=1)] = "data"
    database: str = "sqlite"
    redis: str = ""
    unrecorded: bool = False


class RoutingSettings(msgspec.Struct, frozen=True, kw_only=True):
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
    retry_budget_rate: Fraction = 0.1
    retry_budget_min_per_s: NotNegative = 3
    context_slack: Positive = 0.8
    bench_failures: AtLeastOne = 3
    bench_s: Seconds = 30
    bench_max_s: Seconds = 600
    bench_auth_probe_s: Seconds = 600
    bench_quota_s: Seconds = 600
    bench_forbidden_s: Seconds = 60
    first_byte_slow_s: Seconds = 600
    idle_reasoning_s: Seconds = 300
    deadline_s: Seconds = 600
    deadline_stream_s: Seconds = 1200
    auto_models: tuple[str, ...] = ()


class TimeoutSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds of one provider; what is not set keeps the provider's own or the default."""

    connect: Seconds | None = None
    first_byte: Seconds | None = None
    idle: Seconds | None = None
    total: Seconds | None = None
    total_stream: Seconds | None = None


class TierSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Prices of a whole request whose prompt is longer than `above_tokens`."""

    above_tokens: AtLeastOne
    input_usd_per_mtok: Usd
    output_usd_per_mtok: Usd
    cached_input_usd_per_mtok: Usd | None = None
    cache_write_5m_usd_per_mtok: Usd | None = None
    cache_write_1h_usd_per_mtok: Usd | None = None


class ModelSettings(msgspec.Struct, frozen=True, kw_only=True):
    """A model of the operator's own. No input and output price: the price is unknown, which is not the same as 0."""

    id: Annotated[str, Meta(min_length=1, max_length=256)]
    upstream: str | None = None
    protocol: WireProtocol | None = None
    name: str = ""
    aliases: tuple[str, ...] = ()
    context: Count = 0
    max_output: Count = 0
    input_usd_per_mtok: Usd | None = None
    output_usd_per_mtok: Usd | None = None
    cached_input_usd_per_mtok: Usd | None = None
    cache_write_5m_usd_per_mtok: Usd | None = None
    cache_write_1h_usd_per_mtok: Usd | None = None
    input_audio_usd_per_mtok: Usd | None = None
    output_audio_usd_per_mtok: Usd | None = None
    output_image_usd_per_mtok: Usd | None = None
    request_usd: Usd | None = None
    web_search_usd: Usd | None = None
    tiers: tuple[TierSettings, ...] = ()
    capabilities: tuple[Capability, ...] = ()
    lacks: tuple[Capability, ...] = ()
    regions: tuple[str, ...] = ()
    priority: Fraction = 1.0


class ProviderSettings(msgspec.Struct, frozen=True, kw_only=True):
    """A known provider's differences, or a custom provider. None keeps the catalogue's value.

    `api_keys`: None reads the provider's own environment variables, an empty list switches it off. `models`: None on
    a custom provider takes any model name. `variables`: values of the names in its addresses. `quirks` come on top of
    the catalogue's.
    """

    api_keys: tuple[Secret, ...] | None = None
    base_url: str | None = None
    path: str | None = None
    stream_path: str | None = None
    protocol: WireProtocol | None = None
    auth: str | None = None
    headers: dict[str, Secret] | None = None
    variables: dict[str, str] = {}
    endpoints: tuple[Endpoint, ...] | None = None
    allow_private_network: bool | None = None
    timeout_s: TimeoutSettings = TimeoutSettings()
    models: tuple[ModelSettings, ...] | None = None
    regions: tuple[str, ...] | None = None
    clean: bool | None = None
    unknown_fields: Literal["pass", "list"] | None = None
    parameters: ParameterPolicy | None = None
    quirks: tuple[str, ...] = ()
    priority: Fraction | None = None


class KeySettings(msgspec.Struct, frozen=True, kw_only=True):
    """A static gateway API key, valid as long as the file says so."""

    name: Annotated[str, Meta(min_length=1, max_length=128)]
    key: Secret
    project: Annotated[str, Meta(min_length=1, max_length=64)] = "default"


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that file and environment say. `sources` finds the line of a setting for later complaints."""

    server: ServerSettings = ServerSettings()
    data: DataSettings = DataSettings()
    routing: RoutingSettings = RoutingSettings()
    providers: dict[str, ProviderSettings] = {}
    keys: tuple[KeySettings, ...] = ()
    sources: Sources = msgspec.field(default_factory=Sources)
