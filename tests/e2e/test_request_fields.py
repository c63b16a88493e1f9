"""Every request field through a running gateway: sent as it came, translated, refused, or left out and listed.

The provider `told` takes fields nobody knows, `plain` does not; what arrived there is compared byte for byte.
"""

import json
from typing import Any

import pytest

from tests.support.gateway import STATIC_KEY, Gateway
from tests.support.http_client import Answer
from tests.support.told_upstream import Arrived, ToldUpstream

TOOL = '{"type":"function" , "function":{"name":"f","parameters":{"type":"object","properties":{}}}}'
UNTOUCHED = {
    "temperature": "0.70",
    "top_p": "1.0",
    "frequency_penalty": "-0.50",
    "presence_penalty": "2",
    "repetition_penalty": "1.10",
    "min_p": "0.050",
    "top_k": "40",
    "max_tokens": "17",
    "max_completion_tokens": "18",
    "stop": '[ "a", "\\u00e9" ]',
    "seed": "-7",
    "n": "1",
    "logit_bias": '{ "50256": -100 }',
    "logprobs": "true",
    "user": '"u\\u0031"',
    "metadata": '{ "b": "2", "a": "1" }',
    "store": "false",
    "modalities": '[ "text" ]',
    "prediction": '{ "type": "content", "content": "x" }',
    "functions": '[ {"name": "f"} ]',
    "service_tier": '"auto"',
    "verbosity": '"low"',
    "safety_identifier": '"s"',
    "prompt_cache_key": '"k"',
    "prompt_cache_retention": '"24h"',
    "web_search_options": "{ }",
    "response_format": '{ "type": "json_schema", "json_schema": {"name": "x", "schema": {"z": 1, "a": 2.0}} }',
    "reasoning_effort": '"high"',
    "tools": f"[ {TOOL} ]",
    "messages": '[ {"role" : "user", "content":"\\u0041 \\/ 你好", "name":"n", "vendor_member": 1.50} ]',
}
"""Field → JSON text, in a spelling that a decode and encode would change."""
NEEDING_TOOLS = {
    "parallel_tool_calls": "false",
    "tool_choice": '{ "type": "function", "function": { "name": "f" } }',
}
UNKNOWN = {"guided_json": '{ "type": "object" }', "chat_template_kwargs": '{"thinking" : true}', "mirostat": "2.0"}
CONSUMED = {
    "usage": '{"include": true}',
    "include_reasoning": "true",
    "reasoningText": "true",
    "provider": '{"sort": "price"}',
    "transforms": "[]",
    "route": '"fallback"',
    "routing": '"auto"',
    "models": '["told/free"]',
    "onboarding": "true",
}
"""Understood here, never sent on and never listed."""


class Sent:
    """A request, its answer and what arrived upstream."""

    def __init__(self, gateway: Gateway, upstream: ToldUpstream, model: str, fields: dict[str, str]) -> None:
        before = len(upstream.arrived)
        fields = {"model": json.dumps(model), "messages": '[{"role":"user","content":"Hello"}]', **fields}
        body = "{" + ", ".join(f'"{name}": {value}' for name, value in fields.items()) + "}"
        self.answer: Answer = gateway.send(body.encode())
        self.arrived: list[Arrived] = upstream.arrived[before:]

    @property
    def spans(self) -> dict[str, bytes]:
        assert self.answer.status == 200, self.answer.body
        (arrived,) = self.arrived
        return arrived.spans

    @property
    def listed(self) -> list[str]:
        return self.answer.json["metadata"]["dropped_parameters"]

    def refused(self, code: str, param: str | None) -> None:
        assert (self.answer.status, self.answer.json["error"]["code"]) == (400, code), self.answer.body
        assert self.answer.json["error"]["param"] == param
        assert self.arrived == []


@pytest.mark.parametrize("field", [*UNTOUCHED, *UNKNOWN])
def test_a_field_goes_on_byte_for_byte(gateway: Gateway, upstream: ToldUpstream, field: str) -> None:
    text = {**UNTOUCHED, **UNKNOWN}[field]
    sent = Sent(gateway, upstream, "told/free", {field: text})
    assert sent.spans[field] == text.encode()
    assert sent.listed == []


@pytest.mark.parametrize("field", NEEDING_TOOLS)
def test_a_field_that_goes_with_tools_goes_on_byte_for_byte(
    gateway: Gateway, upstream: ToldUpstream, field: str
) -> None:
    sent = Sent(gateway, upstream, "told/free", {"tools": UNTOUCHED["tools"], field: NEEDING_TOOLS[field]})
    assert sent.spans[field] == NEEDING_TOOLS[field].encode()
    assert sent.spans["tools"] == UNTOUCHED["tools"].encode()


