"""The event stream: what each event tells, and what it does not."""

import json

import pytest

from llmgateway.domain.reply import ToolCallDelta, ToolFunctionDelta
from llmgateway.wire.anthropic.blocks import MOST, Mode
from llmgateway.wire.sse import MAX_EVENT_BYTES
from tests.unit.wire.anthropic.streaming import (
    STOP,
    block,
    chunks_of,
    closed,
    decoder,
    deltas,
    ended,
    grown,
    start,
    whole,
    wire,
)


def test_text_from_beginning_to_end() -> None:
    chunks = chunks_of(
        start(input_tokens=3, output_tokens=1), block(0, "text", text=""), grown(0, "text_delta", text="Hel"),
        {"type": "ping"}, grown(0, "text_delta", text="lo"), closed(0), ended(usage={"output_tokens": 5}), STOP,
    )  # fmt: skip
    assert (chunks[0].id, chunks[0].reported_model) == ("msg_1", "claude-x")
    assert deltas(chunks, "role") == ["assistant"]
    assert deltas(chunks, "content") == ["Hel", "lo"]
    assert (chunks[-2].choices[0].finish_reason, chunks[-2].choices[0].raw_finish_reason) == ("stop", "end_turn")
    usage = chunks[-2].usage
    assert usage is not None
    assert (usage.prompt_tokens, usage.output_tokens) == (3, 5)
    assert (chunks[-1].done, chunks[-1].choices) == (True, [])


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("end_turn", "stop"), ("stop_sequence", "stop"), ("pause_turn", "stop"), ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"), ("refusal", "content_filter"), ("something_new", "stop"),
        ("tool_use", "stop"),
    ],
)  # fmt: skip
def test_reasons_to_stop(raw: str, reason: str) -> None:
    choice = chunks_of(start(), ended(raw), STOP)[-2].choices[0]
    assert (choice.finish_reason, choice.raw_finish_reason) == (reason, raw)


def test_a_stop_with_calls_is_a_stop_for_them_and_other_reasons_stay() -> None:
    call = [block(0, "tool_use", id="t", name="f", input={}), closed(0)]
    assert whole(chunks_of(*call, ended("tool_use"))).finish_reason == "tool_calls"
    assert whole(chunks_of(*call, ended("end_turn"))).finish_reason == "tool_calls"
    assert whole(chunks_of(*call, ended("max_tokens"))).finish_reason == "length"


def test_a_refusal_says_why() -> None:
    details = {"type": "refusal", "category": "bio", "explanation": "Not this."}
    assert whole(chunks_of(start(), ended("refusal", stop_details=details))).delta.refusal == "Not this."
    assert not whole(chunks_of(start(), ended("refusal", stop_details=5))).delta.refusal


def test_calls_are_named_once_and_their_arguments_follow() -> None:
    chunks = chunks_of(
        start(),
        block(0, "text", text=""),
        block(1, "tool_use", id="a", name="f", input={}),
        grown(1, "input_json_delta", partial_json=""),
        grown(1, "input_json_delta", partial_json='{"x":'),
        grown(1, "input_json_delta", partial_json="1}"),
        closed(1),
        block(2, "tool_use", id="b", name="g", input={}),
        grown(2, "input_json_delta", partial_json=""),
        closed(2),
        block(3, "tool_use", id="c", name="h", input={"y": 2.50}),
        closed(3),
    )
    said = [call for calls in deltas(chunks, "tool_calls") for call in calls]
    assert said == [
        ToolCallDelta(0, "a", "function", ToolFunctionDelta("f", "")),
        ToolCallDelta(0, function=ToolFunctionDelta(arguments='{"x":')),
        ToolCallDelta(0, function=ToolFunctionDelta(arguments="1}")),
        ToolCallDelta(1, "b", "function", ToolFunctionDelta("g", "")),
        ToolCallDelta(1, function=ToolFunctionDelta(arguments="{}")),
        ToolCallDelta(2, "c", "function", ToolFunctionDelta("h", "")),
        ToolCallDelta(2, function=ToolFunctionDelta(arguments='{"y": 2.5}')),
    ]


def test_interleaved_calls_keep_apart() -> None:
    chunks = chunks_of(
        block(0, "tool_use", id="a", name="f", input={}), block(1, "tool_use", id="b", name="g", input={}),
        grown(1, "input_json_delta", partial_json="[1]"), grown(0, "input_json_delta", partial_json="[0]"),
        ended("tool_use"),
    )  # fmt: skip
    calls = whole(chunks).delta.tool_calls or []
    assert [call.function.arguments for call in calls if call.function] == ["[0]", "[1]"]


