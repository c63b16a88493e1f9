"""Whatever is asked in whatever protocol, the simulator answers: with what was asked for, or with the vendor's 400."""

import copy
import random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmgateway.apps.simulator.script import Request, body_of
from llmgateway.apps.simulator.simulation import Simulation
from tests.unit.apps.simulator.dialect_reading import CITY, NAMES, Json, answered, asked, status_of, told

EACH = pytest.mark.parametrize("dialect", NAMES)
STREAMED = pytest.mark.parametrize("streamed", [True, False], ids=["streamed", "whole"])
SCALARS = st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=3) | st.sampled_from(["user", "text", "c1"])
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner))


def rich(dialect: str) -> tuple[str, Json]:
    """A request with tools, a schema, and a history of a call and its result."""
    address, body = asked(dialect, streamed=False)
    call = {"id": "c1", "type": "function", "function": {"name": "get_weather", "arguments": "{}"}}
    result = {"role": "tool", "tool_call_id": "c1", "content": "21 degrees"}
    function = {"name": "get_weather", "parameters": CITY}
    if dialect in ("openai-chat", "cohere"):
        body["messages"] += [{"role": "assistant", "tool_calls": [call]}, result]
        body["tools"] = [{"type": "function", "function": function}]
    elif dialect == "openai-responses":
        output = {"type": "function_call_output", "call_id": "c1", "output": "21 degrees"}
        body["input"] += [{"type": "function_call", "call_id": "c1", "name": "get_weather", "arguments": "{}"}, output]
        body["tools"] = [{"type": "function"} | function]
        body["text"] = {"format": {"type": "json_schema", "name": "x", "schema": CITY}}
    elif dialect == "anthropic":
        use = {"type": "tool_use", "id": "c1", "name": "get_weather", "input": {}}
        answer = {"type": "tool_result", "tool_use_id": "c1", "content": [{"type": "text", "text": "21 degrees"}]}
        body["messages"] += [{"role": "assistant", "content": [use]}, {"role": "user", "content": [answer]}]
        body |= {"tools": [{"name": "get_weather", "input_schema": CITY}], "tool_choice": {"type": "auto"}}
        body["system"] = [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}]
    elif dialect == "bedrock":
        use = {"toolUse": {"toolUseId": "c1", "name": "get_weather", "input": {}}}
        answer = {"toolResult": {"toolUseId": "c1", "content": [{"text": "21 degrees"}]}}
        body["messages"] += [{"role": "assistant", "content": [use]}, {"role": "user", "content": [answer]}]
        body["toolConfig"] = {"tools": [{"toolSpec": {"name": "get_weather", "inputSchema": {"json": CITY}}}]}
        body["inferenceConfig"] = {"maxTokens": 100}
    else:
        response = {"name": "get_weather", "response": {"output": "21 degrees"}}
        body["contents"] += [
            {"role": "model", "parts": [{"functionCall": {"name": "get_weather", "args": {}}}]},
            {"role": "user", "parts": [{"functionResponse": response}]},
        ]
        body["tools"] = [{"functionDeclarations": [function]}]
        body["generationConfig"] = {"maxOutputTokens": 100, "thinkingConfig": {"includeThoughts": True}}
    return address, body


def send(address: str, body: bytes) -> tuple[int, bytes]:
    headers = ((b"anthropic-version", b"2023-06-01"),)
    script, _ = Simulation(now=lambda: 5).answer(Request("POST", address, headers, body))
    return status_of(script), body_of(script)


