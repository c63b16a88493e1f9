"""Large requests are read piece by piece, to the same chat as at once or not at all."""

import json
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec import Raw

from llmgateway.domain.chat import Chat
from llmgateway.domain.errors import GatewayError
from llmgateway.wire.openai_chat.glance import KnownTools, plain_messages
from llmgateway.wire.openai_chat.known import Known
from llmgateway.wire.openai_chat.request import read_apart, read_at_once

LONG = {"role": "user", "content": "naïve 你好 " * 1000}


def body(*messages: dict[str, Any], **members: Any) -> bytes:
    return json.dumps({"model": "m", "messages": messages or [LONG], **members}, ensure_ascii=False).encode()


def apart(source: bytes) -> Chat | None:
    try:
        spans = msgspec.json.decode(source, type=dict[str, Raw])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return read_apart(source, spans, known=Known())


def told(chat: Chat) -> object:
    """All that a chat says, in one value."""
    request = msgspec.json.decode(msgspec.json.encode(chat.request)) | {"messages": None}
    needs = list(chat.traits.needs.items())
    return (
        request,
        msgspec.json.encode(chat.messages),
        needs,
        chat.traits,
        [(name, bytes(span)) for name, span in chat.raw.items()],
    )


CALL = {"id": "c", "type": "function", "index": 0, "function": {"name": "f", "arguments": '{"a": "é\n"}'}}
AGENT = [
    {"role": "system", "content": "Be brief."},
    {"role": "developer", "content": [{"type": "text", "text": "ä", "cache_control": {"type": "ephemeral"}}]},
    {"role": "user", "name": "Zoë", "content": "你好"},
    {"role": "assistant", "content": None, "refusal": None, "annotations": [], "tool_calls": [CALL, CALL]},
    {"role": "tool", "tool_call_id": "c", "content": "ok"},
    {"role": "assistant", "content": "", "reasoning": None, "audio": None},
    {"role": "user", "content": []},
]
SCHEMA = {"type": "object", "properties": {"ä": {"type": "string"}}}
FUNCTION = {"name": "f", "description": "Does it, naïvely.", "parameters": SCHEMA, "strict": True}
TOOL = {"type": "function", "function": FUNCTION}
PLAIN = [
    body(*AGENT),
    body(*AGENT, tools=[TOOL, {"type": "function", "function": {"name": "g"}}], tool_choice="required", stream=True),
    body(tools=[TOOL], tool_choice={"type": "function", "function": {"name": "f"}}, reasoning_effort="low", n=2),
    body(tools=[], stop=[], functions=[FUNCTION], max_tokens=5, max_completion_tokens=7, unknown={"ü": [1]}),
    body(tools=[{"type": "web_search", "max_uses": 3}, TOOL], seed=None, response_format={"type": "json_object"}),
    body(tools=[TOOL, {"type": "custom", "name": "x"}], tool_choice={"type": "custom"}),
]


@pytest.mark.parametrize("source", PLAIN)
def test_a_plain_request_is_read_apart_to_the_same_chat(source: bytes) -> None:
    chat = apart(source)
    assert chat is not None
    assert told(chat) == told(read_at_once(source))


@pytest.mark.parametrize("source", PLAIN)
def test_of_messages_that_are_only_forwarded_nothing_is_kept_decoded(source: bytes) -> None:
    chat = apart(source)
    assert chat is not None
    assert not vars(chat)
    assert not hasattr(chat.request, "messages")


