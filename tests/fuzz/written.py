"""Answers of each protocol, written here: one or two of each kind there is, streamed and whole, small."""

import json
import struct
import zlib
from typing import Any


def events(*payloads: Any, named: bool = False, done: bool = False) -> bytes:
    """Server-sent events. `named`: each has its type as its name."""
    lines: list[str] = []
    for payload in payloads:
        name = f"event: {payload['type']}\n" if named else ""
        lines.append(f"{name}data: {json.dumps(payload)}\n\n")
    return ("".join(lines) + ("data: [DONE]\n\n" if done else "")).encode()


def frame(headers: dict[str, str], payload: bytes) -> bytes:
    """One message of an AWS event stream (docs.aws.amazon.com/lexv2/latest/dg/event-stream-encoding.html)."""
    encoded = b"".join(
        bytes([len(name)]) + name.encode() + b"\x07" + struct.pack(">H", len(value)) + value.encode()
        for name, value in headers.items()
    )
    prelude = struct.pack(">II", 16 + len(encoded) + len(payload), len(encoded))
    prelude += struct.pack(">I", zlib.crc32(prelude))
    message = prelude + encoded + payload
    return message + struct.pack(">I", zlib.crc32(message))


def aws(kind: str, payload: Any, *, message_type: str = "event") -> bytes:
    name = ":event-type" if message_type == "event" else ":exception-type"
    headers = {name: kind, ":content-type": "application/json", ":message-type": message_type}
    return frame(headers, json.dumps(payload).encode())


def _chunk(delta: dict[str, Any], finish: str | None = None, **more: Any) -> dict[str, Any]:
    return {"id": "c", "model": "m", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}], **more}


_CALL = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "f", "arguments": '{"a":'}}
_MORE = {"index": 0, "function": {"arguments": " 1}"}}
_USAGE = {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12}
_CHAT_STREAMS = (
    events(_chunk({"role": "assistant", "content": ""}), _chunk({"content": "Hi"}), _chunk({}, "stop"),
           {"choices": [], "usage": _USAGE}, done=True),
    events(_chunk({"role": "assistant", "tool_calls": [_CALL]}), _chunk({"tool_calls": [_MORE]}),
           _chunk({}, "tool_calls", usage=_USAGE), done=True),
    events(_chunk({"content": "<think>Hm"}), _chunk({"content": ".</thi"}), _chunk({"content": "nk>Yes."}),
           _chunk({"reasoning_content": "x", "annotations": [{}]}, "stop", citations=["https://a.example"]), done=True),
    events(_chunk({"content": "Hi"}), {"error": {"message": "overloaded", "code": 529}}),
)  # fmt: skip
_CHAT_WHOLE = (
    json.dumps({"id": "c", "model": "m", "usage": _USAGE, "choices": [
        {"index": 0, "message": {"role": "assistant", "content": "<think>Hm</think>Yes", "tool_calls": [_CALL]},
         "finish_reason": "stop"}], "citations": ["https://a.example"]}).encode(),
    b'{"error":{"message":"no","type":"invalid_request_error"}}',
)  # fmt: skip
_ANTHROPIC_MESSAGE = {
    "id": "msg_1", "type": "message", "role": "assistant", "model": "m", "stop_reason": "tool_use",
    "stop_sequence": None, "content": [
        {"type": "thinking", "thinking": "Hm", "signature": "c2ln"}, {"type": "redacted_thinking", "data": "eA=="},
        {"type": "text", "text": "Hi", "citations": [{"type": "web_search_result_location", "url": "https://a.example",
                                                      "title": "A", "cited_text": "x", "encrypted_index": "e"}]},
        {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"a": 1}},
        {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"query": "x"}},
        {"type": "web_search_tool_result", "tool_use_id": "s", "content": [
            {"type": "web_search_result", "url": "https://a.example", "title": "A", "encrypted_content": "e"}]},
    ],
    "usage": {"input_tokens": 5, "output_tokens": 7, "cache_read_input_tokens": 1, "cache_creation_input_tokens": 2},
}  # fmt: skip


def _block(index: int, block: dict[str, Any], *deltas: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"type": "content_block_start", "index": index, "content_block": block},
        *[{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas],
        {"type": "content_block_stop", "index": index},
    ]


