"""Trying deployments until one is committed: what counts as failed, what is tried next, and what is told at last."""

from typing import Any

import pytest

from llmgateway.domain import errors
from llmgateway.domain.errors import ErrorKind, UpstreamError
from tests.support.attempting import STREAM, WHOLE, Try, answered, text
from tests.support.fakes import (
    DONE,
    EVENTS,
    FINISH,
    FIRST,
    JSON,
    SECRET,
    USAGE,
    Script,
    candidates,
    event,
    says,
    whole,
)

# Commitment


async def test_a_whole_answer_is_one_chunk_with_nothing_to_follow() -> None:
    one = Try(WHOLE)
    committed = await one.run()
    assert text(committed) == "Hi"
    assert (committed.decoder, committed.response) == (None, None)
    assert one.closed == [True]


async def test_a_stream_is_committed_by_its_first_content_and_not_read_further() -> None:
    one = Try(STREAM)
    committed = await one.run(stream=True)
    assert text(committed) == "Hi"
    assert one.transport.responses[0].reads == 2
    assert one.closed == [False]


@pytest.mark.parametrize(
    "first",
    [
        event({"tool_calls": [{"index": 0, "id": "c", "function": {"name": "f", "arguments": ""}}]}),
        event({"reasoning_content": "hm"}),
        event({"refusal": "no"}),
    ],
    ids=["tool call", "reasoning", "refusal"],
)
async def test_whatever_a_client_sees_is_content(first: bytes) -> None:
    one = Try(Script(FIRST, first, FINISH, DONE))
    committed = await one.run(stream=True)
    assert committed.response is not None
    assert one.transport.responses[0].reads == 2


async def test_empty_deltas_of_a_clean_provider_are_not_content() -> None:
    """They take the native lane, and must not keep the next provider from taking over."""
    one = Try(
        Script(FIRST, says(""), says(""), event(error={"message": "overloaded", "code": 503})),
        STREAM,
        plan=candidates("p1", "p2", clean=True),
    )
    committed = await one.run(stream=True)
    forwarded = [tail for chunk in committed.chunks if chunk.wire is not None for tail in chunk.wire.tails]
    assert any(b'"Hi"' in tail for tail in forwarded)
    assert one.told == [("upstream_error", 200), ("none", 200)]


async def test_events_before_the_content_are_held_and_handed_over_in_order() -> None:
    one = Try(Script(FIRST, event({"content": ""}), FIRST + says("a") + says("b")))
    committed = await one.run(stream=True)
    assert text(committed) == "ab"
    assert committed.chunks[0].choices[0].delta.role == "assistant"


# One thing asked for, another answered


async def test_events_in_answer_to_a_whole_request_are_folded() -> None:
    one = Try(Script(FIRST, says("Hel"), says("lo"), FINISH, USAGE, DONE))
    committed = await one.run()
    assert [choice.delta.content for choice in committed.chunks[0].choices] == ["Hello"]
    assert one.exchange.usage is not None
    assert one.closed == [True]


async def test_they_are_folded_for_clean_providers_too() -> None:
    one = Try(Script(FIRST, says("Hel"), says("lo") + FINISH + USAGE + DONE), plan=candidates("p1", clean=True))
    assert (await one.run()).chunks[0].choices[0].delta.content == "Hello"


async def test_an_error_among_them_is_a_failed_attempt_even_after_content() -> None:
    """Nothing of it has reached the client."""
    one = Try(Script(FIRST, says("Hel"), event(error={"message": "broken"})), WHOLE)
    assert text(await one.run()) == "Hi"
    assert one.told[0] == ("upstream_error", 200)


async def test_json_in_answer_to_a_streamed_request_is_one_chunk() -> None:
    one = Try(WHOLE)
    committed = await one.run(stream=True)
    assert text(committed) == "Hi"
    assert committed.response is None


@pytest.mark.parametrize(
    "kind", [(), ((b"content-type", b"text/plain"),), ((b"content-type", b"application/octet-stream"),)]
)
@pytest.mark.parametrize("stream", [False, True])
async def test_without_a_telling_content_type_what_was_asked_for_is_expected(stream: bool, kind: Any) -> None:
    body = FIRST + says("Hi") + FINISH + DONE if stream else whole()
    assert text(await Try(Script(body, headers=kind)).run(stream=stream)) == "Hi"


async def test_another_content_type_is_named_and_tried_elsewhere() -> None:
    one = Try(Script(b"<html>", headers=((b"content-type", b"text/html"),)), WHOLE)
    assert text(await one.run()) == "Hi"
    assert "text/html" in (one.exchange.attempts[0].error_message or "")


