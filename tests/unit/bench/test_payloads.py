"""The bytes the bench sends and answers with keep the sizes and shapes its table claims."""

import msgspec
import pytest

from bench import payloads
from bench.payloads import CHUNKS, STAMP
from llmgateway.wire.openai_chat.known import Known
from llmgateway.wire.openai_chat.request import read_request


def data(event: bytes) -> dict[str, object]:
    return msgspec.json.decode(event.removeprefix(b"data: "), type=dict[str, object])


@pytest.mark.parametrize("seed", [0, 1, 499, 999])
def test_bodies_have_the_advertised_sizes(seed: int) -> None:
    """A row called 500 B or 40 KB measures that."""
    assert 420 <= len(payloads.small_body(seed, model="bench-whole-00")) <= 580
    assert 36_000 <= len(payloads.large_body(seed, model="bench-whole-00")) <= 44_000
    assert 36_000 <= len(payloads.new_body(seed, model="bench-whole-00")) <= 44_000


def test_large_body_is_an_agent_conversation() -> None:
    """40 KB are 30 messages and 10 tools, not one long text."""
    body = msgspec.json.decode(payloads.large_body(3, model="m", stream=True), type=dict[str, object])
    assert isinstance(body["messages"], list)
    assert isinstance(body["tools"], list)
    assert (len(body["messages"]), len(body["tools"]), body["stream"]) == (30, 10, True)


def test_whole_answer_is_about_500_bytes() -> None:
    assert 450 <= len(payloads.whole_answer()) <= 550


def test_clean_stream_keeps_the_invariants() -> None:
    """Role first and once, one finish, usage once and last: what a row declared clean must promise."""
    events = payloads.stream_events()
    assert events[-1] == b"data: [DONE]\n\n"
    assert len(events) == CHUNKS + 2
    assert all(180 <= len(event) <= 250 for event in events[:CHUNKS])
    assert [b'"role"' in event for event in events[:CHUNKS]] == [True] + [False] * (CHUNKS - 1)
    assert sum(b'"finish_reason":"stop"' in event for event in events) == 1
    assert data(events[CHUNKS])["usage"] == payloads.USAGE


def test_unclean_stream_breaks_them_and_bills_the_same() -> None:
    """Role and usage in every event, and the last usage equals the clean stream's, so that both cost the same."""
    events = payloads.unclean_events()
    assert len(events) == CHUNKS + 1
    assert all(b'"role"' in event and b'"usage"' in event for event in events[:CHUNKS])
    assert data(events[CHUNKS - 1])["usage"] == payloads.USAGE


def test_cost_follows_from_prices_and_usage() -> None:
    """The exact cost that validity is judged by: fresh, cached and output tokens at the configured prices."""
    per_token = {bucket: round(price * 1_000_000) for bucket, price in payloads.PRICES_USD_PER_MTOK.items()}
    expected = 100 * per_token["input"] + 20 * per_token["cached_input"] + 40 * per_token["output"]
    assert expected == payloads.COST_PICOUSD


def test_new_conversations_are_not_recognised() -> None:
    """What the row measures: with its stamp nothing of a conversation is known, though its model and tools are."""
    known = Known()
    body = payloads.new_body(3, model="m")
    assert body.count(STAMP.encode()) == 1
    for number in range(50):
        read_request(body.replace(STAMP.encode(), b"%024d" % number), known=known)
    assert (known.turns.known, known.turns.grown) == (0, 0)
    assert known.frames.known == 48
