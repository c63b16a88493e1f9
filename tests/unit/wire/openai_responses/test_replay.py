"""Earlier reasoning goes back to who issued it, all of it or none, and is never half of something."""

from typing import Any

import pytest

from tests.unit.wire.openai_responses.asking import built, message, sent, whole, words

OWN = "openai-responses-v1"
CALL = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
CALLED = {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{}"}


def encrypted(data: str = "gAAA", **members: Any) -> dict[str, Any]:
    return {"type": "reasoning.encrypted", "data": data, "format": OWN, **members}


def summary(text: str, **members: Any) -> dict[str, Any]:
    return {"type": "reasoning.summary", "summary": text, "format": OWN, **members}


def turn(*details: dict[str, Any], **members: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": None, "reasoning_details": list(details), **members}


def item(*summaries: str, **members: Any) -> dict[str, Any]:
    return {"type": "reasoning", "summary": [{"type": "summary_text", "text": text} for text in summaries], **members}


def test_before_a_call_an_item_is_what_it_was() -> None:
    said = turn(summary("One", id="rs_1"), summary("Two", id="rs_1"), encrypted(id="rs_1"), tool_calls=[CALL])
    assert sent(said)["input"] == [item("One", "Two", id="rs_1", encrypted_content="gAAA"), CALLED]


def test_before_a_message_an_item_has_no_id() -> None:
    """OpenAI answers 400 to an item with an id that is not followed by the message with the id it came with."""
    said = turn(summary("One", id="rs_1"), encrypted(id="rs_1"), content="42")
    assert sent(said)["input"] == [item("One", encrypted_content="gAAA"), {"role": "assistant", "content": "42"}]


def test_before_another_item_it_keeps_its_id() -> None:
    searched = {"type": "web_search_call", "id": "ws_1"}
    items = sent(turn(encrypted(id="rs_1"), content=[searched]))["input"]
    assert items == [item(id="rs_1", encrypted_content="gAAA"), searched]


def test_several_items_stay_apart_and_in_order() -> None:
    details = [summary("A", id="rs_1"), encrypted("1", id="rs_1"), encrypted("2", id="rs_2"), encrypted("3", id="rs_3")]
    assert sent(turn(*details, tool_calls=[CALL]))["input"][:3] == [
        item("A", id="rs_1", encrypted_content="1"),
        item(id="rs_2", encrypted_content="2"),
        item(id="rs_3", encrypted_content="3"),
    ]


def test_details_without_ids_are_items_that_end_with_their_encrypted_content() -> None:
    """Some clients keep the texts and drop the ids; a summary may lack the id that its encrypted content has."""
    details = [summary("A"), encrypted("1"), summary("B"), encrypted("2", id="rs_2")]
    assert sent(turn(*details, content="42"))["input"][:2] == [
        item("A", encrypted_content="1"),
        item("B", encrypted_content="2"),
    ]


def test_the_open_text_of_open_models_goes_back_as_text() -> None:
    said = turn({"type": "reasoning.text", "text": "Hm", "id": "rs_1", "format": OWN}, tool_calls=[CALL])
    thought = item(id="rs_1", content=[{"type": "reasoning_text", "text": "Hm"}])
    assert sent(said)["input"] == [thought, CALLED]


@pytest.mark.parametrize(
    "details",
    [
        [{"type": "reasoning.text", "text": "Hm", "signature": "s", "format": "anthropic-claude-v1"}],
        [encrypted(id="rs_1"), {"type": "reasoning.encrypted", "data": "d", "format": "google-gemini-v1"}],
        [{"type": "reasoning.encrypted", "data": "d"}],
        [summary("No encrypted content", id="rs_1")],
        [encrypted(id="rs_1"), summary("The second has none", id="rs_2")],
        [{"type": "reasoning.new", "format": OWN}],
        [{"type": 5, "format": OWN}],
        [encrypted("", id="rs_1")],
    ],
    ids=["foreign", "one of two foreign", "no format", "no content", "half", "new type", "no type", "empty"],
)
def test_what_this_provider_cannot_read_is_left_out_whole_and_listed_once(details: list[dict[str, Any]]) -> None:
    said = turn(*details, content="42")
    body, dropped = built(said, said)
    assert body["input"] == [{"role": "assistant", "content": "42"}] * 2
    assert dropped == ("messages[].reasoning_details",)


def test_reasoning_that_nothing_follows_is_left_out() -> None:
    """An item of reasoning needs the item it led to."""
    body, dropped = built(turn(encrypted(id="rs_1")), {"role": "user", "content": "Go on"})
    assert body["input"] == [{"role": "user", "content": "Go on"}]
    assert dropped == ("messages[].reasoning_details",)


def test_reasoning_without_details_cannot_go_back() -> None:
    for name in ("reasoning", "reasoning_content"):
        body, dropped = built({"role": "assistant", "content": "42", name: "Hm"})
        assert body["input"] == [{"role": "assistant", "content": "42"}]
        assert dropped == ("messages[].reasoning",)


def test_a_caller_who_stores_answers_may_give_an_id_alone() -> None:
    assert sent(turn(summary("One", id="rs_1"), content="42"), store=True)["input"][0] == item("One", id="rs_1")


def test_a_row_may_name_its_own_format() -> None:
    """Encrypted content of one vendor is noise to another with the same protocol."""
    row = {"quirks": ("reasoning_format:xai-responses-v1",)}
    said = turn({**encrypted(id="rs_1"), "format": "xai-responses-v1"}, tool_calls=[CALL])
    assert sent(said, row=row)["input"][0] == item(id="rs_1", encrypted_content="gAAA")
    assert built(said)[1] == ("messages[].reasoning_details",)
    assert built(turn(encrypted(id="rs_1"), tool_calls=[CALL]), row=row)[1] == ("messages[].reasoning_details",)


def test_what_an_answer_gives_is_what_goes_back() -> None:
    thoughts = [
        item("One", "Two", id="rs_1", encrypted_content="1"),
        item(id="rs_2", encrypted_content="2", content=[{"type": "reasoning_text", "text": "Hm"}]),
    ]
    told = whole(*thoughts, {**CALLED, "id": "fc_1"}).choices[0].delta
    assert told.reasoning == "OneTwoHm"
    assert told.tool_calls
    back = turn(*(told.reasoning_details or ()), tool_calls=[CALL])
    assert sent(back)["input"] == [*thoughts, CALLED]
    spoken = whole(thoughts[0], message(words("42"), phase="final_answer")).choices[0].delta
    again = turn(*(spoken.reasoning_details or ()), content=spoken.content, **(spoken.extra or {}))
    without_id = {name: value for name, value in thoughts[0].items() if name != "id"}
    assert sent(again)["input"] == [without_id, {"role": "assistant", "content": "42", "phase": "final_answer"}]
