"""OpenAI's chat protocol as a provider speaks it (https://platform.openai.com/docs/api-reference/chat): a Scenario as
a whole body or as the events of a stream."""

import base64
from collections.abc import Sequence

import msgspec

from llmgateway.apps.simulator.dialect import JSON, Complaint, Framing, Json
from llmgateway.apps.simulator.models import model_names
from llmgateway.apps.simulator.replies import SIGNED
from llmgateway.apps.simulator.scenario import Call, Citation, Reply, Scenario, Tokens
from llmgateway.apps.simulator.script import Header, Script, whole
from llmgateway.apps.simulator.seal import envelope
from llmgateway.apps.simulator.text import argument_pieces

DONE = b"data: [DONE]\n\n"
FRAMING = Framing(
    content_type=b"text/event-stream; charset=utf-8",
    frame=lambda _event, payload, _at: b"data: %b\n\n" % payload,
    end=(DONE,),
)


def error(complaint: Complaint, key: str) -> tuple[Json, tuple[Header, ...]]:
    """An error answer: its body and headers."""
    return error_body(complaint), ((b"x-request-id", b"req_" + key.encode()),)


def error_body(complaint: Complaint) -> Json:
    kind = complaint.kind or "invalid_request_error"
    body = {"message": complaint.message, "type": kind, "param": complaint.param, "code": complaint.code}
    return {"error": body}


def models(*, created: int) -> Script:
    """GET /models."""
    data = [{"id": name, "object": "model", "created": created, "owned_by": "simulator"} for name in model_names()]
    return whole(200, msgspec.json.encode({"object": "list", "data": data}), content_type=JSON)


def headers(scenario: Scenario) -> tuple[Header, ...]:
    return ((b"x-request-id", b"req_" + scenario.key.encode()), (b"openai-version", b"2020-10-01"))


def speaks(event: Json) -> bool:
    return any(choice["delta"] and "role" not in choice["delta"] for choice in event["choices"])


def finishes(event: Json) -> bool:
    return any(choice["finish_reason"] is not None for choice in event["choices"])


def body(scenario: Scenario) -> Json:
    return {
        "id": f"chatcmpl-{scenario.key}",
        "object": "chat.completion",
        "created": scenario.created,
        "model": scenario.ask.model,
        "choices": [_choice(reply, index, scenario) for index, reply in enumerate(scenario.replies)],
        "usage": usage_of(scenario.usage),
        "service_tier": "default",
        "system_fingerprint": "fp_simulator",
    }


