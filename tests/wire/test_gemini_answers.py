"""Every recorded answer of Google's protocol is told as it was recorded, whole and streamed, however it is cut."""

import json
import zlib
from typing import Any

import pytest

from llmgateway.domain.errors import UPSTREAM_AUTH, UPSTREAM_ERROR, UPSTREAM_RATE_LIMITED
from llmgateway.domain.reply import Fold
from llmgateway.wire.gemini.upstream import Gemini
from tests.support.corpus import Recording, needs_corpora, quoted
from tests.support.independent_chat_reader import Answer
from tests.support.independent_gemini_reader import objects_of, read_answer, signatures_of
from tests.wire.comparison import differences
from tests.wire.gemini_replaying import CHAT, STREAMED, TO, answers, decoded, told_stream, told_whole
from tests.wire.playback import in_one_piece, pieces_of, random_pieces

pytestmark = needs_corpora
GOOD = [one for one in answers() if one.status == 200]
STREAMS = [one for one in GOOD if one.streamed]
LINE_ENDS = {"lf": b"\n", "crlf": b"\r\n", "cr": b"\r"}


def seed_of(recording: Recording) -> int:
    return zlib.crc32(recording.source.encode())


def wrong(recordings: list[Recording], tell: Any) -> dict[str, list[str]]:
    """By source: in what the telling differs from the recording."""
    found: dict[str, list[str]] = {}
    for one in recordings:
        want, got = read_answer(one.body), tell(one)
        lines = differences(want, got)
        if want.model != got.model:
            lines.append(f"model: {want.model} became {got.model}")
        if lines:
            found[one.source] = lines
    return found


def test_enough_was_recorded_for_this_to_mean_something() -> None:
    assert len(GOOD) >= 450
    assert len(STREAMS) >= 75
    assert sum("functionCall" in one.body.decode("utf-8", "replace") for one in GOOD) >= 100


def test_whole_answers() -> None:
    assert wrong(GOOD, lambda one: told_whole(Gemini().whole(one.body, chat=CHAT, to=TO))) == {}


def test_whole_answers_told_as_streams() -> None:
    assert wrong(GOOD, lambda one: told_stream([Gemini().whole(one.body, chat=CHAT, to=TO)])) == {}


@pytest.mark.parametrize("longest", [7, 60, 900, 20_000])
def test_streams_cut_anywhere(longest: int) -> None:
    assert wrong(GOOD, lambda one: told_stream(decoded(one.body, split=random_pieces(seed_of(one), longest)))) == {}


@pytest.mark.parametrize("longest", [7, 60, 900, 20_000, 1_000_000])
def test_streams_told_in_runs_cut_anywhere(longest: int) -> None:
    unplaced = [one for one in STREAMS if b'"groundingSupports"' not in one.body and b'"citation' not in one.body]
    assert len(unplaced) >= 60

    def tell(one: Recording) -> Answer:
        return told_stream(decoded(one.body, split=random_pieces(seed_of(one), longest), chat=STREAMED))

    assert wrong(unplaced, tell) == {}


def test_streams_byte_by_byte() -> None:
    short = [one for one in STREAMS if len(one.body) < 16_000]
    assert wrong(short, lambda one: told_stream(decoded(one.body, split=pieces_of(1)))) == {}


def folded(chunks: list[Any]) -> Answer:
    fold = Fold()
    for chunk in chunks:
        fold.add(chunk)
    return told_whole(fold.response())


def test_streams_folded_for_callers_who_want_one_object() -> None:
    assert wrong(STREAMS, lambda one: folded(decoded(one.body))) == {}


@pytest.mark.parametrize("line_end", LINE_ENDS)
def test_with_any_line_end_and_a_byte_order_mark(line_end: str) -> None:
    events = [one for one in STREAMS if one.body.lstrip().startswith(b"data:")]

    def tell(one: Recording) -> Answer:
        body = b"\xef\xbb\xbf" + one.body.replace(b"\r\n", b"\n").replace(b"\n", LINE_ENDS[line_end])
        return told_stream(decoded(body, split=random_pieces(seed_of(one), 300)))

    assert wrong(events, tell) == {}


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("cut", [in_one_piece, pieces_of(13)], ids=["whole", "cut"])
def test_the_same_streams_as_the_json_array_that_comes_without_alt_sse(indent: int | None, cut: Any) -> None:
    def body_of(one: Recording) -> bytes:
        return json.dumps(objects_of(one.body), indent=indent, ensure_ascii=False).encode()

    assert wrong(STREAMS, lambda one: told_stream(decoded(body_of(one), split=cut))) == {}
    assert wrong(STREAMS, lambda one: told_whole(Gemini().whole(body_of(one), chat=CHAT, to=TO))) == {}


def test_every_thought_signature_can_be_sent_back() -> None:
    for one in GOOD:
        message = Gemini().whole(one.body, chat=CHAT, to=TO).choices
        details = [detail for choice in message for detail in choice.delta.reasoning_details or ()]
        told = [detail.get("signature") or detail.get("data") or "" for detail in details]
        told = [json.loads(text).get("thoughtSignature") if text.startswith("{") else text for text in told]
        assert [text for text in told if text] == signatures_of(one.body), one.source
        assert [detail["index"] for detail in details] == list(range(len(details)))


def test_a_stream_cut_before_its_finish_reason_is_never_complete() -> None:
    for one in STREAMS:
        end = one.body.find(b'"finishReason"')
        for cut in range(0, end, max(1, end // 10)):
            decoder = Gemini().decoder(chat=CHAT, to=TO)
            chunks = [*decoder.feed(one.body[:cut]), *decoder.close()]
            assert not decoder.finished
            assert not any(chunk.done for chunk in chunks)
            assert not any(choice.finish_reason for chunk in chunks for choice in chunk.choices)


def test_refusals() -> None:
    kinds = {403: UPSTREAM_AUTH, 404: UPSTREAM_ERROR, 429: UPSTREAM_RATE_LIMITED, 503: UPSTREAM_ERROR}
    refused = [one for one in answers() if one.status != 200]
    refused += [one for one in quoted() if one.provider in ("google", "vertex") and one.status != 200]
    assert len(refused) >= 8
    for one in refused:
        error = Gemini().error(one.status, one.headers, one.body, to=TO)
        assert error.kind is kinds[one.status], one.source
        assert error.status_code == one.status
        assert (error.retry_after_s == 34.4) is (b"34.4s" in one.body)
