"""Cohere's own Python SDK reads what the simulator says in its chat protocol, types its errors, and is refused as by
the vendor when it breaks a rule."""

import json
from collections.abc import Iterator
from typing import Any

import cohere
import httpx
import pytest
from cohere import errors

WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
CLOCK: Any = {"type": "function", "function": {"name": "clock", "parameters": {"type": "object", "properties": {}}}}
HELLO: Any = [{"role": "user", "content": "Hello, 你好"}]
NO_RETRIES: Any = {"max_retries": 0}


@pytest.fixture
def client(url: str) -> Iterator[cohere.ClientV2]:
    with cohere.ClientV2(api_key="test", base_url=f"{url}/cohere", timeout=10) as client:
        yield client


def ask(client: cohere.ClientV2, model: str, *, streamed: bool, **fields: Any) -> dict[str, Any]:
    """The answer as a plain object, put together from its events where it is streamed."""
    given: Any = {"messages": HELLO, "request_options": NO_RETRIES} | fields
    if not streamed:
        return client.chat(model=model, **given).model_dump(exclude_none=True)
    return added_up([event.model_dump(exclude_none=True) for event in client.chat_stream(model=model, **given)])


def added_up(events: list[dict[str, Any]]) -> dict[str, Any]:
    answer: dict[str, Any] = {"message": {"role": "assistant"}}
    message: dict[str, Any] = answer["message"]
    for event in events:
        kind, told = event["type"], (event.get("delta") or {}).get("message") or {}
        if kind == "message-start":
            answer["id"] = event["id"]
        elif kind in ("content-start", "tool-call-start", "citation-start"):
            ((field, started),) = told.items()
            message.setdefault(field, []).append(started)
        elif kind == "content-delta":
            add(message["content"][-1], told["content"])
        elif kind == "tool-plan-delta":
            add(message, told)
        elif kind == "tool-call-delta":
            add(message["tool_calls"][-1], told["tool_calls"])
        elif kind == "message-end":
            answer |= event["delta"]
    return answer


def add(target: dict[str, Any], delta: dict[str, Any]) -> None:
    for key, value in delta.items():
        if isinstance(value, dict):
            add(target.setdefault(key, {}), value)
        else:
            target[key] = target.get(key, "") + value


def shown(answer: dict[str, Any]) -> dict[str, Any]:
    message = answer["message"]
    for call in message.get("tool_calls", ()):
        call["id"] = ""
    return message


@pytest.mark.parametrize(
    ("model", "fields"),
    [
        ("echo", {}),
        ("lorem-50", {}),
        ("auto", {"tools": [WEATHER]}),
        ("parallel-tools", {"tools": [WEATHER, CLOCK]}),
        ("reasoning", {}),
        ("citations", {}),
        ("refusal", {}),
        ("echo", {"stop_sequences": ["你"]}),
        ("lorem-50", {"max_tokens": 10}),
    ],
)
def test_a_stream_adds_up_to_the_whole_answer(client: cohere.ClientV2, model: str, fields: dict[str, Any]) -> None:
    """The same message, finish reason and usage, whole and streamed."""
    whole, streamed = (ask(client, model, streamed=streamed, **fields) for streamed in (False, True))
    assert shown(streamed) == shown(whole)
    assert streamed["finish_reason"] == whole["finish_reason"]
    assert streamed["usage"] == whole["usage"]


def test_finish_reasons_are_the_vendors(client: cohere.ClientV2) -> None:
    cases: list[tuple[str, dict[str, Any], str]] = [
        ("echo", {}, "COMPLETE"),
        ("lorem-50", {"max_tokens": 10}, "MAX_TOKENS"),
        ("echo", {"stop_sequences": ["你"]}, "STOP_SEQUENCE"),
        ("auto", {"tools": [WEATHER]}, "TOOL_CALL"),
    ]
    for streamed in (False, True):
        for model, fields, expected in cases:
            assert ask(client, model, streamed=streamed, **fields)["finish_reason"] == expected


@pytest.mark.parametrize("streamed", [False, True])
def test_a_tool_loop_ends_in_an_answer(client: cohere.ClientV2, streamed: bool) -> None:
    first = ask(client, "parallel-tools", streamed=streamed, tools=[WEATHER, CLOCK])["message"]
    results = [{"role": "tool", "tool_call_id": call["id"], "content": "21 degrees"} for call in first["tool_calls"]]
    assert len(results) == 2
    last = ask(client, "auto", streamed=streamed, tools=[WEATHER, CLOCK], messages=[*HELLO, first, *results])
    assert "21 degrees" in last["message"]["content"][0]["text"]


def test_structured_output_is_what_the_schema_says(client: cohere.ClientV2) -> None:
    schema = {"type": "object", "properties": {"age": {"type": "integer"}}, "required": ["age"]}
    form: Any = {"type": "json_object", "json_schema": schema}
    answer = ask(client, "auto", streamed=False, response_format=form)
    assert json.loads(answer["message"]["content"][0]["text"]) == {"age": 42}


@pytest.mark.parametrize(
    ("model", "error"),
    [
        ("missing-model", errors.NotFoundError),
        ("fault-400", errors.BadRequestError),
        ("fault-401", errors.UnauthorizedError),
        ("fault-403", errors.ForbiddenError),
        ("fault-429", errors.TooManyRequestsError),
        ("fault-500", errors.InternalServerError),
        ("fault-503", errors.ServiceUnavailableError),
    ],
)
@pytest.mark.parametrize("streamed", [False, True])
def test_errors_are_typed(client: cohere.ClientV2, model: str, error: type[Exception], streamed: bool) -> None:
    with pytest.raises(error):
        ask(client, model, streamed=streamed)


def test_a_stream_that_fails_says_so_at_its_end(client: cohere.ClientV2) -> None:
    answer = ask(client, "fault-error-event", streamed=True)
    assert (answer["finish_reason"], answer["error"]) == ("ERROR", "The model stopped unexpectedly.")


CALL = {
    "role": "assistant",
    "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
}
RESULT = {"role": "tool", "tool_call_id": "c", "content": "21"}


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"messages": []}, "must not be empty"),
        ({"messages": [*HELLO, {"role": "assistant", "content": "x"}]}, "last message"),
        ({"messages": [*HELLO, CALL, *HELLO]}, "missing tool results"),
        ({"messages": [*HELLO, RESULT]}, "not found"),
        ({"messages": [{"role": "user", "content": ""}]}, "non-empty"),
        ({"top_p": 0.5}, "unknown field"),
        ({"tool_choice": "REQUIRED"}, "without tools"),
        ({"tool_choice": "auto"}, "invalid"),
    ],
)
def test_what_the_vendor_refuses_is_refused(url: str, fields: dict[str, Any], said: str) -> None:
    answer = httpx.post(f"{url}/cohere/v2/chat", json={"model": "auto", "messages": HELLO} | fields)
    assert answer.status_code == 400
    assert said in answer.json()["message"]
    assert answer.json()["id"]