def test_the_old_functions_are_answered_in_their_own_form() -> None:
    mode = Mode(functions=True)
    given = block(0, "tool_use", id="a", name="f", input={})
    choice = whole(chunks_of(given, grown(0, "input_json_delta", partial_json="{}"), ended("tool_use"), mode=mode))
    assert choice.delta.function_call == ToolFunctionDelta("f", "{}")
    assert (choice.finish_reason, choice.delta.tool_calls or None) == ("function_call", None)


def test_thinking_is_reasoning_and_signed_details() -> None:
    chunks = chunks_of(
        start(), block(0, "thinking", thinking="", signature=""), grown(0, "thinking_delta", thinking="Hm"),
        grown(0, "thinking_delta", thinking="."), grown(0, "signature_delta", signature="s1"), closed(0),
        block(1, "redacted_thinking", data="xyz"), closed(1), block(2, "text", text="So"), closed(2),
        block(3, "thinking", thinking="", signature=""), grown(3, "signature_delta", signature="s2"), closed(3),
        block(4, "tool_use", id="t", name="f", input={}), closed(4), block(5, "thinking", thinking="!", signature="s3"),
        ended("tool_use"),
    )  # fmt: skip
    assert deltas(chunks, "reasoning") == ["Hm", ".", "!"]
    first, *rest = [detail for details in deltas(chunks, "reasoning_details") for detail in details]
    assert first == {"type": "reasoning.text", "text": "Hm", "format": "anthropic-claude-v1", "index": 0}
    assert rest[0] == {"type": "reasoning.text", "text": ".", "index": 0}
    ours = {"format": "anthropic-claude-v1"}
    assert whole(chunks).delta.reasoning_details == [
        {"type": "reasoning.text", "text": "Hm.", "signature": "s1", **ours, "index": 0},
        {"type": "reasoning.encrypted", "data": "xyz", **ours, "index": 1},
        {"type": "reasoning.text", "text": "", "signature": "s2", **ours, "id": "after:1", "index": 2},
        {"type": "reasoning.text", "text": "!", "signature": "s3", **ours, "id": "after:2", "index": 3},
    ]


PAGE = {"type": "web_search_result", "url": "https://a.test", "title": "A", "encrypted_content": "x", "page_age": None}


def test_citations_say_which_characters_they_stand_for() -> None:
    cited = {"type": "web_search_result_location", "url": "https://a.test", "title": "A", "cited_text": "x"}
    local = {"type": "page_location", "document_title": "B.pdf", "start_page_number": 1}
    chunks = chunks_of(
        block(0, "server_tool_use", id="s", name="web_search", input={}),
        grown(0, "input_json_delta", partial_json='{"query":"a"}'), closed(0),
        block(1, "web_search_tool_result", tool_use_id="s", content=[PAGE]), closed(1),
        block(2, "text", text=""), grown(2, "text_delta", text="It is "), closed(2),
        block(3, "text", text="", citations=[]), grown(3, "citations_delta", citation=cited),
        grown(3, "text_delta", text="so"), grown(3, "citations_delta", citation=local), closed(3), ended(),
    )  # fmt: skip
    message = whole(chunks).delta
    assert (message.content, message.tool_calls or None) == ("It is so", None)
    place = {"start_index": 6, "end_index": 8}
    assert message.annotations == [
        {"type": "url_citation", "url_citation": {"url": "https://a.test", "title": "A", **place}, "index": 0},
        {"type": "file_citation", "file_citation": {"filename": "B.pdf", **place}, "index": 1},
    ]


def test_what_was_found_is_told_where_nothing_is_cited() -> None:
    found = block(0, "web_search_tool_result", content=[PAGE, PAGE, {"url": 5}, 5, {"url": "https://b.test"}])
    failed = block(1, "web_search_tool_result", content={"type": "web_search_tool_result_error", "error_code": "x"})
    message = whole(chunks_of(found, failed, block(2, "text", text="So."), ended())).delta
    assert message.annotations == [
        {"type": "url_citation", "url_citation": {"url": "https://a.test", "title": "A"}, "index": 0},
        {"type": "url_citation", "url_citation": {"url": "https://b.test", "title": "https://b.test"}, "index": 1},
    ]


