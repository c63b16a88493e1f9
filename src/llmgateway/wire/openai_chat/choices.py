"""Puts the choices of OpenAI-compatible answers right: whatever a provider does, what leaves here keeps our invariants.

Role once per choice; a tool call's index, id and name once per call; one finish reason per choice; reasoning under one
name; lists with an integer index per item; nulls gone. `Choices` holds what that needs to remember of one answer.
Nothing a provider sends makes it raise: what has the wrong type is carried as an unknown member, or left out.
"""

import secrets
from typing import Any, Final

import msgspec
from msgspec import UNSET

from llmgateway.domain.reply import ChoiceDelta, Delta, ToolCallDelta, ToolFunctionDelta

_FINISH: Final = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "content_filter": "content_filter",
    "function_call": "function_call",
    "max_tokens": "length",
    "max_output_tokens": "length",
    "model_length": "length",
    "tool_use": "tool_calls",
    "tool_call": "tool_calls",
    "safety": "content_filter",
    "recitation": "content_filter",
    "blocklist": "content_filter",
    "prohibited_content": "content_filter",
    "content_filtered": "content_filter",
    "sensitive": "content_filter",
    "refusal": "content_filter",
}
BROKEN_FINISH: Final = frozenset(("error", "insufficient_system_resource", "network_error", "engine_overloaded"))
"""Finish reasons with which a provider says that it broke off."""
_MOST: Final = 4096
"""Choices, and tool calls of a choice, beyond which an answer is no answer: what is remembered stays bounded."""
_TEXT_MEMBERS: Final = ("reasoning", "reasoning_content", "reasoning_text", "thinking")
_LIST_MEMBERS: Final = ("reasoning_details", "images", "annotations")


class _Calls:
    """The tool calls of one choice: where the provider's index or id leads in ours."""

    __slots__ = ("by_id", "by_place", "names")

    def __init__(self) -> None:
        self.names: list[str] = []
        self.by_place: dict[int, int] = {}
        self.by_id: dict[str, int] = {}


class _Choice:
    __slots__ = ("calls", "detail", "finished", "items")

    def __init__(self) -> None:
        self.calls: _Calls | None = None
        self.finished = False
        self.items = 0
        self.detail: tuple[int, Any] = (-1, None)


