"""Sends every recorded request through the gateway, said in our vocabulary, and compares what arrives upstream."""

import json
import re
from typing import Any

from tests.support.corpus import Recording
from tests.support.unspeakable import Unspeakable
from tests.wire.asking import in_our_vocabulary, model_of
from tests.wire.catalogue_rows import row_of
from tests.wire.meaning import misunderstood
from tests.wire.playback import Client, Playback, in_form


def unlike_request(playback: Playback, recording: Recording) -> list[str]:
    """Every difference between what was recorded and what arrives; or the gateway's refusal.

    What the provider refused as a bad request, the gateway may refuse before it asks.
    """
    try:
        ours = in_our_vocabulary(recording, playback.protocol, through=playback)
    except Unspeakable as reason:
        return [f"no word for {reason}"]
    row = row_of(recording)
    provider = row if row in playback.gateway.snapshot.catalog.providers else "recorded"
    ours["model"] = f"{provider}/{model_of(recording, playback.protocol)}"
    client = sent_upstream(playback, in_form(ours, streamed=asks_for_stream(recording)))
    if not playback.player.requests and client.status == recording.status == 400:
        return []
    if not playback.player.requests:
        return [_refused(client, ours)]
    return misbuilt(playback, recording, playback.player.requests[-1].body)


def _refused(client: Client, ours: dict[str, Any]) -> str:
    """With the type that the gateway does not take, if it is one."""
    param = str(client.error["param"])
    if not param.endswith("].type") and param != "tool_choice.type":
        return f"{param}: refused: {client.error['message']}"
    place: Any = ours
    for step in re.findall(r"\w+|\[\d+\]", param):
        place = place[int(step[1:-1])] if step.startswith("[") else place[step]
    return f"{param}: '{place}' is refused"


def asks_for_stream(recording: Recording) -> bool:
    """By its body, or by its path where the protocol has two; an error comes as no stream, whatever was asked."""
    if recording.path.endswith((":generateContent", ":streamGenerateContent", "/converse", "/converse-stream")):
        return "stream" in recording.path.rpartition("/")[2]
    return (recording.request or {}).get("stream") is True


def sent_upstream(playback: Playback, request: bytes) -> Client:
    """Asks, and leaves what was sent in `player.requests`; what the provider would say does not matter."""
    playback.player.requests.clear()
    return playback.ask(request, status=500, headers=(), body=b"")


def misbuilt(playback: Playback, recording: Recording, body: bytes) -> list[str]:
    return misunderstood(playback.protocol, recording.request or {}, json.loads(body))