def test_blocks_and_events_nobody_knows_are_passed_over() -> None:
    chunks = chunks_of(
        start(), block(0, "hologram", text="no", input=5), grown(0, "hologram_delta", text="no"), closed(0), closed(7),
        {"type": "weather", "delta": 5, "index": "x", "message": []}, grown(9, "input_json_delta", partial_json="no"),
        block(1, "text", text="yes"), ended(), STOP,
    )  # fmt: skip
    assert deltas(chunks, "content") == ["yes"]
    assert chunks[-1].done


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"type": "overloaded_error", "message": "Overloaded"}, "upstream_error"),
        ({"type": "rate_limit_error", "message": "slow down"}, "upstream_rate_limited"),
        ({"type": "invalid_request_error", "message": "no"}, "upstream_refused"),
        ({"type": "api_error", "message": "Output blocked by content filtering policy"}, "upstream_content_filter"),
        ({"type": "invalid_request_error", "message": "Your credit balance is too low"}, "upstream_quota"),
        ({"type": "authentication_error", "message": "no"}, "upstream_auth"),
        ({"code": 429, "status": "RESOURCE_EXHAUSTED", "message": "quota"}, "upstream_rate_limited"),
        ("broken", "upstream_error"),
        (None, "upstream_error"),
        ({}, "upstream_error"),
    ],
)  # fmt: skip
def test_an_error_ends_the_stream(error: object, kind: str) -> None:
    reader = decoder()
    chunks = reader.feed(wire(start(), {"type": "error", "error": error}, grown(0, "text_delta", text="late")))
    assert chunks[-1].error is not None
    assert chunks[-1].error.kind.name == kind
    assert not reader.finished
    assert reader.feed(wire(STOP)) == [] == reader.close()


def test_an_error_without_a_type_is_an_error_too() -> None:
    (chunk,) = decoder().feed(b'data: {"error":{"code":503,"message":"no","status":"UNAVAILABLE"}}\n\n')
    assert chunk.error is not None


def test_a_stream_that_breaks_off_is_not_finished() -> None:
    reader = decoder()
    assert reader.feed(wire(start(), grown(0, "text_delta", text="a")))
    assert reader.close() == []
    assert not reader.finished


def test_a_stream_without_its_last_event_or_blank_line_is_finished() -> None:
    reader = decoder()
    chunks = reader.feed(wire(start(), grown(0, "text_delta", text="a")) + wire(ended()).removesuffix(b"\n\n"))
    assert [choice.finish_reason for chunk in chunks + reader.close() for choice in chunk.choices][-1] == "stop"
    assert reader.finished


def test_one_reason_to_stop_and_one_role_whatever_is_sent() -> None:
    chunks = chunks_of(start(), start(), ended(None, usage={"output_tokens": 2}), ended(), ended("max_tokens"), STOP)
    choices = [choice for chunk in chunks for choice in chunk.choices]
    assert [choice.finish_reason for choice in choices] == [None, "stop"]
    assert deltas(chunks, "role") == ["assistant"]
    assert deltas(chunks_of(ended()), "role") == ["assistant"]


@pytest.mark.parametrize("data", [b"data: <html>\n\n", b"data: 5\n\n", b'data: {"type":"message_delta","delta":5}\n\n',
    b'data: {"type":"content_block_start","content_block":5}\n\n', b'data: {"delta":5}\n\n'])  # fmt: skip
def test_what_cannot_be_read_is_an_error(data: bytes) -> None:
    (chunk,) = decoder().feed(data)
    assert chunk.error is not None
    assert "cannot be read" in chunk.error.message


def test_half_a_character_is_mended() -> None:
    data = b'data: {"type":"content_block_delta","delta":{"type":"text_delta","text":"a\\ud83d"}}\n\n'
    assert deltas(decoder().feed(data), "content") == ["a\ufffd"]


def test_what_compatible_servers_add_does_no_harm() -> None:
    reader = decoder()
    chunks = reader.feed(b"\xef\xbb\xbf: hello\r\n\r\n" + wire(start(), ended()).replace(b"\n", b"\r\n"))
    chunks += reader.feed(b"data: \r\n\r\ndata: [DONE]\r\n\r\n")
    assert chunks[-1].done
    assert reader.finished


def test_what_is_remembered_is_bounded() -> None:
    reader = decoder()
    blocks = [block(index, "text", text="") for index in range(MOST + 1)]
    error = reader.feed(wire(*blocks))[-1].error
    assert error is not None
    calls = [event for index in range(MOST + 1) for event in (block(0, "tool_use", id="t", name="f"), closed(0))]
    error = decoder().feed(wire(*calls))[-1].error
    assert error is not None
    error = decoder().feed(b"data: " + b"x" * (MAX_EVENT_BYTES + 1))[-1].error
    assert error is not None


def test_the_tier_that_served_is_told_by_its_openai_name() -> None:
    (first, *_) = chunks_of(start(service_tier="standard"))
    assert first.service_tier == "default"
    assert first.extra is not None
    assert json.loads(bytes(first.extra["service_tier"])) == "default"
    assert chunks_of(start(service_tier="priority"))[0].service_tier == "priority"
    assert chunks_of(start())[0].service_tier is None
