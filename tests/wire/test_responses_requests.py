"""Recorded requests, said in our own words and sent through the gateway, arrive as they were recorded."""

import copy
import json
import random
from collections.abc import Iterator
from typing import Any

from tests.support.corpus import Recording, needs_corpora, recordings
from tests.support.responses_requests import in_our_words, meaning
from tests.support.responses_sdk_reader import spoken
from tests.wire.responses_playback import ResponsesPlayback

pytestmark = needs_corpora
LANE = ResponsesPlayback()
ASKED = [one for one in recordings() if spoken(one) and one.request and one.status == 200]


def arrives(recording: Recording) -> dict[str, Any]:
    """What reaches the provider."""
    LANE.player.requests.clear()
    request = json.dumps(in_our_words(recording.request or {})).encode()
    LANE.ask(request, status=500, headers=(), body=b"")  # of an answer, its reasoning would be remembered
    return json.loads(LANE.player.requests[0].body)


def test_every_recorded_request_arrives_as_it_was_recorded() -> None:
    assert len(ASKED) > 500
    unlike: dict[str, Any] = {}
    for one in ASKED:
        got, want = meaning(arrives(one)), meaning(one.request or {})
        if not one.streamed:
            want.pop("background", None)  # an answer that would have to be fetched later: left out, and listed
        found = [(name, want.get(name), got.get(name)) for name in {*want, *got} if want.get(name) != got.get(name)]
        if found:
            unlike[one.source] = found
    assert unlike == {}


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every string, number and flag in a request: where it stands."""
    for key, member in value.items() if isinstance(value, dict) else enumerate(value):
        if isinstance(member, dict | list):
            yield from places(member)
        else:
            yield value, key


def test_the_comparison_notices_whatever_is_changed() -> None:
    """Of 20 changes to each recorded input, at least 99 % are noticed."""
    noticed = tried = 0
    source = random.Random(7)
    for one in ASKED:
        body = one.request or {}
        for _ in range(20):
            changed = copy.deepcopy(body)
            where = [
                (holder, key)
                for holder, key in places(changed["input"] if isinstance(changed["input"], list) else changed)
                if key not in ("id", "status", "type", "stream")
            ]
            holder, key = source.choice(where)
            holder[key] = f"{holder[key]}!"
            tried += 1
            noticed += meaning(changed) != meaning(body)
    assert noticed >= 0.99 * tried
