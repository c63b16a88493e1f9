"""Faults in the words of OpenAI's chat protocol: error answers, bodies and events that a provider should not send.
Most were seen on real wires. Bytes and connections are left to faults_wire."""

from collections.abc import Callable, Mapping
from itertools import zip_longest

import msgspec

from llmgateway.apps.simulator.complaints import COMPLAINTS
from llmgateway.apps.simulator.dialect import BodyChange, Complaint, EventsChange, Json
from llmgateway.apps.simulator.scenario import Scenario

_INVALID = "invalid_request_error"


_WORDS: Mapping[str, tuple[str, str | None, str | None]] = {
    "400": (_INVALID, "invalid_value", "messages"),
    "400-context": (_INVALID, "context_length_exceeded", "messages"),
    "400-content-filter": (_INVALID, "content_filter", None),
    "400-array": (_INVALID, "invalid_value", "messages"),
    "401": ("authentication_error", "invalid_api_key", None),
    "402": ("billing_error", "insufficient_quota", None),
    "403": ("permission_error", "forbidden", None),
    "404": (_INVALID, "model_not_found", None),
    "408": ("timeout_error", "request_timeout", None),
    "409": (_INVALID, "conflict", None),
    "413-context": (_INVALID, "context_length_exceeded", "messages"),
    "429": ("rate_limit_error", "rate_limit_exceeded", None),
    "429-seconds": ("rate_limit_error", "rate_limit_exceeded", None),
    "429-date": ("rate_limit_error", "rate_limit_exceeded", None),
    "429-ms": ("rate_limit_error", "rate_limit_exceeded", None),
    "429-quota": ("insufficient_quota", "insufficient_quota", None),
    "500": ("server_error", None, None),
    "503": ("server_error", "overloaded", None),
    "529": ("overloaded_error", "overloaded", None),
    "key-echo": (_INVALID, "invalid_api_key", None),
    "key-echo-400": (_INVALID, "invalid_value", None),
    "key-echo-500": ("server_error", None, None),
    "error-in-200": ("server_error", "server_error", None),
    "error-event": ("server_error", "server_error", None),
    "key-echo-event": ("server_error", "server_error", None),
}
REFUSALS: Mapping[str, Complaint] = {
    name: msgspec.structs.replace(COMPLAINTS[name], kind=kind, code=code, param=param)
    for name, (kind, code, param) in _WORDS.items()
}


def _each_choice(change: Callable[[Json], None]) -> Callable[[Json], None]:
    def on(completion: Json) -> None:
        for choice in completion["choices"]:
            change(choice)

    return on


def _each_call(change: Callable[[Json], None]) -> Callable[[Json], None]:
    def on(choice: Json) -> None:
        for call in choice["message"].get("tool_calls", ()):
            change(call)

    return _each_choice(on)


def _without_choices(completion: Json) -> None:
    completion["choices"] = []
    _nothing_generated(completion)


def _nothing_generated(completion: Json) -> None:
    usage: Json = completion["usage"]
    usage["completion_tokens"] = 0
    usage["total_tokens"] = usage["prompt_tokens"]


def _silent(completion: Json) -> None:
    _nothing_generated(completion)
    for choice in completion["choices"]:
        choice["message"] = {"role": "assistant", "content": None, "refusal": None}
        choice["finish_reason"] = "stop"


def _as_parts(message: Json) -> None:
    if isinstance(message.get("content"), str) and message["content"]:
        message["content"] = [{"type": "text", "text": message["content"]}]


def _as_object(call: Json) -> None:
    call["function"]["arguments"] = msgspec.json.decode(call["function"]["arguments"])


def _arguments(call: Json, text: str) -> None:
    call["function"]["arguments"] = text


_NO_JSON = '{"city": "Par'
BODIES: Mapping[str, BodyChange] = {
    "no-finish": _each_choice(lambda choice: choice.update(finish_reason=None)),
    "empty-choices": _without_choices,
    "empty-message": _silent,
    "no-usage": lambda completion: completion.pop("usage"),
    "content-parts": _each_choice(lambda choice: _as_parts(choice["message"])),
    "tool-no-id": _each_call(lambda call: call.pop("id", None)),
    "tool-object-arguments": _each_call(_as_object),
    "tool-empty-arguments": _each_call(lambda call: _arguments(call, "")),
    "tool-invalid-arguments": _each_call(lambda call: _arguments(call, _NO_JSON)),
    "tool-finish-stop": _each_choice(lambda choice: choice.update(finish_reason="stop")),
}


def _choices(chunk: Json) -> list[Json]:
    choices: list[Json] = chunk["choices"]
    return choices


def _finishes(chunk: Json) -> bool:
    return any(choice["finish_reason"] is not None for choice in _choices(chunk))


def _calls(chunk: Json) -> list[Json]:
    return [call for choice in _choices(chunk) for call in choice["delta"].get("tool_calls", ())]


def _each_delta(chunks: list[Json], change: Callable[[Json], object]) -> list[Json]:
    for chunk in chunks:
        for choice in _choices(chunk):
            change(choice["delta"])
    return chunks


def _each_tool_delta(chunks: list[Json], change: Callable[[Json], object]) -> list[Json]:
    for chunk in chunks:
        for call in _calls(chunk):
            change(call)
    return chunks


