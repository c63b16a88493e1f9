"""Events alike: what is taken as such is told as the other ways tell it, byte for byte, and nothing is smuggled in."""

import json
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from llmgateway.domain.reply import Chunk, Wire
from llmgateway.wire.openai_chat.alike import Mould, length_of, read_alike, read_one
from llmgateway.wire.openai_chat.encode import StreamEncoder
from llmgateway.wire.openai_chat.plain import plain_mould, read_plain
from llmgateway.wire.openai_chat.stream import ChatDecoder
from tests.support.fakes import candidates

OPENING = b'data: {"id":"x","model":"m","choices":'
FIRST = OPENING + b'[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}\n\n'
LAST = OPENING + b'[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
FORMS = [
    b'[{"index":0,"delta":{"content":"%b"},"logprobs":null,"finish_reason":null}]}',
    b'[{"index":0,"delta":{"content":"%b"},"finish_reason":null}],"usage":null}',
    b'[{"index":0,"delta":{"content":"%b"},"finish_reason":null}],"usage":null,"obfuscation":"Ab1"}',
    b'[{"index":0,"delta":{"content":"%b"},"finish_reason":null}],"obfuscation":""}',
    b'[{"delta":{"role":"assistant","content":"%b"},"index":0}]}',
    b'[{"index": 0, "delta": {"content": "%b"}, "finish_reason": null}], "obfuscation": "q"}',
    b'[{"index":0,"delta":{"content":"b","content":"%b"}}]}',
    b'[{"index":0,"delta":{"content":"%b","content":"b"}}]}',
    b'[{"index":0,"delta":{"content":"a","role":"%b"}}]}',
    b'[{"index":0,"delta":{"content":"%b"},"finish_reason":"stop"}]}',
    b'[{"index":1,"delta":{"content":"%b"},"finish_reason":null}]}',
    b'[{"index":0,"delta":{"reasoning_content":"%b"},"finish_reason":null}]}',
    b'[{"index":0,"delta":{"content":"%b"},"finish_reason":null}],"usage":{"prompt_tokens":1}}',
    b'[{"index":0,"delta":{"content":"a"}}],"obfuscation":"%b"}',
]
HOSTILE = [
    b"", b'"', b"\\", b'\\"', b"\\\\", b"\\/", b"\\u00e9", b"\\ud83d\\ude00", b"\\ud83d", b"\\x", b"\x00", b"\x1f",
    b"\x7f", b"\xff", b"\xc3", b"\xa9", b"\xe2\x80\xa8", b"\n", b"\n\n", b"\r", b"\r\n", b"\t", b'"},{"content":"',
    b'a\\"},"finish_reason":null}],"obfuscation":"', b'a"},"finish_reason":null}],"obfuscation":"b',
    b'"},"finish_reason":null}]}\n\n' + OPENING + b'[{"index":0,"delta":{"content":"', b"\n\n" + OPENING, b"b\x00b",
]  # fmt: skip
TEXTS = st.one_of(
    st.sampled_from([b" word", b"naive", "caf\u00e9 \u4f60".encode(), b"a\\n\\tb"]),
    st.text(max_size=6).map(lambda text: json.dumps(text, ensure_ascii=False).encode(errors="replace")[1:-1]),
    st.text(max_size=6).map(lambda text: json.dumps(text).encode()[1:-1]),
    st.sampled_from(HOSTILE),
)
VALID = [b" a", b"b\\n", b"\\/", b"\\u00e9", b"\xc3\xa9", b"\\ud83d\\ude00", b""]
BESIDE = [b": ping\n\n", b"event: x\n", b"\n", b"data: {}\n\n", b"data:\n", b"data: [DONE]\n\n", OPENING + b"[]}\n\n"]
HUNT = settings(max_examples=600, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])


class OtherWay(ChatDecoder):
    """Reads all events as those are read that are not alike."""

    def _alike(self, data: bytes, chunks: list[Chunk]) -> int:
        return 0


