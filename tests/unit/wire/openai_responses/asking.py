"""Builds requests to a provider of the responses protocol, and reads what it answers."""

import json
from typing import Any

from llmgateway.domain.chat import Chat
from llmgateway.domain.reply import ChoiceDelta, Chunk, Fold
from llmgateway.wire.openai_chat.request import read_request
from llmgateway.wire.openai_responses.upstream import OpenAIResponses
from tests.unit.wire.deployments import deployment

CODEC = OpenAIResponses()
HELLO = [{"role": "user", "content": "Hello"}]


def chat(messages: list[dict[str, Any]] | None = None, **members: Any) -> Chat:
    return read_request(json.dumps({"model": "acme/m", "messages": messages or HELLO, **members}).encode())


def built(*messages: dict[str, Any], row: dict[str, Any] | None = None, **members: Any) -> tuple[dict[str, Any], Any]:
    """The body that is sent, and what was left out. `row`: members of the provider's row."""
    request, dropped = CODEC.build(chat(list(messages), **members), to=deployment(**(row or {})))
    return json.loads(request.body), dropped


def sent(*messages: dict[str, Any], row: dict[str, Any] | None = None, **members: Any) -> dict[str, Any]:
    """The body that is sent, of a request of which nothing is left out."""
    body, dropped = built(*messages, row=row, **members)
    assert dropped == ()
    return body


def event(kind: str, **members: Any) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **members})}\n\n".encode()


def completed(**members: Any) -> bytes:
    return event("response.completed", response={"id": "resp_1", "status": "completed", **members})


def streamed(*events: bytes, asked: Chat | None = None) -> list[Chunk]:
    decoder = CODEC.decoder(chat=asked or chat(stream=True), to=deployment())
    return [*decoder.feed(b"".join(events)), *decoder.close()]


def folded(*events: bytes, asked: Chat | None = None) -> ChoiceDelta:
    fold = Fold()
    for chunk in streamed(*events, asked=asked):
        assert chunk.error is None
        fold.add(chunk)
    return fold.response().choices[0]


def whole(*output: dict[str, Any], asked: Chat | None = None, **members: Any) -> Chunk:
    body = {"id": "resp_1", "model": "acme-m-2", "status": "completed", "output": output, **members}
    return CODEC.whole(json.dumps(body).encode(), chat=asked or chat(), to=deployment())


def message(*parts: dict[str, Any], **members: Any) -> dict[str, Any]:
    return {"type": "message", "id": "msg_1", "role": "assistant", "content": list(parts), **members}


def words(text: str, **members: Any) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": [], **members}
