"""Anthropic's messages protocol as a provider speaks it (https://docs.claude.com/en/api/messages,
https://docs.claude.com/en/docs/build-with-claude/streaming): a Scenario as a whole message or as the events of a
stream. As on the real wire there is white space before the last brace of an event, a ping behind the first block's
start, an empty first piece of a tool's input, and usage both at the start and at the end."""

import base64
from collections.abc import Sequence

import msgspec

from llmgateway.apps.simulator.anthropic.rules import PURPOSE
from llmgateway.apps.simulator.dialect import Complaint, Framing, Json
from llmgateway.apps.simulator.scenario import Call, Citation, Reply, Scenario
from llmgateway.apps.simulator.script import Header
from llmgateway.apps.simulator.seal import envelope, signature
from llmgateway.apps.simulator.text import argument_pieces

_MAX_PADDING = 15
_PING: Json = {"type": "ping"}
_STOPS = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use", "content_filter": "refusal"}
_KINDS = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    405: "invalid_request_error",
    408: "timeout_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    529: "overloaded_error",
}


def _frame(event: Json, payload: bytes, at: int) -> bytes:
    if event == _PING:
        return b'event: ping\ndata: {"type": "ping"}\n\n'
    padding = b" " * (at * 7 % _MAX_PADDING)
    if payload.endswith(b"}"):
        payload = payload[:-1] + padding + b"}"
    return b"event: %b\ndata: %b\n\n" % (str(event["type"]).encode(), payload)


FRAMING = Framing(content_type=b"text/event-stream; charset=utf-8", frame=_frame)


def error(complaint: Complaint, key: str) -> tuple[Json, tuple[Header, ...]]:
    request_id = f"req_{key}"
    body = error_body(complaint) | {"request_id": request_id}
    return body, ((b"request-id", request_id.encode()),)


def error_body(complaint: Complaint) -> Json:
    kind = complaint.kind or _KINDS.get(complaint.status, "api_error")
    return {"type": "error", "error": {"type": kind, "message": complaint.message}}


def headers(scenario: Scenario) -> tuple[Header, ...]:
    return ((b"request-id", b"req_" + scenario.key.encode()), (b"anthropic-organization-id", b"simulator"))


def speaks(event: Json) -> bool:
    return event["type"] == "content_block_delta"


def finishes(event: Json) -> bool:
    return event["type"] == "message_delta" and event["delta"]["stop_reason"] is not None


def body(scenario: Scenario) -> Json:
    reply = scenario.replies[0]
    return {
        "model": scenario.ask.model,
        "id": f"msg_{scenario.key}",
        "type": "message",
        "role": "assistant",
        "content": [block for block, _, _ in _blocks(reply, key=scenario.key)],
        "stop_reason": _stop(reply),
        "stop_sequence": reply.stopped,
        "stop_details": None,
        "usage": _usage(scenario, final=True),
    }


