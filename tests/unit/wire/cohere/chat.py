"""Requests to a Cohere model, and answers of one."""

import json
from typing import Any

import msgspec

from llmgateway.domain.chat import Chat
from llmgateway.domain.reply import Chunk, Delta, Fold
from llmgateway.domain.routing import Deployment, Mapping, ParameterPolicy
from llmgateway.wire.cohere.build import build_request
from llmgateway.wire.cohere.upstream import Cohere
from llmgateway.wire.openai_chat.request import read_request
from tests.unit.wire.deployments import deployment

MESSAGES = [{"role": "user", "content": "Hello"}]
TOOL = {
    "type": "function",
    "function": {"name": "weather", "description": "Of a city.", "parameters": {"type": "object", "properties": {}}},
}
CODEC = Cohere()


def cohere(*, policy: ParameterPolicy | None = None, **members: Any) -> Deployment:
    to = deployment(policy=policy, **members)
    mapping = Mapping(provider="acme", model="m", upstream="command-a-03-2025")
    return msgspec.structs.replace(to, mapping=mapping, protocol="cohere")


def asked(**members: Any) -> Chat:
    return read_request(json.dumps({"model": "acme/m", "messages": MESSAGES, **members}).encode())


PLAIN = asked()


def built(to: Deployment | None = None, **members: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    request, dropped = build_request(asked(**members), to=to or cohere())
    return json.loads(request.body), dropped


def whole(message: dict[str, Any], reason: str = "COMPLETE", *, chat: Chat = PLAIN, **members: Any) -> Chunk:
    body = {"id": "c-1", "message": {"role": "assistant", **message}, "finish_reason": reason, **members}
    return CODEC.whole(json.dumps(body).encode(), chat=chat, to=cohere())


def stream(*events: dict[str, Any]) -> bytes:
    lines = [f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in events]
    return b"".join(lines) + b"data: [DONE]\n\n"


def told(body: bytes, *, chat: Chat = PLAIN, cuts: list[int] | None = None) -> list[Chunk]:
    decoder = CODEC.decoder(chat=chat, to=cohere())
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


def message_of(chunk: Chunk) -> Delta:
    (choice,) = chunk.choices
    return choice.delta