# Failures, each with its entry, its verdict and whether the next provider is tried

FAILURES: list[tuple[str, Script | Exception, tuple[str, int], ErrorKind]] = [
    ("unreachable", UpstreamError(errors.UPSTREAM_UNREACHABLE, "x"), ("network_error", 0), errors.UPSTREAM_UNREACHABLE),
    ("timeout", UpstreamError(errors.UPSTREAM_TIMEOUT, "x"), ("timeout", 0), errors.UPSTREAM_TIMEOUT),
    ("500", answered(500), ("upstream_error", 500), errors.UPSTREAM_ERROR),
    ("503", answered(503), ("upstream_error", 503), errors.UPSTREAM_ERROR),
    ("529", answered(529), ("upstream_error", 529), errors.UPSTREAM_ERROR),
    ("429", answered(429), ("rate_limited", 429), errors.UPSTREAM_RATE_LIMITED),
    ("408", answered(408), ("timeout", 408), errors.UPSTREAM_TIMEOUT),
    ("409", answered(409), ("upstream_error", 409), errors.UPSTREAM_ERROR),
    ("401", answered(401), ("auth_error", 401), errors.UPSTREAM_AUTH),
    ("402", answered(402), ("auth_error", 402), errors.UPSTREAM_QUOTA),
    ("403", answered(403), ("auth_error", 403), errors.UPSTREAM_FORBIDDEN),
    ("404", answered(404), ("upstream_error", 404), errors.UPSTREAM_ERROR),
    ("413", answered(413), ("client_error", 413), errors.UPSTREAM_CONTEXT),
    ("not JSON", Script(b"<html>", headers=JSON), ("upstream_error", 200), errors.UPSTREAM_ERROR),
    ("empty body", Script(headers=JSON), ("upstream_error", 200), errors.UPSTREAM_ERROR),
    ("error in 200", answered(200, "overloaded"), ("upstream_error", 200), errors.UPSTREAM_ERROR),
    ("error event", Script(FIRST, event(error={"message": "x"})), ("upstream_error", 200), errors.UPSTREAM_ERROR),
    ("cut before content", Script(FIRST), ("upstream_error", 200), errors.STREAM_TRUNCATED),
    (
        "reset while waiting for content",
        Script(FIRST, UpstreamError(errors.UPSTREAM_UNREACHABLE, "x")),
        ("network_error", 200),
        errors.UPSTREAM_UNREACHABLE,
    ),
]
failing = pytest.mark.parametrize(
    ("script", "entry", "kind"), [row[1:] for row in FAILURES], ids=[row[0] for row in FAILURES]
)


@failing
async def test_a_failure_has_its_entry_and_the_next_provider_takes_over(
    script: Script | Exception, entry: tuple[str, int], kind: ErrorKind
) -> None:
    stream = isinstance(script, Script) and script.headers is EVENTS
    one = Try(script, STREAM if stream else WHOLE)
    assert text(await one.run(stream=stream)) == "Hi"
    assert one.told == [entry, ("none", 200)]
    assert one.exchange.attempts[0].error_code == kind.code
    assert one.exchange.attempts[0].ended_ns
    assert all(one.closed[:-1])


@failing
async def test_a_failure_of_the_only_provider_is_told(
    script: Script | Exception, entry: tuple[str, int], kind: ErrorKind
) -> None:
    one = Try(script)
    error = await one.refused(stream=isinstance(script, Script) and script.headers is EVENTS)
    assert error.kind is kind
    assert one.told == [entry]
    assert all(one.closed)


async def test_what_the_provider_refuses_is_not_tried_elsewhere() -> None:
    one = Try(answered(422, "no such tool", code='"bad_tool"'), WHOLE)
    error = await one.refused()
    assert (error.status, error.code, error.kind) == (422, "bad_tool", errors.UPSTREAM_REFUSED)
    assert "p1" in error.message
    assert one.told == [("client_error", 422)]


async def test_a_content_filter_is_not_tried_elsewhere() -> None:
    one = Try(answered(400, "flagged", code='"content_policy_violation"'), WHOLE)
    assert (await one.refused()).kind is errors.UPSTREAM_CONTENT_FILTER
    assert one.told == [("content_filter", 400)]


async def test_words_of_401_and_403_are_never_told() -> None:
    for status in (401, 403):
        error = await Try(answered(status, f"Incorrect API key: {SECRET}")).refused()
        assert SECRET not in error.message
        assert "Incorrect" not in error.message


async def test_a_key_in_other_words_is_blotted_out() -> None:
    one = Try(answered(500, f"key {SECRET} broke"))
    assert SECRET not in (await one.refused()).message
    assert SECRET not in (one.exchange.attempts[0].error_message or "")


