"""Tools, tool choice, web search."""

from typing import Any

import pytest

from llmgateway.wire.anthropic.build import build_request
from llmgateway.wire.openai_chat.request import read_request
from tests.unit.wire.anthropic.asking import OLD, USER, built, call, claude, result, tool


def test_a_schema_keeps_the_callers_bytes_and_order() -> None:
    source = (
        b'{"model":"m","messages":[{"role":"user","content":"?"}],"tools":[{"type":"function","function":'
        b'{"name":"f","description":"d","parameters":{"required": ["b"],"type":"object",'
        b'"properties":{ "b":{"minimum":1.50} }}},'
        b'"cache_control":{"type":"ephemeral"}}]}'
    )
    request, dropped = build_request(read_request(source), to=claude())
    assert (
        b'"tools":[{"name":"f","description":"d","input_schema":{"required":["b"],"type":"object","properties":'
        b'{ "b":{"minimum":1.50} }},"cache_control":{"type":"ephemeral"}}]'
    ) in request.body
    assert dropped == ()


def test_a_function_without_parameters_takes_none() -> None:
    bare = {"type": "function", "function": {"name": "f"}}
    untyped = {"type": "function", "function": {"name": "g", "parameters": {"properties": {}}}}
    sent, _ = built(claude(), tools=[bare, untyped])
    assert [one["input_schema"] for one in sent["tools"]] == [{"type": "object", "properties": {}}] * 2


def test_strict_tools_where_the_model_has_them() -> None:
    loose = {"type": "object", "properties": {"a": {"type": "integer", "minimum": 1}}}
    sent, dropped = built(claude(), tools=[tool(strict=True, parameters=loose)])
    assert sent["tools"][0]["strict"] is True
    assert sent["tools"][0]["input_schema"] == {
        "type": "object",
        "properties": {"a": {"type": "integer", "description": "minimum: 1"}},
        "additionalProperties": False,
    }
    assert dropped == ()
    sent, dropped = built(claude(OLD), tools=[tool(strict=True, parameters=loose)])
    assert "strict" not in sent["tools"][0]
    assert sent["tools"][0]["input_schema"] == loose
    assert dropped == ("tools[].function.strict",)


@pytest.mark.parametrize(
    ("said", "sent"),
    [
        ({}, None),
        ({"tool_choice": "auto"}, {"type": "auto"}),
        ({"tool_choice": "none"}, {"type": "none"}),
        ({"tool_choice": "required"}, {"type": "any"}),
        ({"tool_choice": {"type": "function", "function": {"name": "look"}}}, {"type": "tool", "name": "look"}),
        ({"parallel_tool_calls": True}, None),
        ({"parallel_tool_calls": False}, {"type": "auto", "disable_parallel_tool_use": True}),
        ({"parallel_tool_calls": False, "tool_choice": "required"}, {"type": "any", "disable_parallel_tool_use": True}),
        ({"parallel_tool_calls": False, "tool_choice": "none"}, {"type": "none"}),
    ],
)
def test_tool_choice(said: dict[str, Any], sent: dict[str, Any] | None) -> None:
    body, dropped = built(claude(), tools=[tool()], **said)
    assert body.get("tool_choice") == sent
    assert dropped == ()


def test_a_choice_among_no_tools_is_none() -> None:
    assert "tool_choice" not in built(claude(), tool_choice="auto", parallel_tool_calls=False)[0]


def test_calls_in_the_history_bring_their_tools_along() -> None:
    sent, _ = built(claude(), messages=[USER, {"role": "assistant", "tool_calls": [call(), call("b")]}, result()])
    assert [one["name"] for one in sent["tools"]] == ["look"]
    assert sent["tool_choice"] == {"type": "none"}


def test_web_search_with_everything_it_can_say() -> None:
    place = {"type": "approximate", "city": "Bern", "country": "CH"}
    search = {"type": "web_search", "max_uses": 3, "allowed_domains": ["a.test"], "user_location": place}
    sent, dropped = built(claude(), tools=[search, tool()])
    assert sent["tools"][0] == {**search, "type": "web_search_20250305", "name": "web_search"}
    assert sent["tools"][1]["name"] == "look"
    assert dropped == ()
    assert built(claude(), tools=[{"type": "web_search", "blocked_domains": ["b.test"], "search_context_size": "low"}])[
        1
    ] == ("tools[0].search_context_size",)


def test_web_search_by_its_other_names() -> None:
    bare = {"type": "web_search_20250305", "name": "web_search"}
    assert built(claude(), web_search=True)[0]["tools"] == [bare]
    nested = {"user_location": {"type": "approximate", "approximate": {"city": "Bern"}}, "search_context_size": "low"}
    sent, dropped = built(claude(), web_search_options=nested)
    assert sent["tools"] == [{**bare, "user_location": {"type": "approximate", "city": "Bern"}}]
    assert dropped == ("web_search_options.search_context_size",)


def test_tools_of_this_protocols_own_go_as_they_are_and_unknown_members_are_listed() -> None:
    own = {"type": "bash_20250124", "name": "bash"}
    sent, dropped = built(claude(), tools=[own, {**tool(), "defer_loading": True, "colour": "red"}])
    assert sent["tools"][0] == own
    assert sent["tools"][1]["defer_loading"] is True
    assert dropped == ("tools[].colour",)
