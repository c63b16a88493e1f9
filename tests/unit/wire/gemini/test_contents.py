"""Messages of every role and part become contents that Google takes."""

import base64
from typing import Any

import pytest

from llmgateway.wire.gemini.contents import SKIP_SIGNATURE
from tests.unit.wire.gemini.asking import asked, contents, dropped

CALL = {"id": "abc", "type": "function", "function": {"name": "f", "arguments": '{"a": 1.50}'}}
PNG = "data:image/png;base64,iVBORw0="


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


def called(*ids: str, **members: Any) -> dict[str, Any]:
    calls = [{**CALL, "id": one, "function": {"name": f"f_{one}", "arguments": ""}} for one in ids]
    return {"role": "assistant", "tool_calls": calls, **members}


def result(identity: str, content: Any = "done", **members: Any) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": identity, "content": content, **members}


def test_leading_instructions_are_the_system_instruction_and_later_ones_the_users() -> None:
    system = [{"role": "system", "content": "a"}, {"role": "developer", "content": [{"type": "text", "text": "b"}]}]
    body = asked([*system, user("x"), {"role": "system", "content": "c"}])
    assert body["systemInstruction"] == {"parts": [{"text": "a"}, {"text": "b"}]}
    assert body["contents"] == [{"role": "user", "parts": [{"text": "x"}, {"text": "c"}]}]


def test_an_instruction_without_content_is_sent_as_empty_text() -> None:
    assert asked([{"role": "system"}, user("x")])["systemInstruction"] == {"parts": [{"text": ""}]}


def test_an_instruction_alone_is_said_by_the_user() -> None:
    body = asked([{"role": "system", "content": "a"}])
    assert "systemInstruction" not in body
    assert body["contents"] == [{"role": "user", "parts": [{"text": "a"}]}]


def test_a_model_without_instructions_gets_them_as_user_text() -> None:
    body = asked([{"role": "system", "content": "a"}, user("x")], model="gemma-3-27b-it")
    assert "systemInstruction" not in body
    assert body["contents"] == [{"role": "user", "parts": [{"text": "a"}, {"text": "x"}]}]


def test_neighbours_of_one_role_are_merged_and_empty_text_is_left_out() -> None:
    said = [user("a"), user([{"type": "text", "text": ""}, {"type": "text", "text": "b"}]), user(None)]
    answered = [{"role": "assistant", "content": "c"}, {"role": "assistant", "content": "d"}]
    assert contents([*said, *answered]) == [
        {"role": "user", "parts": [{"text": "a"}, {"text": "b"}]},
        {"role": "model", "parts": [{"text": "c"}, {"text": "d"}]},
    ]


def test_nothing_said_is_still_a_content() -> None:
    assert contents([user("")]) == [{"role": "user", "parts": [{"text": ""}]}]


@pytest.mark.parametrize(
    ("part", "made"),
    [
        (
            {"type": "image_url", "image_url": {"url": PNG}},
            {"inlineData": {"mimeType": "image/png", "data": "iVBORw0="}},
        ),
        (
            {"type": "image_url", "image_url": {"url": "https://x.test/a.webp?b=c.png"}},
            {"fileData": {"mimeType": "image/webp", "fileUri": "https://x.test/a.webp?b=c.png"}},
        ),
        (
            {"type": "image_url", "image_url": {"url": "https://youtu.be/abc"}},
            {"fileData": {"mimeType": "video/mp4", "fileUri": "https://youtu.be/abc"}},
        ),
        (
            {"type": "input_audio", "input_audio": {"data": "QUJD", "format": "mp3"}},
            {"inlineData": {"mimeType": "audio/mpeg", "data": "QUJD"}},
        ),
        (
            {"type": "file", "file": {"file_data": "data:application/pdf;base64,JVBERi0="}},
            {"inlineData": {"mimeType": "application/pdf", "data": "JVBERi0="}},
        ),
        (
            {"type": "file", "file": {"filename": "a.csv", "file_data": "QUJD"}},
            {"inlineData": {"mimeType": "text/csv", "data": "QUJD"}},
        ),
        (
            {"type": "file", "file": {"file_data": "data:text/plain;charset=utf-8,a%20b"}},
            {"inlineData": {"mimeType": "text/plain", "data": base64.b64encode(b"a b").decode()}},
        ),
        (
            {"type": "file", "file": {"file_id": "https://generativelanguage.googleapis.com/v1beta/files/x1"}},
            {"fileData": {"fileUri": "https://generativelanguage.googleapis.com/v1beta/files/x1"}},
        ),
        (
            {"type": "file", "file": {"file_id": "gs://bucket/a.mp3"}},
            {"fileData": {"mimeType": "audio/mpeg", "fileUri": "gs://bucket/a.mp3"}},
        ),
    ],
)
def test_media(part: dict[str, Any], made: dict[str, Any]) -> None:
    assert contents([user([part])])[0]["parts"] == [made]


