"""Messages in the form that single vendors want: one test a quirk."""

import json
from typing import Any

import pytest

from llmgateway.domain.routing import Deployment
from llmgateway.wire.openai_chat.build import build_request
from llmgateway.wire.openai_chat.messages import nine_letters
from llmgateway.wire.openai_chat.request import read_request
from tests.unit.wire.deployments import deployment

USER = {"role": "user", "content": "Hi"}
CALL = {"id": "call_0123456789abcdef", "type": "function", "function": {"name": "f", "arguments": "{}"}}
CALLED = {"role": "assistant", "content": None, "tool_calls": [CALL]}
RESULT = {"role": "tool", "tool_call_id": CALL["id"], "content": "4"}


def sent(quirk: str | tuple[str, ...], *messages: dict[str, Any], **fields: Any) -> list[dict[str, Any]]:
    return built(quirk, *messages, **fields)[0]["messages"]


def built(
    quirk: str | tuple[str, ...], *messages: dict[str, Any], **fields: Any
) -> tuple[dict[str, Any], tuple[str, ...]]:
    to: Deployment = deployment(quirks=(quirk,) if isinstance(quirk, str) else quirk)
    body = {"model": "m", "messages": messages, **fields}
    request, dropped = build_request(read_request(json.dumps(body).encode()), to=to)
    return json.loads(request.body), dropped


def test_without_quirks_messages_are_not_touched() -> None:
    messages = ({"role": "developer", "content": "D", "x": 1}, USER, USER, CALLED, RESULT)
    assert sent((), *messages) == list(messages)


def test_developer_becomes_system_where_it_is_not_known() -> None:
    roles = [message["role"] for message in sent("system_role", {"role": "developer", "content": "D"}, USER)]
    assert roles == ["system", "user"]


def test_a_system_message_becomes_the_users_where_there_is_none() -> None:
    system, developer = {"role": "system", "content": "S"}, {"role": "developer", "content": "D"}
    assert [message["role"] for message in sent("no_system_role", system, developer, USER)] == ["user"] * 3


def test_members_that_are_refused_are_left_out_and_listed() -> None:
    answer = {
        "role": "assistant",
        "content": "A",
        "refusal": None,
        "annotations": [],
        "audio": {"id": "a"},
        "name": "n",
    }
    body, dropped = built("message_members", {**USER, "name": "u"}, answer, {**RESULT, "name": "f"})
    assert body["messages"] == [USER, {"role": "assistant", "content": "A"}, {**RESULT, "name": "f"}]
    assert dropped == ("messages[].name", "messages[].audio")


def test_ids_of_tool_calls_become_nine_letters_that_still_belong_together() -> None:
    _, called, result = sent("nine_letter_ids", USER, CALLED, RESULT)
    short = called["tool_calls"][0]["id"]
    assert result["tool_call_id"] == short
    assert len(short) == 9
    assert short.isalnum()
    assert nine_letters("FI5qQGzDE") == "FI5qQGzDE"
    assert nine_letters("a") != nine_letters("b")


def test_an_answer_to_be_continued_is_marked() -> None:
    begun = {"role": "assistant", "content": "Once"}
    assert sent("prefix", USER, begun)[-1] == {**begun, "prefix": True}
    assert sent("prefix", USER, {**begun, "prefix": False})[-1]["prefix"] is False
    assert sent("prefix", begun, USER) == [begun, USER]


def test_a_turn_that_called_tools_has_reasoning_content() -> None:
    assert sent("tool_turn_reasoning", USER, CALLED, RESULT)[1] == {**CALLED, "reasoning_content": ""}
    quirks = ("replay:reasoning_content", "tool_turn_reasoning")
    assert sent(quirks, USER, {**CALLED, "reasoning": "Hm"}, RESULT)[1] == {**CALLED, "reasoning_content": "Hm"}
    assert sent("tool_turn_reasoning", USER, {"role": "assistant", "content": "A"}, USER)[1].keys() == {
        "role",
        "content",
    }


@pytest.mark.parametrize("name", ["reasoning", "reasoning_content"])
@pytest.mark.parametrize("given", ["reasoning", "reasoning_content"])
def test_earlier_reasoning_goes_back_under_the_name_that_is_taken(name: str, given: str) -> None:
    answer = {"role": "assistant", "content": "A"}
    assert sent(f"replay:{name}", USER, {**answer, given: "Hm"}, USER)[1] == {**answer, name: "Hm"}


def test_reasoning_details_go_back_where_they_are_taken() -> None:
    details = [{"type": "reasoning.text", "text": "Hm", "signature": "s", "format": "anthropic-claude-v1", "index": 0}]
    answer = {"role": "assistant", "content": "A", "reasoning_details": details}
    assert sent("replay:reasoning_details", USER, answer, USER)[1] == answer
    assert built((), USER, answer, USER)[1] == ("messages[].reasoning",)


def test_earlier_reasoning_goes_back_as_a_part() -> None:
    thinking = {"type": "thinking", "thinking": [{"type": "text", "text": "Hm"}]}
    text = {"type": "text", "text": "A"}
    for content, parts in (("A", [thinking, text]), ([text], [thinking, text]), (None, [thinking])):
        message = sent("replay:thinking_parts", USER, {**CALLED, "content": content, "reasoning": "Hm"}, RESULT)[1]
        assert message["content"] == parts
        assert "reasoning" not in message


def test_neighbours_of_one_role_are_one_message() -> None:
    parts = {"role": "user", "content": [{"type": "text", "text": "P"}]}
    answer = {"role": "assistant", "content": "A"}
    assert sent("alternating", USER, {"role": "user", "content": "there"}, answer) == [
        {"role": "user", "content": "Hi\n\nthere"},
        answer,
    ]
    assert sent("alternating", USER, parts)[0]["content"] == [{"type": "text", "text": "Hi"}, *parts["content"]]
    assert len(sent("alternating", USER, CALLED, RESULT, {**RESULT, "tool_call_id": "x"})) == 4


def test_the_required_tool_choice_has_another_name() -> None:
    tools = [{"type": "function", "function": {"name": "f"}}]
    assert built("tool_choice_any", USER, tools=tools, tool_choice="required")[0]["tool_choice"] == "any"
    assert built("tool_choice_any", USER, tools=tools, tool_choice="auto")[0]["tool_choice"] == "auto"
    assert built((), USER, tools=tools, tool_choice="required")[0]["tool_choice"] == "required"


def test_documents_in_mistrals_words() -> None:
    data = {"file_data": "https://a.test/a.pdf", "filename": "a.pdf"}
    text = {"type": "text", "text": "Look"}
    files = [{"type": "file", "file": data}, {"type": "file", "file": {"file_id": "f1"}}]
    (message,) = sent("document_parts", {"role": "user", "content": [text, *files]})
    assert message["content"] == [
        text,
        {"type": "document_url", "document_url": "https://a.test/a.pdf", "document_name": "a.pdf"},
        {"type": "file", "file_id": "f1"},
    ]
    assert sent("document_parts", USER, {"role": "user", "content": [text]}) == [
        USER,
        {"role": "user", "content": [text]},
    ]