def test_fields_keep_their_order_and_the_model_gets_the_providers_name(
    gateway: Gateway, upstream: ToldUpstream
) -> None:
    """Prompt caches compare bytes from the beginning."""
    fields = {"seed": "1", "messages": UNTOUCHED["messages"], "mirostat": "2", "top_p": "1", "temperature": "0"}
    spans = Sent(gateway, upstream, "told/metered", fields).spans
    assert list(spans) == ["model", "messages", "seed", "mirostat", "top_p", "temperature"]
    assert spans["model"] == b'"vendor-metered-1"'


def test_the_last_of_two_equal_keys_wins(gateway: Gateway, upstream: ToldUpstream) -> None:
    sent = Sent(gateway, upstream, "told/free", {"seed": '1, "seed": 2'})
    assert sent.spans["seed"] == b"2"


@pytest.mark.parametrize("field", [*UNTOUCHED.keys() - {"messages"}, *NEEDING_TOOLS, "reasoning", "effort", "stream"])
def test_null_is_absent(gateway: Gateway, upstream: ToldUpstream, field: str) -> None:
    assert field not in Sent(gateway, upstream, "told/free", {field: "null"}).spans


@pytest.mark.parametrize("field", ["tools", "stop"])
def test_an_empty_list_is_absent(gateway: Gateway, upstream: ToldUpstream, field: str) -> None:
    assert field not in Sent(gateway, upstream, "told/free", {field: "[]"}).spans


@pytest.mark.parametrize("model", ["told/free", "plain/strict"])
@pytest.mark.parametrize("field", CONSUMED)
def test_a_consumed_field_is_neither_sent_nor_listed(
    gateway: Gateway, upstream: ToldUpstream, model: str, field: str
) -> None:
    sent = Sent(gateway, upstream, model, {field: CONSUMED[field]})
    assert set(sent.spans) == {"model", "messages"}
    assert sent.listed == []


@pytest.mark.parametrize("model", ["told/free", "plain/strict"])
def test_a_plugin_without_anything_to_do_is_listed(gateway: Gateway, upstream: ToldUpstream, model: str) -> None:
    sent = Sent(gateway, upstream, model, {"plugins": '[{"id": "response-healing"}]'})
    assert (set(sent.spans), sent.listed) == ({"model", "messages"}, ["plugins"])


def test_a_plugin_with_something_to_do_is_not(gateway: Gateway, upstream: ToldUpstream) -> None:
    fields = {"plugins": '[{"id": "response-healing"}]', "response_format": '{"type":"json_object"}'}
    sent = Sent(gateway, upstream, "told/free", fields)
    assert (set(sent.spans), sent.listed) == ({"model", "messages", "response_format"}, [])
    assert set(sent.answer.json["metadata"]["healing"]) == {"healed", "method", "schema_valid"}


def test_a_format_that_a_model_lacks_is_asked_for_in_words(gateway: Gateway, upstream: ToldUpstream) -> None:
    """The answer says whether it was healed."""
    sent = Sent(gateway, upstream, "listed/small", {"response_format": UNTOUCHED["response_format"]})
    assert sent.answer.status == 200, sent.answer.body
    assert sent.answer.json["metadata"]["healing"]["schema_valid"] in (True, False, None)
    assert sent.listed == []


@pytest.mark.parametrize("field", ["free_models_only", "no_reasoning"])
def test_what_only_auto_heeds_is_listed(gateway: Gateway, upstream: ToldUpstream, field: str) -> None:
    sent = Sent(gateway, upstream, "told/free", {field: "true"})
    assert (set(sent.spans), sent.listed) == ({"model", "messages"}, [field])


@pytest.mark.parametrize(
    ("fields", "name", "expected"),
    [
        ({"max_tokens": "5", "max_completion_tokens": "6"}, "max_completion_tokens", b"6"),
        ({"web_search": "true"}, "web_search_options", b"{}"),
        (
            {"tools": '[{"type":"web_search","search_context_size":"low"}]'},
            "web_search_options",
            b'{"search_context_size":"low"}',
        ),
        ({"reasoning": '{"effort": "low"}'}, "reasoning_effort", b'"low"'),
        ({"stream": "true"}, "stream_options", b'{"include_usage":true}'),
        ({"messages": '[{"role":"user"}]'}, "messages", b'[{"role":"user","content":""}]'),
    ],
)
def test_a_field_is_translated(
    gateway: Gateway, upstream: ToldUpstream, fields: dict[str, str], name: str, expected: bytes
) -> None:
    spans = Sent(gateway, upstream, "told/free", fields).spans
    assert spans[name] == expected
    assert spans.keys() & {"web_search", "reasoning", "max_tokens"} == set()


def test_stream_options_without_a_stream_are_ignored(gateway: Gateway, upstream: ToldUpstream) -> None:
    sent = Sent(gateway, upstream, "told/free", {"stream_options": '{"include_usage": true}'})
    assert "stream_options" not in sent.spans


@pytest.mark.parametrize("field", ["seed", "top_k", "user", *UNKNOWN])
def test_what_a_provider_lacks_and_does_no_harm_is_listed(gateway: Gateway, upstream: ToldUpstream, field: str) -> None:
    sent = Sent(gateway, upstream, "plain/strict", {field: {**UNTOUCHED, **UNKNOWN}[field]})
    assert field not in sent.spans
    assert sent.listed == [field]


