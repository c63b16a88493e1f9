"""Every wire protocol as a custom provider's: an address, a key and a protocol are all that it takes."""

import json
from collections.abc import Iterator
from typing import Any, Final

import pytest

from tests.support.gateway import Gateway, Simulator, running_gateway, static_key

PATHS: Final = {
    "openai-chat": "/openai/v1",
    "openai-responses": "/responses/v1",
    "anthropic": "/anthropic/v1",
    "google": "/google/v1beta",
    "bedrock": "/bedrock",
    "cohere": "/cohere/v2",
}
SEALED: Final = ("openai-responses", "anthropic", "google", "bedrock")
THINKING: Final = {"bedrock": "anthropic.claude-sonnet-4-5-reasoning"}
TOOL: Final = {
    "type": "function",
    "function": {
        "name": "look",
        "parameters": {"type": "object", "properties": {"at": {"type": "string"}}, "required": ["at"]},
    },
}


@pytest.fixture(scope="module")
def spoken(simulator: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """One custom provider for each protocol, and Bedrock once more with a key that signs."""
    base = f"http://127.0.0.1:{simulator.port}"
    sections = [static_key()]
    for protocol, path in PATHS.items():
        head = f'[providers.by-{protocol}]\nprotocol = "{protocol}"\nbase_url = "{base}{path}"\n'
        sections.append(f'{head}api_keys = ["sk-{protocol}"]\n')
    sections.append(
        f'[providers.aws-bedrock]\nbase_url = "{base}/bedrock"\nvariables = {{ region = "eu-west-1" }}\n'
        'models = [{ id = "signed", upstream = "echo" }]\n'
    )
    variables = {"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "a-secret-that-only-signs"}
    place = tmp_path_factory.mktemp("protocols")
    with running_gateway(place, configuration="\n".join(sections), variables=variables) as gateway:
        yield gateway


def events(gateway: Gateway, model: str, **fields: Any) -> list[Any]:
    with gateway.open_stream(model, **fields) as stream:
        body = stream.read_until(b"[DONE]").partition(b"\r\n\r\n")[2]
    lines = [line.removeprefix(b"data: ") for line in body.splitlines() if line.startswith(b"data: ")]
    return [json.loads(line) for line in lines if line != b"[DONE]"]


@pytest.mark.parametrize("protocol", PATHS)
def test_a_whole_answer(spoken: Gateway, protocol: str) -> None:
    answer = spoken.chat(f"by-{protocol}/echo", messages=[{"role": "user", "content": f"Hello by {protocol}"}])
    assert answer.status == 200, answer.body
    (choice,) = answer.json["choices"]
    assert choice["message"]["content"] == f"Hello by {protocol}"
    assert choice["finish_reason"] == "stop"
    assert answer.json["usage"]["prompt_tokens"] > 0
    assert answer.json["model"] == f"by-{protocol}/echo"


@pytest.mark.parametrize("protocol", PATHS)
def test_a_streamed_answer(spoken: Gateway, protocol: str) -> None:
    found = events(spoken, f"by-{protocol}/echo", messages=[{"role": "user", "content": f"Hello by {protocol}"}])
    assert [one for one in found if "error" in one] == []
    choices = [choice for one in found for choice in one["choices"]]
    assert "".join(choice["delta"].get("content") or "" for choice in choices) == f"Hello by {protocol}"
    assert [choice["finish_reason"] for choice in choices if choice["finish_reason"]] == ["stop"]


@pytest.mark.parametrize("protocol", PATHS)
def test_a_tool_is_called_and_its_result_read(spoken: Gateway, protocol: str) -> None:
    asked: list[dict[str, Any]] = [{"role": "user", "content": "Look."}]
    answer = spoken.chat(f"by-{protocol}/auto", messages=asked, tools=[TOOL])
    assert answer.status == 200, answer.body
    (choice,) = answer.json["choices"]
    assert choice["finish_reason"] == "tool_calls"
    (call,) = choice["message"]["tool_calls"]
    assert isinstance(json.loads(call["function"]["arguments"])["at"], str)
    asked += [choice["message"], {"role": "tool", "tool_call_id": call["id"], "content": "A tree."}]
    answer = spoken.chat(f"by-{protocol}/auto", messages=asked, tools=[TOOL])
    assert answer.status == 200, answer.body
    assert answer.json["choices"][0]["message"]["content"]


@pytest.mark.parametrize("protocol", SEALED)
@pytest.mark.parametrize("stream", [False, True])
def test_reasoning_before_a_call_reaches_the_provider_again_though_the_client_dropped_it(
    spoken: Gateway, simulator: Simulator, protocol: str, *, stream: bool
) -> None:
    mark = f"recall-{protocol}-{stream}"
    model = f"by-{protocol}/{THINKING.get(protocol, 'reasoning')}"
    asked: list[dict[str, Any]] = [{"role": "user", "content": mark}]
    effort = {"reasoning_effort": "low", "tools": [TOOL], "max_completion_tokens": 8000}
    if stream:
        found = events(spoken, model, messages=asked, **effort)
        deltas = [choice["delta"] for one in found for choice in one["choices"]]
        details = [item for delta in deltas for item in delta.get("reasoning_details", ())]
        pieces = [call for delta in deltas for call in delta.get("tool_calls", ())]
        identity, arguments = pieces[0]["id"], "".join(piece["function"].get("arguments", "") for piece in pieces)
    else:
        answer = spoken.chat(model, messages=asked, **effort)
        assert answer.status == 200, answer.body
        message = answer.json["choices"][0]["message"]
        details, (call,) = message["reasoning_details"], message["tool_calls"]
        identity, arguments = call["id"], call["function"]["arguments"]
    seals = [item[name] for item in details for name in ("signature", "data") if item.get(name)]
    assert seals
    plain = {"id": identity, "type": "function", "function": {"name": "look", "arguments": arguments}}
    asked += [
        {"role": "assistant", "content": None, "tool_calls": [plain]},
        {"role": "tool", "tool_call_id": identity, "content": "A tree."},
    ]
    answer = spoken.chat(model, messages=asked, **effort)
    assert answer.status == 200, answer.body
    body = simulator.requests(mark)[-1]["body"]
    assert [seal for seal in seals if json.dumps(seal)[1:-1] not in body] == []
    assert "messages[].reasoning_details" not in answer.json["metadata"]["dropped_parameters"]


def test_a_key_that_signs_is_taken_from_the_environment_and_sent_nowhere(spoken: Gateway, simulator: Simulator) -> None:
    mark = "signed-by-aws"
    answer = spoken.chat("aws-bedrock/signed", messages=[{"role": "user", "content": mark}])
    assert answer.status == 200, answer.body
    (arrived,) = simulator.requests(mark)
    headers = dict(arrived["headers"])
    assert "x-amz-date" in headers
    assert "authorization" in headers
    assert "a-secret-that-only-signs" not in json.dumps(arrived)
    assert "a-secret-that-only-signs" not in spoken.written()
