"""OpenAI's responses protocol as a provider speaks it
(https://platform.openai.com/docs/api-reference/responses-streaming): a Scenario as a whole response or as the events of
a stream, numbered, each delta with some obfuscation, each item and part opened and closed."""

import base64
from typing import Any

from llmgateway.apps.simulator.dialect import Complaint, Framing, Json
from llmgateway.apps.simulator.openai_chat.voice import error_body as chat_error
from llmgateway.apps.simulator.responses.rules import PREFIX, PURPOSE
from llmgateway.apps.simulator.scenario import Call, Citation, Reply, Scenario
from llmgateway.apps.simulator.script import Header
from llmgateway.apps.simulator.seal import envelope
from llmgateway.apps.simulator.text import argument_pieces

_LETTERS = "QzLk8vTn2XbWd7RmCy4H"
_ECHOED: Json = {
    "background": False,
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "prompt_cache_key": None,
    "prompt_cache_retention": None,
    "safety_identifier": None,
    "store": True,
    "temperature": 1.0,
    "tool_choice": "auto",
    "tools": [],
    "top_logprobs": 0,
    "top_p": 1.0,
    "truncation": "disabled",
    "user": None,
}
Steps = list[Json]


FRAMING = Framing(
    content_type=b"text/event-stream; charset=utf-8",
    frame=lambda event, payload, _at: b"event: %b\ndata: %b\n\n" % (str(event["type"]).encode(), payload),
)


def error_event(complaint: Complaint, before: list[Json]) -> Json:
    """An error in mid-stream, as the recorded ones of 2026 have it."""
    return {"type": "error", **chat_error(complaint), "sequence_number": len(before)}


def headers(scenario: Scenario) -> tuple[Header, ...]:
    return ((b"x-request-id", b"req_" + scenario.key.encode()), (b"openai-version", b"2020-10-01"))


def speaks(event: Json) -> bool:
    return str(event["type"]).endswith(".delta")


def finishes(event: Json) -> bool:
    return event["type"] in ("response.completed", "response.incomplete")


def body(scenario: Scenario) -> Json:
    reply = scenario.replies[0]
    items = [item for item, _ in _items(reply, scenario)]
    reason = {"length": "max_output_tokens", "content_filter": "content_filter"}.get(reply.finish)
    complete: Json = {
        "status": "completed" if reason is None else "incomplete",
        "completed_at": scenario.created if reason is None else None,
        "incomplete_details": None if reason is None else {"reason": reason},
        "output": items,
        "usage": _usage(scenario),
        "service_tier": "default",
    }
    return _envelope(scenario) | complete


def events(scenario: Scenario) -> list[Json]:
    opening, ending = _envelope(scenario), body(scenario)
    found: Steps = [{"type": f"response.{name}", "response": opening} for name in ("created", "in_progress")]
    for index, (_, steps) in enumerate(_items(scenario.replies[0], scenario)):
        found += [step | {"output_index": index} for step in steps]
    found.append({"type": f"response.{ending['status']}", "response": ending})
    return [_numbered(event, at, obfuscated=scenario.ask.given["obfuscated"]) for at, event in enumerate(found)]


def _numbered(event: Json, at: int, *, obfuscated: bool) -> Json:
    numbered = event | {"sequence_number": at}
    if obfuscated and speaks(event):
        numbered["obfuscation"] = _LETTERS[: 16 - len(event["delta"]) % 16]
    return numbered


def _envelope(scenario: Scenario) -> Json:
    """A response as it begins: what was asked for, and nothing of the answer."""
    given: Json = scenario.ask.given["echo"]
    reasoning: Json = given.get("reasoning") or {}
    return {
        "id": f"resp_{scenario.key}",
        "object": "response",
        "created_at": scenario.created,
        "status": "in_progress",
        "completed_at": None,
        "error": None,
        "incomplete_details": None,
        "model": scenario.ask.model,
        "output": [],
        **{name: default if given.get(name) is None else given[name] for name, default in _ECHOED.items()},
        "reasoning": {"effort": reasoning.get("effort"), "summary": reasoning.get("summary")},
        "service_tier": given.get("service_tier") or "auto",
        "text": {"format": {"type": "text"}, "verbosity": "medium"} | (given.get("text") or {}),
        "usage": None,
    }


def _usage(scenario: Scenario) -> Json:
    tokens = scenario.usage
    details: Json = {"cached_tokens": tokens.cached}
    if tokens.cache_write:
        details["cache_write_tokens"] = tokens.cache_write
    return {
        "input_tokens": tokens.prompt,
        "input_tokens_details": details,
        "output_tokens": tokens.completion,
        "output_tokens_details": {"reasoning_tokens": tokens.reasoning},
        "total_tokens": tokens.prompt + tokens.completion,
    }


def _items(reply: Reply, scenario: Scenario) -> list[tuple[Json, Steps]]:
    """Each output item: whole, and the events of a stream that make it."""
    key = scenario.key
    found: list[tuple[Json, Steps]] = []
    if reply.reasoning:
        found.append(_reasoning("".join(reply.reasoning), reply, scenario, number=0))
    if reply.redacted:
        found.append(_reasoning("", reply, scenario, number=1))
    if reply.citations:
        found.append(_search(f"ws_{key}"))
    if reply.content or reply.refusal or not (reply.calls or reply.images):
        found.append(_message(reply, f"msg_{key}"))
    found += [_image(url, f"ig_{key}{at:02x}") for at, url in enumerate(reply.images)]
    return [*found, *[_call(call, length=reply.finish == "length") for call in reply.calls]]


