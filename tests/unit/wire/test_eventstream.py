"""Frames out of bytes: whatever the split, whatever the headers, and a reason for what is none."""

import struct
import tracemalloc
import zlib

import pytest
from botocore.eventstream import EventStreamBuffer
from hypothesis import given, settings
from hypothesis import strategies as st

from llmgateway.wire.eventstream import MAX_FRAME_BYTES, Frame, FrameReader
from tests.support.frames import Header, event, frame, sealed, string

NAMES = st.text(st.characters(codec="ascii", exclude_characters="\x00"), min_size=1, max_size=20)
VALUES: dict[int, st.SearchStrategy[bytes]] = {
    0: st.just(b""), 1: st.just(b""), 2: st.binary(min_size=1, max_size=1), 3: st.binary(min_size=2, max_size=2),
    4: st.binary(min_size=4, max_size=4), 5: st.binary(min_size=8, max_size=8),
    6: st.binary(max_size=30).map(lambda data: struct.pack(">H", len(data)) + data),
    7: st.text(max_size=30).map(lambda text: string("", text)[2]),
    8: st.binary(min_size=8, max_size=8), 9: st.binary(min_size=16, max_size=16),
}  # fmt: skip
HEADERS = st.sampled_from(sorted(VALUES)).flatmap(lambda kind: st.tuples(NAMES, st.just(kind), VALUES[kind]))
FRAMES = st.builds(frame, st.lists(HEADERS, max_size=5, unique_by=lambda header: header[0]), st.binary(max_size=200))
HUNT = settings(max_examples=200, deadline=None, derandomize=True)


def read(data: bytes, cuts: list[int] | None = None) -> list[Frame]:
    frames, broken = outcome(data, cuts)
    assert broken is None
    return frames


def outcome(data: bytes, cuts: list[int] | None = None) -> tuple[list[Frame], str | None]:
    """The frames, and why there are no more."""
    reader = FrameReader()
    frames: list[Frame] = []
    at = 0
    for cut in sorted({min(cut, len(data)) for cut in cuts or []} | {len(data)}):
        frames += reader.feed(data[at:cut])
        at = cut
    return frames, reader.broken


def as_botocore_reads(data: bytes) -> list[Frame]:
    """Of all headers, those that botocore finds to be strings."""
    buffer = EventStreamBuffer()
    buffer.add_data(data)
    return [
        Frame({name: value for name, value in one.headers.items() if type(value) is str}, one.payload) for one in buffer
    ]


@HUNT
@given(st.lists(FRAMES, max_size=4))
def test_botocore_reads_the_same(frames: list[bytes]) -> None:
    whole = b"".join(frames)
    assert read(whole) == as_botocore_reads(whole)


@HUNT
@given(st.lists(FRAMES, min_size=1, max_size=4), st.lists(st.integers(0, 1500), max_size=12))
def test_any_split_gives_the_same_frames(frames: list[bytes], cuts: list[int]) -> None:
    whole = b"".join(frames)
    assert read(whole, cuts) == read(whole)


def test_single_bytes_give_the_same_frames() -> None:
    whole = event("messageStart", {"role": "assistant"}) + event("contentBlockDelta", {"delta": {"text": "Hi"}})
    assert read(whole, list(range(len(whole)))) == read(whole)
    assert [one.headers[":event-type"] for one in read(whole)] == ["messageStart", "contentBlockDelta"]


def test_a_frame_is_told_as_soon_as_its_last_byte_is_there() -> None:
    reader, one = FrameReader(), event("messageStart", {"role": "assistant"})
    assert reader.feed(one[:-1]) == []
    assert not reader.between_frames
    assert len(reader.feed(one[-1:])) == 1
    assert reader.between_frames


@pytest.mark.parametrize("at", range(60))
def test_a_changed_byte_is_noticed(at: int) -> None:
    """Wherever it is: in the lengths, the checksums, the headers or the payload."""
    whole = event("metadata", {})
    broken = bytearray(whole)
    broken[at] ^= 0x10
    assert outcome(bytes(broken))[1] is not None


