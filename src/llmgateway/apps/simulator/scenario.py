"""What a simulated provider is going to answer, decided before any protocol renders it: from the model name, the
x-simulator header and what the request asks to a frozen Scenario. It knows no wire protocol; a voice reads the
request and speaks the answer."""

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from llmgateway.apps.simulator.faults import FAULTS, Fault
from llmgateway.apps.simulator.models import MAX_TOKENS, Answer, Preset, preset_of
from llmgateway.apps.simulator.text import pieces_of

Finish = Literal["stop", "length", "tool_calls", "content_filter"]
_Tokens = Annotated[int, Meta(ge=0, le=MAX_TOKENS)]
_Count = Annotated[int, Meta(ge=0, le=16)]
_Milliseconds = Annotated[float, Meta(ge=0, le=600_000)]


class Offer(msgspec.Struct, frozen=True):
    """A tool the request offers; `parameters` is its JSON schema."""

    name: str
    parameters: object = None


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """What a request asks, whatever its protocol.

    `text` is the last user message's, `tool_result` the last tool result's (None: there is none). `forced` names the
    tool that must be called. `json` says that JSON is wanted, by `schema` if there is one. `top_logprobs` None: not
    asked for. `searches`: the model may search the web. `given` is what only the protocol's own voice needs to know.
    """

    model: str
    text: str = ""
    turns: int = 1
    tools: tuple[Offer, ...] = ()
    forced: str | None = None
    forbids_tools: bool = False
    parallel: bool = True
    legacy_functions: bool = False
    tool_result: str | None = None
    json: bool = False
    schema: object = None
    limit: int | None = None
    stop: tuple[str, ...] = ()
    n: int = 1
    stream: bool = False
    include_usage: bool = False
    top_logprobs: int | None = None
    prompt_tokens: int = 1
    searches: bool = False
    given: Mapping[str, Any] = {}