def test_a_call_and_its_result() -> None:
    sent = contents([user("x"), {"role": "assistant", "content": None, "tool_calls": [CALL]}, result("abc")])
    call = {"functionCall": {"name": "f", "args": {"a": 1.5}, "id": "abc"}, "thoughtSignature": SKIP_SIGNATURE}
    assert sent[1] == {"role": "model", "parts": [call]}
    answer = {"name": "f", "id": "abc", "response": {"output": "done"}}
    assert sent[2] == {"role": "user", "parts": [{"functionResponse": answer}]}


def test_ids_that_the_gateway_made_up_are_not_told_to_google() -> None:
    made = "call_0123456789abcdef01234567"
    sent = contents([user("x"), called(made, "call_30QT8TKHJVZ7ktawZDPtvzjf"), result(made)])
    assert [part["functionCall"].get("id") for part in sent[1]["parts"]] == [None, "call_30QT8TKHJVZ7ktawZDPtvzjf"]
    assert "id" not in sent[2]["parts"][0]["functionResponse"]


def test_results_of_parallel_calls_are_one_turn_in_the_order_of_the_calls() -> None:
    sent = contents([user("x"), called("a", "b"), result("b", "2"), result("a", "1"), user("and?")])
    assert [part["functionResponse"]["name"] for part in sent[2]["parts"]] == ["f_a", "f_b"]
    assert sent[3] == {"role": "user", "parts": [{"text": "and?"}]}


@pytest.mark.parametrize(
    ("message", "response"),
    [
        (result("a", '{"degrees":  21.50}'), {"degrees": 21.5}),
        (result("a", "[1]"), {"output": "[1]"}),
        (result("a", "no", is_error=True), {"error": "no"}),
        (result("a", '{"why": "no"}', is_error=True), {"error": {"why": "no"}}),
        (result("a", '{"error": "no"}', is_error=True), {"error": "no"}),
        (result("a", None), {"output": ""}),
    ],
)
def test_what_a_result_says(message: dict[str, Any], response: dict[str, Any]) -> None:
    assert contents([user("x"), called("a"), message])[2]["parts"][0]["functionResponse"]["response"] == response


def test_an_image_in_a_result_is_in_it_where_the_model_takes_that_and_behind_it_elsewhere() -> None:
    seen = result("a", [{"type": "text", "text": "see"}, {"type": "image_url", "image_url": {"url": PNG}}])
    image = {"inlineData": {"mimeType": "image/png", "data": "iVBORw0="}}
    new = contents([user("x"), called("a"), seen])
    assert new[2]["parts"][0]["functionResponse"]["parts"] == [image]
    assert len(new) == 3
    old = contents([user("x"), called("a"), seen, user("what is it?")], model="gemini-2.5-flash")
    assert "parts" not in old[2]["parts"][0]["functionResponse"]
    assert old[3] == {"role": "user", "parts": [image, {"text": "what is it?"}]}


def test_a_result_without_a_call_names_what_it_can() -> None:
    assert contents([result("lost", name="g")])[0]["parts"][0]["functionResponse"]["name"] == "g"
    assert contents([result("lost")])[0]["parts"][0]["functionResponse"]["name"] == "lost"


