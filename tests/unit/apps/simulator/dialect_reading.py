"""What an answer of any dialect says, read by hand from its bytes: enough to see what a fault did to it. Not one line
of the package's codecs or of the simulator's own framing is used."""

import re
import struct
import zlib
from collections.abc import Callable
from typing import Any, Final

import msgspec

from llmgateway.apps.simulator.protocols import DIALECTS
from llmgateway.apps.simulator.script import Head, Request, Script, body_of
from llmgateway.apps.simulator.simulation import Simulation

Json = dict[str, Any]
NAMES: Final = [dialect.name for dialect in DIALECTS]
KEY: Final = "sk-canary-0123456789"
CITY: Final = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


class Told(msgspec.Struct):
    """Texts, finish reasons, output tokens (None: not told), tool calls as (id, arguments), and errors of an answer."""

    texts: list[str] = []
    finishes: list[str] = []
    tokens: list[int | None] = []
    calls: dict[int, list[Any]] = {}
    errors: list[Any] = []


def asked(dialect: str, *, streamed: bool, model: str = "auto") -> tuple[str, Json]:
    """Address and body of a small request."""
    hello = [{"role": "user", "content": "Good morning"}]
    if dialect == "openai-chat":
        extra = {"stream_options": {"include_usage": True}} if streamed else {}
        return "/openai/v1/chat/completions", {"model": model, "messages": hello, "stream": streamed, **extra}
    if dialect == "openai-responses":
        return "/responses/v1/responses", {"model": model, "input": hello, "stream": streamed}
    if dialect == "anthropic":
        return "/anthropic/v1/messages", {"model": model, "max_tokens": 5000, "messages": hello, "stream": streamed}
    if dialect == "cohere":
        return "/cohere/v2/chat", {"model": model, "messages": hello, "stream": streamed}
    if dialect == "bedrock":
        address = f"/bedrock/model/{model}/converse{'-stream' if streamed else ''}"
        return address, {"messages": [{"role": "user", "content": [{"text": "Good morning"}]}]}
    action = "streamGenerateContent?alt=sse" if streamed else "generateContent"
    contents = [{"role": "user", "parts": [{"text": "Good morning"}]}]
    return f"/google/v1beta/models/{model}:{action}", {"contents": contents}


def answered(
    dialect: str, steering: Json, *, streamed: bool, model: str = "auto", simulation: Simulation | None = None
) -> Script:
    address, body = asked(dialect, streamed=streamed, model=model)
    headers = (
        (b"x-simulator", msgspec.json.encode(steering)),
        (b"anthropic-version", b"2023-06-01"),
        (b"authorization", f"Bearer {KEY}".encode()),
    )
    simulation = Simulation(now=lambda: 5) if simulation is None else simulation
    script, _ = simulation.answer(Request("POST", address, headers, msgspec.json.encode(body)))
    return script


def status_of(script: Script) -> int:
    return next(step.status for step in script if isinstance(step, Head))


def payloads_of(dialect: str, script: Script) -> list[bytes]:
    """The JSON of each event of a stream, bad or not; behind a Bedrock event's type, as its one member."""
    data = body_of(script)
    if dialect == "bedrock":
        return [b'{"%b":%b}' % (kind.encode(), payload) for kind, payload, _ in messages_of(data)]
    found = [line.removeprefix(b"data:").strip() for line in re.split(rb"\r?\n", data) if line.startswith(b"data:")]
    return [payload for payload in found if payload != b"[DONE]"]


def messages_of(data: bytes) -> list[tuple[str, bytes, bool]]:
    """Type, payload and correctness of the checksums of each message of an event stream."""
    found: list[tuple[str, bytes, bool]] = []
    at = 0
    while at < len(data):
        total, headers, crc = struct.unpack(">III", data[at : at + 12])
        right = crc == zlib.crc32(data[at : at + 8])
        right = right and data[at + total - 4 : at + total] == struct.pack(">I", zlib.crc32(data[at : at + total - 4]))
        kinds = re.search(rb":(?:event|exception)-type\x07..([A-Za-z]+)", data[at + 12 : at + 12 + headers], re.DOTALL)
        assert kinds is not None
        found.append((kinds[1].decode(), data[at + 12 + headers : at + total - 4], right))
        at += total
    return found


def told(dialect: str, script: Script, *, streamed: bool) -> Told:
    found = Told()
    if streamed:
        for payload in payloads_of(dialect, script):
            _EVENTS[dialect](msgspec.json.decode(payload), found)
    else:
        _BODIES[dialect](msgspec.json.decode(body_of(script)), found)
    return found


def _call(found: Told, at: int, identity: Any, arguments: Any) -> None:
    call = found.calls.setdefault(at, [None, []])
    call[0] = identity or call[0]
    if arguments is not None:
        call[1].append(arguments)


def _chat(answer: Json, found: Told) -> None:
    if "error" in answer:
        found.errors.append(answer["error"])
    if answer.get("usage"):
        found.tokens.append(answer["usage"]["completion_tokens"])
    for choice in answer.get("choices", ()):
        said = choice.get("delta") or choice.get("message") or {}
        found.texts += [said["content"]] if said.get("content") else []
        found.finishes += [choice["finish_reason"]] if choice["finish_reason"] else []
        for at, call in enumerate(said.get("tool_calls", ())):
            _call(found, call.get("index", at), call.get("id"), call["function"]["arguments"])


def _response(answer: Json, found: Told) -> None:
    if answer.get("error"):
        found.errors.append(answer["error"])
    if answer.get("usage"):
        found.tokens.append(answer["usage"]["output_tokens"])
    found.finishes += [answer["status"]] if answer.get("status") in ("completed", "incomplete") else []
    for at, item in enumerate(answer.get("output", ())):
        found.texts += [part["text"] for part in item.get("content", ())]
        if item["type"] == "function_call":
            _call(found, at, item.get("call_id"), item["arguments"])


