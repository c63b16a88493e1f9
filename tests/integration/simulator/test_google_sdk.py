"""Google's own Python SDK reads what the simulator says in generateContent, types its errors, and is refused as by the
vendor when it breaks a rule."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from google import genai
from google.genai import errors, types

CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
WEATHER = types.FunctionDeclaration(name="get_weather", parameters_json_schema=CITY)
CLOCK = types.FunctionDeclaration(name="clock", parameters_json_schema={"type": "object", "properties": {}})
HELLO = types.Content(role="user", parts=[types.Part(text="Hello, 你好")])
NO_CALLS = types.AutomaticFunctionCallingConfig(disable=True)
THOUGHTS: dict[str, Any] = {"thinking_config": {"include_thoughts": True}}
STEERED = {"headers": {"x-simulator": '{"answer": "parallel-tools", "reasoning": "Two."}'}}


def tools(*declarations: types.FunctionDeclaration) -> Any:
    given = [types.Tool(function_declarations=list(declarations))]
    return {"tools": given, "automatic_function_calling": NO_CALLS}


@pytest.fixture
def client(url: str) -> Iterator[genai.Client]:
    options = types.HttpOptions(base_url=f"{url}/google", api_version="v1beta")
    with genai.Client(api_key="sk-test", http_options=options) as client:
        yield client


def ask(
    client: genai.Client, model: str, *, streamed: bool, contents: list[types.Content] | None = None, **config: Any
) -> list[types.GenerateContentResponse]:
    """The responses: a single one where it is whole."""
    given: Any = {"model": model, "contents": contents or [HELLO], "config": types.GenerateContentConfig(**config)}
    if streamed:
        return list(client.models.generate_content_stream(**given))
    return [client.models.generate_content(**given)]


def said(responses: list[types.GenerateContentResponse], *, candidate: int = 0) -> list[types.Part]:
    """The parts of a candidate with texts of one kind put together."""
    found: list[types.Part] = []
    for response in responses:
        for one in response.candidates or ():
            if (one.index or 0) != candidate or one.content is None:
                continue
            for part in one.content.parts or ():
                if part.text is not None and found and found[-1].text is not None and found[-1].thought == part.thought:
                    found[-1].text += part.text
                    found[-1].thought_signature = part.thought_signature or found[-1].thought_signature
                elif part.text != "" or part.thought_signature:
                    found.append(part.model_copy())
    return found


def shown(parts: list[types.Part]) -> list[dict[str, Any]]:
    parts = [part.model_copy(deep=True) for part in parts]
    for part in parts:
        if part.function_call is not None:
            part.function_call.id = None
    return [part.model_dump(exclude_none=True) for part in parts]


def finish(responses: list[types.GenerateContentResponse]) -> types.FinishReason | None:
    return next(
        (one.finish_reason for it in reversed(responses) for one in it.candidates or () if one.finish_reason), None
    )


@pytest.mark.parametrize(
    ("model", "config"),
    [
        ("echo", {}),
        ("lorem-50", {}),
        ("auto", tools(WEATHER)),
        ("parallel-tools", tools(WEATHER, CLOCK)),
        ("reasoning", THOUGHTS),
        ("reasoning", THOUGHTS | tools(WEATHER)),
        ("reasoning", {}),
        ("image", {}),
        ("citations", {}),
        ("refusal", {}),
        ("lorem-50", {"max_output_tokens": 10}),
        ("auto", {"candidate_count": 2}),
    ],
)
def test_a_stream_adds_up_to_the_whole_response(client: genai.Client, model: str, config: dict[str, Any]) -> None:
    """The same parts, signatures, finish reason, grounding and usage, whole and streamed."""
    whole, streamed = (ask(client, model, streamed=streamed, **config) for streamed in (False, True))
    for candidate in (0, 1):
        assert shown(said(streamed, candidate=candidate)) == shown(said(whole, candidate=candidate))
    assert finish(streamed) == finish(whole)
    assert streamed[-1].usage_metadata == whole[-1].usage_metadata
    assert streamed[-1].prompt_feedback == whole[-1].prompt_feedback
    if model == "citations":
        grounds = [responses[-1].candidates[0].grounding_metadata for responses in (whole, streamed)]  # pyright: ignore[reportOptionalSubscript] - a model that answers
        assert grounds[0] == grounds[1] is not None


def test_finish_reasons_are_the_vendors(client: genai.Client) -> None:
    for streamed in (False, True):
        assert finish(ask(client, "echo", streamed=streamed)) == types.FinishReason.STOP
        assert finish(ask(client, "lorem-50", streamed=streamed, max_output_tokens=10)) == types.FinishReason.MAX_TOKENS
        (blocked,) = ask(client, "refusal", streamed=streamed)
        assert blocked.prompt_feedback is not None
        assert blocked.prompt_feedback.block_reason == types.BlockedReason.SAFETY


@pytest.mark.parametrize("streamed", [False, True])
def test_a_tool_loop_keeps_its_signatures(client: genai.Client, streamed: bool) -> None:
    """The SDK sends signatures back in base64's other alphabet; they are recognised all the same."""
    config: Any = tools(WEATHER, CLOCK) | {"http_options": STEERED}
    first = said(ask(client, "auto", streamed=streamed, **config))
    assert [bool(part.thought_signature) for part in first if part.function_call] == [True, False]
    answer = said(ask(client, "reasoning", streamed=streamed, contents=loop(first), **tools(WEATHER, CLOCK)))
    assert "21 degrees" in str(answer[-1].text)