_ANTHROPIC_STREAMS = (
    events(
        {"type": "message_start", "message": {**_ANTHROPIC_MESSAGE, "content": [], "stop_reason": None}},
        *_block(0, {"type": "thinking", "thinking": "", "signature": ""},
                {"type": "thinking_delta", "thinking": "Hm"}, {"type": "signature_delta", "signature": "c2ln"}),
        {"type": "ping"},
        *_block(1, {"type": "text", "text": ""}, {"type": "text_delta", "text": "Hi"}),
        *_block(2, {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}},
                {"type": "input_json_delta", "partial_json": ""},
                {"type": "input_json_delta", "partial_json": '{"a":1}'}),
        {"type": "message_delta", "delta": {"stop_reason": "tool_use", "stop_sequence": None},
         "usage": {"output_tokens": 7}},
        {"type": "message_stop"},
        named=True,
    ),
    events({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}, named=True),
)  # fmt: skip
_GOOGLE_PARTS: list[dict[str, Any]] = [
    {"text": "Hm", "thought": True, "thoughtSignature": "c2ln"}, {"text": "Hi"},
    {"functionCall": {"name": "f", "args": {"a": 1}}, "thoughtSignature": "c2ln"},
    {"inlineData": {"mimeType": "image/png", "data": "eA=="}},
]  # fmt: skip
_GOOGLE_USAGE = {"promptTokenCount": 5, "candidatesTokenCount": 7, "thoughtsTokenCount": 2, "totalTokenCount": 14}


