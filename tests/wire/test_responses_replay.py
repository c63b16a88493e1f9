"""Every recorded response, played as upstream through the whole pipeline, is told as the official SDK reads it."""

import copy
import json
import random
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.corpus import Recording, needs_corpora, quoted, recordings
from tests.support.independent_chat_reader import Answer, read_refusal
from tests.support.responses_sdk_reader import read, spoken
from tests.wire.comparison import differences
from tests.wire.playback import Client
from tests.wire.replaying import told, understood_by_sdk
from tests.wire.responses_playback import ANSWERS, PROVIDERS, STREAMS, ResponsesPlayback

pytestmark = needs_corpora
LANE = ResponsesPlayback()


def mistakes(recording: Recording, client: Client, want: Answer | None = None) -> list[str]:
    """Everything in which the telling, or the record of it, is not what was recorded."""
    want = want or read(recording)
    got = told(client)
    row = LANE.ledger.records[0].exchange
    if want.error is not None or want.empty:
        return [] if got.error is not None and row.error_code else ["a failure was told as success"]
    if got.error is not None:
        return [f"an answer was told as an error: {got.error}"]
    found = differences(want, got)
    if (row.status, row.finish_reason, row.error_code) != (200, want.choices[0].finish, None):
        found.append(f"the record says {row.status}, {row.finish_reason}, {row.error_code}")
    if want.tokens is not None and (row.prompt_tokens, row.completion_tokens, row.cached_tokens) != (
        want.tokens.prompt,
        want.tokens.completion,
        want.tokens.cached,
    ):
        found.append("the record counts other tokens")
    return found


def test_enough_was_recorded_for_this_to_mean_something() -> None:
    assert len(ANSWERS) >= 500
    assert len(STREAMS) >= 130
    assert {"openai", "azure", "xai", "bedrock", "open-responses"} <= set(PROVIDERS)


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "stream"])
def test_the_client_gets_what_the_provider_said(provider: str, streamed: bool) -> None:
    """In the form it was recorded in, and in the other: text, reasoning, calls, finish, usage, record, invariants."""
    found = {
        one.source: lines
        for one in ANSWERS
        if one.provider == provider and (lines := mistakes(one, LANE.play(one, streamed=streamed)))
    }
    assert found == {}


def test_reasoning_details_are_complete() -> None:
    """One per summary, per text and per encrypted content, with the index of its place and nothing lost."""
    for one in ANSWERS:
        want = read(one)
        if want.error is not None or not want.choices[0].details:
            continue
        details = json.loads(LANE.play(one, streamed=False).body)["choices"][0]["message"]["reasoning_details"]
        assert [detail["index"] for detail in details] == list(range(want.choices[0].details)), one.source
        assert all(detail["format"] == "openai-responses-v1" for detail in details)
        data = [detail["data"] for detail in details if detail["type"] == "reasoning.encrypted"]
        assert all(text.encode() in one.body for text in data)


def test_the_official_sdk_accumulates_every_stream() -> None:
    for one in STREAMS:
        want = read(one)
        if want.error is None:
            got = understood_by_sdk(LANE.play(one))
            got.id, got.model, got.choices[0].reasoning = want.id, want.model, want.choices[0].reasoning
            assert differences(want, got) == [], one.source


Events = list[dict[str, Any]]


def events(recording: Recording) -> Events:
    text = recording.body.decode().replace("\r\n", "\n")
    return [json.loads(line[6:]) for line in text.split("\n") if line.startswith("data: {")]


def stream(of: Events) -> bytes:
    return b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in of)


def only(*endings: str) -> Callable[[Events], Events]:
    kept = ("response.created", "response.completed", "response.incomplete", *endings)
    return lambda of: [event for event in of if event["type"] in kept]


def without(*endings: str) -> Callable[[Events], Events]:
    return lambda of: [event for event in of if not event["type"].endswith(endings)]


def nothing_at_the_end(of: Events) -> Events:
    return [{**event, "response": {**event["response"], "output": []}} if is_last(event) else event for event in of]


def is_last(event: dict[str, Any]) -> bool:
    return event["type"] in ("response.completed", "response.incomplete")


def ids_that_change(of: Events) -> Events:
    """As GitHub's endpoint does it: every event has another id for the same item."""
    for number, event in enumerate(of):
        if "item_id" in event:
            event["item_id"] = f"item_{number}"
        for item in [event["item"]] if "item" in event else event["response"]["output"] if is_last(event) else []:
            if "call_id" not in item:
                item["id"] = f"item_{number}"
    return of


def no_places(of: Events) -> Events:
    return [{name: value for name, value in event.items() if name != "output_index"} for event in of]


def some_lost(of: Events) -> Events:
    """Every other kind of event is lost for some items: what remains says it all."""
    source = random.Random(len(of))
    lost = {event["output_index"] for event in of if "output_index" in event and source.random() < 0.5}
    return [event for event in of if event.get("output_index") not in lost]


MIXTURES = {
    "no deltas": without(".delta"),
    "whole items": only("response.output_item.done"),
    "whole items, announced": only("response.output_item.added", "response.output_item.done"),
    "only the end": only(),
    "no items": without("output_item.added", "output_item.done", "content_part.added", "content_part.done"),
    "no announcements": without(".added"),
    "no done events": without(".done"),
    "nothing at the end": nothing_at_the_end,
    "ids that change": ids_that_change,
    "no places": no_places,
    "some lost": some_lost,
}


@pytest.mark.parametrize("mixture", MIXTURES)
def test_providers_that_send_less_are_told_in_full_and_once(mixture: str) -> None:
    for one in STREAMS:
        body = stream(MIXTURES[mixture](copy.deepcopy(events(one))))
        for streamed in (True, False):
            assert mistakes(one, LANE.play(one, streamed=streamed, body=body)) == [], (one.source, streamed)


def test_keepalives_and_events_nobody_knows_say_nothing() -> None:
    noise: Events = [
        {"type": "keepalive", "sequence_number": 7},
        {"type": "response.something.new", "output_index": 0, "item_id": "x", "delta": "noise", "text": "noise"},
        {"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": ""},
        {},
    ]
    for one in STREAMS:
        body = stream([part for event in events(one) for part in (*noise[:2], event, noise[3])])
        assert mistakes(one, LANE.play(one, body=body)) == [], one.source


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "stream"])
def test_refused_requests_are_told_as_the_provider_refused_them(streamed: bool) -> None:
    refused = [one for one in recordings() if spoken(one) and one.status >= 400]
    assert len(refused) >= 12
    for one in refused:
        want, client = read_refusal(one.status, one.body), LANE.play(one, streamed=streamed)
        assert (client.status, client.error["code"]) == (want.status, want.code), one.source
        assert not want.relayed or want.relayed[:300] in client.error["message"]
        assert not want.hidden or want.hidden not in client.error["message"]


def test_an_overloaded_provider_inside_a_200_is_an_error_before_anything_was_told() -> None:
    overloaded = [one for one in quoted() if spoken(one)]
    assert overloaded
    for one in overloaded:
        for streamed in (True, False):
            client = LANE.play(one, streamed=streamed)
            assert (client.status, client.error["code"]) == (502, "upstream_error")
            assert "overloaded" in client.error["message"]
