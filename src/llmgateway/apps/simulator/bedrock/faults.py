"""Faults in the words of Bedrock's converse protocol: error answers, messages and events that a provider should not
send."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from llmgateway.apps.simulator.bedrock.eventstream import spoiled
from llmgateway.apps.simulator.dialect import BodyChange, Complaint, EventsChange, Json
from llmgateway.apps.simulator.events import interleaved
from llmgateway.apps.simulator.scenario import Scenario

_NO_JSON = '{"city": "Par'
_LONG = "The model returned the following errors: Input is too long for requested model."
COMPLAINTS: Mapping[str, Complaint] = {
    "400": Complaint(400, "The provided request is not valid"),
    "400-context": Complaint(400, _LONG),
    "400-content-filter": Complaint(400, "The request was blocked by the content policy."),
    "401": Complaint(401, "The security token included in the request is invalid."),
    "402": Complaint(402, "Your account has no valid payment method."),
    "403": Complaint(403, "You don't have access to the model with the specified model ID."),
    "404": Complaint(404, "The provided model identifier is invalid."),
    "408": Complaint(408, "Model has timed out in processing the request. Try your request again."),
    "413-context": Complaint(413, _LONG),
    "429": Complaint(429, "Too many requests, please wait before trying again."),
    "429-quota": Complaint(429, "Too many tokens per day, please wait before trying again."),
    "500": Complaint(500, "The system encountered an unexpected error during processing. Try your request again."),
    "503": Complaint(503, "Bedrock is unable to process your request."),
    "529": Complaint(529, "Bedrock is unable to process your request."),
    "error-in-200": Complaint(200, "Bedrock is unable to process your request.", kind="ServiceUnavailableException"),
    "error-event": Complaint(200, "The model stopped unexpectedly.", kind="modelStreamErrorException"),
    "key-echo-event": Complaint(200, "Lost the session of {authorization}.", kind="internalServerException"),
}


def _content(answer: Json) -> list[Json]:
    content: list[Json] = answer["output"]["message"]["content"]
    return content


def _nothing_generated(usage: Json) -> None:
    usage["totalTokens"] -= usage["outputTokens"]
    usage["outputTokens"] = 0


def _silenced(answer: Json) -> None:
    _content(answer).clear()
    _nothing_generated(answer["usage"])
    answer["stopReason"] = "end_turn"


def _voided(answer: Json) -> None:
    _silenced(answer)
    answer["output"] = {}
    answer["stopReason"] = None


def _each_call(change: Callable[[Json], object]) -> BodyChange:
    def on(answer: Json) -> None:
        for block in _content(answer):
            if "toolUse" in block:
                change(block["toolUse"])

    return on


BODIES: Mapping[str, BodyChange] = {
    "no-finish": lambda answer: answer.update(stopReason=None),
    "empty-choices": _voided,
    "empty-message": _silenced,
    "no-usage": lambda answer: answer.pop("usage"),
    "tool-no-id": _each_call(lambda use: use.pop("toolUseId")),
    "tool-object-arguments": _each_call(lambda use: use.update(input=msgspec.json.encode(use["input"]).decode())),
    "tool-empty-arguments": _each_call(lambda use: use.update(input={})),
    "tool-invalid-arguments": _each_call(lambda use: use.update(input=_NO_JSON)),
    "tool-finish-stop": lambda answer: answer.update(stopReason="end_turn"),
}


def _without(*names: str) -> EventsChange:
    return lambda events, _: [event for event in events if not any(name in event for name in names)]


def _with_stop(events: list[Json], reason: str) -> list[Json]:
    for event in events:
        if "messageStop" in event:
            event["messageStop"]["stopReason"] = reason
    return events


def _emptied(events: list[Json], _: Scenario) -> list[Json]:
    kept = [event for event in events if not any(name.startswith("contentBlock") for name in event)]
    for event in kept:
        if "metadata" in event:
            _nothing_generated(event["metadata"]["usage"])
    return kept


def _with_unknown(events: list[Json], _: Scenario) -> list[Json]:
    """With a type of event that nobody knows yet behind each event."""
    return [one for event in events for one in (event, {"simulatorEvent": {"note": "a later addition"}})]


def _input_of(event: Json) -> str | None:
    """The piece of a call's input that the event carries."""
    piece: str | None = event.get("contentBlockDelta", {}).get("delta", {}).get("toolUse", {}).get("input")
    return piece


def _inputs(events: list[Json], make: Callable[[str], Any]) -> list[Json]:
    """Each call's input in one piece, as `make` makes it of its JSON text."""
    texts: dict[int, str] = {}
    for event in events:
        if (piece := _input_of(event)) is not None:
            index = event["contentBlockDelta"]["contentBlockIndex"]
            texts[index] = texts.get(index, "") + piece
    found: list[Json] = []
    for event in events:
        if _input_of(event) is not None:
            text = texts.pop(event["contentBlockDelta"]["contentBlockIndex"], None)
            if text is None:
                continue
            event["contentBlockDelta"]["delta"]["toolUse"]["input"] = make(text)
        found.append(event)
    return found


def _without_ids(events: list[Json], _: Scenario) -> list[Json]:
    for event in events:
        if "contentBlockStart" in event:
            event["contentBlockStart"]["start"]["toolUse"].pop("toolUseId")
    return events


def _in_turns(events: list[Json], _: Scenario) -> list[Json]:
    calls = {event["contentBlockStart"]["contentBlockIndex"] for event in events if "contentBlockStart" in event}

    def key(event: Json) -> int | None:
        index: int | None = next(iter(event.values())).get("contentBlockIndex")
        return index if index in calls else None

    return interleaved(events, key=key)


def _twice(events: list[Json], _: Scenario) -> list[Json]:
    return [event for event in events for _ in range(2 if "messageStop" in event else 1)]


CHANGES: Mapping[str, EventsChange] = {
    "no-finish": _without("messageStop"),
    "no-done": _without("messageStop", "metadata"),
    "empty-choices": lambda events, scenario: _without("messageStop", "messageStart")(
        _emptied(events, scenario), scenario
    ),
    "empty-message": lambda events, scenario: _with_stop(_emptied(events, scenario), "end_turn"),
    "no-usage": _without("metadata"),
    "comments": _with_unknown,
    "duplicate-finish": _twice,
    "tool-no-id": _without_ids,
    "tool-object-arguments": lambda events, _: _inputs(events, msgspec.json.decode),
    "tool-empty-arguments": lambda events, _: _inputs(events, lambda _: ""),
    "tool-invalid-arguments": lambda events, _: _inputs(events, lambda _: _NO_JSON),
    "tool-interleaved": _in_turns,
    "tool-finish-stop": lambda events, _: _with_stop(events, "end_turn"),
}
FRAME_CHANGES: Mapping[str, Callable[[bytes], bytes]] = {"bad-crc": spoiled}