# Empty answers

EMPTY = [
    whole(None, usage=None),
    whole("", usage={"prompt_tokens": 5, "completion_tokens": 0}),
    whole(None, choices=[], usage=None),
    whole(None, finish=None, usage=None),
]


@pytest.mark.parametrize("body", EMPTY, ids=["null", "empty string", "no choice", "no finish"])
async def test_an_answer_with_nothing_in_it_is_a_failure(body: bytes) -> None:
    one = Try(Script(body, headers=JSON), WHOLE)
    assert text(await one.run()) == "Hi"
    assert one.told[0] == ("upstream_error", 200)


@pytest.mark.parametrize(
    "steps",
    [(DONE,), (FIRST, FINISH, DONE), (FIRST, FINISH, event(usage={"prompt_tokens": 5, "completion_tokens": 0}), DONE)],
)
@pytest.mark.parametrize("stream", [False, True])
async def test_so_is_a_stream_with_nothing_in_it(steps: tuple[bytes, ...], stream: bool) -> None:
    one = Try(Script(*steps), STREAM if stream else WHOLE)
    assert text(await one.run(stream=stream)) == "Hi"
    assert one.told[0] == ("upstream_error", 200)


async def test_a_stream_without_a_choice_is_empty_not_cut() -> None:
    for steps in ((), (DONE,), (b": comment\n\n", event(), DONE)):
        assert (await Try(Script(*steps)).refused(stream=True)).kind is errors.UPSTREAM_ERROR


@pytest.mark.parametrize(
    "body",
    [
        whole("", usage={"prompt_tokens": 5, "completion_tokens": 3}),
        whole("", finish="length", usage=None),
        whole("", finish="content_filter", usage=None),
    ],
    ids=["tokens", "length", "content filter"],
)
async def test_no_text_but_tokens_or_a_reason_is_an_answer(body: bytes) -> None:
    one = Try(Script(body, headers=JSON))
    await one.run()
    assert one.told == [("none", 200)]


async def test_a_stream_without_text_but_with_tokens_is_an_answer_too() -> None:
    one = Try(Script(FIRST, FINISH, USAGE, DONE))
    committed = await one.run(stream=True)
    assert [choice.finish_reason for chunk in committed.chunks for choice in chunk.choices] == [None, "stop"]
    assert one.transport.responses[0].released


async def test_what_an_empty_answer_cost_the_operator_is_noted() -> None:
    one = Try(Script(whole("", usage={"prompt_tokens": 7, "completion_tokens": 0}), headers=JSON), WHOLE)
    await one.run()
    assert [tried.upstream_cost for tried in one.exchange.attempts] == [7_000_000, 0]


async def test_nothing_of_a_failed_attempt_is_left_for_the_next() -> None:
    one = Try(Script(FIRST, event({"reasoning": "hm"}), UpstreamError(errors.UPSTREAM_ERROR, "x")), WHOLE)
    await one.run()
    assert one.exchange.first_reasoning_ns == 0
    assert one.exchange.content_characters == 2


# Bounds


async def test_a_stream_without_content_is_given_up_after_a_thousand_events() -> None:
    """What is held for the next provider's sake is bounded."""
    one = Try(Script(*[event({}, usage={"prompt_tokens": 1, "completion_tokens": 0})] * 1100))
    assert (await one.refused(stream=True)).kind is errors.UPSTREAM_ERROR
    assert one.transport.responses[0].reads < 1100


async def test_an_endless_stream_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llmgateway.engine.attempt.MAX_WHOLE_BYTES", 10_000)
    one = Try(Script(FIRST, *[b": comment\n\n" * 100] * 100))
    assert (await one.refused()).kind is errors.UPSTREAM_ERROR
    assert one.transport.responses[0].reads < 20


async def test_the_simulators_header_goes_to_simulator_rows_only() -> None:
    for quirks, sent in (((), False), (("x_simulator",), True)):
        one = Try(WHOLE, plan=candidates("p1", quirks=quirks))
        one.exchange.facts.simulator = b"fault=429"
        await one.run()
        assert (b"x-simulator" in one.transport.requests[0].head) is sent


async def test_the_verdict_is_over_all_candidates() -> None:
    one = Try(answered(429, headers=((b"retry-after", b"7"),)), answered(429, headers=((b"retry-after", b"3"),)))
    error = await one.refused()
    assert (error.kind, error.retry_after_s) == (errors.UPSTREAM_RATE_LIMITED, 3)
    assert one.told == [("rate_limited", 429)] * 2
