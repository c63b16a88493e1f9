"""An answer as it arrives: chunks of deltas per choice, and the fold that merges them into a whole.

A whole answer is a stream of one chunk. The structs are the wire form of our own vocabulary: a member that is UNSET is
absent from the JSON, which is how "absent, never null" is kept.
"""

from copy import copy
from typing import Any, Final

from msgspec import UNSET, Raw, Struct, UnsetType

from llmgateway.domain.errors import UpstreamError
from llmgateway.domain.usage import Usage


class ToolFunctionDelta(Struct):
    name: str | UnsetType = UNSET
    arguments: str | UnsetType = UNSET


class ToolCallDelta(Struct):
    """`id`, `type` and `function.name` come once, in the first delta of a call; `index` in every one."""

    index: int | UnsetType
    id: str | UnsetType = UNSET
    type: str | UnsetType = UNSET
    function: ToolFunctionDelta | UnsetType = UNSET
    custom: dict[str, Any] | UnsetType = UNSET
    extra_content: dict[str, Any] | UnsetType = UNSET


class Delta(Struct):
    """What one chunk adds to one choice; of a whole answer, the message.

    `extra`: members nobody here knows, carried to the client beside the others.
    """

    role: str | UnsetType = UNSET
    content: str | None | UnsetType = UNSET
    reasoning: str | UnsetType = UNSET
    reasoning_details: list[dict[str, Any]] | UnsetType = UNSET
    refusal: str | None | UnsetType = UNSET
    tool_calls: list[ToolCallDelta] | UnsetType = UNSET
    function_call: ToolFunctionDelta | UnsetType = UNSET
    images: list[dict[str, Any]] | UnsetType = UNSET
    annotations: list[dict[str, Any]] | UnsetType = UNSET
    audio: dict[str, Any] | UnsetType = UNSET
    extra: dict[str, Any] | UnsetType = UNSET

    @property
    def has_content(self) -> bool:
        """Anything a client would see as part of the answer."""
        return bool(
            self.content
            or self.reasoning
            or self.tool_calls
            or self.refusal
            or self.reasoning_details
            or self.images
            or self.annotations
            or self.function_call
            or self.audio
        )


class ChoiceDelta(Struct):
    """`finish_reason` is ours (stop, length, tool_calls, content_filter); `raw_finish_reason` the provider's."""

    index: int
    delta: Delta
    logprobs: dict[str, Any] | None = None
    finish_reason: str | None = None
    raw_finish_reason: str | None = None
    extra: dict[str, Any] | None = None

    @property
    def tells(self) -> bool:
        """Anything a client would miss: a role, content, a member nobody knows, logprobs or the end."""
        delta = self.delta
        return bool(
            self.finish_reason is not None
            or self.logprobs is not None
            or self.extra
            or delta.role is not UNSET
            or delta.has_content
            or delta.extra
        )


class Wire(Struct, frozen=True):
    """What goes to the client as it stands here, but for the envelope: events of one upstream read, or a whole answer
    that is one text.

    `tails`: what each event holds behind the chunk's `prefix`, without the blank line; of a whole answer its choices,
    without the brackets. `content_bytes` is about how much text they carry. `finish_reason`: of a whole answer.
    """

    tails: list[bytes]
    content_bytes: int
    finish_reason: str | None = None


class Chunk(Struct):
    """One step of an answer.

    `id`, `reported_model` and `service_tier` are the provider's. `prefix`: the bytes of the provider's event up to and
    including `"choices":`, when they are an envelope whose members hold for the chunk. `extra`: further top-level
    members. `usage` is cumulative: the last one counts. `error`: the provider broke off. `done`: it said it is done.
    """

    choices: list[ChoiceDelta]
    id: str | None = None
    reported_model: str | None = None
    service_tier: str | None = None
    usage: Usage | None = None
    prefix: bytes = b""
    extra: dict[str, Raw] | None = None
    error: UpstreamError | None = None
    wire: Wire | None = None
    done: bool = False

    @property
    def tells(self) -> bool:
        """Anything anybody would miss."""
        return bool(
            self.choices
            or self.usage is not None
            or self.extra
            or self.id
            or self.reported_model
            or self.service_tier
            or self.error is not None
            or self.wire is not None
            or self.done
        )


_TEXT: Final = ("content", "reasoning", "refusal")
_GROWING: Final = frozenset(("text", "summary", "data", "transcript", "input"))
_LISTS: Final = ("reasoning_details", "images", "annotations")


