"""Recorded converse traffic: what is told of it is what AWS's own parser (botocore) finds in the same bytes."""

import functools
import json
import zlib
from base64 import b64encode
from collections.abc import Iterator
from typing import Any

import botocore.session
import pytest
from botocore.eventstream import EventStream
from botocore.model import OperationModel
from botocore.parsers import create_parser

from llmgateway.domain.errors import UpstreamError
from llmgateway.domain.reply import Chunk, Delta, Fold
from llmgateway.domain.routing import Deployment
from llmgateway.wire.bedrock.upstream import Bedrock
from tests.support.corpus import Recording, needs_corpora, recordings
from tests.support.frames import event
from tests.unit.wire.bedrock.converse import CLAUDE, asked, bedrock
from tests.wire.playback import random_pieces

pytestmark = needs_corpora
CONVERSE = [one for one in recordings() if one.path.endswith(("/converse", "/converse-stream"))]
WHOLE = [one for one in CONVERSE if one.status == 200 and not one.streamed]
STREAMS = [one for one in CONVERSE if one.status == 200 and one.streamed]
REFUSED = [one for one in CONVERSE if one.status != 200]
REASONS = {
    "end_turn": "stop",
    "max_tokens": "length",
    "tool_use": "tool_calls",
    "guardrail_intervened": "content_filter",
}
CODEC = Bedrock()
CHAT = asked()


def to(_: Recording) -> Deployment:
    return bedrock(CLAUDE)


def frames_of(recording: Recording) -> bytes:
    """The recorded frames; around events of which only the JSON was kept, frames of our own."""
    if not recording.body.startswith(b"{"):
        return recording.body
    events = [json.loads(line) for line in recording.body.splitlines()]
    return b"".join(event(kind, payload) for one in events for kind, payload in one.items())


def told(recording: Recording, pieces: Iterator[bytes]) -> tuple[list[Chunk], bool]:
    decoder = CODEC.decoder(chat=CHAT, to=to(recording))
    chunks = [chunk for piece in pieces for chunk in decoder.feed(piece)]
    return chunks + decoder.close(), decoder.finished


@functools.cache
def operation(name: str) -> OperationModel:
    return botocore.session.Session().get_service_model("bedrock-runtime").operation_model(name)


class _Body:
    def __init__(self, data: bytes) -> None:
        self._data = data

    def stream(self) -> Iterator[bytes]:
        yield self._data

    def close(self) -> None: ...


def whole_by_botocore(recording: Recording) -> tuple[list[dict[str, Any]], str, dict[str, Any]]:
    """Blocks, stop reason, usage. botocore reads no block that has a member besides its one."""
    body = json.loads(recording.body)
    for block in body["output"]["message"]["content"]:
        block.pop("type", None)
    answer = {"body": json.dumps(body).encode(), "headers": {}, "status_code": 200}
    parsed = create_parser("rest-json").parse(answer, operation("Converse").output_shape)
    return parsed["output"]["message"]["content"], parsed["stopReason"], parsed["usage"]


def stream_by_botocore(recording: Recording) -> tuple[list[dict[str, Any]], str, dict[str, Any]]:
    shape = operation("ConverseStream").get_event_stream_output()
    events = EventStream(_Body(frames_of(recording)), shape, create_parser("rest-json")._event_stream_parser, "x")
    blocks: dict[int, dict[str, Any]] = {}
    reason, usage = "", {}
    for one in events:
        ((kind, payload),) = one.items()
        block = blocks.setdefault(payload.get("contentBlockIndex", -1), {})
        if kind == "contentBlockStart":
            block["toolUse"] = {**payload["start"]["toolUse"], "input": ""}
        elif kind == "contentBlockDelta":
            _add(block, payload["delta"])
        elif kind == "messageStop":
            reason = payload["stopReason"]
        elif kind == "metadata":
            usage = payload["usage"]
    for block in blocks.values():
        if "toolUse" in block:
            block["toolUse"]["input"] = json.loads(block["toolUse"]["input"] or "{}")
    return [block for index, block in sorted(blocks.items()) if index >= 0], reason, usage


def _add(block: dict[str, Any], delta: dict[str, Any]) -> None:
    ((kind, value),) = delta.items()
    if kind == "text":
        block["text"] = block.get("text", "") + value
    elif kind == "toolUse":
        block["toolUse"]["input"] += value["input"]
    elif kind == "reasoningContent":
        text = block.setdefault("reasoningContent", {}).setdefault("reasoningText", {"text": "", "signature": ""})
        for name in ("text", "signature"):
            text[name] += value.get(name, "")


