"""Requests in Cohere's words; what has none is listed."""

import json
from typing import Any

import pytest

from llmgateway.domain.errors import INVALID_VALUE, UpstreamError
from llmgateway.domain.routing import ParameterPolicy
from llmgateway.wire.cohere.build import build_request
from llmgateway.wire.cohere.vocabulary import emulates
from tests.unit.wire.cohere.chat import MESSAGES, TOOL, asked, built, cohere

CALL = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Paris"}'}}
CALLED = {"role": "assistant", "content": None, "tool_calls": [CALL]}
SCHEMA = {"type": "object", "properties": {"b": {}, "a": {}}}
SHAPE = {"type": "json_schema", "json_schema": {"name": "city", "schema": SCHEMA}}
NAMED = {"type": "function", "function": {"name": "weather"}}
PICTURE = {"type": "image_url", "image_url": {"url": "https://example.com/a.png", "detail": "low"}}


def test_messages_keep_their_form() -> None:
    messages = [
        {"role": "system", "content": "S"},
        {"role": "user", "content": [{"type": "text", "text": "What is it?"}, PICTURE]},
        {"role": "assistant", "content": "A cat."},
        {"role": "user", "content": "Sure?"},
    ]
    assert built(messages=messages)[0] == {"model": "command-a-03-2025", "messages": messages}


def test_the_developer_is_the_system_and_silence_is_empty() -> None:
    messages = built(messages=[{"role": "developer", "content": "D"}, {"role": "user"}])[0]["messages"]
    assert messages == [{"role": "system", "content": "D"}, {"role": "user", "content": ""}]


def test_calls_and_their_results() -> None:
    body, dropped = built(
        tools=[TOOL], messages=[*MESSAGES, CALLED, {"role": "tool", "tool_call_id": "call_1", "content": "Sunny"}]
    )
    assert body["messages"][1] == {"role": "assistant", "tool_calls": [CALL]}
    assert body["messages"][2] == {"role": "tool", "tool_call_id": "call_1", "content": "Sunny"}
    assert dropped == ()


@pytest.mark.parametrize("content", ["", None, []])
def test_a_result_without_anything_says_so(content: Any) -> None:
    messages = [*MESSAGES, CALLED, {"role": "tool", "tool_call_id": "call_1", "content": content}]
    assert built(tools=[TOOL], messages=messages)[0]["messages"][2]["content"] == "(no output)"


def test_pictures_among_results_follow_as_the_users() -> None:
    """Results are text; all results of a turn stay together."""
    text = {"type": "text", "text": "See."}
    second = {**CALL, "id": "call_2"}
    messages = [
        *MESSAGES,
        {**CALLED, "tool_calls": [CALL, second]},
        {"role": "tool", "tool_call_id": "call_1", "content": [text, PICTURE]},
        {"role": "tool", "tool_call_id": "call_2", "content": "Rain"},
    ]
    for behind in ([], [{"role": "user", "content": "And?"}]):
        sent = built(tools=[TOOL], messages=[*messages, *behind])[0]["messages"]
        assert [one["role"] for one in sent[2:]] == ["tool", "tool", "user", *["user" for _ in behind]]
        assert sent[2]["content"] == [text]
        assert sent[4]["content"] == [PICTURE]


def test_calls_without_arguments_have_an_object_of_them() -> None:
    call = {**CALL, "function": {"name": "weather", "arguments": ""}}
    sent = built(tools=[TOOL], messages=[*MESSAGES, {**CALLED, "tool_calls": [call]}])[0]["messages"][1]
    assert sent["tool_calls"][0]["function"]["arguments"] == "{}"


THINKING = {"type": "reasoning.text", "text": "Hm.", "format": "cohere-chat-v2", "index": 0}
PLAN = {**THINKING, "text": "I will look.", "id": "tool_plan", "index": 1}


def test_thinking_and_plan_come_back_as_what_they_were() -> None:
    messages = [*MESSAGES, {**CALLED, "reasoning_details": [THINKING, PLAN], "reasoning": "Hm.I will look."}]
    body, dropped = built(tools=[TOOL], messages=messages)
    assert body["messages"][1] == {
        "role": "assistant",
        "tool_plan": "I will look.",
        "tool_calls": [CALL],
        "content": [{"type": "thinking", "thinking": "Hm."}],
    }
    assert dropped == ()


