"""OpenAI's own Python SDK reads the simulator's healthy answers, and types its errors."""

from collections.abc import AsyncIterator
from typing import Any

import openai
import pydantic
import pytest

from llmgateway.apps.simulator.server import SimulatorServer

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
    },
}
HELLO: Any = [{"role": "user", "content": "Hello, 你好"}]


class Person(pydantic.BaseModel):
    name: str
    age: int
    tags: list[str]


@pytest.fixture
async def client(server: SimulatorServer) -> AsyncIterator[openai.AsyncOpenAI]:
    base_url = f"{server.url}/openai/v1"
    async with openai.AsyncOpenAI(base_url=base_url, api_key="sk-test", max_retries=0, timeout=10) as client:
        yield client


async def test_a_whole_answer_is_read(client: openai.AsyncOpenAI) -> None:
    answer = await client.chat.completions.create(model="echo", messages=HELLO)
    assert answer.choices[0].message.content == "Hello, 你好"
    assert answer.usage is not None
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens


async def test_a_stream_is_read_by_the_accumulator(client: openai.AsyncOpenAI) -> None:
    async with client.chat.completions.stream(
        model="lorem-50", messages=HELLO, stream_options={"include_usage": True}
    ) as stream:
        events = [event async for event in stream]
        final = await stream.get_final_completion()
    assert len([event for event in events if event.type == "content.delta"]) >= 50
    assert final.usage is not None
    assert final.usage.completion_tokens == 50


@pytest.mark.parametrize(("model", "count"), [("auto", 1), ("parallel-tools", 2)])
async def test_tool_calls_are_read_whole_and_streamed(client: openai.AsyncOpenAI, model: str, count: int) -> None:
    whole = await client.chat.completions.create(model=model, messages=HELLO, tools=[WEATHER])
    async with client.chat.completions.stream(model=model, messages=HELLO, tools=[WEATHER]) as stream:
        streamed = await stream.get_final_completion()
    for answer in (whole, streamed):
        calls: Any = answer.choices[0].message.tool_calls
        assert [call.function.name for call in calls] == ["get_weather"] * count
        assert calls[0].function.arguments == '{"city":"Paris"}'
        assert answer.choices[0].finish_reason == "tool_calls"


async def test_structured_output_is_parsed_whole_and_streamed(client: openai.AsyncOpenAI) -> None:
    whole = await client.chat.completions.parse(model="auto", messages=HELLO, response_format=Person)
    async with client.chat.completions.stream(model="auto", messages=HELLO, response_format=Person) as stream:
        streamed = await stream.get_final_completion()
    assert isinstance(whole.choices[0].message.parsed, Person)
    assert streamed.choices[0].message.parsed == whole.choices[0].message.parsed


async def test_the_models_are_listed(client: openai.AsyncOpenAI) -> None:
    names = [model.id async for model in client.models.list()]
    assert {"auto", "echo", "fault-429"} <= set(names)


@pytest.mark.parametrize(
    ("model", "error"),
    [
        ("missing-model", openai.NotFoundError),
        ("fault-400", openai.BadRequestError),
        ("fault-401", openai.AuthenticationError),
        ("fault-403", openai.PermissionDeniedError),
        ("fault-409", openai.ConflictError),
        ("fault-429", openai.RateLimitError),
        ("fault-500", openai.InternalServerError),
        ("fault-reset", openai.APIConnectionError),
    ],
)
async def test_errors_are_typed(client: openai.AsyncOpenAI, model: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        await client.chat.completions.create(model=model, messages=HELLO)


async def test_the_sdks_own_retries_get_past_a_passing_fault(server: SimulatorServer) -> None:
    """The first two of a group fail, the third succeeds, and the server counted three."""
    async with openai.AsyncOpenAI(base_url=f"{server.url}/openai/v1", api_key="sk-test", max_retries=2) as client:
        steering = {"x-simulator": '{"fault": "429-ms", "retry_after_s": 0.001, "first": 2}'}
        answer = await client.chat.completions.create(model="echo", messages=HELLO, extra_headers=steering)
    assert answer.choices[0].message.content == "Hello, 你好"
    assert server.simulation.ledger.requests == 3
