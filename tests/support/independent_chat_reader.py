"""Says what a recording of the OpenAI chat protocol holds, by a reading of its own: plain `json` and dicts.

Nothing of the gateway is used here, so that agreement between both means something. It knows what providers really
send (contents as lists, calls without index, usage in odd places) and the documented rules for finish reasons and
token counts. What a caller should be told for an error answer is read here too.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

UNCOUNTED = -1
BETWEEN = "\x1e"
LENGTH = {"length", "max_tokens", "max_output_tokens", "model_length"}
FILTERED = {
    "content_filter",
    "content_filtered",
    "safety",
    "sensitive",
    "recitation",
    "blocklist",
    "prohibited_content",
}
CALLED = {"tool_calls", "tool_call", "tool_use"}
BROKEN = {"error", "insufficient_system_resource", "network_error", "engine_overloaded"}


@dataclass
class Call:
    name: str
    arguments: Any
    id: str | None = None


@dataclass
class Told:
    """One choice. What is None, and a count of `UNCOUNTED`, was not looked for, and is not compared.

    `reasoning`: where a vendor's reasoning has several parts, `BETWEEN` stands between them, since how they are joined
    is the gateway's to choose. `cited`: URLs that the text cites; `found`: others that a search led to, which may be
    told. `signatures`: what proves reasoning to its vendor on the next turn. `pictures`: digests of images.
    """

    text: str = ""
    reasoning: str = ""
    refusal: str = ""
    calls: list[Call] = field(default_factory=list)
    finish: str | None = None
    annotations: int = 0
    images: int = 0
    audio: bool = False
    logprobs: int = 0
    details: int = 0
    function: Call | None = None
    cited: set[str] | None = None
    found: set[str] = field(default_factory=set)
    signatures: set[str] | None = None
    pictures: list[str] | None = None

    def cite(self, urls: Iterable[str]) -> None:
        self.cited = (self.cited or set()) | set(urls)

    def sign(self, signatures: Iterable[str]) -> None:
        self.signatures = (self.signatures or set()) | set(signatures)

    def show(self, url: str) -> None:
        self.pictures = [*(self.pictures or ()), picture(url)]


def counted(*, annotations: int = 0) -> Told:
    """A choice of which everything is going to be read; vendors' own SDKs have no count of our annotations."""
    return Told(annotations=annotations, cited=set(), signatures=set(), pictures=[])


@dataclass(eq=False)
class Tokens:
    """Figures that are `UNCOUNTED` equal any."""

    prompt: int
    cached: int
    cache_write: int
    completion: int
    reasoning: int
    prompt_audio: int = 0
    completion_audio: int = 0
    prompt_image: int = UNCOUNTED
    completion_image: int = UNCOUNTED

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Tokens):
            return NotImplemented
        pairs = [(getattr(self, name), getattr(other, name)) for name in vars(self)]
        return all(mine == its or UNCOUNTED in (mine, its) for mine, its in pairs)

    __hash__ = None  # pyright: ignore[reportAssignmentType]  # equality is not transitive


@dataclass
class Answer:
    """`error`: the object of an error inside a 200. `broken`: a finish reason that says the provider broke off."""

    choices: dict[int, Told] = field(default_factory=dict)
    tokens: Tokens | None = None
    error: Any = None
    broken: str | None = None
    id: str | None = None
    model: str | None = None

    @property
    def finished(self) -> bool:
        return bool(self.choices) and all(choice.finish for choice in self.choices.values())

    @property
    def empty(self) -> bool:
        """Nothing was said, nothing was counted, and there was no other reason to stop."""
        if self.tokens is not None and self.tokens.completion:
            return False
        return all(
            choice.finish in (None, "stop")
            and not any((choice.text, choice.reasoning, choice.refusal, choice.calls, choice.function, choice.audio))
            and not (choice.images or choice.annotations or choice.details)
            for choice in self.choices.values()
        )


def read_whole(body: bytes, *, functions: bool = False) -> Answer:
    source = json.loads(body.decode("utf-8-sig"))
    answer = Answer(id=source.get("id") or None, model=source.get("model") or None)
    if source.get("error") or "choices" not in source:
        answer.error = source.get("error") or source
        return answer
    for place, choice in enumerate(source["choices"]):
        reader = _ChoiceReader()
        reader.add(choice, "message")
        told = answer.choices[choice.get("index", place)] = reader.told(functions=functions)
        told.finish = told.finish or ("tool_calls" if told.calls else "stop")
        answer.broken = answer.broken or reader.broken
    answer.tokens = read_tokens(source.get("usage"))
    return answer


