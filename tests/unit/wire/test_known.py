"""Requests that repeat what was read before are recognised, and read to the same chat as alone."""

import json
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from llmgateway.wire.openai_chat.glance import plain_messages
from llmgateway.wire.openai_chat.known import Known
from llmgateway.wire.openai_chat.request import read_at_once, read_request
from tests.unit.wire.test_glance import AGENT, CALL, FUNCTION, NOT_PLAIN, TOOL, outcome, told

PROMPT = {"role": "system", "content": "Be brief, and " + "say what you do; " * 260}
SAID = [PROMPT, {"role": "user", "content": "What is the weather in Zürich?"}]
MORE = [
    {"role": "assistant", "content": None, "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "c", "content": "5 °C, 你好"},
]
TOOLS = [TOOL, {"type": "function", "function": {"name": "g", "parameters": {"messages": ["x"]}}}]

WRITTEN = json.dumps(SAID).encode()


def body(*messages: dict[str, Any], **members: Any) -> bytes:
    """As SDKs write it: without a blank."""
    value = {"model": "m", "messages": messages or SAID, **members}
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def met(*sources: bytes) -> Known:
    """A memory that has read each of these twice."""
    known = Known()
    for source in sources:
        for _ in range(2):
            read_request(source, known=known)
    return known


def same(source: bytes, known: Known) -> bool:
    return outcome(lambda one: read_request(one, known=known), source) == outcome(read_at_once, source)


PLAIN = [
    body(),
    body(tools=TOOLS, temperature=0.5, stream=True),
    body(*SAID, *AGENT, tools=TOOLS, tool_choice={"type": "function", "function": {"name": "f"}}),
    body(tools=[], stop=[], functions=[FUNCTION], max_tokens=5, max_completion_tokens=7, unknown={"ü": [1]}),
    body(seed=None, response_format={"type": "json_object"}, reasoning_effort="low", n=2),
    body(tools=[{"type": "web_search"}, TOOL], metadata={"a": "b"}),
    body(user="é" * 100),
    json.dumps({"tools": [TOOL], "model": "m", "stream": None, "messages": SAID, "seed": 1}).encode(),
    json.dumps({"model": "m", "messages": SAID, "tools": TOOLS}, indent=2).encode(),
    json.dumps({"messages": SAID, "model": "m"}, indent="\t", ensure_ascii=False).encode(),
]


@pytest.mark.parametrize("source", PLAIN)
def test_a_request_that_comes_again_is_recognised(source: bytes) -> None:
    known = met(source)
    before = known.frames.known, known.turns.known
    assert told(read_request(source, known=known)) == told(read_at_once(source))
    assert (known.frames.known, known.turns.known) == (before[0] + 1, before[1] + 1)


def grown(source: bytes, *more: dict[str, Any]) -> bytes:
    """With messages behind the others, which end in `SAID`'s last word."""
    at = source.rindex(b"rich?") if b"rich?" in source else 0
    end = source.index(b"}", at) + 1
    return source[:end] + b"".join(b" , " + json.dumps(message).encode() for message in more) + source[end:]


@pytest.mark.parametrize("source", [source for source in PLAIN if b"developer" not in source])
def test_of_a_conversation_that_went_on_only_the_rest_is_read(source: bytes) -> None:
    known = met(source)
    for steps in range(1, 4):
        longer = grown(source, *MORE * steps)
        assert told(read_request(longer, known=known)) == told(read_at_once(longer))
        assert known.turns.grown == steps
        assert len(known.turns.lately) == 1, "the longer one is what is known now"


def test_what_is_sent_once_is_only_noted() -> None:
    known = Known()
    for number in range(20):
        read_request(conversation(1000 + number), known=known)
    assert known.turns.lately.bytes_held < len(conversation(1000))


def test_a_conversation_is_learned_when_it_goes_on() -> None:
    known = Known()
    source = body(tools=TOOLS)
    for steps in range(4):
        read_request(grown(source, *MORE * steps), known=known)
    assert (known.turns.known, known.turns.grown) == (0, 2), "noted, learned, and twice recognised"


@pytest.mark.parametrize("length", range(7_600, 8_400, 50))
def test_a_conversation_that_grows_beyond_a_power_of_two_is_found(length: int) -> None:
    said = {"role": "user", "content": " ".join(map(str, range(2000)))[:length]}
    known = met(body(said))
    read_request(body(said, {"role": "user", "content": "y" * 500}), known=known)
    assert known.turns.grown == 1


def test_other_messages_in_a_known_frame_are_read_alone() -> None:
    known = met(body(tools=TOOLS))
    other = body({"role": "user", "content": "x" * 5000}, tools=TOOLS)
    assert told(read_request(other, known=known)) == told(read_at_once(other))
    assert (known.frames.known, len(known.turns.lately)) == (1, 2)


def test_messages_in_another_frame_are_recognised_all_the_same() -> None:
    known = met(body(tools=TOOLS))
    other = body(tools=TOOLS, seed=4)
    before = known.turns.known
    assert told(read_request(other, known=known)) == told(read_at_once(other))
    assert (known.frames.known, known.turns.known) == (0, before + 1)


LONG_NAME = "m" * 70


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (body(seed=1, tools=TOOLS), body(seed=2, tools=TOOLS)),
        (body(seed=1, tools=TOOLS), body(seed=1, temperature=1, tools=TOOLS)),
        (
            json.dumps({"x": LONG_NAME, "seed": 1, "y": LONG_NAME, "model": "m", "messages": SAID}).encode(),
            json.dumps({"x": LONG_NAME, "seed": 2, "y": LONG_NAME, "model": "m", "messages": SAID}).encode(),
        ),
    ],
)
def test_frames_that_begin_and_end_alike_are_told_apart(one: bytes, other: bytes) -> None:
    known = met(one)
    for source in (other, one, other, one):
        assert same(source, known)
    assert known.frames.known == 3, "both, but for the first look at the other"


