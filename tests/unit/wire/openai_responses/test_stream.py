"""Events become deltas: each as it comes, and what was not told by the end of it, once."""

from typing import Any

import pytest
from msgspec import UNSET

from llmgateway.domain import errors
from llmgateway.domain.reply import Chunk
from tests.unit.wire.deployments import deployment
from tests.unit.wire.openai_responses.asking import (
    CODEC,
    chat,
    completed,
    event,
    folded,
    message,
    streamed,
    words,
)

CREATED = event("response.created", response={"id": "resp_1", "model": "acme-m-2", "status": "in_progress"})


def text(delta: str, **members: Any) -> bytes:
    return event("response.output_text.delta", delta=delta, **{"output_index": 0, "content_index": 0, **members})


def added(item: dict[str, Any], place: int = 0) -> bytes:
    return event("response.output_item.added", output_index=place, item=item)


def done(item: dict[str, Any], place: int = 0) -> bytes:
    return event("response.output_item.done", output_index=place, item=item)


def failed(*events: bytes) -> Chunk:
    *_, last = streamed(*events)
    assert last.error is not None
    return last


def test_text_comes_as_it_comes() -> None:
    first, second, last = streamed(CREATED, added(message()), text("Hel"), text("lo"), completed(service_tier="flex"))
    assert (first.choices[0].delta.role, first.choices[0].delta.content) == ("assistant", "Hel")
    assert (first.id, first.reported_model) == ("resp_1", "acme-m-2")
    assert (second.choices[0].delta.role, second.choices[0].delta.content, second.id) == (UNSET, "lo", None)
    assert (last.choices[0].finish_reason, last.done, last.service_tier) == ("stop", True, "flex")


def test_usage_comes_with_the_end() -> None:
    usage = {"input_tokens": 5, "output_tokens": 7, "output_tokens_details": {"reasoning_tokens": 3}}
    last = streamed(text("Hi"), completed(usage=usage))[-1]
    assert last.usage is not None
    assert (last.usage.prompt_tokens, last.usage.output_tokens, last.usage.reasoning_tokens) == (5, 7, 3)


def test_a_call_is_introduced_once_and_then_grows() -> None:
    call = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "f", "arguments": ""}
    arguments = event("response.function_call_arguments.delta", output_index=0, item_id="fc_1", delta='{"a"')
    rest = event("response.function_call_arguments.done", output_index=0, item_id="fc_1", arguments='{"a":1}')
    full = {**call, "arguments": '{"a":1}'}
    chunks = streamed(added(call), arguments, rest, done(full), completed(output=[full]))
    calls = [call for chunk in chunks for call in chunk.choices[0].delta.tool_calls or ()]
    assert [(call.index, call.id, call.type) for call in calls] == [
        (0, "call_1", "function"),
        (0, UNSET, UNSET),
        (0, UNSET, UNSET),
    ]
    assert [call.function.arguments for call in calls if call.function] == ["", '{"a"', ":1}"]
    assert chunks[-1].choices[0].finish_reason == "tool_calls"


def test_arguments_of_a_call_nobody_announced_wait_for_it() -> None:
    """Without a name and an id there is nothing to tell them of."""
    lone = event("response.function_call_arguments.delta", output_index=3, delta='{"a":1}')
    call = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "f", "arguments": '{"a":1}'}
    calls = folded(lone, completed(output=[call])).delta.tool_calls or []
    assert [(call.id, call.function.arguments) for call in calls if call.function] == [("call_1", '{"a":1}')]


def test_a_custom_call_grows_too() -> None:
    asked = chat(stream=True, tools=[{"type": "custom", "custom": {"name": "sql"}}])
    call = {"type": "custom_tool_call", "id": "ct_1", "call_id": "call_1", "name": "sql", "input": ""}
    piece = event("response.custom_tool_call_input.delta", output_index=0, delta="SELECT ")
    rest = event("response.custom_tool_call_input.done", output_index=0, input="SELECT 1")
    choice = folded(added(call), piece, rest, done({**call, "input": "SELECT 1"}), completed(), asked=asked)
    calls = choice.delta.tool_calls or []
    assert (calls[0].id, calls[0].custom) == ("call_1", {"name": "sql", "input": "SELECT 1"})
    assert choice.finish_reason == "tool_calls"


