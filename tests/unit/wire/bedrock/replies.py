"""Answers of a Bedrock model, whole and as streams of frames, and what is told of them."""

import json
from typing import Any

from llmgateway.domain.chat import Chat
from llmgateway.domain.reply import Chunk, Delta, Fold
from llmgateway.wire.bedrock.upstream import Bedrock
from tests.support.frames import event
from tests.unit.wire.bedrock.converse import CLAUDE, asked, bedrock

USAGE = {"inputTokens": 10, "outputTokens": 5, "totalTokens": 15}
CODEC = Bedrock()
PLAIN = asked()


def whole(
    blocks: list[dict[str, Any]], stop: str = "end_turn", *, chat: Chat = PLAIN, to: str = CLAUDE, **members: Any
) -> Chunk:
    body = {
        "output": {"message": {"role": "assistant", "content": blocks}},
        "stopReason": stop,
        "usage": USAGE,
        **members,
    }
    return CODEC.whole(json.dumps(body).encode(), chat=chat, to=bedrock(to))


def message_of(chunk: Chunk) -> Delta:
    (choice,) = chunk.choices
    return choice.delta


def stream(*events: tuple[str, dict[str, Any]]) -> bytes:
    return b"".join(event(kind, payload) for kind, payload in events)


def delta(index: int, **members: Any) -> tuple[str, dict[str, Any]]:
    return "contentBlockDelta", {"contentBlockIndex": index, "delta": members}


def start(index: int, **members: Any) -> tuple[str, dict[str, Any]]:
    return "contentBlockStart", {"contentBlockIndex": index, "start": members}


def end(index: int) -> tuple[str, dict[str, Any]]:
    return "contentBlockStop", {"contentBlockIndex": index}


BEGIN = ("messageStart", {"role": "assistant"})
STOP = ("messageStop", {"stopReason": "end_turn"})
CALLS = ("messageStop", {"stopReason": "tool_use"})
METADATA = ("metadata", {"usage": USAGE, "metrics": {"latencyMs": 5}})
HELLO = stream(BEGIN, delta(0, text="Hel"), delta(0, text="lo"), end(0), STOP, METADATA)


def told(body: bytes, *, chat: Chat = PLAIN, to: str = CLAUDE, cuts: list[int] | None = None) -> list[Chunk]:
    decoder = CODEC.decoder(chat=chat, to=bedrock(to))
    chunks: list[Chunk] = []
    at = 0
    for cut in sorted({min(cut, len(body)) for cut in cuts or []} | {len(body)}):
        chunks += decoder.feed(body[at:cut])
        at = cut
    return chunks + decoder.close()


def folded(chunks: list[Chunk]) -> Chunk:
    fold = Fold()
    for chunk in chunks:
        assert chunk.error is None
        fold.add(chunk)
    return fold.response()


PAGE = {
    "title": "my-pdf",
    "sourceContent": [{"text": "Dummy"}],
    "location": {"documentPage": {"documentIndex": 0, "start": 1, "end": 2}},
}
LINK = {"title": "Site", "location": {"web": {"url": "https://example.com/a", "domain": "example.com"}}}
