"""Every recorded exchange, played as upstream through the whole pipeline, is told to the client as it was recorded."""

from collections.abc import Iterator

import pytest

from llmgateway.wire.openai_chat.stream import ChatDecoder
from tests.support.corpus import Recording, chats, needs_corpora
from tests.wire.comparison import comparable, differences
from tests.wire.playback import Playback
from tests.wire.replaying import held, mistakes, played, understood_by_sdk
from tests.wire.told import events_of

pytestmark = needs_corpora
PROVIDERS = sorted({recording.provider for recording in chats()})
DECODED, NATIVE = Playback(clean=False), Playback(clean=True)


def recorded_by(provider: str, *, streamed: bool | None = None) -> Iterator[Recording]:
    wanted = (True, False) if streamed is None else (streamed,)
    return (one for one in chats() if one.provider == provider and one.streamed in wanted)


def test_enough_was_recorded_for_this_to_mean_something() -> None:
    assert len(chats()) >= 800
    assert len(PROVIDERS) >= 25
    assert sum(recording.streamed for recording in chats()) >= 230


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("lane", [DECODED, NATIVE], ids=["decoded", "native"])
def test_asked_as_recorded_the_client_gets_what_the_provider_said(lane: Playback, provider: str) -> None:
    """Text, reasoning, refusals, calls, finish reasons, usage and errors; client, record and stream invariants."""
    found = {one.source: lines for one in recorded_by(provider) if (lines := mistakes(lane, one, played(lane, one)))}
    assert found == {}


@pytest.mark.parametrize("provider", PROVIDERS)
def test_asked_in_the_other_form_the_client_gets_the_same(provider: str) -> None:
    """A whole answer told as a stream, a stream told as a whole answer."""
    found = {
        one.source: lines
        for one in recorded_by(provider)
        if (lines := mistakes(NATIVE, one, played(NATIVE, one, streamed=not one.streamed)))
    }
    assert found == {}


@pytest.mark.parametrize("provider", PROVIDERS)
def test_both_lanes_tell_the_same_events(provider: str) -> None:
    for one in recorded_by(provider, streamed=True):
        decoded, native = (events_of(played(lane, one).streamed) for lane in (DECODED, NATIVE))
        assert comparable(native) == comparable(decoded), one.source


@pytest.mark.parametrize("provider", PROVIDERS)
def test_the_official_sdk_accumulates_every_stream(provider: str) -> None:
    """Its accumulator breaks on lists without index, repeated roles and nulls; and it must find the same answer."""
    for one in recorded_by(provider, streamed=True):
        want = held(one)
        if want.error is not None or not want.finished:
            continue
        got = understood_by_sdk(played(NATIVE, one))
        got.id = want.id
        for index, choice in want.choices.items():
            got.choices[index].reasoning = choice.reasoning  # not a field of its own
        got.tokens = want.tokens if want.tokens is None else got.tokens
        assert differences(want, got) == [], one.source


def test_most_events_of_a_clean_provider_take_the_native_lane() -> None:
    """The fast lane is really used: most events of clean recordings are forwarded, not decoded."""
    route = NATIVE.gateway.snapshot.route("recorded/model")
    assert route is not None
    forwarded = total = 0
    for one in recorded_by("openai", streamed=True):
        decoder = ChatDecoder(to=route.offers[0].deployments[0], native=True)
        forwarded += sum(len(chunk.wire.tails) for chunk in decoder.feed(one.body) if chunk.wire is not None)
        total += one.body.count(b'"content":"')
    assert forwarded > total * 0.6
