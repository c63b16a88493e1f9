"""Faults in the words of OpenAI's chat protocol: error answers, bodies and events that a provider should not send.
Most were seen on real wires. Bytes and connections are left to faults_wire."""

from collections.abc import Callable
from email.utils import formatdate
from itertools import zip_longest
from typing import Any

import msgspec

from llmgateway.apps.simulator import faults_wire
from llmgateway.apps.simulator.faults import Fault
from llmgateway.apps.simulator.scenario import Scenario
from llmgateway.apps.simulator.script import Header, Script, whole

Json = dict[str, Any]
HUGE_EVENT_CHARS = 5 * 1024 * 1024
HUGE_CHUNK_CHARS = 10 * 1024 * 1024
_FILLER = "0123456789abcdef"
_HUGE_PIECE_CHARS = 16 * 1024
_JSON = b"application/json"
_INVALID = "invalid_request_error"
_HTML = (
    b"<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n"
    b"<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n</body>\r\n</html>\r\n"
)
_LONG = "This model's maximum context length is 128000 tokens. However, your messages resulted in 200000 tokens."
_SLOW_DOWN = "Rate limit reached for requests. Please try again later."
_OVERLOADED = "The server is currently overloaded. Please try again later."


class Refusal(msgspec.Struct, frozen=True):
    """An error answer: status, and the members of its error object."""

    status: int
    kind: str
    code: str | None
    message: str
    param: str | None = None


REFUSALS: dict[str, Refusal] = {
    "400": Refusal(400, _INVALID, "invalid_value", "Invalid value in 'messages'.", param="messages"),
    "400-context": Refusal(400, _INVALID, "context_length_exceeded", _LONG, param="messages"),
    "400-content-filter": Refusal(400, _INVALID, "content_filter", "The prompt was filtered by the content policy."),
    "400-array": Refusal(400, _INVALID, "invalid_value", "Invalid value in 'messages'.", param="messages"),
    "401": Refusal(401, "authentication_error", "invalid_api_key", "Incorrect API key provided."),
    "402": Refusal(402, "billing_error", "insufficient_quota", "The account has no credit left."),
    "403": Refusal(403, "permission_error", "forbidden", "The project may not use this model."),
    "404": Refusal(404, _INVALID, "model_not_found", "The model does not exist or you do not have access to it."),
    "408": Refusal(408, "timeout_error", "request_timeout", "The request timed out."),
    "409": Refusal(409, _INVALID, "conflict", "The resource was changed by another request."),
    "413-context": Refusal(413, _INVALID, "context_length_exceeded", _LONG, param="messages"),
    "429": Refusal(429, "rate_limit_error", "rate_limit_exceeded", _SLOW_DOWN),
    "429-seconds": Refusal(429, "rate_limit_error", "rate_limit_exceeded", _SLOW_DOWN),
    "429-date": Refusal(429, "rate_limit_error", "rate_limit_exceeded", _SLOW_DOWN),
    "429-ms": Refusal(429, "rate_limit_error", "rate_limit_exceeded", _SLOW_DOWN),
    "429-quota": Refusal(429, "insufficient_quota", "insufficient_quota", "You exceeded your current quota."),
    "500": Refusal(500, "server_error", None, "The server had an error while processing your request."),
    "503": Refusal(503, "server_error", "overloaded", _OVERLOADED),
    "529": Refusal(529, "overloaded_error", "overloaded", _OVERLOADED),
    "key-echo": Refusal(401, _INVALID, "invalid_api_key", "Incorrect API key provided: {authorization}."),
    "key-echo-400": Refusal(400, _INVALID, "invalid_value", "Bad request, authorization was {authorization}."),
    "key-echo-500": Refusal(500, "server_error", None, "Internal error for authorization {authorization}."),
    "error-in-200": Refusal(200, "server_error", "server_error", "The model is currently unavailable."),
    "error-event": Refusal(200, "server_error", "server_error", "The model stopped unexpectedly."),
    "key-echo-event": Refusal(200, "server_error", "server_error", "Lost the session of {authorization}."),
}
_MID_STREAM = ("error-event", "key-echo-event")


def refused(scenario: Scenario) -> Script | None:
    """The error answer in place of a completion; None: there is a completion, if a faulty one."""
    fault = scenario.fault
    if fault is None:
        return None
    if fault.name == "html-502":
        return whole(502, _HTML, content_type=b"text/html")
    if fault.name not in REFUSALS or (fault.name in _MID_STREAM and scenario.ask.stream):
        return None
    error: object = _error(scenario, fault)
    content = [error] if fault.name == "400-array" else error
    headers = (*_retry_after(scenario, fault), (b"x-request-id", b"req_" + scenario.key.encode()))
    return whole(REFUSALS[fault.name].status, msgspec.json.encode(content), content_type=_JSON, headers=headers)


def _error(scenario: Scenario, fault: Fault) -> Json:
    row = REFUSALS[fault.name]
    message = row.message.replace("{authorization}", scenario.authorization or "(none)")
    return {"error": {"message": message, "type": row.kind, "param": row.param, "code": row.code}}


