"""Event streams of messages, written by hand, and what our decoder makes of them."""

import json
from collections.abc import Sequence
from typing import Any

from llmgateway.domain.reply import ChoiceDelta, Chunk, Fold
from llmgateway.wire.anthropic.blocks import Mode
from llmgateway.wire.anthropic.stream import MessagesDecoder
from tests.unit.wire.anthropic.asking import claude

Event = dict[str, Any]
STOP: Event = {"type": "message_stop"}


def start(**usage: Any) -> Event:
    return {"type": "message_start", "message": {"id": "msg_1", "model": "claude-x", "content": [], "usage": usage}}


def block(index: int, kind: str, **members: Any) -> Event:
    return {"type": "content_block_start", "index": index, "content_block": {"type": kind, **members}}


def grown(index: int, kind: str, **members: Any) -> Event:
    return {"type": "content_block_delta", "index": index, "delta": {"type": kind, **members}}


def closed(index: int) -> Event:
    return {"type": "content_block_stop", "index": index}


def ended(reason: str | None = "end_turn", *, usage: Any = None, **members: Any) -> Event:
    return {"type": "message_delta", "delta": {"stop_reason": reason, **members}, "usage": usage}


def wire(*events: Event) -> bytes:
    return b"".join(b"event: %b\ndata: %b\n\n" % (e["type"].encode(), json.dumps(e).encode()) for e in events)


def decoder(mode: Mode | None = None) -> MessagesDecoder:
    return MessagesDecoder(to=claude(), mode=mode or Mode())


def chunks_of(*events: Event, mode: Mode | None = None) -> list[Chunk]:
    reader = decoder(mode)
    return reader.feed(wire(*events)) + reader.close()


def deltas(chunks: Sequence[Chunk], name: str) -> list[Any]:
    """What each delta says under that name."""
    found = [getattr(choice.delta, name) for chunk in chunks for choice in chunk.choices]
    return [value for value in found if value]


def whole(chunks: Sequence[Chunk]) -> ChoiceDelta:
    fold = Fold()
    for chunk in chunks:
        assert chunk.error is None
        fold.add(chunk)
    return fold.response().choices[0]
