"""Google's generateContent as a provider speaks it (https://ai.google.dev/api/generate-content): a Scenario as a whole
response or as the responses of a stream, framed as server-sent events with CRLF or as one JSON array. As on the real
wire usage stands in every response, function calls come whole, there is no end marker, and the last response often has
an empty text."""

import base64
from collections.abc import Sequence

import msgspec

from llmgateway.apps.simulator.dialect import Complaint, Framing, Json
from llmgateway.apps.simulator.google.rules import PURPOSE, call_text
from llmgateway.apps.simulator.scenario import Call, Citation, Reply, Scenario
from llmgateway.apps.simulator.script import Header
from llmgateway.apps.simulator.seal import envelope, signature

CONTENT_TYPE = b"application/json; charset=UTF-8"
_FINISHES = {"stop": "STOP", "length": "MAX_TOKENS", "tool_calls": "STOP", "content_filter": "SAFETY"}
_STATUSES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    402: "FAILED_PRECONDITION",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    405: "INVALID_ARGUMENT",
    408: "CANCELLED",
    409: "ABORTED",
    413: "INVALID_ARGUMENT",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
    529: "UNAVAILABLE",
}


def framing(scenario: Scenario) -> Framing:
    if scenario.ask.given["sse"]:
        return _SSE
    return _ARRAY


_SSE = Framing(
    content_type=b"text/event-stream",
    frame=lambda _event, payload, _at: b"data: %b\r\n\r\n" % _spaced(payload),
)
_ARRAY = Framing(
    content_type=CONTENT_TYPE,
    frame=lambda _event, payload, at: (b",\r\n" if at else b"[") + payload,
    end=(b"\n]\n",),
    lines=False,
    closes=True,
)


def _spaced(payload: bytes) -> bytes:
    """The JSON on one line with a space behind colons and commas, as Google writes it; spoiled JSON as it is."""
    try:
        return msgspec.json.format(payload, indent=0)
    except msgspec.DecodeError:
        return payload


def error(complaint: Complaint, _key: str) -> tuple[Json, tuple[Header, ...]]:
    return error_body(complaint), ((b"vary", b"Origin, X-Origin, Referer"),)


def error_body(complaint: Complaint) -> Json:
    status = complaint.kind or _STATUSES.get(complaint.status, "UNKNOWN")
    code = complaint.status if complaint.status != 200 else int(complaint.code or 500)
    body: Json = {"code": code, "message": complaint.message, "status": status}
    if complaint.retry_after_s is not None:
        kind = "type.googleapis.com/google.rpc.RetryInfo"
        body["details"] = [{"@type": kind, "retryDelay": f"{complaint.retry_after_s:g}s"}]
    return {"error": body}


def headers(_: Scenario) -> tuple[Header, ...]:
    return ((b"vary", b"Origin, X-Origin, Referer"), (b"server-timing", b"gfet4t7; dur=1"))


def speaks(event: Json) -> bool:
    parts = [part for candidate in event.get("candidates", ()) for part in candidate["content"]["parts"]]
    return any(part.get("text") != "" for part in parts)


def finishes(event: Json) -> bool:
    return any("finishReason" in candidate for candidate in event.get("candidates", ()))


def body(scenario: Scenario) -> Json:
    candidates = [_candidate(reply, index, scenario) for index, reply in enumerate(scenario.replies)]
    return _envelope(scenario, [candidate for candidate in candidates if candidate], final=True)


def _candidate(reply: Reply, index: int, scenario: Scenario) -> Json:
    if reply.refusal:
        return {}
    parts = _thoughts(("".join(reply.reasoning),) if reply.reasoning else (), scenario)
    if reply.content:
        parts.append({"text": "".join(reply.content)} | ({} if reply.calls else _text_signature(reply)))
    parts += [_image(url) for url in reply.images]
    parts += _calls(reply)
    content = {"parts": parts or [{"text": ""}], "role": "model"}
    return {"content": content, "finishReason": _FINISHES[reply.finish], "index": index} | _grounding(reply)