def _response_event(event: Json, found: Told) -> None:
    kind = event["type"]
    if kind == "error":
        found.errors.append(event["error"])
    elif kind == "response.output_text.delta":
        found.texts.append(event["delta"])
    elif kind in ("response.completed", "response.incomplete"):
        ending = Told()
        _response(event["response"], ending)
        found.finishes += ending.finishes
        found.tokens += ending.tokens
    elif kind == "response.output_item.done" and event["item"]["type"] == "function_call":
        _call(found, event["output_index"], event["item"].get("call_id"), event["item"]["arguments"])


def _anthropic(answer: Json, found: Told) -> None:
    if answer.get("type") == "error":
        found.errors.append(answer["error"])
    if "usage" in answer:
        found.tokens.append(answer["usage"]["output_tokens"])
    found.finishes += [answer["stop_reason"]] if answer.get("stop_reason") else []
    for at, block in enumerate(answer.get("content", ())):
        found.texts += [block["text"]] if block["type"] == "text" else []
        if block["type"] == "tool_use":
            _call(found, at, block.get("id"), block["input"])


def _anthropic_event(event: Json, found: Told) -> None:
    kind, delta = event["type"], event.get("delta", {})
    if kind == "error":
        found.errors.append(event["error"])
    elif kind == "content_block_start" and event["content_block"]["type"] == "tool_use":
        block = event["content_block"]
        _call(found, event["index"], block.get("id"), block["input"] or None)
    elif kind == "content_block_delta" and "partial_json" in delta:
        _call(found, event["index"], None, delta["partial_json"])
    elif kind == "content_block_delta" and "text" in delta:
        found.texts.append(delta["text"])
    elif kind == "message_delta":
        found.finishes += [delta["stop_reason"]] if delta["stop_reason"] else []
        found.tokens += [event["usage"]["output_tokens"]] if "usage" in event else []


def _google(answer: Json, found: Told) -> None:
    if "error" in answer:
        found.errors.append(answer["error"])
    if "usageMetadata" in answer:
        found.tokens.append(answer["usageMetadata"].get("candidatesTokenCount", 0))
    for candidate in answer.get("candidates", ()):
        found.finishes += [candidate["finishReason"]] if "finishReason" in candidate else []
        for at, part in enumerate(candidate.get("content", {}).get("parts", ())):
            found.texts += [part["text"]] if part.get("text") else []
            if "functionCall" in part:
                _call(found, at, part["functionCall"].get("id"), part["functionCall"].get("args"))


def _bedrock(answer: Json, found: Told) -> None:
    if "message" in answer:
        found.errors.append(answer)
    if "usage" in answer:
        found.tokens.append(answer["usage"]["outputTokens"])
    found.finishes += [answer["stopReason"]] if answer.get("stopReason") else []
    for at, block in enumerate(answer.get("output", {}).get("message", {}).get("content", ())):
        found.texts += [block["text"]] if "text" in block else []
        if "toolUse" in block:
            _call(found, at, block["toolUse"].get("toolUseId"), block["toolUse"]["input"])


def _bedrock_event(event: Json, found: Told) -> None:
    ((kind, payload),) = event.items()
    index, delta = payload.get("contentBlockIndex", 0), payload.get("delta", {})
    if kind.endswith("Exception"):
        found.errors.append(payload)
    elif kind == "contentBlockStart":
        _call(found, index, payload["start"]["toolUse"].get("toolUseId"), None)
    elif "toolUse" in delta:
        _call(found, index, None, delta["toolUse"]["input"])
    elif "text" in delta:
        found.texts.append(delta["text"])
    elif kind == "messageStop":
        found.finishes.append(payload["stopReason"])
    elif kind == "metadata":
        found.tokens.append(payload["usage"]["outputTokens"])


def _cohere(answer: Json, found: Told) -> None:
    if "usage" in answer:
        found.tokens.append(answer["usage"]["tokens"]["output_tokens"])
    found.finishes += [answer["finish_reason"]] if answer.get("finish_reason") else []
    message = answer.get("message", {})
    if isinstance(message, str):
        found.errors.append(message)
        return
    found.texts += [part["text"] for part in message.get("content", ())]
    for at, call in enumerate(message.get("tool_calls", ())):
        _call(found, at, call.get("id"), call["function"]["arguments"])


def _cohere_event(event: Json, found: Told) -> None:
    delta = event.get("delta", {})
    said = delta.get("message", {})
    if event["type"] == "message-end":
        found.errors += [delta["error"]] if "error" in delta else []
        found.finishes += [delta["finish_reason"]] if "finish_reason" in delta and "error" not in delta else []
        found.tokens += [delta["usage"]["tokens"]["output_tokens"]] if "usage" in delta else []
    elif event["type"] == "content-delta":
        found.texts.append(said["content"]["text"])
    elif event["type"] in ("tool-call-start", "tool-call-delta"):
        call = said["tool_calls"]
        _call(found, event.get("index", 0), call.get("id"), call["function"]["arguments"])


_Reader = Callable[[Json, Told], None]
_BODIES: Final[dict[str, _Reader]] = {
    "openai-chat": _chat,
    "openai-responses": _response,
    "anthropic": _anthropic,
    "google": _google,
    "bedrock": _bedrock,
    "cohere": _cohere,
}
_EVENTS: Final[dict[str, _Reader]] = {
    **_BODIES,
    "openai-responses": _response_event,
    "anthropic": _anthropic_event,
    "bedrock": _bedrock_event,
    "cohere": _cohere_event,
}
