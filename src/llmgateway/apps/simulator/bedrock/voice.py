"""Bedrock's converse protocol as a provider speaks it
(https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html): a Scenario as a whole answer
or as the events of a stream. As on the real wire text has no contentBlockStart, `p` pads each event to hide its length,
metadata comes behind messageStop, and the base64 of redacted thinking is wrapped in base64 once more. An event here is
an object of its type and its payload."""

import base64
from collections.abc import Sequence

import msgspec

from llmgateway.apps.simulator.bedrock.eventstream import message
from llmgateway.apps.simulator.bedrock.rules import PURPOSE
from llmgateway.apps.simulator.dialect import Complaint, Framing, Json
from llmgateway.apps.simulator.scenario import Citation, Reply, Scenario
from llmgateway.apps.simulator.script import Header
from llmgateway.apps.simulator.seal import envelope, signature
from llmgateway.apps.simulator.text import argument_pieces

_PADDING = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
_STOPS = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use", "content_filter": "content_filtered"}
_CLASSES = {
    400: "ValidationException",
    401: "UnrecognizedClientException",
    402: "AccessDeniedException",
    403: "AccessDeniedException",
    404: "ResourceNotFoundException",
    408: "ModelTimeoutException",
    409: "ConflictException",
    413: "ValidationException",
    429: "ThrottlingException",
    500: "InternalServerException",
    503: "ServiceUnavailableException",
    529: "ServiceUnavailableException",
}
_EXCEPTION = "Exception"


def _frame(event: Json, payload: bytes, _at: int) -> bytes:
    """The payload is the event's JSON, or that spoiled: the type is taken out of it again."""
    name = next(iter(event))
    failed = name.endswith(_EXCEPTION)
    listed = payload.startswith(b"[")
    inner = payload.strip(b"[]") if listed else payload
    inner = inner.removeprefix(b'{"%b":' % name.encode()).removesuffix(b"}")
    inner = b"[%b]" % inner if listed else inner
    kind = ":exception-type" if failed else ":event-type"
    sort = "exception" if failed else "event"
    return message(((kind, name), (":content-type", "application/json"), (":message-type", sort)), inner)


FRAMING = Framing(content_type=b"application/vnd.amazon.eventstream", frame=_frame, lines=False)


def error(complaint: Complaint, key: str) -> tuple[Json, tuple[Header, ...]]:
    """The class of an error stands in a header."""
    name = complaint.kind or _CLASSES.get(complaint.status, "ValidationException")
    where = f"{name}:http://internal.amazon.com/coral/com.amazon.bedrock/"
    return {"message": complaint.message}, (*_request_id(key), (b"x-amzn-errortype", where.encode()))


def error_event(complaint: Complaint, _before: list[Json]) -> Json:
    return {complaint.kind or "internalServerException": {"message": complaint.message}}


def headers(scenario: Scenario) -> tuple[Header, ...]:
    return _request_id(scenario.key)


def _request_id(key: str) -> tuple[Header, ...]:
    return ((b"x-amzn-requestid", key.encode()),)


def speaks(event: Json) -> bool:
    return "contentBlockDelta" in event


def finishes(event: Json) -> bool:
    return "messageStop" in event


def body(scenario: Scenario) -> Json:
    reply = scenario.replies[0]
    content = [block for block, _, _ in _blocks(reply)]
    return {
        "metrics": {"latencyMs": 351},
        "output": {"message": {"content": content, "role": "assistant"}},
        "stopReason": _stop(reply),
        "usage": _usage(scenario),
    }


def events(scenario: Scenario) -> list[Json]:
    reply = scenario.replies[0]
    found: list[Json] = [{"messageStart": {"role": "assistant"}}]
    for index, (_, start, deltas) in enumerate(_blocks(reply)):
        place = {"contentBlockIndex": index}
        if start is not None:
            found.append({"contentBlockStart": place | {"start": start}})
        found += [{"contentBlockDelta": place | {"delta": delta}} for delta in deltas]
        found.append({"contentBlockStop": place})
    found.append({"messageStop": {"stopReason": _stop(reply)}})
    found.append({"metadata": {"metrics": {"latencyMs": 351}, "usage": _usage(scenario)}})
    return [_padded(event, at) for at, event in enumerate(found)]


def _padded(event: Json, at: int) -> Json:
    return {name: payload | {"p": _PADDING[: 3 + at * 11 % 57]} for name, payload in event.items()}


def _stop(reply: Reply) -> str:
    if reply.refusal:
        return "guardrail_intervened"
    return "stop_sequence" if reply.stopped is not None and reply.finish == "stop" else _STOPS[reply.finish]


def _usage(scenario: Scenario) -> Json:
    """inputTokens are those that the cache neither gave nor took."""
    tokens = scenario.usage
    fresh = max(tokens.prompt - tokens.cached - tokens.cache_write, 0)
    counts: Json = {"inputTokens": fresh, "outputTokens": tokens.completion, "serverToolUsage": {}}
    counts["totalTokens"] = tokens.prompt + tokens.completion
    if tokens.cached or tokens.cache_write:
        counts |= {"cacheReadInputTokens": tokens.cached, "cacheWriteInputTokens": tokens.cache_write}
    return counts


def _blocks(reply: Reply) -> list[tuple[Json, Json | None, list[Json]]]:
    """Each content block: whole, its start in a stream (None: it has none), and its deltas."""
    found: list[tuple[Json, Json | None, list[Json]]] = []
    if reply.reasoning:
        found.append(_reasoning(reply.reasoning))
    if reply.redacted:
        text = base64.b64encode(envelope(reply.redacted, purpose=PURPOSE))
        hidden = {"redactedContent": base64.b64encode(text).decode()}
        found.append(({"reasoningContent": hidden}, None, [{"reasoningContent": hidden}]))
    texts = reply.content or reply.refusal
    if texts or not reply.calls:
        found.append(_text(texts, reply.citations))
    for call in reply.calls:
        use: Json = {"name": call.name, "toolUseId": f"tooluse_{call.id.removeprefix('call_')}"}
        whole: Json = {"toolUse": use | {"input": msgspec.json.decode(call.arguments)}}
        deltas: list[Json] = [{"toolUse": {"input": piece}} for piece in ("", *argument_pieces(call.arguments))]
        found.append((whole, {"toolUse": use}, deltas))
    return found


def _reasoning(pieces: Sequence[str]) -> tuple[Json, None, list[Json]]:
    text = "".join(pieces)
    sealed = signature(text, purpose=PURPOSE)
    deltas: list[Json] = [{"reasoningContent": {"text": piece}} for piece in pieces]
    deltas.append({"reasoningContent": {"signature": sealed}})
    return {"reasoningContent": {"reasoningText": {"text": text, "signature": sealed}}}, None, deltas


def _text(pieces: Sequence[str], citations: Sequence[Citation]) -> tuple[Json, None, list[Json]]:
    text = "".join(pieces)
    deltas: list[Json] = [{"text": piece} for piece in pieces]
    if not citations:
        return {"text": text}, None, deltas
    cited = [_citation(citation, text=text) for citation in citations]
    deltas += [{"citation": citation} for citation in cited]
    return {"citationsContent": {"content": [{"text": text}], "citations": cited}}, None, deltas


def _citation(citation: Citation, *, text: str) -> Json:
    return {
        "title": citation.title,
        "sourceContent": [{"text": text[citation.start : citation.end]}],
        "location": {"web": {"url": citation.url, "domain": "example.com"}},
    }
