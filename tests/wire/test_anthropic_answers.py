"""Every recorded answer of the messages protocol is told as the vendor's own SDK reads it."""

import pytest

from llmgateway.domain.errors import UpstreamError
from llmgateway.domain.reply import Chunk
from tests.support.corpus import Recording, needs_corpora, quoted
from tests.unit.wire.deployments import deployment
from tests.wire.anthropic_answers import CODEC, asked, decoded, folded, messages, read_by_vendor, told_by_us
from tests.wire.playback import pieces_of, random_pieces

TO = deployment(protocol="anthropic")
ALL = messages()
ANSWERS = [recording for recording in ALL if recording.status == 200]
STREAMS = [recording for recording in ANSWERS if recording.streamed]
WHOLES = [recording for recording in ANSWERS if not recording.streamed]
REFUSALS = [recording for recording in ALL if recording.status != 200]


@needs_corpora
def test_there_is_something_to_compare() -> None:
    assert len(STREAMS) > 100
    assert len(WHOLES) > 200
    assert len(REFUSALS) > 5


@needs_corpora
@pytest.mark.parametrize("recording", WHOLES, ids=repr)
def test_whole_answers_are_told_as_the_vendor_reads_them(recording: Recording) -> None:
    chunk = CODEC.whole(recording.body, chat=asked(streamed=False), to=TO)
    assert told_by_us(chunk) == read_by_vendor(recording)


@needs_corpora
@pytest.mark.parametrize("recording", STREAMS, ids=repr)
def test_streams_are_told_as_the_vendor_reads_them(recording: Recording) -> None:
    chunks = decoded([recording.body], chat=asked(streamed=True), to=TO)
    assert told_by_us(folded(chunks)) == read_by_vendor(recording)
    assert_sound(chunks)


@needs_corpora
@pytest.mark.parametrize("recording", STREAMS, ids=repr)
def test_any_split_of_the_bytes_gives_the_same_chunks(recording: Recording) -> None:
    chat = asked(streamed=True)
    whole = decoded([recording.body], chat=chat, to=TO)
    for split in (pieces_of(1), random_pieces(1), random_pieces(2, 700)):
        assert decoded(split(recording.body), chat=chat, to=TO) == whole


@needs_corpora
@pytest.mark.parametrize("recording", STREAMS, ids=repr)
def test_a_stream_that_was_not_asked_for_is_read_all_the_same(recording: Recording) -> None:
    chunk = CODEC.whole(recording.body, chat=asked(streamed=False), to=TO)
    assert told_by_us(chunk) == read_by_vendor(recording)


@needs_corpora
@pytest.mark.parametrize("recording", REFUSALS, ids=repr)
def test_recorded_errors_keep_their_meaning(recording: Recording) -> None:
    error = CODEC.error(recording.status, recording.headers, recording.body, to=TO)
    assert error.status_code == recording.status
    kinds = {400: "upstream_refused", 401: "upstream_auth", 404: "upstream_error"}
    assert error.kind.name == kinds[recording.status]


QUOTED = [recording for recording in quoted() if recording.provider == "anthropic"]


@needs_corpora
@pytest.mark.parametrize("recording", QUOTED, ids=repr)
def test_quoted_errors_keep_their_meaning(recording: Recording) -> None:
    if recording.status == 200:
        decoder = CODEC.decoder(chat=asked(streamed=True), to=TO)
        chunks = decoder.feed(recording.body) + decoder.close()
        error = chunks[-1].error
        assert error is not None
        assert not decoder.finished
    else:
        error = CODEC.error(recording.status, recording.headers, recording.body, to=TO)
    limited = b"rate_limit" in recording.body
    assert error.kind.name == ("upstream_rate_limited" if limited else "upstream_error")
    assert error.retry_after_s == (12 if limited else None)


def assert_sound(chunks: list[Chunk]) -> None:
    """The invariants of a stream: see docs of the stream, chat-completions section 3."""
    choices = [choice for chunk in chunks for choice in chunk.choices]
    assert [choice.delta.role for choice in choices if choice.delta.role] == ["assistant"]
    assert choices[0].delta.role == "assistant"
    assert [choice.finish_reason for choice in choices if choice.finish_reason] == [choices[-1].finish_reason]
    assert chunks[-1].done
    assert not any(chunk.done for chunk in chunks[:-1])
    assert chunks[0].id
    named = [(call.index, call.id) for choice in choices for call in choice.delta.tool_calls or () if call.id]
    assert [index for index, _ in named] == list(range(len(named)))
    for name in ("reasoning_details", "annotations"):
        indexes = [item["index"] for choice in choices for item in getattr(choice.delta, name) or ()]
        assert indexes == sorted(indexes)
        assert sorted(set(indexes)) == list(range(len(set(indexes))))


def test_what_is_no_answer_is_an_upstream_error() -> None:
    for body in (b"", b"<html>", b"[]", b"{}", b"5", b'{"type":"message"}', b'{"content":5}', b'{"content":[5]}'):
        with pytest.raises(UpstreamError):
            CODEC.whole(body, chat=asked(streamed=False), to=TO)