def loop(parts: list[types.Part]) -> list[types.Content]:
    """The conversation with the first answer and responses to its calls."""
    calls = [part.function_call for part in parts if part.function_call is not None]
    responses = [
        types.Part.from_function_response(name=call.name or "", response={"output": "21 degrees"}) for call in calls
    ]
    return [HELLO, types.Content(role="model", parts=parts), types.Content(role="user", parts=responses)]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        ("args", "Corrupted thought signature"),
        ("signature", "Corrupted thought signature"),
        ("moved", "Corrupted thought signature"),
        ("dropped", "missing a thought_signature"),
        ("response", "number of function response parts"),
    ],
)
def test_signatures_that_were_altered_are_refused(client: genai.Client, spoil: str, message: str) -> None:
    config: Any = tools(WEATHER, CLOCK) | {"http_options": STEERED}
    contents = loop(said(ask(client, "auto", streamed=False, **config)))
    first, second = contents[1].parts or []
    assert first.function_call is not None
    if spoil == "args":
        first.function_call.args = {"city": "Rome"}
    elif spoil == "signature":
        first.thought_signature = b"x" * 32
    elif spoil == "moved":
        first.thought_signature, second.thought_signature = None, first.thought_signature
    elif spoil == "dropped":
        first.thought_signature = None
    else:
        contents[2].parts = (contents[2].parts or [])[:1]
    with pytest.raises(errors.ClientError, match=message) as caught:
        ask(client, "reasoning", streamed=False, contents=contents, **tools(WEATHER, CLOCK))
    assert (caught.value.code, caught.value.status) == (400, "INVALID_ARGUMENT")


@pytest.mark.parametrize("word", ["response_json_schema", "response_schema"])
def test_structured_output_is_what_the_schema_says(client: genai.Client, word: str) -> None:
    schema = {"type": "OBJECT", "properties": {"age": {"type": "INTEGER"}}, "required": ["age"]}
    given: Any = {word: schema}
    (part,) = said(ask(client, "auto", streamed=False, response_mime_type="application/json", **given))
    assert json.loads(part.text or "") == {"age": 42}


def test_usage_keeps_thoughts_apart(client: genai.Client) -> None:
    (response,) = ask(client, "reasoning", streamed=False)
    usage = response.usage_metadata
    assert usage is not None
    assert usage.thoughts_token_count
    assert usage.total_token_count == (
        (usage.prompt_token_count or 0) + (usage.candidates_token_count or 0) + usage.thoughts_token_count
    )