def read_stream(body: bytes, *, functions: bool = False) -> Answer:
    answer = Answer()
    readers: dict[int, _ChoiceReader] = {}
    first = True
    for event in events_of(body):
        if event.get("error"):
            answer.error = event["error"]
            break
        if first:
            answer.id, first = event.get("id") or None, False
        answer.model = answer.model or event.get("model") or None
        for place, choice in enumerate(event.get("choices") or ()):
            reader = readers.setdefault(choice.get("index", place), _ChoiceReader())
            reader.add(choice, "delta" if isinstance(choice.get("delta"), dict) else "message")
            answer.broken = answer.broken or reader.broken
        answer.tokens = read_tokens(event.get("usage")) or answer.tokens
    answer.choices = {index: reader.told(functions=functions) for index, reader in readers.items()}
    return answer


def events_of(body: bytes) -> Iterator[dict[str, Any]]:
    """The JSON objects of an event stream, up to [DONE]."""
    text = body.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    for block in text.split("\n\n"):
        lines = [line[5:].removeprefix(" ") for line in block.split("\n") if line.startswith("data:")]
        payload = "\n".join(lines)
        if payload.strip() == "[DONE]":
            return
        if payload.strip():
            yield json.loads(payload)


def read_tokens(usage: Any) -> Tokens | None:
    """None where nothing that can be counted was reported."""
    if not isinstance(usage, dict) or not any(
        usage.get(name) is not None for name in ("prompt_tokens", "completion_tokens", "total_tokens")
    ):
        return None
    prompt = usage.get("prompt_tokens") or 0
    read = usage.get("prompt_tokens_details") or {}
    written = usage.get("completion_tokens_details") or {}
    cached_places = (read.get("cached_tokens"), usage.get("prompt_cache_hit_tokens"), usage.get("cached_tokens"))
    reasoning_places = (written.get("reasoning_tokens"), usage.get("reasoning_tokens"))
    return Tokens(
        prompt=prompt,
        cached=next((count for count in cached_places if count is not None), 0),
        cache_write=read.get("cache_write_tokens") or 0,
        completion=max(usage.get("completion_tokens") or 0, (usage.get("total_tokens") or 0) - prompt),
        reasoning=next((count for count in reasoning_places if count is not None), 0),
        prompt_audio=read.get("audio_tokens") or 0,
        completion_audio=written.get("audio_tokens") or 0,
        prompt_image=read.get("image_tokens") or 0,
        completion_image=written.get("image_tokens") or 0,
    )


class _ChoiceReader:
    """Collects what the deltas of one choice add up to; a whole message is one delta."""

    def __init__(self) -> None:
        self.choice = counted()
        self.raw_finish: str | None = None
        self.broken: str | None = None
        self.calls: list[dict[str, Any]] = []
        self.function: dict[str, str] | None = None
        self.details: set[Any] = set()

    def add(self, source: dict[str, Any], member: str) -> None:
        message = source.get(member) or {}
        choice = self.choice
        text, thought = _text_and_thought(message.get("content"))
        choice.text += text
        choice.reasoning += (message.get("reasoning") or message.get("reasoning_content") or "") + thought
        choice.refusal += message.get("refusal") or ""
        choice.annotations += len(message.get("annotations") or ())
        choice.images += len(message.get("images") or ())
        for image in message.get("images") or ():
            choice.show(image["image_url"]["url"])
        choice.cite(url for note in message.get("annotations") or () if (url := url_of(note)))
        choice.details += len(message.get("reasoning_details") or ())
        choice.sign(signatures_of(message.get("reasoning_details") or ()))
        choice.audio = choice.audio or any((message.get("audio") or {}).values())
        choice.logprobs += len((source.get("logprobs") or {}).get("content") or ())
        for call in message.get("tool_calls") or ():
            self._call(call)
        function = message.get("function_call")
        if function:
            self.function = self.function or {"name": "", "arguments": ""}
            self.function["name"] += function.get("name") or ""
            self.function["arguments"] += function.get("arguments") or ""
        finish = source.get("finish_reason")
        if finish in BROKEN:
            self.broken = finish
        elif finish and self.raw_finish is None:
            self.raw_finish = finish

    def _call(self, delta: dict[str, Any]) -> None:
        body = delta.get("function") or delta.get("custom") or {}
        call = self._same_call(delta, body)
        if call is None:
            call = {"index": delta.get("index"), "id": delta.get("id"), "name": body.get("name") or "", "arguments": ""}
            self.calls.append(call)
        call["name"] = call["name"] or body.get("name") or ""
        arguments = body.get("arguments", body.get("input"))
        call["arguments"] += arguments if isinstance(arguments, str) else json.dumps(arguments) if arguments else ""

    def _same_call(self, delta: dict[str, Any], body: dict[str, Any]) -> dict[str, Any] | None:
        """By id first; else by index, unless a new id with a name begins another; else the one before."""
        given, index = delta.get("id"), delta.get("index")
        for call in reversed(self.calls):
            if given and call["id"] == given:
                return call
            if index is not None and call["index"] == index and not (given and body.get("name")):
                return call
        if index is None and not given and not body.get("name") and self.calls:
            return self.calls[-1]
        return None

    def told(self, *, functions: bool) -> Told:
        choice = self.choice
        choice.calls = [Call(call["name"], parsed(call["arguments"]), call["id"] or None) for call in self.calls]
        if self.function is not None and functions:
            choice.function = Call(self.function["name"], parsed(self.function["arguments"]))
        choice.finish = finish_of(self.raw_finish, called=bool(choice.calls), functions=functions)
        return choice


