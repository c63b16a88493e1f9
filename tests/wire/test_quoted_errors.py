"""Error answers quoted from public issues: each becomes the documented status, code and retry advice."""

from typing import NamedTuple

import pytest

from tests.support.corpus import QUOTED, Recording, quoted
from tests.support.independent_chat_reader import read_refusal
from tests.wire.playback import SECRET, Client, Playback
from tests.wire.replaying import played
from tests.wire.told import events_of

pytestmark = pytest.mark.skipif(not QUOTED.exists(), reason=f"no quoted errors: {QUOTED} is missing")


class Told(NamedTuple):
    status: int
    code: str
    words: str
    retry_after: str | None = None


EXPECTED = {
    "github.com/openai/codex/issues/88": Told(429, "upstream_rate_limited", "Rate limit reached for o4-mini", "2"),
    "github.com/DrShushen/climb/issues/13": Told(429, "upstream_rate_limited", "Request too large for gpt-4o"),
    "github.com/raycast/extensions/issues/31107": Told(429, "upstream_rate_limited", "Rate limit exceeded"),
    "github.com/continuedev/continue/issues/6185": Told(502, "upstream_error", "Service tier capacity exceeded"),
    "github.com/ago19800/HomeMind/issues/29": Told(429, "upstream_rate_limited", "Limit 12000, Used 2542", "2"),
    "github.com/compl-ai/compl-ai/issues/20": Told(400, "content_filter", "content management policy"),
    "github.com/cline/cline/issues/4826": Told(429, "upstream_rate_limited", "Too many tokens for team x"),
    "github.com/CommandCodeAI/command-code/issues/785": Told(502, "upstream_error", "An unexpected error occurred"),
    "hand-written": Told(502, "upstream_error", "answered with status 502"),
}


def rows() -> list[tuple[Recording, Told]]:
    return [
        (one, told)
        for one in quoted()
        if one.path.endswith("/chat/completions")
        for source, told in EXPECTED.items()
        if one.source.startswith(source)
    ]


def quote(source: str, feature: str) -> Recording:
    return next(one for one in quoted() if one.source.startswith(source) and feature in one.features)


def test_every_quoted_error_of_this_protocol_is_looked_at() -> None:
    ours = {one.source for one in quoted() if one.path.endswith("/chat/completions")}
    streamed = {one.source for one in quoted() if one.streamed and one.path.endswith("/chat/completions")}
    assert ours - streamed == {one.source for one, _ in rows()}
    assert len(streamed) == 3


@pytest.mark.parametrize(("recording", "told"), rows(), ids=str)
@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "stream"])
def test_a_quoted_error_is_mapped(recording: Recording, told: Told, streamed: bool) -> None:
    client = played(Playback(clean=False), recording, streamed=streamed)
    assert (client.status, client.error["code"]) == (told.status, told.code)
    assert told.words in client.error["message"]
    assert header(client, b"retry-after") == told.retry_after
    if told.status >= 429:
        assert header(client, b"x-should-retry") == (None if told.retry_after else "false")
    assert SECRET.encode() not in client.body
    if told.code != "content_filter":
        assert read_refusal(recording.status, recording.body).status == told.status


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "stream"])
def test_an_error_before_any_content_of_a_stream_is_an_error_answer(streamed: bool) -> None:
    recording = quote("github.com/use-agent-os/agent-os/issues/2214", "error_only_stream")
    client = played(Playback(clean=True), recording, streamed=streamed)
    assert (client.status, client.error["code"]) == (502, "upstream_error")
    assert "the server had an error processing your request" in client.error["message"]


def test_an_error_after_content_is_one_last_event() -> None:
    """OpenRouter's documented shape: an error beside a choice that finished with `error`."""
    recording = quote("github.com/use-agent-os/agent-os/issues/2214", "error_mid_stream")
    events = events_of(played(Playback(clean=True), recording).streamed)
    assert [event["choices"][0]["delta"]["content"] for event in events[:-1]] == ["Hel"]
    assert events[-1]["choices"] == []
    assert events[-1]["error"]["code"] == "upstream_error"
    assert events[-1]["error"]["status"] == 502
    assert "Provider disconnected unexpectedly" in events[-1]["error"]["message"]
    assert events[-1]["usage"]["info"].endswith("estimated")
    assert events[-1]["metadata"]["routing"][0]["succeeded"] is False


def test_a_stream_that_just_ends_is_truncated_not_complete() -> None:
    recording = quote("github.com/anomalyco/opencode/issues/39968", "silent_truncation")
    playback = Playback(clean=True)
    events = events_of(played(playback, recording).streamed)
    assert events[-1]["error"]["code"] == "stream_truncated"
    assert all(choice["finish_reason"] is None for event in events for choice in event["choices"])
    assert playback.ledger.records[0].exchange.truncated


def header(client: Client, name: bytes) -> str | None:
    return next((value.decode() for key, value in client.headers if key == name), None)
