"""However the bytes of a response arrive, the client is told the same; cut short, it is told so."""

import zlib

import pytest

from tests.support.corpus import Recording, needs_corpora
from tests.wire.comparison import comparable
from tests.wire.playback import Split, in_one_piece, pieces_of, random_pieces
from tests.wire.replaying import told
from tests.wire.responses_playback import STREAMS, ResponsesPlayback
from tests.wire.told import events_of

pytestmark = needs_corpora
LANE = ResponsesPlayback()
SINGLE_BYTES_LIMIT = 16_000
BOM = b"\xef\xbb\xbf"
LINE_ENDS = {"lf": b"\n", "crlf": b"\r\n", "cr": b"\r"}


def seed_of(recording: Recording) -> int:
    return zlib.crc32(recording.source.encode())


def same_however(recording: Recording, split: Split, body: bytes | None = None) -> None:
    want = comparable(events_of(LANE.play(recording).streamed))
    got = comparable(events_of(LANE.play(recording, body=body, split=split).streamed))
    assert got == want, recording.source


def test_byte_by_byte() -> None:
    for one in STREAMS:
        if len(one.body) <= SINGLE_BYTES_LIMIT:
            same_however(one, pieces_of(1))


@pytest.mark.parametrize("longest", [40, 700, 6000])
def test_at_random_points(longest: int) -> None:
    for one in STREAMS:
        same_however(one, random_pieces(seed_of(one) + longest, longest))


def test_one_event_at_a_time() -> None:
    for one in STREAMS:
        same_however(one, lambda _, one=one: one.events)


@pytest.mark.parametrize("line_end", LINE_ENDS)
@pytest.mark.parametrize("cut", ["whole", "random"])
def test_with_any_line_end_and_a_byte_order_mark(line_end: str, cut: str) -> None:
    for one in STREAMS:
        body = BOM + one.body.replace(b"\r\n", b"\n").replace(b"\n", LINE_ENDS[line_end])
        same_however(one, in_one_piece if cut == "whole" else random_pieces(seed_of(one), 500), body)


def test_without_the_last_blank_line_and_with_an_end_marker() -> None:
    for one in STREAMS:
        same_however(one, random_pieces(seed_of(one), 900), one.body.rstrip(b"\r\n"))
        same_however(one, random_pieces(seed_of(one), 900), one.body + b"data: [DONE]\n\n")


def test_a_response_cut_anywhere_before_its_end_is_never_told_as_complete() -> None:
    for one in STREAMS[::4]:
        end = max(one.body.rfind(b'"response.completed"'), one.body.rfind(b'"response.incomplete"'))
        for cut in range(0, end, max(1, end // 12)):
            for tail in (b"", b"\n\ndata: [DONE]\n\n"):
                answer = told(LANE.play(one, body=one.body[:cut] + tail))
                assert answer.error is not None, (one.source, cut)
                assert answer.error["code"] in ("stream_truncated", "upstream_error")