def test_nothing_that_is_recognised_is_shared_where_it_can_be_changed() -> None:
    known = met(PLAIN[1])
    one, other = (read_request(PLAIN[1], known=known) for _ in range(2))
    assert one.raw is not other.raw
    assert one.traits.needs is not other.traits.needs


@pytest.mark.parametrize("message", NOT_PLAIN, ids=json.dumps)
def test_messages_that_want_a_closer_look_are_not_remembered(message: dict[str, Any]) -> None:
    known = met(body())
    for source in (body(*SAID, message), body(PROMPT, message)):
        assert same(source, known)
    assert len(known.turns.lately) == 1


@pytest.mark.parametrize(
    "source",
    [
        body().replace(b'"messages":[', b'"mess\\u0061ges":['),
        b'{"messages":[],' + body()[1:],
        body()[:-1] + b',"messages":' + json.dumps(SAID).encode() + b"}",
        body()[:-1] + b',"model":"n"}',
        body()[:-1] + b',"":[0]}',
        b'{"":1,' + body()[1:],
        b'{"user":"\\"messages\\"","messages":[' + body()[1:].partition(b"[")[2] + b"]",
        b'{"metadata":{"messages":["x"]},' + body()[1:],
        b'{"tools":' + json.dumps(TOOLS).encode() + b"," + body()[1:],
        b'{"unknown":["messages",[1]],' + body()[1:],
        b'{"user":"messages","x":%b,"messages":%b,"model":"m"}' % (WRITTEN, WRITTEN),
        b'{"user":0,"x":0,"mess\\u0061ges":%b,"user":"messages","x":%b,"model":"m"}' % (WRITTEN, WRITTEN),
        b'{"x":"\xff","x":1,' + body()[1:],
        body()[:-1] + b',"x":"\xff","x":1}',
        b"\xef\xbb\xbf" + body(),
        body()[:-1],
        body().replace(b"brief", b"br\\ud83def"),
        body().replace(b"brief", b"br\xffef"),
        body(stream=5),
    ],
)
def test_frames_that_are_unusual_are_not_remembered(source: bytes) -> None:
    known = Known()
    for _ in range(3):
        assert same(source, known)
    assert len(known.frames.lately) == 0


