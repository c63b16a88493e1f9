"""Messages become input items: each role and part, calls and their results, and the bytes that caches go by."""

import json
from typing import Any

import msgspec
import pytest

from llmgateway.wire.openai_chat.request import read_request
from tests.unit.wire.deployments import deployment
from tests.unit.wire.openai_responses.asking import CODEC, built, sent

PIXEL = "data:image/png;base64,iVBORw0KGgo="
CALL = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}
CALLING = {"role": "assistant", "content": None, "tool_calls": [CALL]}
CALLED = {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": '{"a":1}'}


def test_each_role_is_a_message_with_its_own_text() -> None:
    said = [{"role": role, "content": role} for role in ("system", "developer", "user", "assistant")]
    assert sent(*said)["input"] == said


def test_a_message_without_content_is_an_empty_one() -> None:
    assert sent({"role": "user"})["input"] == [{"role": "user", "content": ""}]
    assert sent({"role": "assistant"})["input"] == [{"role": "assistant", "content": ""}]


def test_the_parts_of_a_user() -> None:
    parts = [
        {"type": "text", "text": "Look"},
        {"type": "image_url", "image_url": {"url": PIXEL}},
        {"type": "image_url", "image_url": {"url": "https://a.test/b.png", "detail": "low"}},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0="}},
        {"type": "file", "file": {"file_id": "file_1"}},
        {"type": "file", "file": {"file_data": "https://a.test/a.pdf"}},
        {"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}},
    ]
    assert sent({"role": "user", "content": parts})["input"][0]["content"] == [
        {"type": "input_text", "text": "Look"},
        {"type": "input_image", "image_url": PIXEL},
        {"type": "input_image", "image_url": "https://a.test/b.png", "detail": "low"},
        {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0="},
        {"type": "input_file", "file_id": "file_1"},
        {"type": "input_file", "file_url": "https://a.test/a.pdf"},
        {"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}},
    ]


def test_the_parts_of_an_assistant_and_its_refusal() -> None:
    parts = [{"type": "text", "text": "Well"}, {"type": "refusal", "refusal": "No"}]
    want = [{"type": "output_text", "text": "Well"}, {"type": "refusal", "refusal": "No"}]
    assert sent({"role": "assistant", "content": parts})["input"][0]["content"] == want
    assert sent({"role": "assistant", "content": "Well", "refusal": "No"})["input"][0]["content"] == want
    assert sent({"role": "assistant", "content": None, "refusal": "No"})["input"][0]["content"] == want[1:]


def test_empty_texts_stay() -> None:
    """This protocol takes them, unlike others."""
    content = [{"type": "text", "text": ""}, {"type": "text", "text": ""}]
    assert sent({"role": "user", "content": content})["input"][0]["content"] == [{"type": "input_text", "text": ""}] * 2


def test_empty_content_before_calls_is_no_message() -> None:
    assert sent({**CALLING, "content": ""})["input"] == [CALLED]


def test_calls_and_results_are_items_beside_the_messages() -> None:
    second = {"id": "call_2", "type": "function", "function": {"name": "g", "arguments": ""}}
    items = sent(
        {"role": "assistant", "content": "Let me see", "tool_calls": [CALL, second]},
        {"role": "tool", "tool_call_id": "call_2", "content": "two"},
        {"role": "tool", "tool_call_id": "call_1", "content": [{"type": "text", "text": "one"}]},
    )["input"]
    assert items == [
        {"role": "assistant", "content": "Let me see"},
        CALLED,
        {"type": "function_call", "call_id": "call_2", "name": "g", "arguments": ""},
        {"type": "function_call_output", "call_id": "call_2", "output": "two"},
        {"type": "function_call_output", "call_id": "call_1", "output": "one"},
    ]


def test_images_and_documents_in_a_result() -> None:
    parts = [{"type": "text", "text": "Here"}, {"type": "image_url", "image_url": {"url": PIXEL, "detail": "high"}}]
    items = sent(CALLING, {"role": "tool", "tool_call_id": "call_1", "content": parts})["input"]
    assert items[1]["output"] == [
        {"type": "input_text", "text": "Here"},
        {"type": "input_image", "image_url": PIXEL, "detail": "high"},
    ]


def test_a_result_without_content_is_an_empty_one() -> None:
    assert sent(CALLING, {"role": "tool", "tool_call_id": "call_1"})["input"][1]["output"] == ""


def test_the_old_function_messages_are_calls_with_ids_of_ours() -> None:
    items = sent(
        {"role": "user", "content": "Go"},
        {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}},
        {"role": "function", "name": "f", "content": "done"},
    )["input"]
    assert items[1:] == [
        {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "call_1", "output": "done"},
    ]


def test_calls_of_custom_tools_and_their_results() -> None:
    call = {"id": "call_1", "type": "custom", "custom": {"name": "sql", "input": "SELECT 1"}}
    items = sent(
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": "1"},
    )["input"]
    assert items == [
        {"type": "custom_tool_call", "call_id": "call_1", "name": "sql", "input": "SELECT 1"},
        {"type": "custom_tool_call_output", "call_id": "call_1", "output": "1"},
    ]


def test_ids_that_are_too_long_are_shortened_the_same_way_in_call_and_result() -> None:
    """Other vendors' ids may have more than the 64 characters that are allowed here."""
    long_id = "toolu_" + "x" * 90
    items = sent(
        {"role": "assistant", "content": None, "tool_calls": [{**CALL, "id": long_id}]},
        {"role": "tool", "tool_call_id": long_id, "content": "1"},
    )["input"]
    assert items[0]["call_id"] == items[1]["call_id"] != long_id
    assert len(items[0]["call_id"]) <= 64


def test_a_part_of_a_type_nobody_knows_is_sent_as_it_is() -> None:
    part = {"type": "input_video", "video_url": "https://a.test/v"}
    body = sent({"role": "user", "content": [{"type": "text", "text": "x"}, part]})
    assert body["input"][0]["content"][1] == part


def test_a_part_that_is_an_item_stands_by_itself() -> None:
    searched = {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search"}}
    parts = [{"type": "text", "text": "Let me see."}, searched, {"type": "text", "text": "Found."}]
    assert sent({"role": "assistant", "content": parts, "refusal": "No"})["input"] == [
        {"role": "assistant", "content": [{"type": "output_text", "text": "Let me see."}]},
        searched,
        {
            "role": "assistant",
            "content": [{"type": "output_text", "text": "Found."}, {"type": "refusal", "refusal": "No"}],
        },
    ]
    more = {"type": "additional_tools", "role": "developer", "tools": []}
    assert sent({"role": "developer", "content": [more]})["input"] == [more]


def test_the_namespace_of_a_call_goes_back() -> None:
    named = {**CALL, "extra_content": {"openai": {"namespace": "crm"}}}
    items = sent({"role": "assistant", "content": None, "tool_calls": [named, {**CALL, "id": "call_2"}]})["input"]
    assert items == [{**CALLED, "namespace": "crm"}, {**CALLED, "call_id": "call_2"}]


def test_the_phase_of_an_answer_goes_back() -> None:
    said = {"role": "assistant", "content": "I am looking", "phase": "commentary"}
    assert sent(said)["input"] == [said]
    assert sent({**said, "phase": "made up"})["input"] == [{"role": "assistant", "content": "I am looking"}]


def test_the_sources_of_an_answer_go_back_if_their_place_is_known() -> None:
    place = {"url": "https://a.test/", "start_index": 0, "end_index": 2}
    note = {"type": "url_citation", "url_citation": {**place, "title": "A"}, "index": 0}
    said = {"role": "assistant", "content": "Hi", "annotations": [note]}
    part = {"type": "output_text", "text": "Hi", "annotations": [{"type": "url_citation", **place, "title": "A"}]}
    assert sent(said)["input"] == [{"role": "assistant", "content": [part]}]
    body, dropped = built(
        {**said, "annotations": [{"type": "url_citation", "url_citation": {"url": "https://a.test/"}}]}
    )
    assert (body["input"], dropped) == ([{"role": "assistant", "content": "Hi"}], ("messages[].annotations",))


NATIVE_CALLS: list[tuple[str, str, dict[str, Any], dict[str, Any]]] = [
    ("shell_call", "ok", {}, {"output": [{"stdout": "ok", "stderr": "", "outcome": {"type": "exit", "exit_code": 0}}]}),
    ("apply_patch_call", "ok", {}, {"status": "completed", "output": "ok"}),
    ("apply_patch_call", "no", {"is_error": True}, {"status": "failed", "output": "no"}),
    ("tool_search_call", "[]", {}, {"execution": "client", "status": "completed", "tools": []}),
    ("shell_call", '{"output":[],"max_output_length":9}', {}, {"output": [], "max_output_length": 9}),
]


@pytest.mark.parametrize(("kind", "text", "marks", "output"), NATIVE_CALLS)
def test_a_call_that_the_client_carried_out_goes_back_as_the_item_it_was(
    kind: str, text: str, marks: dict[str, Any], output: dict[str, Any]
) -> None:
    function = {"name": kind, "arguments": '{"id":"x","action":{"a":1}}'}
    calling = {"role": "assistant", "content": None, "tool_calls": [{**CALL, "function": function}]}
    done = {"role": "tool", "tool_call_id": "call_1", "content": text, **marks}
    body, _ = built(calling, done)
    called, came = body["input"]
    assert called == {"type": kind, "id": "x", "action": {"a": 1}, "call_id": "call_1"}
    named = {"tool_search_call": "tool_search_output"}.get(kind, f"{kind}_output")
    assert came == {**output, "type": named, "call_id": "call_1"}
    mine = {"type": "function", "function": {"name": kind}}
    assert [item["type"] for item in built(calling, done, tools=[mine])[0]["input"]] == [
        "function_call",
        "function_call_output",
    ]


def test_a_screen_and_an_approval() -> None:
    def after(kind: str, content: Any) -> dict[str, Any]:
        calling = {"role": "assistant", "tool_calls": [{**CALL, "function": {"name": kind, "arguments": '{"id":"i"}'}}]}
        return sent(calling, {"role": "tool", "tool_call_id": "call_1", "content": content})["input"][1]

    screen = after("computer_call", [{"type": "image_url", "image_url": {"url": PIXEL}}])
    assert screen["output"] == {"type": "computer_screenshot", "image_url": PIXEL}
    answer = {"type": "mcp_approval_response", "approval_request_id": "call_1"}
    assert after("mcp_approval_request", "yes") == {**answer, "approve": True}
    assert after("mcp_approval_request", "never") == {**answer, "approve": False}


def test_members_without_a_word_here_are_listed_once() -> None:
    user = {"role": "user", "content": "a", "name": "bob"}
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    heard = {"role": "assistant", "content": "b", "audio": {"id": "audio_1"}, "images": [image], "annotations": []}
    _, dropped = built(user, heard, user)
    assert dropped == ("messages[].name", "messages[].images", "messages[].audio")


def turns(count: int) -> list[dict[str, Any]]:
    detail = {"type": "reasoning.encrypted", "data": "gAAA", "id": "rs_1", "format": "openai-responses-v1", "index": 0}
    said: list[dict[str, Any]] = [{"role": "system", "content": "Be brief."}]
    for number in range(count):
        call = {**CALL, "id": f"call_{number}"}
        said += [
            {"role": "user", "content": [{"type": "text", "text": f"Question {number}"}]},
            {"role": "assistant", "content": None, "tool_calls": [call], "reasoning_details": [detail]},
            {"role": "tool", "tool_call_id": f"call_{number}", "content": "42"},
            {"role": "assistant", "content": "42", "phase": "final_answer"},
        ]
    return said


def test_what_was_sent_before_is_the_beginning_of_what_is_sent_now() -> None:
    """Byte for byte, whatever else changes: prompt caches go by the prefix."""
    tools = [{"type": "function", "function": {"name": "f", "parameters": {"z": 1, "a": {"y": 2, "b": 3}}}}]

    def body(count: int, **members: Any) -> bytes:
        source = {"model": "acme/m", "temperature": 0.5, "tools": tools, "messages": turns(count), **members}
        return CODEC.build(read_request(json.dumps(source).encode()), to=deployment())[0].body

    before = body(1)
    for count in range(2, 6):
        now = body(count, max_tokens=100 * count, reasoning_effort="low", tool_choice="auto" if count % 2 else "none")
        span = bytes(msgspec.json.decode(before, type=dict[str, msgspec.Raw])["input"])
        prefix = before[: before.index(span) + len(span) - 1]
        assert len(prefix) > 500
        assert now.startswith(prefix)
        before = now
    assert body(3) == body(3)
