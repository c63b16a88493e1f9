"""A request body becomes a checked chat, or an error that names the field."""

import contextlib
import inspect
import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmgateway.domain.errors import INVALID_JSON, INVALID_VALUE, MISSING_PARAMETER, GatewayError
from llmgateway.wire.openai_chat import traits
from llmgateway.wire.openai_chat.request import read_request

MESSAGE = {"role": "user", "content": "Hello"}
TOOL = {"type": "function", "function": {"name": "f"}}


def body(**members: Any) -> bytes:
    return json.dumps({"model": "m", "messages": [MESSAGE], **members}).encode()


def refused(source: bytes) -> GatewayError:
    with pytest.raises(GatewayError) as caught:
        read_request(source)
    return caught.value


STRINGS = ("user", "service_tier", "safety_identifier", "prompt_cache_key", "prompt_cache_retention")
NUMBERS = ("temperature", "top_p", "frequency_penalty", "presence_penalty", "repetition_penalty", "min_p")
INTEGERS = ("top_k", "max_tokens", "max_completion_tokens", "seed", "n", "top_logprobs")
BOOLEANS = (
    "logprobs", "store", "parallel_tool_calls", "stream", "include_reasoning", "free_models_only", "no_reasoning",
    "onboarding", "web_search",
)  # fmt: skip
OBJECTS = (
    "logit_bias", "metadata", "audio", "prediction", "web_search_options", "response_format", "stream_options",
    "reasoning", "image_config", "sensitive_word_check",
)  # fmt: skip
LISTS = ("modalities", "functions", "tools", "plugins", "models")
WORDS = ("verbosity", "reasoning_effort", "effort", "routing", "tool_choice", "function_call")
WRONG = [
    *((name, 5) for name in STRINGS),
    *((name, "warm") for name in NUMBERS),
    *((name, wrong) for name in INTEGERS for wrong in ("many", 1.5)),
    *((name, "yes") for name in BOOLEANS),
    *((name, "x") for name in (*OBJECTS, *LISTS)),
    *((name, wrong) for name in WORDS for wrong in ("sideways", 3)),
    ("stop", 5), ("model", 5), ("model", ""), ("messages", "Hello"), ("messages", []), ("messages", {}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_a_wrong_type_names_its_field(name: str, value: object) -> None:
    error = refused(body(**{name: value}))
    assert (error.status, error.kind, error.param) == (400, INVALID_VALUE, name)


OUT_OF_RANGE = [
    ("temperature", 2.1), ("temperature", -0.1), ("top_p", 1.1), ("frequency_penalty", -2.5), ("presence_penalty", 3),
    ("repetition_penalty", 0), ("max_tokens", 0), ("max_completion_tokens", -1), ("max_tokens", 10**9), ("n", 0),
    ("n", 10_000), ("top_logprobs", 21), ("stop", ["x"] * 1000), ("seed", 2**64),
    ("logit_bias", {str(n): 1 for n in range(10_000)}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value"), OUT_OF_RANGE, ids=lambda value: str(value)[:20])
def test_a_value_out_of_range_names_its_field(name: str, value: object) -> None:
    error = refused(body(**{name: value}))
    assert (error.status, error.param) == (400, name)


DEEP = [
    ({"messages": [MESSAGE, {"role": "robot", "content": "x"}]}, "messages[1].role", INVALID_VALUE),
    ({"messages": [MESSAGE, {"content": "x"}]}, "messages[1].role", MISSING_PARAMETER),
    ({"messages": [None]}, "messages[0]", INVALID_VALUE),
    ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content", INVALID_VALUE),
    ({"messages": [{"role": "user", "content": [{"text": "x"}]}]}, "messages[0].content[0].type", MISSING_PARAMETER),
    ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "messages[0].content[0].text", MISSING_PARAMETER),
    (
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]},
        "messages[0].content[0].image_url.url",
        MISSING_PARAMETER,
    ),
    ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].tool_call_id", MISSING_PARAMETER),
    ({"tools": [{"function": {"name": "f"}}]}, "tools[0].type", MISSING_PARAMETER),
    ({"tools": [{"type": "function"}]}, "tools[0].function", MISSING_PARAMETER),
    ({"tools": [{"type": "function", "function": {}}]}, "tools[0].function.name", MISSING_PARAMETER),
    ({"tools": [TOOL], "tool_choice": {"type": "function"}}, "tool_choice.function", MISSING_PARAMETER),
    (
        {"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "g"}}},
        "tool_choice.function.name",
        INVALID_VALUE,
    ),
    ({"tool_choice": "required"}, "tool_choice", INVALID_VALUE),
    ({"response_format": {"type": "xml"}}, "response_format.type", INVALID_VALUE),
    ({"response_format": {"type": "json_schema"}}, "response_format.json_schema", MISSING_PARAMETER),
    ({"reasoning": {"effort": "high"}, "reasoning_effort": "low"}, "reasoning.effort", INVALID_VALUE),
    ({"reasoning": {"max_tokens": 0}}, "reasoning.max_tokens", INVALID_VALUE),
    ({"plugins": [{"id": "unknown"}]}, "plugins[0].id", INVALID_VALUE),
    ({"stream_options": {"include_usage": "yes"}}, "stream_options.include_usage", INVALID_VALUE),
]


@pytest.mark.parametrize(("members", "param", "kind"), DEEP, ids=[param for _, param, _ in DEEP])
def test_a_fault_deep_inside_names_its_path(members: dict[str, Any], param: str, kind: object) -> None:
    error = refused(body(**members))
    assert (error.param, error.kind) == (param, kind)


@pytest.mark.parametrize(("members", "param", "kind"), DEEP, ids=[param for _, param, _ in DEEP])
def test_a_fault_in_a_large_request_is_told_in_the_same_words(
    members: dict[str, Any], param: str, kind: object
) -> None:
    error = refused(body(metadata={"long": "x" * 10_000}, **members))
    assert (error.param, error.kind, error.message) == (param, kind, refused(body(**members)).message)


@pytest.mark.parametrize("name", ["model", "messages"])
def test_a_missing_field_is_named(name: str) -> None:
    source = {"model": "m", "messages": [MESSAGE]}
    del source[name]
    error = refused(json.dumps(source).encode())
    assert (error.kind, error.param) == (MISSING_PARAMETER, name)


@pytest.mark.parametrize(
    "source",
    [
        b"", b"{", b"[]", b"null", b'"x"', b"5", b"{} x", b'{"model":"m"', b"\xff\xfe{\x00}\x00", b"[" * 100_000,
        b'{"model":"m","messages":[{"role":"user","content":"\xff"}]}', b'{"a":' * 100_000,
        b'{"model":"m","messages":[{"role":"user","content":"a\x00b"}]}',
    ],
    ids=lambda source: repr(source[:20]),
)  # fmt: skip
def test_what_is_not_a_json_object_is_invalid_json(source: bytes) -> None:
    error = refused(source)
    assert (error.status, error.kind) == (400, INVALID_JSON)


@pytest.mark.parametrize("value", [b"NaN", b"Infinity", b"-Infinity", b"1e999", b"9" * 5000])
def test_numbers_that_no_json_has_are_refused_even_in_unknown_fields(value: bytes) -> None:
    for name in (b"temperature", b"mirostat"):
        error = refused(b'{"model":"m","messages":[{"role":"user","content":"x"}],"%b":%b}' % (name, value))
        assert error.status == 400


def test_a_byte_order_mark_is_accepted() -> None:
    assert read_request(b"\xef\xbb\xbf" + body()).request.model == "m"


def test_of_duplicate_keys_the_last_one_is_checked_and_forwarded() -> None:
    chat = read_request(b'{"model":"a","temperature":9,"model":"b","messages":[{"role":"user"}],"temperature":1}')
    assert (chat.request.model, chat.request.temperature) == ("b", 1)
    assert bytes(chat.raw["temperature"]) == b"1"


def test_a_wrong_field_before_half_a_character_is_still_named() -> None:
    error = refused(rb'{"temperature":9,"model":"m","messages":[{"role":"user","content":"\ud83d"}]}')
    assert (error.kind, error.param) == (INVALID_VALUE, "temperature")


def test_null_equals_absent() -> None:
    names = [*STRINGS, *NUMBERS, *INTEGERS, *BOOLEANS, *OBJECTS, *LISTS, *WORDS, "stop"]
    chat = read_request(body(**dict.fromkeys(names), unknown=None))
    assert chat.raw.keys() == {"model", "messages"}
    assert chat.request == read_request(body()).request


def test_empty_tools_and_stop_mean_none() -> None:
    assert read_request(body(tools=[], stop=[], functions=[])).raw.keys() == {"model", "messages"}


def test_the_newer_name_of_the_token_limit_wins() -> None:
    chat = read_request(body(max_tokens=5, max_completion_tokens=7))
    assert chat.output_limit == 7
    assert "max_tokens" not in chat.raw


def test_whole_characters_are_left_as_they_are_and_halves_are_replaced() -> None:
    source = rb'{"model":"m","messages":[{"role":"user","content":"\ud83d\ude00 \ud83d \\ud83d"}]}'
    assert read_request(source).messages[0].content == "\U0001f600 � \\ud83d"


@settings(max_examples=300, deadline=None, derandomize=True)
@given(source=st.binary(max_size=80) | st.text(max_size=80).map(str.encode))
def test_any_bytes_are_a_chat_or_an_error(source: bytes) -> None:
    with contextlib.suppress(GatewayError):
        read_request(source)


@pytest.mark.parametrize(
    ("members", "param", "advice"),
    [
        ({"routing": "fast"}, "routing", "Use one of 'auto', 'price', 'throughput', 'latency'."),
        ({"messages": [{"role": "boss"}]}, "messages[0].role", "Use one of 'system', 'developer', 'user', 'assistant'"),
    ],
)
def test_a_word_that_a_field_does_not_take_brings_those_that_it_takes(
    members: dict[str, Any], param: str, advice: str
) -> None:
    error = refused(body(**members))
    assert error.param == param
    assert advice in error.message


def test_every_field_that_asks_for_something_is_looked_for() -> None:
    """A request without any of them is not asked about them one by one."""
    looked_at = set(re.findall(r"\brequest\.(\w+)", inspect.getsource(traits)))
    assert looked_at == traits.TELLING
