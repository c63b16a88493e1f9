"""Says what a recording of Bedrock's converse holds, by AWS's own SDK (botocore), in the terms of `Answer`.

Of our own knowledge there are only the documented rules: how token buckets add up, and which stop reason is
which finish reason. Event streams are the recorded frames, checksums included. A `type` beside the member of a content
block (some authors' recordings have it) is taken away, since botocore reads no block with two members.
"""

import base64
import functools
import json
from collections.abc import Iterator
from typing import Any

import botocore.session
from botocore import UNSIGNED
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.exceptions import ClientError, EventStreamError

from tests.support.corpus import Recording
from tests.support.independent_chat_reader import (
    BETWEEN,
    UNCOUNTED,
    Answer,
    Call,
    Refusal,
    Tokens,
    Told,
    counted,
    parsed,
    refusal_of,
)
from tests.support.replayed_http import BASE_URL

FINISH = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "guardrail_intervened": "content_filter",
    "content_filtered": "content_filter",
}
_ASKED: Any = {"modelId": "m", "messages": [{"role": "user", "content": [{"text": "Hello"}]}]}


def read(recording: Recording) -> Answer:
    """What a 200 says; an exception among the events is an answer with `error`."""
    client = _sdk(recording)
    if not recording.streamed:
        return _whole(client.converse(**_ASKED))
    try:
        return _streamed(client.converse_stream(**_ASKED)["stream"])
    except EventStreamError as error:
        return Answer(error=error.response["Error"])


def refusal(recording: Recording) -> Refusal:
    """The class of an error is in a header that recorders did not keep, so that the code is the table's own."""
    try:
        _sdk(recording).converse(**_ASKED)
    except ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        return refusal_of(status, error.response["Error"]["Message"], "upstream_refused")
    raise AssertionError(f"the SDK sees no error in {recording}")


class _Raw:
    """As much of an HTTP body as botocore reads."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self, *_: Any, **__: Any) -> Iterator[bytes]:
        yield self._body

    def close(self) -> None: ...


class _Recorded:
    """Answers with whichever recording is being read."""

    recording: Recording

    def __call__(self, request: Any, **_: Any) -> AWSResponse:
        headers = {name.decode(): value.decode() for name, value in self.recording.headers}
        body = self.recording.body
        if not self.recording.streamed and b'"content"' in body:
            body = _unlabelled(body)
        return AWSResponse(request.url, self.recording.status, headers, _Raw(body))


def _unlabelled(body: bytes) -> bytes:
    source = json.loads(body)
    for block in source["output"]["message"]["content"]:
        block.pop("type", None)
    return json.dumps(source).encode()


@functools.cache
def _client() -> tuple[Any, _Recorded]:
    """One for all recordings, since making it reads the description of the service and is slow."""
    config = Config(signature_version=UNSIGNED, retries={"max_attempts": 0})
    client = botocore.session.Session().create_client(
        "bedrock-runtime", region_name="us-east-1", endpoint_url=BASE_URL, config=config
    )
    recorded = _Recorded()
    client.meta.events.register("before-send.bedrock-runtime", recorded)
    return client, recorded


def _sdk(recording: Recording) -> Any:
    client, recorded = _client()
    recorded.recording = recording
    return client


def _whole(source: dict[str, Any]) -> Answer:
    blocks = source["output"]["message"]["content"]
    return _answer(blocks, source.get("stopReason"), source.get("usage"))


def _streamed(events: Any) -> Answer:
    """Deltas of a block add up; text blocks are never announced."""
    blocks: dict[int, dict[str, Any]] = {}
    stop: str | None = None
    usage: dict[str, Any] | None = None
    begun = False
    for event in events:
        begun = begun or "messageStart" in event
        if "contentBlockStart" in event:
            start = event["contentBlockStart"]
            blocks[start["contentBlockIndex"]] = {name: {**value} for name, value in start["start"].items()}
        elif "contentBlockDelta" in event:
            delta = event["contentBlockDelta"]
            _grow(blocks.setdefault(delta["contentBlockIndex"], {}), delta["delta"])
        elif "messageStop" in event:
            stop = event["messageStop"].get("stopReason")
        elif "metadata" in event:
            usage = event["metadata"].get("usage") or usage
    for block in blocks.values():
        if "toolUse" in block:
            block["toolUse"]["input"] = parsed(block["toolUse"].get("input", ""))
    return _answer([blocks[index] for index in sorted(blocks)], stop, usage) if begun or blocks else Answer()


def _grow(block: dict[str, Any], delta: dict[str, Any]) -> None:
    if "text" in delta:
        block["text"] = block.get("text", "") + delta["text"]
    if "toolUse" in delta:
        block["toolUse"]["input"] = block["toolUse"].get("input", "") + delta["toolUse"]["input"]
    thought = delta.get("reasoningContent")
    if thought is not None:
        reasoning = block.setdefault("reasoningContent", {})
        if "redactedContent" in thought:
            reasoning["redactedContent"] = reasoning.get("redactedContent", b"") + thought["redactedContent"]
        for name in ("text", "signature"):
            if name in thought:
                text = reasoning.setdefault("reasoningText", {"text": ""})
                text[name] = text.get(name, "") + thought[name]


def _answer(blocks: list[dict[str, Any]], stop: str | None, usage: dict[str, Any] | None) -> Answer:
    told = counted(annotations=UNCOUNTED)
    thoughts: list[str] = []
    for block in blocks:
        if "text" in block:
            told.text += block["text"]
        elif "toolUse" in block:
            call = block["toolUse"]
            told.calls.append(Call(call["name"], call["input"], call["toolUseId"]))
        elif "reasoningContent" in block:
            _reasoning(told, thoughts, block["reasoningContent"])
        elif "citationsContent" in block:
            told.text += "".join(part.get("text", "") for part in block["citationsContent"].get("content", ()))
            told.cite(_cited(block["citationsContent"]))
    told.reasoning = BETWEEN.join(thoughts)
    if stop is not None:
        told.finish = FINISH.get(stop, "stop")
        if told.calls and told.finish == "stop":
            told.finish = "tool_calls"
    return Answer({0: told}, tokens=_tokens(usage))


def _reasoning(told: Told, thoughts: list[str], reasoning: dict[str, Any]) -> None:
    text = reasoning.get("reasoningText")
    if text is not None:
        thoughts.append(text["text"])
        told.sign([text["signature"]] if text.get("signature") else ())
    if "redactedContent" in reasoning:
        told.sign([_text(reasoning["redactedContent"])])


def _text(blob: bytes) -> str:
    """Claude's hidden thoughts are text (Anthropic's own base64) in a blob."""
    return blob.decode() if blob.isascii() else base64.b64encode(blob).decode()


def _cited(content: dict[str, Any]) -> set[str]:
    places = [citation.get("location", {}).get("web", {}).get("url") for citation in content.get("citations", ())]
    return {url for url in places if url}


def _tokens(usage: dict[str, Any] | None) -> Tokens | None:
    """Everything that was read, and everything that was written."""
    if usage is None:
        return None
    cached, written = usage.get("cacheReadInputTokens", 0), usage.get("cacheWriteInputTokens", 0)
    return Tokens(
        prompt=usage["inputTokens"] + cached + written,
        cached=cached,
        cache_write=written,
        completion=usage["outputTokens"],
        reasoning=0,
    )
