"""A real model behind the gateway, driven by the official SDK: what a simulator cannot prove.

Runs in `make test-real` only. The same four questions go to the model server directly and through the gateway, so that
a failure says at once which of the two is to blame.
"""

import asyncio
import json
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterator

import pytest
from openai import AsyncOpenAI
from openai.types.chat import ChatCompletionMessageParam, ChatCompletionStreamOptionsParam

from tests.support.real_model import CONTEXT_TOKENS, MODEL, missing_packages, running_model

pytestmark = pytest.mark.skipif(
    bool(missing_packages()), reason=f"not installed: {', '.join(missing_packages())} (make test-real installs them)"
)

START_S = 20
QUESTION: list[ChatCompletionMessageParam] = [
    {"role": "user", "content": "What is the capital of France? Answer with one word."}
]
PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
    "required": ["name", "age"],
    "additionalProperties": False,
}


@pytest.fixture(scope="module")
def model_url() -> Iterator[str]:
    with running_model() as url:
        yield url


@pytest.fixture(scope="module")
def gateway(model_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """Base URL and API key of a gateway process with the model as its custom provider `local`."""
    folder = tmp_path_factory.mktemp("gateway")
    config = folder / "llmgateway.toml"
    config.write_text(f"""
[providers.local]
protocol = "openai-chat"
base_url = "{model_url}"
allow_private_network = true

[[providers.local.models]]
id = "{MODEL}"
context = {CONTEXT_TOKENS}
input_usd_per_mtok = 0.01
output_usd_per_mtok = 0.02
capabilities = ["streaming", "json_schema"]
""")
    port = free_port()
    command = [sys.executable, "-m", "llmgateway", "serve", "--config", str(config), "--port", str(port)]
    with subprocess.Popen([*command, "--data-dir", str(folder / "data")], stdin=subprocess.DEVNULL) as process:
        try:
            wait_until_ready(f"http://127.0.0.1:{port}/readyz", process)
            yield f"http://127.0.0.1:{port}/v1", (folder / "data" / "first-key").read_text().strip()
        finally:
            process.terminate()


@pytest.fixture(params=["direct", "gateway"])
async def client(request: pytest.FixtureRequest, model_url: str) -> AsyncIterator[AsyncOpenAI]:
    """An SDK client of the model server itself, then one of the gateway in front of it."""
    url, key = (model_url, "none") if request.param == "direct" else request.getfixturevalue("gateway")
    async with AsyncOpenAI(base_url=url, api_key=key, max_retries=0, timeout=60) as sdk:
        yield sdk


@pytest.fixture
def model(request: pytest.FixtureRequest, client: AsyncOpenAI) -> str:
    return MODEL if client.api_key == "none" else f"local/{MODEL}"


async def test_a_chat_is_answered_with_usage(client: AsyncOpenAI, model: str) -> None:
    answer = await client.chat.completions.create(model=model, messages=QUESTION, max_tokens=20, temperature=0)
    assert "Paris" in (answer.choices[0].message.content or "")
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    assert answer.usage.completion_tokens > 0
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens


async def test_a_stream_carries_the_same_text_and_ends_with_usage(client: AsyncOpenAI, model: str) -> None:
    options: ChatCompletionStreamOptionsParam = {"include_usage": True}
    stream = await client.chat.completions.create(
        model=model, messages=QUESTION, max_tokens=20, temperature=0, stream=True, stream_options=options
    )
    chunks = [chunk async for chunk in stream]
    choices = [choice for chunk in chunks for choice in chunk.choices]
    assert "Paris" in "".join(choice.delta.content or "" for choice in choices)
    assert [choice.finish_reason for choice in choices if choice.finish_reason] == ["stop"]
    assert [chunk.usage is not None for chunk in chunks].index(True) == len(chunks) - 1


async def test_a_json_schema_is_kept_to(client: AsyncOpenAI, model: str) -> None:
    answer = await client.chat.completions.create(
        model=model,
        messages=[{"role": "user", "content": "A person named Ann, aged 30, as JSON."}],
        max_tokens=60,
        temperature=0,
        response_format={"type": "json_schema", "json_schema": {"name": "person", "strict": True, "schema": PERSON}},
    )
    person = json.loads(answer.choices[0].message.content or "")
    assert set(person) == {"name", "age"}
    assert isinstance(person["age"], int)


async def test_twenty_requests_at_once_all_get_their_own_answer(client: AsyncOpenAI, model: str) -> None:
    async def ask(number: int) -> tuple[str, str | None]:
        answer = await client.chat.completions.create(
            model=model,
            messages=[{"role": "user", "content": f"Count from {number} to {number + 3}."}],
            max_tokens=24,
            temperature=0,
        )
        return answer.id, answer.choices[0].message.content

    answers = await asyncio.gather(*(ask(number) for number in range(20)))
    assert all(text for _, text in answers)
    assert len({identifier for identifier, _ in answers}) == 20


async def test_the_gateway_adds_cost_and_the_way_it_went(gateway: tuple[str, str]) -> None:
    url, key = gateway
    async with AsyncOpenAI(base_url=url, api_key=key, max_retries=0, timeout=60) as client:
        answer = await client.chat.completions.create(model=f"local/{MODEL}", messages=QUESTION, max_tokens=20)
    body = answer.model_dump(warnings=False)  # `metadata` is wider here than in the SDK
    usage = body["usage"]
    tokens_usd = usage["prompt_tokens"] * 1e-8 + usage["completion_tokens"] * 2e-8
    assert usage["cost_usd_total"] == pytest.approx(tokens_usd, rel=1e-9)
    assert body["model"] == f"local/{MODEL}"
    assert [attempt["provider"] for attempt in body["metadata"]["routing"]] == ["local"]


def wait_until_ready(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_S
    while True:
        try:
            with urllib.request.urlopen(url, timeout=1) as answer:
                assert answer.status == 200
                return
        except (urllib.error.URLError, ConnectionError):
            assert process.poll() is None, f"the gateway ended with status {process.returncode}"
            assert time.monotonic() < deadline, f"the gateway was not ready after {START_S} s"
            time.sleep(0.05)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