class Fold:
    """Merges chunks into one: text is appended, listed items are merged by their index, the last usage counts."""

    def __init__(self) -> None:
        self._choices: dict[int, ChoiceDelta] = {}
        self._whole = Chunk([], done=True)

    def add(self, chunk: Chunk) -> None:
        whole = self._whole
        whole.id = whole.id or chunk.id
        whole.reported_model = whole.reported_model or chunk.reported_model
        whole.service_tier = chunk.service_tier or whole.service_tier
        whole.usage = chunk.usage or whole.usage
        if chunk.extra:
            whole.extra = {**(whole.extra or {}), **chunk.extra}
        for choice in chunk.choices:
            self._choice(choice)

    def response(self) -> Chunk:
        """The whole answer, its deltas whole messages."""
        self._whole.choices = [self._choices[index] for index in sorted(self._choices)]
        return self._whole

    def _choice(self, choice: ChoiceDelta) -> None:
        whole = self._choices.get(choice.index)
        if whole is None:
            whole = self._choices[choice.index] = ChoiceDelta(choice.index, Delta(role="assistant", content=None))
        _merge(whole.delta, choice.delta)
        if choice.logprobs is not None:
            whole.logprobs = _joined_logprobs(whole.logprobs or {}, choice.logprobs)
        whole.finish_reason = choice.finish_reason or whole.finish_reason
        whole.raw_finish_reason = choice.raw_finish_reason or whole.raw_finish_reason
        if choice.extra:
            whole.extra = {**(whole.extra or {}), **choice.extra}


def _merge(message: Delta, delta: Delta) -> None:
    for name in _TEXT:
        addition = getattr(delta, name)
        if isinstance(addition, str):
            setattr(message, name, (getattr(message, name) or "") + addition)
    for name in _LISTS:
        addition = getattr(delta, name)
        if addition:
            setattr(message, name, _merged_items(getattr(message, name) or [], addition))
    if delta.tool_calls:
        message.tool_calls = _merged_calls(message.tool_calls or [], delta.tool_calls)
    if delta.function_call:
        message.function_call = _merged_function(message.function_call, delta.function_call)
    if delta.audio:
        message.audio = _merged_item(message.audio or {}, delta.audio)
    if delta.extra:
        message.extra = {**(message.extra or {}), **delta.extra}


def _merged_calls(calls: list[ToolCallDelta], additions: list[ToolCallDelta]) -> list[ToolCallDelta]:
    by_index = {_place(call): call for call in calls}
    for addition in additions:
        index = _place(addition, otherwise=len(by_index))
        call = by_index.get(index)
        if call is None:
            call = by_index[index] = copy(addition)
            call.index = index
            continue
        call.id = call.id or addition.id
        call.type = call.type or addition.type
        call.extra_content = addition.extra_content or call.extra_content
        if addition.function:
            call.function = _merged_function(call.function, addition.function)
        if addition.custom:
            call.custom = _merged_item(call.custom or {}, addition.custom)
    return [by_index[index] for index in sorted(by_index)]


def _place(call: ToolCallDelta, *, otherwise: int = 0) -> int:
    return otherwise if call.index is UNSET else call.index


def _merged_function(whole: ToolFunctionDelta | UnsetType, addition: ToolFunctionDelta) -> ToolFunctionDelta:
    if whole is UNSET:
        return ToolFunctionDelta(addition.name, addition.arguments)
    return ToolFunctionDelta(whole.name or addition.name, (whole.arguments or "") + (addition.arguments or ""))


def _merged_items(items: list[dict[str, Any]], additions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    merged: dict[int, dict[str, Any]] = {}
    for item in items:
        merged[_next_index(item, merged)] = item
    for addition in additions:
        index = _next_index(addition, merged)
        merged[index] = _merged_item(merged[index], addition) if index in merged else addition
    return [merged[index] for index in sorted(merged)]


def _next_index(item: dict[str, Any], merged: dict[int, dict[str, Any]]) -> int:
    """Its own; an item without one is an item of its own."""
    return item.get("index", max(merged, default=-1) + 1)


def _merged_item(item: dict[str, Any], addition: dict[str, Any]) -> dict[str, Any]:
    result = dict(item)
    for name, value in addition.items():
        whole = result.get(name)
        if name in _GROWING and isinstance(whole, str) and isinstance(value, str):
            result[name] = whole + value
        elif value is not None:
            result[name] = value
    return result


def _joined_logprobs(whole: dict[str, Any], addition: dict[str, Any]) -> dict[str, Any]:
    """The `content` and `refusal` lists of both, one after the other."""
    result = dict(whole)
    for name, tokens in addition.items():
        before = result.get(name)
        result[name] = before + tokens if isinstance(before, list) and isinstance(tokens, list) else tokens or before
    return result