@st.composite
def streams(draw: st.DrawFn) -> bytes:
    """Mostly events of one form, with others and lines that are no events among them."""
    mostly = draw(st.sampled_from(FORMS))
    forms = st.sampled_from([mostly] * 9 + FORMS)
    texts = draw(st.sampled_from([st.sampled_from(VALID), TEXTS]))
    one = st.builds(lambda form, text: OPENING + form % text + b"\n\n", forms, texts)
    odd = st.sampled_from(BESIDE)
    parts = draw(st.lists(st.one_of(one, one, one, one, one, one, one, odd), max_size=14))
    return FIRST + b"".join(parts) + draw(st.sampled_from([LAST, b""]))


def decoder(*, native: bool, streamed: bool, kind: type[ChatDecoder] = ChatDecoder) -> ChatDecoder:
    return kind(to=candidates("one", clean=native).deployments[0], native=native, streamed=streamed)


def told(by: ChatDecoder, reads: Sequence[bytes]) -> tuple[bytes, bool]:
    """What a client gets, and whether the provider failed it; nothing is read after an end."""
    encoder = StreamEncoder(fallback_id="i", created=1, model="p/m", naive=False, hide_reasoning=False)
    out = b""
    for read in (*reads, None):
        chunks = by.close() if read is None else by.feed(read)
        out += encoder.feed([chunk for chunk in chunks if chunk.error is None])
        if any(chunk.error is not None or chunk.done for chunk in chunks):
            return out, chunks[-1].error is not None
    return out, False


def cut(data: bytes, at: set[int]) -> list[bytes]:
    places = sorted({0, *(place for place in at if place < len(data)), len(data)})
    return [data[begin:end] for begin, end in pairwise(places)]


def is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def contents(data: bytes) -> str:
    events = [json.loads(line[6:]) for line in data.split(b"\n\n") if line]
    return "".join(choice["delta"].get("content") or "" for event in events for choice in event["choices"])


def assert_told_as_without_moulds(native: bool, stream: bytes, reads: list[bytes]) -> None:
    got = told(decoder(native=native, streamed=True), reads)
    want = told(decoder(native=native, streamed=True, kind=OtherWay), reads)
    if is_utf8(stream):
        assert got == want
    assert contents(got[0]) == contents(want[0])


@pytest.mark.parametrize("native", [False, True], ids=["decoded", "native"])
@HUNT
@given(stream=streams(), places=st.sets(st.integers(60, 1800), max_size=5))
@example(stream=FIRST + (OPENING + FORMS[0] % b"a" + b"\n\n") * 9 + LAST, places=set())
def test_a_read_is_told_as_without_moulds(native: bool, stream: bytes, places: set[int]) -> None:
    assert_told_as_without_moulds(native, stream, cut(stream, places))


@pytest.mark.parametrize("native", [False, True], ids=["decoded", "native"])
@HUNT
@given(stream=streams(), data=st.data())
def test_reads_that_end_with_a_line_are_told_as_without_moulds(
    native: bool, stream: bytes, data: st.DataObject
) -> None:
    """As they come at the pace of a model: an event at a time, or a few."""
    ends = [place for place in range(1, len(stream)) if stream[place - 1] == ord("\n")]
    kept = data.draw(st.sampled_from([1, 2, 3]))
    places = {place for place in ends if stream.endswith(b"\n\n", 0, place) or kept == 1} - set(ends[:: kept * 3])
    assert_told_as_without_moulds(native, stream, cut(stream, places))


@HUNT
@given(stream=streams(), places=st.sets(st.integers(60, 1800), max_size=5))
def test_a_decoded_run_is_told_as_event_by_event(stream: bytes, places: set[int]) -> None:
    got = told(decoder(native=False, streamed=True), cut(stream, places))
    assert got == told(decoder(native=False, streamed=False), [stream])


