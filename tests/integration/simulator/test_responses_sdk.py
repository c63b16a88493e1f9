"""OpenAI's own Python SDK reads what the simulator says in the responses protocol, types its errors, and is refused as
by the vendor when it breaks a rule."""

import json
from collections.abc import Iterator
from typing import Any

import openai
import pydantic
import pytest
from openai.types.responses import Response

PARAMETERS: Any = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
WEATHER: Any = {"type": "function", "name": "get_weather", "parameters": PARAMETERS, "strict": True}
CLOCK: Any = {
    "type": "function",
    "name": "clock",
    "parameters": {"type": "object", "properties": {}, "required": [], "additionalProperties": False},
    "strict": True,
}
HELLO: Any = [{"role": "user", "content": "Hello, 你好"}]
KEPT: Any = {"store": False, "include": ["reasoning.encrypted_content"], "reasoning": {"summary": "auto"}}


class Person(pydantic.BaseModel):
    name: str
    age: int
    tags: list[str]


@pytest.fixture
def client(url: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{url}/responses/v1", api_key="sk-test", max_retries=0, timeout=10) as client:
        yield client


def ask(client: openai.OpenAI, model: str, *, streamed: bool, **fields: Any) -> Response:
    """The response, put together by the SDK where it is streamed."""
    given: Any = {"input": HELLO} | fields
    if not streamed:
        return client.responses.create(model=model, **given)
    with client.responses.stream(model=model, **given) as stream:
        last: Any = list(stream)[-1]
        # The SDK keeps no response that is incomplete.
        return last.response if last.type == "response.incomplete" else stream.get_final_response()


def shown(response: Response) -> list[dict[str, Any]]:
    """The output without what differs from one answer to the next, and what the SDK adds."""
    hidden = {"id", "call_id", "encrypted_content", "parsed_arguments"}
    items = [item.model_dump(exclude_none=True, exclude=hidden, warnings=False) for item in response.output]
    for item in items:
        for part in item.get("content", ()):
            part.pop("parsed", None)
    return items


@pytest.mark.parametrize(
    ("model", "fields"),
    [
        ("echo", {}),
        ("lorem-50", {}),
        ("auto", {"tools": [WEATHER]}),
        ("parallel-tools", {"tools": [WEATHER, CLOCK]}),
        ("reasoning", KEPT),
        ("redacted", KEPT | {"tools": [WEATHER]}),
        ("citations", {}),
        ("image", {}),
        ("refusal", {}),
        ("lorem-50", {"max_output_tokens": 16}),
    ],
)
def test_a_stream_adds_up_to_the_whole_response(client: openai.OpenAI, model: str, fields: dict[str, Any]) -> None:
    """The same output, status and usage, whole and streamed."""
    whole, streamed = (ask(client, model, streamed=streamed, **fields) for streamed in (False, True))
    assert shown(streamed) == shown(whole)
    assert shown(whole)
    assert (streamed.status, streamed.incomplete_details) == (whole.status, whole.incomplete_details)
    assert whole.usage is not None
    assert streamed.usage == whole.usage


def test_events_add_up_and_are_numbered(client: openai.OpenAI) -> None:
    """Each delta reaches its done event, every item is opened and closed, and no number is left out."""
    events: list[Any] = list(
        client.responses.create(model="redacted", input=HELLO, tools=[WEATHER], stream=True, **KEPT)
    )
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert [event.type for event in events[:2]] == ["response.created", "response.in_progress"]
    assert events[-1].type == "response.completed"
    for kind, field in (("function_call_arguments", "arguments"), ("reasoning_summary_text", "text")):
        pieces = "".join([event.delta for event in events if event.type == f"response.{kind}.delta"])
        (done,) = [event for event in events if event.type == f"response.{kind}.done"]
        assert getattr(done, field) == pieces != ""
    opened = [event.item.id for event in events if event.type == "response.output_item.added"]
    closed = [event.item.id for event in events if event.type == "response.output_item.done"]
    assert opened == closed == [item.id for item in events[-1].response.output]


@pytest.mark.parametrize("streamed", [False, True])
def test_a_tool_loop_keeps_its_reasoning(client: openai.OpenAI, streamed: bool) -> None:
    """Encrypted reasoning and parallel calls go back as they came; then the answer tells the result."""
    steering = {"x-simulator": '{"answer": "parallel-tools", "reasoning": "Two things to do.", "redacted": "Secret."}'}
    fields: Any = KEPT | {"tools": [WEATHER, CLOCK]}
    first = ask(client, "auto", streamed=streamed, extra_headers=steering, **fields)
    assert [item.type for item in first.output] == ["reasoning", "reasoning", "function_call", "function_call"]
    last = ask(client, "auto", streamed=streamed, **fields | {"input": loop(first)})
    assert "21 degrees" in last.output_text


def loop(first: Response) -> Any:
    """The conversation with the first answer and outputs for its calls."""
    items = [item.model_dump(exclude_none=True, exclude={"parsed_arguments"}, warnings=False) for item in first.output]
    calls = [item for item in items if item["type"] == "function_call"]
    outputs = [{"type": "function_call_output", "call_id": it["call_id"], "output": "21 degrees"} for it in calls]
    return [*HELLO, *items, *outputs]


@pytest.mark.parametrize(
    ("spoil", "code", "said"),
    [
        ("content", "invalid_encrypted_content", "could not be verified"),
        ("swapped", None, "required following item"),
        ("alone", None, "required following item"),
        ("output", None, "No tool output found"),
        ("call", None, "No tool call found"),
    ],
)
def test_reasoning_that_was_altered_is_refused(client: openai.OpenAI, spoil: str, code: str | None, said: str) -> None:
    fields: Any = KEPT | {"tools": [WEATHER]}
    items = loop(ask(client, "reasoning", streamed=False, **fields))
    user, reasoning, call, output = items
    if spoil == "content":
        reasoning["encrypted_content"] = reasoning["encrypted_content"][:-4] + "AAAA"
    changed = {
        "content": items,
        "swapped": [user, call, reasoning, output],
        "alone": [user, reasoning, *HELLO],
        "output": [user, reasoning, call],
        "call": [user, output],
    }
    with pytest.raises(openai.BadRequestError, match=said) as caught:
        ask(client, "auto", streamed=False, **fields | {"input": changed[spoil]})
    assert caught.value.code == code


def test_reasoning_without_its_content_is_not_found(client: openai.OpenAI) -> None:
    """Nothing is stored, so an id alone leads nowhere."""
    items = loop(ask(client, "reasoning", streamed=False, store=False, tools=[WEATHER]))
    assert "encrypted_content" not in items[1]
    with pytest.raises(openai.NotFoundError, match="not persisted"):
        ask(client, "auto", streamed=False, input=items)


@pytest.mark.parametrize("streamed", [False, True])
def test_structured_output_is_parsed(client: openai.OpenAI, streamed: bool) -> None:
    if streamed:
        with client.responses.stream(model="auto", input=HELLO, text_format=Person) as stream:
            parsed = stream.get_final_response().output_parsed
    else:
        parsed = client.responses.parse(model="auto", input=HELLO, text_format=Person).output_parsed
    assert isinstance(parsed, Person)


def test_a_response_cut_short_says_why(client: openai.OpenAI) -> None:
    for streamed in (False, True):
        response = ask(client, "lorem-50", streamed=streamed, max_output_tokens=16)
        assert response.status == "incomplete"
        assert response.incomplete_details is not None
        assert response.incomplete_details.reason == "max_output_tokens"


def test_usage_has_its_details(client: openai.OpenAI) -> None:
    steering = {"x-simulator": '{"usage": {"prompt_tokens": 100, "cached_tokens": 60, "reasoning_tokens": 7}}'}
    usage = ask(client, "echo", streamed=True, extra_headers=steering).usage
    assert usage is not None
    assert (usage.input_tokens, usage.input_tokens_details.cached_tokens) == (100, 60)
    assert usage.output_tokens_details.reasoning_tokens == 7


@pytest.mark.parametrize(
    ("model", "error"),
    [
        ("missing-model", openai.NotFoundError),
        ("fault-400", openai.BadRequestError),
        ("fault-401", openai.AuthenticationError),
        ("fault-403", openai.PermissionDeniedError),
        ("fault-429", openai.RateLimitError),
        ("fault-500", openai.InternalServerError),
        ("fault-reset", openai.APIConnectionError),
    ],
)
@pytest.mark.parametrize("streamed", [False, True])
def test_errors_are_typed(client: openai.OpenAI, model: str, error: type[Exception], streamed: bool) -> None:
    with pytest.raises(error):
        ask(client, model, streamed=streamed)


def test_an_error_event_is_raised_from_the_stream(client: openai.OpenAI) -> None:
    with pytest.raises(openai.APIError, match="overloaded") as caught:
        list(client.responses.create(model="fault-error-event", input=HELLO, stream=True))
    assert caught.value.code == "server_is_overloaded"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"response_format": {"type": "json_object"}}, "Unknown parameter: 'response_format'"),
        ({"max_output_tokens": 1}, "below minimum"),
        (
            {"input": [{"role": "user", "content": [{"type": "text_input", "text": "x"}]}]},
            "Invalid value: 'text_input'",
        ),
        ({"input": [{"role": "assistant", "content": [{"type": "input_text", "text": "x"}]}]}, "Invalid value"),
        ({"input": [{"role": "tool", "content": "x"}]}, "Invalid value: 'tool'"),
        ({"input": [*HELLO, {"type": "function_call", "call_id": "c", "name": "f", "arguments": {}}]}, "arguments"),
        ({"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "x"}]}]}, "valid URL"),
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "tools\\[0\\].name"),
    ],
)
def test_what_the_vendor_refuses_is_refused(client: openai.OpenAI, fields: dict[str, Any], said: str) -> None:
    with pytest.raises(openai.BadRequestError, match=said):
        ask(client, "auto", streamed=False, extra_body=fields)


def test_arguments_of_calls_are_json(client: openai.OpenAI) -> None:
    (call,) = ask(client, "auto", streamed=True, tools=[WEATHER]).output
    assert call.type == "function_call"
    assert json.loads(call.arguments) == {"city": "Paris"}
