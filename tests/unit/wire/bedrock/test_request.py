"""Tools, structured answers, sampling and the rest of a converse request; what is left out is listed."""

import json
from typing import Any

import pytest

from llmgateway.domain.routing import ParameterPolicy
from llmgateway.wire.bedrock.build import build_request
from llmgateway.wire.bedrock.vocabulary import emulates
from tests.unit.wire.bedrock.converse import (
    CLAUDE,
    CLAUDE_3,
    CLAUDE_4,
    CLAUDE_46,
    LLAMA,
    MESSAGES,
    NOVA,
    NOVA_2,
    TOOL,
    asked,
    bedrock,
    built,
)

SCHEMA = {"type": "object", "properties": {"b": {"type": "string"}, "a": {"type": "number"}}}
SHAPE = {"type": "json_schema", "json_schema": {"name": "city info", "description": "A city.", "schema": SCHEMA}}
SPEC = {
    "toolSpec": {
        "name": "weather",
        "description": "Of a city.",
        "inputSchema": {"json": {"type": "object", "properties": {"city": {"type": "string"}}}},
    }
}
CALLED = [
    {"role": "user", "content": "Weather?"},
    {
        "role": "assistant",
        "tool_calls": [{"id": "c", "type": "function", "function": {"name": "weather", "arguments": "{}"}}],
    },
    {"role": "tool", "tool_call_id": "c", "content": "Sunny"},
]
NAMED = {"type": "function", "function": {"name": "weather"}}


@pytest.mark.parametrize(
    ("choice", "sent"),
    [(None, None), ("auto", {"auto": {}}), ("required", {"any": {}}), (NAMED, {"tool": {"name": "weather"}})],
)
def test_tools_and_the_choice_among_them(choice: Any, sent: dict[str, Any] | None) -> None:
    config = built(tools=[TOOL], tool_choice=choice)[0]["toolConfig"]
    assert config["tools"] == [SPEC]
    assert config.get("toolChoice") == sent


def test_a_tool_without_parameters_takes_an_object() -> None:
    tool = {"type": "function", "function": {"name": "now", "description": ""}}
    assert built(tools=[tool])[0]["toolConfig"]["tools"] == [
        {"toolSpec": {"name": "now", "inputSchema": {"json": {"type": "object", "properties": {}}}}}
    ]


def test_schemas_keep_the_callers_bytes() -> None:
    chat = asked(
        tools=[{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "z": 1, "a": 2}}}]
    )
    assert b'"json":{"type":"object","z":1,"a":2}' in build_request(chat, to=bedrock())[0].body


def test_strict_where_the_model_can_be_held_to_it() -> None:
    strict = {"type": "function", "function": {**TOOL["function"], "strict": True}}
    assert built(CLAUDE, tools=[strict])[0]["toolConfig"]["tools"][0]["toolSpec"]["strict"] is True
    body, dropped = built(NOVA, tools=[strict])
    assert "strict" not in body["toolConfig"]["tools"][0]["toolSpec"]
    assert dropped == ("tools[].function.strict",)


def test_no_tool_is_to_be_called_where_none_was() -> None:
    body, dropped = built(tools=[TOOL], tool_choice="none")
    assert "toolConfig" not in body
    assert dropped == ()


def test_a_conversation_that_called_tools_keeps_them_even_if_none_is_to_be_called() -> None:
    """Bedrock wants a toolConfig with every toolUse of the history."""
    body, dropped = built(tools=[TOOL], tool_choice="none", messages=CALLED)
    assert body["toolConfig"] == {"tools": [SPEC]}
    assert "Do not call" in body["system"][-1]["text"]
    assert dropped == ("tool_choice",)


def test_tools_that_are_given_no_more_are_known_by_their_calls() -> None:
    body, dropped = built(messages=CALLED)
    assert [tool["toolSpec"]["name"] for tool in body["toolConfig"]["tools"]] == ["weather"]
    assert "Do not call" in body["system"][-1]["text"]
    assert dropped == ()


@pytest.mark.parametrize(
    ("choice", "sent"),
    [(None, {"type": "auto", "disable_parallel_tool_use": True}), ("required", {"disable_parallel_tool_use": True})],
)
def test_claude_may_be_held_to_one_call_at_a_time(choice: Any, sent: dict[str, Any]) -> None:
    body, dropped = built(tools=[TOOL], parallel_tool_calls=False, tool_choice=choice)
    assert body["additionalModelRequestFields"]["tool_choice"] == sent
    assert dropped == ()
    assert built(NOVA, tools=[TOOL], parallel_tool_calls=False)[1] == ("parallel_tool_calls",)


