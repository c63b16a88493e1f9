"""Whatever bytes a provider sends as a response, nothing but an UpstreamError comes out, and memory stays bounded."""

import json
import tracemalloc

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llmgateway.domain.errors import UpstreamError
from llmgateway.wire.openai_responses.answer import Answer
from llmgateway.wire.openai_responses.stream import ResponsesDecoder
from llmgateway.wire.openai_responses.whole import read_whole
from tests.support.corpus import Recording, needs_corpora
from tests.wire.playback import in_one_piece, random_pieces
from tests.wire.replaying import told
from tests.wire.responses_playback import ANSWERS, ResponsesPlayback
from tests.wire.test_hostile_bytes import CHANGES, VALUES, Change, answer, mangled

LANE = ResponsesPlayback()
SHORT = [one for one in ANSWERS if len(one.body) < 9_000]
STREAMS = [one for one in SHORT if one.streamed]
HUNT = settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
KINDS = (
    "created", "in_progress", "queued", "completed", "incomplete", "failed", "cancelled", "output_item.added",
    "output_item.done", "content_part.added", "output_text.delta", "output_text.done", "output_text.annotation.added",
    "refusal.delta", "refusal.done", "function_call_arguments.delta", "function_call_arguments.done",
    "custom_tool_call_input.delta", "custom_tool_call_input.done", "reasoning_summary_text.delta",
    "reasoning_summary_text.done", "reasoning_text.delta", "reasoning_text.done", "image_generation_call.partial_image",
)  # fmt: skip
ITEMS = (
    "message", "reasoning", "function_call", "custom_tool_call", "web_search_call", "image_generation_call", "mcp_call",
)  # fmt: skip
PLACES = st.integers(-1, 2) | VALUES
PARTS = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "type": st.sampled_from(["output_text", "refusal", "summary_text", "reasoning_text"]) | VALUES,
            "text": st.text(max_size=6) | VALUES,
            "refusal": st.text(max_size=6) | VALUES,
            "annotations": st.lists(st.dictionaries(st.text(max_size=6), VALUES, max_size=3), max_size=2) | VALUES,
            "logprobs": st.lists(VALUES, max_size=2) | VALUES,
        },
    )
    | VALUES,
    max_size=3,
)
ITEM = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(ITEMS) | VALUES,
        "id": st.sampled_from(["a", "b"]) | VALUES,
        "call_id": st.sampled_from(["c", "d"]) | VALUES,
        "name": st.text(max_size=4) | VALUES,
        "arguments": st.text(max_size=6) | VALUES,
        "input": st.text(max_size=6) | VALUES,
        "content": PARTS | VALUES,
        "summary": PARTS | VALUES,
        "encrypted_content": VALUES,
        "result": VALUES,
        "phase": VALUES,
        "action": VALUES,
    },
)
RESPONSE = st.fixed_dictionaries(
    {},
    optional={
        "id": VALUES, "model": VALUES, "output": st.lists(ITEM | VALUES, max_size=3) | VALUES, "usage": VALUES,
        "status": st.sampled_from(["completed", "incomplete", "failed", "queued"]) | VALUES, "error": VALUES,
        "incomplete_details": VALUES, "service_tier": VALUES, "tool_usage": VALUES,
    },
)  # fmt: skip
EVENT = st.fixed_dictionaries(
    {"type": st.sampled_from([f"response.{kind}" for kind in KINDS] + ["error"]) | VALUES},
    optional={
        "delta": st.text(max_size=6) | VALUES, "text": st.text(max_size=6) | VALUES, "refusal": VALUES,
        "arguments": st.text(max_size=6) | VALUES, "input": VALUES, "item": ITEM | VALUES, "annotation": VALUES,
        "output_index": PLACES, "content_index": PLACES, "summary_index": PLACES, "item_id": VALUES,
        "logprobs": st.lists(VALUES, max_size=2) | VALUES, "response": RESPONSE | VALUES, "error": VALUES,
        "code": VALUES, "message": VALUES, "part": VALUES,
    },
)  # fmt: skip


@needs_corpora
@HUNT
@given(recording=st.sampled_from(STREAMS or [None]), changes=CHANGES, seed=st.integers(0, 99), streamed=st.booleans())
def test_mangled_streams_are_told_soundly(
    recording: Recording, changes: list[Change], seed: int, streamed: bool
) -> None:
    """A bug would be raised by `play`; a broken invariant by `told`: the client's stream is sound, come what may."""
    body = mangled(recording.body, changes)
    told(LANE.play(recording, streamed=streamed, body=body, split=random_pieces(seed, 400)))


