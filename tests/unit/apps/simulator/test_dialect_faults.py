"""Each fault does in every protocol what its row says, in that protocol's own words; and the table of the documentation
says rightly where a fault has no words and the answer is healthy."""

import gzip
import re
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest

from llmgateway.apps.simulator.complaints import COMPLAINTS
from llmgateway.apps.simulator.faults import ANSWER_FAULTS, BYTE_FAULTS, FAULTS
from llmgateway.apps.simulator.protocols import DIALECTS
from llmgateway.apps.simulator.script import Close, Data, Head, Reset, Script, Stall, Wait, body_of
from tests.unit.apps.simulator.dialect_reading import KEY, NAMES, answered, messages_of, payloads_of, status_of, told

DOCS = (Path(__file__).parents[4] / "docs" / "simulator.md").read_text()
STREAMED = pytest.mark.parametrize("streamed", [True, False], ids=["streamed", "whole"])
EACH = pytest.mark.parametrize("dialect", NAMES)


def faulty(dialect: str, name: str, *, streamed: bool) -> Script:
    """The answer to the same request as `healthy`, with the fault."""
    return answered(dialect, {"fault": name, "slow_ms": 1}, streamed=streamed)


def healthy(dialect: str, name: str = "no-usage", *, streamed: bool) -> Script:
    return answered(dialect, {"answer": FAULTS[name].answer}, streamed=streamed)


def differs(dialect: str, name: str, *, streamed: bool) -> bool:
    return faulty(dialect, name, streamed=streamed) != healthy(dialect, name, streamed=streamed)