@pytest.mark.parametrize("upstream", [CLAUDE, CLAUDE_46, "minimax.minimax-m2", "qwen.qwen3-32b-v1:0"])
def test_a_schema_for_the_answer_is_native_where_the_model_has_it(upstream: str) -> None:
    body, _ = built(upstream, response_format=SHAPE)
    told = body["outputConfig"]["textFormat"]["structure"]["jsonSchema"]
    assert (told["name"], told["description"]) == ("city info", "A city.")
    schema = json.loads(told["schema"])
    assert list(schema["properties"]) == ["b", "a"]
    assert ("additionalProperties" in schema) is ("claude" in upstream)
    assert emulates(asked(response_format=SHAPE), to=bedrock(upstream)) is None


def test_a_schema_that_claudes_grammars_cannot_say_is_emulated() -> None:
    schema = {"type": "object", "additionalProperties": {"type": "string"}}
    shape = {"type": "json_schema", "json_schema": {"name": "map", "schema": schema}}
    body, _ = built(CLAUDE, response_format=shape)
    assert "outputConfig" not in body
    assert body["toolConfig"]["tools"][0]["toolSpec"]["inputSchema"] == {"json": schema}
    strict = {"type": "function", "function": {"name": "f", "parameters": schema, "strict": True}}
    assert built(CLAUDE, tools=[strict])[1] == ("tools[].function.strict",)


def test_a_schema_that_is_no_object_is_no_tools() -> None:
    shape = {"type": "json_schema", "json_schema": {"name": "list", "schema": {"type": "array"}}}
    assert emulates(asked(response_format=shape), to=bedrock(NOVA)) == "instruction"


def test_what_the_catalogue_says_of_a_model_is_believed() -> None:
    to = bedrock("new.vendor-model", has=frozenset(("json_schema",)))
    assert "outputConfig" in built(to, response_format=SHAPE)[0]


@pytest.mark.parametrize("upstream", [CLAUDE_4, NOVA, CLAUDE_3])
def test_else_a_tool_is_forced_whose_arguments_are_the_answer(upstream: str) -> None:
    body, _ = built(upstream, response_format=SHAPE)
    assert emulates(asked(response_format=SHAPE), to=bedrock(upstream)) == "tool"
    assert body["toolConfig"]["toolChoice"] == {"tool": {"name": "city_info"}}
    assert body["toolConfig"]["tools"][0]["toolSpec"]["inputSchema"] == {"json": SCHEMA}


@pytest.mark.parametrize(
    ("upstream", "members"),
    [
        (LLAMA, {}),
        (CLAUDE_4, {"tools": [TOOL]}),
        (CLAUDE_4, {"reasoning_effort": "low"}),
        (CLAUDE, {"response_format": {"type": "json_object"}}),
        (NOVA_2, {"response_format": {"type": "json_object"}}),
    ],
)
def test_else_the_model_is_told_behind_the_callers_prompt(upstream: str, members: dict[str, Any]) -> None:
    members = {"response_format": SHAPE, "messages": [{"role": "system", "content": "S"}, *MESSAGES], **members}
    body, _ = built(upstream, **members)
    assert emulates(asked(**members), to=bedrock(upstream)) == "instruction"
    assert "outputConfig" not in body
    assert body["system"][0] == {"text": "S"}
    assert "JSON" in body["system"][1]["text"]
    schema = body["system"][1]["text"].partition("JSON Schema: ")[2]
    assert (json.loads(schema) if schema else None) == (SCHEMA if members["response_format"] is SHAPE else None)


def test_plain_text_asks_for_nothing() -> None:
    chat = asked(response_format={"type": "text"})
    assert emulates(chat, to=bedrock(LLAMA)) is None
    assert list(built(response_format={"type": "text"})[0]) == ["messages"]


def test_inference_parameters() -> None:
    body, dropped = built(CLAUDE_4, max_tokens=9, temperature=0.5, stop=["a", "b"])
    assert body["inferenceConfig"] == {"maxTokens": 9, "temperature": 0.5, "stopSequences": ["a", "b"]}
    assert dropped == ()
    assert built(stop="x", max_completion_tokens=7)[0]["inferenceConfig"] == {"maxTokens": 7, "stopSequences": ["x"]}


def test_temperatures_above_one_are_one() -> None:
    assert built(temperature=1.7)[0]["inferenceConfig"] == {"temperature": 1}


def test_newer_claudes_take_one_of_temperature_and_top_p() -> None:
    body, dropped = built(CLAUDE, temperature=0.5, top_p=0.9)
    assert (body["inferenceConfig"], dropped) == ({"temperature": 0.5}, ("top_p",))
    assert built(CLAUDE_4, temperature=0.5, top_p=0.9)[0]["inferenceConfig"] == {"temperature": 0.5, "topP": 0.9}
    assert built(NOVA, temperature=0.5, top_p=0.9)[0]["inferenceConfig"] == {"temperature": 0.5, "topP": 0.9}


