"""Whatever bytes a provider sends, nothing but an UpstreamError comes out, nothing hangs, and memory stays bounded."""

import json
import tracemalloc

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llmgateway.domain.errors import UpstreamError
from llmgateway.domain.routing import Deployment
from llmgateway.wire.errors import read_error
from llmgateway.wire.openai_chat.encode import StreamEncoder, whole_answer
from llmgateway.wire.openai_chat.stream import ChatDecoder
from llmgateway.wire.openai_chat.whole import read_whole
from tests.support.corpus import Recording, chats, needs_corpora
from tests.wire.playback import Playback, in_one_piece, random_pieces
from tests.wire.replaying import played, told

LANES = {"decoded": Playback(clean=False), "native": Playback(clean=True)}
SHORT = [recording for recording in chats() if recording.status == 200 and len(recording.body) < 6_000]
STREAMS = [recording for recording in SHORT if recording.streamed]
JUNK = [
    b"\x00", b"\xff\xfe", b"\xc3", b"\n", b"\n\n", b"\r", b'"', b"\\", b"\\ud83d", b"{", b"}", b"[", b"]", b",",
    b"NaN", b"1e999", b"-1", b'"\\u0000"', b"data: ", b"data: [DONE]\n\n", b"data: 5\n\n", b"data: null\n\n", b":",
    b'data: {"error":"no"}\n\n', b'data: {"choices":{}}\n\n', b'data: {"choices":[null,1,"x",{}]}\n\n', b"9" * 400,
    b'data: {"choices":[{"delta":{"tool_calls":[{},{"index":-1},{"index":"x","function":7}]}}]}\n\n',
    b"true", b"null", b"[" * 3000,
    b'data: {"choices":[{"index":1e3,"delta":{"content":5,"role":[],"reasoning":{},"audio":3,"images":[1]}}]}\n\n',
    b'data: {"usage":{"prompt_tokens":-5,"completion_tokens":"x","total_tokens":1.5}}\n\n', b'"usage":7,',
    b'data: {"id":5,"model":[],"choices":[{"finish_reason":7,"delta":{"content":""}}]}\n\n', b'"choices":[],',
]  # fmt: skip
Change = tuple[float, int, bytes]
CHANGES = st.lists(
    st.tuples(st.floats(0, 1), st.integers(0, 40), st.sampled_from(JUNK) | st.binary(max_size=12)), max_size=6
)
HUNT = settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])


def mangled(body: bytes, changes: list[Change]) -> bytes:
    """Each change cuts some bytes out somewhere and puts others in."""
    for where, removed, inserted in changes:
        at = int(where * len(body))
        body = body[:at] + inserted + body[at + removed :]
    return body


def deployment() -> Deployment:
    route = LANES["native"].gateway.snapshot.route("recorded/model")
    assert route is not None
    return route.offers[0].deployments[0]


@needs_corpora
@pytest.mark.parametrize("lane", LANES)
@HUNT
@given(recording=st.sampled_from(STREAMS or [None]), changes=CHANGES, seed=st.integers(0, 99), streamed=st.booleans())
def test_mangled_streams_are_told_soundly(
    lane: str, recording: Recording, changes: list[Change], seed: int, streamed: bool
) -> None:
    """A bug would be raised by `played`; a broken invariant by `told`: the client's stream is sound, come what may."""
    body = mangled(recording.body, changes)
    told(played(LANES[lane], recording, streamed=streamed, body=body, split=random_pieces(seed, 400)))


@needs_corpora
@HUNT
@given(recording=st.sampled_from(SHORT or [None]), changes=CHANGES, streamed=st.booleans())
def test_mangled_whole_answers_are_told_soundly(recording: Recording, changes: list[Change], streamed: bool) -> None:
    body = mangled(recording.body, changes)
    told(played(LANES["native"], recording, streamed=streamed, body=body, split=in_one_piece))


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
MEMBERS = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(
        (
            "role", "content", "reasoning", "reasoning_content", "reasoning_details", "refusal", "tool_calls",
            "function_call", "images", "annotations", "audio", "custom", "index", "id", "type", "function", "name",
            "arguments", "text",
        ),
        VALUES,
    ),
)  # fmt: skip
CALLS = st.lists(
    st.fixed_dictionaries({}, optional={"index": VALUES, "id": VALUES, "type": VALUES, "function": MEMBERS | VALUES}),
    max_size=3,
)
CHOICES = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "index": st.integers(-2, 3) | VALUES,
            "delta": MEMBERS | st.fixed_dictionaries({"tool_calls": CALLS}) | VALUES,
            "message": MEMBERS | st.fixed_dictionaries({"tool_calls": CALLS}) | VALUES,
            "finish_reason": st.sampled_from(["stop", "tool_calls", "length", "error"]) | VALUES,
            "logprobs": VALUES,
            "stop_reason": VALUES,
        },
    )
    | VALUES,
    max_size=3,
)
EVENTS = st.fixed_dictionaries(
    {},
    optional={
        "id": VALUES, "model": VALUES, "choices": CHOICES | VALUES, "usage": MEMBERS | VALUES, "error": VALUES,
        "metadata": VALUES, "service_tier": VALUES, "object": VALUES, "created": VALUES, "x": VALUES,
    },
)  # fmt: skip