def test_a_providers_own_name_of_a_field_is_used(gateway: Gateway, upstream: ToldUpstream) -> None:
    spans = Sent(gateway, upstream, "plain/strict", {"max_tokens": "17"}).spans
    assert spans["max_new_tokens"] == b"17"
    assert "max_tokens" not in spans


IMAGE = '[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}}]}]'


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"n": "2"}, "n"),
        ({"stop": '"x"'}, "stop"),
        ({"logprobs": "true"}, "logprobs"),
        ({"tools": f"[{TOOL}]"}, "tools"),
        ({"messages": IMAGE}, "messages[0].content[0].type"),
        ({"routing": '"price"'}, "routing"),
    ],
)
def test_what_a_model_cannot_do_is_refused_by_name(
    gateway: Gateway, upstream: ToldUpstream, fields: dict[str, str], param: str
) -> None:
    Sent(gateway, upstream, "listed/small", fields).refused("unsupported_parameter", param)


def test_a_fallback_list_names_models_that_there_are(gateway: Gateway, upstream: ToldUpstream) -> None:
    sent = Sent(gateway, upstream, "listed/small", {"models": '["listed/small", "nothing"]'})
    assert (sent.answer.status, sent.answer.json["error"]["param"]) == (404, "models[1]")


@pytest.mark.parametrize("field", ["effort", "image_config"])
def test_what_would_change_the_answer_is_never_left_out(gateway: Gateway, upstream: ToldUpstream, field: str) -> None:
    value = {"effort": '"low"', "image_config": '{"aspect_ratio": "1:1"}'}[field]
    Sent(gateway, upstream, "plain/strict", {field: value}).refused("unsupported_parameter", field)
    assert Sent(gateway, upstream, "told/free", {field: value}).spans[field] == value.encode()


def test_limits_of_a_model_are_kept(gateway: Gateway, upstream: ToldUpstream) -> None:
    above = Sent(gateway, upstream, "listed/small", {"max_tokens": "101"})
    above.refused("invalid_value", "max_tokens")
    assert "100" in above.answer.json["error"]["message"]
    long = json.dumps([{"role": "user", "content": "word " * 2000}])
    Sent(gateway, upstream, "listed/small", {"messages": long}).refused("context_length_exceeded", "messages")


def test_every_role_and_part_goes_on_byte_for_byte(gateway: Gateway, upstream: ToldUpstream) -> None:
    text = """[ {"role":"system","content":"a"}, {"role":"developer", "content":[{"type":"text","text":"b"}]},
      {"role":"user","content":[ {"type":"text","text":"c","cache_control":{"type":"ephemeral","ttl":"1h"}},
        {"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA","detail":"low"}},
        {"type":"input_audio","input_audio":{"data":"AAAA","format":"wav"}},
        {"type":"file","file":{"filename":"f.pdf","file_data":"data:application/pdf;base64,AAAA"}},
        {"type":"vendor_part","vendor":1} ]},
      {"role":"assistant","content":null,"tool_calls":[{"id":"1","type":"function","function":
        {"name":"f","arguments":"{}"}}]}, {"role":"tool","tool_call_id":"1","content":"d"},
      {"role":"function","name":"f","content":"e"} ]"""
    assert Sent(gateway, upstream, "told/free", {"messages": text}).spans["messages"] == text.encode()


def test_headers_of_the_caller_reach_the_row_and_not_the_provider(gateway: Gateway, upstream: ToldUpstream) -> None:
    headers = {
        "x-request-id": "with-headers",
        "x-source": "a-site",
        "x-session-id": "session-1",
        "x-llmgateway-team": "blue",
        "user-agent": "a-client/1.0",
        "cookie": "secret=1",
    }
    answer = gateway.chat("told/free", headers=headers)
    assert answer.headers["x-request-id"] == answer.json["metadata"]["request_id"] == "with-headers"
    row = gateway.exchange("with-headers")
    told = [row[name] for name in ("source", "session_id", "user_agent", "custom", "key_id", "project")]
    assert told == ["a-site", "session-1", "a-client/1.0", '{"team":"blue"}', "static:tests", "default"]
    arrived = upstream.arrived[-1].headers
    assert arrived.keys() == {
        "host", "authorization", "content-type", "accept-encoding", "x-llmgateway-hop", "content-length",
    }  # fmt: skip
    assert arrived["authorization"] == "Bearer sk-upstream-key"
    assert arrived["accept-encoding"] == "identity"
    assert STATIC_KEY not in json.dumps(arrived)


def test_a_deadline_of_the_caller_is_kept(gateway: Gateway) -> None:
    told: dict[str, Any] = {"delay_s": 3}
    answer = gateway.chat("told/free", headers={"x-request-timeout": "0.3"}, told=told)
    assert (answer.status, answer.json["error"]["code"]) == (504, "upstream_timeout")