def _google(parts: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    grounding = {"groundingChunks": [{"web": {"uri": "https://a.example", "title": "A"}}],
                 "groundingSupports": [{"segment": {"startIndex": 0, "endIndex": 2}, "groundingChunkIndices": [0]}],
                 "webSearchQueries": ["x"]}  # fmt: skip
    candidate = {"content": {"role": "model", "parts": parts}, "index": 0, "groundingMetadata": grounding, **more}
    return {"candidates": [candidate], "usageMetadata": _GOOGLE_USAGE, "modelVersion": "m", "responseId": "r"}


_GOOGLE_STREAMS = (
    events(*[_google([part]) for part in _GOOGLE_PARTS], _google([{"text": ""}], finishReason="STOP")).replace(
        b"\n", b"\r\n"
    ),
    events({"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": _GOOGLE_USAGE}),
    events(_google([{"text": "Hi"}]), {"error": {"code": 503, "message": "overloaded", "status": "UNAVAILABLE"}}),
)
_ITEMS: list[dict[str, Any]] = [
    {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Hm"}], "encrypted_content": "e"},
    {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [
        {"type": "output_text", "text": "Hi", "annotations": [
            {"type": "url_citation", "url": "https://a.example", "title": "A", "start_index": 0, "end_index": 2}]},
        {"type": "refusal", "refusal": "No"}]},
    {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "f", "arguments": '{"a":1}',
     "status": "completed"},
    {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search", "query": "x"}},
]  # fmt: skip
_RESPONSE = {
    "id": "resp_1", "object": "response", "status": "completed", "model": "m", "output": _ITEMS,
    "usage": {"input_tokens": 5, "output_tokens": 7, "total_tokens": 12, "input_tokens_details": {"cached_tokens": 1},
              "output_tokens_details": {"reasoning_tokens": 2}},
}  # fmt: skip
_AT = {"output_index": 1, "content_index": 0, "item_id": "msg_1"}
_RESPONSE_EVENTS: list[dict[str, Any]] = [
    {"type": "response.created", "response": {**_RESPONSE, "status": "in_progress", "output": []}},
    *[{"type": f"response.output_item.{step}", "output_index": index, "item": item}
      for index, item in enumerate(_ITEMS) for step in ("added", "done")],
    {"type": "response.reasoning_summary_text.delta", "output_index": 0, "summary_index": 0, "item_id": "rs_1",
     "delta": "Hm"},
    {"type": "response.output_text.delta", **_AT, "delta": "Hi", "obfuscation": "xx"},
    {"type": "response.output_text.annotation.added", **_AT, "annotation_index": 0,
     "annotation": {"type": "url_citation", "url": "https://a.example", "title": "A", "start_index": 0,
                    "end_index": 2}},
    {"type": "response.refusal.delta", **_AT, "delta": "No"},
    {"type": "response.function_call_arguments.delta", "output_index": 2, "item_id": "fc_1", "delta": '{"a":1}'},
    {"type": "keepalive"},
]  # fmt: skip
_RESPONSES_STREAMS = (
    events(*_RESPONSE_EVENTS, {"type": "response.completed", "response": _RESPONSE}, named=True),
    events(_RESPONSE_EVENTS[0], {"type": "response.incomplete", "response": {
        **_RESPONSE, "status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}}, named=True),
    events({"type": "error", "code": "server_is_overloaded", "message": "no"}, named=True),
    events({"type": "response.failed", "response": {**_RESPONSE, "status": "failed", "error": {
        "code": "rate_limit_exceeded", "message": "no"}}}, named=True),
)  # fmt: skip
_BEDROCK_USAGE = {"usage": {"inputTokens": 5, "outputTokens": 7, "totalTokens": 12}, "metrics": {"latencyMs": 1}}
_BEDROCK_STREAMS = (
    aws("messageStart", {"role": "assistant", "p": "ab"})
    + aws("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"reasoningContent": {"text": "Hm"}}})
    + aws("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"reasoningContent": {"signature": "c2ln"}}})
    + aws("contentBlockStop", {"contentBlockIndex": 0})
    + aws("contentBlockDelta", {"contentBlockIndex": 1, "delta": {"text": "Hi"}})
    + aws("contentBlockStop", {"contentBlockIndex": 1})
    + aws("contentBlockStart", {"contentBlockIndex": 2, "start": {"toolUse": {"toolUseId": "t", "name": "f"}}})
    + aws("contentBlockDelta", {"contentBlockIndex": 2, "delta": {"toolUse": {"input": '{"a":1}'}}})
    + aws("contentBlockStop", {"contentBlockIndex": 2})
    + aws("messageStop", {"stopReason": "tool_use"})
    + aws("metadata", _BEDROCK_USAGE),
    aws("messageStart", {"role": "assistant"})
    + aws("throttlingException", {"message": "Too many requests"}, message_type="exception"),
)
_BEDROCK_WHOLE = json.dumps({"output": {"message": {"role": "assistant", "content": [
    {"reasoningContent": {"reasoningText": {"text": "Hm", "signature": "c2ln"}}}, {"text": "Hi"},
    {"reasoningContent": {"redactedContent": "eA=="}},
    {"toolUse": {"toolUseId": "t", "name": "f", "input": {"a": 1}}}]}},
    "stopReason": "end_turn", **_BEDROCK_USAGE}).encode()  # fmt: skip
_COHERE_USAGE = {
    "billed_units": {"input_tokens": 5, "output_tokens": 7},
    "tokens": {"input_tokens": 5, "output_tokens": 7},
}
_COHERE_CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}


def _cohere(kind: str, message: Any, **more: Any) -> dict[str, Any]:
    return {"type": kind, "index": 0, "delta": {"message": message, **more}}


_COHERE_STREAMS = (
    events(
        {"type": "message-start", "id": "i", "delta": {"message": {"role": "assistant"}}},
        _cohere("tool-plan-delta", {"tool_plan": "Hm"}),
        _cohere("content-start", {"content": {"type": "text", "text": ""}}),
        _cohere("content-delta", {"content": {"text": "Hi"}}),
        _cohere("content-end", None),
        _cohere("citation-start", {"citations": {"start": 0, "end": 2, "text": "Hi", "sources": [
            {"type": "tool", "id": "t"}]}}),
        _cohere("tool-call-start", {"tool_calls": _COHERE_CALL}),
        _cohere("tool-call-delta", {"tool_calls": {"function": {"arguments": "{}"}}}),
        _cohere("tool-call-end", None),
        {"type": "message-end", "delta": {"finish_reason": "TOOL_CALL", "usage": _COHERE_USAGE}},
        named=True,
    ),
)  # fmt: skip
_COHERE_WHOLE = json.dumps({"id": "i", "finish_reason": "COMPLETE", "usage": _COHERE_USAGE, "message": {
    "role": "assistant", "content": [{"type": "thinking", "thinking": "Hm"}, {"type": "text", "text": "Hi"}],
    "tool_plan": "p", "tool_calls": [_COHERE_CALL], "citations": [
        {"start": 0, "end": 2, "text": "Hi", "sources": [
            {"type": "document", "id": "d", "document": {}}]}]}}).encode()  # fmt: skip

CHAT_STREAMS, CHAT_WHOLES = _CHAT_STREAMS, _CHAT_WHOLE
ANTHROPIC_STREAMS, ANTHROPIC_WHOLES = _ANTHROPIC_STREAMS, (json.dumps(_ANTHROPIC_MESSAGE).encode(),)
GOOGLE_STREAMS = _GOOGLE_STREAMS
GOOGLE_WHOLES = (json.dumps(_google(_GOOGLE_PARTS, finishReason="STOP")).encode(),)
RESPONSES_STREAMS, RESPONSES_WHOLES = _RESPONSES_STREAMS, (json.dumps(_RESPONSE).encode(),)
BEDROCK_STREAMS, BEDROCK_WHOLES = _BEDROCK_STREAMS, (_BEDROCK_WHOLE,)
COHERE_STREAMS, COHERE_WHOLES = _COHERE_STREAMS, (_COHERE_WHOLE,)