def test_the_old_function_call_grows_too() -> None:
    asked = chat(stream=True, functions=[{"name": "f"}])
    call = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "f", "arguments": ""}
    piece = event("response.function_call_arguments.delta", output_index=0, delta='{"a":1}')
    choice = folded(added(call), piece, completed(), asked=asked)
    assert choice.delta.function_call
    assert (choice.delta.function_call.name, choice.delta.function_call.arguments) == ("f", '{"a":1}')
    assert choice.finish_reason == "function_call"


def thought(delta: str, part: int = 0, kind: str = "reasoning_summary_text") -> bytes:
    place = "summary_index" if "summary" in kind else "content_index"
    return event(f"response.{kind}.delta", output_index=0, item_id="rs_1", delta=delta, **{place: part})


def test_reasoning_grows_by_its_details_and_ends_encrypted() -> None:
    item = {
        "type": "reasoning",
        "id": "rs_1",
        "summary": [{"type": "summary_text", "text": "One"}, {"type": "summary_text", "text": "Two"}],
        "encrypted_content": "gAAA",
    }
    start = added({"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "early"})
    chunks = streamed(start, thought("O"), thought("ne"), thought("Two", 1), done(item), completed(output=[item]))
    assert [chunk.choices[0].delta.reasoning for chunk in chunks[:3]] == ["O", "ne", "Two"]
    named = {"id": "rs_1", "format": "openai-responses-v1"}
    assert [detail for chunk in chunks for detail in chunk.choices[0].delta.reasoning_details or ()] == [
        {"type": "reasoning.summary", "summary": "O", **named, "index": 0},
        {"type": "reasoning.summary", "summary": "ne", "index": 0},
        {"type": "reasoning.summary", "summary": "Two", **named, "index": 1},
        {"type": "reasoning.encrypted", "data": "gAAA", **named, "index": 2},
    ]


@pytest.mark.parametrize("kind", ["reasoning_text", "reasoning"])
def test_the_open_text_of_open_models(kind: str) -> None:
    whole = event(f"response.{kind}.done", output_index=0, content_index=0, text="Hmm")
    delta = folded(added({"type": "reasoning", "id": "rs_1"}), thought("Hm", kind=kind), whole, completed()).delta
    assert delta.reasoning == "Hmm"
    assert [(one["type"], one["text"]) for one in delta.reasoning_details or ()] == [("reasoning.text", "Hmm")]


def test_a_refusal_grows_beside_the_content() -> None:
    piece = event("response.refusal.delta", output_index=0, content_index=0, delta="N")
    whole = event("response.refusal.done", output_index=0, content_index=0, refusal="No")
    choice = folded(added(message()), piece, whole, completed())
    assert (choice.delta.content, choice.delta.refusal, choice.finish_reason) == (None, "No", "stop")


LINK = {"type": "url_citation", "url": "https://a.test", "title": "A", "start_index": 0, "end_index": 1}


def test_citations_come_once_whether_announced_or_not() -> None:
    cited = event("response.output_text.annotation.added", output_index=0, content_index=0, annotation=LINK)
    full = message(words("Hi", annotations=[LINK, LINK]))
    delta = folded(added(message()), text("Hi"), cited, done(full), completed(output=[full])).delta
    assert [one["index"] for one in delta.annotations or ()] == [0, 1]


def test_token_probabilities_come_once_with_their_text() -> None:
    token = {"token": "Hi", "logprob": -0.5, "bytes": None, "top_logprobs": []}
    full = message(words("Hi", logprobs=[token]))
    choice = folded(text("Hi", logprobs=[token]), done(full), completed(output=[full]))
    assert choice.logprobs == {"content": [token], "refusal": None}


def test_images_come_when_they_are_made() -> None:
    made = {"type": "image_generation_call", "id": "ig_1", "result": "AAAA"}
    partial = event("response.image_generation_call.partial_image", output_index=0, partial_image_b64="BBBB")
    delta = folded(added({**made, "result": None}), partial, done(made), completed(output=[made])).delta
    assert [one["image_url"]["url"] for one in delta.images or ()] == ["data:image/png;base64,AAAA"]


def test_several_messages_are_one_and_the_last_phase_counts() -> None:
    first, second = message(words("Looking. "), phase="commentary"), message(words("Found."), phase="final_answer")
    first["id"], second["id"] = "msg_1", "msg_2"
    choice = folded(text("Look"), done(first), text("Fou", output_index=1), done(second, 1), completed())
    assert (choice.delta.content, choice.delta.extra) == ("Looking. Found.", {"phase": "final_answer"})


ONE, TWO = {**message(words("One")), "id": "a"}, {**message(words("Two")), "id": "b"}


@pytest.mark.parametrize(
    "events",
    [
        (added(ONE), text("One"), done(ONE), added(TWO), text("Two"), done(TWO)),
        (added(ONE), text("One"), added(TWO), text("Two")),
        (text("One"), done(ONE), text("Two"), done(TWO)),
        (done(ONE), done(TWO)),
    ],
    ids=["in full", "announced", "ended", "whole"],
)
def test_items_that_share_a_place_are_told_apart_by_their_ids(events: tuple[bytes, ...]) -> None:
    """A server that calls every item the first one."""
    assert folded(*events, completed()).delta.content == "OneTwo"
    assert folded(*events, completed(output=[ONE, TWO])).delta.content == "OneTwo"


def test_items_without_a_place_are_told_apart_by_their_ids() -> None:
    pieces = [
        event("response.output_text.delta", item_id=item, delta=piece) for item, piece in (("a", "On"), ("b", "T"))
    ]
    assert folded(*pieces, completed(output=[ONE, TWO])).delta.content == "OnTewo"


def test_a_text_that_ends_behind_its_item_is_not_told_again() -> None:
    late = event("response.output_text.done", output_index=0, content_index=0, text="One")
    assert folded(added(ONE), text("One"), done(ONE), late, completed(output=[ONE])).delta.content == "One"


def test_nothing_is_told_behind_the_end() -> None:
    decoder = CODEC.decoder(chat=chat(stream=True), to=deployment())
    assert decoder.feed(text("Hi") + completed() + text("more"))[-1].done
    assert decoder.feed(text("more") + completed()) == []
    assert decoder.close() == []
    assert decoder.finished


def test_a_stream_without_its_end_is_not_finished() -> None:
    for tail in (b"", b"data: [DONE]\n\n"):
        decoder = CODEC.decoder(chat=chat(stream=True), to=deployment())
        decoder.feed(text("Hi") + done(message(words("Hi"))) + tail)
        decoder.close()
        assert not decoder.finished


def test_an_incomplete_response() -> None:
    response = {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}
    for kind in ("response.incomplete", "response.completed"):
        last = streamed(text("Hal"), event(kind, response=response))[-1].choices[0]
        assert (last.finish_reason, last.raw_finish_reason) == ("length", "max_output_tokens")


@pytest.mark.parametrize(
    ("last", "kind"),
    [
        (event("error", code="server_is_overloaded", message="Sorry", param=None), errors.UPSTREAM_ERROR),
        (
            event("error", error={"type": "x", "code": "rate_limit_exceeded", "message": "a"}),
            errors.UPSTREAM_RATE_LIMITED,
        ),
        (event("response.failed", response={"error": {"code": "server_error"}}), errors.UPSTREAM_ERROR),
        (event("response.completed", response={"status": "failed"}), errors.UPSTREAM_ERROR),
        (event("response.cancelled", response={"status": "cancelled"}), errors.UPSTREAM_ERROR),
        (event("response.failed"), errors.UPSTREAM_ERROR),
        (b'data: {"error":{"message":"No"}}\n\n', errors.UPSTREAM_ERROR),
        (b"data: 5\n\n", errors.UPSTREAM_ERROR),
        (b"data: {broken\n\n", errors.UPSTREAM_ERROR),
    ],
)
def test_failures_in_a_stream(last: bytes, kind: errors.ErrorKind) -> None:
    chunk = failed(text("Hi"), last, text("more"))
    assert chunk.error is not None
    assert chunk.error.kind is kind


def test_a_failure_tells_what_it_used() -> None:
    usage = {"input_tokens": 5, "output_tokens": 7}
    chunk = failed(event("response.failed", response={"status": "failed", "usage": usage}))
    assert chunk.usage is not None
    assert chunk.usage.total_tokens == 12


def test_a_member_of_the_wrong_type_costs_nothing_but_itself() -> None:
    odd = b'data: {"type":"response.output_text.delta","delta":"Hi","output_index":"x","logprobs":7}\n\n'
    last = b'data: {"type":"response.completed","response":{"id":5,"usage":{"input_tokens":1,"output_tokens":2}}}\n\n'
    chunks = streamed(odd, last)
    assert chunks[0].choices[0].delta.content == "Hi"
    assert chunks[-1].usage is not None
