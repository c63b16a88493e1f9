"""Our messages as converse wants them: turns that alternate, results with the calls they answer, nothing blank."""

import itertools
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmgateway.domain.errors import INVALID_VALUE, UpstreamError
from llmgateway.wire.bedrock.build import build_request
from tests.unit.wire.bedrock.converse import (
    CLAUDE,
    LLAMA,
    NOVA,
    PNG,
    TOOL,
    asked,
    bedrock,
    built,
    messages_of,
)

CALL = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Paris"}'}}
CALLED = {"role": "assistant", "content": None, "tool_calls": [CALL]}
ASKED = {"role": "user", "content": "Weather?"}


def result(content: Any, **members: Any) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": "call_1", "content": content, **members}


def test_system_and_developer_messages_are_the_system_prompt() -> None:
    body, _ = built(messages=[{"role": "system", "content": "A"}, {"role": "developer", "content": "B"}, ASKED])
    assert body["system"] == [{"text": "A"}, {"text": "B"}]
    assert body["messages"] == [{"role": "user", "content": [{"text": "Weather?"}]}]


def test_a_model_without_system_prompt_gets_it_as_the_users_text() -> None:
    body, _ = built("amazon.titan-text-express-v1", messages=[{"role": "system", "content": "A"}, ASKED])
    assert "system" not in body
    assert body["messages"] == [{"role": "user", "content": [{"text": "A"}, {"text": "Weather?"}]}]


def test_results_join_the_turn_that_answers_the_calls() -> None:
    second = {**CALL, "id": "call_2"}
    turns = messages_of(
        tools=[TOOL],
        messages=[
            ASKED,
            {"role": "assistant", "content": "Let me see.", "tool_calls": [CALL, second]},
            result("Sunny"),
            {"role": "tool", "tool_call_id": "call_2", "content": [{"type": "text", "text": "Rain"}]},
            {"role": "user", "content": "And?"},
        ],
    )
    assert [turn["role"] for turn in turns] == ["user", "assistant", "user"]
    assert turns[1]["content"] == [
        {"text": "Let me see."},
        {"toolUse": {"toolUseId": "call_1", "name": "weather", "input": {"city": "Paris"}}},
        {"toolUse": {"toolUseId": "call_2", "name": "weather", "input": {"city": "Paris"}}},
    ]
    assert turns[2]["content"] == [
        {"toolResult": {"toolUseId": "call_1", "content": [{"text": "Sunny"}]}},
        {"toolResult": {"toolUseId": "call_2", "content": [{"text": "Rain"}]}},
        {"text": "And?"},
    ]


@pytest.mark.parametrize("member", [{"is_error": True}, {"status": "error"}])
def test_a_failed_tool_is_told_as_failed(member: dict[str, Any]) -> None:
    turns = messages_of(tools=[TOOL], messages=[ASKED, CALLED, result("No such city", **member)])
    assert turns[-1]["content"][0]["toolResult"]["status"] == "error"


@pytest.mark.parametrize("member", [{}, {"is_error": False}, {"status": "success"}, {"status": 5}])
def test_other_results_have_no_status(member: dict[str, Any]) -> None:
    turns = messages_of(tools=[TOOL], messages=[ASKED, CALLED, result("Sunny", **member)])
    assert "status" not in turns[-1]["content"][0]["toolResult"]


def test_images_and_documents_stay_inside_results() -> None:
    parts = [
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0="}},
    ]
    turns = messages_of(tools=[TOOL], messages=[ASKED, CALLED, result(parts)])
    assert turns[-1]["content"][0]["toolResult"]["content"] == [
        {"image": {"format": "png", "source": {"bytes": PNG}}},
        {"document": {"format": "pdf", "name": "a", "source": {"bytes": "JVBERi0="}}},
    ]


@pytest.mark.parametrize("content", ["", "  \n", [], [{"type": "text", "text": ""}]])
def test_a_result_without_anything_says_so(content: Any) -> None:
    turns = messages_of(tools=[TOOL], messages=[ASKED, CALLED, result(content)])
    assert turns[-1]["content"][0]["toolResult"]["content"] == [{"text": "(no output)"}]


@pytest.mark.parametrize("blank", ["", " ", "\n\t", None])
def test_blank_texts_go_and_turns_of_nothing_with_them(blank: str | None) -> None:
    turns = messages_of(
        messages=[
            {"role": "user", "content": "A"},
            {"role": "assistant", "content": blank},
            {"role": "user", "content": [{"type": "text", "text": blank or ""}, {"type": "text", "text": "B"}]},
        ]
    )
    assert turns == [{"role": "user", "content": [{"text": "A"}, {"text": "B"}]}]


