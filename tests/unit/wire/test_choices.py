"""Deltas and messages put right: roles, finish reasons, calls, reasoning and lists, whatever a provider does."""

from typing import Any

import pytest
from msgspec import UNSET

from llmgateway.domain.reply import ChoiceDelta
from llmgateway.wire.openai_chat.choices import Choices


def deltas(*choices: dict[str, Any], **options: Any) -> list[ChoiceDelta]:
    reader = Choices(**options)
    return [delta for choice in choices for delta in reader.read([choice])]


def called(*calls: dict[str, Any], **options: Any) -> list[tuple[int, object, object, object]]:
    """(index, id, name, arguments) of each call delta."""
    found = deltas(*({"index": 0, "delta": {"tool_calls": [call]}} for call in calls), **options)
    return [
        (call.index, call.id or None, call.function.name or None, call.function.arguments)
        for delta in found
        for call in delta.delta.tool_calls or ()
        if isinstance(call.index, int) and call.function
    ]  # fmt: skip


def function(name: str | None, arguments: object) -> dict[str, Any]:
    return {"name": name, "arguments": arguments}


def test_the_role_is_told_once_and_first() -> None:
    found = deltas(*({"index": 0, "delta": {"role": "assistant", "content": text}} for text in "abc"))
    assert [one.delta.role for one in found] == ["assistant", UNSET, UNSET]


def test_a_missing_role_is_added() -> None:
    assert deltas({"index": 0, "delta": {"content": "a"}})[0].delta.role == "assistant"


def test_only_the_first_finish_reason_counts() -> None:
    found = deltas(*({"index": 0, "delta": {"content": "a"}, "finish_reason": reason} for reason in ("stop", "length")))
    assert [one.finish_reason for one in found] == ["stop", None]


@pytest.mark.parametrize(
    ("raw", "ours"),
    [
        ("stop", "stop"), ("length", "length"), ("max_tokens", "length"), ("model_length", "length"), ("eos", "stop"),
        ("content_filter", "content_filter"), ("SAFETY", "content_filter"), ("tool_calls", "tool_calls"), ("", None),
        ("function_call", "stop"), ("end_turn", "stop"), (None, None), (5, None),
    ],
)  # fmt: skip
def test_finish_reasons_become_ours(raw: object, ours: str | None) -> None:
    assert deltas({"index": 0, "delta": {"content": "a"}, "finish_reason": raw})[0].finish_reason == ours


def test_stop_after_tool_calls_is_tool_calls_and_the_raw_reason_is_kept() -> None:
    call = {"index": 0, "id": "c", "function": function("f", "{}")}
    found = deltas({"index": 0, "delta": {"tool_calls": [call]}}, {"index": 0, "delta": {}, "finish_reason": "stop"})
    assert (found[-1].finish_reason, found[-1].raw_finish_reason) == ("tool_calls", "stop")


def test_function_call_only_where_functions_were_asked_for() -> None:
    choice = {"index": 0, "delta": {"function_call": function("f", "{}")}, "finish_reason": "function_call"}
    assert deltas(dict(choice, delta=dict(choice["delta"])), functions=True)[0].finish_reason == "function_call"
    found = deltas(choice)[0]
    assert (found.finish_reason, found.delta.function_call) == ("stop", UNSET)


@pytest.mark.parametrize("reason", ["error", "insufficient_system_resource", "network_error", "engine_overloaded"])
def test_a_finish_reason_that_means_failure_is_one(reason: str) -> None:
    reader = Choices()
    reader.read([{"index": 0, "delta": {}, "finish_reason": reason}])
    assert reader.broken is not None
    assert not reader.all_finished


def test_a_whole_answer_without_reason_is_complete() -> None:
    assert deltas({"message": {"content": "a"}}, member="message")[0].finish_reason == "stop"
    call = {"id": "c", "function": function("f", "{}")}
    found = deltas({"message": {"tool_calls": [call]}, "finish_reason": ""}, member="message")
    assert found[0].finish_reason == "tool_calls"


