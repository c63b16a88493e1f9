"""Tests the comparers: how many changes of recorded bodies they notice."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.support.corpus import Recording
from tests.support.independent_chat_reader import Refusal
from tests.wire.answering import playback_of, unlike, wanted
from tests.wire.asking import question
from tests.wire.exchanges import chats_of
from tests.wire.meaning import misunderstood
from tests.wire.mutations import changed_answers, changed_requests
from tests.wire.playback import Playback
from tests.wire.replaying import misread, misread_refusal, played
from tests.wire.requesting import unlike_request

PER_BODY = 20


@dataclass
class Noticed:
    """Changes made and noticed; `missed` says what was not."""

    protocol: str
    answers: int = 0
    answers_of: int = 0
    requests: int = 0
    requests_of: int = 0
    missed: list[str] = field(default_factory=list)


def noticed_of(protocol: str, recordings: Sequence[Recording] | None = None) -> Noticed:
    """20 changes of each body that passes unchanged; one that fails anyway would prove nothing."""
    playback, noticed = playback_of(protocol), Noticed(protocol)
    for recording in chats_of(protocol) if recordings is None else recordings:
        if not unlike(playback, recording, ways=("as recorded",)):
            _answers(noticed, playback, recording)
        if recording.request is not None and not unlike_request(playback, recording) and playback.player.requests:
            _requests(noticed, playback, recording)
    return noticed


def _answers(noticed: Noticed, playback: Playback, recording: Recording) -> None:
    want = wanted(recording, playback.protocol)
    asked = question(recording, playback.protocol, through=playback)
    for change, body in changed_answers(recording, playback.protocol, want, n=PER_BODY):
        client = played(playback, recording, body=body, request=asked)
        seen = misread_refusal(want, client) if isinstance(want, Refusal) else misread(want, playback, client)
        noticed.answers_of += 1
        noticed.answers += bool(seen)
        if not seen:
            noticed.missed.append(f"answer of {recording}: {change}")


def _requests(noticed: Noticed, playback: Playback, recording: Recording) -> None:
    sent = json.loads(playback.player.requests[-1].body)
    for change, body in changed_requests(sent, seed=recording.source, n=PER_BODY):
        seen = misunderstood(playback.protocol, recording.request or {}, body)
        noticed.requests_of += 1
        noticed.requests += bool(seen)
        if not seen:
            noticed.missed.append(f"request of {recording}: {change}")
