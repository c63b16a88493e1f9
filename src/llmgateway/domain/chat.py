"""A chat request as a caller states it, in OpenAI's vocabulary plus the gateway's documented extensions.

Only what the gateway acts on or must check is typed here; the caller's own top-level spans travel beside it in
`ChatRequest.raw`, so that what nobody looked at is forwarded byte for byte. Null means absent for every optional
field. Checks that need more than one field, and everything about the wire, are left to the ingress codec.
"""

from functools import cached_property
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Raw, Struct

JsonObject = dict[str, Raw]
Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]
TokenLimit = Annotated[int, Meta(ge=1, le=10_000_000)]
Penalty = Annotated[float, Meta(ge=-2, le=2)]

Routing = Literal["auto", "price", "throughput", "latency"]


class CacheControl(Struct, frozen=True):
    type: Literal["ephemeral"]
    ttl: Literal["5m", "1h"] | None = None


class ImageUrl(Struct, frozen=True):
    url: str
    detail: str | None = None


class InputAudio(Struct, frozen=True):
    data: str
    format: str


class FileRef(Struct, frozen=True):
    filename: str | None = None
    file_data: str | None = None
    file_id: str | None = None


class Part(Struct, frozen=True):
    """One content part. Which member must be there follows from `type`; types nobody knows keep their raw form."""

    type: str
    text: str | None = None
    image_url: ImageUrl | None = None
    input_audio: InputAudio | None = None
    file: FileRef | None = None
    refusal: str | None = None
    cache_control: CacheControl | None = None


class FunctionCall(Struct, frozen=True):
    name: str
    arguments: str = ""


class ToolCall(Struct, frozen=True):
    """`extra_content`: what its provider wants to see again, under its name (`google.thought_signature`)."""

    function: FunctionCall | None = None
    id: str | None = None
    type: str | None = None
    extra_content: JsonObject | None = None


class AudioRef(Struct, frozen=True):
    id: str


class Message(Struct, frozen=True):
    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[Part] | None = None
    name: str | None = None
    tool_calls: list[ToolCall] | None = None
    tool_call_id: str | None = None
    function_call: FunctionCall | None = None
    refusal: str | None = None
    audio: AudioRef | None = None
    reasoning: str | None = None
    reasoning_content: str | None = None
    reasoning_details: list[JsonObject] | None = None
    images: list[JsonObject] | None = None
    is_error: bool | None = None


class Function(Struct, frozen=True):
    name: Annotated[str, Meta(min_length=1, max_length=256)]
    description: str | None = None
    parameters: JsonObject | None = None
    strict: bool | None = None


class Tool(Struct, frozen=True):
    """`function`, or `web_search` with its options beside `type`; other types only where a provider takes them, and
    then with a `name` where it can be chosen.
    """

    type: str
    function: Function | None = None
    user_location: JsonObject | None = None
    search_context_size: Literal["low", "medium", "high"] | None = None
    max_uses: Annotated[int, Meta(ge=1)] | None = None
    allowed_domains: list[str] | None = None
    blocked_domains: list[str] | None = None
    cache_control: CacheControl | None = None
    name: str | None = None


class NamedFunction(Struct, frozen=True):
    name: str


class NamedTool(Struct, frozen=True):
    type: str
    function: NamedFunction | None = None


class JsonSchema(Struct, frozen=True):
    name: Annotated[str, Meta(min_length=1, max_length=256)]
    description: str | None = None
    schema: JsonObject | None = None
    strict: bool | None = None


class ResponseFormat(Struct, frozen=True):
    type: Literal["text", "json_object", "json_schema"]
    json_schema: JsonSchema | None = None


class StreamOptions(Struct, frozen=True):
    include_usage: bool | None = None
    include_obfuscation: bool | None = None


class Reasoning(Struct, frozen=True):
    effort: Effort | None = None
    max_tokens: TokenLimit | None = None
    summary: Literal["auto", "concise", "detailed"] | None = None
    exclude: bool | None = None
    enabled: bool | None = None


class Plugin(Struct, frozen=True):
    id: Literal["response-healing"]


class ImageConfig(Struct, frozen=True):
    aspect_ratio: str | None = None
    image_size: str | None = None
    image_quality: str | None = None
    n: Annotated[int, Meta(ge=1, le=16)] | None = None
    seed: int | None = None


class SensitiveWordCheck(Struct, frozen=True):
    status: Literal["DISABLE", "ENABLE"]


class AudioOutput(Struct, frozen=True):
    voice: str | JsonObject
    format: str