def events(scenario: Scenario) -> list[Json]:
    found: list[Json] = []
    for index, reply in enumerate(scenario.replies):
        if reply.refusal:
            continue
        parts = _thoughts(reply.reasoning, scenario)
        parts += [{"text": piece} for piece in reply.content]
        parts += [_image(url) for url in reply.images]
        found += [_envelope(scenario, [_delta([part], index)], final=False) for part in parts]
        last = _calls(reply) or [{"text": ""} | _text_signature(reply)]
        ending = _delta(last, index) | {"finishReason": _FINISHES[reply.finish]} | _grounding(reply)
        found.append(_envelope(scenario, [ending], final=True))
    return found or [_envelope(scenario, [], final=True)]


def _delta(parts: Sequence[Json], index: int) -> Json:
    return {"content": {"parts": list(parts), "role": "model"}, "index": index}


def _envelope(scenario: Scenario, candidates: list[Json], *, final: bool) -> Json:
    """A response; one without candidates says that the prompt was blocked."""
    answer: Json = {"candidates": candidates} if candidates else {"promptFeedback": {"blockReason": "SAFETY"}}
    return {
        **answer,
        "usageMetadata": _usage(scenario, final=final),
        "modelVersion": scenario.ask.model,
        "responseId": scenario.key,
    }


def _usage(scenario: Scenario, *, final: bool) -> Json:
    """Tokens so far: thoughts are no part of the candidates' tokens."""
    tokens = scenario.usage
    found: Json = {"promptTokenCount": tokens.prompt}
    said = tokens.completion - tokens.reasoning
    if final:
        found["candidatesTokenCount"] = said
    found["totalTokenCount"] = tokens.prompt + (tokens.completion if final else 0)
    if tokens.cached:
        found["cachedContentTokenCount"] = tokens.cached
    found["promptTokensDetails"] = [{"modality": "TEXT", "tokenCount": tokens.prompt}]
    if tokens.cached:
        found["cacheTokensDetails"] = [{"modality": "TEXT", "tokenCount": tokens.cached}]
    if final and tokens.reasoning:
        found["thoughtsTokenCount"] = tokens.reasoning
    return found


def _thoughts(pieces: Sequence[str], scenario: Scenario) -> list[Json]:
    return [{"text": piece, "thought": True} for piece in pieces] if scenario.ask.given["thoughts"] else []


def _text_signature(reply: Reply) -> Json:
    if not reply.reasoning:
        return {}
    sealed = envelope("".join(reply.reasoning) + reply.redacted, purpose=PURPOSE)
    return {"thoughtSignature": base64.b64encode(sealed).decode()}


def _calls(reply: Reply) -> list[Json]:
    """The function calls; of several that were thought out together only the first has a signature."""
    parts = [_call(call) for call in reply.calls]
    if parts and reply.reasoning:
        call = parts[0]["functionCall"]
        parts[0]["thoughtSignature"] = signature(call_text(call["name"], call["args"]), purpose=PURPOSE)
    return parts


def _call(call: Call) -> Json:
    args = msgspec.json.decode(call.arguments)
    return {"functionCall": {"name": call.name, "args": args, "id": call.id.removeprefix("call_")}}


def _image(url: str) -> Json:
    kind, _, data = url.removeprefix("data:").partition(";base64,")
    return {"inlineData": {"mimeType": kind, "data": data}}


def _grounding(reply: Reply) -> Json:
    """What the search found; the places in the text are counted in bytes."""
    if not reply.citations:
        return {}
    text = "".join(reply.content)
    chunks = [{"web": {"uri": citation.url, "title": citation.title}} for citation in reply.citations]
    supports = [_support(citation, text, at) for at, citation in enumerate(reply.citations)]
    metadata = {
        "searchEntryPoint": {"renderedContent": "<div>weather in Paris</div>"},
        "groundingChunks": chunks,
        "groundingSupports": supports,
        "webSearchQueries": ["weather in Paris"],
    }
    return {"groundingMetadata": metadata}


def _support(citation: Citation, text: str, at: int) -> Json:
    start, end = (len(text[:place].encode()) for place in (citation.start, citation.end))
    segment: Json = {"startIndex": start} if start else {}
    segment |= {"endIndex": end, "text": text[citation.start : citation.end]}
    return {"segment": segment, "groundingChunkIndices": [at]}
