"""Says what a recording of Anthropic's messages holds, by the vendor's own SDK, in the terms of `Answer`.

Of our own knowledge there are only the documented rules: how token buckets add up, and which stop reason is
which finish reason.
"""

import json
from typing import Any

from anthropic import Anthropic, APIStatusError
from anthropic.types.beta import BetaMessage, BetaUsage

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
    refusal_of,
)
from tests.support.replayed_http import BASE_URL, client

FINISH = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}
_ASKED: Any = {"model": "m", "max_tokens": 1, "messages": [{"role": "user", "content": "Hello"}]}


def read(recording: Recording) -> Answer:
    """What a 200 says. An error inside of it is an answer with `error`."""
    sdk = _sdk(recording)
    try:
        if not recording.streamed:
            return _answer(sdk.beta.messages.create(**_ASKED), ended=True)
        with sdk.beta.messages.stream(**_ASKED) as stream:
            ended = any(event.type == "message_stop" for event in stream)
            return _answer(stream.current_message_snapshot, ended=ended)
    except APIStatusError as error:
        return Answer(error=error.body)


def refusal(recording: Recording) -> Refusal:
    try:
        _sdk(recording).beta.messages.create(**_ASKED)
    except APIStatusError as error:
        body: Any = error.body
        inner = body.get("error", body) if isinstance(body, dict) else {}
        return refusal_of(error.status_code, inner.get("message"), inner.get("type"))
    raise AssertionError(f"the SDK sees no error in {recording}")


def _sdk(recording: Recording) -> Anthropic:
    return Anthropic(api_key="k", base_url=BASE_URL, http_client=client(recording), max_retries=0)


def _answer(message: BetaMessage, *, ended: bool) -> Answer:
    told = counted(annotations=UNCOUNTED)
    thoughts: list[str] = []
    for block in message.content:
        _block(told, thoughts, block.to_dict(warnings=False))
    told.reasoning = BETWEEN.join(thoughts)
    if ended and message.stop_reason is not None:
        told.finish = FINISH.get(message.stop_reason, "stop")
        if told.calls and told.finish == "stop":
            told.finish = "tool_calls"
    return Answer({0: told}, tokens=_tokens(message.usage), id=message.id or None, model=message.model)


def _block(told: Told, thoughts: list[str], block: dict[str, Any]) -> None:
    """Blocks of tools that Anthropic runs itself are steps on the way, not calls for the client."""
    kind = block["type"]
    if kind == "text":
        told.text += block["text"]
        told.cite(url for note in block.get("citations") or () if (url := note.get("url") or _searched(note)))
    elif kind == "thinking":
        thoughts.append(block["thinking"])
        told.sign([block["signature"]] if block.get("signature") else ())
    elif kind == "redacted_thinking":
        told.sign([block["data"]])
    elif kind == "tool_use":
        told.calls.append(Call(block["name"], _input(block["input"]), block["id"]))
    elif kind == "web_search_tool_result" and isinstance(block["content"], list):
        told.found |= {result["url"] for result in block["content"]}


def _searched(note: dict[str, Any]) -> str | None:
    """Results that a client's own search gave have their URL in `source`."""
    return note["source"] if note["type"] == "search_result_location" else None


def _input(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value


def _tokens(usage: BetaUsage) -> Tokens:
    """Everything that was read, and everything that was written."""
    cached, written = usage.cache_read_input_tokens or 0, usage.cache_creation_input_tokens or 0
    return Tokens(
        prompt=usage.input_tokens + cached + written,
        cached=cached,
        cache_write=written,
        completion=usage.output_tokens,
        reasoning=usage.output_tokens_details.thinking_tokens if usage.output_tokens_details else 0,
    )
