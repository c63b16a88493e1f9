"""The official OpenAI SDK against a running gateway: it works unchanged, and its exceptions have their types."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import openai
import pydantic
import pytest

from tests.support.gateway import HELLO, STATIC_KEY, Gateway, Simulator, wait_until

WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
            "additionalProperties": False,
        },
        "strict": True,
    },
}
ASK: Any = HELLO


class Person(pydantic.BaseModel):
    name: str
    age: int
    tags: list[str]


@pytest.fixture
def client(gateway: Gateway) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=STATIC_KEY, max_retries=0, timeout=20) as client:
        yield client


@pytest.fixture
async def concurrent(gateway: Gateway) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key=STATIC_KEY, max_retries=0) as client:
        yield client


MODELS = pytest.mark.parametrize("model", ["simulator/auto", "sim/auto", "clean/auto"])


@MODELS
def test_a_chat_has_its_text_usage_and_metadata(client: openai.OpenAI, model: str) -> None:
    answer = client.chat.completions.create(model=model, messages=ASK)
    assert answer.choices[0].message.content
    assert answer.choices[0].finish_reason == "stop"
    assert answer.model == model
    assert answer.usage is not None
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens > 0
    metadata = answer.model_dump(warnings=False)["metadata"]  # wider than the SDK's
    assert (metadata["used_model"], metadata["requested_model"]) == (model, model)
    assert [entry["succeeded"] for entry in metadata["routing"]] == [True]
    assert answer.usage.model_extra is not None
    known = model.startswith("simulator/")
    assert (answer.usage.model_extra.get("cost_usd_total"), answer.usage.model_extra.get("info")) == (
        (0, None) if known else (None, "no price known")
    )


@MODELS
def test_a_stream_says_what_a_whole_answer_says(client: openai.OpenAI, model: str) -> None:
    whole = client.chat.completions.create(model=model, messages=ASK)
    chunks = list(client.chat.completions.create(model=model, messages=ASK, stream=True))
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert text == whole.choices[0].message.content
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices[0].finish_reason] == ["stop"]
    assert {chunk.id for chunk in chunks} == {chunks[0].id}
    assert {chunk.created for chunk in chunks} == {chunks[0].created}
    assert {chunk.model for chunk in chunks} == {model}
    assert [chunk.choices[0].delta.role for chunk in chunks if chunk.choices[0].delta.role] == ["assistant"]


@MODELS
def test_usage_comes_once_and_last_with_and_without_include_usage(client: openai.OpenAI, model: str) -> None:
    naive = list(client.chat.completions.create(model=model, messages=ASK, stream=True))
    asked = list(
        client.chat.completions.create(model=model, messages=ASK, stream=True, stream_options={"include_usage": True})
    )
    for chunks in (naive, asked):
        assert [chunk for chunk in chunks if chunk.usage] == [chunks[-1]]
        assert chunks[-1].model_extra is not None
        assert chunks[-1].model_extra["metadata"]["used_model"] == model
    assert asked[-1].choices == []
    assert [choice.delta.content for choice in naive[-1].choices] == [None]


@MODELS
def test_a_tool_loop_ends_in_an_answer(client: openai.OpenAI, model: str) -> None:
    first = client.chat.completions.create(model=model, messages=ASK, tools=[WEATHER]).choices[0]
    assert first.finish_reason == "tool_calls"
    assert first.message.tool_calls is not None
    call: Any = first.message.tool_calls[0]
    assert call.function.name == "get_weather"
    assert "city" in json.loads(call.function.arguments)
    result: Any = {"role": "tool", "tool_call_id": call.id, "content": "21 °C"}
    turn: Any = first.message.model_dump(exclude_none=True)
    last = client.chat.completions.create(model=model, messages=[*ASK, turn, result], tools=[WEATHER])
    assert last.choices[0].message.content
    assert last.choices[0].finish_reason == "stop"


@pytest.mark.parametrize("provider", ["simulator", "sim", "clean"])
@pytest.mark.parametrize(("model", "count"), [("auto", 1), ("parallel-tools", 2)])
def test_streamed_tool_calls_add_up_to_the_whole_ones(
    client: openai.OpenAI, provider: str, model: str, count: int
) -> None:
    name = f"{provider}/{model}"
    whole = client.chat.completions.create(model=name, messages=ASK, tools=[WEATHER])
    with client.chat.completions.stream(model=name, messages=ASK, tools=[WEATHER]) as stream:
        for _ in stream:
            pass
        streamed = stream.get_final_completion()
    calls: Any = whole.choices[0].message.tool_calls
    again: Any = streamed.choices[0].message.tool_calls
    assert len(calls) == len(again) == count
    assert [(call.function.name, json.loads(call.function.arguments)) for call in again] == [
        (call.function.name, json.loads(call.function.arguments)) for call in calls
    ]
    assert len({call.id for call in again}) == count
    assert streamed.choices[0].finish_reason == "tool_calls"


@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")  # the SDK types `metadata` as strings only
@MODELS
def test_structured_outputs_are_parsed_whole_and_streamed(client: openai.OpenAI, model: str) -> None:
    answer = client.chat.completions.parse(model=model, messages=ASK, response_format=Person)
    assert isinstance(answer.choices[0].message.parsed, Person)
    with client.chat.completions.stream(model=model, messages=ASK, response_format=Person) as stream:
        kinds = {event.type for event in stream}
        final = stream.get_final_completion()
    assert {"chunk", "content.delta", "content.done"} <= kinds
    assert isinstance(final.choices[0].message.parsed, Person)


@MODELS
async def test_twenty_at_once_get_each_their_own_answer(concurrent: openai.AsyncOpenAI, model: str) -> None:
    provider = model.partition("/")[0]

    async def ask(number: int) -> str:
        turn: Any = [{"role": "user", "content": f"number {number}"}]
        if number % 2:
            answer = await concurrent.chat.completions.create(model=f"{provider}/echo", messages=turn)
            return answer.choices[0].message.content or ""
        chunks = await concurrent.chat.completions.create(model=f"{provider}/echo", messages=turn, stream=True)
        return "".join([chunk.choices[0].delta.content or "" async for chunk in chunks])

    assert await asyncio.gather(*map(ask, range(20))) == [f"number {number}" for number in range(20)]


async def test_a_stream_closed_early_leaves_the_client_usable(concurrent: openai.AsyncOpenAI) -> None:
    stream = await concurrent.chat.completions.create(model="sim/lorem-500", messages=ASK, stream=True)
    async for _ in stream:
        break
    await stream.close()
    assert (await concurrent.chat.completions.create(model="sim/auto", messages=ASK)).choices[0].message.content


@pytest.mark.parametrize(
    ("model", "expected", "code"),
    [
        ("sim/fault-400", openai.BadRequestError, "invalid_value"),
        ("sim/fault-400-context", openai.BadRequestError, "context_length_exceeded"),
        ("no-such-model", openai.NotFoundError, "model_not_found"),
        ("sim/fault-429", openai.RateLimitError, "upstream_rate_limited"),
        ("sim/fault-500", openai.InternalServerError, "upstream_error"),
        ("sim/fault-401", openai.InternalServerError, "upstream_auth_error"),
        ("sim/fault-stall-headers", openai.InternalServerError, "upstream_timeout"),
        ("closed/any", openai.InternalServerError, "upstream_unreachable"),
    ],
)
@pytest.mark.parametrize("streamed", [False, True])
def test_errors_have_their_exception(
    client: openai.OpenAI, model: str, expected: type[openai.APIStatusError], code: str, streamed: bool
) -> None:
    with pytest.raises(expected) as caught:
        client.chat.completions.create(model=model, messages=ASK, stream=streamed)
    assert caught.value.code == code
    assert caught.value.request_id


def test_a_wrong_key_is_an_authentication_error(gateway: Gateway) -> None:
    with (
        openai.OpenAI(base_url=f"{gateway.url}/v1", api_key="sk-wrong", max_retries=0) as client,
        pytest.raises(openai.AuthenticationError) as caught,
    ):
        client.chat.completions.create(model="simulator/auto", messages=ASK)
    assert caught.value.code == "invalid_api_key"


def test_an_error_after_the_start_of_a_stream_is_raised_from_it(client: openai.OpenAI) -> None:
    stream = client.chat.completions.create(model="sim/fault-error-event", messages=ASK, stream=True)
    with pytest.raises(openai.APIError) as caught:
        for _ in stream:
            pass
    assert caught.value.code == "upstream_error"


def test_the_clients_own_timeout_ends_the_request_upstream_too(gateway: Gateway, simulator: Simulator) -> None:
    turn: Any = [{"role": "user", "content": "the client's own timeout"}]
    with (
        openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=STATIC_KEY, max_retries=0, timeout=0.3) as client,
        pytest.raises(openai.APITimeoutError),
    ):
        client.chat.completions.create(model="listed/talkative", messages=turn)
    wait_until(lambda: gateway.metric("requests_in_flight") == 0, what="an idle gateway")
    (arrived,) = simulator.requests("the client's own timeout")
    assert arrived["aborted"]


@pytest.mark.parametrize(
    ("model", "asked"),
    [
        ("sim/fault-500", 1),
        ("sim/fault-429", 1),
        ("sim/fault-408", 1),
        ("sim/fault-409", 1),
        ("sim/fault-400", 1),
        ("sim/fault-429-seconds", 2),
    ],
)
def test_a_retrying_client_asks_again_only_where_that_may_help(
    gateway: Gateway, simulator: Simulator, model: str, asked: int
) -> None:
    """x-should-retry: the gateway's own retries are done, unless it knows when to come back."""
    mark = f"retrying {model}"
    with (
        openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=STATIC_KEY, max_retries=1) as client,
        pytest.raises(openai.APIStatusError),
    ):
        client.chat.completions.create(model=model, messages=[{"role": "user", "content": mark}])
    assert len(simulator.requests(mark)) == asked


def test_the_models_page_is_listed_and_read(client: openai.OpenAI) -> None:
    names = {model.id for model in client.models.list()}
    assert {"metered", "auto", "gpt-4o"} <= names
    assert client.models.retrieve("told/metered").id == "metered"