def usage_of(tokens: Tokens) -> Json:
    prompt: Json = {"cached_tokens": tokens.cached, "audio_tokens": 0}
    if tokens.cache_write:
        prompt["cache_write_tokens"] = tokens.cache_write
    return {
        "prompt_tokens": tokens.prompt,
        "completion_tokens": tokens.completion,
        "total_tokens": tokens.prompt + tokens.completion,
        "prompt_tokens_details": prompt,
        "completion_tokens_details": {
            "reasoning_tokens": tokens.reasoning,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def _choice(reply: Reply, index: int, scenario: Scenario) -> Json:
    silent = not reply.content and bool(reply.calls or reply.refusal or reply.images)
    message: Json = {
        "role": "assistant",
        "content": None if silent else "".join(reply.content),
        "refusal": "".join(reply.refusal) if reply.refusal else None,
        "annotations": [_annotation(citation) for citation in reply.citations],
    }
    if reply.reasoning:
        text = "".join(reply.reasoning)
        message["reasoning"] = text
        message["reasoning_details"] = [_thought(text) | {"signature": reply.signature}]
    if reply.redacted:
        message["reasoning_details"] = [*message.get("reasoning_details", ()), _hidden(reply)]
    if reply.calls and scenario.ask.legacy_functions:
        message["function_call"] = {"name": reply.calls[0].name, "arguments": reply.calls[0].arguments}
    elif reply.calls:
        message["tool_calls"] = [_tool_call(call) for call in reply.calls]
    if reply.images:
        message["images"] = [_image(url) for url in reply.images]
    logprobs = None
    if scenario.ask.top_logprobs is not None and reply.content:
        logprobs = _logprobs(reply.content, top=scenario.ask.top_logprobs)
    return {"index": index, "message": message, "logprobs": logprobs, "finish_reason": _finish(reply, scenario)}


def _finish(reply: Reply, scenario: Scenario) -> str:
    legacy = reply.finish == "tool_calls" and scenario.ask.legacy_functions
    return "function_call" if legacy else reply.finish


def _tool_call(call: Call) -> Json:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}


def _thought(text: str) -> Json:
    return {"type": "reasoning.text", "text": text, "format": "simulator-v1", "index": 0}


def _hidden(reply: Reply) -> Json:
    data = base64.b64encode(envelope(reply.redacted, purpose=SIGNED)).decode()
    return {"type": "reasoning.encrypted", "data": data, "format": "simulator-v1", "index": 1}


def _image(url: str) -> Json:
    return {"type": "image_url", "image_url": {"url": url}}


def _annotation(citation: Citation) -> Json:
    place = {"url": citation.url, "title": citation.title, "start_index": citation.start, "end_index": citation.end}
    return {"type": "url_citation", "url_citation": place}


def _logprobs(pieces: Sequence[str], *, top: int) -> Json:
    return {"content": [_logprob(piece, top=top) for piece in pieces], "refusal": None}


def _logprob(piece: str, *, top: int) -> Json:
    rows = [_likelihood(piece if rank == 0 else f"{piece}{rank}", -0.1 - rank) for rank in range(max(top, 1))]
    return rows[0] | {"top_logprobs": rows[:top]}


def _likelihood(token: str, logprob: float) -> Json:
    return {"token": token, "logprob": logprob, "bytes": list(token.encode())}


def events(scenario: Scenario) -> list[Json]:
    """The chunks of the stream: of each choice the role, its deltas and its finish, then the usage."""
    envelope: Json = {
        "id": f"chatcmpl-{scenario.key}",
        "object": "chat.completion.chunk",
        "created": scenario.created,
        "model": scenario.ask.model,
        "service_tier": "default",
        "system_fingerprint": "fp_simulator",
    }
    if scenario.ask.include_usage:
        tail: list[Json] = [envelope | {"choices": [], "usage": usage_of(scenario.usage)}]
        envelope["usage"] = None
    else:
        tail = []
    chunks: list[Json] = []
    for index, reply in enumerate(scenario.replies):
        for delta, logprobs in _deltas(reply, scenario):
            choice = {"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": None}
            chunks.append({**envelope, "choices": [choice]})
        last: Json = {"index": index, "delta": {}, "logprobs": None, "finish_reason": _finish(reply, scenario)}
        chunks.append({**envelope, "choices": [last]})
    return chunks + tail


def _deltas(reply: Reply, scenario: Scenario) -> list[tuple[Json, Json | None]]:
    """Each delta of a choice with its logprobs."""
    opening: Json = {"role": "assistant", "content": None if reply.calls else "", "refusal": None}
    deltas: list[tuple[Json, Json | None]] = [(opening, None)]
    deltas += [({"reasoning": piece, "reasoning_details": [_thought(piece)]}, None) for piece in reply.reasoning]
    if reply.reasoning:
        deltas.append(({"reasoning_details": [_thought("") | {"signature": reply.signature}]}, None))
    if reply.redacted:
        deltas.append(({"reasoning_details": [_hidden(reply)]}, None))
    top = scenario.ask.top_logprobs
    deltas += [({"content": piece}, None if top is None else _logprobs((piece,), top=top)) for piece in reply.content]
    deltas += [({"refusal": piece}, None) for piece in reply.refusal]
    deltas += [(delta, None) for delta in _call_deltas(reply.calls, legacy=scenario.ask.legacy_functions)]
    deltas += [({"images": [_image(url) | {"index": i}]}, None) for i, url in enumerate(reply.images)]
    deltas += [({"annotations": [_annotation(it) | {"index": i}]}, None) for i, it in enumerate(reply.citations)]
    return deltas


def _call_deltas(calls: Sequence[Call], *, legacy: bool) -> list[Json]:
    """Index, id and name once per call, then its arguments in pieces."""
    deltas: list[Json] = []
    for index, call in enumerate(calls[:1] if legacy else calls):
        pieces = argument_pieces(call.arguments)
        if legacy:
            deltas.append({"function_call": {"name": call.name, "arguments": ""}})
            deltas += [{"function_call": {"arguments": piece}} for piece in pieces]
        else:
            opening = {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": ""}}
            deltas.append({"tool_calls": [{"index": index, **opening}]})
            deltas += [{"tool_calls": [{"index": index, "function": {"arguments": piece}}]} for piece in pieces]
    return deltas