def mistakes(chunk: Chunk, blocks: list[dict[str, Any]], stop: str, usage: dict[str, Any]) -> list[str]:
    """In what a telling differs from what was found."""
    cached, written = usage.get("cacheReadInputTokens", 0), usage.get("cacheWriteInputTokens", 0)
    (choice,) = chunk.choices
    counted = chunk.usage
    assert counted is not None
    pairs = {
        **_contents(choice.delta, blocks),
        "reason": (choice.finish_reason, REASONS[stop]),
        "prompt": (counted.prompt_tokens, usage["inputTokens"] + cached + written),
        "output": (counted.output_tokens, usage["outputTokens"]),
        "cached": ((counted.cached_tokens, counted.cache_write_tokens), (cached, written)),
    }
    return [f"{name}: {got!r:.200} is not {want!r:.200}" for name, (got, want) in pairs.items() if got != want]


def _contents(message: Delta, blocks: list[dict[str, Any]]) -> dict[str, tuple[Any, Any]]:
    """What was told and what was found."""
    citing = [block.get("citationsContent", {}) for block in blocks]
    texts = [block.get("text", "") for block in blocks]
    texts = [
        text or "".join(one["text"] for one in cited.get("content", ()))
        for text, cited in zip(texts, citing, strict=True)
    ]
    thoughts = [block["reasoningContent"] for block in blocks if "reasoningContent" in block]
    uses = [block["toolUse"] for block in blocks if "toolUse" in block]
    calls = [
        (call.id, call.function.name, json.loads(call.function.arguments or ""))
        for call in message.tool_calls or ()
        if call.function
    ]
    return {
        "text": (message.content or "", "".join(texts)),
        "reasoning": (
            message.reasoning or "",
            "".join(one.get("reasoningText", {}).get("text", "") for one in thoughts),
        ),
        "proofs": (_proofs_told(message), [proof for proof in map(_proof, thoughts) if proof]),
        "calls": (calls, [(use["toolUseId"], use["name"], use["input"]) for use in uses]),
        "annotations": (len(message.annotations or ()), sum(len(one.get("citations", ())) for one in citing)),
    }


def _proofs_told(message: Delta) -> list[str]:
    """Signatures, and redacted thinking as Bedrock wraps it."""
    details = message.reasoning_details or []
    told = [one.get("signature") or b64encode(one.get("data", "").encode()).decode() for one in details]
    return [proof for proof in told if proof]


def _proof(thought: dict[str, Any]) -> str:
    return thought.get("reasoningText", {}).get("signature") or b64encode(thought.get("redactedContent", b"")).decode()


def folded(chunks: list[Chunk]) -> Chunk:
    fold = Fold()
    for chunk in chunks:
        assert chunk.error is None
        fold.add(chunk)
    return fold.response()


def test_there_are_enough_of_them() -> None:
    assert len(WHOLE) > 100
    assert len(STREAMS) > 20
    assert len(REFUSED) > 4


def test_whole_answers() -> None:
    for one in WHOLE:
        chunk = CODEC.whole(one.body, chat=CHAT, to=to(one))
        assert mistakes(chunk, *whole_by_botocore(one)) == [], one.source


def test_streams() -> None:
    for one in STREAMS:
        chunks, finished = told(one, iter([frames_of(one)]))
        assert finished, one.source
        assert chunks[-1].done or not chunks[-1].usage, one.source
        blocks, stop, usage = stream_by_botocore(one)
        if usage:
            assert mistakes(folded(chunks), blocks, stop, usage) == [], one.source


@pytest.mark.parametrize("longest", [1, 40, 3000])
def test_streams_however_they_are_cut(longest: int) -> None:
    for one in STREAMS:
        body = frames_of(one)
        pieces = random_pieces(zlib.crc32(one.source.encode()), longest)(body)
        assert told(one, iter(pieces)) == told(one, iter([body])), one.source


def test_a_stream_cut_short_is_never_told_as_complete() -> None:
    for one in STREAMS:
        body = frames_of(one)
        end = body.find(b"messageStop")
        for cut in range(0, end - 20, max(1, end // 40)):
            chunks, finished = told(one, iter([body[:cut]]))
            assert not finished, (one.source, cut)
            assert not any(chunk.done for chunk in chunks), (one.source, cut)


def test_refusals() -> None:
    """Those of the credential hide what the provider said."""
    for one in REFUSED:
        error = CODEC.error(one.status, one.headers, one.body, to=to(one))
        assert isinstance(error, UpstreamError)
        assert error.status_code == one.status
        assert error.kind.name == ("upstream_auth" if one.status == 403 else "upstream_refused"), one.source
        assert (json.loads(one.body)["message"] in error.message) is (one.status != 403)
