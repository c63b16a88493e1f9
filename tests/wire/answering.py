"""Plays recorded answers through the gateway, and says where it tells them otherwise than the vendor's SDK reads them.

Each is asked for as it was recorded, in the other form (a whole answer as a stream, a stream as a whole answer), and
with its bytes cut at random points.
"""

import functools
import zlib
from collections.abc import Iterable
from importlib import import_module
from typing import Any

from tests.support.corpus import Recording
from tests.support.independent_chat_reader import Answer, Refusal, read_refusal
from tests.wire.asking import question
from tests.wire.catalogue_rows import rows
from tests.wire.playback import Playback, Split, in_one_piece, random_pieces
from tests.wire.replaying import held, misread, misread_refusal, played

READERS = {
    "openai-responses": "sdk_openai_responses",
    "anthropic": "sdk_anthropic",
    "google": "sdk_google",
    "bedrock": "sdk_bedrock",
    "cohere": "sdk_cohere",
}
WAYS = ("as recorded", "other form", "random splits")


def wanted(recording: Recording, protocol: str) -> Answer | Refusal:
    """What a recording holds, by the vendor's own SDK; of the chat protocol, see test_reader.py."""
    if protocol == "openai-chat":
        return held(recording) if recording.status == 200 else read_refusal(recording.status, recording.body)
    reader = import_module(f"tests.support.{READERS[protocol]}")
    return reader.read(recording) if recording.status == 200 else reader.refusal(recording)


def unlike(playback: Playback, recording: Recording, *, ways: Iterable[str] = WAYS) -> list[str]:
    """Every difference, with the way of asking in which it was seen."""
    want = wanted(recording, playback.protocol)
    asked = question(recording, playback.protocol, through=playback)
    return [f"{way}: {line}" for way in ways for line in _told(playback, recording, want, asked, way)]


def _told(
    playback: Playback, recording: Recording, want: Answer | Refusal, asked: dict[str, Any], way: str
) -> list[str]:
    split: Split = in_one_piece
    if way == "random splits":
        split = random_pieces(zlib.crc32(recording.source.encode()), 400)
    streamed = recording.streamed is not (way == "other form")
    client = played(playback, recording, streamed=streamed, split=split, request=asked)
    if isinstance(want, Refusal):
        return misread_refusal(want, client)
    return misread(want, playback, client)


@functools.cache
def playback_of(protocol: Any) -> Playback:
    """One gateway for all recordings of a protocol; chats take the lane that forwards bytes where it may."""
    return Playback(clean=protocol == "openai-chat", protocol=protocol, beside=rows(protocol))
