"""What Cohere's answers are told as, whole and streamed: the same, however their bytes arrive."""

import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmgateway.domain import errors
from llmgateway.domain.errors import ErrorKind, UpstreamError
from llmgateway.domain.usage import Price, Usage, cost_of
from tests.unit.wire.cohere.chat import CODEC, PLAIN, TOOL, asked, cohere, folded, message_of, stream, told, whole

USAGE = {
    "billed_units": {"input_tokens": 12, "output_tokens": 5.0},
    "tokens": {"input_tokens": 212.0, "output_tokens": 7, "reasoning_tokens": 3},
    "cached_tokens": 208,
}
COUNTED = Usage(
    prompt_tokens=212, cached_tokens=208, output_tokens=7, reasoning_tokens=3, billed_input_tokens=12,
    billed_output_tokens=5,
)  # fmt: skip
BEGIN = {
    "type": "message-start",
    "id": "c-1",
    "delta": {"message": {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []}},
}


def piece(kind: str, index: int, **message: Any) -> dict[str, Any]:
    return {"type": kind, "index": index, "delta": {"message": message}}


def finish(reason: str = "COMPLETE", **members: Any) -> dict[str, Any]:
    return {"type": "message-end", "delta": {"finish_reason": reason, "usage": USAGE, **members}}


HELLO = stream(
    BEGIN,
    piece("content-start", 0, content={"type": "text", "text": ""}),
    piece("content-delta", 0, content={"text": "Hel"}),
    piece("content-delta", 0, content={"text": "lo"}),
    {"type": "content-end", "index": 0},
    finish(),
)


def text(value: str) -> dict[str, Any]:
    return {"type": "text", "text": value}


def test_text_with_its_id_reason_and_usage() -> None:
    chunk = whole({"content": [text("Hello")]}, usage=USAGE)
    assert (message_of(chunk).role, message_of(chunk).content, chunk.id) == ("assistant", "Hello", "c-1")
    assert (chunk.choices[0].finish_reason, chunk.choices[0].raw_finish_reason) == ("stop", "COMPLETE")
    assert (chunk.usage, chunk.done) == (COUNTED, True)


def test_a_stream_of_text() -> None:
    chunks = told(HELLO)
    assert [choice.delta.role for chunk in chunks for choice in chunk.choices].count("assistant") == 1
    assert [choice.delta.content for chunk in chunks for choice in chunk.choices if choice.delta.content] == [
        "Hel",
        "lo",
    ]
    assert (chunks[0].id, chunks[-1].usage, chunks[-1].done) == ("c-1", COUNTED, True)
    assert chunks[-1].choices[0].finish_reason == "stop"


def test_what_is_billed_is_priced_and_what_was_counted_is_told() -> None:
    cost = cost_of(COUNTED, Price(input=1000, output=4000, cached_input=100))
    assert (cost.input, cost.cached_input, cost.output) == (12_000, 0, 20_000)
    assert COUNTED.prompt_tokens == 212


@pytest.mark.parametrize(
    ("usage", "told"),
    [
        (None, None),
        ({}, None),
        ({"tokens": {"input_tokens": 3, "output_tokens": 4}}, Usage(prompt_tokens=3, output_tokens=4)),
        (
            {"billed_units": {"input_tokens": 3, "output_tokens": 4}},
            Usage(prompt_tokens=3, output_tokens=4, billed_input_tokens=3, billed_output_tokens=4),
        ),
        ({"tokens": {"input_tokens": -3, "output_tokens": 1e300}}, Usage(prompt_tokens=0, output_tokens=10**12)),
    ],
)
def test_usage(usage: Any, told: Usage | None) -> None:
    assert whole({"content": [text("A")]}, usage=usage).usage == told


CALLS = [
    {"id": "w_1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Paris"}'}},
    {"id": "n_1", "type": "function", "function": {"name": "now", "arguments": ""}},
]
PLANNED = {"tool_plan": "I will look.", "tool_calls": CALLS}
PLANNED_STREAM = stream(
    BEGIN,
    {"type": "tool-plan-delta", "delta": {"message": {"tool_plan": "I will "}}},
    {"type": "tool-plan-delta", "delta": {"message": {"tool_plan": "look."}}},
    piece("tool-call-start", 0, tool_calls={**CALLS[0], "function": {"name": "weather", "arguments": ""}}),
    piece("tool-call-delta", 0, tool_calls={"function": {"arguments": '{"city"'}}),
    piece("tool-call-delta", 0, tool_calls={"function": {"arguments": ': "Paris"}'}}),
    {"type": "tool-call-end", "index": 0},
    piece("tool-call-start", 1, tool_calls=CALLS[1]),
    {"type": "tool-call-end", "index": 1},
    finish("TOOL_CALL"),
)


