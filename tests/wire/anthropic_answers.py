"""Recorded messages as the vendor's own SDK reads them, and as our codec tells them, in one form that compares."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx2
from anthropic import Anthropic as Vendor

from llmgateway.domain.chat import Chat
from llmgateway.domain.reply import Chunk, Delta, Fold
from llmgateway.domain.routing import Deployment
from llmgateway.domain.usage import Usage
from llmgateway.wire.anthropic.upstream import Anthropic
from llmgateway.wire.openai_chat.request import read_request
from tests.support.corpus import Recording, recordings

CODEC = Anthropic()
REASONS = {
    "end_turn": "stop", "stop_sequence": "stop", "pause_turn": "stop", "max_tokens": "length",
    "model_context_window_exceeded": "length", "tool_use": "tool_calls", "refusal": "content_filter",
}  # fmt: skip


@dataclass
class Told:
    """What an answer says. `details`: its signed reasoning, `cited`: the URLs that its text cites."""

    text: str = ""
    reasoning: str = ""
    calls: list[tuple[str, str, Any]] = field(default_factory=list)
    details: list[tuple[str, str, str]] = field(default_factory=list)
    cited: list[str] = field(default_factory=list)
    finish: str | None = None
    id: str | None = None
    model: str | None = None
    usage: tuple[int, ...] = ()


def messages() -> list[Recording]:
    """Recordings of this protocol, wherever it was spoken."""
    return [
        recording
        for recording in recordings()
        if (recording.path.endswith("/v1/messages") and recording.provider != "openai")
        or recording.path.endswith((":rawPredict", ":streamRawPredict"))
    ]


def read_by_vendor(recording: Recording) -> Told:
    """The SDK's reading: the whole recorded body through its own client, decoder and accumulator."""
    kind = b"text/event-stream" if recording.streamed else b"application/json"
    transport = httpx2.MockTransport(
        lambda _: httpx2.Response(200, headers={b"content-type": kind}, content=recording.body)
    )
    asked: dict[str, Any] = {"model": "m", "max_tokens": 1, "messages": [{"role": "user", "content": "?"}]}
    with Vendor(api_key="k", http_client=httpx2.Client(transport=transport)) as client:
        if not recording.streamed:
            return _told(client.beta.messages.create(**asked).model_dump())
        with client.beta.messages.stream(**asked) as stream:
            return _told(stream.get_final_message().model_dump())


def _told(message: dict[str, Any]) -> Told:
    told = Told(id=message["id"], model=message["model"])
    for block in message["content"]:
        if block["type"] == "text":
            told.text += block["text"]
            told.cited += [one.get("url") or one["source"] for one in block.get("citations") or ()]
        elif block["type"] == "thinking":
            told.reasoning += block["thinking"]
            told.details.append(("reasoning.text", block["thinking"], block["signature"]))
        elif block["type"] == "redacted_thinking":
            told.details.append(("reasoning.encrypted", block["data"], ""))
        elif block["type"] == "tool_use":
            told.calls.append((block["id"], block["name"], block["input"]))
    told.finish = REASONS[message["stop_reason"]]
    if told.finish == "stop" and told.calls:
        told.finish = "tool_calls"  # our rule for every protocol: calls are what a choice with calls ended for
    usage = message["usage"]
    written, read = usage.get("cache_creation_input_tokens") or 0, usage.get("cache_read_input_tokens") or 0
    details, tools = usage.get("output_tokens_details") or {}, usage.get("server_tool_use") or {}
    told.usage = (
        usage["input_tokens"] + written + read,
        read,
        written,
        usage["output_tokens"],
        details.get("thinking_tokens") or 0,
        tools.get("web_search_requests") or 0,
    )
    return told


def told_by_us(chunk: Chunk) -> Told:
    """Our telling of a whole answer, or of a stream that was folded."""
    (choice,) = chunk.choices
    delta: Delta = choice.delta
    told = Told(text=delta.content or "", reasoning=delta.reasoning or "", finish=choice.finish_reason)
    told.id, told.model = chunk.id, chunk.reported_model
    for call in delta.tool_calls or ():
        assert call.function
        assert isinstance(call.id, str)
        assert isinstance(call.function.name, str)
        told.calls.append((call.id, call.function.name, json.loads(call.function.arguments or "")))
    for item in delta.reasoning_details or ():
        assert item["format"] == "anthropic-claude-v1"
        told.details.append((item["type"], item["text"] if "text" in item else item["data"], item.get("signature", "")))
    for note in delta.annotations or ():
        cited = note.get("url_citation", {})
        if "start_index" in cited:
            assert 0 <= cited["start_index"] <= cited["end_index"] <= len(told.text)
            told.cited.append(cited["url"])
    usage = chunk.usage or Usage()
    told.usage = (
        usage.prompt_tokens, usage.cached_tokens, usage.cache_write_tokens, usage.output_tokens,
        usage.reasoning_tokens, usage.web_searches,
    )  # fmt: skip
    return told


def asked(*, streamed: bool, **members: Any) -> Chat:
    source = {"model": "m", "messages": [{"role": "user", "content": "?"}], "stream": streamed, **members}
    return read_request(json.dumps(source).encode())


def decoded(pieces: Sequence[bytes], *, chat: Chat, to: Deployment) -> list[Chunk]:
    """A stream's chunks; that it is finished is checked."""
    decoder = CODEC.decoder(chat=chat, to=to)
    chunks = [chunk for piece in pieces for chunk in decoder.feed(piece)] + decoder.close()
    assert decoder.finished
    return chunks


def folded(chunks: Sequence[Chunk]) -> Chunk:
    fold = Fold()
    for chunk in chunks:
        assert chunk.error is None, chunk.error
        fold.add(chunk)
    return fold.response()
