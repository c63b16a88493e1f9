"""Faults in the words of OpenAI's responses protocol: responses and events that a provider should not send. Its error
answers are those of the chat protocol."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from llmgateway.apps.simulator.dialect import BodyChange, Complaint, EventsChange, Json
from llmgateway.apps.simulator.events import interleaved
from llmgateway.apps.simulator.openai_chat.faults import REFUSALS
from llmgateway.apps.simulator.scenario import Scenario

_NO_JSON = '{"city": "Par'
_OVERLOADED = "Our servers are currently overloaded. Please try again later."
COMPLAINTS: Mapping[str, Complaint] = {
    **REFUSALS,
    "error-event": Complaint(200, _OVERLOADED, kind="service_unavailable_error", code="server_is_overloaded"),
}


def _voided(response: Json) -> None:
    response["output"] = []
    response["status"] = "in_progress"
    _nothing_generated(response)


def _nothing_generated(response: Json) -> None:
    usage: Json = response["usage"]
    usage.update(output_tokens=0, total_tokens=usage["input_tokens"])


def _silenced(response: Json) -> None:
    response["output"] = []
    response.update(status="completed", incomplete_details=None)
    _nothing_generated(response)


def _each_call(change: Callable[[Json], object]) -> BodyChange:
    def on(response: Json) -> None:
        for item in response["output"]:
            if item["type"] == "function_call":
                change(item)

    return on


def _arguments(make: Callable[[str], object]) -> BodyChange:
    return _each_call(lambda item: item.update(arguments=make(item["arguments"])))


BODIES: Mapping[str, BodyChange] = {
    "no-finish": lambda response: response.update(status="in_progress", incomplete_details=None),
    "empty-choices": _voided,
    "empty-message": _silenced,
    "no-usage": lambda response: response.pop("usage"),
    "tool-no-id": _each_call(lambda item: item.pop("call_id")),
    "tool-object-arguments": _arguments(msgspec.json.decode),
    "tool-empty-arguments": _arguments(lambda _: ""),
    "tool-invalid-arguments": _arguments(lambda _: _NO_JSON),
}


def _renumbered(events: list[Json]) -> list[Json]:
    return [event | {"sequence_number": at} for at, event in enumerate(events)]


def _emptied(events: list[Json], change: BodyChange) -> list[Json]:
    """The first two events and the last."""
    change(events[-1]["response"])
    return _renumbered([*events[:2], events[-1]])


def _without_usage(events: list[Json], _: Scenario) -> list[Json]:
    events[-1]["response"].pop("usage")
    return events


def _renamed(events: list[Json], _: Scenario) -> list[Json]:
    for at, event in enumerate(events):
        if "response" in event:
            event["response"] = event["response"] | {
                "id": f"{event['response']['id']}-{at}" if at else "",
                "created_at": event["response"]["created_at"] + at,
                "model": f"{event['response']['model']}-{at}" if at else "",
            }
    return events


def _with_unknown(events: list[Json], _: Scenario) -> list[Json]:
    """With a keepalive and a type of event that nobody knows yet behind each event."""
    found: list[Json] = []
    for event in events:
        found += [event, {"type": "keepalive"}, {"type": "response.simulator.note", "note": "a later addition"}]
    return _renumbered(found)


def _is_arguments(event: Json) -> bool:
    return str(event["type"]).startswith("response.function_call_arguments")


def _calls_changed(events: list[Json], change: Callable[[Json], object]) -> list[Json]:
    """With every copy of every call changed: in its own events and in the last one."""
    for event in events:
        items: list[Json] = [event["item"]] if "item" in event else event.get("response", {}).get("output", [])
        for item in items:
            if item["type"] == "function_call":
                change(item)
    return events


def _with_arguments(events: list[Json], make: Callable[[str], Any]) -> list[Json]:
    """Arguments as `make` makes them of their JSON text, in one delta and in every copy."""
    texts = {event["item_id"]: event["arguments"] for event in events if _is_arguments(event) and "arguments" in event}
    kept: list[Json] = []
    seen: set[str] = set()
    for event in events:
        if _is_arguments(event):
            made = make(texts[event["item_id"]])
            if "arguments" in event:
                event["arguments"] = made
            elif event["item_id"] in seen:
                continue
            else:
                seen.add(event["item_id"])
                event["delta"] = made
        kept.append(event)
    changed: set[int] = set()

    def change(item: Json) -> None:
        if item["arguments"] and id(item) not in changed:
            item["arguments"] = make(item["arguments"])
            changed.add(id(item))

    return _renumbered(_calls_changed(kept, change))


def _in_turns(events: list[Json], _: Scenario) -> list[Json]:
    calls = {event["output_index"] for event in events if event.get("item", {}).get("type") == "function_call"}
    turns = interleaved(events, key=lambda event: event["output_index"] if event.get("output_index") in calls else None)
    return _renumbered(turns)


CHANGES: Mapping[str, EventsChange] = {
    "no-finish": lambda events, _: events[:-1],
    "no-done": lambda events, _: events[:-1],
    "empty-choices": lambda events, _: _emptied(events, _voided)[:2],
    "empty-message": lambda events, _: _emptied(events, _silenced),
    "no-usage": _without_usage,
    "comments": _with_unknown,
    "changing-id": _renamed,
    "duplicate-finish": lambda events, _: _renumbered([*events, events[-1]]),
    "tool-no-id": lambda events, _: _calls_changed(events, lambda item: item.pop("call_id", None)),
    "tool-object-arguments": lambda events, _: _with_arguments(events, msgspec.json.decode),
    "tool-empty-arguments": lambda events, _: _with_arguments(events, lambda _: ""),
    "tool-invalid-arguments": lambda events, _: _with_arguments(events, lambda _: _NO_JSON),
    "tool-interleaved": _in_turns,
}