def test_a_plan_is_reasoning_before_the_calls() -> None:
    chunk = whole(PLANNED, "TOOL_CALL")
    message = message_of(chunk)
    assert (message.content, message.reasoning, chunk.choices[0].finish_reason) == (None, "I will look.", "tool_calls")
    assert message.reasoning_details == [
        {"type": "reasoning.text", "text": "I will look.", "format": "cohere-chat-v2", "index": 0, "id": "tool_plan"}
    ]
    assert [
        (call.id, call.function.name, call.function.arguments) for call in message.tool_calls or () if call.function
    ] == [
        ("w_1", "weather", '{"city": "Paris"}'),
        ("n_1", "now", "{}"),
    ]


def test_a_streamed_plan_and_its_calls_fold_to_the_same() -> None:
    chunks = told(PLANNED_STREAM)
    deltas = [call for chunk in chunks for choice in chunk.choices for call in choice.delta.tool_calls or ()]
    assert [(call.index, call.id or None) for call in deltas] == [
        (0, "w_1"),
        (0, None),
        (0, None),
        (1, "n_1"),
        (1, None),
    ]
    assert message_of(folded(chunks)) == message_of(whole(PLANNED, "TOOL_CALL"))


def test_thinking_is_reasoning_before_the_text() -> None:
    chunk = whole({"content": [{"type": "thinking", "thinking": "Hm."}, text("Hi")]})
    chunks = told(
        stream(
            BEGIN, piece("content-start", 0, content={"type": "thinking", "thinking": ""}),
            piece("content-delta", 0, content={"thinking": "H"}), piece("content-delta", 0, content={"thinking": "m."}),
            {"type": "content-end", "index": 0}, piece("content-start", 1, content={"type": "text", "text": "H"}),
            piece("content-delta", 1, content={"text": "i"}), {"type": "content-end", "index": 1}, finish(),
        )
    )  # fmt: skip
    assert (message_of(chunk).reasoning, message_of(chunk).content) == ("Hm.", "Hi")
    assert message_of(folded(chunks)) == message_of(chunk)


TOOL_SOURCE = {"type": "tool", "id": "w_1:0", "tool_output": {"content": "Sunny"}}
LINKED = {"type": "document", "id": "d1", "document": {"url": "https://example.com/a", "title": "A"}}
CITATION = {"start": 2, "end": 7, "text": "sunny", "sources": [TOOL_SOURCE, LINKED], "type": "TEXT_CONTENT"}
CITED = [
    {"type": "file_citation", "file_citation": {"source": "w_1:0", "start_index": 2, "end_index": 7}, "index": 0},
    {
        "type": "url_citation",
        "url_citation": {"url": "https://example.com/a", "title": "A", "start_index": 2, "end_index": 7},
        "index": 1,
    },
]


def test_citations_are_annotations_with_a_link_where_there_is_one() -> None:
    chunk = whole({"content": [text("A sunny day")], "citations": [CITATION, {**CITATION, "type": "PLAN"}]})
    assert message_of(chunk).annotations == CITED
    chunks = told(
        stream(
            BEGIN, piece("content-delta", 0, content={"text": "A sunny day"}),
            piece("citation-start", 0, citations=CITATION), {"type": "citation-end", "index": 0}, finish(),
        )
    )  # fmt: skip
    assert message_of(folded(chunks)).annotations == CITED


def test_places_in_a_later_part_are_places_in_the_whole_text() -> None:
    content = [text("12345"), text("A sunny day")]
    (one, _) = (
        message_of(whole({"content": content, "citations": [{**CITATION, "content_index": 1}]})).annotations or []
    )
    assert one["file_citation"]["start_index"] == 7


@pytest.mark.parametrize(
    ("raw", "reason"),
    [("COMPLETE", "stop"), ("STOP_SEQUENCE", "stop"), ("MAX_TOKENS", "length"), ("TOOL_CALL", "stop"),
     ("ERROR_TOXIC", "content_filter"), ("NEW", "stop")],
)  # fmt: skip
def test_finish_reasons(raw: str, reason: str) -> None:
    assert whole({"content": [text("A")]}, raw).choices[0].finish_reason == reason
    chunks = told(stream(BEGIN, piece("content-delta", 0, content={"text": "A"}), finish(raw)))
    assert chunks[-1].choices[0].finish_reason == reason