NOT_PLAIN = [
    {"role": "user"},
    {"role": "user", "content": None},
    {"role": "user", "content": 5},
    {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://a.example/b.png"}}]},
    {"role": "user", "content": [{"type": "text"}]},
    {"role": "user", "content": "x", "cache_control": {}},
    {"role": "tool", "content": "x"},
    {"role": "assistant", "reasoning_content": "hm"},
    {"role": "assistant", "tool_calls": [{"id": "c", "type": "function"}]},
    {"role": "assistant", "tool_calls": [CALL | {"extra_content": {"google": {}}}]},
    {"role": "function", "name": "f", "content": "x"},
    {"role": "robot", "content": "x"},
    {"content": "x"},
]


@pytest.mark.parametrize("message", NOT_PLAIN, ids=json.dumps)
def test_what_wants_a_closer_look_is_not_plain(message: dict[str, Any]) -> None:
    source = body(LONG, message)
    assert plain_messages(Raw(msgspec.json.encode([LONG, message]))) is None
    found = outcome(apart, source)
    assert found is None or found == outcome(read_at_once, source)


@pytest.mark.parametrize(
    "source",
    [
        b'{"model":"m","messages":[{"role":"user","content":"\xff"}]}',
        b'{"model":"m","messages":[{"role":"user","content":"x","\xff":1}]}',
        b'{"model":"m","messages":[{"role":"user","content":"x"}],"unknown":"\xff"}',
        b'{"model":"m","messages":[{"role":"user","content":"x"}],"unknown":{"\xff":1}}',
        b'{"model":"m","messages":[{"role":"user","content":"x"}],'
        b'"tools":[{"type":"function","function":{"name":"f","parameters":{"a":"\xff"}}}]}',
        b'{"model":"m","messages":[{"role":"user","content":5,"content":"x"}]}',
        b'{"model":"m","messages":[{"role":"user","role":"tool","content":"x"}]}',
        b'{"unknown":"\xff","unknown":1,"model":"m","messages":[{"role":"user","content":"x"}]}',
        b'{"model":"m","messages":[{"role":"user","content":"x"}],"unknown":"\xff","unknown":1}',
        b'{"mess\\u0061ges":[{"role":"user","content":"x"}],"model":"\xff","model":"m"}',
        b'{"messages":["\xff"],"model":"m","messages":[{"role":"user","content":"x"}]}',
        b'{"model":"m","messages":[]}',
        b'{"messages":[{"role":"user","content":"x"}]}',
        b'{"model":"m"}',
    ],
)
def test_no_request_with_a_fault_is_read_apart(source: bytes) -> None:
    with pytest.raises(GatewayError):
        read_at_once(source)
    assert outcome(apart, source) in (None, outcome(read_at_once, source))


VALUES = (
    None, True, 0, -1, 1e300, 2**63, "", "x", "function", "text", "tool", "user", "none", "é", [], {}, [None], ["x"],
    [{}], [{"type": "text", "text": "x"}], {"a": 1}, FUNCTION, CALL, TOOL,
)  # fmt: skip
NAMES = (
    "content", "role", "role ", "name", "type", "text", "function", "arguments", "parameters", "description", "index",
    "tool_calls", "tool_call_id", "function_call", "reasoning", "reasoning_details", "extra_content", "annotations",
    "cache_control", "strict", "stop", "stream", "messages", "tools", "x", "é",
)  # fmt: skip
PIECES = (
    b'"content":5,', b'"role":"tool",', b'"role ":"tool",', b'"tools":[{"type":"web_search"}],', b'"arguments":1,',
    b'"description":{},', b'"messages":[],', b"\\ud83d", b"\xff", b"\xc3\xa9", b"1e999", b"\\u0061", b"  ", b'"',
)  # fmt: skip


def places(value: Any) -> list[tuple[Any, Any]]:
    """Each place inside a JSON value: what it is in, and its name or number there."""
    inner = list(value) if isinstance(value, dict) else list(range(len(value))) if isinstance(value, list) else []
    return [place for at in inner for place in ((value, at), *places(value[at]))]


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A plain request in which members were changed, added, taken away or repeated, and sometimes single bytes."""
    source = draw(st.sampled_from(PLAIN))
    value = msgspec.json.decode(source)
    for _ in range(draw(st.integers(0, 2))):
        found = places(value)
        within, at = found[draw(st.integers(0, len(found) - 1))]
        put = deepcopy(VALUES[draw(st.integers(0, len(VALUES) - 1))])
        match draw(st.sampled_from(("change", "add", "take"))):
            case "change":
                within[at] = put
            case "add" if isinstance(within, dict):
                within[draw(st.sampled_from(NAMES))] = put
            case _:
                del within[at]
    source = msgspec.json.encode(value)
    for _ in range(draw(st.sampled_from((0, 0, 0, 1, 2)))):
        starts = [at for at in range(1, len(source)) if source[at - 1 : at] in (b"{", b"[", b'"')]
        at = draw(st.sampled_from(starts))
        source = source[:at] + draw(st.sampled_from(PIECES)) + source[at:]
    return source


def outcome(read: Callable[[bytes], Chat | None], source: bytes) -> object:
    try:
        chat = read(source)
    except GatewayError as error:
        return error.kind, error.message, error.param
    return None if chat is None else told(chat)


@settings(max_examples=2000, deadline=None, derandomize=True)
@given(source=damaged())
@example(source=PLAIN[1].replace(b'"role": "user"', b'"role": "user", "role ": "tool"'))
def test_what_is_read_apart_is_what_is_read_at_once(source: bytes) -> None:
    found = outcome(apart, source)
    assert found is None or found == outcome(read_at_once, source)


def span(*tools: dict[str, Any]) -> Raw:
    return Raw(json.dumps(tools).encode())


def named(name: str) -> Raw:
    return span({"type": "function", "function": FUNCTION | {"name": name}})


def test_tools_that_were_read_before_are_recognised() -> None:
    tools = KnownTools()
    first = tools.read(named("f"))
    assert first is not None
    assert tools.read(named("f")) is first


def test_tools_that_differ_in_one_byte_are_other_tools() -> None:
    tools = KnownTools()
    found = [tools.read(named(name)) for name in ("f", "g", "f")]
    assert [one.tools[0].function.name for one in found if one and one.tools[0].function] == ["f", "g", "f"]


def test_tools_are_remembered_within_a_bound() -> None:
    tools = KnownTools(max_bytes=30_000)
    first = tools.read(named("f" * 100))
    last = [tools.read(named("f" * (100 + length))) for length in range(50)][-1]
    assert 15_000 < tools.lately.bytes_held <= 30_000
    assert tools.read(named("f" * 149)) is last
    assert tools.read(named("f" * 100)) is not first


def test_the_same_place_is_taken_once() -> None:
    tools = KnownTools()
    held: set[int] = set()
    for name in "fgfg":
        tools.read(named(name))
        held.add(tools.lately.bytes_held)
    assert len(held) == 1


def test_tools_that_would_fill_the_memory_are_not_kept() -> None:
    tools = KnownTools(max_bytes=30_000)
    members = {f"x-{index}": 1 for index in range(50)}
    assert tools.read(span({"type": "function", "function": {"name": "f", "parameters": members}})) is not None
    assert tools.lately.bytes_held == 0


def test_the_tools_that_were_not_sent_for_longest_go_first() -> None:
    tools = KnownTools(max_bytes=30_000)
    first = tools.read(named("f"))
    for length in range(50):
        tools.read(named("g" * (100 + length)))
        assert tools.read(named("f")) is first