@pytest.mark.parametrize(
    ("model", "code", "status"),
    [
        ("missing-model", 404, "NOT_FOUND"),
        ("fault-400", 400, "INVALID_ARGUMENT"),
        ("fault-401", 401, "UNAUTHENTICATED"),
        ("fault-403", 403, "PERMISSION_DENIED"),
        ("fault-429", 429, "RESOURCE_EXHAUSTED"),
        ("fault-500", 500, "INTERNAL"),
        ("fault-503", 503, "UNAVAILABLE"),
    ],
)
@pytest.mark.parametrize("streamed", [False, True])
def test_errors_are_typed(client: genai.Client, model: str, code: int, status: str, streamed: bool) -> None:
    with pytest.raises(errors.ServerError if code >= 500 else errors.ClientError) as caught:
        ask(client, model, streamed=streamed)
    assert (caught.value.code, caught.value.status) == (code, status)


def test_an_error_in_mid_stream_is_raised(client: genai.Client) -> None:
    with pytest.raises(errors.APIError, match="internal error"):
        ask(client, "fault-error-event", streamed=True)


HI = [{"role": "user", "parts": [{"text": "Hi"}]}]
CALLED = [*HI, {"role": "model", "parts": [{"functionCall": {"name": "f", "args": {}}}]}]


def declared(schema: object) -> dict[str, Any]:
    return {"contents": HI, "tools": [{"functionDeclarations": [{"name": "f", "parameters": schema}]}]}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"contents": []}, "not specified"),
        ({"contents": [{"role": "system", "parts": [{"text": "x"}]}]}, "valid role"),
        ({"contents": [{"role": "user", "parts": []}]}, "must not be empty"),
        ({"contents": [{"role": "user", "parts": [{"input": "x"}]}]}, 'Unknown name "input"'),
        ({"contents": HI, "messages": []}, 'Unknown name "messages"'),
        ({"contents": HI, "generation_config": {"max_tokens": 1}}, 'Unknown name "max_tokens"'),
        (declared({"type": "object", "properties": {}, "additionalProperties": False}), "additionalProperties"),
        (declared({"type": ["string", "null"]}), ".type'"),
        (declared({"type": "array"}), "missing field"),
        (declared({"type": "object", "properties": {"a": {"$ref": "#/$defs/a"}}}), "\\$ref"),
        (declared({"type": "object", "properties": {}, "required": ["a"]}), "not defined"),
        ({"contents": [*CALLED, *HI]}, "number of function response parts"),
        (
            {"contents": [*CALLED, {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": "x"}}]}]},
            "Struct",
        ),
        ({"contents": HI, "generationConfig": {"responseSchema": {"type": "object"}}}, "response_mime_type"),
    ],
)
def test_what_the_vendor_refuses_is_refused(url: str, body: dict[str, Any], message: str) -> None:
    answer = httpx.post(f"{url}/google/v1beta/models/auto:generateContent", json=body)
    assert answer.status_code == 400
    assert message.replace("\\", "") in answer.json()["error"]["message"]


def test_without_alt_sse_a_stream_is_one_json_array(url: str) -> None:
    """As on the wire: an array whose elements arrive one by one."""
    answer = httpx.post(f"{url}/google/v1beta/models/echo:streamGenerateContent", json={"contents": HI})
    assert answer.headers["content-type"] == "application/json; charset=UTF-8"
    parts = [one["candidates"][0]["content"]["parts"][0]["text"] for one in answer.json()]
    assert "".join(parts) == "Hi"
    sse = httpx.post(f"{url}/google/v1beta/models/echo:streamGenerateContent?alt=sse", json={"contents": HI})
    assert sse.content.count(b"\n") == sse.content.count(b"\r\n") > 0


def test_a_rate_limit_says_when_to_come_back_in_its_body(url: str) -> None:
    answer = httpx.post(f"{url}/google/v1beta/models/fault-429-seconds:generateContent", json={"contents": HI})
    assert "retry-after" not in answer.headers
    assert answer.json()["error"]["details"][0]["retryDelay"] == "2s"