@pytest.mark.parametrize(("raw", "kind"), [("ERROR", errors.UPSTREAM_ERROR), ("TIMEOUT", errors.UPSTREAM_TIMEOUT)])
def test_a_model_that_broke_off_is_an_error(raw: str, kind: ErrorKind) -> None:
    with pytest.raises(UpstreamError) as raised:
        whole({"content": [text("A")]}, raw)
    assert raised.value.kind is kind
    decoder = CODEC.decoder(chat=PLAIN, to=cohere())
    last = decoder.feed(stream(BEGIN, finish(raw, error="Something broke.")))[-1]
    assert last.error is not None
    assert last.error.kind is kind
    assert ("Something broke." in last.error.message) is (raw == "ERROR")
    assert not decoder.finished


def test_probabilities_in_our_form() -> None:
    logprobs = [{"text": "Hé", "token_ids": [1, 2], "logprobs": [-0.5, -0.25]}]
    told_as = {
        "content": [{"token": "Hé", "logprob": -0.75, "bytes": list("Hé".encode()), "top_logprobs": []}],
        "refusal": None,
    }
    assert whole({"content": [text("Hé")]}, logprobs=logprobs).choices[0].logprobs == told_as
    event = {**piece("content-delta", 0, content={"text": "Hé"}), "logprobs": logprobs[0]}
    assert folded(told(stream(BEGIN, event, finish()))).choices[0].logprobs == told_as


def test_the_old_functions_get_a_function_call() -> None:
    chat = asked(functions=[TOOL["function"]])
    chunk = whole({"tool_calls": CALLS[:1]}, "TOOL_CALL", chat=chat)
    call = message_of(chunk).function_call
    assert call
    assert (call.name, chunk.choices[0].finish_reason) == ("weather", "function_call")
    assert message_of(folded(told(PLANNED_STREAM, chat=chat))).function_call == call


def test_content_may_be_a_string() -> None:
    assert message_of(whole({"content": "Hi"})).content == "Hi"


def test_half_a_character_is_replaced() -> None:
    body = b'{"id":"c","message":{"content":[{"type":"text","text":"a\\ud83d"}]},"finish_reason":"COMPLETE"}'
    assert message_of(CODEC.whole(body, chat=PLAIN, to=cohere())).content == "a\ufffd"
    assert message_of(folded(told(HELLO.replace(b"Hel", b"\\ud83d")))).content == "\ufffdlo"


def test_events_nobody_knows_are_passed_over() -> None:
    noise = b'event: x\ndata: {"type":"new-thing","index":"x"}\n\ndata: {"type":"debug","prompt":"p"}\n\n: ping\n\n'
    assert told(noise + HELLO) == told(HELLO)


def test_an_answer_needs_no_last_line() -> None:
    cut = HELLO.removesuffix(b"data: [DONE]\n\n").rstrip()
    assert folded(told(cut)).usage == COUNTED


def test_a_stream_without_its_end_is_not_finished() -> None:
    decoder = CODEC.decoder(chat=PLAIN, to=cohere())
    decoder.feed(HELLO[: HELLO.index(b"event: message-end")])
    decoder.close()
    assert not decoder.finished


@pytest.mark.parametrize(
    "body",
    [
        b"", b"<html>", b"[]", b"null", b"{}", b'{"message":5}', b'{"message":{"content":[5]}}', b"\xff", b"[" * 3000,
        b'{"id":"x","message":"invalid request"}', b'{"message":{},"finish_reason":"ERROR"}',
    ],
)  # fmt: skip
def test_a_200_that_is_no_answer(body: bytes) -> None:
    with pytest.raises(UpstreamError) as raised:
        CODEC.whole(body, chat=PLAIN, to=cohere())
    assert raised.value.status_code == 200


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (b'{"message":"too many requests","id":"x"}', "too many requests"),
        (b'{"error":{"message":"broken"}}', "broken"),
        (b"{}", "cannot be read"),
        (b"not json", "cannot be read"),
        (b'{"type":"content-delta","index":"x"}', "cannot be read"),
        (b'{"type":"content-delta","delta":{"message":{"content":5}}}', "cannot be read"),
        (b'"\xff"', "cannot be read"),
    ],
)
def test_an_error_among_the_events_ends_the_stream(event: bytes, words: str) -> None:
    decoder = CODEC.decoder(chat=PLAIN, to=cohere())
    last = decoder.feed(b"data: " + event + b"\n\n" + HELLO)[-1]
    assert last.error is not None
    assert words in last.error.message
    assert decoder.feed(HELLO) == []