@needs_corpora
@HUNT
@given(recording=st.sampled_from(SHORT or [None]), changes=CHANGES, streamed=st.booleans())
def test_mangled_whole_answers_are_told_soundly(recording: Recording, changes: list[Change], streamed: bool) -> None:
    told(LANE.play(recording, streamed=streamed, body=mangled(recording.body, changes), split=in_one_piece))


@HUNT
@given(events=st.lists(EVENT, max_size=8), streamed=st.booleans(), seed=st.integers(0, 99))
def test_events_of_any_shape_are_told_soundly(events: list[dict[str, object]], streamed: bool, seed: int) -> None:
    """Every member may have any type, and events may come in any order."""
    body = b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events)
    body += b'data: {"type":"response.completed","response":{"usage":{"input_tokens":1,"output_tokens":1}}}\n\n'
    played = answer("text/event-stream", body, streamed=True)
    told(LANE.play(played, streamed=streamed, split=random_pieces(seed, 300)))


@HUNT
@given(source=RESPONSE, streamed=st.booleans())
def test_whole_answers_of_any_shape_are_told_soundly(source: dict[str, object], streamed: bool) -> None:
    told(LANE.play(answer("application/json", json.dumps(source).encode(), streamed=False), streamed=streamed))


@HUNT
@given(body=st.binary(max_size=200))
def test_any_bytes_are_an_answer_or_an_upstream_error(body: bytes) -> None:
    decoder = ResponsesDecoder(answer=Answer(reasoning_format="f"), to=LANE.deployment)
    assert all(chunk.error is not None or chunk.done for chunk in (*decoder.feed(body), *decoder.close()))
    with pytest.raises(UpstreamError):
        read_whole(body, answer=Answer(reasoning_format="f"), to=LANE.deployment)


def test_what_is_nested_as_deep_as_can_be_read_does_no_harm() -> None:
    """Each member that may hold anything, as deep as the decoder goes."""
    for depth in (100, 400, 700, 900, 990):
        deep = b"[" * depth + b"null" + b"]" * depth
        call = b'{"type":"function_call","call_id":"c","name":"f","arguments":%b}' % deep
        text = b'{"type":"output_text","text":"a","annotations":[{"x":%b}],"logprobs":[{"logprob":%b}]}' % (deep, deep)
        output = b'{"output":[%b,{"type":"message","content":[%b]}],"usage":%b}' % (call, text, deep)
        event = b'data: {"type":"response.completed","response":%b}\n\n' % output
        for streamed in (True, False):
            told(LANE.play(answer("text/event-stream", event, streamed=True), streamed=streamed))
            told(LANE.play(answer("application/json", output, streamed=False), streamed=streamed))


def endless(kind: str, turn: int) -> bytes:
    match kind:
        case "a line without an end":
            return b"x" * 65_536
        case "data lines without a blank one":
            return b"data: " + b"y" * 65_530 + b"\n"
        case "items":
            opened = b'data: {"type":"response.output_item.added","output_index":%d,"item":{"type":"message"}}\n\n'
            return b"".join(opened % (turn * 99 + n) for n in range(99))
        case "parts":
            text = b'data: {"type":"response.output_text.delta","output_index":0,"content_index":%d,"delta":"a"}\n\n'
            return b"".join(text % (turn * 99 + n) for n in range(99))
        case _:
            text = b'data: {"type":"response.function_call_arguments.delta","output_index":%d,"delta":"%b"}\n\n'
            return b"".join(text % (n, b"z" * 1_000) for n in range(99))


@pytest.mark.parametrize(
    "kind",
    [
        "a line without an end",
        "data lines without a blank one",
        "items",
        "parts",
        "arguments of calls nobody announced",
    ],
)
def test_what_a_decoder_remembers_is_bounded(kind: str) -> None:
    """Fed without end it fails, or forgets; 16 MiB of one event is the most it keeps."""
    decoder = ResponsesDecoder(answer=Answer(reasoning_format="f"), to=LANE.deployment)
    tracemalloc.start()
    try:
        for turn in range(600):
            if any(chunk.error is not None for chunk in decoder.feed(endless(kind, turn))):
                break
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 70 * 1024 * 1024


def test_an_answer_of_many_small_parts_takes_no_more_time_than_its_size() -> None:
    """Parts are joined once: half a million of them are refused, and many are read in an instant."""
    parts = [{"type": "output_text", "text": "a"}] * 15_000
    body = json.dumps({"status": "completed", "output": [{"type": "message", "content": parts}]}).encode()
    chunk = read_whole(body, answer=Answer(reasoning_format="f"), to=LANE.deployment)
    assert chunk.choices[0].delta.content == "a" * 15_000
    many = json.dumps({"output": [{"type": "message", "content": parts * 30}]}).encode()
    with pytest.raises(UpstreamError):
        read_whole(many, answer=Answer(reasoning_format="f"), to=LANE.deployment)