def _within(item: Json, steps: Steps, *, opening: Json) -> tuple[Json, Steps]:
    added: Json = {"type": "response.output_item.added", "item": item | opening}
    return item, [added, *steps, {"type": "response.output_item.done", "item": item}]


def _reasoning(text: str, reply: Reply, scenario: Scenario, *, number: int) -> tuple[Json, Steps]:
    """A thought: its summary if that was asked for, and encrypted if that was."""
    item_id = f"rs_{scenario.key}{number:02x}"
    item: Json = {"id": item_id, "type": "reasoning", "summary": []}
    if scenario.ask.given["encrypted"]:
        sealed = envelope(f"{item_id}\0{text or reply.redacted}", purpose=PURPOSE)
        item["encrypted_content"] = PREFIX + base64.urlsafe_b64encode(sealed).decode()
    steps: Steps = []
    if text and scenario.ask.given["summary"]:
        part: Json = {"type": "summary_text", "text": text}
        place: Json = {"item_id": item_id, "summary_index": 0}
        kind = "response.reasoning_summary"
        steps.append({"type": f"{kind}_part.added", **place, "part": part | {"text": ""}})
        steps += [{"type": f"{kind}_text.delta", **place, "delta": piece} for piece in reply.reasoning]
        steps.append({"type": f"{kind}_text.done", **place, "text": text})
        steps.append({"type": f"{kind}_part.done", **place, "part": part})
        item["summary"] = [part]
    return _within(item, steps, opening={"summary": []})


def _search(item_id: str) -> tuple[Json, Steps]:
    query = "weather in Paris"
    action: Json = {"type": "search", "queries": [query], "query": query}
    item: Json = {"id": item_id, "type": "web_search_call", "status": "completed", "action": action}
    states = ("in_progress", "searching", "completed")
    steps: Steps = [{"type": f"response.web_search_call.{state}", "item_id": item_id} for state in states]
    return _within(item, steps, opening={"status": "in_progress", "action": {"type": "search"}})


def _message(reply: Reply, item_id: str) -> tuple[Json, Steps]:
    place: Json = {"item_id": item_id, "content_index": 0}
    if reply.refusal:
        word, field, pieces = "refusal", "refusal", reply.refusal
        part: Json = {"type": "refusal", "refusal": "".join(pieces)}
        extra: Json = {}
    else:
        word, field, pieces = "output_text", "text", reply.content
        annotations = [_annotation(citation) for citation in reply.citations]
        part = {"type": "output_text", "annotations": annotations, "logprobs": [], "text": "".join(pieces)}
        extra = {"logprobs": []}
    steps: Steps = [{"type": "response.content_part.added", **place, "part": _opening(part)}]
    steps += [{"type": f"response.{word}.delta", **place, "delta": piece, **extra} for piece in pieces]
    steps += [
        {"type": "response.output_text.annotation.added", **place, "annotation": annotation, "annotation_index": at}
        for at, annotation in enumerate(part.get("annotations", ()))
    ]
    steps.append({"type": f"response.{word}.done", **place, field: part[field], **extra})
    steps.append({"type": "response.content_part.done", **place, "part": part})
    status = "incomplete" if reply.finish == "length" else "completed"
    item: Json = {"id": item_id, "type": "message", "status": status, "content": [part], "role": "assistant"}
    return _within(item, steps, opening={"status": "in_progress", "content": []})


def _opening(part: Json) -> Json:
    empty: dict[type, Any] = {str: "", list: []}
    return {name: value if name == "type" else empty[type(value)] for name, value in part.items()}


def _annotation(citation: Citation) -> Json:
    return {
        "type": "url_citation",
        "end_index": citation.end,
        "start_index": citation.start,
        "title": citation.title,
        "url": citation.url,
    }


def _image(url: str, item_id: str) -> tuple[Json, Steps]:
    item: Json = {
        "id": item_id,
        "type": "image_generation_call",
        "status": "completed",
        "background": "opaque",
        "output_format": "png",
        "quality": "low",
        "result": url.partition(";base64,")[2],
        "size": "1024x1024",
    }
    states = ("in_progress", "generating", "completed")
    steps: Steps = [{"type": f"response.image_generation_call.{state}", "item_id": item_id} for state in states]
    added, done = {"id": item_id, "type": item["type"], "status": "in_progress"}, item
    opening: Json = {"type": "response.output_item.added", "item": added}
    return item, [opening, *steps, {"type": "response.output_item.done", "item": done}]


def _call(call: Call, *, length: bool) -> tuple[Json, Steps]:
    item_id = f"fc_{call.id.removeprefix('call_')}"
    item: Json = {
        "id": item_id,
        "type": "function_call",
        "status": "incomplete" if length else "completed",
        "arguments": call.arguments,
        "call_id": call.id,
        "name": call.name,
    }
    kind = "response.function_call_arguments"
    steps: Steps = [
        {"type": f"{kind}.delta", "item_id": item_id, "delta": piece} for piece in argument_pieces(call.arguments)
    ]
    steps.append({"type": f"{kind}.done", "item_id": item_id, "arguments": call.arguments})
    return _within(item, steps, opening={"status": "in_progress", "arguments": ""})
