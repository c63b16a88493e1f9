"""Who offers what, and how a request is sent there: provider, model, mapping, credential, deployment, plan, attempt."""

from datetime import date
from fnmatch import fnmatchcase
from typing import Literal

import msgspec

from llmgateway.domain.usage import Price

Protocol = Literal["openai-chat", "openai-responses", "anthropic", "google", "bedrock", "cohere", "simulator"]
Capability = Literal[
    "streaming",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "json_object",
    "json_schema",
    "vision",
    "audio",
    "documents",
    "image_output",
    "audio_output",
    "reasoning",
    "reasoning_max_tokens",
    "web_search",
    "n",
    "stop",
    "logprobs",
    "logit_bias",
    "prompt_cache",
    "assistant_prefill",
    "temperature",
    "adaptive_thinking",
]


class Timeouts(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds: `connect` for a connection, `first_byte` until the answer's head, `idle` between bytes.

    What nobody has set is longer where an answer is slow to begin: see engine/deadline.py. `total` and `total_stream`
    bound one attempt; the request's deadline bounds them all.
    """

    connect: float = 5
    first_byte: float = 120
    idle: float = 120
    total: float = 600
    total_stream: float = 1200


class ParameterPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """How a provider's parameters differ from OpenAI's, as data.

    `rename`: our name → theirs. `drop`: harmless parameters it lacks (left out and listed). `refuse`: parameters it
    lacks whose loss would change the answer (the mapping is excluded). `clamp`: name → its maximum. `force`: name →
    JSON text that is always sent. `takes`: fields of its own that are sent on as the caller wrote them. `types`: part,
    tool and tool choice types of its own, sent on in the same way; a `*` at the end stands for any end (a date).
    """

    rename: dict[str, str] = {}
    drop: tuple[str, ...] = ()
    refuse: tuple[str, ...] = ()
    clamp: dict[str, float] = {}
    force: dict[str, str] = {}
    takes: tuple[str, ...] = ()
    types: tuple[str, ...] = ()


class Variable(msgspec.Struct, frozen=True, kw_only=True):
    """A value that a provider's addresses need: `{name}` in a base URL, a path or a header.

    `env`: environment variables that hold it, the first that is set counts. `default`: what is taken where nothing
    is set; it may name other variables. `value`: what the operator or the environment says.
    """

    env: tuple[str, ...] = ()
    default: str = ""
    value: str = ""


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """Another way to reach a provider: the protocol spoken there, and what differs from the row's own address.

    An empty `base_url` or `auth` is the row's, an empty path is the protocol's own; `headers`, `force`
    and `quirks` come on top of the row's. `takes` and `types`, as of a parameter policy, do so where the protocol is
    the row's own, and stand alone elsewhere. `lacks`: capabilities that an offer has there only if the catalogue says
    so of the offer itself.
    """

    protocol: Protocol
    base_url: str = ""
    path: str = ""
    stream_path: str = ""
    auth: str = ""
    headers: dict[str, str] = {}
    force: dict[str, str] = {}
    quirks: tuple[str, ...] = ()
    takes: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()


class Provider(msgspec.Struct, frozen=True, kw_only=True):
    """A provider is this row. The same struct is in the shipped catalogue, the operator's file and the database.

    `path`, and `stream_path` where a stream is asked for elsewhere, follow the base URL; empty ones are the
    protocol's own. They, the base URL and the values of `headers` may hold `{model}`, `{region}` and the names of
    `variables`. `endpoints`: further addresses, tried before the row's own: the first of the wanted protocol all of
    whose variables have a value is used. `env`: variable names of its key, the provider's own SDK's first; `A:B:C?`
    is a key of several parts, the one with `?` may be missing. `auth`: `bearer`, `none`, `header:<name>`, `aws`
    (a bearer key, or the parts of one that signs) or `google` (a service account); empty is the protocol's own.

    `regions`: those that can be named behind any of its models. `region_urls`: base URLs of single regions.
    `locations`: region of a mapping → the values of `{region}` that reach it (`*` stands for any end), the default
    first. `lacks`: as of an endpoint, for the row's own address.

    `clean`: its stream deltas keep our invariants, so that the native lane may forward them. `unknown_fields`:
    `pass` sends fields nobody knows on, `list` leaves them out and lists them. `any_model`: takes any model name
    (custom providers without a models list). `aggregator`: resells other vendors' models. `quirks`: names from
    wire/quirks.py, each with `@pattern` where it holds for some upstream names only.
    """

    id: str
    name: str = ""
    protocol: Protocol = "openai-chat"
    base_url: str = ""
    path: str = ""
    stream_path: str = ""
    headers: dict[str, str] = {}
    endpoints: tuple[Endpoint, ...] = ()
    variables: dict[str, Variable] = {}
    region_urls: dict[str, str] = {}
    locations: dict[str, tuple[str, ...]] = {}
    env: tuple[str, ...] = ()
    auth: str = ""
    lacks: tuple[str, ...] = ()
    clean: bool = False
    unknown_fields: Literal["pass", "list"] = "list"
    any_model: bool = False
    custom: bool = False
    aggregator: bool = False
    allow_private_network: bool = False
    priority: float = 1.0
    regions: tuple[str, ...] = ()
    parameters: ParameterPolicy = ParameterPolicy()
    quirks: tuple[str, ...] = ()
    timeouts: Timeouts = Timeouts()
    docs_url: str = ""


class Mapping(msgspec.Struct, frozen=True, kw_only=True):
    """One provider's offer of a model.

    `upstream`: the provider's own name for it. Capabilities have three states: in `has` yes, in `lacks` no, in
    neither unknown. `context` and `max_output` are tokens, 0 = unknown. `price` None = unknown. `protocol`: where it
    differs from the provider's (Claude at Vertex, OpenAI models that only the responses endpoint serves).
    """

    provider: str
    model: str
    upstream: str
    protocol: Protocol | None = None
    price: Price | None = None
    context: int = 0
    max_output: int = 0
    has: frozenset[str] = frozenset()
    lacks: frozenset[str] = frozenset()
    regions: tuple[str, ...] = ()
    priority: float = 1.0
    deprecated: date | None = None
    deactivated: date | None = None


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """What users ask for: a canonical id, its other names, and who offers it.

    `created`: seconds since 1970, 0 = unknown.
    """

    id: str
    name: str = ""
    family: str = ""
    created: int = 0
    aliases: tuple[str, ...] = ()
    mappings: tuple[Mapping, ...] = ()


class Credential(msgspec.Struct, frozen=True, kw_only=True):
    """One key of a provider. `fingerprint` (16 hex digits, keyed) is the only form of it that leaves the process."""

    provider: str
    secret: str
    fingerprint: str
    weight: int = 1

    def __repr__(self) -> str:
        return f"Credential({self.provider}, {self.fingerprint})"


class Origin(msgspec.Struct, frozen=True):
    """Where connections go; the key of a connection pool. `allow_private`: private addresses may be dialled."""

    scheme: Literal["http", "https"]
    host: str
    port: int
    allow_private: bool = True


class HttpRequest(msgspec.Struct, frozen=True):
    """A request ready for the wire: `head` is the request line and headers up to, not including, content-length."""

    origin: Origin
    head: bytes
    body: bytes
    method: str = "POST"


class ParameterPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of each request field at one mapping, worked out once per snapshot.

    `untouched`: fields sent as the caller wrote them. `plain`: a request of nothing but these is sent as it is, but for
    the model's name. `rename`: sent under another name. `listed`: left out and told.
    `clamp`: maxima. `force`: name → JSON text, always sent. `pass_unknown`: fields nobody knows are sent on.
    `fixed`: of the listed ones, the one value that is sent all the same. `reasoning`: the style in which reasoning is
    asked for. `rewrites_messages`: a quirk looks at every message.

    `lacks`: capabilities it does not have; `refuse`: fields it has no word for and that are never left out. A request
    that needs one of them goes elsewhere; one of `excluding` keeps it away by being there at all. `tiers`: the service
    tiers that can be asked for, empty = any. `takes`: the row's own fields, `types`: part and tool types of its
    own (patterns), sent on as the caller wrote them. `samples`: when sampling parameters that are among `listed` are
    sent all the same: where no effort is asked for (`by_default`), or where none is asked for by name (`at_none`).
    """

    untouched: frozenset[str]
    rename: dict[str, str]
    listed: frozenset[str]
    clamp: dict[str, float]
    force: dict[str, str]
    pass_unknown: bool
    fixed: dict[str, float] = {}
    reasoning: str = ""
    rewrites_messages: bool = False
    lacks: frozenset[str] = frozenset()
    refuse: frozenset[str] = frozenset()
    excluding: tuple[str, ...] = ()
    tiers: frozenset[str] = frozenset()
    takes: frozenset[str] = frozenset()
    types: tuple[str, ...] = ()
    samples: Literal["", "at_none", "by_default"] = ""
    plain: frozenset[str] = frozenset()

    def takes_type(self, kind: str) -> bool:
        """Whether a part, tool or tool choice of this type is sent on."""
        return self.pass_unknown or any(fnmatchcase(kind, one) for one in self.types)


class Deployment(msgspec.Struct, frozen=True, kw_only=True):
    """A mapping, one credential and one region: what an attempt is sent to. All of it is precomputed per snapshot.

    `head` is the serialised request line and headers (host, authorization, content-type …) without content-length,
    `head_stream` the same for a request whose answer is to be streamed.
    `used_model`: `provider/model[:region]`, the `model` of the answer. `timeouts` are those of a stream until its first
    content, `timeouts_whole` of a whole answer, whose head may come only when all of it is written.

    `place`: the value of `{region}` in its address. `signing`: `aws` or `google`, when the key cannot stand in the
    head. `inline`: part types it takes as bytes only, but for URLs that `named` matches. `replays`: the format of
    reasoning_details it understands, `replays_privately` its provider's own alone. `responses`: the same offer over
    OpenAI's other protocol, for requests that only that one can say.
    """

    provider: Provider
    mapping: Mapping
    credential: Credential
    region: str | None
    origin: Origin
    head: bytes
    head_stream: bytes
    used_model: str
    parameters: ParameterPlan
    protocol: str
    timeouts: Timeouts = Timeouts()
    timeouts_whole: Timeouts = Timeouts(first_byte=600)
    place: str = ""
    signing: str = ""
    inline: frozenset[str] = frozenset()
    named: str = ""
    replays: str = ""
    replays_privately: bool = True
    responses: "Deployment | None" = None