class SteeredCall(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    arguments: dict[str, msgspec.Raw] = {}


class SteeredUsage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    prompt_tokens: _Tokens | None = None
    completion_tokens: _Tokens | None = None
    cached_tokens: _Tokens | None = None
    cache_write_tokens: _Tokens | None = None
    reasoning_tokens: _Tokens | None = None


class Steering(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The x-simulator header. What it leaves out comes from the model name."""

    answer: Answer | None = None
    text: str | None = None
    tokens: _Tokens | None = None
    tool_calls: Annotated[list[SteeredCall], Meta(max_length=64)] | None = None
    reasoning: str | None = None
    redacted: str | None = None
    images: _Count | None = None
    citations: _Count | None = None
    refusal: str | None = None
    finish_reason: Finish | None = None
    usage: SteeredUsage | None = None
    first_token_ms: _Milliseconds | None = None
    per_token_ms: _Milliseconds | None = None
    fault: str | None = None
    after: Annotated[int, Meta(ge=0, le=MAX_TOKENS)] | None = None
    retry_after_s: Annotated[float, Meta(ge=0, le=86_400)] | None = None
    slow_ms: _Milliseconds | None = None
    first: Annotated[int, Meta(ge=0)] | None = None
    of: Annotated[int, Meta(ge=1)] | None = None
    probability: Annotated[float, Meta(ge=0, le=1)] | None = None
    seed: int = 0
    group: str | None = None


STEERING_FIELDS: dict[str, str] = {
    "answer": "`auto`, `echo`, `lorem`, `tools`, `parallel-tools`, `reasoning`, `redacted`, `image`, `citations` or "
    "`refusal`: as the model of that name",
    "text": "The text to answer",
    "tokens": "Answer so many tokens of filler; with `echo` or `text` ignored",
    "tool_calls": '`[{"name", "arguments": {…}}]`: exactly these calls, whatever the request offers',
    "reasoning": "The reasoning to give before the answer",
    "redacted": "Further reasoning that is given in encrypted form only, where the protocol has such",
    "images": "Number of images (0 to 16)",
    "citations": "Number of url_citation annotations (0 to 16)",
    "refusal": "The refusal to answer instead of content",
    "finish_reason": "`stop`, `length`, `tool_calls` or `content_filter`, whatever the answer is",
    "usage": "`{prompt_tokens, completion_tokens, cached_tokens, cache_write_tokens, reasoning_tokens}`: reported "
    "instead of the count",
    "first_token_ms": "Milliseconds before the first token (0 to 600,000)",
    "per_token_ms": "Milliseconds between tokens (0 to 600,000)",
    "fault": "A fault of the table below",
    "after": "For faults in mid-stream: after so many events (default: those before the first token, and three tokens)",
    "retry_after_s": "For the 429 faults with a retry-after: its seconds (default 2)",
    "slow_ms": "For `slow-body`: milliseconds between pieces (default 50)",
    "first": "The fault befalls the first so many requests of its group, later ones are healthy",
    "of": "With `first`: the count begins again after so many requests",
    "probability": "The fault befalls a request with this probability (0 to 1), drawn from `seed`",
    "seed": "Seed of `probability`: the same requests in the same order meet the same faults (default 0)",
    "group": "Name of the count that `first` and `probability` use (default: model and fault)",
}
_STEERING = msgspec.json.Decoder(Steering)


class InvalidSteering(Exception):
    """An x-simulator header that cannot be followed; the message says why."""


class Call(msgspec.Struct, frozen=True):
    """A tool call; `arguments` is JSON text."""

    id: str
    name: str
    arguments: str


class Citation(msgspec.Struct, frozen=True):
    url: str
    title: str
    start: int
    end: int


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """One choice. Texts are tuples of pieces, about a token each; `redacted` is reasoning that only its provider can
    read. `stopped`: the stop sequence that ended it."""

    content: tuple[str, ...] = ()
    refusal: tuple[str, ...] = ()
    reasoning: tuple[str, ...] = ()
    signature: str = ""
    redacted: str = ""
    calls: tuple[Call, ...] = ()
    images: tuple[str, ...] = ()
    citations: tuple[Citation, ...] = ()
    finish: Finish = "stop"
    stopped: str | None = None


class Tokens(msgspec.Struct, frozen=True):
    """Usage as the provider reports it: `prompt` includes `cached` and `cache_write`, `completion` includes
    `reasoning`."""

    prompt: int
    completion: int
    cached: int = 0
    cache_write: int = 0
    reasoning: int = 0


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a voice needs to write the answer. `key` is 24 hex digits that ids are made of; `created` Unix
    seconds."""

    ask: Ask
    replies: tuple[Reply, ...]
    usage: Tokens
    first_token_s: float
    per_token_s: float
    fault: Fault | None
    key: str
    created: int
    authorization: str = ""


def steering_of(header: bytes | None) -> Steering:
    """Raises InvalidSteering."""
    if header is None:
        return Steering()
    try:
        steering = _STEERING.decode(header)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        expected = f"expected a JSON object with any of {', '.join(STEERING_FIELDS)}"
        raise InvalidSteering(f"x-simulator: {error}; {expected}") from None
    if steering.fault is not None and steering.fault not in FAULTS:
        raise InvalidSteering(f"x-simulator: unknown fault {steering.fault!r}; expected one of {', '.join(FAULTS)}")
    if steering.of is not None and steering.first is None:
        raise InvalidSteering(
            "x-simulator: `of` needs `first`: the fault befalls the first `first` of every `of` requests"
        )
    return steering


def fault_group(ask: Ask, steering: Steering) -> str | None:
    """The name of the count that decides whether the fault befalls this request; None: it always does, or there is
    none."""
    if steering.first is None and steering.probability is None:
        return None
    return steering.group or f"{ask.model}\n{steering.fault}"


def fault_of(preset: Preset, steering: Steering, *, turn: int) -> Fault | None:
    """The fault that befalls the request with the number `turn` (from 0) of its group."""
    name = steering.fault or preset.fault
    if name is None or not _befalls(steering, turn=turn):
        return None
    return Fault(
        name,
        after=steering.after,
        retry_after_s=2 if steering.retry_after_s is None else steering.retry_after_s,
        slow_s=0.05 if steering.slow_ms is None else steering.slow_ms / 1000,
    )


def _befalls(steering: Steering, *, turn: int) -> bool:
    if steering.first is not None and (turn if steering.of is None else turn % steering.of) >= steering.first:
        return False
    if steering.probability is not None:
        drawn = blake2b(b"%d/%d" % (steering.seed, turn), digest_size=8).digest()
        return int.from_bytes(drawn, "big") < steering.probability * 2**64
    return True


def key_of(body: bytes, *, ordinal: int) -> str:
    """24 hex digits, the same for the same body and number."""
    return blake2b(b"%d/" % ordinal + body, digest_size=12).hexdigest()


def tokens_of(replies: Sequence[Reply], *, ask: Ask, cached: int, steering: SteeredUsage | None) -> Tokens:
    """What the replies cost, unless the header says otherwise."""
    reasoning = sum([_thought_tokens(reply) for reply in replies])
    completion = reasoning + sum([_answer_tokens(reply) for reply in replies])
    counted = Tokens(ask.prompt_tokens, completion, min(cached, ask.prompt_tokens), 0, reasoning)
    if steering is None:
        return counted
    given = (
        (steering.prompt_tokens, counted.prompt),
        (steering.completion_tokens, counted.completion),
        (steering.cached_tokens, counted.cached),
        (steering.cache_write_tokens, counted.cache_write),
        (steering.reasoning_tokens, counted.reasoning),
    )
    return Tokens(*(usual if steered is None else steered for steered, usual in given))


def _answer_tokens(reply: Reply) -> int:
    calls = sum([3 + len(call.arguments) // 4 for call in reply.calls])
    return len(reply.content) + len(reply.refusal) + calls + 256 * len(reply.images)


def _thought_tokens(reply: Reply) -> int:
    return len(reply.reasoning) + len(pieces_of(reply.redacted))


def preset_for(ask: Ask, steering: Steering) -> Preset:
    """The model name's preset with what the header puts in its place."""
    preset = preset_of(ask.model)
    fault = FAULTS.get(steering.fault or "")
    answer = steering.answer or (fault.answer if fault is not None and preset.answer == "auto" else preset.answer)
    if steering.tokens is not None and steering.answer is None:
        answer = "lorem"
    return Preset(
        answer,
        tokens=preset.tokens if steering.tokens is None else steering.tokens,
        first_token_ms=preset.first_token_ms if steering.first_token_ms is None else steering.first_token_ms,
        per_token_ms=preset.per_token_ms if steering.per_token_ms is None else steering.per_token_ms,
        fault=preset.fault,
        known=preset.known,
    )