@pytest.mark.parametrize("arguments", ["{not json", "[1]", '"text"'])
def test_arguments_that_are_no_object_are_put_into_one(arguments: str) -> None:
    broken = {**CALL, "function": {"name": "f", "arguments": arguments}}
    sent = contents([user("x"), {"role": "assistant", "tool_calls": [broken]}])
    assert sent[1]["parts"][0]["functionCall"]["args"] == {"arguments": arguments}


def test_the_old_functions_are_understood() -> None:
    sent = contents(
        [
            user("x"),
            {"role": "assistant", "function_call": {"name": "f", "arguments": "{}"}},
            {"role": "function", "name": "f", "content": "done"},
        ]
    )
    assert sent[1]["parts"][0]["functionCall"] == {"name": "f", "args": {}}
    assert sent[2]["parts"][0]["functionResponse"] == {"name": "f", "response": {"output": "done"}}


def test_only_models_that_insist_on_signatures_get_a_stand_in_and_only_for_the_first_call() -> None:
    turn = [user("x"), called("a", "b")]
    assert ["thoughtSignature" in part for part in contents(turn)[1]["parts"]] == [True, False]
    assert not any("thoughtSignature" in part for part in contents(turn, model="gemini-2.5-pro")[1]["parts"])


def test_a_signature_in_extra_content_is_sent_back() -> None:
    signed = {**CALL, "extra_content": {"google": {"thought_signature": "c2ln"}}}
    assert (
        contents([user("x"), {"role": "assistant", "tool_calls": [signed]}])[1]["parts"][0]["thoughtSignature"]
        == "c2ln"
    )


def detail(**members: Any) -> dict[str, Any]:
    return {"format": "google-gemini-v1", **members}


def test_thoughts_and_signatures_stand_where_they_stood() -> None:
    details = [
        detail(type="reasoning.text", text="hm", signature="one", index=0),
        detail(type="reasoning.encrypted", data="two", index=1),
        detail(type="reasoning.encrypted", data='{"toolCall":{"id":"t"},"thoughtSignature":"three"}', index=2),
        detail(type="reasoning.encrypted", data="four", id="a", index=3),
    ]
    sent = contents([user("x"), called("a", "b", content="text", reasoning="hm", reasoning_details=details)])
    assert sent[1]["parts"] == [
        {"text": "hm", "thought": True, "thoughtSignature": "one"},
        {"text": "text", "thoughtSignature": "two"},
        {"toolCall": {"id": "t"}, "thoughtSignature": "three"},
        {"functionCall": {"name": "f_a", "args": {}, "id": "a"}, "thoughtSignature": "four"},
        {"functionCall": {"name": "f_b", "args": {}, "id": "b"}},
    ]


def test_thoughts_of_another_provider_are_dropped_as_a_whole_and_listed_once() -> None:
    mixed = [
        detail(type="reasoning.text", text="ours"),
        {"type": "reasoning.text", "text": "x", "format": "anthropic-claude-v1"},
    ]
    turn = [user("x"), {"role": "assistant", "content": "a", "reasoning_details": mixed}]
    assert contents([*turn, *turn])[1]["parts"] == [{"text": "a"}]
    assert dropped([*turn, *turn]) == ("messages[].reasoning_details",)


def test_reasoning_that_is_only_text_is_listed() -> None:
    assert dropped([user("x"), {"role": "assistant", "content": "a", "reasoning": "hm"}]) == ("messages[].reasoning",)


def test_a_picture_of_an_earlier_turn_is_sent_back_with_its_signature() -> None:
    drawn = {
        "role": "assistant",
        "content": "here",
        "images": [{"type": "image_url", "image_url": {"url": PNG}}],
        "reasoning_details": [detail(type="reasoning.encrypted", data="sig", id="image_0")],
    }
    assert contents([user("x"), drawn, user("bluer")])[1]["parts"] == [
        {"text": "here"},
        {"inlineData": {"mimeType": "image/png", "data": "iVBORw0="}, "thoughtSignature": "sig"},
    ]