class Traits(Struct, frozen=True):
    """What a request asks of a mapping, found in one pass over its messages.

    `needs`: capability → JSON path of the field that asks for it. `prompt_bytes` feeds the token estimate.
    `rebuild`: messages must be rewritten before they are sent (a missing content, reasoning members).
    `foreign`: part, tool and tool choice types that only rows which take them may see, each with its path.
    `messages`: how many there are.
    """

    needs: dict[str, str]
    prompt_bytes: int
    rebuild: bool
    foreign: tuple[tuple[str, str], ...]
    messages: int


class ChatRequest(Struct, frozen=True, kw_only=True):
    """The typed view of a request body, but for its messages."""

    model: Annotated[str, Meta(min_length=1, max_length=1024)]
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    frequency_penalty: Penalty | None = None
    presence_penalty: Penalty | None = None
    repetition_penalty: Annotated[float, Meta(gt=0, le=10)] | None = None
    top_k: Annotated[int, Meta(ge=-1, le=1_000_000)] | None = None
    min_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    max_tokens: TokenLimit | None = None
    max_completion_tokens: TokenLimit | None = None
    stop: str | Annotated[list[str], Meta(max_length=64)] | None = None
    seed: Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)] | None = None
    n: Annotated[int, Meta(ge=1, le=128)] | None = None
    logit_bias: Annotated[dict[str, Annotated[float, Meta(ge=-100, le=100)]], Meta(max_length=1024)] | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Meta(ge=0, le=20)] | None = None
    user: str | None = None
    metadata: JsonObject | None = None
    store: bool | None = None
    modalities: list[Literal["text", "audio", "image"]] | None = None
    audio: AudioOutput | None = None
    prediction: JsonObject | None = None
    parallel_tool_calls: bool | None = None
    functions: Annotated[list[Function], Meta(max_length=1024)] | None = None
    function_call: Literal["none", "auto"] | NamedFunction | None = None
    service_tier: str | None = None
    verbosity: Literal["low", "medium", "high"] | None = None
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None
    prompt_cache_retention: str | None = None
    web_search_options: JsonObject | None = None
    response_format: ResponseFormat | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    tools: Annotated[list[Tool], Meta(max_length=1024)] | None = None
    tool_choice: Literal["none", "auto", "required"] | NamedTool | None = None
    reasoning_effort: Effort | None = None
    reasoning: Reasoning | None = None
    effort: Literal["low", "medium", "high"] | None = None
    include_reasoning: bool | None = None
    free_models_only: bool | None = None
    no_reasoning: bool | None = None
    onboarding: bool | None = None
    web_search: bool | None = None
    plugins: list[Plugin] | None = None
    image_config: ImageConfig | None = None
    sensitive_word_check: SensitiveWordCheck | None = None
    routing: Routing | None = None
    models: Annotated[list[str], Meta(max_length=64)] | None = None


class ChatBody(ChatRequest, frozen=True, kw_only=True):
    """The typed view of a whole body."""

    messages: Annotated[list[Message], Meta(min_length=1)]


class Chat(Struct, frozen=True, dict=True):
    """A checked request: the typed view, what it needs, and the caller's own top-level spans (nulls removed)."""

    request: ChatRequest
    traits: Traits
    raw: JsonObject
    streamed: bool

    @cached_property
    def messages(self) -> list[Message]:
        """The typed messages, decoded when they are first looked at: most are only forwarded."""
        return _MESSAGES.decode(self.raw["messages"])

    def knowing(self, messages: list[Message]) -> "Chat":
        """Itself, told what its messages are; they say what its span of them says."""
        vars(self)["messages"] = messages
        return self

    def asking(self, request: ChatRequest, *, raw: JsonObject | None = None) -> "Chat":
        """The same messages, and what is asked about them in other words."""
        chat = Chat(request, self.traits, self.raw if raw is None else raw, request.stream is True)
        vars(chat).update(vars(self))
        return chat

    @property
    def hides_reasoning(self) -> bool:
        reasoning = self.request.reasoning
        return self.request.include_reasoning is False or (reasoning is not None and reasoning.exclude is True)

    @property
    def output_limit(self) -> int | None:
        """max_completion_tokens, else max_tokens."""
        return self.request.max_completion_tokens or self.request.max_tokens


REQUEST_FIELDS: frozenset[str] = frozenset(ChatBody.__struct_fields__)
_MESSAGES: Final = msgspec.json.Decoder(list[Message])