class Choices:
    """Reads the choices of one answer.

    `member`: `delta` of a stream, `message` of a whole answer. `functions`: the request used the old `functions`.
    `indexed`: list items get an integer index, as deltas need it.
    """

    def __init__(self, *, member: str = "delta", functions: bool = False, indexed: bool = True) -> None:
        self._member = member
        self.functions = functions
        self._indexed_lists = indexed
        self._seen: dict[int, _Choice] = {}
        self.broken: str | None = None

    @property
    def count(self) -> int:
        return len(self._seen)

    @property
    def all_finished(self) -> bool:
        return bool(self._seen) and all(choice.finished for choice in self._seen.values())

    def started(self, index: int) -> bool:
        """The choice's role has been sent and no finish reason yet."""
        choice = self._seen.get(index)
        return choice is not None and not choice.finished

    def read(self, choices: list[Any]) -> list[ChoiceDelta]:
        """The deltas worth telling; a choice that adds nothing is left out of a stream."""
        result: list[ChoiceDelta] = []
        for place, choice in enumerate(choices):
            if isinstance(choice, dict):
                read = self._choice(choice, place)  # pyright: ignore[reportUnknownArgumentType]  # JSON of a provider
                if read is not None:
                    result.append(read)
        return result

    def _choice(self, source: dict[str, Any], place: int) -> ChoiceDelta | None:
        index = source.pop("index", place)
        if not isinstance(index, int):
            index = place
        seen = self._seen.get(index)
        first = seen is None
        if seen is None:
            if len(self._seen) == _MOST:
                self.broken = f"more than {_MOST} choices"
                return None
            seen = self._seen[index] = _Choice()
        message = source.pop(self._member, None)
        if not isinstance(message, dict):
            message = source.pop("message" if self._member == "delta" else "delta", None)
        delta = self._delta(message, seen) if isinstance(message, dict) else Delta()  # pyright: ignore[reportUnknownArgumentType]  # JSON of a provider
        raw = source.pop("finish_reason", None)
        finish = None if raw is None and self._member == "delta" else self._finish(raw, seen, delta)
        logprobs: dict[str, Any] | None = source.pop("logprobs", None)
        extra = _extra_of_choice(source) if source else None
        if first:
            delta.role = "assistant"
        elif finish is None and not extra and logprobs is None and not delta.has_content and not delta.extra:
            return None
        if not isinstance(logprobs, dict):
            logprobs = None
        return ChoiceDelta(index, delta, logprobs, finish, raw if finish and isinstance(raw, str) else None, extra)

    def _finish(self, raw: Any, seen: _Choice, delta: Delta) -> str | None:
        if not isinstance(raw, str) or not raw:
            if self._member == "delta":
                return None
            raw = "stop"  # a whole answer without a reason is whole all the same
        if seen.finished:
            return None
        if raw in BROKEN_FINISH:
            self.broken = f"finish reason {raw!r}"
            return None
        seen.finished = True
        reason = _FINISH.get(raw) or _FINISH.get(raw.lower(), "stop")
        if reason in ("stop", "function_call") and seen.calls is not None:
            return "tool_calls"
        if reason == "function_call" and not self.functions:
            return "tool_calls" if delta.tool_calls else "stop"
        return reason

    def _delta(self, source: dict[str, Any], seen: _Choice) -> Delta:
        content = source.pop("content", None)
        if type(content) is str and not source:
            return Delta(content=content)
        source.pop("role", None)
        delta = Delta()
        reasoning = ""
        for name in _TEXT_MEMBERS:
            if name in source and (name == "reasoning" or isinstance(source[name], str | None)):
                text = source.pop(name)
                reasoning = reasoning or (text if isinstance(text, str) else "")
        if isinstance(content, str):
            delta.content = content
        elif content is not None:
            text, thought = _parts(content)
            delta.content = text if text is not None else UNSET
            reasoning += thought
        if self._member == "message" and delta.content is UNSET:
            delta.content = None
        if reasoning:
            delta.reasoning = reasoning
        if source:
            self._members(source, delta, seen)
        return delta

    def _members(self, source: dict[str, Any], delta: Delta, seen: _Choice) -> None:
        refusal = source.pop("refusal", None)
        if isinstance(refusal, str):
            delta.refusal = refusal
        elif self._member == "message":
            delta.refusal = None
        calls = source.pop("tool_calls", None)
        if isinstance(calls, list) and calls:
            delta.tool_calls = self._calls(calls, seen)  # pyright: ignore[reportUnknownArgumentType]  # JSON of a provider
        function = source.pop("function_call", None)
        if isinstance(function, dict) and self.functions:
            delta.function_call = _function(function)  # pyright: ignore[reportUnknownArgumentType]  # JSON of a provider
        for name in _LIST_MEMBERS:
            items = source.pop(name, None)
            if isinstance(items, list) and items:
                setattr(delta, name, self._indexed(items, name, seen))  # pyright: ignore[reportUnknownArgumentType]  # JSON of a provider
        audio = source.pop("audio", None)
        if isinstance(audio, dict) and any(audio.values()):  # pyright: ignore[reportUnknownArgumentType]  # JSON of a provider
            delta.audio = audio
        extra = {name: value for name, value in source.items() if value is not None}
        if extra:
            delta.extra = extra

    def _indexed(self, items: list[Any], name: str, seen: _Choice) -> list[dict[str, Any]]:
        """Members of null removed, and in a stream an integer index, stable per item."""
        result: list[dict[str, Any]] = []
        for item in items:
            if not isinstance(item, dict):
                continue
            clean = _without_nulls(item)  # pyright: ignore[reportUnknownArgumentType]  # JSON of a provider
            if name == "reasoning_details":
                clean["index"] = _detail_index(clean, seen)
            elif self._indexed_lists and not isinstance(clean.get("index"), int):
                clean["index"] = seen.items
                seen.items += 1
            result.append(clean)
        return result

    def _calls(self, calls: list[Any], seen: _Choice) -> list[ToolCallDelta]:
        if seen.calls is None:
            seen.calls = _Calls()
        known = seen.calls
        result: list[ToolCallDelta] = []
        if len(known.names) + len(calls) > _MOST:
            self.broken = f"more than {_MOST} tool calls"
            return result
        for call in calls:
            if isinstance(call, dict):
                result.append(_call(call, known, place=len(result), whole=self._member == "message"))  # pyright: ignore[reportUnknownArgumentType]  # JSON of a provider
        return result


