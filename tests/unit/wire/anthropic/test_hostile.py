"""Whatever a provider or a caller sends: no byte makes the codec raise anything but an UpstreamError."""

import json
import re
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llmgateway.domain.errors import GatewayError, UpstreamError
from llmgateway.domain.reply import Chunk
from llmgateway.wire.anthropic.blocks import Mode
from llmgateway.wire.anthropic.build import build_request
from llmgateway.wire.anthropic.errors import http_error
from llmgateway.wire.anthropic.whole import read_whole
from llmgateway.wire.openai_chat.request import read_request
from tests.unit.wire.anthropic.asking import ADAPTIVE, NEW, OLD, PLAIN, claude
from tests.unit.wire.anthropic.streaming import decoder, wire

HUNT = settings(max_examples=200, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
KINDS = st.sampled_from([
    "text", "thinking", "redacted_thinking", "tool_use", "server_tool_use", "web_search_tool_result", "x",
])  # fmt: skip
GROWTHS = st.sampled_from(
    ["text_delta", "thinking_delta", "signature_delta", "input_json_delta", "citations_delta", "x"]
)
TEXTS = st.text(max_size=8) | VALUES


def members(kinds: st.SearchStrategy[str], *names: str) -> st.SearchStrategy[Any]:
    return st.fixed_dictionaries({"type": kinds | VALUES}, optional=dict.fromkeys(names, TEXTS)) | VALUES


BLOCKS = members(KINDS, "text", "thinking", "signature", "data", "id", "name", "input", "content", "citations")
DELTAS = members(GROWTHS, "text", "thinking", "signature", "partial_json", "citation", "stop_reason", "stop_details")
USAGES = st.dictionaries(
    st.sampled_from(["input_tokens", "output_tokens", "cache_creation", "cache_read_input_tokens", "server_tool_use"]),
    VALUES,
)
EVENT_KINDS = [
    "message_start", "content_block_start", "content_block_delta", "content_block_stop", "message_delta",
    "message_stop", "error", "ping", "x",
]  # fmt: skip
EVENTS = st.fixed_dictionaries(
    {"type": st.sampled_from(EVENT_KINDS)},
    optional={
        "index": st.integers(-1, 3) | VALUES, "content_block": BLOCKS, "delta": DELTAS, "usage": USAGES | VALUES,
        "message": st.fixed_dictionaries({}, optional={"id": VALUES, "usage": USAGES | VALUES}) | VALUES,
        "error": VALUES,
    },
)  # fmt: skip
MODES = st.sampled_from([Mode(), Mode(answer_tool="json_answer"), Mode(functions=True)])


@HUNT
@given(events=st.lists(EVENTS, max_size=8), mode=MODES, cuts=st.lists(st.integers(0, 2000), max_size=6))
def test_events_of_any_shape_are_told_soundly_whatever_the_split(
    events: list[dict[str, Any]], mode: Mode, cuts: list[int]
) -> None:
    data = wire(*events)
    reader = decoder(mode)
    at_once = reader.feed(data) + reader.close()
    split = decoder(mode)
    places = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    pieces = [data[begin:end] for begin, end in pairwise(places)]
    in_pieces = [chunk for piece in pieces for chunk in split.feed(piece)] + split.close()
    assert [shown(chunk) for chunk in in_pieces] == [shown(chunk) for chunk in at_once]
    choices = [choice for chunk in at_once for choice in chunk.choices]
    assert [bool(choice.delta.role) for choice in choices] == [True, *[False] * (len(choices) - 1)][: len(choices)]
    assert len([choice for choice in choices if choice.finish_reason]) <= 1
    assert not any(chunk.done or chunk.error for chunk in at_once[:-1])


def shown(chunk: Chunk) -> str:
    """With ids that we made up left out."""
    return re.sub("call_[0-9a-f]{24}", "call", str(chunk))


@HUNT
@given(data=st.binary(max_size=200), prefix=st.sampled_from([b"", b"data: ", b"data: {", b'data: {"type":"']))
def test_bytes_of_any_kind_never_raise(data: bytes, prefix: bytes) -> None:
    reader = decoder()
    reader.feed(prefix + data + b"\n\n")
    reader.close()


ANSWERS = VALUES | st.fixed_dictionaries(
    {"content": st.lists(BLOCKS, max_size=4)}, optional={"stop_reason": TEXTS, "usage": USAGES | VALUES, "id": VALUES}
)
BODIES = st.binary(max_size=100) | st.builds(lambda value: json.dumps(value).encode(), ANSWERS)


@HUNT
@given(body=BODIES, mode=MODES)
def test_whole_answers_of_any_shape_are_told_or_refused(body: bytes, mode: Mode) -> None:
    try:
        chunk = read_whole(body, to=claude(), mode=mode)
    except UpstreamError:
        return
    assert chunk.choices[0].finish_reason is not None


@HUNT
@given(status=st.integers(400, 599), body=st.binary(max_size=60) | st.builds(lambda v: json.dumps(v).encode(), VALUES))
def test_error_bodies_of_any_shape_are_read(status: int, body: bytes) -> None:
    assert http_error(status, [], body, to=claude()).status_code == status


PARTS = st.fixed_dictionaries(
    {"type": st.sampled_from(["text", "image_url", "file", "refusal", "x"])},
    optional={
        "text": st.text(max_size=4),
        "image_url": st.fixed_dictionaries({"url": st.sampled_from(["data:", "data:image/png;base64,A", "x"])}),
        "file": st.fixed_dictionaries({}, optional={"file_data": st.text(max_size=9), "filename": st.text(max_size=5)}),
        "cache_control": st.just({"type": "ephemeral"}),
        "x": VALUES,
    },
)
CALLS = st.lists(
    st.fixed_dictionaries(
        {"function": st.fixed_dictionaries({"name": st.text(max_size=3)}, optional={"arguments": st.text(max_size=6)})},
        optional={"id": st.text(max_size=4), "cache_control": VALUES},
    ),
    max_size=2,
)
DETAILS = st.lists(
    st.dictionaries(st.sampled_from(["type", "text", "data", "signature", "format", "id"]), TEXTS), max_size=3
)
MESSAGES = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["system", "developer", "user", "assistant", "tool", "function"])},
        optional={
            "content": st.text(max_size=5) | st.lists(PARTS, max_size=3), "tool_calls": CALLS, "is_error": VALUES,
            "tool_call_id": st.text(max_size=4), "reasoning_details": DETAILS, "cache_control": VALUES,
            "name": st.text(max_size=3), "refusal": st.text(max_size=3),
            "function_call": st.fixed_dictionaries({"name": st.text(max_size=3)}),
        },
    ),
    min_size=1,
    max_size=6,
)  # fmt: skip
TOOLS = st.lists(
    st.fixed_dictionaries(
        {"type": st.sampled_from(["function", "web_search", "x"])},
        optional={
            "function": st.fixed_dictionaries(
                {"name": st.text(min_size=1, max_size=3)},
                optional={"parameters": st.dictionaries(st.text(max_size=5), VALUES), "strict": st.booleans()},
            ),
            "user_location": st.dictionaries(st.sampled_from(["city", "approximate", "type"]), VALUES),
        },
    ),
    max_size=2,
)  # fmt: skip


