"""What differs between a recording and what the gateway told of it, and between two tellings of the same answer."""

import json
from typing import Any

from tests.support.independent_chat_reader import BETWEEN, UNCOUNTED, Answer, Call, Told

_SHOWN = 200
_VARYING = ("id", "created", "metadata", "obfuscation")


def differences(want: Answer, got: Answer) -> list[str]:
    """One line per difference; an id that the provider did not give may be any."""
    found = [
        line
        for index in sorted(want.choices.keys() | got.choices.keys())
        for line in _choice(index, want.choices.get(index), got.choices.get(index))
    ]
    if want.tokens is not None and want.tokens != got.tokens:
        found.append(f"usage: {want.tokens} became {got.tokens}")
    if want.tokens is None and got.tokens is not None:
        found.append(f"usage: none was reported, told as {got.tokens} and not as an estimate")
    if want.id and want.id != got.id:
        found.append(f"id: {want.id} became {got.id}")
    return found


def _choice(index: int, want: Told | None, got: Told | None) -> list[str]:
    if want is None or got is None:
        return [f"choice {index}: {want!r:.{_SHOWN}} became {got!r:.{_SHOWN}}"]
    found = [
        f"choice {index}, {name}: {getattr(want, name)!r:.{_SHOWN}} became {getattr(got, name)!r:.{_SHOWN}}"
        for name in vars(want)
        if not _same(name, want, got)
    ]
    if [_anonymous(call) for call in want.calls] != [_anonymous(call) for call in got.calls]:
        found.append(f"choice {index}, calls: {want.calls!r:.{_SHOWN}} became {got.calls!r:.{_SHOWN}}")
    elif any(call.id and call.id != told.id for call, told in zip(want.calls, got.calls, strict=True)):
        found.append(f"choice {index}, call ids: {want.calls!r:.{_SHOWN}} became {got.calls!r:.{_SHOWN}}")
    return found


def _same(name: str, want: Told, got: Told) -> bool:
    """Calls are compared elsewhere, and how many `reasoning_details` there are is the gateway's to choose."""
    ours: Any = getattr(got, name)
    theirs: Any = getattr(want, name)
    if name in ("calls", "details", "found") or theirs == UNCOUNTED:
        return True
    if theirs is None:
        return ours is None or name not in ("finish", "function")
    if name == "reasoning":
        return _joined(theirs.split(BETWEEN), ours)
    if name == "signatures":
        return _signed(theirs, ours)
    if name == "cited":
        return theirs <= ours <= theirs | want.found
    return ours == theirs


def _signed(given: set[str], told: set[str]) -> bool:
    """Each signature is told, alone or within the JSON of what it signs; none is made up."""
    alone = {one for one in told if not one.startswith("{")}
    return alone <= given and all(one in alone or any(one in text for text in told - alone) for one in given)


def _joined(parts: list[str], text: str) -> bool:
    """The parts in their order; between them there may be line breaks and nothing else."""
    for place, part in enumerate(parts):
        if place and not text.startswith(part):
            text = text.lstrip("\n")
        if not text.startswith(part):
            return False
        text = text[len(part) :]
    return not text


def _anonymous(call: Call) -> tuple[str, Any]:
    return call.name, json.dumps(call.arguments, sort_keys=True)


def comparable(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Events without what differs from one exchange to the next, and without deltas that tell nothing.

    Whether an empty delta is forwarded may depend on the lane; whether anything else is may not.
    """
    kept: list[dict[str, Any]] = []
    made_up: dict[str, str] = {}
    for event in events:
        shown = {name: value for name, value in event.items() if name not in _VARYING and value is not None}
        shown["choices"] = [choice for choice in map(_named, event["choices"]) if _tells(choice) or event is events[-1]]
        if shown["choices"] or event is events[-1]:
            text = json.dumps(shown)
            for call in _new_calls(event):
                made_up.setdefault(call, f"made up {len(made_up)}")
                text = text.replace(call, made_up[call])
            kept.append(json.loads(text))
    return kept


def _named(choice: dict[str, Any]) -> dict[str, Any]:
    delta = {name: value for name, value in choice["delta"].items() if value or name != "content"}
    return {**{name: value for name, value in choice.items() if value is not None}, "delta": delta}


def _tells(choice: dict[str, Any]) -> bool:
    return any(value for name, value in choice.items() if name != "index")


def _new_calls(event: dict[str, Any]) -> list[str]:
    """Ids that the gateway made up, since the provider gave none."""
    return [
        call["id"]
        for choice in event["choices"]
        for call in choice["delta"].get("tool_calls", ())
        if call.get("id", "").startswith("call_") and len(call["id"]) == len("call_") + 24
    ]
