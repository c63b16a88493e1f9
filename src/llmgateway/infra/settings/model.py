"""What an operator can set: typed sections with their defaults and limits.

Each field's annotation is its type, its range and (through docs/configuration.md) its documentation. Reading and
checking a file is `check`'s; turning providers and keys into rows is `infra.operator`'s.
"""

from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
from msgspec import Meta

from llmgateway.domain.policy import AtLeastOne, Count, Fraction, NotNegative, RoutingPolicy, Seconds
from llmgateway.domain.routing import Capability, Endpoint, ParameterPolicy
from llmgateway.infra.settings.positions import Sources

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
    conversation_memory_mb: Annotated[int, Meta(ge=0, le=4096)] = 16
    allow_private_fetch: bool = False
    log_level: Literal["debug", "info", "warning", "error"] = "info"


class DataSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where things are kept. `unrecorded`: requests go on when nothing can be recorded (else they get 503)."""

    dir: Annotated[str, Meta(min_length=1)] = "data"
    database: str = "sqlite"
    redis: str = ""
    unrecorded: bool = False


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

    `api_keys`: None reads the provider's own environment variables, an empty list switches it off; `api_key_weights`:
    one for each. `models`: None on a custom provider takes any model name. `variables`: values of the names in its
    addresses. `quirks` come on top of the catalogue's.
    """

    api_keys: tuple[Secret, ...] | None = None
    api_key_weights: tuple[Count, ...] = ()
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


if TYPE_CHECKING:
    ProjectRouting = msgspec.Struct
else:
    ProjectRouting = msgspec.defstruct(
        "ProjectRouting",
        [(field.name, field.type | None, None) for field in msgspec.structs.fields(RoutingPolicy)],
        frozen=True,
        kw_only=True,
    )
"""Any numbers of the routing policy; None: as the gateway. `check` refuses those that projects share."""


class ProjectSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What holds for the keys of one project."""

    routing: ProjectRouting = ProjectRouting()


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that file and environment say. `sources` finds the line of a setting for later complaints."""

    server: ServerSettings = ServerSettings()
    data: DataSettings = DataSettings()
    routing: RoutingPolicy = RoutingPolicy()
    providers: dict[str, ProviderSettings] = {}
    projects: dict[str, ProjectSettings] = {}
    keys: tuple[KeySettings, ...] = ()
    sources: Sources = msgspec.field(default_factory=Sources)
