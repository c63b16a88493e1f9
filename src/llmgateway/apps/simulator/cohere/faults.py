"""Faults in the words of Cohere's chat protocol: error answers, messages and events that a provider should not send."""

from collections.abc import Callable, Mapping

import msgspec

from llmgateway.apps.simulator.dialect import BodyChange, Complaint, EventsChange, Json
from llmgateway.apps.simulator.events import interleaved
from llmgateway.apps.simulator.reading import mapping
from llmgateway.apps.simulator.scenario import Scenario

_NO_JSON = '{"city": "Par'
_LONG = "too many tokens: total number of tokens in the prompt cannot exceed 128000 - received 200000."
COMPLAINTS: Mapping[str, Complaint] = {
    "400": Complaint(400, "invalid request: all elements in messages must have a role"),
    "400-context": Complaint(400, _LONG),
    "401": Complaint(401, "invalid api token"),
    "404": Complaint(404, "model 'gone' not found, make sure the correct model ID was used"),
    "413-context": Complaint(413, _LONG),
    "429": Complaint(429, "You are past the per minute request limit, please wait and try again later."),
    "429-quota": Complaint(429, "You are using a Trial key, which is limited to 1000 API calls / month."),
    "500": Complaint(500, "internal server error"),
}


def _nothing_generated(usage: Json) -> None:
    usage["billed_units"]["output_tokens"] = 0
    usage["tokens"]["output_tokens"] = 0


def _silenced(answer: Json) -> None:
    answer["message"] = {"role": "assistant"}
    answer["finish_reason"] = "COMPLETE"
    _nothing_generated(answer["usage"])


def _voided(answer: Json) -> None:
    _silenced(answer)
    answer.pop("message")
    answer["finish_reason"] = None


def _each_call(change: Callable[[Json], object]) -> BodyChange:
    def on(answer: Json) -> None:
        for call in answer["message"].get("tool_calls", ()):
            change(call)

    return on


def _arguments(make: Callable[[str], object]) -> BodyChange:
    return _each_call(lambda call: call["function"].update(arguments=make(call["function"]["arguments"])))


BODIES: Mapping[str, BodyChange] = {
    "no-finish": lambda answer: answer.update(finish_reason=None),
    "empty-choices": _voided,
    "empty-message": _silenced,
    "no-usage": lambda answer: answer.pop("usage"),
    "tool-no-id": _each_call(lambda call: call.pop("id")),
    "tool-object-arguments": _arguments(msgspec.json.decode),
    "tool-empty-arguments": _arguments(lambda _: ""),
    "tool-invalid-arguments": _arguments(lambda _: _NO_JSON),
    "tool-finish-stop": lambda answer: answer.update(finish_reason="COMPLETE"),
}


def _ending(events: list[Json], change: Callable[[Json], object]) -> list[Json]:
    """With the delta of the last event changed."""
    change(events[-1]["delta"])
    return events


def _emptied(events: list[Json], _: Scenario) -> list[Json]:
    _nothing_generated(events[-1]["delta"]["usage"])
    return [events[0], *_ending(events[-1:], lambda delta: delta.update(finish_reason="COMPLETE"))]


def _with_unknown(events: list[Json], _: Scenario) -> list[Json]:
    """With a type of event that nobody knows yet behind each event."""
    return [one for event in events for one in (event, {"type": "simulator-note", "note": "a later addition"})]


def _function_of(event: Json) -> Json | None:
    """The function that the event of a call tells something of."""
    message: Json = event.get("delta", {}).get("message", {})
    found: Json | None = mapping(message.get("tool_calls")).get("function")
    return found


def _each_start(events: list[Json], change: Callable[[Json], object]) -> list[Json]:
    for event in events:
        if event["type"] == "tool-call-start":
            change(event["delta"]["message"]["tool_calls"])
    return events


def _in_one_delta(events: list[Json], make: Callable[[str], object]) -> list[Json]:
    """Each call's arguments in one piece, as `make` makes them of their JSON text."""
    texts: dict[int, str] = {}
    for event in events:
        if (function := _function_of(event)) is not None:
            texts[event["index"]] = texts.get(event["index"], "") + function["arguments"]
    found: list[Json] = []
    for event in events:
        function = _function_of(event)
        if function is not None and event["type"] == "tool-call-delta":
            text = texts.pop(event["index"], None)
            if text is None:
                continue
            function["arguments"] = make(text)
        found.append(event)
    return found


def _repeated(events: list[Json], _: Scenario) -> list[Json]:
    """Id, type and name in every delta of a call."""
    known: dict[int, Json] = {}
    for event in events:
        if (function := _function_of(event)) is not None:
            call: Json = event["delta"]["message"]["tool_calls"]
            first = known.setdefault(event["index"], call)
            call.update(id=first["id"], type=first["type"])
            function["name"] = first["function"]["name"]
    return events


def _in_turns(events: list[Json], _: Scenario) -> list[Json]:
    def key(event: Json) -> int | None:
        return event["index"] if str(event["type"]).startswith("tool-call") else None

    return interleaved(events, key=key)


def _without_index(events: list[Json], _: Scenario) -> list[Json]:
    for event in events:
        if str(event["type"]).startswith("tool-call"):
            event.pop("index")
    return events


CHANGES: Mapping[str, EventsChange] = {
    "no-finish": lambda events, _: _ending(events, lambda delta: delta.pop("finish_reason")),
    "empty-choices": lambda events, _: [],
    "empty-message": _emptied,
    "no-usage": lambda events, _: _ending(events, lambda delta: delta.pop("usage")),
    "comments": _with_unknown,
    "duplicate-finish": lambda events, _: [*events, events[-1]],
    "tool-no-index": _without_index,
    "tool-no-id": lambda events, _: _each_start(events, lambda call: call.pop("id")),
    "tool-repeated": _repeated,
    "tool-object-arguments": lambda events, _: _in_one_delta(events, msgspec.json.decode),
    "tool-empty-arguments": lambda events, _: _in_one_delta(events, lambda _: ""),
    "tool-invalid-arguments": lambda events, _: _in_one_delta(events, lambda _: _NO_JSON),
    "tool-interleaved": _in_turns,
    "tool-finish-stop": lambda events, _: _ending(events, lambda delta: delta.update(finish_reason="COMPLETE")),
}
