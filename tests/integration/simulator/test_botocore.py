"""Amazon's own Python SDK reads what the simulator says in converse, checks its CRCs, types its errors, and is refused
as by the vendor when it breaks a rule."""

import contextlib
import json
from typing import Any

import botocore.session
import httpx
import pytest
from botocore.config import Config
from botocore.eventstream import ChecksumMismatch
from botocore.exceptions import ClientError, EventStreamError

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
WEATHER = {"toolSpec": {"name": "get_weather", "inputSchema": {"json": SCHEMA}}}
CLOCK = {"toolSpec": {"name": "clock", "inputSchema": {"json": {"type": "object", "properties": {}}}}}
HELLO: list[Any] = [{"role": "user", "content": [{"text": "Hello, 你好"}]}]
THINKING = {"thinking": {"type": "enabled", "budget_tokens": 1024}}


@pytest.fixture(scope="module")
def client(url: str) -> Any:
    config = Config(retries={"total_max_attempts": 1}, read_timeout=10)
    return botocore.session.get_session().create_client(
        "bedrock-runtime",
        endpoint_url=f"{url}/bedrock",
        region_name="us-east-1",
        aws_access_key_id="simulated",
        aws_secret_access_key="simulated",
        config=config,
    )


def ask(client: Any, model: str, *, streamed: bool, **fields: Any) -> dict[str, Any]:
    """The answer as `converse` gives it, put together from its events where it is streamed."""
    given: Any = {"modelId": model, "messages": HELLO} | fields
    if not streamed:
        return client.converse(**given)
    with contextlib.closing(client.converse_stream(**given)["stream"]) as stream:
        return added_up(stream)


def added_up(stream: Any) -> dict[str, Any]:
    blocks: dict[int, dict[str, Any]] = {}
    answer: dict[str, Any] = {}
    for event in stream:
        ((kind, payload),) = event.items()
        if kind == "contentBlockStart":
            blocks[payload["contentBlockIndex"]] = {"toolUse": payload["start"]["toolUse"] | {"input": ""}}
        elif kind == "contentBlockDelta":
            add(blocks.setdefault(payload["contentBlockIndex"], {}), payload["delta"])
        elif kind == "messageStop":
            answer["stopReason"] = payload["stopReason"]
        elif kind == "metadata":
            answer |= {"usage": payload["usage"], "metrics": payload["metrics"]}
    content = [finished(block) for _, block in sorted(blocks.items())]
    return answer | {"output": {"message": {"role": "assistant", "content": content}}}


def add(block: dict[str, Any], delta: dict[str, Any]) -> None:
    for key, value in delta.items():
        if key == "citation":
            block.setdefault("citations", []).append(value)
        elif isinstance(value, dict):
            add(block.setdefault(key, {}), value)
        elif isinstance(value, bytes):
            block[key] = block.get(key, b"") + value
        else:
            block[key] = block.get(key, "") + value


def finished(block: dict[str, Any]) -> dict[str, Any]:
    """A block as a whole answer has it."""
    if "toolUse" in block:
        block["toolUse"]["input"] = json.loads(block["toolUse"]["input"])
    if "text" in block.get("reasoningContent", {}):
        block["reasoningContent"] = {"reasoningText": block["reasoningContent"]}
    if "citations" in block:
        cited = {"content": [{"text": block["text"]}], "citations": block["citations"]}
        return {"citationsContent": cited}
    return block


def content(answer: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = answer["output"]["message"]["content"]
    return found


def shown(answer: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"toolUse": {**block["toolUse"], "toolUseId": ""}} if "toolUse" in block else block for block in content(answer)
    ]


@pytest.mark.parametrize(
    ("model", "fields"),
    [
        ("echo", {}),
        ("us.anthropic.claude-sonnet-4-5-lorem-50", {}),
        ("auto", {"toolConfig": {"tools": [WEATHER]}}),
        ("parallel-tools", {"toolConfig": {"tools": [WEATHER, CLOCK]}}),
        ("redacted", {"toolConfig": {"tools": [WEATHER]}, "additionalModelRequestFields": THINKING}),
        ("citations", {}),
        ("refusal", {}),
        ("lorem-50", {"inferenceConfig": {"maxTokens": 10}}),
        ("echo", {"inferenceConfig": {"stopSequences": ["你"]}}),
    ],
)
def test_a_stream_adds_up_to_the_whole_answer(client: Any, model: str, fields: dict[str, Any]) -> None:
    """The same content, stop reason and usage, whole and streamed."""
    whole, streamed = (ask(client, model, streamed=streamed, **fields) for streamed in (False, True))
    assert shown(streamed) == shown(whole)
    assert shown(whole)
    assert streamed["stopReason"] == whole["stopReason"]
    assert streamed["usage"] == whole["usage"]


def test_stop_reasons_are_the_vendors(client: Any) -> None:
    cases: list[tuple[str, dict[str, Any], str]] = [
        ("echo", {}, "end_turn"),
        ("lorem-50", {"inferenceConfig": {"maxTokens": 10}}, "max_tokens"),
        ("echo", {"inferenceConfig": {"stopSequences": ["你"]}}, "stop_sequence"),
        ("auto", {"toolConfig": {"tools": [WEATHER]}}, "tool_use"),
        ("refusal", {}, "guardrail_intervened"),
    ]
    for streamed in (False, True):
        for model, fields, expected in cases:
            assert ask(client, model, streamed=streamed, **fields)["stopReason"] == expected