@HUNT
@given(messages=MESSAGES, tools=TOOLS, upstream=st.sampled_from([OLD, PLAIN, ADAPTIVE, NEW, "x"]), data=st.data())
def test_conversations_of_any_shape_become_a_request(
    messages: list[Any], tools: list[Any], upstream: str, data: st.DataObject
) -> None:
    """What the door lets in is built, or refused in our own words; and always into the same bytes."""
    asked: dict[str, Any] = {"model": "m", "messages": messages, "tools": tools}
    asked |= data.draw(st.fixed_dictionaries({}, optional={
        "reasoning_effort": st.sampled_from(["none", "low", "max"]), "max_tokens": st.integers(1, 3000),
        "metadata": st.dictionaries(st.just("user_id"), VALUES), "web_search_options": st.just({"user_location": 5}),
        "response_format": st.fixed_dictionaries({"type": st.just("json_schema"), "json_schema": st.fixed_dictionaries(
            {"name": st.just("n")}, optional={"schema": st.dictionaries(st.just("type"), VALUES)})}),
    }))  # fmt: skip
    body = json.dumps(asked).encode()
    try:
        chat = read_request(body)
    except GatewayError:
        return
    request, dropped = build_request(chat, to=claude(upstream))
    sent = json.loads(request.body)
    assert sent["messages"]
    assert len(set(dropped)) == len(dropped)
    assert build_request(read_request(body), to=claude(upstream))[0].body == request.body


def test_a_thousand_tools_and_ten_thousand_messages_are_built_soon() -> None:
    deep: Any = {"type": "object"}
    for _ in range(400):
        deep = {"type": "object", "properties": {"a": deep}}
    tools = [
        {"type": "function", "function": {"name": f"f{n}", "parameters": deep if n == 0 else {}}} for n in range(1000)
    ]
    messages = [{"role": "user" if n % 2 else "assistant", "content": f"m{n}"} for n in range(10_000)]
    chat = read_request(json.dumps({"model": "m", "messages": messages, "tools": tools}).encode())
    request, _ = build_request(chat, to=claude())
    assert len(json.loads(request.body)["messages"]) == 10_000


@pytest.mark.parametrize("strict", [True, False])
def test_a_schema_too_deep_to_change_is_sent_as_it_is(strict: bool) -> None:
    deep: Any = {"type": "object"}
    for _ in range(400):
        deep = {"type": "object", "properties": {"a": deep}}
    tool = {"type": "function", "function": {"name": "f", "parameters": deep, "strict": strict}}
    chat = read_request(
        json.dumps({"model": "m", "messages": [{"role": "user", "content": "?"}], "tools": [tool]}).encode()
    )
    assert json.loads(build_request(chat, to=claude())[0].body)["tools"][0]["input_schema"] == deep