NEAR = [
    body(*SAID, {"role": "user", "content": "x"})[:-2] + b",]}",
    body()[:-2] + b"5]}",
    body()[:-2] + b';{"role":"user","content":"x"}]}',
    body()[:-2] + b"\x0b]}",
    body()[:-2] + b',{"role":"user","content":"\xff"}]}',
    body()[:-2] + b',{"role":"user","content":"x"}],"messages":[{"role":"user","content":"y"}]}',
    body()[:-2] + b',{"role":"user","content":"x"}],"x":[1]}',
    body()[:-2] + b'],"messages":[{"role":"user","content":"y"}]}',
    body()[:-2] + b'],"model":"n","x":[]}',
    body()[:-2] + b',{"role":"user","content":"x"},"]}',
    body()[:-2] + b",[]]}",
    body()[:-2] + b"]",
    body()[:-1],
    body()[:-3] + b"]}",
    body() + b" ",
    body() + b"]}",
    body().replace(b'"m"', b'"n"'),
    body().replace(b"Be brief", b"Be grief"),
    body().replace(b"rich?", b"ric\xff?"),
]


@pytest.mark.parametrize("source", NEAR)
def test_what_is_nearly_known_is_read_as_if_nothing_were(source: bytes) -> None:
    assert same(source, met(body()))
    assert same(source, met(body(), body(*SAID, *MORE), body(PROMPT)))


MEMBERS: list[tuple[str, Any]] = [
    ("model", "n"), ("tools", TOOLS), ("tools", [TOOL]), ("stream", True), ("stream", None), ("temperature", 0.5),
    ("temperature", 9), ("user", "é"), ("stop", []), ("max_tokens", 5), ("max_completion_tokens", 7), ("x", {"y": [1]}),
    ("tool_choice", "required"), ("metadata", {"messages": ["x"]}), ("tools", [{"type": "web_search"}]), ("", [0]),
]  # fmt: skip
PIECES = (
    b"]", b"[", b",", b"}", b'"', b" ", b"\x0b", b"\xff", b"\\ud83d", b"0", b"null", b"],", b'],"x":[', b"{}",
    b'{"role":"user","content":"x"}', b',{"role":"user","content":"\xc3\xa9"}', b'],"messages":[{"role":"user"}',
    b'"messages":[],', b'"messages":null,', b'"model":"n",', b',"model":"n"', b'"":1,', b',"":[0]', b'"x":"\xff",',
    b',"x":"\xff"', b'"x":1,', b'"mess\\u0061ges":[],', b'"content":5,', b'"stream":true,', b',"stream":null',
)  # fmt: skip


@st.composite
def conversations(draw: st.DrawFn) -> list[bytes]:
    """Bodies in turn: one that goes on, is cut, branches, asks otherwise, is written otherwise, and gets damaged."""
    members: dict[str, Any] = {"model": "m", "messages": deepcopy(SAID)}
    style: dict[str, Any] = {"separators": (",", ":"), "ensure_ascii": False}
    bodies = []
    for _ in range(draw(st.integers(2, 8))):
        messages = members["messages"]
        match draw(st.sampled_from(("same", "same", "grow", "grow", "cut", "branch", "member", "order", "style"))):
            case "grow":
                messages += [draw(st.sampled_from((*MORE, *AGENT, *NOT_PLAIN))) for _ in range(draw(st.integers(1, 3)))]
            case "cut":
                del messages[draw(st.integers(1, len(messages))) :]
            case "branch":
                messages[-1] = draw(st.sampled_from((*MORE, *AGENT)))
            case "member":
                name, value = draw(st.sampled_from(MEMBERS))
                members = {**members, name: value}
            case "order":
                members = {name: members[name] for name in draw(st.permutations(list(members)))}
            case "style":
                style = draw(st.sampled_from(({}, {"indent": 1}, {"separators": (",", ":")}, style)))
            case _:
                pass
        source = json.dumps({**members, "messages": [PROMPT, *messages]}, **style).encode()
        bodies += [source] * draw(st.integers(1, 2))
        if draw(st.booleans()):
            bodies.append(draw(damaged(source)))
    return bodies