@pytest.mark.parametrize("messages", [[{"role": "assistant", "content": "{"}], [{"role": "system", "content": "S"}]])
def test_the_user_begins(messages: list[dict[str, Any]]) -> None:
    assert messages_of(messages=messages)[0] == {"role": "user", "content": [{"text": "."}]}


def test_white_space_at_the_end_of_a_prefill_is_taken_off() -> None:
    turns = messages_of(messages=[ASKED, {"role": "assistant", "content": "The answer is \n"}])
    assert turns[-1]["content"] == [{"text": "The answer is"}]


@pytest.mark.parametrize(
    ("arguments", "sent"),
    [
        ("", {}),
        (" ", {}),
        ('{"a": 1.50}', {"a": 1.5}),
        ('{"a": ', {"arguments": '{"a": '}),
        ("[1]", {"arguments": "[1]"}),
    ],
)
def test_arguments_become_an_object(arguments: str, sent: dict[str, Any]) -> None:
    """What a model wrote that is none is shown to it as what it wrote."""
    call = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": arguments}}
    turns = messages_of(tools=[TOOL], messages=[ASKED, {**CALLED, "tool_calls": [call]}, result("?")])
    assert turns[1]["content"][0]["toolUse"]["input"] == sent


def test_arguments_keep_their_bytes() -> None:
    chat = asked(tools=[TOOL], messages=[ASKED, CALLED, result("?")])
    assert b'"input":{"city": "Paris"}' in build_request(chat, to=bedrock())[0].body


@pytest.mark.parametrize("given", ["call|1", "x" * 65, "", "a b"])
def test_ids_that_bedrock_refuses_are_made_fit_and_stay_a_pair(given: str) -> None:
    call = {**CALL, "id": given}
    turns = messages_of(
        tools=[TOOL], messages=[ASKED, {**CALLED, "tool_calls": [call]}, {**result("?"), "tool_call_id": given}]
    )
    used, answered = turns[1]["content"][0]["toolUse"]["toolUseId"], turns[2]["content"][0]["toolResult"]["toolUseId"]
    assert used == answered


def test_different_ids_stay_different() -> None:
    calls = [{**CALL, "id": "a|b"}, {**CALL, "id": "a b"}]
    turns = messages_of(tools=[TOOL], messages=[ASKED, {**CALLED, "tool_calls": calls}])
    assert len({block["toolUse"]["toolUseId"] for block in turns[1]["content"]}) == 2


def test_the_old_functions_are_tools() -> None:
    body, _ = built(
        functions=[TOOL["function"]],
        function_call={"name": "weather"},
        messages=[
            ASKED,
            {"role": "assistant", "content": None, "function_call": CALL["function"]},
            {"role": "function", "name": "weather", "content": "Sunny"},
        ],
    )
    assert body["toolConfig"]["toolChoice"] == {"tool": {"name": "weather"}}
    assert body["messages"][1]["content"][0]["toolUse"]["toolUseId"] == "function_1"
    assert body["messages"][2]["content"][0]["toolResult"]["toolUseId"] == "function_1"


def test_cache_control_becomes_a_cache_point_behind_its_part() -> None:
    mark = {"cache_control": {"type": "ephemeral"}}
    hour = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
    body, _ = built(
        tools=[{**TOOL, **mark}],
        messages=[
            {"role": "system", "content": [{"type": "text", "text": "Long", **hour}]},
            {"role": "user", "content": [{"type": "text", "text": "A", **mark}, {"type": "text", "text": "B"}]},
            CALLED,
            result([{"type": "text", "text": "Sunny", **mark}]),
        ],
    )
    assert body["system"] == [{"text": "Long"}, {"cachePoint": {"type": "default", "ttl": "1h"}}]
    assert body["toolConfig"]["tools"][1] == {"cachePoint": {"type": "default"}}
    assert body["messages"][0]["content"] == [{"text": "A"}, {"cachePoint": {"type": "default"}}, {"text": "B"}]
    assert [list(block) for block in body["messages"][2]["content"]] == [["toolResult"], ["cachePoint"]]