def lengths(total: int, headers: int) -> bytes:
    """A prelude whose checksum is right, whatever it claims."""
    prelude = struct.pack(">II", total, headers)
    return prelude + struct.pack(">I", zlib.crc32(prelude))


@pytest.mark.parametrize(
    ("total", "headers"),
    [(0, 0), (15, 0), (20, 5), (100, 90), (MAX_FRAME_BYTES, 0), (2**32 - 1, 0), (2**31, 2**31), (200_000, 140_000)],
)
def test_lengths_that_cannot_be_are_refused_before_anything_is_waited_for(total: int, headers: int) -> None:
    tracemalloc.start()
    try:
        assert outcome(lengths(total, headers))[1] is not None
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()


def test_a_long_frame_that_is_only_promised_takes_no_memory() -> None:
    tracemalloc.start()
    try:
        reader = FrameReader()
        assert reader.feed(lengths(MAX_FRAME_BYTES - 1, 0)) == []
        for _ in range(10):
            assert reader.feed(b"x") == []
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()


def sealed_block(block: bytes) -> bytes:
    return sealed(lengths(16 + len(block), len(block)) + block)


@pytest.mark.parametrize(
    "block",
    [
        b"\x01a\x0a\x00",  # type 10 is unknown
        b"\x01a\xff",
        b"\x05ab",  # ends within the name
        b"\x01a",  # no type
        b"\x01a\x07\x00",  # ends within the length
        b"\x01a\x07\x00\x05ab",  # ends within the value
        b"\x01a\x05\x00\x00",
        b"\x01\xff\x07\x00\x01a",  # a name that is no text
        b"\x01a\x07\x00\x01\xff",  # a text that is none
    ],
)
def test_headers_that_cannot_be_read_are_refused(block: bytes) -> None:
    frames, broken = outcome(sealed_block(block))
    assert frames == []
    assert broken is not None


def test_nothing_is_read_beyond_a_frame() -> None:
    """The value of its last header claims bytes of the payload."""
    frames, broken = outcome(sealed(lengths(16 + 5 + 10, 5) + b"\x01a\x07\x00\x09" + b"0123456789"))
    assert (frames, broken) == ([], "a header that ends within its value")


def test_every_header_type_is_passed_over() -> None:
    headers: list[Header] = [
        ("t", 0, b""), ("f", 1, b""), ("b", 2, b"1"), ("s", 3, b"12"), ("i", 4, b"1234"), ("l", 5, b"12345678"),
        ("y", 6, b"\x00\x02ab"), ("d", 8, b"12345678"), ("u", 9, b"0123456789abcdef"), string(":event-type", "x"),
    ]  # fmt: skip
    assert read(frame(headers, b"p")) == [Frame({":event-type": "x"}, b"p")]


@HUNT
@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=6))
def test_garbage_is_told_alike_however_it_is_cut(data: bytes, cuts: list[int]) -> None:
    assert outcome(data, cuts) == outcome(data)


@HUNT
@given(
    st.lists(FRAMES, min_size=1, max_size=3),
    st.integers(0, 600),
    st.binary(min_size=1, max_size=20),
    st.integers(0, 600),
)
def test_what_comes_before_a_broken_frame_is_told_all_the_same(
    frames: list[bytes], at: int, junk: bytes, cut: int
) -> None:
    whole = b"".join(frames)
    spoilt = whole[:at] + junk + whole[at:]
    told, broken = outcome(spoilt)
    assert told == read(whole)[: len(told)]
    assert outcome(spoilt, [cut]) == (told, broken)


def test_nothing_is_read_behind_what_is_broken() -> None:
    one = event("messageStart", {})
    reader = FrameReader()
    assert len(reader.feed(one + b"x" * 20)) == 1
    assert reader.broken is not None
    assert reader.feed(one) == []


def test_what_is_remembered_of_headers_is_bounded() -> None:
    """A provider that never sends the same headers twice."""
    tracemalloc.start()
    try:
        reader = FrameReader()
        for turn in range(3000):
            reader.feed(frame([string("name", f"{turn} " + "x" * 500)], b""))
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()