CASES = {
    "as OpenAI sends them": (
        [
            {"index": 0, "id": "a", "type": "function", "function": function("f", "")},
            {"index": 0, "function": {"arguments": "{}"}},
        ],
        [(0, "a", "f", ""), (0, None, None, "{}")],
    ),
    "id and name repeated": (
        [
            {"index": 0, "id": "a", "function": function("f", "{")},
            {"index": 0, "id": "a", "function": function("f", "}")},
        ],
        [(0, "a", "f", "{"), (0, None, None, "}")],
    ),
    "no index": (
        [{"id": "a", "function": function("f", "{}")}, {"id": "b", "function": function("g", "[]")}],
        [(0, "a", "f", "{}"), (1, "b", "g", "[]")],
    ),
    "no index, continued by id": (
        [{"id": "a", "function": function("f", "{")}, {"id": "a", "function": function(None, "}")}],
        [(0, "a", "f", "{"), (0, None, None, "}")],
    ),
    "no index and no id, continued": (
        [{"id": "a", "function": function("f", "{")}, {"function": function(None, "}")}],
        [(0, "a", "f", "{"), (0, None, None, "}")],
    ),
    "always index 0": (
        [
            {"index": 0, "id": "a", "function": function("f", "{}")},
            {"index": 0, "id": "b", "function": function("g", "[]")},
        ],
        [(0, "a", "f", "{}"), (1, "b", "g", "[]")],
    ),
    "interleaved": (
        [
            {"index": 0, "id": "a", "function": function("f", "1")},
            {"index": 1, "id": "b", "function": function("g", "2")},
            {"index": 0, "function": {"arguments": "3"}},
            {"index": 1, "function": {"arguments": "4"}},
        ],
        [(0, "a", "f", "1"), (1, "b", "g", "2"), (0, None, None, "3"), (1, None, None, "4")],
    ),
    "an index that starts at 1": ([{"index": 1, "id": "a", "function": function("f", "{}")}], [(0, "a", "f", "{}")]),
    "arguments as an object": (
        [{"index": 0, "id": "a", "function": function("f", {"x": 1})}],
        [(0, "a", "f", '{"x":1}')],
    ),
    "no arguments": ([{"index": 0, "id": "a", "function": function("f", None)}], [(0, "a", "f", "")]),
    "arguments that are not JSON": ([{"index": 0, "id": "a", "function": function("f", "{x")}], [(0, "a", "f", "{x")]),
    "the name later": (
        [{"index": 0, "id": "a", "function": function(None, "")}, {"index": 0, "function": function("f", "{}")}],
        [(0, "a", None, ""), (0, None, "f", "{}")],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_tool_call_deltas_become_well_formed_calls(case: str) -> None:
    given, told = CASES[case]
    assert called(*given) == told


def test_a_call_without_an_id_gets_one() -> None:
    ((_, made_up, name, _),) = called({"index": 0, "function": function("f", "{}")})
    assert isinstance(made_up, str)
    assert made_up.startswith("call_")
    assert name == "f"


def test_each_call_of_a_whole_message_is_its_own() -> None:
    calls = [{"index": 0, "function": function("f", "1")}, {"index": 0, "function": function("f", "2")}]
    found = deltas({"message": {"tool_calls": calls}}, member="message")[0].delta.tool_calls
    assert found is not UNSET
    assert [call.index for call in found] == [0, 1]
    assert len({call.id for call in found}) == 2


@pytest.mark.parametrize("name", ["reasoning", "reasoning_content", "reasoning_text", "thinking"])
def test_reasoning_goes_by_one_name(name: str) -> None:
    assert deltas({"index": 0, "delta": {name: "why"}})[0].delta.reasoning == "why"


def test_reasoning_told_twice_is_told_once() -> None:
    found = deltas({"index": 0, "delta": {"reasoning": "why", "reasoning_content": "why"}})[0].delta
    assert (found.reasoning, found.extra) == ("why", UNSET)


def test_content_parts_are_text_and_reasoning() -> None:
    parts = [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"type": "text", "text": "yes"}]
    found = deltas({"index": 0, "delta": {"content": parts}})[0].delta
    assert (found.content, found.reasoning) == ("yes", "hm")


def test_content_that_is_an_object_is_its_json() -> None:
    assert deltas({"message": {"content": {"a": [1]}}}, member="message")[0].delta.content == '{"a":[1]}'


def test_items_of_lists_get_a_stable_index_and_lose_their_nulls() -> None:
    item = {"type": "url_citation", "url_citation": {"url": "u", "title": None}, "x": None}
    found = deltas(*({"index": 0, "delta": {"annotations": [dict(item)]}} for _ in range(2)))
    told = [one.delta.annotations for one in found]
    assert told == [[{"type": "url_citation", "url_citation": {"url": "u"}, "index": index}] for index in range(2)]


def test_reasoning_details_that_go_on_keep_their_index() -> None:
    pieces = [
        {"type": "reasoning.text", "text": "a"},
        {"type": "reasoning.text", "text": "b"},
        {"type": "reasoning.encrypted", "data": "x"},
    ]
    found = deltas(*({"index": 0, "delta": {"reasoning_details": [piece]}} for piece in pieces))
    assert [one.delta.reasoning_details[0]["index"] for one in found if one.delta.reasoning_details] == [0, 0, 1]


def test_members_nobody_knows_are_carried_and_nulls_are_not() -> None:
    found = deltas({"index": 0, "delta": {"content": "a", "new": 1, "gone": None}, "stop_reason": 7, "trace": None})[0]
    assert (found.delta.extra, found.extra) == ({"new": 1}, {"stop_reason": 7})


def test_a_delta_that_adds_nothing_is_left_out() -> None:
    assert len(deltas(*({"index": 0, "delta": {"content": ""}} for _ in range(3)))) == 1


def test_too_many_choices_are_refused() -> None:
    reader = Choices()
    reader.read([{"index": index, "delta": {"content": "a"}} for index in range(5_000)])
    assert reader.broken is not None
    assert reader.count <= 4_096