def test_the_newest_claudes_take_no_sampling_but_the_default() -> None:
    body, dropped = built("us.anthropic.claude-sonnet-5", temperature=0.5, top_p=0.9, top_k=3)
    assert (list(body), dropped) == (["messages"], ("temperature", "top_p", "top_k"))
    assert built("us.anthropic.claude-sonnet-5", temperature=1, top_p=1) == (built()[0], ())


@pytest.mark.parametrize(
    ("upstream", "sent"),
    [(CLAUDE, {"top_k": 5}), (NOVA, {"inferenceConfig": {"topK": 5}}), (LLAMA, None)],
)
def test_top_k_in_the_vendors_words(upstream: str, sent: dict[str, Any] | None) -> None:
    body, dropped = built(upstream, top_k=5)
    assert body.get("additionalModelRequestFields") == sent
    assert dropped == (() if sent else ("top_k",))
    assert built(upstream, top_k=-1)[1] == ()


def test_the_rows_own_policy() -> None:
    policy = ParameterPolicy(drop=("top_p", "top_k"), clamp={"temperature": 0.4}, force={"x": "[1]"})
    request, dropped = build_request(asked(temperature=0.5, top_p=0.9, top_k=3), to=bedrock(CLAUDE_4, policy=policy))
    body = json.loads(request.body)
    assert (body["inferenceConfig"], body["x"]) == ({"temperature": 0.4}, [1])
    assert dropped == ("top_p", "top_k")


@pytest.mark.parametrize(
    ("tier", "sent"), [("default", "default"), ("flex", "flex"), ("priority", "priority"), ("auto", None)]
)
def test_service_tiers(tier: str, sent: str | None) -> None:
    assert built(service_tier=tier)[0].get("serviceTier") == (None if sent is None else {"type": sent})


@pytest.mark.parametrize(
    ("metadata", "sent"),
    [
        ({"team": "a:b@c", "empty": ""}, True),
        ({"team": "ü"}, False),
        ({"": "a"}, False),
        ({"team": "x" * 257}, False),
        ({"team": 5}, False),
        ({str(n): "x" for n in range(17)}, False),
    ],
)
def test_metadata_labels_the_request_where_they_are_labels(metadata: dict[str, Any], sent: bool) -> None:
    body, dropped = built(metadata=metadata)
    assert body.get("requestMetadata") == (metadata if sent else None)
    assert dropped == (() if sent else ("metadata",))


def test_converses_own_fields_go_on_as_they_are() -> None:
    guard = {"guardrailIdentifier": "g", "guardrailVersion": "1"}
    body, dropped = built(
        guardrailConfig=guard, top_k=3, additionalModelRequestFields={"anthropic_beta": ["x"]}, performanceConfig={}
    )
    assert body["guardrailConfig"] == guard
    assert body["additionalModelRequestFields"] == {"top_k": 3, "anthropic_beta": ["x"]}
    assert dropped == ()


def test_what_has_no_word_is_listed_and_what_asks_for_nothing_is_not() -> None:
    _, dropped = built(
        seed=1, user="u", frequency_penalty=1, store=False, n=1, parallel_tool_calls=True, guided_json={},
        verbosity="low", free_models_only=True, usage={"include": True}, modalities=["text"],
    )  # fmt: skip
    assert set(dropped) == {"seed", "user", "frequency_penalty", "guided_json", "verbosity", "free_models_only"}


def test_unknown_fields_go_to_rows_that_take_them() -> None:
    request, dropped = build_request(asked(novelty=[1]), to=bedrock(unknown_fields="pass"))
    assert json.loads(request.body)["novelty"] == [1]
    assert dropped == ()


@pytest.mark.parametrize("streamed", [False, True])
def test_the_form_of_the_answer_is_in_the_path_alone(streamed: bool) -> None:
    to = bedrock()
    request, _ = build_request(asked(stream=streamed), to=to)
    assert request.head is (to.head_stream if streamed else to.head)
    assert set(json.loads(request.body)) == {"messages"}


def test_what_stays_the_same_stands_first() -> None:
    messages = [{"role": "system", "content": "S"}, *MESSAGES]
    body, _ = built(
        temperature=0.5, top_k=1, tools=[TOOL], messages=messages, response_format=SHAPE, service_tier="flex"
    )
    assert list(body)[:3] == ["system", "toolConfig", "messages"]


def test_the_same_request_is_the_same_bytes() -> None:
    members = {"tools": [TOOL], "temperature": 0.5, "metadata": {"a": "b"}, "response_format": SHAPE}
    bodies = {build_request(asked(**members), to=bedrock())[0].body for _ in range(3)}
    assert len(bodies) == 1