@st.composite
def damaged(draw: st.DrawFn, source: bytes) -> bytes:
    """Something put in, taken out or put in another's place, most often where messages begin or end."""
    ends = [0, 1, source.find(b"[") + 1, source.rfind(b"]"), source.rfind(b"}]") + 1, len(source) - 1, len(source)]
    for _ in range(draw(st.integers(1, 2))):
        starts = [at for at in range(1, len(source)) if source[at - 1 : at] in (b"{", b"[", b'"', b",")]
        at = draw(st.sampled_from(ends) | st.sampled_from(starts) | st.integers(0, len(source)))
        gone = draw(st.sampled_from((0, 0, 0, 1, 2)))
        source = source[:at] + draw(st.sampled_from((*PIECES, b""))) + source[at + gone :]
    return source


@settings(max_examples=600, deadline=None, derandomize=True)
@given(bodies=conversations())
@example(bodies=[PLAIN[1], PLAIN[1], *NEAR, PLAIN[1], *PLAIN])
def test_whatever_was_read_before_a_body_is_read_as_if_alone(bodies: list[bytes]) -> None:
    known = Known()
    for source in bodies:
        assert same(source, known), source


def test_a_conversation_is_known_where_it_begins_and_up_to_where_it_ends() -> None:
    """Whatever place the caller names, the answer is that of the messages there."""
    turns = Known().turns
    source = b'[[{"role":"user","content":"%b ]"},{"role":"user","content":"]"}]' % (b"x" * 5000)
    within, whole = source.rindex(b"]", 0, -1), len(source) - 1
    for _ in range(2):
        assert turns.read(source, start=2, end=whole) == plain_messages(source[1:])
    assert turns.read(source, start=1, end=whole) is None
    assert turns.read(source, start=2, end=within) is None
    assert (turns.known, turns.grown) == (0, 0)


def conversation(number: int) -> bytes:
    return body({"role": "user", "content": f"{number} " * 3000})


def test_what_is_held_stays_within_its_bounds() -> None:
    known = Known(max_bytes=100_000)
    for number in range(30):
        for _ in range(2):
            read_request(conversation(1000 + number), known=known)
            read_request(body(user="x" * number), known=known)
    assert 50_000 < known.turns.lately.bytes_held <= 100_000
    assert 25_000 < known.frames.lately.bytes_held <= 50_000


def test_the_conversation_that_was_not_asked_for_longest_goes_first() -> None:
    known = Known(max_bytes=70_000)
    for number in (1000, 1001, 1000, 1002, 1000, 1003, 1000, 1004, 1000, 1005, 1000, 1001, 1000):
        for _ in range(2):
            read_request(conversation(number), known=known)
    assert known.turns.known == 6 * 2


def test_the_frame_that_was_not_asked_for_longest_goes_first() -> None:
    known = Known(max_bytes=100_000)
    for number in (0, 0, 0, *range(1, 30)):
        read_request(body(user="x" * number), known=known)
        read_request(body(user="x" * number), known=known)
        before = known.frames.known
        read_request(body(user=""), known=known)
        assert known.frames.known >= before + (number > 0), "asked for again and again"


def test_a_conversation_larger_than_a_quarter_of_the_memory_is_not_kept() -> None:
    known = met(body())
    small = Known(max_bytes=4 * known.turns.lately.bytes_held - 4)
    for _ in range(3):
        assert same(body(), small)
    assert len(small.turns.lately) == 0


def test_nobody_asks_for_ten_minutes_and_it_is_let_go() -> None:
    now = [0.0]
    known = Known(monotonic=lambda: now[0])
    for at, number in ((0, 1), (0, 2), (500, 1), (601, 3)):
        now[0] = at
        for _ in range(2):
            read_request(conversation(1000 + number), known=known)
    before = known.turns.known
    read_request(conversation(1001), known=known)
    read_request(conversation(1002), known=known)
    assert known.turns.known == before + 1


def test_without_memory_nothing_is_kept() -> None:
    known = Known(max_bytes=0)
    for source in (*PLAIN, *PLAIN, *PLAIN):
        assert same(source, known)
    assert (len(known.frames.lately), len(known.turns.lately), known.frames.known, known.turns.known) == (0, 0, 0, 0)


def test_a_small_request_leaves_nothing_behind() -> None:
    known = met(body({"role": "user", "content": "x" * 3000}))
    assert len(known.turns.lately) == 0