def _extra_of_choice(source: dict[str, Any]) -> dict[str, Any] | None:
    """Members nobody here knows; a message beside the delta (Writer sends both) says the same twice."""
    return {
        name: value for name, value in source.items() if value is not None and name not in ("message", "delta")
    } or None


def _detail_index(detail: dict[str, Any], seen: _Choice) -> int:
    """Its own index, else that of the item before when the type is the same (a text goes on), else the next."""
    index, last_type = seen.detail
    given = detail.get("index")
    if isinstance(given, int):
        index = given
    elif detail.get("type") != last_type or detail.get("type") == "reasoning.encrypted":
        index += 1
    seen.detail = (index, detail.get("type"))
    return index


def _call(source: dict[str, Any], known: _Calls, *, place: int, whole: bool) -> ToolCallDelta:
    """Of a whole message each item is a call of its own, whatever index it claims."""
    function: dict[str, Any] = source.get("function") or {}
    if not isinstance(function, dict):  # pyright: ignore[reportUnnecessaryIsInstance]  # JSON of a provider
        function = {}
    name, given_id, index = function.get("name"), source.get("id"), source.get("index")
    name = name if isinstance(name, str) else ""
    given_id = given_id if isinstance(given_id, str) else ""
    slot = None
    if not whole:
        slot = _slot(known, index if isinstance(index, int) else None, given_id, name=name, place=place)
    position = len(known.names) if slot is None else slot
    delta = ToolCallDelta(position)
    arguments = _arguments(function.get("arguments"))
    if slot is None:
        delta.id = given_id or f"call_{secrets.token_hex(12)}"
        delta.type = source["type"] if isinstance(source.get("type"), str) and source["type"] else "function"
        known.names.append(name)
        known.by_id[given_id or delta.id] = position
        known.by_place[index if isinstance(index, int) else position] = position
    elif known.names[slot] or not name:
        name = ""
    else:
        known.names[slot] = name
    custom, extra = source.get("custom"), source.get("extra_content")
    if isinstance(custom, dict) and not function:
        delta.custom = custom
    else:
        delta.function = ToolFunctionDelta(name or UNSET, arguments)
    if isinstance(extra, dict):
        delta.extra_content = extra
    return delta


def _slot(known: _Calls, index: int | None, given_id: str, *, name: str, place: int) -> int | None:
    """Which of our calls this delta belongs to; None for a new one."""
    if given_id and given_id in known.by_id:
        return known.by_id[given_id]
    if index is not None:
        slot = known.by_place.get(index)
        return None if slot is None or (given_id and name) else slot
    if given_id or not known.names or (name and name != known.names[-1]):
        return None
    return known.by_place.get(place, len(known.names) - 1) if place < len(known.names) - 1 else len(known.names) - 1


def _arguments(value: Any) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else msgspec.json.encode(value).decode()


def _function(source: dict[str, Any]) -> ToolFunctionDelta:
    name = source.get("name")
    return ToolFunctionDelta(name if isinstance(name, str) and name else UNSET, _arguments(source.get("arguments")))


def _parts(content: Any) -> tuple[str | None, str]:
    """Text and reasoning of content that is not a string: Mistral's list of parts, Cloudflare's JSON object."""
    if not isinstance(content, list):
        return msgspec.json.encode(content).decode(), ""
    texts: list[str] = []
    thoughts: list[str] = []
    for part in content:  # pyright: ignore[reportUnknownVariableType]  # JSON of a provider
        if not isinstance(part, dict):
            continue
        into = thoughts if part.get("type") in ("thinking", "reasoning") else texts  # pyright: ignore[reportUnknownMemberType]  # as above
        for member in ("text", "thinking", "summary"):
            value: Any = part.get(member)  # pyright: ignore[reportUnknownMemberType,reportUnknownVariableType]  # as above
            if isinstance(value, str):
                into.append(value)
            elif isinstance(value, list):
                into.append(_parts(value)[0] or "")
    return ("".join(texts) if texts else None), "".join(thoughts)


def _without_nulls(item: dict[str, Any]) -> dict[str, Any]:
    return {
        name: _without_nulls(value) if isinstance(value, dict) else value  # pyright: ignore[reportUnknownArgumentType]  # JSON of a provider
        for name, value in item.items()
        if value is not None
    }