@pytest.mark.parametrize(
    "details", [[THINKING, {**THINKING, "format": "anthropic-claude-v1"}], [{**THINKING, "text": None}], [{}]]
)
def test_reasoning_of_others_is_left_out_whole(details: list[dict[str, Any]]) -> None:
    body, dropped = built(messages=[*MESSAGES, {"role": "assistant", "content": "A", "reasoning_details": details}])
    assert body["messages"][1] == {"role": "assistant", "content": "A"}
    assert dropped == ("messages[].reasoning_details",)


def test_reasoning_as_mere_text_is_left_out_and_listed() -> None:
    assert built(messages=[*MESSAGES, {"role": "assistant", "content": "A", "reasoning": "Hm."}])[1] == (
        "messages[].reasoning",
    )


def test_the_old_functions_are_tools() -> None:
    body, _ = built(
        functions=[TOOL["function"]],
        function_call={"name": "weather"},
        messages=[
            *MESSAGES,
            {"role": "assistant", "content": None, "function_call": CALL["function"]},
            {"role": "function", "name": "weather", "content": "Sunny"},
        ],
    )
    assert (body["tools"], body["tool_choice"]) == ([TOOL], "REQUIRED")
    assert body["messages"][1]["tool_calls"][0]["id"] == body["messages"][2]["tool_call_id"] == "function_1"


@pytest.mark.parametrize(
    ("choice", "sent"), [(None, None), ("auto", None), ("required", "REQUIRED"), ("none", "NONE"), (NAMED, "REQUIRED")]
)
def test_the_choice_among_tools(choice: Any, sent: str | None) -> None:
    """A named tool is the only one left."""
    other = {"type": "function", "function": {"name": "now", "parameters": {"type": "object"}}}
    body, dropped = built(tools=[other, TOOL], tool_choice=choice)
    assert body.get("tool_choice") == sent
    assert body["tools"] == ([TOOL] if choice == NAMED else [other, TOOL])
    assert dropped == ()


def test_schemas_keep_the_callers_bytes() -> None:
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "z": 1, "a": 2}}}
    assert b'"parameters":{"type":"object","z":1,"a":2}' in build_request(asked(tools=[tool]), to=cohere())[0].body


def test_strict_holds_for_all_tools_or_none() -> None:
    strict = {"type": "function", "function": {**TOOL["function"], "strict": True}}
    body, dropped = built(tools=[strict])
    assert (body["strict_tools"], body["tools"], dropped) == (True, [TOOL], ())
    body, dropped = built(tools=[strict, {**TOOL, "function": {"name": "now"}}])
    assert "strict_tools" not in body
    assert dropped == ("tools[].function.strict",)


def test_json_is_native() -> None:
    assert built(response_format={"type": "json_object"})[0]["response_format"] == {"type": "json_object"}
    assert built(response_format=SHAPE)[0]["response_format"] == {"type": "json_object", "json_schema": SCHEMA}
    assert "response_format" not in built(response_format={"type": "text"})[0]
    assert emulates(asked(response_format=SHAPE), to=cohere()) is None


@pytest.mark.parametrize("shape", [SHAPE, {"type": "json_object"}])
def test_but_not_beside_tools(shape: dict[str, Any]) -> None:
    messages = [{"role": "system", "content": "S"}, *MESSAGES]
    body, _ = built(tools=[TOOL], response_format=shape, messages=messages)
    assert emulates(asked(tools=[TOOL], response_format=shape), to=cohere()) == "instruction"
    assert "response_format" not in body
    assert [one["role"] for one in body["messages"]] == ["system", "system", "user"]
    schema = body["messages"][1]["content"].partition("JSON Schema: ")[2]
    assert (json.loads(schema) if schema else None) == (SCHEMA if shape is SHAPE else None)


