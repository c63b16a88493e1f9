"""Event streams by the WHATWG rules, whatever the split of their bytes."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmgateway.wire.sse import MAX_EVENT_BYTES, EventReader, EventTooLarge


def read(*pieces: bytes) -> list[bytes]:
    reader = EventReader()
    events = [event for piece in pieces for event in reader.feed(piece)]
    return events + reader.close()


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        (b"data: a\n\n", [b"a"]),
        (b"data:a\n\n", [b"a"]),
        (b"data:  a\n\n", [b" a"]),
        (b"data: a\ndata: b\n\n", [b"a\nb"]),
        (b": comment\n\ndata: a\n\n", [b"a"]),
        (b"event: x\nid: 1\nretry: 5\ndata: a\n\n", [b"a"]),
        (b"data: a\r\n\r\ndata: b\r\n\r\n", [b"a", b"b"]),
        (b"data: a\r\rdata: b\r\r", [b"a", b"b"]),
        (b"data: a\r\n\ndata: b\r\rdata: c\n\r\n", [b"a", b"b", b"c"]),
        (b"event: x\ndata: a\n\nevent: y\ndata: b\n\n", [b"a", b"b"]),
        (b"data: a\ndata: b\n\nevent: y\ndata: c\n\n", [b"a\nb", b"c"]),
        (b"data:a\ndata: b\n\nevent: y\ndata: c\n\n", [b"a\nb", b"c"]),
        (b"event: x\ndata: a\n\nevent: y\ndata:b\n\n", [b"a", b"b"]),
        (b"event: x\ndata: a\n\ndata: b\n\n", [b"a", b"b"]),
        (b"\ndata: a\n\nid: 1\ndata: b\n\n", [b"a", b"b"]),
        (b"\xef\xbb\xbfdata: a\n\n", [b"a"]),
        (b"data: a", [b"a"]),
        (b"data: a\n", [b"a"]),
        (b"data: a\r", [b"a"]),
        (b"data\n\n", []),
        (b"datum: a\n\n", []),
        (b"\n\n\n", []),
        (b"", []),
    ],
)
def test_what_the_format_allows_is_read(stream: bytes, events: list[bytes]) -> None:
    assert read(stream) == events


LINES = st.lists(
    st.sampled_from(
        [b"data: one", b"data:two", b"data: ", b"", b"", b": note", b"event: e", "data: zwei ü".encode(), b"x"]
    ),
    max_size=12,
)


@settings(max_examples=300, deadline=None)
@given(lines=LINES, end=st.sampled_from([b"\n", b"\r\n", b"\r"]), bom=st.booleans(), data=st.data())
def test_any_split_gives_the_same_events(lines: list[bytes], end: bytes, bom: bool, data: st.DataObject) -> None:
    stream = (b"\xef\xbb\xbf" if bom else b"") + b"".join(line + end for line in lines)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    pieces = [stream[start:stop] for start, stop in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert read(*pieces) == read(stream) == read(*[bytes([byte]) for byte in stream])


def test_lines_of_an_event_that_come_apart_stay_together() -> None:
    reader = EventReader()
    assert reader.feed(b"data: a\n") == []
    assert reader.feed(b"data: b\n\ndata: c\n\n") == [b"a\nb", b"c"]


def test_an_event_alone_may_be_too_large_as_well() -> None:
    with pytest.raises(EventTooLarge):
        EventReader(limit=10).feed(b"data: 12345678\n\n")


def test_an_event_is_handed_out_as_soon_as_its_blank_line_is_there() -> None:
    reader = EventReader()
    assert reader.feed(b"data: a\n") == []
    assert reader.feed(b"\n") == [b"a"]


@pytest.mark.parametrize("piece", [b"x" * 65_536, b"data: " + b"x" * 65_530 + b"\n"], ids=["one line", "many lines"])
def test_an_event_without_end_is_refused(piece: bytes) -> None:
    with pytest.raises(EventTooLarge):
        read(*[piece] * (MAX_EVENT_BYTES // len(piece) + 2))