@pytest.mark.parametrize(
    ("status", "message", "kind"),
    [
        (401, "invalid api token", errors.UPSTREAM_AUTH),
        (429, "You are using a Trial key, which is limited to 10 API calls / minute.", errors.UPSTREAM_RATE_LIMITED),
        (400, "too many tokens: the total number of tokens in the prompt cannot exceed 4081", errors.UPSTREAM_CONTEXT),
        (400, "invalid request: message must be at least 1 token long", errors.UPSTREAM_REFUSED),
        (404, "model 'x' not found", errors.UPSTREAM_ERROR),
        (422, "temperature must be positive", errors.UPSTREAM_REFUSED),
        (500, "internal server error", errors.UPSTREAM_ERROR),
        (503, "service unavailable", errors.UPSTREAM_ERROR),
    ],
)
def test_refusals(status: int, message: str, kind: ErrorKind) -> None:
    error = CODEC.error(status, (), json.dumps({"id": "x", "message": message}).encode(), to=cohere())
    assert (error.kind, error.status_code) == (kind, status)
    assert (message in error.message) is (status != 401)


HUNT = settings(max_examples=200, deadline=None, derandomize=True)
VALUES = st.sampled_from([None, 0, -1, 1e300, "", "x", [], {}, [None], {"a": 1}, True, "A" * 300])
INNER = st.dictionaries(
    st.sampled_from(["type", "text", "thinking", "id", "function", "name", "arguments", "start", "end", "sources"]),
    VALUES,
    max_size=3,
)
MESSAGE = st.dictionaries(
    st.sampled_from(["content", "tool_plan", "tool_calls", "citations"]), VALUES | INNER | st.lists(INNER, max_size=2)
)
KINDS = st.sampled_from(
    ["message-start", "content-start", "content-delta", "content-end", "tool-plan-delta", "tool-call-start",
     "tool-call-delta", "tool-call-end", "citation-start", "message-end", "new"]
)  # fmt: skip
EVENTS = st.builds(
    lambda kind, index, message, rest: {"type": kind, "index": index, "delta": {"message": message, **rest}},
    KINDS,
    st.sampled_from([0, 1, -1, 5]) | VALUES,
    MESSAGE,
    st.dictionaries(st.sampled_from(["finish_reason", "usage", "error"]), VALUES | INNER, max_size=2),
)


@HUNT
@given(st.lists(EVENTS, max_size=6), st.lists(st.integers(0, 900), max_size=8))
def test_events_of_any_shape_never_raise_and_are_told_alike(events: list[dict[str, Any]], cuts: list[int]) -> None:
    body = stream(*events)
    chunks = told(body)
    assert sum(chunk.error is not None or chunk.done for chunk in chunks) <= 1
    again = told(body, cuts=cuts)
    assert [str(chunk) for chunk in again] == [str(chunk) for chunk in chunks]


@HUNT
@given(st.binary(max_size=120), st.floats(0, 1), st.integers(0, 60))
def test_bytes_of_any_kind_never_raise(junk: bytes, where: float, removed: int) -> None:
    at = int(where * len(HELLO))
    told(HELLO[:at] + junk + HELLO[at + removed :])
    told(junk)


@HUNT
@given(MESSAGE, VALUES, VALUES)
def test_whole_answers_of_any_shape_are_answers_or_upstream_errors(message: Any, reason: Any, usage: Any) -> None:
    body = {"message": message, "finish_reason": reason, "usage": usage}
    try:
        chunk = CODEC.whole(json.dumps(body).encode(), chat=PLAIN, to=cohere())
    except UpstreamError:
        return
    assert chunk.choices[0].finish_reason is not None


@pytest.mark.parametrize("cut", [1, 7, 100])
def test_any_split_gives_the_same(cut: int) -> None:
    for body in (HELLO, PLANNED_STREAM, HELLO.replace(b"\n", b"\r\n")):
        assert told(body, cuts=list(range(0, len(body), cut))) == told(body)


@pytest.mark.parametrize("kind", ["calls", "citations", "thoughts", "line"])
def test_what_is_remembered_of_an_answer_is_bounded(kind: str) -> None:
    decoder = CODEC.decoder(chat=PLAIN, to=cohere())
    tracemalloc.start()
    try:
        for turn in range(9000):
            data = {
                "calls": stream(piece("tool-call-start", turn, tool_calls=CALLS[0])),
                "citations": stream(piece("citation-start", turn, citations=CITATION)),
                "thoughts": stream(piece("content-delta", turn, content={"thinking": "t"})),
                "line": b"x" * 4096,
            }[kind].removesuffix(b"data: [DONE]\n\n")
            if any(chunk.error is not None for chunk in decoder.feed(data)):
                break
        assert tracemalloc.get_traced_memory()[1] < 70 * 1024 * 1024
    finally:
        tracemalloc.stop()
