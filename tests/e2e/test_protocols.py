"""The official OpenAI SDK against a gateway with a provider of each protocol behind it: what it gets is the same
whatever the provider speaks. The simulator is the provider; it refuses what the vendors refuse."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import openai
import pydantic
import pytest

from tests.e2e.protocols import PROTOCOLS, THINKING, configuration, model
from tests.support.gateway import HELLO, STATIC_KEY, Gateway, Simulator, running_gateway

pytest.importorskip("llmgateway.wire.protocols", reason="protocols besides OpenAI chat are not wired yet")
EACH = pytest.mark.parametrize("protocol", PROTOCOLS)
STREAMED = pytest.mark.parametrize("streamed", [True, False], ids=["streamed", "whole"])
ASK: Any = HELLO
PIXEL = base64.b64encode(
    bytes.fromhex(
        "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
        "1f15c4890000000d49444154789c6360000002000001e221bc330000000049454e44ae426082"
    )
).decode()


def tool(name: str, parameters: Any) -> Any:
    return {"type": "function", "function": {"name": name, "parameters": parameters, "strict": True}}


CITY: Any = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
NOTHING: Any = {"type": "object", "properties": {}, "required": [], "additionalProperties": False}
TOOLS = [tool("get_weather", CITY), tool("clock", NOTHING)]


class Person(pydantic.BaseModel):
    name: str
    age: int
    tags: list[str]


@pytest.fixture(scope="module")
def door(simulator: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    place = tmp_path_factory.mktemp("protocols")
    with running_gateway(place, configuration=configuration(simulator)) as gateway:
        yield gateway


@pytest.fixture
def client(door: Gateway) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{door.url}/v1", api_key=STATIC_KEY, max_retries=0, timeout=20) as client:
        yield client


def ask(client: openai.OpenAI, name: str, *, streamed: bool, **fields: Any) -> Any:
    """The completion, put together by the SDK where it is streamed."""
    given: Any = {"messages": ASK} | fields
    if not streamed:
        return client.chat.completions.create(model=name, **given)
    with client.chat.completions.stream(model=name, **given) as stream:
        for _ in stream:
            pass
        return stream.get_final_completion()


def turn(message: Any, **extra: Any) -> Any:
    """The message as a client sends it back."""
    kept = ("role", "content", "tool_calls", "reasoning_details")
    given = message.model_dump(exclude_none=True, warnings=False)
    sent = {name: given[name] for name in kept if name in given} | extra
    for call in sent.get("tool_calls", ()):
        call["function"].pop("parsed_arguments", None)
        call.pop("index", None)
    return sent


def results(message: Any) -> list[Any]:
    return [{"role": "tool", "tool_call_id": call.id, "content": "21 degrees"} for call in message.tool_calls]


@EACH
def test_a_stream_says_what_a_whole_answer_says(client: openai.OpenAI, protocol: str) -> None:
    """Text, finish reason, roles and usage."""
    said: Any = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Grüße, 你好 👋🏽"}]
    whole = ask(client, model(protocol, "echo"), streamed=False, messages=said)
    assert whole.choices[0].message.content == "Grüße, 你好 👋🏽"
    assert whole.choices[0].finish_reason == "stop"
    chunks = list(client.chat.completions.create(model=model(protocol, "echo"), messages=said, stream=True))
    choices = [choice for chunk in chunks for choice in chunk.choices]
    assert "".join([choice.delta.content or "" for choice in choices]) == "Grüße, 你好 👋🏽"
    assert [choice.finish_reason for choice in choices if choice.finish_reason] == ["stop"]
    assert [choice.delta.role for choice in choices if choice.delta.role] == ["assistant"]
    assert len({chunk.id for chunk in chunks}) == 1
    for usage in (whole.usage, chunks[-1].usage):
        assert usage is not None
        assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
        assert usage.completion_tokens == whole.usage.completion_tokens > 0


@EACH
@STREAMED
@pytest.mark.parametrize(("name", "count"), [("auto", 1), ("parallel-tools", 2)])
def test_tools_are_called(client: openai.OpenAI, protocol: str, name: str, count: int, streamed: bool) -> None:
    """One call or several at once, with ids of their own and arguments that are JSON; then the loop ends in words."""
    first = ask(client, model(protocol, name), streamed=streamed, tools=TOOLS).choices[0]
    assert first.finish_reason == "tool_calls"
    calls = first.message.tool_calls
    assert [call.function.name for call in calls] == ["get_weather", "clock"][:count]
    assert [json.loads(call.function.arguments) for call in calls] == [{"city": "Paris"}, {}][:count]
    assert len({call.id for call in calls}) == count
    messages = [*ASK, turn(first.message), *results(first.message)]
    last = ask(client, model(protocol, "auto"), streamed=streamed, tools=TOOLS, messages=messages).choices[0]
    assert (last.finish_reason, "21 degrees" in last.message.content) == ("stop", True)


@EACH
def test_a_tool_can_be_forced_or_forbidden(client: openai.OpenAI, protocol: str) -> None:
    forced: Any = {"type": "function", "function": {"name": "clock"}}
    if protocol != "cohere":
        (call,) = (
            ask(client, model(protocol, "auto"), streamed=False, tools=TOOLS, tool_choice=forced)
            .choices[0]
            .message.tool_calls
        )
        assert call.function.name == "clock"
    free = ask(client, model(protocol, "auto"), streamed=False, tools=TOOLS, tool_choice="none").choices[0]
    assert free.message.content


@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")  # the SDK types `metadata` as strings only
@EACH
@STREAMED
def test_structured_outputs_are_parsed(client: openai.OpenAI, protocol: str, streamed: bool) -> None:
    if streamed:
        with client.chat.completions.stream(
            model=model(protocol, "auto"), messages=ASK, response_format=Person
        ) as stream:
            for _ in stream:
                pass
            parsed = stream.get_final_completion().choices[0].message.parsed
    else:
        answer = client.chat.completions.parse(model=model(protocol, "auto"), messages=ASK, response_format=Person)
        parsed = answer.choices[0].message.parsed
    assert isinstance(parsed, Person)


@EACH
def test_an_image_arrives(client: openai.OpenAI, simulator: Simulator, protocol: str) -> None:
    """A data URL is handed on with its bytes and its type."""
    mark = f"an image for {protocol}"
    parts: Any = [
        {"type": "text", "text": mark},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}},
    ]
    answer = ask(client, model(protocol, "echo"), streamed=False, messages=[{"role": "user", "content": parts}])
    assert answer.choices[0].message.content == mark
    (arrived,) = simulator.requests(mark)
    assert PIXEL in arrived["body"].replace("\\/", "/")
    assert "png" in arrived["body"]


@pytest.mark.parametrize("protocol", THINKING)
@STREAMED
@pytest.mark.parametrize("kept", [True, False], ids=["kept", "dropped"])
def test_reasoning_comes_back_in_a_tool_loop(client: openai.OpenAI, protocol: str, streamed: bool, kept: bool) -> None:
    """The provider finds its signed reasoning in the next request, whether the client kept reasoning_details or not."""
    fields: Any = {"tools": TOOLS, "reasoning_effort": "low", "max_tokens": 4000}
    first = ask(client, model(protocol, "reasoning"), streamed=streamed, **fields).choices[0].message
    assert first.reasoning.startswith("The user wants an answer.")
    assert first.reasoning_details
    sent = turn(first)
    if not kept:
        del sent["reasoning_details"]
    messages = [*ASK, sent, *results(first)]
    last = ask(client, model(protocol, "reasoning"), streamed=streamed, messages=messages, **fields).choices[0]
    assert "21 degrees" in last.message.content


@pytest.mark.parametrize("protocol", ["anthropic", "bedrock"])
@STREAMED
def test_redacted_reasoning_comes_back_too(client: openai.OpenAI, protocol: str, streamed: bool) -> None:
    fields: Any = {"tools": TOOLS, "reasoning_effort": "low", "max_tokens": 4000}
    first = ask(client, model(protocol, "redacted"), streamed=streamed, **fields).choices[0].message
    kinds = [detail["type"] for detail in first.reasoning_details]
    assert kinds == ["reasoning.text", "reasoning.encrypted"]
    messages = [*ASK, turn(first), *results(first)]
    last = ask(client, model(protocol, "redacted"), streamed=streamed, messages=messages, **fields).choices[0]
    assert "21 degrees" in last.message.content


@pytest.mark.parametrize("protocol", THINKING)
def test_reasoning_that_a_client_altered_is_refused(client: openai.OpenAI, protocol: str) -> None:
    """What proves that the round trip above is checked at all: the provider notices any change."""
    fields: Any = {"tools": TOOLS, "reasoning_effort": "low", "max_tokens": 4000}
    first = ask(client, model(protocol, "reasoning"), streamed=False, **fields).choices[0].message
    sent = turn(first)
    spoiled = 0
    for holder in (*sent["reasoning_details"], *_extras(sent)):
        for field in ("text", "signature", "data", "thought_signature"):
            if holder.get(field):
                holder[field] = "AAAA" + holder[field][4:] if field != "text" else "Something else."
                spoiled += 1
    assert spoiled
    with pytest.raises(openai.BadRequestError):
        ask(client, model(protocol, "reasoning"), streamed=False, messages=[*ASK, sent, *results(first)], **fields)


def _extras(sent: Any) -> list[Any]:
    """Where tool calls carry a signature of their own."""
    return [call["extra_content"]["google"] for call in sent["tool_calls"] if "extra_content" in call]


@EACH
def test_reasoning_of_another_provider_is_left_behind(client: openai.OpenAI, protocol: str) -> None:
    """A conversation that moves takes no signatures along that its next provider would refuse."""
    fields: Any = {"tools": TOOLS, "max_tokens": 4000}
    other = "anthropic" if protocol != "anthropic" else "openai-responses"
    first = ask(client, model(other, "reasoning"), streamed=False, reasoning_effort="low", **fields).choices[0].message
    messages = [*ASK, turn(first), *results(first)]
    last = ask(client, model(protocol, "auto"), streamed=False, messages=messages, **fields).choices[0]
    assert "21 degrees" in last.message.content


def test_claudes_reasoning_moves_between_its_providers(client: openai.OpenAI) -> None:
    """Its signatures hold wherever the model is served, so they are taken along and nothing is lost."""
    fields: Any = {"tools": TOOLS, "max_tokens": 4000, "reasoning_effort": "low"}
    for here, there in (("anthropic", "bedrock"), ("bedrock", "anthropic")):
        first = ask(client, model(here, "redacted"), streamed=False, **fields).choices[0].message
        messages = [*ASK, turn(first), *results(first)]
        last = ask(client, model(there, "redacted"), streamed=False, messages=messages, **fields)
        assert "21 degrees" in last.choices[0].message.content
        assert "messages[].reasoning_details" not in last.model_dump(warnings=False)["metadata"]["dropped_parameters"]


@EACH
@STREAMED
def test_an_answer_cut_short_says_so(client: openai.OpenAI, protocol: str, streamed: bool) -> None:
    short: Any = client.chat.completions.create(
        model=model(protocol, "lorem-50"), messages=ASK, max_tokens=20, stream=streamed
    )
    choices = [choice for chunk in short for choice in chunk.choices] if streamed else short.choices
    assert [choice.finish_reason for choice in choices if choice.finish_reason] == ["length"]


@pytest.mark.parametrize("protocol", [name for name in PROTOCOLS if name not in ("bedrock", "cohere")])
@STREAMED
def test_citations_become_annotations(client: openai.OpenAI, protocol: str, streamed: bool) -> None:
    message = ask(client, model(protocol, "citations"), streamed=streamed).choices[0].message
    given = message.model_dump(warnings=False)["annotations"]
    assert [one["url_citation"]["url"] for one in given] == ["https://example.com/1", "https://example.com/2"]


@pytest.mark.parametrize("protocol", ["openai-chat", "google"])
@STREAMED
def test_images_are_handed_on(client: openai.OpenAI, protocol: str, streamed: bool) -> None:
    message = ask(client, model(protocol, "image"), streamed=streamed).choices[0].message
    (image,) = message.model_dump(warnings=False)["images"]
    assert image["image_url"]["url"].startswith("data:image/png;base64,iVBOR")


@pytest.mark.parametrize("protocol", [name for name in PROTOCOLS if name != "openai-chat"])
def test_reasoning_tokens_are_told_where_they_are_known(client: openai.OpenAI, protocol: str) -> None:
    usage = ask(client, model(protocol, "reasoning"), streamed=False).usage
    reasoning = usage.completion_tokens_details.reasoning_tokens
    assert (reasoning > 0) == (protocol in ("openai-responses", "anthropic", "google"))
    assert reasoning < usage.completion_tokens


@EACH
@STREAMED
@pytest.mark.parametrize(
    ("name", "expected", "code"),
    [
        ("fault-400", openai.BadRequestError, None),
        ("fault-400-context", openai.BadRequestError, "context_length_exceeded"),
        ("fault-413-context", openai.BadRequestError, "context_length_exceeded"),
        ("missing-model", openai.NotFoundError, "model_not_found"),
        ("fault-401", openai.InternalServerError, "upstream_auth_error"),
        ("fault-429", openai.RateLimitError, "upstream_rate_limited"),
        ("fault-500", openai.InternalServerError, "upstream_error"),
        ("fault-529", openai.InternalServerError, "upstream_error"),
        ("fault-html-502", openai.InternalServerError, "upstream_error"),
        ("fault-reset", openai.InternalServerError, "upstream_unreachable"),
        ("fault-stall-headers", openai.InternalServerError, "upstream_timeout"),
        ("fault-error-in-200", openai.InternalServerError, "upstream_error"),
        ("fault-empty-body", openai.InternalServerError, "upstream_error"),
    ],
)
def test_errors_have_their_exception(
    client: openai.OpenAI, protocol: str, name: str, expected: type[Exception], code: str | None, streamed: bool
) -> None:
    with pytest.raises(expected) as caught:
        client.chat.completions.create(model=model(protocol, name), messages=ASK, stream=streamed)
    error: Any = caught.value
    assert code is None or error.code == code


BREAKS = ("error-event", "cut", "reset-mid", "stall-mid", "malformed-json", "no-finish")


@pytest.mark.parametrize(
    ("protocol", "name"), [*[(protocol, name) for protocol in PROTOCOLS for name in BREAKS], ("bedrock", "bad-crc")]
)
def test_a_stream_that_breaks_is_an_error_behind_what_came(client: openai.OpenAI, protocol: str, name: str) -> None:
    """Content that came before is handed on; then the SDK raises."""
    stream = client.chat.completions.create(model=model(protocol, f"fault-{name}"), messages=ASK, stream=True)
    said: list[str] = []
    with pytest.raises(openai.APIError) as caught:
        said.extend(choice.delta.content or "" for chunk in stream for choice in chunk.choices)
    assert "".join(said).startswith("Hello")
    assert str(caught.value.code) in ("upstream_error", "upstream_unreachable", "upstream_timeout", "stream_truncated")


HARMLESS = (
    *("byte-split", "utf8-split", "slow-body", "huge-event", "comments", "crlf", "duplicate-finish"),
    "usage-every-chunk",
)


@EACH
@STREAMED
@pytest.mark.parametrize("name", HARMLESS)
def test_harmless_oddities_change_nothing(client: openai.OpenAI, protocol: str, name: str, streamed: bool) -> None:
    if not streamed:
        answer = client.chat.completions.create(model=model(protocol, f"fault-{name}"), messages=ASK)
        assert answer.choices[0].finish_reason == "stop"
        assert answer.choices[0].message.content
        return
    chunks = list(client.chat.completions.create(model=model(protocol, f"fault-{name}"), messages=ASK, stream=True))
    choices = [choice for chunk in chunks for choice in chunk.choices]
    assert [choice.finish_reason for choice in choices if choice.finish_reason] == ["stop"]
    assert "".join([choice.delta.content or "" for choice in choices])
