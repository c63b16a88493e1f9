"""OpenAI's chat protocol as a provider speaks it (https://platform.openai.com/docs/api-reference/chat): renders a
Scenario into a Script, whole or streamed, faults included. The same Scenario gives the same bytes. Bodies and events
are plain dicts here, because faults must be able to write what no type allows."""

from collections.abc import Sequence
from typing import Any

import msgspec

from llmgateway.apps.simulator import faults_openai_chat, faults_wire
from llmgateway.apps.simulator.models import model_names
from llmgateway.apps.simulator.scenario import Call, Citation, Reply, Scenario, Tokens
from llmgateway.apps.simulator.script import Data, Head, Script, Step, Wait, whole

Json = dict[str, Any]
JSON = b"application/json"
EVENT_STREAM = b"text/event-stream; charset=utf-8"
DONE = b"data: [DONE]\n\n"
_encode = msgspec.json.Encoder().encode


def refusal(
    status: int, message: str, *, kind: str = "invalid_request_error", code: str | None, param: str | None = None
) -> Script:
    """An error answer in the protocol's shape."""
    body = {"error": {"message": message, "type": kind, "param": param, "code": code}}
    return whole(status, _encode(body), content_type=JSON)


def models(*, created: int) -> Script:
    """GET /models."""
    data = [{"id": name, "object": "model", "created": created, "owned_by": "simulator"} for name in model_names()]
    return whole(200, _encode({"object": "list", "data": data}), content_type=JSON)


def answer(scenario: Scenario) -> Script:
    """The script of a chat completion."""
    if scenario.fault is not None:
        refused = faults_openai_chat.refused(scenario)
        if refused is not None:
            return refused
    return _streamed(scenario) if scenario.ask.stream else _whole(scenario)


def _whole(scenario: Scenario) -> Script:
    body = _completion(scenario)
    headers = _headers(scenario)
    if scenario.fault is None:
        steps: Script = whole(200, _encode(body), content_type=JSON, headers=headers)
    else:
        data = faults_openai_chat.body(body, scenario)
        steps = whole(200, data, content_type=JSON, headers=headers)
        steps = faults_wire.befall(steps, fault=scenario.fault, streamed=False)
    tokens = max(scenario.usage.completion - 1, 0)
    pause = scenario.first_token_s + scenario.per_token_s * tokens
    return (Wait(pause), *steps) if pause > 0 else steps


def _streamed(scenario: Scenario) -> Script:
    events = _events(scenario)
    scenario = _before_finish(scenario, events)
    if scenario.fault is None:
        frames = [*[b"data: %b\n\n" % _encode(event) for event in events], DONE]
    else:
        events = faults_openai_chat.events(events, scenario)
        frames = faults_openai_chat.frames([*[b"data: %b\n\n" % _encode(event) for event in events], DONE], scenario)
        frames = faults_wire.frames(frames, fault=scenario.fault)
    head = Head(200, ((b"content-type", EVENT_STREAM), *_headers(scenario)))
    steps: Script = (head, *_paced(frames, scenario))
    return steps if scenario.fault is None else faults_wire.befall(steps, fault=scenario.fault, streamed=True)


def _before_finish(scenario: Scenario, events: Sequence[Json]) -> Scenario:
    """With the place of a fault in mid-stream moved before the first finish, so that it leaves the answer
    incomplete."""
    fault = scenario.fault
    if fault is None or not events:
        return scenario
    finish = next(at for at, event in enumerate(events) if event["choices"][0]["finish_reason"] is not None)
    if fault.after <= finish:
        return scenario
    return msgspec.structs.replace(scenario, fault=msgspec.structs.replace(fault, after=finish))


def _headers(scenario: Scenario) -> tuple[tuple[bytes, bytes], ...]:
    return ((b"x-request-id", b"req_" + scenario.key.encode()), (b"openai-version", b"2020-10-01"))


def _paced(frames: Sequence[bytes], scenario: Scenario) -> list[Step]:
    """The frames with the pauses between them; what ends the stream follows the last token at once."""
    first_s, per_token_s = scenario.first_token_s, scenario.per_token_s
    finish = len(frames) - (3 if scenario.ask.include_usage else 2)
    if not first_s and not per_token_s:
        return [Data(frame) for frame in frames]
    steps: list[Step] = [Wait(first_s)] if first_s else []
    for position, frame in enumerate(frames):
        if per_token_s and 1 < position < finish:
            steps.append(Wait(per_token_s))
        steps.append(Data(frame))
    return steps


def _completion(scenario: Scenario) -> Json:
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


def _events(scenario: Scenario) -> list[Json]:
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
    events: list[Json] = []
    for index, reply in enumerate(scenario.replies):
        for delta, logprobs in _deltas(reply, scenario):
            choice = {"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": None}
            events.append({**envelope, "choices": [choice]})
        last: Json = {"index": index, "delta": {}, "logprobs": None, "finish_reason": _finish(reply, scenario)}
        events.append({**envelope, "choices": [last]})
    return events + tail


def _deltas(reply: Reply, scenario: Scenario) -> list[tuple[Json, Json | None]]:
    """Each delta of a choice with its logprobs."""
    opening: Json = {"role": "assistant", "content": None if reply.calls else "", "refusal": None}
    deltas: list[tuple[Json, Json | None]] = [(opening, None)]
    deltas += [({"reasoning": piece, "reasoning_details": [_thought(piece)]}, None) for piece in reply.reasoning]
    if reply.reasoning:
        deltas.append(({"reasoning_details": [_thought("") | {"signature": reply.signature}]}, None))
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
        pieces = [call.arguments[at : at + 8] for at in range(0, len(call.arguments), 8)]
        if legacy:
            deltas.append({"function_call": {"name": call.name, "arguments": ""}})
            deltas += [{"function_call": {"arguments": piece}} for piece in pieces]
        else:
            opening = {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": ""}}
            deltas.append({"tool_calls": [{"index": index, **opening}]})
            deltas += [{"tool_calls": [{"index": index, "function": {"arguments": piece}}]} for piece in pieces]
    return deltas
