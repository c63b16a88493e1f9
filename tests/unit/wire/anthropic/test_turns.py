"""Messages of all roles as system blocks and turns."""

from typing import Any

import pytest

from tests.unit.wire.anthropic.asking import NEW, USER, built, call, claude, result, tool

CACHED = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}


def turns(*messages: Any, upstream: str = "claude-sonnet-4-5") -> list[dict[str, Any]]:
    return built(claude(upstream), messages=list(messages))[0]["messages"]


def text(words: str, **members: Any) -> dict[str, Any]:
    return {"type": "text", "text": words, **members}


def test_leading_system_messages_are_the_system() -> None:
    parts = [text("Be kind.", **CACHED)]
    sent, _ = built(claude(), messages=[
        {"role": "system", "content": "Be brief."}, {"role": "developer", "content": parts}, USER,
    ])  # fmt: skip
    assert sent["system"] == [text("Be brief."), text("Be kind.", **CACHED)]
    assert sent["messages"] == [{"role": "user", "content": [text("Hello")]}]


def test_later_system_messages_join_the_system_or_stay_where_the_model_takes_them() -> None:
    later = {"role": "system", "content": "Answer in French."}
    sent, _ = built(claude(), messages=[USER, later])
    assert sent["system"] == [text("Answer in French.")]
    assert [turn["role"] for turn in sent["messages"]] == ["user"]
    sent, _ = built(claude(NEW), messages=[USER, later, {"role": "assistant", "content": "Oui"}, later, USER])
    assert [turn["role"] for turn in sent["messages"]] == ["user", "system", "assistant", "user"]
    assert sent["system"] == [text("Answer in French.")]


def test_consecutive_messages_of_one_role_are_one_turn() -> None:
    said = turns(USER, USER, {"role": "assistant", "content": "a"}, {"role": "assistant", "content": "b"}, USER)
    assert [turn["role"] for turn in said] == ["user", "assistant", "user"]
    assert said[0]["content"] == [text("Hello"), text("Hello")]
    assert said[1]["content"] == [text("a"), text("b")]


def test_messages_and_texts_with_nothing_in_them_are_left_out() -> None:
    empty = {"role": "user", "content": [text(""), text("Hi"), text("  ")]}
    said = turns(empty, {"role": "assistant", "content": ""}, {"role": "assistant"}, {"role": "user", "content": " "})
    assert said == [{"role": "user", "content": [text("Hi"), text("  ")]}]
    with_image = [{"type": "image_url", "image_url": {"url": "https://x.test/a.png"}}, text("\n")]
    assert len(turns({"role": "user", "content": with_image})[0]["content"]) == 1


def test_a_message_without_content_is_a_request_and_an_empty_one_is_the_callers() -> None:
    assert turns({"role": "user"}) == [{"role": "user", "content": [text(".")]}]
    assert turns({"role": "user", "content": ""}) == [{"role": "user", "content": ""}]


def test_tool_results_are_one_user_turn_before_what_else_is_said() -> None:
    asked = {"role": "assistant", "content": None, "tool_calls": [call("a", arguments='{ "q" : 1.50 }'), call("b")]}
    said = turns(USER, asked, result("a", is_error=True), result("b", "", **CACHED), USER)
    assert said[1]["content"] == [
        {"type": "tool_use", "id": "a", "name": "look", "input": {"q": 1.5}},
        {"type": "tool_use", "id": "b", "name": "look", "input": {}},
    ]
    assert said[2]["content"] == [
        {"type": "tool_result", "tool_use_id": "a", "content": "found", "is_error": True},
        {"type": "tool_result", "tool_use_id": "b", **CACHED},
        text("Hello"),
    ]


def test_a_result_after_words_goes_to_the_front() -> None:
    said = turns(USER, {"role": "assistant", "tool_calls": [call()]}, USER, result())
    assert [block["type"] for block in said[2]["content"]] == ["tool_result", "text"]


def test_images_in_results_and_a_breakpoint_that_belongs_to_the_result() -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    said = turns(
        USER, {"role": "assistant", "tool_calls": [call()]}, result(content=[text("see"), {**image, **CACHED}])
    )
    (block,) = said[2]["content"]
    source = {"type": "base64", "media_type": "image/png", "data": "AAAA"}
    assert block["content"] == [text("see"), {"type": "image", "source": source}]
    assert block["cache_control"] == CACHED["cache_control"]


def test_breakpoints_of_messages_and_calls_are_kept() -> None:
    said = turns({**USER, **CACHED}, {"role": "assistant", "tool_calls": [{**call(), **CACHED}]}, result())
    assert said[0]["content"] == [text("Hello", **CACHED)]
    assert said[1]["content"][0]["cache_control"] == CACHED["cache_control"]


@pytest.mark.parametrize(
    ("arguments", "sent"),
    [
        ("", {}), ("{}", {}), ('{"a":"\\ud83d"}', {"a": "\ufffd"}), ("[1]", {"arguments": "[1]"}),
        ('{"a":', {"arguments": '{"a":'}), ("NaN", {"arguments": "NaN"}), ("5", {"arguments": "5"}),
        ('{"a":' + "[" * 3000, {"arguments": '{"a":' + "[" * 3000}),
    ],
)  # fmt: skip
def test_arguments_become_an_object_whatever_they_are(arguments: str, sent: Any) -> None:
    said = turns(USER, {"role": "assistant", "tool_calls": [call(arguments=arguments)]}, result())
    assert said[1]["content"][0]["input"] == sent


def test_ids_of_other_vendors_are_made_fit_on_both_sides() -> None:
    said = turns(USER, {"role": "assistant", "tool_calls": [call("call|1:é")]}, result("call|1:é"))
    assert said[1]["content"][0]["id"] == said[2]["content"][0]["tool_use_id"] == "call_1__"


def test_the_old_functions_are_calls_and_results() -> None:
    asked = {"role": "assistant", "content": None, "function_call": {"name": "look", "arguments": "{}"}}
    sent, _ = built(claude(), messages=[USER, asked, {"role": "function", "name": "look", "content": "found"}],
        functions=[tool()["function"]], function_call={"name": "look"})  # fmt: skip
    given = sent["messages"][1]["content"][0]["id"]
    assert sent["messages"][2]["content"][0]["tool_use_id"] == given
    assert sent["tools"][0]["name"] == "look"
    assert sent["tool_choice"] == {"type": "tool", "name": "look", "disable_parallel_tool_use": True}


def test_words_put_in_the_models_mouth_end_without_white_space() -> None:
    assert turns(USER, {"role": "assistant", "content": "The answer is \n"})[1]["content"] == [text("The answer is")]


def test_what_has_no_word_is_listed_once() -> None:
    message = {"role": "user", "name": "ann", "mood": "good", "content": [text("a", tone=1), text("b", tone=2)]}
    _, dropped = built(claude(), messages=[message, {**message, "mood": None}])
    assert dropped == ("messages[].mood", "messages[].name", "messages[].content[].tone")


def test_a_refusal_is_told_as_text() -> None:
    assert turns(USER, {"role": "assistant", "content": None, "refusal": "No."}, USER)[1]["content"] == [text("No.")]


def test_who_called_a_tool_goes_back() -> None:
    made = {**call(), "caller": {"type": "direct"}, "toolset_name": "shop"}
    sent, _ = built(claude(), messages=[USER, {"role": "assistant", "tool_calls": [made]}, result()], tools=[tool()])
    (block,) = sent["messages"][1]["content"]
    assert (block["caller"], block["toolset_name"]) == ({"type": "direct"}, "shop")
