"""Faults in the words of Anthropic's protocol: error answers, messages and events that a provider should not send."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from llmgateway.apps.simulator.dialect import BodyChange, Complaint, EventsChange, Json
from llmgateway.apps.simulator.events import interleaved
from llmgateway.apps.simulator.scenario import Scenario

_LONG = "prompt is too long: 210000 tokens > 200000 maximum"
_NO_JSON = '{"city": "Par'
COMPLAINTS: Mapping[str, Complaint] = {
    "400": Complaint(400, "messages.0.content: Input should be a valid list"),
    "400-context": Complaint(400, _LONG),
    "400-content-filter": Complaint(400, "Output blocked by content filtering policy"),
    "400-array": Complaint(400, "messages.0.content: Input should be a valid list"),
    "401": Complaint(401, "invalid x-api-key"),
    "402": Complaint(402, "Your credit balance is too low to access the Anthropic API."),
    "413-context": Complaint(413, "Request exceeds the maximum size"),
    "429-quota": Complaint(429, "This request would exceed your organization's monthly spend limit."),
    "500": Complaint(500, "Internal server error"),
    "503": Complaint(503, "Overloaded"),
    "529": Complaint(529, "Overloaded"),
    "error-in-200": Complaint(200, "Overloaded", kind="overloaded_error"),
    "error-event": Complaint(200, "Overloaded", kind="overloaded_error"),
    "key-echo-event": Complaint(200, "Lost the session of {authorization}.", kind="api_error"),
}


def _emptied(message: Json) -> None:
    message["content"] = []
    message["usage"]["output_tokens"] = 0


def _voided(message: Json) -> None:
    _emptied(message)
    message["stop_reason"] = None


def _silenced(message: Json) -> None:
    _emptied(message)
    message["stop_reason"] = "end_turn"


def _each_call(change: Callable[[Json], object]) -> BodyChange:
    def on(message: Json) -> None:
        for block in message["content"]:
            if block["type"] == "tool_use":
                change(block)

    return on


BODIES: Mapping[str, BodyChange] = {
    "no-finish": lambda message: message.update(stop_reason=None),
    "empty-choices": _voided,
    "empty-message": _silenced,
    "no-usage": lambda message: message.pop("usage"),
    "tool-no-id": _each_call(lambda block: block.pop("id")),
    "tool-object-arguments": _each_call(lambda block: block.update(input=msgspec.json.encode(block["input"]).decode())),
    "tool-empty-arguments": _each_call(lambda block: block.update(input={})),
    "tool-invalid-arguments": _each_call(lambda block: block.update(input=_NO_JSON)),
    "tool-finish-stop": lambda message: message.update(stop_reason="end_turn"),
}


def _delta_of(event: Json) -> Json | None:
    return event["delta"] if event["type"] == "message_delta" else None


def _stops(events: list[Json], reason: str | None) -> list[Json]:
    for event in events:
        if (delta := _delta_of(event)) is not None:
            delta["stop_reason"] = reason
    return events


def _without_blocks(events: list[Json], _: Scenario) -> list[Json]:
    kept = [event for event in events if not event["type"].startswith("content_block")]
    for event in kept:
        usage: Json = event["message"]["usage"] if event["type"] == "message_start" else event.get("usage", {})
        usage["output_tokens"] = 0
    return kept


def _without_usage(events: list[Json], _: Scenario) -> list[Json]:
    for event in events:
        event.pop("usage", None)
        event.get("message", {}).pop("usage", None)
    return events


def _counted(events: list[Json], scenario: Scenario) -> list[Json]:
    """A message_delta with the usage so far behind each delta of a block."""
    final = next(event["usage"] for event in events if event["type"] == "message_delta")
    found: list[Json] = []
    for event in events:
        found.append(event)
        if event["type"] == "content_block_delta":
            usage = final | {"output_tokens": min(len(found), scenario.usage.completion)}
            found.append(
                {"type": "message_delta", "delta": {"stop_reason": None, "stop_sequence": None}, "usage": usage}
            )
    return found


def _with_unknown(events: list[Json], _: Scenario) -> list[Json]:
    """With a ping and a type of event that nobody knows yet behind each event, as Anthropic reserves the right to."""
    unknown: Json = {"type": "simulator_event", "note": "new event types may be added"}
    return [one for event in events for one in (event, {"type": "ping"}, unknown)]


def _starts_call(event: Json) -> bool:
    return event["type"] == "content_block_start" and event["content_block"]["type"] == "tool_use"


def _each_start(events: list[Json], change: Callable[[Json], object]) -> list[Json]:
    for event in events:
        if _starts_call(event):
            change(event["content_block"])
    return events


def _inputs(events: list[Json], make: Callable[[str], tuple[Any, list[str]]]) -> list[Json]:
    """Each call's input as `make` makes it of its JSON text: what stands in the block's start, and the pieces."""
    texts: dict[int, str] = {}
    for event in events:
        if event["type"] == "content_block_delta" and event["delta"]["type"] == "input_json_delta":
            texts[event["index"]] = texts.get(event["index"], "") + event["delta"]["partial_json"]
    found: list[Json] = []
    for event in events:
        if event["type"] == "content_block_delta" and event["delta"]["type"] == "input_json_delta":
            continue
        found.append(event)
        if _starts_call(event):
            event["content_block"]["input"], pieces = make(texts.get(event["index"], ""))
            deltas: list[Json] = [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]
            found += [{"type": "content_block_delta", "index": event["index"], "delta": delta} for delta in deltas]
    return found


def _in_turns(events: list[Json], _: Scenario) -> list[Json]:
    calls = {event["index"] for event in events if _starts_call(event)}
    return interleaved(events, key=lambda event: event.get("index") if event.get("index") in calls else None)


CHANGES: Mapping[str, EventsChange] = {
    "no-finish": lambda events, _: _stops(events, None),
    "no-done": lambda events, _: events[:-1],
    "empty-choices": lambda events, scenario: _stops(_without_blocks(events, scenario), None),
    "empty-message": lambda events, scenario: _stops(_without_blocks(events, scenario), "end_turn"),
    "no-usage": _without_usage,
    "comments": _with_unknown,
    "usage-every-chunk": _counted,
    "duplicate-finish": lambda events, _: [*events[:-1], *events[-2:]],
    "tool-no-id": lambda events, _: _each_start(events, lambda block: block.pop("id")),
    "tool-object-arguments": lambda events, _: _inputs(events, lambda text: (msgspec.json.decode(text), [])),
    "tool-empty-arguments": lambda events, _: _inputs(events, lambda _: ({}, [""])),
    "tool-invalid-arguments": lambda events, _: _inputs(events, lambda _: ({}, [_NO_JSON])),
    "tool-interleaved": _in_turns,
    "tool-finish-stop": lambda events, _: _stops(events, "end_turn"),
}
