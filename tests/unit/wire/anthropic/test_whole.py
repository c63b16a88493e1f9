"""Whole answers: what they tell, and what is none."""

import json
from typing import Any

import pytest

from llmgateway.domain.errors import UpstreamError
from llmgateway.domain.reply import Chunk
from llmgateway.wire.anthropic.blocks import Mode
from llmgateway.wire.anthropic.errors import http_error
from llmgateway.wire.anthropic.whole import read_whole
from tests.unit.wire.anthropic.asking import claude
from tests.unit.wire.anthropic.streaming import STOP, ended, grown, start, wire

TEXT = {"type": "text", "text": "Hi"}


def read(body: bytes | dict[str, Any]) -> Chunk:
    return read_whole(body if isinstance(body, bytes) else json.dumps(body).encode(), to=claude(), mode=Mode())


def test_a_call_keeps_the_bytes_of_its_arguments() -> None:
    chunk = read(
        b'{"id":"msg_1","model":"claude-x","type":"message","role":"assistant","content":[{"type":"tool_use",'
        b'"id":"t","name":"f","input":{ "n": 1.50, "big": 12345678901234567890123 }}],"stop_reason":"tool_use"}'
    )
    (choice,) = chunk.choices
    (call,) = choice.delta.tool_calls or []
    assert call.function
    assert call.function.arguments == '{ "n": 1.50, "big": 12345678901234567890123 }'
    assert (choice.delta.role, choice.delta.content, choice.finish_reason) == ("assistant", None, "tool_calls")
    assert (chunk.id, chunk.reported_model, chunk.done, chunk.usage) == ("msg_1", "claude-x", True, None)


def test_an_answer_without_content_or_reason_is_an_answer_all_the_same() -> None:
    (choice,) = read({"content": [], "stop_reason": "end_turn"}).choices
    assert (choice.delta.content, choice.finish_reason) == (None, "stop")
    assert read({"content": [TEXT], "stop_reason": None}).choices[0].finish_reason == "stop"


def test_a_byte_order_mark_and_half_a_character() -> None:
    body = b'\xef\xbb\xbf {"content":[{"type":"text","text":"a\\udc00"}],"stop_reason":"end_turn"}'
    assert read(body).choices[0].delta.content == "a\ufffd"


def test_a_stream_that_calls_itself_json() -> None:
    chunk = read(wire(start(), grown(0, "text_delta", text="a"), ended(), STOP))
    assert (chunk.choices[0].delta.content, chunk.id) == ("a", "msg_1")
    with pytest.raises(UpstreamError, match="without a finish reason"):
        read(wire(start(), grown(0, "text_delta", text="a")))
    with pytest.raises(UpstreamError, match="Overloaded"):
        read(wire(start(), {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}))


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"type": "error", "error": {"type": "overloaded_error", "message": "x"}}, "upstream_error"),
        ({"type": "error", "error": {"type": "rate_limit_error", "message": "x"}}, "upstream_rate_limited"),
        ({"error": "broken", "content": 5}, "upstream_error"),
        ({"message": "no", "code": 429}, "upstream_rate_limited"),
        ({"content": [5]}, "upstream_error"),
        ({"content": [{"type": []}]}, "upstream_error"),
        ({"choices": []}, "upstream_error"),
        (b"<html>", "upstream_error"),
        (b"", "upstream_error"),
        (b"[" * 9000, "upstream_error"),
        (b'{"content":[{"type":"text","text":"\xff"}]}', "upstream_error"),
    ],
)
def test_what_is_no_answer(body: Any, kind: str) -> None:
    with pytest.raises(UpstreamError) as failure:
        read(body)
    assert failure.value.kind.name == kind


@pytest.mark.parametrize(
    ("status", "error", "kind"),
    [
        (400, {"type": "invalid_request_error", "message": "max_tokens: too big"}, "upstream_refused"),
        (400, {"type": "invalid_request_error", "message": "prompt is too long: 9 > 8 maximum"}, "upstream_context"),
        (400, {"type": "invalid_request_error", "message": "Output blocked by content filtering policy"},
         "upstream_content_filter"),
        (400, {"type": "invalid_request_error", "message": "Your credit balance is too low to access the API."},
         "upstream_quota"),
        (401, {"type": "authentication_error", "message": "invalid x-api-key"}, "upstream_auth"),
        (402, {"type": "billing_error", "message": "x"}, "upstream_quota"),
        (403, {"type": "permission_error", "message": "x"}, "upstream_forbidden"),
        (400, {"type": "invalid_request_error", "message": "tools.0: 'credit balance is too low' is no type"},
         "upstream_refused"),
        (404, {"type": "not_found_error", "message": "model: x"}, "upstream_error"),
        (413, {"type": "request_too_large", "message": "x"}, "upstream_context"),
        (429, {"type": "rate_limit_error", "message": "x"}, "upstream_rate_limited"),
        (500, {"type": "api_error", "message": "x"}, "upstream_error"),
        (529, {"type": "overloaded_error", "message": "Overloaded"}, "upstream_error"),
    ],
)  # fmt: skip
def test_errors_by_status_and_words(status: int, error: dict[str, Any], kind: str) -> None:
    body = json.dumps({"type": "error", "error": error, "request_id": "req_1"}).encode()
    failure = http_error(status, [(b"retry-after", b"7")], body, to=claude())
    assert (failure.kind.name, failure.status_code, failure.retry_after_s) == (kind, status, 7)
    assert ("invalid x-api-key" in failure.message) is False
    if kind == "upstream_refused":
        assert (failure.status, failure.code) == (400, "invalid_request_error")
