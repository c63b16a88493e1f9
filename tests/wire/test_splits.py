"""However the bytes of an answer arrive, the client is told the same."""

import zlib

import pytest

from tests.support.corpus import Recording, chats, needs_corpora
from tests.wire.comparison import comparable
from tests.wire.playback import Playback, Split, in_one_piece, pieces_of, random_pieces
from tests.wire.replaying import mistakes, played, told
from tests.wire.told import events_of

pytestmark = needs_corpora
STREAMS = [recording for recording in chats() if recording.streamed]
PROVIDERS = sorted({recording.provider for recording in STREAMS})
SINGLE_BYTES_LIMIT = 16_000
BOM = b"\xef\xbb\xbf"


@pytest.fixture(params=[False, True], ids=["decoded", "native"])
def lane(request: pytest.FixtureRequest) -> Playback:
    return Playback(clean=request.param)


def seed_of(recording: Recording) -> int:
    return zlib.crc32(recording.source.encode())


def same_however(lane: Playback, recording: Recording, split: Split, body: bytes | None = None) -> None:
    want = comparable(events_of(played(lane, recording).streamed))
    got = comparable(events_of(played(lane, recording, body=body, split=split).streamed))
    assert got == want, recording.source


@pytest.mark.parametrize("provider", PROVIDERS)
def test_byte_by_byte(lane: Playback, provider: str) -> None:
    """Streams of more than 16 kB are cut elsewhere; `python -m tests.wire.score --every-split` cuts them so too."""
    for recording in STREAMS:
        if recording.provider == provider and len(recording.body) <= SINGLE_BYTES_LIMIT:
            same_however(lane, recording, pieces_of(1))


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("longest", [40, 700, 6000])
def test_at_random_points(lane: Playback, provider: str, longest: int) -> None:
    for recording in STREAMS:
        if recording.provider == provider:
            same_however(lane, recording, random_pieces(seed_of(recording) + longest, longest))


@pytest.mark.parametrize("provider", PROVIDERS)
def test_one_event_at_a_time(lane: Playback, provider: str) -> None:
    for recording in STREAMS:
        if recording.provider == provider:
            same_however(lane, recording, lambda _, recording=recording: recording.events)


CRLF = {"lf": b"\n", "crlf": b"\r\n", "cr": b"\r"}


@pytest.mark.parametrize("line_end", CRLF)
@pytest.mark.parametrize("cut", ["whole", "random"])
def test_with_any_line_end_and_a_byte_order_mark(lane: Playback, line_end: str, cut: str) -> None:
    """All that the event stream format allows: LF, CRLF and CR, and a mark at the start."""
    for recording in STREAMS:
        body = BOM + recording.body.replace(b"\r\n", b"\n").replace(b"\n", CRLF[line_end])
        same_however(lane, recording, in_one_piece if cut == "whole" else random_pieces(seed_of(recording), 500), body)


def test_without_the_last_blank_line(lane: Playback) -> None:
    for recording in STREAMS:
        same_however(lane, recording, random_pieces(seed_of(recording), 900), recording.body.rstrip(b"\r\n"))


def test_with_comments_and_fields_nobody_needs_between_the_lines(lane: Playback) -> None:
    noise = b": still working\n\nid: 7\nretry: 10\nevent: message\n"
    for recording in STREAMS:
        body = b"".join(noise + event for event in recording.events if event.startswith(b"data:"))
        if b"event:" not in recording.body and body.count(b"data:") == recording.body.count(b"data:"):
            same_however(lane, recording, random_pieces(seed_of(recording), 900), body)


def test_whole_answers_after_a_byte_order_mark_and_white_space(lane: Playback) -> None:
    for recording in chats():
        if not recording.streamed and recording.status == 200:
            for before in (BOM, b"\n \r\n\t"):
                client = played(lane, recording, body=before + recording.body)
                assert mistakes(lane, recording, client) == [], recording.source


def test_a_stream_cut_anywhere_before_its_finish_reason_is_never_told_as_complete() -> None:
    """Ended early without an error of the connection: the client is told that the answer was truncated."""
    lane = Playback(clean=True)
    for recording in STREAMS[::4]:
        end = recording.body.find(b'"finish_reason":"')
        for cut in range(0, max(end, 0), max(1, end // 12)):
            client = played(lane, recording, body=recording.body[:cut])
            answer = told(client)
            assert answer.error is not None, (recording.source, cut)
            assert answer.error["code"] in ("stream_truncated", "upstream_error")
            assert lane.ledger.records[0].exchange.error_code in ("stream_truncated", "upstream_error")