@pytest.mark.parametrize("streamed", [False, True])
def test_a_tool_loop_keeps_its_thoughts(client: Any, streamed: bool) -> None:
    fields: Any = {"toolConfig": {"tools": [WEATHER]}, "additionalModelRequestFields": THINKING}
    first = ask(client, "redacted", streamed=streamed, **fields)
    assert [next(iter(block)) for block in content(first)] == ["reasoningContent", "reasoningContent", "toolUse"]
    last = ask(client, "auto", streamed=streamed, **fields | {"messages": loop(first)})
    assert "21 degrees" in content(last)[0]["text"]


def loop(first: dict[str, Any]) -> Any:
    """The conversation with the first answer and results for its calls."""
    results = [
        {"toolResult": {"toolUseId": block["toolUse"]["toolUseId"], "content": [{"text": "21 degrees"}]}}
        for block in content(first)
        if "toolUse" in block
    ]
    return [*HELLO, first["output"]["message"], {"role": "user", "content": results}]


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        ("text", "Invalid `signature`"),
        ("signature", "Invalid `signature`"),
        ("data", "Invalid `data`"),
        ("dropped", "Expected `thinking`"),
        ("config", "toolConfig field must be defined"),
        ("result", "Expected toolResult blocks"),
    ],
)
def test_what_was_altered_is_refused(client: Any, spoil: str, said: str) -> None:
    fields: Any = {"toolConfig": {"tools": [WEATHER]}, "additionalModelRequestFields": THINKING}
    messages = loop(ask(client, "redacted", streamed=False, **fields))
    blocks = messages[1]["content"]
    if spoil in ("text", "signature"):
        blocks[0]["reasoningContent"]["reasoningText"][spoil] += "A"
    elif spoil == "data":
        blocks[1]["reasoningContent"]["redactedContent"] += b"x"
    elif spoil == "dropped":
        del blocks[:2]
    elif spoil == "config":
        del fields["toolConfig"]
    else:
        messages[2]["content"] = [{"text": "Well?"}]
    with pytest.raises(client.exceptions.ValidationException, match=said):
        ask(client, "auto", streamed=False, **fields | {"messages": messages})


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"messages": []}, "start with a user message"),
        ({"messages": [{"role": "assistant", "content": [{"text": "x"}]}]}, "start with a user message"),
        ({"messages": [*HELLO, *HELLO]}, "alternate"),
        ({"messages": [{"role": "user", "content": [{"text": " "}]}]}, "is blank"),
        (
            {"messages": [{"role": "user", "content": [{"text": "x", "image": {"format": "png", "source": {}}}]}]},
            "one of",
        ),
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "one of"),
        ({"messages": HELLO, "max_tokens": 1}, "extraneous key"),
        ({"messages": HELLO, "toolConfig": {"tools": []}}, "length greater"),
        ({"messages": HELLO, "system": [{"text": ""}]}, "is blank"),
    ],
)
def test_what_the_vendor_refuses_is_refused(url: str, body: dict[str, Any], said: str) -> None:
    answer = httpx.post(f"{url}/bedrock/model/auto/converse", json=body)
    assert answer.status_code == 400
    assert answer.headers["x-amzn-errortype"].startswith("ValidationException")
    assert said in answer.json()["message"]


def test_structured_output_is_what_the_schema_says(client: Any) -> None:
    schema = json.dumps({"type": "object", "properties": {"age": {"type": "integer"}}, "required": ["age"]})
    form = {"type": "json_schema", "structure": {"jsonSchema": {"name": "person", "schema": schema}}}
    answer = ask(client, "auto", streamed=True, outputConfig={"textFormat": form})
    assert json.loads(content(answer)[0]["text"]) == {"age": 42}


def test_usage_parts_the_prompt_by_the_cache(client: Any) -> None:
    body = {"messages": HELLO}
    steering = '{"usage": {"prompt_tokens": 100, "cached_tokens": 60, "cache_write_tokens": 30}}'
    url = f"{client.meta.endpoint_url}/model/echo/converse"
    usage = httpx.post(url, json=body, headers={"x-simulator": steering}).json()["usage"]
    assert (usage["inputTokens"], usage["cacheReadInputTokens"], usage["cacheWriteInputTokens"]) == (10, 60, 30)


@pytest.mark.parametrize(
    ("model", "code", "name"),
    [
        ("missing-model", 404, "ResourceNotFoundException"),
        ("fault-400", 400, "ValidationException"),
        ("fault-401", 401, "UnrecognizedClientException"),
        ("fault-403", 403, "AccessDeniedException"),
        ("fault-408", 408, "ModelTimeoutException"),
        ("fault-429", 429, "ThrottlingException"),
        ("fault-500", 500, "InternalServerException"),
        ("fault-503", 503, "ServiceUnavailableException"),
    ],
)
@pytest.mark.parametrize("streamed", [False, True])
def test_errors_are_typed(client: Any, model: str, code: int, name: str, streamed: bool) -> None:
    with pytest.raises(ClientError) as caught:
        ask(client, model, streamed=streamed)
    response: Any = caught.value.response
    assert (response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]) == (name, code)


def test_an_exception_in_the_stream_is_raised(client: Any) -> None:
    with pytest.raises(EventStreamError, match="stopped unexpectedly") as caught:
        ask(client, "fault-error-event", streamed=True)
    response: Any = caught.value.response
    assert response["Error"]["Code"] == "modelStreamErrorException"


def test_a_wrong_checksum_is_noticed(client: Any) -> None:
    with pytest.raises(ChecksumMismatch):
        ask(client, "fault-bad-crc", streamed=True)