def _retry_after(scenario: Scenario, fault: Fault) -> tuple[Header, ...]:
    seconds = fault.retry_after_s
    if fault.name == "429-seconds":
        return ((b"retry-after", b"%g" % seconds),)
    if fault.name == "429-date":
        return ((b"retry-after", formatdate(scenario.created + seconds, usegmt=True).encode()),)
    return ((b"retry-after-ms", b"%d" % round(seconds * 1000)),) if fault.name == "429-ms" else ()


def body(completion: Json, scenario: Scenario) -> bytes:
    """The bytes of a whole answer as the fault leaves them."""
    fault = scenario.fault or Fault("")
    change = _BODIES.get(fault.name)
    if change is not None:
        change(completion)
    content: object = [completion] if fault.name == "json-array" else completion
    return faults_wire.body(msgspec.json.encode(content), fault=fault)


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


def _filled(completion: Json, *, chars: int) -> None:
    completion["choices"][0]["message"]["content"] = _FILLER * (chars // len(_FILLER))


def _as_parts(message: Json) -> None:
    if isinstance(message.get("content"), str) and message["content"]:
        message["content"] = [{"type": "text", "text": message["content"]}]


def _as_object(call: Json) -> None:
    call["function"]["arguments"] = msgspec.json.decode(call["function"]["arguments"])


def _arguments(call: Json, text: str) -> None:
    call["function"]["arguments"] = text


_NO_JSON = '{"city": "Par'
_BODIES: dict[str, Callable[[Json], object]] = {
    "no-finish": _each_choice(lambda choice: choice.update(finish_reason=None)),
    "empty-choices": _without_choices,
    "empty-message": _silent,
    "no-usage": lambda completion: completion.pop("usage"),
    "content-parts": _each_choice(lambda choice: _as_parts(choice["message"])),
    "huge-chunk": lambda completion: _filled(completion, chars=HUGE_CHUNK_CHARS),
    "huge-event": lambda completion: _filled(completion, chars=HUGE_EVENT_CHARS),
    "tool-no-id": _each_call(lambda call: call.pop("id", None)),
    "tool-object-arguments": _each_call(_as_object),
    "tool-empty-arguments": _each_call(lambda call: _arguments(call, "")),
    "tool-invalid-arguments": _each_call(lambda call: _arguments(call, _NO_JSON)),
    "tool-finish-stop": _each_choice(lambda choice: choice.update(finish_reason="stop")),
}


def events(chunks: list[Json], scenario: Scenario) -> list[Json]:
    """The events of a stream as the fault leaves them."""
    fault = scenario.fault or Fault("")
    change = _EVENTS.get(fault.name)
    return chunks if change is None else change(chunks, scenario)


def frames(encoded: list[bytes], scenario: Scenario) -> list[bytes]:
    """The frames of a stream, [DONE] the last of them, as the fault leaves them."""
    fault = scenario.fault or Fault("")
    if fault.name == "no-done":
        return encoded[:-1]
    if fault.name in _MID_STREAM:
        return [*encoded[: fault.after], b"data: %b\n\n" % msgspec.json.encode(_error(scenario, fault))]
    if fault.name == "json-array":
        return [b"data: [%b]\n\n" % frame[6:-2] for frame in encoded[:-1]] + encoded[-1:]
    return encoded


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


def _with_filler(chunks: list[Json], *, pieces: int, chars: int) -> list[Json]:
    """`pieces` events with `chars` of content each behind the first event."""
    first = _choices(chunks[0])[0]
    delta = {"content": _FILLER * (chars // len(_FILLER))}
    filler = {**chunks[0], "choices": [{**first, "delta": delta}]}
    return [chunks[0], *[filler] * pieces, *chunks[1:]]


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


_EVENTS: dict[str, Callable[[list[Json], Scenario], list[Json]]] = {
    "no-finish": _unfinished,
    "empty-choices": _emptied,
    "empty-message": _silenced,
    "no-usage": lambda chunks, _: [chunk for chunk in chunks if _choices(chunk)],
    "role-every-chunk": lambda chunks, _: _each_delta(chunks, lambda delta: delta.update(role="assistant")),
    "usage-every-chunk": _counted,
    "changing-id": _renamed,
    "duplicate-finish": _finished_twice,
    "content-parts": lambda chunks, _: _each_delta(chunks, _as_parts),
    "huge-event": lambda chunks, _: _with_filler(chunks, pieces=1, chars=HUGE_EVENT_CHARS),
    "huge-chunk": lambda chunks, _: _with_filler(
        chunks, pieces=HUGE_CHUNK_CHARS // _HUGE_PIECE_CHARS, chars=_HUGE_PIECE_CHARS
    ),
    "tool-no-index": lambda chunks, _: _each_tool_delta(chunks, lambda call: call.pop("index")),
    "tool-no-id": lambda chunks, _: _each_tool_delta(chunks, lambda call: call.pop("id", None)),
    "tool-repeated": _repeated,
    "tool-object-arguments": lambda chunks, _: _in_one_delta(chunks, msgspec.json.decode),
    "tool-empty-arguments": lambda chunks, _: _in_one_delta(chunks, lambda _: ""),
    "tool-invalid-arguments": lambda chunks, _: _in_one_delta(chunks, lambda _: _NO_JSON),
    "tool-interleaved": _interleaved,
    "tool-finish-stop": _stopped,
}