def events(scenario: Scenario) -> list[Json]:
    reply = scenario.replies[0]
    opening: Json = body(scenario) | {"content": [], "stop_reason": None, "stop_sequence": None}
    opening["usage"] = _usage(scenario, final=False)
    found: list[Json] = [{"type": "message_start", "message": opening}]
    for index, (_, start, deltas) in enumerate(_blocks(reply, key=scenario.key)):
        found.append({"type": "content_block_start", "index": index, "content_block": start})
        if index == 0:
            found.append(_PING)
        found += [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
        found.append({"type": "content_block_stop", "index": index})
    ending = {"stop_reason": _stop(reply), "stop_sequence": reply.stopped, "stop_details": None}
    usage = {name: count for name, count in _usage(scenario, final=True).items() if name not in _ONLY_FIRST}
    return [*found, {"type": "message_delta", "delta": ending, "usage": usage}, {"type": "message_stop"}]


_ONLY_FIRST = ("cache_creation", "service_tier", "inference_geo")


def _stop(reply: Reply) -> str:
    if reply.refusal:
        return "refusal"
    return "stop_sequence" if reply.stopped is not None and reply.finish == "stop" else _STOPS[reply.finish]


def _usage(scenario: Scenario, *, final: bool) -> Json:
    """Tokens as counted at the start of a message, or at its end."""
    tokens = scenario.usage
    counts: Json = {
        "input_tokens": max(tokens.prompt - tokens.cached - tokens.cache_write, 0),
        "cache_creation_input_tokens": tokens.cache_write,
        "cache_read_input_tokens": tokens.cached,
        "cache_creation": {"ephemeral_5m_input_tokens": tokens.cache_write, "ephemeral_1h_input_tokens": 0},
        "output_tokens": tokens.completion if final else min(1, tokens.completion),
        "service_tier": "standard",
        "inference_geo": "global",
    }
    if final and tokens.reasoning:
        counts["output_tokens_details"] = {"thinking_tokens": tokens.reasoning}
    if final and scenario.replies[0].citations:
        counts["server_tool_use"] = {"web_search_requests": 1, "web_fetch_requests": 0}
    return counts


def _blocks(reply: Reply, *, key: str) -> list[tuple[Json, Json, list[Json]]]:
    """Each content block: whole, as it starts in a stream, and the deltas that follow."""
    found: list[tuple[Json, Json, list[Json]]] = []
    if reply.reasoning:
        found.append(_thinking(reply.reasoning))
    if reply.redacted:
        data = base64.b64encode(envelope(reply.redacted, purpose=PURPOSE)).decode()
        hidden: Json = {"type": "redacted_thinking", "data": data}
        found.append((hidden, hidden, []))
    if reply.citations:
        found += _searched(reply.citations, key=key)
    texts = reply.content or reply.refusal
    if texts or not reply.calls:
        found.append(_text(texts, reply.citations))
    return [*found, *[_tool_use(call) for call in reply.calls]]


def _thinking(pieces: Sequence[str]) -> tuple[Json, Json, list[Json]]:
    text = "".join(pieces)
    sealed = signature(text, purpose=PURPOSE)
    deltas: list[Json] = [{"type": "thinking_delta", "thinking": piece} for piece in pieces]
    deltas.append({"type": "signature_delta", "signature": sealed})
    start: Json = {"type": "thinking", "thinking": "", "signature": ""}
    return {"type": "thinking", "thinking": text, "signature": sealed}, start, deltas


def _text(pieces: Sequence[str], citations: Sequence[Citation]) -> tuple[Json, Json, list[Json]]:
    text = "".join(pieces)
    if not citations:
        deltas: list[Json] = [{"type": "text_delta", "text": piece} for piece in pieces]
        return {"type": "text", "text": text}, {"type": "text", "text": ""}, deltas
    cited = [_citation(citation, text=text) for citation in citations]
    deltas = [{"type": "citations_delta", "citation": citation} for citation in cited]
    deltas += [{"type": "text_delta", "text": piece} for piece in pieces]
    whole: Json = {"citations": cited, "type": "text", "text": text}
    return whole, {"citations": [], "type": "text", "text": ""}, deltas


def _citation(citation: Citation, *, text: str) -> Json:
    return {
        "type": "web_search_result_location",
        "cited_text": text[citation.start : citation.end][:150],
        "url": citation.url,
        "title": citation.title,
        "encrypted_index": signature(citation.url, purpose=PURPOSE),
    }


def _searched(citations: Sequence[Citation], *, key: str) -> list[tuple[Json, Json, list[Json]]]:
    """The search on the provider's side that found what is cited."""
    use_id, query = f"srvtoolu_{key}", '{"query":"weather in Paris"}'
    call: Json = {"type": "server_tool_use", "id": use_id, "name": "web_search"}
    deltas: list[Json] = [{"type": "input_json_delta", "partial_json": piece} for piece in ("", query)]
    results = [
        {
            "type": "web_search_result",
            "title": citation.title,
            "url": citation.url,
            "encrypted_content": base64.b64encode(envelope(citation.title, purpose=PURPOSE)).decode(),
            "page_age": None,
        }
        for citation in citations
    ]
    found: Json = {"type": "web_search_tool_result", "tool_use_id": use_id, "content": results}
    return [(call | {"input": msgspec.json.decode(query)}, call | {"input": {}}, deltas), (found, found, [])]


def _tool_use(call: Call) -> tuple[Json, Json, list[Json]]:
    use: Json = {"type": "tool_use", "id": f"toolu_{call.id.removeprefix('call_')}", "name": call.name}
    pieces = ["", *argument_pieces(call.arguments)]
    deltas: list[Json] = [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]
    return use | {"input": msgspec.json.decode(call.arguments)}, use | {"input": {}}, deltas
