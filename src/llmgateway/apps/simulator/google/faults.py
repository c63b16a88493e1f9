"""Faults in the words of Google's protocol: error answers and responses that a provider should not send."""

from collections.abc import Callable, Mapping

import msgspec

from llmgateway.apps.simulator.dialect import BodyChange, Complaint, EventsChange, Json
from llmgateway.apps.simulator.scenario import Scenario

_LONG = "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576)."
_NO_JSON = '{"city": "Par'
COMPLAINTS: Mapping[str, Complaint] = {
    "400": Complaint(400, "Request contains an invalid argument."),
    "400-context": Complaint(400, _LONG),
    "400-content-filter": Complaint(400, "The prompt was blocked because it contains prohibited content."),
    "400-array": Complaint(400, "Request contains an invalid argument."),
    "401": Complaint(401, "Request had invalid authentication credentials."),
    "403": Complaint(403, "Permission denied on resource project simulator."),
    "404": Complaint(404, "models/gone is not found for API version v1beta, or is not supported for generateContent."),
    "413-context": Complaint(413, _LONG),
    "429": Complaint(429, "Resource has been exhausted (e.g. check quota)."),
    "429-quota": Complaint(429, "You exceeded your current quota, please check your plan and billing details."),
    "500": Complaint(500, "An internal error has occurred. Please retry."),
    "503": Complaint(503, "The model is overloaded. Please try again later."),
    "529": Complaint(529, "The model is overloaded. Please try again later."),
    "error-in-200": Complaint(200, "The model is overloaded. Please try again later.", kind="UNAVAILABLE", code="503"),
    "error-event": Complaint(200, "An internal error has occurred.", kind="INTERNAL", code="500"),
    "key-echo-event": Complaint(200, "Lost the session of {authorization}.", kind="INTERNAL", code="500"),
}


def _candidates(response: Json) -> list[Json]:
    found: list[Json] = response.get("candidates", [])
    return found


def _nothing_generated(response: Json) -> None:
    usage: Json = response["usageMetadata"]
    usage.pop("candidatesTokenCount", None)
    usage.pop("thoughtsTokenCount", None)
    usage["totalTokenCount"] = usage["promptTokenCount"]


def _voided(response: Json) -> None:
    response.pop("candidates", None)
    _nothing_generated(response)


def _silenced(response: Json) -> None:
    _nothing_generated(response)
    for candidate in _candidates(response):
        candidate["content"] = {"role": "model"}
        candidate["finishReason"] = "STOP"


def _unfinished(response: Json) -> None:
    for candidate in _candidates(response):
        candidate.pop("finishReason", None)


def _each_call(change: Callable[[Json], object]) -> BodyChange:
    def on(response: Json) -> None:
        for candidate in _candidates(response):
            for part in candidate["content"]["parts"]:
                if "functionCall" in part:
                    change(part["functionCall"])

    return on


def _malformed_call(response: Json) -> None:
    """What Google makes of a call that its model got wrong: no call at all."""
    for candidate in _candidates(response):
        if any("functionCall" in part for part in candidate["content"]["parts"]):
            candidate["content"] = {}
            candidate["finishReason"] = "MALFORMED_FUNCTION_CALL"
            candidate["finishMessage"] = f"Malformed function call: call:default_api:get_weather{_NO_JSON}"


def _as_text(call: Json) -> None:
    call["args"] = msgspec.json.encode(call["args"]).decode()


BODIES: Mapping[str, BodyChange] = {
    "no-finish": _unfinished,
    "empty-choices": _voided,
    "empty-message": _silenced,
    "no-usage": lambda response: response.pop("usageMetadata"),
    "tool-no-id": _each_call(lambda call: call.pop("id")),
    "tool-object-arguments": _each_call(_as_text),
    "tool-empty-arguments": _each_call(lambda call: call.pop("args")),
    "tool-invalid-arguments": _malformed_call,
}


def _each(change: BodyChange) -> EventsChange:
    def on(events: list[Json], _: Scenario) -> list[Json]:
        for event in events:
            change(event)
        return events

    return on


def _last_only(change: BodyChange) -> EventsChange:
    def on(events: list[Json], _: Scenario) -> list[Json]:
        change(events[-1])
        return events[-1:]

    return on


def _renamed(events: list[Json], _: Scenario) -> list[Json]:
    for position, event in enumerate(events):
        event["responseId"] = f"{event['responseId']}-{position}" if position else ""
        event["modelVersion"] = f"{event['modelVersion']}-{position}" if position else ""
    return events


def _finished_twice(events: list[Json], _: Scenario) -> list[Json]:
    """The finish again, in a response without content."""
    again: Json = events[-1] | {
        "candidates": [{"finishReason": it["finishReason"], "index": it["index"]} for it in _candidates(events[-1])]
    }
    return [*events, again]


CHANGES: Mapping[str, EventsChange] = {
    **{name: _each(change) for name, change in BODIES.items() if not name.startswith("empty-")},
    "empty-choices": _last_only(_voided),
    "empty-message": _last_only(_silenced),
    "changing-id": _renamed,
    "duplicate-finish": _finished_twice,
}