def test_nova_has_cache_points_of_one_lifetime_and_none_on_tools() -> None:
    hour = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
    body, dropped = built(
        NOVA,
        tools=[{**TOOL, **hour}],
        messages=[{"role": "user", "content": [{"type": "text", "text": "A", **hour}]}],
    )
    assert body["messages"][0]["content"][1] == {"cachePoint": {"type": "default"}}
    assert len(body["toolConfig"]["tools"]) == 1
    assert dropped == ("tools[].cache_control",)


def test_where_there_is_no_prompt_cache_the_marks_are_listed() -> None:
    content = [{"type": "text", "text": "A", "cache_control": {"type": "ephemeral"}}]
    body, dropped = built(LLAMA, messages=[{"role": "user", "content": content}])
    assert body["messages"][0]["content"] == [{"text": "A"}]
    assert dropped == ("messages[].content[].cache_control",)


def test_what_messages_have_besides_is_listed() -> None:
    _, dropped = built(messages=[{"role": "user", "content": "A", "name": "Ann", "weight": 1}])
    assert set(dropped) == {"messages[].name", "messages[].weight"}


def test_a_document_comes_with_a_text() -> None:
    file = {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0="}}
    turns = messages_of(messages=[{"role": "user", "content": [file]}])
    assert [list(block) for block in turns[0]["content"]] == [["document"], ["text"]]


def test_parts_that_a_caller_writes_as_converse_does_go_on_as_they_are() -> None:
    guard = {"guardContent": {"text": {"text": "Hi", "qualifiers": ["query"]}}}
    turns = messages_of(messages=[{"role": "user", "content": [{"type": "guardContent", **guard}]}])
    assert turns[0]["content"] == [guard]


def test_parts_without_a_place_are_refused_by_name() -> None:
    chat = asked(messages=[{"role": "user", "content": [{"type": "hologram"}]}])
    with pytest.raises(UpstreamError) as refused:
        build_request(chat, to=bedrock())
    assert (refused.value.kind, refused.value.param) == (INVALID_VALUE, "messages[0].content[0].type")


TEXTS = st.sampled_from(["", " ", "Hi", "Ünïcode", "x" * 50])
CALLS = st.lists(
    st.builds(
        lambda given, arguments: {"id": given, "function": {"name": "weather", "arguments": arguments}},
        st.sampled_from(["call_1", "call|2", "c" * 70]),
        st.sampled_from(["", "{}", '{"a":1}', "[", "null"]),
    ),
    min_size=1,
    max_size=2,
)
ANY_MESSAGE = st.one_of(
    st.fixed_dictionaries({"role": st.sampled_from(["system", "developer", "user", "assistant"]), "content": TEXTS}),
    st.fixed_dictionaries({"role": st.just("assistant"), "content": st.none() | TEXTS, "tool_calls": CALLS}),
    st.fixed_dictionaries({"role": st.just("tool"), "tool_call_id": st.just("call_1"), "content": TEXTS}),
)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    st.lists(ANY_MESSAGE, min_size=1, max_size=7),
    st.sampled_from([CLAUDE, NOVA, LLAMA, "amazon.titan-text-express-v1"]),
)
def test_any_messages_become_turns_that_alternate(messages: list[dict[str, Any]], upstream: str) -> None:
    turns = messages_of(upstream, messages=messages)
    assert turns[0]["role"] == "user"
    assert all(one["role"] != other["role"] for one, other in itertools.pairwise(turns))
    texts = [block["text"] for turn in turns for block in turn["content"] if "text" in block]
    assert all(text.strip() for text in texts)


def test_what_was_sent_stays_the_prefix_of_what_is_sent() -> None:
    """Turn after turn, byte by byte: a prompt cache sees the same beginning."""
    said: list[dict[str, Any]] = [{"role": "system", "content": "Be brief."}]
    before = b""
    for turn in range(6):
        said += [
            {"role": "user", "content": [{"type": "text", "text": f"Weather {turn}?"}]},
            {**CALLED, "tool_calls": [{**CALL, "id": f"call_{turn}"}]},
            {"role": "tool", "tool_call_id": f"call_{turn}", "content": json.dumps({"sun": turn})},
        ]
        body = build_request(asked(messages=said, tools=[TOOL]), to=bedrock())[0].body
        assert body.startswith(before)
        before = body[: body.rindex(b"]")]
        said.append({"role": "assistant", "content": f"Sun {turn}."})


def test_parts_as_converse_writes_them() -> None:
    guard = {"type": "guardContent", "guardContent": {"text": {"text": "a"}}}
    assert messages_of(messages=[{"role": "user", "content": [guard]}])[0]["content"] == [
        {"guardContent": {"text": {"text": "a"}}}
    ]