@pytest.mark.parametrize("native", [False, True], ids=["decoded", "native"])
@pytest.mark.parametrize("form", FORMS[:6])
def test_every_split_tells_the_same(native: bool, form: bytes) -> None:
    stream = FIRST + b"".join(OPENING + form % text + b"\n\n" for text in (b"a", b"\xc3\xa9", b"\\n", b" b")) + LAST
    want = contents(told(decoder(native=native, streamed=True), [stream])[0])
    assert want == "aé\n b"
    for place in range(1, len(stream)):
        assert contents(told(decoder(native=native, streamed=True), [stream[:place], stream[place:]])[0]) == want
    assert contents(told(decoder(native=native, streamed=True), [bytes([byte]) for byte in stream])[0]) == want


@pytest.mark.parametrize("native", [False, True], ids=["decoded", "native"])
@pytest.mark.parametrize("form", FORMS[:6])
def test_no_byte_around_a_text_goes_unseen(native: bool, form: bytes) -> None:
    """In the middle of a run, where nothing else looks at the event that it changes."""
    one = OPENING + form % b"abc" + b"\n\n"
    for place in range(len(one)):
        for other in (b'"', b"x", b" ", b"\n"):
            changed = one[:place] + other + one[place + 1 :]
            reads = [FIRST, one * 2 + changed + one * 2 + LAST]
            got = told(decoder(native=native, streamed=True), reads)
            assert got == told(decoder(native=native, streamed=True, kind=OtherWay), reads)


@pytest.mark.parametrize("native", [False, True], ids=["decoded", "native"])
@pytest.mark.parametrize("form", FORMS[:6])
def test_no_byte_around_a_text_goes_unseen_in_an_event_alone(native: bool, form: bytes) -> None:
    one = OPENING + form % b"abc" + b"\n\n"
    for place in range(len(one)):
        for other in (b"", b'"', b"x", b" ", b"\n", b"\\"):
            reads = [FIRST, one, one[:place] + other + one[place + 1 :], one, LAST]
            got = told(decoder(native=native, streamed=True), reads)
            assert got == told(decoder(native=native, streamed=True, kind=OtherWay), reads)


@pytest.mark.parametrize("native", [False, True], ids=["decoded", "native"])
@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("form", FORMS[:6])
def test_any_text_alone_is_told_as_without_moulds(native: bool, text: bytes, form: bytes) -> None:
    one, odd = (OPENING + form % inside + b"\n\n" for inside in (b"a", text))
    for reads in (
        [FIRST, one, odd, one, LAST],
        [FIRST, one, b": p", odd, one, LAST],
        [FIRST, one, b"data:\n", odd, one],
    ):
        got = told(decoder(native=native, streamed=True), reads)
        assert got == told(decoder(native=native, streamed=True, kind=OtherWay), reads)


@pytest.mark.parametrize("native", [False, True], ids=["decoded", "native"])
def test_text_behind_a_finish_reason_is_told_as_without_moulds(native: bool) -> None:
    one = OPENING + FORMS[1] % b"a" + b"\n\n"
    reads = [FIRST, one, one + OPENING + FORMS[9] % b"b" + b"\n\n", one, one * 2, LAST]
    got = told(decoder(native=native, streamed=True), reads)
    assert got == told(decoder(native=native, streamed=True, kind=OtherWay), reads)


@pytest.mark.parametrize("native", [False, True], ids=["decoded", "native"])
def test_another_envelope_has_its_own_moulds(native: bool) -> None:
    other = b'data: {"id":"x","model":"m","system_fingerprint":"y","choices":'
    one = FORMS[0] % b"a" + b"\n\n"
    reads = [FIRST, (OPENING + one) * 2 + other + one, (OPENING + one) * 2, other + one, LAST]
    got = told(decoder(native=native, streamed=True), reads)
    assert got == told(decoder(native=native, streamed=True, kind=OtherWay), reads)
    assert got[0].count(b"system_fingerprint") == 2