def _emptied(chunks: list[Json], _: Scenario) -> list[Json]:
    return [{**chunks[0], "choices": []}]


def _silenced(chunks: list[Json], _: Scenario) -> list[Json]:
    kept = [chunk for chunk in chunks if not _choices(chunk) or _finishes(chunk) or _opens(chunk)]
    for chunk in kept:
        if chunk.get("usage"):
            _nothing_generated(chunk)
        for choice in _choices(chunk):
            choice["finish_reason"] = "stop" if choice["finish_reason"] else None
    return kept


def _opens(chunk: Json) -> bool:
    return any("role" in choice["delta"] for choice in _choices(chunk))


def _counted(chunks: list[Json], scenario: Scenario) -> list[Json]:
    final = scenario.usage
    for position, chunk in enumerate(chunks):
        done = min(position, final.completion) if position < len(chunks) - 1 else final.completion
        chunk["usage"] = {
            "prompt_tokens": final.prompt,
            "completion_tokens": done,
            "total_tokens": final.prompt + done,
            "prompt_tokens_details": {"cached_tokens": final.cached},
        }
    return chunks


def _renamed(chunks: list[Json], _: Scenario) -> list[Json]:
    for position, chunk in enumerate(chunks):
        chunk["id"] = f"{chunk['id']}-{position}" if position else ""
        chunk["created"] += position
        chunk["model"] = f"{chunk['model']}-{position}" if position else ""
    return chunks


def _finished_twice(chunks: list[Json], _: Scenario) -> list[Json]:
    return [chunk for chunk in chunks for _ in range(2 if _finishes(chunk) else 1)]


def _repeated(chunks: list[Json], _: Scenario) -> list[Json]:
    """Id, type and name in every delta of a call."""
    known: dict[int, Json] = {}
    for chunk in chunks:
        for call in _calls(chunk):
            first = known.setdefault(call["index"], call)
            call.update(id=first["id"], type=first["type"])
            call["function"] = {"name": first["function"]["name"], "arguments": call["function"]["arguments"]}
    return chunks


def _in_one_delta(chunks: list[Json], make: Callable[[str], object]) -> list[Json]:
    """Each call in its first delta alone, with the arguments that `make` makes of its JSON text."""
    whole_calls: dict[tuple[int, int], Json] = {}
    kept: list[Json] = []
    for chunk in chunks:
        calls = _calls(chunk)
        for call in calls:
            place = (_choices(chunk)[0]["index"], call["index"])
            first = whole_calls.setdefault(place, call)
            if first is not call:
                first["function"]["arguments"] += call["function"]["arguments"]
        if not calls or any(call in whole_calls.values() for call in calls):
            kept.append(chunk)
    for call in whole_calls.values():
        call["function"]["arguments"] = make(call["function"]["arguments"])
    return kept


def _interleaved(chunks: list[Json], _: Scenario) -> list[Json]:
    """The deltas of the calls in turns."""
    by_call: dict[tuple[int, int], list[Json]] = {}
    for chunk in chunks:
        for call in _calls(chunk):
            by_call.setdefault((_choices(chunk)[0]["index"], call["index"]), []).append(chunk)
    turns = [chunk for turn in zip_longest(*by_call.values()) for chunk in turn if chunk is not None]
    others = [chunk for chunk in chunks if not _calls(chunk)]
    openings = [chunk for chunk in others if _opens(chunk)]
    return [*openings, *turns, *[chunk for chunk in others if not _opens(chunk)]]


def _unfinished(chunks: list[Json], _: Scenario) -> list[Json]:
    return [chunk for chunk in chunks if not _finishes(chunk)]


def _stopped(chunks: list[Json], _: Scenario) -> list[Json]:
    for chunk in chunks:
        for choice in _choices(chunk):
            choice["finish_reason"] = choice["finish_reason"] and "stop"
    return chunks


CHANGES: Mapping[str, EventsChange] = {
    "no-finish": _unfinished,
    "empty-choices": _emptied,
    "empty-message": _silenced,
    "no-usage": lambda chunks, _: [chunk for chunk in chunks if _choices(chunk)],
    "role-every-chunk": lambda chunks, _: _each_delta(chunks, lambda delta: delta.update(role="assistant")),
    "usage-every-chunk": _counted,
    "changing-id": _renamed,
    "duplicate-finish": _finished_twice,
    "content-parts": lambda chunks, _: _each_delta(chunks, _as_parts),
    "tool-no-index": lambda chunks, _: _each_tool_delta(chunks, lambda call: call.pop("index")),
    "tool-no-id": lambda chunks, _: _each_tool_delta(chunks, lambda call: call.pop("id", None)),
    "tool-repeated": _repeated,
    "tool-object-arguments": lambda chunks, _: _in_one_delta(chunks, msgspec.json.decode),
    "tool-empty-arguments": lambda chunks, _: _in_one_delta(chunks, lambda _: ""),
    "tool-invalid-arguments": lambda chunks, _: _in_one_delta(chunks, lambda _: _NO_JSON),
    "tool-interleaved": _interleaved,
    "tool-finish-stop": _stopped,
}