def finish_of(raw: str | None, *, called: bool, functions: bool) -> str | None:
    """Ours for a provider's: with tool calls `stop` is `tool_calls`; `function_call` only for old `functions`."""
    if not raw:
        return None
    reason = raw.lower()
    if reason in LENGTH:
        return "length"
    if reason in FILTERED:
        return "content_filter"
    if reason in CALLED or called:
        return "tool_calls"
    return "function_call" if reason == "function_call" and functions else "stop"


def parsed(arguments: str) -> Any:
    """Arguments as JSON; as they stand where a model wrote something else."""
    try:
        return json.loads(arguments)
    except ValueError:
        return arguments


def url_of(annotation: dict[str, Any]) -> str | None:
    return (annotation.get("url_citation") or {}).get("url")


def picture(url: str) -> str:
    """A digest, since the bytes of a data URL are long."""
    return hashlib.sha256(url.encode()).hexdigest()[:16]


def signatures_of(details: Iterable[dict[str, Any]]) -> set[str]:
    """What a vendor wants back, of `reasoning_details`."""
    return {value for detail in details for name in ("signature", "data") if (value := detail.get(name))}


def _text_and_thought(content: Any) -> tuple[str, str]:
    if content is None:
        return "", ""
    if isinstance(content, str):
        return content, ""
    if not isinstance(content, list):
        return json.dumps(content, sort_keys=True), ""
    text = thought = ""
    for part in content:
        if part.get("type") == "thinking":
            thought += "".join(piece.get("text", "") for piece in part.get("thinking") or ())
        else:
            text += part.get("text") or ""
    return text, thought


_CONTEXT_WORDS = re.compile(r"context.length|maximum context|too many tokens|prompt is too long", re.IGNORECASE)


@dataclass
class Refusal:
    """What a caller is told: status and code, and words of the provider's that the message must, or must not, hold.

    `retry_after`: seconds that the provider wants to be waited for.
    """

    status: int
    code: str | None
    relayed: str | None = None
    hidden: str | None = None
    retry_after: int | None = None


def read_refusal(status: int, body: bytes) -> Refusal:
    return refusal_of(status, *_words(body))


def refusal_of(status: int, message: str | None, code: str | None) -> Refusal:
    """By the error table, for an error answer of a custom provider that takes any model name."""
    if status in (401, 403):
        return Refusal(502, "upstream_auth_error", hidden=message)
    if status == 402 or (status == 429 and "quota" in (message or "") and "exceeded" in (message or "")):
        return Refusal(502, "upstream_auth_error", hidden=message)
    if status == 429:
        return Refusal(429, "upstream_rate_limited", relayed=message)
    if status == 404:
        return Refusal(404, "model_not_found", relayed=message)
    if status in (400, 413, 422) and (status == 413 or _CONTEXT_WORDS.search(f"{message} {code}")):
        return Refusal(400, "context_length_exceeded", relayed=message)
    if status == 408:
        return Refusal(504, "upstream_timeout")
    if 400 <= status < 500 and status != 409:
        return Refusal(status, code, relayed=message)
    return Refusal(502, "upstream_error", relayed=message)


def _words(body: bytes) -> tuple[str | None, str | None]:
    try:
        source = json.loads(body)
    except ValueError:
        return None, None
    if isinstance(source, list):
        source = source[0]
    inner = source.get("error", source)
    if isinstance(inner, str):
        return inner, source.get("code")
    message = inner.get("message") or inner.get("detail") or source.get("message")
    code = inner.get("code")
    if not isinstance(code, str) or code.isdecimal():
        code = inner.get("type")
    return (message if isinstance(message, str) else json.dumps(message) if message else None), code