def mould(form: bytes) -> Mould:
    found = plain_mould(OPENING + form % b"x" + b"\n\n", OPENING)
    assert found is not None
    return found


def run(form: bytes, texts: Sequence[bytes]) -> bytes:
    return b"".join(OPENING + form % text + b"\n\n" for text in texts)


def texts_of(wire: Wire | None) -> list[str]:
    tails = wire.tails if wire is not None else []
    return [json.loads(b'{"choices":' + tail)["choices"][0]["delta"]["content"] for tail in tails]


@pytest.mark.parametrize("form", FORMS[:6])
@pytest.mark.parametrize("texts", [[b"a"], [b"a", b"", b"\xc3\xa9\\n"], [b""], [b"", b"b"], [b"c", b"", b""]])
def test_whole_runs_are_taken_and_their_characters_counted(form: bytes, texts: list[bytes]) -> None:
    data = run(form, texts)
    taken, wire = read_alike(data, mould(form))
    assert taken == len(data)
    assert read_one(data, mould(form)) == (wire if texts == [b"a"] and b'obfuscation":""' not in form else None)
    want = [json.loads(b'"%b"' % text) for text in texts if text]
    assert texts_of(wire) == want
    assert (wire.content_bytes if wire is not None else 0) == len("".join(want))
    assert wire == read_plain(data, opening=OPENING)[1]


def test_a_few_other_events_may_end_a_read_and_many_may_not() -> None:
    data = run(FORMS[0], [b"a", b"b"])
    for behind in (LAST, b": ping\n\n" * 3, OPENING + FORMS[0][:10], OPENING + FORMS[0] % b"a", OPENING + b"[]}\n"):
        taken, wire = read_alike(data + behind, mould(FORMS[0]))
        assert taken == len(data)
        assert texts_of(wire) == ["a", "b"]
    assert read_alike(data + b": ping\n\n" * 9, mould(FORMS[0])) == (0, None)


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("form", FORMS[:4])
@pytest.mark.parametrize("beside", [[], [b"a"]])
def test_what_is_no_text_is_left_to_the_other_ways(form: bytes, text: bytes, beside: list[bytes]) -> None:
    data = run(form, [*beside, text, *beside])
    taken, wire = read_alike(data, mould(form))
    events = [json.loads(line[6:]) for line in data[:taken].decode().split("\n\n") if line]
    assert texts_of(wire) == [said for event in events if (said := event["choices"][0]["delta"]["content"])]
    assert not taken or data[:taken].endswith(b"\n\n")


def test_start_and_end_may_not_share_bytes() -> None:
    shape = mould(FORMS[0])
    assert read_one(shape.start[:-1] + shape.end + b"\n\n", shape) is None
    assert read_alike(shape.start[:-1] + shape.end + b"\n\n", shape) == (0, None)
    assert read_alike((shape.start[:-1] + shape.end + b"\n\n") * 2, shape) == (0, None)


@pytest.mark.parametrize(
    "form", [FORMS[7], *FORMS[9:13], *(FORMS[0].replace(b",", b"," + end) for end in (b"\n", b"\r"))]
)
def test_what_is_not_plain_makes_no_mould(form: bytes) -> None:
    assert plain_mould(OPENING + form % b"x" + b"\n\n", OPENING) is None


@pytest.mark.parametrize("form", [FORMS[8], FORMS[13]])
def test_the_text_is_found_beside_other_strings(form: bytes) -> None:
    found = plain_mould(OPENING + form % b"a" + b"\n\n", OPENING)
    assert found is not None
    assert found.start.endswith(b'"content":"')


@pytest.mark.parametrize(
    ("text", "length"), [("", 0), ("aé你", 3), ("\\n\\u00e9", 2), ("\\ud83d\\ude00x", 2), ("\\\\u0041", 6)]
)
def test_an_escape_counts_as_the_character_it_stands_for(text: str, length: int) -> None:
    assert length_of(text.encode()) == length
