"""The way of an answer from its dialect's JSON to the script of its bytes: whole or streamed, with its pauses, and with
whatever its fault does to it on the way. The same scenario gives the same bytes."""

from collections.abc import Sequence

import msgspec

from llmgateway.apps.simulator import faults_wire
from llmgateway.apps.simulator.complaints import MID_STREAM, complaint_of, refused
from llmgateway.apps.simulator.dialect import Dialect, Framing, Json
from llmgateway.apps.simulator.scenario import Scenario
from llmgateway.apps.simulator.script import Data, Head, Script, Step, Wait, whole

_TOKENS_BEFORE_FAULT = 3
_encode = msgspec.json.Encoder().encode


def answer(scenario: Scenario, *, dialect: Dialect) -> Script:
    """The script of an answer, healthy or not."""
    error = refused(scenario, dialect=dialect)
    if error is not None:
        return error
    return _streamed(scenario, dialect) if scenario.ask.stream else _whole(scenario, dialect)


def _whole(scenario: Scenario, dialect: Dialect) -> Script:
    body, fault = dialect.body(scenario), scenario.fault
    if fault is not None and fault.name in dialect.bodies:
        dialect.bodies[fault.name](body)
    data = _encode([body] if fault is not None and fault.name == "json-array" else body)
    if dialect.indent is not None:
        data = msgspec.json.format(data, indent=dialect.indent)
    if fault is not None:
        data = faults_wire.body(data, fault=fault)
    steps = whole(200, data, content_type=dialect.content_type, headers=dialect.headers(scenario))
    if fault is not None:
        steps = faults_wire.befall(steps, fault=fault, streamed=False)
    tokens = max(scenario.usage.completion - 1, 0)
    pause = scenario.first_token_s + scenario.per_token_s * tokens
    return (Wait(pause), *steps) if pause > 0 else steps


def _streamed(scenario: Scenario, dialect: Dialect) -> Script:
    events, framing = dialect.events(scenario), dialect.framing(scenario)
    head = Head(200, ((b"content-type", framing.content_type), *dialect.headers(scenario)))
    if scenario.fault is None:
        frames = [framing.frame(event, _encode(event), at) for at, event in enumerate(events)]
        return (head, *_paced([*frames, *framing.end], events, scenario, dialect))
    scenario = _placed(scenario, events, dialect)
    frames = _faulty(events, framing, scenario, dialect)
    steps = (head, *_paced(frames, events, scenario, dialect))
    return faults_wire.befall(steps, fault=scenario.fault or faults_wire.NONE, streamed=True)


def _placed(scenario: Scenario, events: Sequence[Json], dialect: Dialect) -> Scenario:
    """With the place of a fault in mid-stream made definite: before the first finish, so that it leaves the answer
    incomplete."""
    fault = scenario.fault or faults_wire.NONE
    first = next((at for at, event in enumerate(events) if dialect.speaks(event)), 0)
    finish = next((at for at, event in enumerate(events) if dialect.finishes(event)), len(events))
    after = first + _TOKENS_BEFORE_FAULT if fault.after is None else fault.after
    return msgspec.structs.replace(scenario, fault=msgspec.structs.replace(fault, after=min(after, finish)))


def _faulty(events: list[Json], framing: Framing, scenario: Scenario, dialect: Dialect) -> list[bytes]:
    """The frames of a stream as its fault leaves them."""
    fault, end = scenario.fault or faults_wire.NONE, framing.end
    if fault.name in dialect.changes:
        events = dialect.changes[fault.name](events, scenario)
    if fault.name in MID_STREAM and (complaint := complaint_of(scenario, fault=fault, dialect=dialect)) is not None:
        before = events[: fault.after]
        events = [*before, dialect.error_event(complaint, before)]
        end = framing.end if framing.closes else ()
    if fault.name == "no-done":
        end = ()
    payloads = faults_wire.payloads([_encode(event) for event in events], fault=fault)
    frames = [framing.frame(event, payloads[at], at) for at, event in enumerate(events)]
    if (change := dialect.frame_changes.get(fault.name)) is not None:
        frames = [change(frame) if at == fault.after else frame for at, frame in enumerate(frames)]
    frames += end
    return faults_wire.frames(frames, fault=fault) if framing.lines else frames


def _paced(frames: Sequence[bytes], events: Sequence[Json], scenario: Scenario, dialect: Dialect) -> list[Step]:
    """The frames with the pauses between them; what ends the stream follows the last token at once."""
    first_s, per_token_s = scenario.first_token_s, scenario.per_token_s
    if not first_s and not per_token_s:
        return [Data(frame) for frame in frames]
    spoken = [at for at, event in enumerate(events) if dialect.speaks(event)]
    start = spoken[0] if spoken and dialect.greets else 0
    pauses = dict.fromkeys(spoken[1:], per_token_s) | {start: first_s}
    steps: list[Step] = []
    for at, frame in enumerate(frames):
        if pause_s := pauses.get(at):
            steps.append(Wait(pause_s))
        steps.append(Data(frame))
    return steps