def fault_table() -> str:
    """Where each fault of bytes and answers does something, as the documentation prints it."""
    titles = ["Fault", *[dialect.title for dialect in DIALECTS]]
    lines = [f"| {' | '.join(titles)} |", "|" + "---|" * len(titles)]
    for row in (*BYTE_FAULTS, *ANSWER_FAULTS):
        cells = [
            {(True, True): "both", (True, False): "streamed", (False, True): "whole"}.get(
                (differs(name, row.name, streamed=True), differs(name, row.name, streamed=False)), "healthy"
            )
            for name in NAMES
        ]
        lines.append(f"| `{row.name}` | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def test_the_documentation_says_where_a_fault_does_something() -> None:
    assert fault_table() in DOCS


@EACH
@STREAMED
@pytest.mark.parametrize("name", COMPLAINTS)
def test_an_error_is_in_the_vendors_shape(dialect: str, name: str, streamed: bool) -> None:
    """Status, body and headers as the vendor has them; a key is echoed where the fault says so and nowhere else."""
    script = faulty(dialect, name, streamed=streamed)
    body = body_of(script)
    assert (KEY.encode() in body) == name.startswith("key-echo")
    if streamed and name in ("error-event", "key-echo-event"):
        return
    assert status_of(script) == COMPLAINTS[name].status
    error: Any = msgspec.json.decode(body)
    error = error[0] if name == "400-array" else error
    SHAPES[dialect](error, script)


def _openai_shape(error: Any, _script: Script) -> None:
    assert set(error["error"]) == {"message", "type", "param", "code"}


def _anthropic_shape(error: Any, _script: Script) -> None:
    assert set(error) == {"type", "error", "request_id"}
    assert error["type"] == "error"
    assert set(error["error"]) == {"type", "message"}


def _google_shape(error: Any, _script: Script) -> None:
    assert {"code", "message", "status"} <= set(error["error"]) <= {"code", "message", "status", "details"}
    assert re.fullmatch("[A-Z_]+", error["error"]["status"])


def _bedrock_shape(error: Any, script: Script) -> None:
    assert set(error) == {"message"}
    heads = [dict(step.headers) for step in script if isinstance(step, Head)]
    assert re.match(rb"[A-Za-z]+Exception:", heads[0][b"x-amzn-errortype"])


def _cohere_shape(error: Any, _script: Script) -> None:
    assert set(error) == {"id", "message"}


SHAPES: dict[str, Callable[[Any, Script], None]] = {
    "openai-chat": _openai_shape,
    "openai-responses": _openai_shape,
    "anthropic": _anthropic_shape,
    "google": _google_shape,
    "bedrock": _bedrock_shape,
    "cohere": _cohere_shape,
}


@EACH
@pytest.mark.parametrize("name", ["error-event", "key-echo-event"])
def test_an_error_in_mid_stream_follows_three_tokens(dialect: str, name: str) -> None:
    """The default place of a fault leaves three tokens; then comes the vendor's error, no finish and no usage."""
    script = faulty(dialect, name, streamed=True)
    found = told(dialect, script, streamed=True)
    assert len(found.texts) == 3
    assert len(found.errors) == 1
    assert found.finishes == []
    assert b"[DONE]" not in body_of(script)


@EACH
@pytest.mark.parametrize(("name", "end"), [("reset-mid", Reset), ("stall-mid", Stall), ("cut", Close)])
def test_a_connection_breaks_after_as_many_events_as_asked(dialect: str, name: str, end: type[object]) -> None:
    """Three tokens by default, `after` events where told, and never the finish."""
    script = faulty(dialect, name, streamed=True)
    assert isinstance(script[-1], end)
    assert len(told(dialect, script, streamed=True).texts) == 3
    for after in (0, 1, 5):
        script = answered(dialect, {"fault": name, "after": after}, streamed=True)
        assert len(payloads_of(dialect, script)) == after
    late = told(dialect, answered(dialect, {"fault": name, "after": 1000}, streamed=True), streamed=True)
    assert late.texts == told(dialect, healthy(dialect, streamed=True), streamed=True).texts
    assert late.finishes == []


@EACH
@STREAMED
def test_an_answer_may_lack_its_finish(dialect: str, streamed: bool) -> None:
    found = told(dialect, faulty(dialect, "no-finish", streamed=streamed), streamed=streamed)
    assert found.texts
    assert found.finishes == []


@EACH
@STREAMED
@pytest.mark.parametrize("name", ["empty-choices", "empty-message"])
def test_an_answer_may_be_empty(dialect: str, name: str, streamed: bool) -> None:
    """Nothing was said, nothing is counted; a message that is empty has its finish, an answer without one has not."""
    found = told(dialect, faulty(dialect, name, streamed=streamed), streamed=streamed)
    assert found.texts == []
    assert not any(found.tokens)
    assert len(found.finishes) == (1 if name == "empty-message" else 0)


@EACH
@STREAMED
def test_usage_may_be_missing(dialect: str, streamed: bool) -> None:
    found = told(dialect, faulty(dialect, "no-usage", streamed=streamed), streamed=streamed)
    assert found.texts
    assert found.tokens == []


@EACH
def test_a_finish_may_come_twice(dialect: str) -> None:
    found = told(dialect, faulty(dialect, "duplicate-finish", streamed=True), streamed=True)
    assert len(found.finishes) == 2


@EACH
@STREAMED
def test_calls_may_lack_their_ids(dialect: str, streamed: bool) -> None:
    calls = told(dialect, faulty(dialect, "tool-no-id", streamed=streamed), streamed=streamed).calls
    assert [call[0] for call in calls.values()] == [None]
    assert all(
        call[0]
        for call in told(dialect, healthy(dialect, "tool-no-id", streamed=streamed), streamed=streamed).calls.values()
    )


@EACH
@STREAMED
def test_arguments_may_be_of_the_other_kind(dialect: str, streamed: bool) -> None:
    """An object where the protocol has text, text where it has an object."""
    plain = told(dialect, healthy(dialect, "tool-object-arguments", streamed=streamed), streamed=streamed)
    other = told(dialect, faulty(dialect, "tool-object-arguments", streamed=streamed), streamed=streamed)
    ((_, usual),), ((_, given),) = plain.calls.values(), other.calls.values()
    assert [type(piece) for piece in given] != [type(piece) for piece in usual[:1]]
    assert given[-1] in ({"city": "Paris"}, '{"city":"Paris"}')


@EACH
@STREAMED
def test_arguments_may_be_empty(dialect: str, streamed: bool) -> None:
    ((_, given),) = told(
        dialect, faulty(dialect, "tool-empty-arguments", streamed=streamed), streamed=streamed
    ).calls.values()
    assert not any(given)


@EACH
@STREAMED
def test_arguments_may_be_no_json(dialect: str, streamed: bool) -> None:
    """What Google makes of such a call is no call, and a finish reason that says so."""
    found = told(dialect, faulty(dialect, "tool-invalid-arguments", streamed=streamed), streamed=streamed)
    if dialect == "google":
        assert (found.calls, found.finishes) == ({}, ["MALFORMED_FUNCTION_CALL"])
        return
    ((_, given),) = found.calls.values()
    assert '{"city": "Par' in given


@pytest.mark.parametrize("dialect", [name for name in NAMES if name != "google"])
def test_calls_may_come_in_turns(dialect: str) -> None:
    """Pieces of two calls alternate, and each call's pieces are JSON together."""
    events = payloads_of(dialect, faulty(dialect, "tool-interleaved", streamed=True))
    places = [place for event in events if (place := _place(dialect, event)) is not None]
    assert len(set(places)) == 2
    changes = sum(before != after for before, after in pairwise(places))
    assert changes >= 3
    calls = told(dialect, faulty(dialect, "tool-interleaved", streamed=True), streamed=True).calls
    assert [msgspec.json.decode("".join(call[1])) for call in calls.values()] == [
        {"city": "Paris"},
        {"city": "Paris 2"},
    ]


def _place(dialect: str, payload: bytes) -> int | None:
    """The call that an event's piece of arguments belongs to."""
    event = msgspec.json.decode(payload)
    if dialect == "openai-chat":
        return next((call["index"] for it in event["choices"] for call in it["delta"].get("tool_calls", ())), None)
    if dialect == "openai-responses":
        return event["output_index"] if event["type"] == "response.function_call_arguments.delta" else None
    if dialect == "cohere":
        return event["index"] if event["type"] == "tool-call-delta" else None
    if dialect == "bedrock":
        piece = event.get("contentBlockDelta", {})
        return piece["contentBlockIndex"] if "toolUse" in piece.get("delta", {}) else None
    return event["index"] if event["type"] == "content_block_delta" else None


@EACH
def test_calls_may_end_as_texts_do(dialect: str) -> None:
    """Where the protocol has a reason of its own for calls, it may be the one for texts instead."""
    for streamed in (True, False):
        text = told(dialect, healthy(dialect, streamed=streamed), streamed=streamed).finishes
        found = told(dialect, faulty(dialect, "tool-finish-stop", streamed=streamed), streamed=streamed)
        assert found.calls
        assert found.finishes == text


@EACH
def test_the_json_of_one_event_may_be_broken(dialect: str) -> None:
    """The third token's, by default; the frame around it is right."""
    script = faulty(dialect, "malformed-json", streamed=True)
    broken = [at for at, payload in enumerate(payloads_of(dialect, script)) if not _is_json(payload)]
    assert len(broken) == 1
    if dialect == "bedrock":
        assert all(right for _, _, right in messages_of(body_of(script)))


def _is_json(payload: bytes) -> bool:
    try:
        msgspec.json.decode(payload)
    except msgspec.DecodeError:
        return False
    return True


def test_a_checksum_may_be_wrong() -> None:
    """One message of Bedrock's stream has a wrong CRC; healthy ones have none."""
    bad = [right for _, _, right in messages_of(body_of(faulty("bedrock", "bad-crc", streamed=True)))]
    assert bad.count(False) == 1
    assert all(right for _, _, right in messages_of(body_of(healthy("bedrock", streamed=True))))


@EACH
@STREAMED
def test_bytes_may_come_in_any_form(dialect: str, streamed: bool) -> None:
    """Split, gzipped, slow, huge, in the wrong type: what is said stays what it was."""
    usual = told(dialect, healthy(dialect, streamed=streamed), streamed=streamed)
    for name in ("byte-split", "slow-body", "wrong-content-type", "comments", "content-length-long"):
        script = faulty(dialect, name, streamed=streamed)
        plain = tuple([step for step in script if not isinstance(step, Wait)])
        assert told(dialect, plain, streamed=streamed) == usual
    packed = body_of(faulty(dialect, "gzip", streamed=streamed))
    assert gzip.decompress(packed) == body_of(healthy(dialect, streamed=streamed))
    split = [step for step in faulty(dialect, "byte-split", streamed=streamed) if isinstance(step, Data)]
    assert {len(step.data) for step in split} == {1}


@EACH
@STREAMED
@pytest.mark.parametrize(("name", "size"), [("huge-event", 5 * 1024 * 1024), ("huge-chunk", 10 * 1024 * 1024)])
def test_bytes_may_be_many(dialect: str, name: str, size: int, streamed: bool) -> None:
    script = faulty(dialect, name, streamed=streamed)
    found = told(dialect, script, streamed=streamed)
    assert sum(map(len, found.texts)) == size
    assert len(found.finishes) == 1
    if name == "huge-chunk":
        assert len([step for step in script if isinstance(step, Data)]) == 1


@EACH
@STREAMED
def test_every_fault_is_steered_by_name_and_by_header_alike(dialect: str, streamed: bool) -> None:
    for name in ("429", "no-finish", "cut"):
        by_name = answered(dialect, {}, streamed=streamed, model=f"fault-{name}")
        by_header = answered(dialect, {"fault": name}, streamed=streamed)
        assert [type(step) for step in by_name] == [type(step) for step in by_header]
        assert status_of(by_name) == status_of(by_header)
