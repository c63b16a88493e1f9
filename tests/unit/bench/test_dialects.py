"""The streams of the other protocols are what their APIs send, and tell and bill the same."""

import msgspec
import pytest

from bench import dialects, payloads, traffic
from bench.gateway import configuration
from bench.payloads import CHUNKS


def data(event: bytes) -> list[dict[str, object]]:
    lines = [line.strip() for line in event.split(b"\n") if line.startswith(b"data: ")]
    return [msgspec.json.decode(line.removeprefix(b"data: "), type=dict[str, object]) for line in lines]


def test_anthropic_stream_is_a_message() -> None:
    """The events of a message in their order, each under its own name."""
    events = dialects.anthropic_events()
    kinds = [str(event["type"]) for piece in events for event in data(piece)]
    begun = ["message_start", "content_block_start", "ping"]
    ended = ["content_block_stop", "message_delta", "message_stop"]
    assert kinds == [*begun, *["content_block_delta"] * CHUNKS, *ended]
    named = [line.removeprefix(b"event: ").decode() for line in b"".join(events).split(b"\n") if line[:6] == b"event:"]
    assert named == kinds


def test_google_stream_counts_in_every_event_and_finishes_in_the_last() -> None:
    events = dialects.google_events()
    assert len(events) == CHUNKS
    assert all(event.endswith(b"}\r\n\r\n") and b'"usageMetadata": {' in event for event in events)
    assert [b'"finishReason": "STOP"' in event for event in events] == [False] * (CHUNKS - 1) + [True]


@pytest.mark.parametrize("lane", [lane for lane in traffic.LANES if lane.protocol != "openai-chat"])
def test_a_lane_speaks_its_protocol(lane: traffic.Lane) -> None:
    table = configuration(whole_port=1, stream_port=2).split(f"[providers.{lane.provider}]\n")[1]
    assert table.startswith(f'protocol = "{lane.protocol}"\nbase_url = "http://127.0.0.1:2/{lane.behaviour}/v1"\n')


def test_usage_is_that_of_the_other_streams() -> None:
    """Else the exact cost that validity is judged by could not be one figure."""
    details = payloads.USAGE["prompt_tokens_details"]
    assert isinstance(details, dict)
    assert (payloads.USAGE["prompt_tokens"], payloads.USAGE["completion_tokens"]) == (dialects.READ, dialects.WRITTEN)
    assert details["cached_tokens"] == dialects.CACHED
