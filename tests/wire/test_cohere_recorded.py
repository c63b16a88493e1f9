"""Recorded traffic of Cohere's v2 chat: what is told of it is what the types of Cohere's own SDK hold."""

import json
import zlib
from collections.abc import Iterable, Iterator
from typing import Any, cast

import pytest
from cohere.core.unchecked_base_model import construct_type
from cohere.v2.types.v2chat_response import V2ChatResponse
from cohere.v2.types.v2chat_stream_response import V2ChatStreamResponse

from llmgateway.domain.reply import Chunk
from tests.support.corpus import Recording, needs_corpora, recordings
from tests.support.independent_chat_reader import events_of
from tests.unit.wire.cohere.chat import CODEC, PLAIN, cohere, folded
from tests.wire.playback import random_pieces

pytestmark = needs_corpora
CHATS = [one for one in recordings() if one.path == "/v2/chat" and one.status == 200]
WHOLE = [one for one in CHATS if not one.streamed]
STREAMS = [one for one in CHATS if one.streamed]
REASONS = {"COMPLETE": "stop", "STOP_SEQUENCE": "stop", "MAX_TOKENS": "length", "TOOL_CALL": "tool_calls"}
_EVENT: Any = V2ChatStreamResponse


class Held:
    """What an answer holds."""

    def __init__(self) -> None:
        self.id: str | None = None
        self.text = self.reasoning = ""
        self.calls: list[list[str]] = []
        self.sources = 0
        self.reason: str | None = None
        self.usage: Any = None


def whole_by_sdk(recording: Recording) -> Held:
    answer = cast("V2ChatResponse", construct_type(type_=V2ChatResponse, object_=json.loads(recording.body)))
    held = Held()
    held.id, held.reason, held.usage = answer.id, answer.finish_reason, answer.usage
    held.reasoning = answer.message.tool_plan or ""
    for part in answer.message.content or ():
        held.text += getattr(part, "text", "")
        held.reasoning += getattr(part, "thinking", "")
    for call in answer.message.tool_calls or ():
        assert call.function is not None
        held.calls.append([call.id, call.function.name or "", call.function.arguments or ""])
    held.sources = sum(len(citation.sources or ()) for citation in answer.message.citations or ())
    return held


def stream_by_sdk(recording: Recording) -> Held:
    held = Held()
    for source in events_of(recording.body):
        event: Any = construct_type(type_=_EVENT, object_=source)
        message: Any = getattr(getattr(event, "delta", None), "message", None)
        if event.type == "message-start":
            held.id = event.id
        elif event.type in ("content-start", "content-delta"):
            held.text += message.content.text or ""
            held.reasoning += getattr(message.content, "thinking", None) or ""
        elif event.type == "tool-plan-delta":
            held.reasoning += message.tool_plan
        elif event.type == "tool-call-start":
            call = message.tool_calls
            held.calls.append([call.id, call.function.name, call.function.arguments])
        elif event.type == "tool-call-delta":
            held.calls[-1][2] += message.tool_calls.function.arguments
        elif event.type == "citation-start":
            held.sources += len(message.citations.sources)
        elif event.type == "message-end":
            held.reason, held.usage = event.delta.finish_reason, event.delta.usage
    return held


def mistakes(chunk: Chunk, held: Held) -> list[str]:
    (choice,) = chunk.choices
    message, usage = choice.delta, chunk.usage
    assert usage is not None
    calls = [
        [call.id, call.function.name, json.loads(call.function.arguments or "")]
        for call in message.tool_calls or ()
        if call.function
    ]
    details = message.reasoning_details or []
    pairs = {
        "id": (chunk.id, held.id),
        "text": (message.content or "", held.text),
        "reasoning": (message.reasoning or "", held.reasoning),
        "details": ("".join(detail["text"] for detail in details), held.reasoning),
        "calls": (calls, [[given, name, json.loads(arguments or "{}")] for given, name, arguments in held.calls]),
        "annotations": (len(message.annotations or ()), held.sources),
        "reason": (choice.finish_reason, REASONS[held.reason or ""]),
        "prompt": (usage.prompt_tokens, held.usage.tokens.input_tokens),
        "output": (usage.output_tokens, held.usage.tokens.output_tokens),
        "cached": (usage.cached_tokens, held.usage.cached_tokens or 0),
        "billed": (usage.billed_input_tokens, held.usage.billed_units.input_tokens),
        "billed output": (usage.billed_output_tokens, held.usage.billed_units.output_tokens),
    }
    return [f"{name}: {got!r:.200} is not {want!r:.200}" for name, (got, want) in pairs.items() if got != want]


def told(pieces: Iterable[bytes]) -> tuple[list[Chunk], bool]:
    decoder = CODEC.decoder(chat=PLAIN, to=cohere())
    chunks = [chunk for piece in pieces for chunk in decoder.feed(piece)]
    return chunks + decoder.close(), decoder.finished


def cuts_before(recording: Recording) -> Iterator[int]:
    end = recording.body.find(b"message-end")
    yield from range(0, end, max(1, end // 40))


def test_there_are_enough_of_them() -> None:
    assert len(WHOLE) > 20
    assert len(STREAMS) > 10


def test_whole_answers() -> None:
    for one in WHOLE:
        assert mistakes(CODEC.whole(one.body, chat=PLAIN, to=cohere()), whole_by_sdk(one)) == [], one.source


def test_streams() -> None:
    for one in STREAMS:
        chunks, finished = told([one.body])
        assert finished, one.source
        assert chunks[-1].done, one.source
        assert mistakes(folded(chunks), stream_by_sdk(one)) == [], one.source


@pytest.mark.parametrize("longest", [1, 40, 3000])
def test_streams_however_they_are_cut(longest: int) -> None:
    for one in STREAMS:
        pieces = random_pieces(zlib.crc32(one.source.encode()), longest)(one.body)
        assert told(pieces) == told([one.body]), one.source


def test_a_stream_cut_short_is_never_told_as_complete() -> None:
    for one in STREAMS:
        for cut in cuts_before(one):
            chunks, finished = told([one.body[:cut]])
            assert not finished, (one.source, cut)
            assert not any(chunk.done for chunk in chunks), (one.source, cut)