@pytest.mark.parametrize(
    ("members", "sent"),
    [
        ({"reasoning_effort": "none"}, {"type": "disabled"}),
        ({"reasoning_effort": "low"}, {"type": "enabled", "token_budget": 1024}),
        ({"reasoning": {"effort": "medium"}}, {"type": "enabled", "token_budget": 4096}),
        ({"reasoning_effort": "high"}, {"type": "enabled"}),
        ({"reasoning_effort": "medium", "max_tokens": 500}, {"type": "enabled", "token_budget": 499}),
        ({"reasoning": {"max_tokens": 77}}, {"type": "enabled", "token_budget": 77}),
        ({"reasoning": {"exclude": True}}, None),
        ({"reasoning": {"enabled": True}}, {"type": "enabled"}),
        ({"reasoning": {"enabled": False}}, {"type": "disabled"}),
    ],
)
def test_thinking(members: dict[str, Any], sent: dict[str, Any] | None) -> None:
    assert built(**members)[0].get("thinking") == sent


def test_sampling_in_their_names_and_ranges() -> None:
    body, dropped = built(
        temperature=1.5, top_p=1, top_k=900, frequency_penalty=2, presence_penalty=0.5, seed=7, stop="x", max_tokens=9
    )
    assert {name: value for name, value in body.items() if name not in ("model", "messages")} == {
        "temperature": 1.5, "p": 0.99, "k": 500, "frequency_penalty": 1, "presence_penalty": 0.5, "seed": 7,
        "stop_sequences": ["x"], "max_tokens": 9,
    }  # fmt: skip
    assert dropped == ()


def test_what_is_outside_of_their_ranges_is_listed() -> None:
    body, dropped = built(top_k=-1, frequency_penalty=-1, presence_penalty=-0.1, seed=-5)
    assert list(body) == ["model", "messages"]
    assert set(dropped) == {"top_k", "frequency_penalty", "presence_penalty", "seed"}


def test_the_rows_own_policy() -> None:
    policy = ParameterPolicy(drop=("top_p",), clamp={"temperature": 0.4}, force={"safety_mode": '"OFF"'})
    body, dropped = built(cohere(policy=policy), temperature=0.5, top_p=0.9)
    assert (body["temperature"], body["safety_mode"], dropped) == (0.4, "OFF", ("top_p",))


def test_coheres_own_fields_go_on_as_they_are() -> None:
    body, dropped = built(safety_mode="STRICT", citation_options={"mode": "FAST"}, documents=["A"], priority=1)
    assert (body["safety_mode"], body["citation_options"]) == ("STRICT", {"mode": "FAST"})
    assert (body["documents"], body["priority"], dropped) == (["A"], 1, ())


def test_what_has_no_word_is_listed_and_what_asks_for_nothing_is_not() -> None:
    _, dropped = built(
        user="u", metadata={}, guided_json={}, store=False, n=1, service_tier="auto", reasoning={"summary": "auto"},
        messages=[{"role": "user", "content": "A", "name": "Ann", "weight": 1}],
    )  # fmt: skip
    assert set(dropped) == {
        "user", "metadata", "guided_json", "service_tier", "reasoning.summary", "messages[].name", "messages[].weight",
    }  # fmt: skip


def test_streams_say_so() -> None:
    to = cohere()
    request, _ = build_request(asked(stream=True), to=to)
    assert json.loads(request.body)["stream"] is True
    assert request.head is to.head_stream


def test_parts_without_a_place_are_refused_by_name() -> None:
    part = {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0="}}
    with pytest.raises(UpstreamError) as refused:
        built(messages=[{"role": "user", "content": [part]}])
    assert (refused.value.kind, refused.value.param) == (INVALID_VALUE, "messages[0].content[0].type")


def test_what_was_sent_stays_the_prefix_of_what_is_sent() -> None:
    said: list[dict[str, Any]] = [{"role": "system", "content": "Be brief."}]
    before = b""
    for turn in range(6):
        said += [
            {"role": "user", "content": f"Weather {turn}?"},
            {**CALLED, "tool_calls": [{**CALL, "id": f"call_{turn}"}]},
            {"role": "tool", "tool_call_id": f"call_{turn}", "content": "Sun"},
        ]
        body = build_request(asked(messages=said, tools=[TOOL], temperature=0.5), to=cohere())[0].body
        assert body.startswith(before)
        before = body[: body.rindex(b"]")]
        said.append({"role": "assistant", "content": f"Sun {turn}."})
