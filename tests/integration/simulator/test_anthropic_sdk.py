"""Anthropic's own Python SDK reads what the simulator says in its protocol, types its errors, and is refused as by the
vendor when it breaks a rule."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import anthropic
import httpx
import pytest

WEATHER: Any = {
    "name": "get_weather",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
CLOCK: Any = {"name": "clock", "input_schema": {"type": "object", "properties": {}}}
HELLO: Any = [{"role": "user", "content": "Hello, 你好"}]
THINKING: Any = {"type": "enabled", "budget_tokens": 1024}


@pytest.fixture
def client(url: str) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=f"{url}/anthropic", api_key="sk-test", max_retries=0, timeout=10) as client:
        yield client


def ask(client: anthropic.Anthropic, model: str, *, streamed: bool, **fields: Any) -> anthropic.types.Message:
    """The message, put together by the SDK where it is streamed."""
    given: Any = {"max_tokens": 4000, "messages": HELLO} | fields
    if not streamed:
        return client.messages.create(model=model, **given)
    with client.messages.stream(model=model, **given) as stream:
        return stream.get_final_message()


def shown(message: anthropic.types.Message) -> list[dict[str, Any]]:
    """The content without ids and what the SDK adds."""
    blocks = [block.model_dump(exclude_none=True, exclude={"id", "tool_use_id"}) for block in message.content]
    for block in blocks:
        block.pop("parsed_output", None)
    return blocks


@pytest.mark.parametrize(
    ("model", "fields"),
    [
        ("echo", {}),
        ("lorem-50", {}),
        ("auto", {"tools": [WEATHER]}),
        ("parallel-tools", {"tools": [WEATHER, CLOCK]}),
        ("reasoning", {"thinking": THINKING}),
        ("redacted", {"thinking": THINKING, "tools": [WEATHER]}),
        ("citations", {}),
        ("refusal", {}),
        ("echo", {"stop_sequences": ["你"]}),
        ("lorem-50", {"max_tokens": 10}),
    ],
)
def test_a_stream_adds_up_to_the_whole_message(client: anthropic.Anthropic, model: str, fields: dict[str, Any]) -> None:
    """The same content, stop reason and usage, whole and streamed."""
    whole, streamed = (ask(client, model, streamed=streamed, **fields) for streamed in (False, True))
    assert shown(streamed) == shown(whole)
    assert shown(whole)
    assert (streamed.stop_reason, streamed.stop_sequence) == (whole.stop_reason, whole.stop_sequence)
    assert streamed.usage.output_tokens == whole.usage.output_tokens > 0


@pytest.mark.parametrize("streamed", [False, True])
def test_stop_reasons_are_the_vendors(client: anthropic.Anthropic, streamed: bool) -> None:
    cases: list[tuple[str, Any, str]] = [
        ("echo", {}, "end_turn"),
        ("lorem-50", {"max_tokens": 10}, "max_tokens"),
        ("echo", {"stop_sequences": ["你"]}, "stop_sequence"),
        ("auto", {"tools": [WEATHER]}, "tool_use"),
        ("refusal", {}, "refusal"),
    ]
    for model, fields, expected in cases:
        assert ask(client, model, streamed=streamed, **fields).stop_reason == expected


@pytest.mark.parametrize("streamed", [False, True])
def test_a_tool_loop_keeps_its_thoughts(client: anthropic.Anthropic, streamed: bool) -> None:
    """Thinking, redacted thinking and parallel calls go back as they came; then the answer tells the result."""
    fields: Any = {"thinking": THINKING, "tools": [WEATHER, CLOCK]}
    steering = {"x-simulator": '{"answer": "parallel-tools", "reasoning": "Two things to do.", "redacted": "Secret."}'}
    first = ask(client, "auto", streamed=streamed, extra_headers=steering, **fields)
    kinds = [block.type for block in first.content]
    assert kinds == ["thinking", "redacted_thinking", "tool_use", "tool_use"]
    last = ask(client, "auto", streamed=streamed, **fields | {"messages": loop(first)})
    assert last.stop_reason == "end_turn"
    assert "21 degrees" in str(shown(last))


def loop(first: anthropic.types.Message) -> Any:
    """The conversation with the first answer and results for its calls."""
    content = [block.model_dump(exclude_none=True) for block in first.content]
    calls = [block for block in first.content if block.type == "tool_use"]
    results = [{"type": "tool_result", "tool_use_id": call.id, "content": "21 degrees"} for call in calls]
    return [*HELLO, {"role": "assistant", "content": content}, {"role": "user", "content": results}]


@pytest.mark.parametrize("spoil", ["text", "signature", "data", "swapped", "dropped"])
def test_thoughts_that_were_altered_are_refused(client: anthropic.Anthropic, spoil: str) -> None:
    """As the vendor does: any change of a thinking block, or a loop that lost its thoughts, is a 400."""
    fields: Any = {"thinking": THINKING, "tools": [WEATHER]}
    messages = loop(ask(client, "redacted", streamed=False, **fields))
    content = messages[1]["content"]
    if spoil == "text":
        content[0]["thinking"] += " "
    elif spoil == "signature":
        content[0]["signature"] = base64.b64encode(b"x" * 32).decode()
    elif spoil == "data":
        content[1]["data"] = base64.b64encode(b"x" * 60).decode()
    elif spoil == "swapped":
        content[0]["signature"] = content[1]["data"]
    else:
        del content[:2]
    with pytest.raises(anthropic.BadRequestError) as caught:
        ask(client, "auto", streamed=False, **fields | {"messages": messages})
    expected = {"data": "Invalid `data`", "dropped": "Expected `thinking`"}.get(spoil, "Invalid `signature`")
    assert expected in caught.value.message


def test_structured_output_is_what_the_schema_says(client: anthropic.Anthropic) -> None:
    schema = {"type": "object", "properties": {"age": {"type": "integer"}}, "required": ["age"]}
    form: Any = {"format": {"type": "json_schema", "schema": schema}}
    (block,) = ask(client, "auto", streamed=False, output_config=form).content
    assert block.type == "text"
    assert json.loads(block.text) == {"age": 42}


def test_search_results_are_cited_and_counted(client: anthropic.Anthropic) -> None:
    tool: Any = {"type": "web_search_20250305", "name": "web_search"}
    message = ask(client, "auto", streamed=True, tools=[tool])
    assert [block.type for block in message.content] == ["server_tool_use", "web_search_tool_result", "text"]
    text = message.content[-1]
    assert text.type == "text"
    assert text.citations is not None
    assert [one.type for one in text.citations] == ["web_search_result_location"] * 2
    assert message.usage.server_tool_use is not None
    assert message.usage.server_tool_use.web_search_requests == 1


def test_usage_parts_the_prompt_by_the_cache(client: anthropic.Anthropic) -> None:
    """What was read from the cache and what was written to it are no part of input_tokens."""
    steering = {"x-simulator": '{"usage": {"prompt_tokens": 100, "cached_tokens": 60, "cache_write_tokens": 30}}'}
    usage = ask(client, "echo", streamed=False, extra_headers=steering).usage
    assert (usage.input_tokens, usage.cache_read_input_tokens, usage.cache_creation_input_tokens) == (10, 60, 30)


def test_events_come_in_the_vendors_order(client: anthropic.Anthropic) -> None:
    events = [event.type for event in client.messages.create(model="echo", max_tokens=50, messages=HELLO, stream=True)]
    assert events[:2] == ["message_start", "content_block_start"]
    assert events[-3:] == ["content_block_stop", "message_delta", "message_stop"]
    assert set(events[2:-3]) == {"content_block_delta"}


@pytest.mark.parametrize(
    ("model", "error"),
    [
        ("missing-model", anthropic.NotFoundError),
        ("fault-400", anthropic.BadRequestError),
        ("fault-401", anthropic.AuthenticationError),
        ("fault-403", anthropic.PermissionDeniedError),
        ("fault-409", anthropic.ConflictError),
        ("fault-413-context", anthropic.APIStatusError),
        ("fault-429", anthropic.RateLimitError),
        ("fault-500", anthropic.InternalServerError),
        ("fault-529", anthropic.InternalServerError),
        ("fault-reset", anthropic.APIConnectionError),
    ],
)
@pytest.mark.parametrize("streamed", [False, True])
def test_errors_are_typed(
    client: anthropic.Anthropic, model: str, error: type[anthropic.APIError], streamed: bool
) -> None:
    with pytest.raises(error) as caught:
        ask(client, model, streamed=streamed)
    if isinstance(caught.value, anthropic.APIStatusError):
        body: Any = caught.value.body
        assert body["type"] == "error"
        assert body["error"]["type"].endswith(("_error", "_too_large"))
        assert caught.value.request_id is not None


def test_an_error_event_is_raised_from_the_stream(client: anthropic.Anthropic) -> None:
    with pytest.raises(anthropic.APIStatusError) as caught:
        ask(client, "fault-error-event", streamed=True)
    assert "Overloaded" in str(caught.value.body)


IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/bmp", "data": "AAAA"}}
CALL = {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "get_weather", "input": {}}]}
RESULT = {"type": "tool_result", "tool_use_id": "t", "content": "21"}
MARK = {"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"max_tokens": 0}, "max_tokens"),
        ({"temperature": 1.5}, "temperature"),
        ({"messages": []}, "at least one message"),
        ({"messages": [{"role": "assistant", "content": "x"}]}, 'must use the "user" role'),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": ""}]}]}, "non-empty"),
        ({"messages": [{"role": "user", "content": [{"type": "input_text", "text": "x"}]}]}, "does not match"),
        ({"messages": [{"role": "user", "content": [IMAGE]}]}, "media_type"),
        ({"messages": [*HELLO, CALL, *HELLO]}, "without `tool_result` blocks"),
        ({"messages": [*HELLO, CALL, {"role": "user", "content": [MARK, RESULT]}]}, "without `tool_result` blocks"),
        ({"messages": [{"role": "user", "content": [RESULT]}]}, "unexpected `tool_use_id`"),
        ({"messages": [{"role": "user", "content": [MARK] * 5}]}, "Found 5"),
        ({"system": [{"type": "text", "text": ""}]}, "non-empty"),
        ({"tools": [{"name": "a b", "input_schema": {"type": "object"}}]}, "pattern"),
        ({"tools": [{"name": "a", "input_schema": {"properties": {}}}]}, "input_schema.type"),
        ({"tools": [WEATHER, WEATHER]}, "unique"),
        ({"thinking": {"type": "enabled", "budget_tokens": 100}}, "1024"),
        ({"thinking": {"type": "enabled", "budget_tokens": 5000}}, "greater than `thinking.budget_tokens`"),
        ({"thinking": THINKING, "temperature": 0.5}, "temperature"),
        ({"thinking": THINKING, "tools": [WEATHER], "tool_choice": {"type": "any"}}, "forces tool use"),
        ({"response_format": {"type": "json_object"}}, "Extra inputs"),
    ],
)
def test_what_the_vendor_refuses_is_refused(client: anthropic.Anthropic, fields: dict[str, Any], said: str) -> None:
    with pytest.raises(anthropic.BadRequestError, match=said):
        ask(client, "auto", streamed=False, extra_body=fields)


def test_the_version_header_is_required(url: str) -> None:
    answer = httpx.post(f"{url}/anthropic/v1/messages", json={"model": "echo", "max_tokens": 5, "messages": HELLO})
    assert answer.status_code == 400
    assert "anthropic-version" in answer.json()["error"]["message"]