def places(value: Any, *, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of everything inside a JSON value."""
    if not isinstance(value, (dict, list)):
        return []
    members: list[tuple[Any, Any]] = list(value.items() if isinstance(value, dict) else enumerate(value))
    return [inner for key, member in members for inner in [(*path, key), *places(member, path=(*path, key))]]


def changed(body: Json, path: tuple[Any, ...], value: Any) -> Json:
    body = copy.deepcopy(body)
    target: Any = body
    for key in path[:-1]:
        target = target[key]
    target[path[-1]] = value
    return body


@EACH
def test_a_history_with_results_is_answered_in_words(dialect: str) -> None:
    address, body = rich(dialect)
    status, data = send(address, msgspec.json.encode(body))
    assert status == 200
    if dialect != "openai-responses":
        assert b"21 degrees" in data


@EACH
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_a_spoiled_request_gets_an_answer(dialect: str, data: st.DataObject) -> None:
    """A value of any kind in any place: 200 or the vendor's 400, never an accident."""
    address, body = rich(dialect)
    path = data.draw(st.sampled_from(places(body)))
    spoiled = changed(body, path, data.draw(VALUES))
    status, answer = send(address, msgspec.json.encode(spoiled))
    assert status in (200, 400, 404)
    if spoiled.get("stream") is not True:
        msgspec.json.decode(answer)


@EACH
def test_no_bytes_are_an_accident(dialect: str) -> None:
    """Anything at all as a body is a 400 in JSON, as is a truncated request."""
    address, body = rich(dialect)
    encoded = msgspec.json.encode(body)
    seeded = random.Random(7)
    for garbage in (b"", b"[]", b"null", b"{", b'{"model": 5}', b"\xff\xfe", b"[" * 5000, encoded[:-20]):
        status, answer = send(address, garbage)
        assert status == 400
        assert msgspec.json.decode(answer)
    for _ in range(200):
        at = seeded.randrange(len(encoded))
        status, _ = send(address, encoded[:at] + bytes((seeded.randrange(256),)) + encoded[at + 1 :])
        assert status in (200, 400, 404)


@EACH
@STREAMED
def test_the_header_steers_every_protocol(dialect: str, streamed: bool) -> None:
    text = told(dialect, answered(dialect, {"text": "Steered, 你好"}, streamed=streamed), streamed=streamed).texts
    assert "".join(text) == "Steered, 你好"
    steering = {"tool_calls": [{"name": "f", "arguments": {"x": 1}}, {"name": "g"}]}
    calls = told(dialect, answered(dialect, steering, streamed=streamed), streamed=streamed).calls
    pieces = [call[1] for call in calls.values()]
    arguments = [one[-1] if isinstance(one[-1], dict) else msgspec.json.decode("".join(one)) for one in pieces]
    assert arguments == [{"x": 1}, {}]
    assert len({call[0] for call in calls.values()}) == 2


@EACH
def test_a_broken_header_is_a_400(dialect: str) -> None:
    script = answered(dialect, {"fault": "no-such"}, streamed=False)
    assert status_of(script) == 400
    assert b"x-simulator" in body_of(script)


def test_a_key_in_the_address_is_not_kept() -> None:
    """Google takes keys as a parameter; the list of requests shows none."""
    simulation = Simulation(now=lambda: 5)
    address, body = asked("google", streamed=True)
    simulation.answer(Request("POST", f"{address}&key=sk-canary&x=1", (), msgspec.json.encode(body)))
    report = simulation.ledger.report(refused_port=None)
    assert b"sk-canary" not in report
    assert b"alt=sse&key=\xe2\x80\xa6&x=1" in report


@EACH
def test_the_same_requests_get_the_same_bytes(dialect: str) -> None:
    for streamed in (False, True):
        first, second = (answered(dialect, {"answer": "reasoning"}, streamed=streamed) for _ in range(2))
        assert first == second


@EACH
def test_delays_stand_before_the_tokens(dialect: str) -> None:
    """The first token waits, each later one too; what greets comes before, what ends follows at once."""
    simulation = Simulation(now=lambda: 5)
    steering = {"tokens": 4, "first_token_ms": 100, "per_token_ms": 20}
    script = answered(dialect, steering, streamed=True, simulation=simulation)
    waits = [getattr(step, "seconds", None) for step in script if not hasattr(step, "status")]
    assert [wait for wait in waits if wait is not None] == [0.1, 0.02, 0.02, 0.02]
    early = waits.index(0.1)
    assert (early > 0) == (dialect in ("openai-responses", "anthropic", "bedrock", "cohere"))


@EACH
def test_a_growing_conversation_is_found_in_the_cache(dialect: str) -> None:
    """The prompt cache knows bodies of every protocol by their bytes."""
    simulation = Simulation(now=lambda: 5)
    address, body = asked(dialect, streamed=False)
    field = next(name for name in ("messages", "input", "contents") if name in body)
    long = [{"text": "x" * 2500}]
    turns: Json = {"google": {"parts": long}, "bedrock": {"role": "user", "content": long}}
    body[field] = [turns.get(dialect, {"role": "user", "content": "x" * 2500})]
    headers = ((b"anthropic-version", b"2023-06-01"),)
    answers = [
        body_of(simulation.answer(Request("POST", address, headers, msgspec.json.encode(body)))[0]) for _ in range(2)
    ]
    first, second = (msgspec.json.decode(answer) for answer in answers)
    assert (cached(first), cached(second)) == (0, 512)


def cached(answer: Json) -> int:
    """The tokens that the answer says were cached, in any protocol's words."""
    names = ("cached_tokens", "cache_read_input_tokens", "cachedContentTokenCount", "cacheReadInputTokens")
    return sum([value for path in places(answer) if path[-1] in names and isinstance(value := at(answer, path), int)])


def at(value: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        value = value[key]
    return value
