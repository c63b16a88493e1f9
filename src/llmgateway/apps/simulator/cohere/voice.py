"""Cohere's chat protocol, version 2, as a provider speaks it (https://docs.cohere.com/v2/docs/streaming): a Scenario as
a whole answer or as the events of a stream. Tools are announced by a plan, thoughts are parts of the content, usage
tells what is billed from what was read."""

from collections.abc import Sequence

from llmgateway.apps.simulator.dialect import Complaint, Framing, Json
from llmgateway.apps.simulator.scenario import Call, Citation, Reply, Scenario
from llmgateway.apps.simulator.script import Header
from llmgateway.apps.simulator.text import argument_pieces

_FINISHES = {"stop": "COMPLETE", "length": "MAX_TOKENS", "tool_calls": "TOOL_CALL", "content_filter": "ERROR"}
_PLAN = ("I", " will", " use", " the", " tools", ".")
DONE = b"data: [DONE]\n\n"
FRAMING = Framing(
    content_type=b"text/event-stream",
    frame=lambda event, payload, _at: b"event: %b\ndata: %b\n\n" % (str(event["type"]).encode(), payload),
    end=(DONE,),
)


def error(complaint: Complaint, key: str) -> tuple[Json, tuple[Header, ...]]:
    return {"id": _uuid(key), "message": complaint.message}, ()


def error_event(complaint: Complaint, _before: list[Json]) -> Json:
    """A stream that fails says so in its last event."""
    return {"type": "message-end", "delta": {"error": complaint.message, "finish_reason": "ERROR"}}


def headers(_: Scenario) -> tuple[Header, ...]:
    return ((b"x-api-warning", b"simulated"),)


def speaks(event: Json) -> bool:
    return str(event["type"]).endswith("-delta")


def finishes(event: Json) -> bool:
    return event["type"] == "message-end"


def body(scenario: Scenario) -> Json:
    reply = scenario.replies[0]
    message: Json = {"role": "assistant"}
    if reply.calls:
        message["tool_plan"] = "".join(_PLAN)
        message["tool_calls"] = [_call(call) for call in reply.calls]
    parts = [part for part, _ in _parts(reply)]
    if parts:
        message["content"] = parts
    if reply.citations:
        message["citations"] = [_citation(citation, reply) for citation in reply.citations]
    return {
        "id": _uuid(scenario.key),
        "message": message,
        "finish_reason": _finish(reply),
        "usage": _usage(scenario),
    }


def events(scenario: Scenario) -> list[Json]:
    reply = scenario.replies[0]
    opening: Json = {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []}
    found: list[Json] = [{"id": _uuid(scenario.key), "type": "message-start", "delta": {"message": opening}}]
    for index, (part, pieces) in enumerate(_parts(reply)):
        field = str(part["type"])
        started = {"type": field, field: ""}
        found.append({"type": "content-start", "index": index, "delta": {"message": {"content": started}}})
        found += [
            {"type": "content-delta", "index": index, "delta": {"message": {"content": {field: piece}}}}
            for piece in pieces
        ]
        found.append({"type": "content-end", "index": index})
    for at, citation in enumerate(reply.citations):
        cited = {"message": {"citations": _citation(citation, reply)}}
        found.append({"type": "citation-start", "index": at, "delta": cited})
        found.append({"type": "citation-end", "index": at})
    if reply.calls:
        found += [{"type": "tool-plan-delta", "delta": {"message": {"tool_plan": piece}}} for piece in _PLAN]
    for at, call in enumerate(reply.calls):
        found += _call_events(call, at)
    found.append({"type": "message-end", "delta": {"finish_reason": _finish(reply), "usage": _usage(scenario)}})
    return found


def _uuid(key: str) -> str:
    digits = (key + "0" * 32)[:32]
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def _finish(reply: Reply) -> str:
    return "STOP_SEQUENCE" if reply.stopped is not None and reply.finish == "stop" else _FINISHES[reply.finish]


def _usage(scenario: Scenario) -> Json:
    """billed_units leave out what Cohere adds to the prompt and what its cache had."""
    tokens = scenario.usage
    return {
        "billed_units": {"input_tokens": tokens.prompt - tokens.cached, "output_tokens": tokens.completion},
        "tokens": {"input_tokens": tokens.prompt, "output_tokens": tokens.completion},
        "cached_tokens": tokens.cached,
    }


def _parts(reply: Reply) -> list[tuple[Json, Sequence[str]]]:
    """Each part of the content with its pieces."""
    found: list[tuple[Json, Sequence[str]]] = []
    if reply.reasoning:
        found.append(({"type": "thinking", "thinking": "".join(reply.reasoning)}, reply.reasoning))
    texts = reply.content or reply.refusal
    if texts or not reply.calls:
        found.append(({"type": "text", "text": "".join(texts)}, texts))
    return found


def _call(call: Call) -> Json:
    function = {"name": call.name, "arguments": call.arguments}
    return {"id": _call_id(call), "type": "function", "function": function}


def _call_id(call: Call) -> str:
    return f"{call.name}_{call.id.removeprefix('call_')}"


def _call_events(call: Call, index: int) -> list[Json]:
    started = {"id": _call_id(call), "type": "function", "function": {"name": call.name, "arguments": ""}}
    found: list[Json] = [{"type": "tool-call-start", "index": index, "delta": {"message": {"tool_calls": started}}}]
    for piece in argument_pieces(call.arguments):
        delta = {"message": {"tool_calls": {"function": {"arguments": piece}}}}
        found.append({"type": "tool-call-delta", "index": index, "delta": delta})
    return [*found, {"type": "tool-call-end", "index": index}]


def _citation(citation: Citation, reply: Reply) -> Json:
    document = {"id": citation.url, "title": citation.title, "url": citation.url}
    return {
        "start": citation.start,
        "end": citation.end,
        "text": "".join(reply.content)[citation.start : citation.end],
        "sources": [{"type": "document", "id": citation.url, "document": document}],
        "type": "TEXT_CONTENT",
    }