@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(events=st.lists(EVENTS, max_size=6), lane=st.sampled_from(sorted(LANES)), streamed=st.booleans())
def test_events_of_any_shape_are_told_soundly(events: list[dict[str, object]], lane: str, streamed: bool) -> None:
    """Every member may have any type."""
    body = b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events) + b"data: [DONE]\n\n"
    told(played(LANES[lane], answer("text/event-stream", body, streamed=True), streamed=streamed))


@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(source=EVENTS, streamed=st.booleans())
def test_whole_answers_of_any_shape_are_told_soundly(source: dict[str, object], streamed: bool) -> None:
    told(
        played(
            LANES["native"], answer("application/json", json.dumps(source).encode(), streamed=False), streamed=streamed
        )
    )


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    status=st.integers(400, 599),
    body=st.binary(max_size=60) | st.builds(lambda value: json.dumps(value).encode(), EVENTS | VALUES),
)
def test_error_bodies_of_any_shape_become_an_upstream_error(status: int, body: bytes) -> None:
    error = read_error(status, [(b"retry-after", body[:20])], body, to=deployment())
    assert len(error.message) < 1_200
    json.dumps(error.message).encode()


@settings(max_examples=150, deadline=None, derandomize=True)
@given(body=st.binary(max_size=200))
def test_any_bytes_are_an_answer_or_an_upstream_error(body: bytes) -> None:
    decoder, encoder = ChatDecoder(to=deployment(), native=True), encoder_of_streams()
    encoder.feed([chunk for chunk in (*decoder.feed(body), *decoder.close()) if chunk.error is None])
    try:
        chunk = read_whole(body, to=deployment())
    except UpstreamError:
        return
    json.loads(
        whole_answer(chunk, answer_id="i", created=1, model="m", usage=b"{}", metadata=b"{}", hide_reasoning=False)
    )


def answer(content_type: str, body: bytes, *, streamed: bool) -> Recording:
    return Recording(
        provider="any", endpoint="/v1/chat/completions", status=200,
        headers=((b"content-type", content_type.encode()),),
        body=body, streamed=streamed, source="made up", features=frozenset(), request=None, request_body=None,
    )  # fmt: skip


def encoder_of_streams() -> StreamEncoder:
    return StreamEncoder(fallback_id="i", created=1, model="m", naive=True, hide_reasoning=False)


ENDLESS = {
    "a line without an end": b"x" * 65_536,
    "data lines without a blank one": b"data: " + b"y" * 65_530 + b"\n",
    "comments": b": ping " * 1_000 + b"\n\n",
    "members that grow": b"",
    "choices": b"",
}


@pytest.mark.parametrize("native", [False, True], ids=["decoded", "native"])
@pytest.mark.parametrize("kind", ENDLESS)
def test_what_a_decoder_remembers_is_bounded(kind: str, native: bool) -> None:
    """Fed without end it fails, or forgets; 16 MiB of one event is the most it keeps."""
    decoder = ChatDecoder(to=deployment(), native=native)
    tracemalloc.start()
    try:
        for turn in range(600):
            if any(chunk.error is not None for chunk in decoder.feed(piece(kind, turn))):
                break
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 70 * 1024 * 1024


def piece(kind: str, turn: int) -> bytes:
    if kind == "members that grow":
        return b"".join(b'data: {"m%d":"%b"}\n\n' % (turn * 20 + n, b"z" * 1_000) for n in range(20))
    if kind == "choices":
        return b"".join(
            b'data: {"choices":[{"index":%d,"delta":{"content":"a"}}]}\n\n' % (turn * 99 + n) for n in range(99)
        )
    return ENDLESS[kind]
