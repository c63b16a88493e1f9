"""Whatever bytes come instead of Google's, nothing but an UpstreamError comes out, and memory stays bounded."""

import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llmgateway.domain.errors import UpstreamError
from llmgateway.domain.reply import ChoiceDelta, Chunk, Delta
from llmgateway.wire.gemini.upstream import Gemini
from tests.support.corpus import Recording, needs_corpora
from tests.wire.gemini_replaying import CHAT, STREAMED, TO, UNSTREAMED, answers, decoded, told_stream, told_whole
from tests.wire.playback import Split, in_one_piece, pieces_of, random_pieces

SHORT = [one for one in answers() if one.status == 200 and len(one.body) < 8_000]
JUNK = [
    b"\x00", b"\xff\xfe", b"\xc3", b"\n", b"\r\n\r\n", b"\r", b'"', b"\\", b"\\ud83d", b"{", b"}", b"[", b"]", b",",
    b"NaN", b"1e999", b"-1", b"data: ", b"data: [DONE]\n\n", b"data: 5\n\n", b"data: []\n\n", b":", b"[" * 3000,
    b'data: {"error":"no"}\n\n', b'data: {"candidates":{}}\n\n', b'data: {"candidates":[null,1]}\n\n', b"9" * 400,
    b'{"candidates":[{"content":{"parts":[{"functionCall":{}}]}}]}', b"null", b'{"a":' * 2000, b'"index":-1,',
    b'data: {"candidates":[{"index":1e3,"content":{"parts":[{"text":5,"thought":"x"}]}}]}\n\n', b'"thought":true,',
    b'data: {"usageMetadata":{"promptTokenCount":-5,"candidatesTokenCount":"x"}}\n\n', b'"finishReason":7,',
    b'"groundingMetadata":{"groundingSupports":[{"groundingChunkIndices":[-1,99]}]},', b'"inlineData":{"data":"!"},',
]  # fmt: skip
CHANGES = st.lists(
    st.tuples(st.floats(0, 1), st.integers(0, 40), st.sampled_from(JUNK) | st.binary(max_size=12)), max_size=6
)
HUNT = settings(max_examples=200, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
SPLITS = st.sampled_from([in_one_piece, pieces_of(1), pieces_of(11)]) | st.builds(random_pieces, st.integers(0, 99))


def sound(chunks: list[Chunk]) -> None:
    """All a client is told keeps the invariants; of a failed or cut stream, up to there."""
    good = [chunk for chunk in chunks if chunk.error is None]
    assert all(chunk.error is None for chunk in chunks[:-1]), "something was told after an error"
    if len(good) == len(chunks) and any(chunk.done for chunk in chunks):
        told_stream(chunks)


def read_whole(body: bytes) -> None:
    try:
        chunk = Gemini().whole(body, chat=CHAT, to=TO)
    except UpstreamError:
        return
    told_whole(chunk)


@needs_corpora
@HUNT
@given(recording=st.sampled_from(SHORT or [None]), changes=CHANGES, split=SPLITS)
def test_mangled_answers_are_told_soundly(
    recording: Recording, changes: list[tuple[float, int, bytes]], split: Split
) -> None:
    body = recording.body
    for where, removed, inserted in changes:
        at = int(where * len(body))
        body = body[:at] + inserted + body[at + removed :]
    sound(decoded(body, split=split))
    read_whole(body)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
PARTS = st.fixed_dictionaries(
    {},
    optional={
        "text": st.text(max_size=5) | VALUES,
        "thought": st.booleans() | VALUES,
        "thoughtSignature": st.text(max_size=5) | VALUES,
        "functionCall": st.fixed_dictionaries({}, optional=dict.fromkeys(("name", "args", "id"), VALUES)) | VALUES,
        "inlineData": st.fixed_dictionaries(
            {}, optional={"mimeType": st.sampled_from(["audio/L16;rate=24000", "image/png"]) | VALUES, "data": VALUES}
        ),
        "executableCode": VALUES,
        "toolCall": VALUES,
    },
)
PAGES = st.fixed_dictionaries({}, optional={"web": st.fixed_dictionaries({}, optional={"uri": VALUES})})
GROUNDING = st.fixed_dictionaries(
    {},
    optional={
        "groundingChunks": st.lists(PAGES | VALUES, max_size=3),
        "groundingSupports": st.lists(
            st.fixed_dictionaries(
                {},
                optional={
                    "groundingChunkIndices": st.lists(st.integers(-2, 3), max_size=3) | VALUES,
                    "segment": st.fixed_dictionaries(
                        {}, optional={"startIndex": st.integers(-3, 9), "endIndex": st.integers(-3, 9), "text": VALUES}
                    ),
                },
            ),
            max_size=3,
        ),
        "webSearchQueries": VALUES,
    },
)
EVENTS = st.fixed_dictionaries(
    {},
    optional={
        "candidates": st.lists(
            st.fixed_dictionaries(
                {},
                optional={
                    "content": st.fixed_dictionaries({}, optional={"parts": st.lists(PARTS, max_size=3) | VALUES}),
                    "index": st.integers(-1, 3) | VALUES,
                    "finishReason": st.sampled_from(["STOP", "SAFETY", "OTHER", 1, 99]) | VALUES,
                    "groundingMetadata": GROUNDING | VALUES,
                    "citationMetadata": VALUES,
                    "logprobsResult": VALUES,
                },
            )
            | VALUES,
            max_size=3,
        )
        | VALUES,
        "usageMetadata": st.dictionaries(
            st.sampled_from(["promptTokenCount", "candidatesTokenCount", "promptTokensDetails"]), VALUES
        )
        | VALUES,
        "promptFeedback": st.fixed_dictionaries({}, optional={"blockReason": VALUES}) | VALUES,
        "responseId": VALUES,
        "modelVersion": VALUES,
        "error": VALUES,
        "x": VALUES,
    },
)


@HUNT
@given(events=st.lists(EVENTS, max_size=4), split=SPLITS, array=st.booleans())
def test_members_of_any_type_are_told_soundly(events: list[dict[str, Any]], split: Split, array: bool) -> None:
    lines = [json.dumps(event).encode() for event in events]
    body = b"[%b]" % b",\r\n".join(lines) if array else b"".join(b"data: %b\r\n\r\n" % line for line in lines)
    sound(decoded(body, split=split))
    read_whole(body)
    for line in lines:
        read_whole(line)


@HUNT
@given(body=st.binary(max_size=200), split=SPLITS)
def test_any_bytes_are_an_answer_or_an_upstream_error(body: bytes, split: Split) -> None:
    sound(decoded(body, split=split))
    read_whole(body)


@HUNT
@given(events=st.lists(EVENTS, max_size=4), array=st.booleans(), split=SPLITS)
def test_any_split_gives_the_same_chunks(events: list[dict[str, Any]], array: bool, split: Split) -> None:
    lines = [json.dumps(event).encode() for event in events]
    body = b"[%b]" % b",".join(lines) if array else b"".join(b"data: %b\r\n\r\n" % line for line in lines)
    assert shown(decoded(body, split=split)) == shown(decoded(body))


STEADY = {"promptTokenCount": 7, "candidatesTokenCount": 3}
FIGURES = st.fixed_dictionaries(
    {},
    optional={
        "promptTokenCount": st.integers(0, 9),
        "candidatesTokenCount": st.integers(0, 9) | st.none(),
        "cachedContentTokenCount": st.integers(0, 9),
        "serviceTier": st.sampled_from(["flex", "standard", 5]),
        "promptTokensDetails": st.just([{"modality": "AUDIO", "tokenCount": 2}]),
    },
)
NEAR_PLAIN = st.builds(
    lambda parts, odd, usage, top: {"candidates": [{"content": {"parts": parts}, **odd}]} | usage | top,
    parts=st.lists(
        st.fixed_dictionaries(
            {"text": st.sampled_from(["", "a", "é\n", "\ud83d"])},
            optional={"thought": st.booleans(), "thoughtSignature": st.sampled_from(["", "s"])},
        )
        | st.fixed_dictionaries({"text": st.text(max_size=3)}),
        min_size=1,
        max_size=2,
    ),
    odd=st.just({}) | st.just({"index": 0})
    | st.sampled_from([
        {"index": 1}, {"index": None}, {"finishReason": "STOP"}, {"groundingMetadata": {}}, {"finishReason": None},
        {"groundingMetadata": {"webSearchQueries": ["q"]}}, {"safetyRatings": [1]}, {"logprobsResult": {}},
        {"content": {"parts": [{"functionCall": {"name": "f"}}]}}, {"content": None}, {"citationMetadata": {}},
    ]),
    usage=st.just({"usageMetadata": STEADY}) | st.builds(lambda figures: {"usageMetadata": figures}, FIGURES),
    top=st.just({})
    | st.sampled_from([
        {"modelVersion": 5}, {"error": None}, {"error": {"code": 503}}, {"promptFeedback": {}}, {"x": 1},
    ]),
)  # fmt: skip


@HUNT
@given(events=st.lists(NEAR_PLAIN, min_size=1, max_size=8), split=SPLITS)
def test_what_is_told_in_runs_is_what_is_told_event_by_event(events: list[dict[str, Any]], split: Split) -> None:
    """The same text in the same order, the same figures and the same end, for callers of streams as for others."""
    body = b"".join(b"data: %b\r\n\r\n" % json.dumps(event).encode() for event in events)
    assert retold(decoded(body, split=split, chat=STREAMED)) == retold(decoded(body, chat=UNSTREAMED))


def test_figures_of_a_run_continue_each_other() -> None:
    told = {"candidates": [{"content": {"parts": [{"text": "a"}]}}]}
    reported = [{"promptTokenCount": 9}, {"cachedContentTokenCount": 4}, {"candidatesTokenCount": 5}, STEADY, {}]
    events = [told | {"usageMetadata": one} for one in reported]
    chunks = decoded(b"".join(b"data: %b\n\n" % json.dumps(event).encode() for event in events), chat=STREAMED)
    assert [chunk.wire is not None for chunk in chunks] == [False, True, False, False]
    usage = chunks[2].usage
    assert usage is not None
    assert (usage.prompt_tokens, usage.cached_tokens, usage.output_tokens) == (7, 4, 3)


def retold(chunks: list[Chunk]) -> tuple[Any, ...]:
    """What reaches a client and the record: deltas in order, the last figures and names, how it ended."""
    deltas: list[Any] = []
    last = Chunk([])
    for chunk in chunks:
        if chunk.wire is not None:
            events = [json.loads(b'{"choices":' + tail)["choices"] for tail in chunk.wire.tails]
            texts = [event[0]["delta"]["content"] for event in events]
            assert chunk.wire.content_bytes == sum(map(len, texts))
            deltas += shown([Chunk([ChoiceDelta(0, Delta(content=text))]) for text in texts])
        deltas += shown([Chunk([choice]) for choice in chunk.choices])
        last.usage = chunk.usage or last.usage
        last.id, last.reported_model = last.id or chunk.id, last.reported_model or chunk.reported_model
        last.service_tier = chunk.service_tier or last.service_tier
    return deltas, shown([last]), chunks[-1].done if chunks else None, str(chunks[-1].error) if chunks else None


def shown(chunks: list[Chunk]) -> list[str]:
    """Ids that the decoder makes up differ."""
    told: list[str] = []
    for chunk in chunks:
        for choice in chunk.choices:
            for call in choice.delta.tool_calls or ():
                call.id = "id"
            for detail in choice.delta.reasoning_details or ():
                detail.pop("id", None)
            if choice.delta.audio:
                choice.delta.audio.pop("id", None)
        told.append(repr(chunk).partition("error=")[0] + str(chunk.error))
    return told


@HUNT
@given(
    status=st.integers(400, 599),
    body=st.binary(max_size=60) | st.builds(lambda value: json.dumps(value).encode(), EVENTS | VALUES),
)
def test_error_bodies_of_any_shape_become_an_upstream_error(status: int, body: bytes) -> None:
    error = Gemini().error(status, [(b"retry-after", body[:20])], body, to=TO)
    assert len(error.message) < 1_200


ENDLESS = {
    "a line without an end": b"x" * 65_536,
    "an object without an end": b'[{"a":"' + b"y" * 65_000,
    "objects within objects": b'{"a":' * 10_000,
    "data lines without a blank one": b"data: " + b"y" * 65_530 + b"\n",
    "brackets between objects": b"[ ] , " * 10_000,
}


@pytest.mark.parametrize("kind", ENDLESS)
def test_what_a_decoder_remembers_is_bounded(kind: str) -> None:
    """Fed without end it fails, or forgets; 64 MiB of one event, which may hold a picture, is the most it keeps."""
    decoder = Gemini().decoder(chat=CHAT, to=TO)
    tracemalloc.start()
    try:
        for _ in range(1_600):
            if any(chunk.error is not None for chunk in decoder.feed(ENDLESS[kind])):
                break
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 220 * 1024 * 1024


def test_events_without_end_are_not_remembered() -> None:
    decoder = Gemini().decoder(chat=CHAT, to=TO)
    event = b'data: {"candidates":[{"content":{"parts":[{"text":"%b"}]}}]}\r\n\r\n' % (b"t" * 4_000)
    tracemalloc.start()
    try:
        for _ in range(5_000):
            decoder.feed(event)
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 1024 * 1024


@pytest.mark.parametrize("what", ["candidates", "calls", "images"])
def test_more_of_anything_than_an_answer_has_is_no_answer(what: str) -> None:
    parts = {
        "calls": b'{"functionCall":{"name":"f"}}',
        "images": b'{"inlineData":{"mimeType":"image/png","data":"AA=="}}',
    }
    if what == "candidates":
        body = b",".join(b'{"index":%d,"content":{"parts":[{"text":"a"}]}}' % index for index in range(200))
    else:
        body = b'{"content":{"parts":[%b]}}' % b",".join([parts[what]] * 5_000)
    with pytest.raises(UpstreamError, match="more than"):
        Gemini().whole(b'{"candidates":[%b]}' % body, chat=CHAT, to=TO)
