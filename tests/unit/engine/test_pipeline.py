"""One request from body to last byte: whatever happens it is answered once, recorded once, and in that order."""

from typing import Any

import pytest

from llmgateway.domain import errors
from llmgateway.domain.errors import GatewayError, UpstreamError
from llmgateway.engine.exchange import RequestFacts
from llmgateway.engine.pipeline import error_headers
from tests.support.fakes import (
    DONE,
    FINISH,
    FIRST,
    JSON,
    KEY,
    USAGE,
    Bench,
    FakeFetcher,
    FakeJournal,
    Script,
    event,
    provider,
    request_body,
    says,
    snapshot,
    whole,
)

ANSWER = (FIRST, says("Hel"), says("lo"), FINISH, USAGE, DONE)
RESET = UpstreamError(errors.UPSTREAM_UNREACHABLE, "The connection broke.")


def contents(bench: Bench) -> str:
    events = [one for one in bench.down.events if isinstance(one, dict)]
    return "".join(choice["delta"].get("content") or "" for one in events for choice in one["choices"])


# Answers


async def test_a_whole_answer_is_in_our_envelope_with_cost_and_way() -> None:
    bench = Bench(Script(whole(), headers=JSON))
    down = await bench.ask()
    assert down.status == 200
    answer = down.answer
    assert (answer["id"], answer["object"], answer["model"]) == ("chatcmpl-up", "chat.completion", "acme/gpt-x")
    assert answer["choices"][0]["message"]["content"] == "Hi"
    assert answer["usage"]["cost_usd_total"] == 0.00002
    assert answer["metadata"]["request_id"] == "request-1"
    assert (bench.journal.exchange["status"], bench.journal.exchange["outcome"]) == (200, "completed")


async def test_without_an_id_of_the_provider_the_answer_has_that_of_its_record() -> None:
    bench = Bench(Script(whole(id=""), headers=JSON))
    answer = (await bench.ask()).answer
    assert answer["id"] == f"chatcmpl-{bench.journal.exchange['log_id']}"


async def test_a_stream_ends_with_one_usage_event_and_the_terminator() -> None:
    bench = Bench(Script(*ANSWER))
    down = await bench.ask(stream=True, stream_options={"include_usage": True})
    assert down.streaming
    assert contents(bench) == "Hello"
    assert down.events[-1] == "[DONE]"
    assert [("usage" in one) for one in down.events[:-1]] == [False] * (len(down.events) - 2) + [True]
    last = down.events[-2]
    assert last["choices"] == []
    assert last["metadata"]["used_model"] == "acme/gpt-x"
    assert last["usage"]["completion_tokens"] == 5
    assert len({(one["id"], one["created"], one["model"]) for one in down.events[:-1]}) == 1
    assert bench.transport.responses[0].released
    assert bench.journal.exchange["outcome"] == "completed"


async def test_a_naive_client_sees_a_choice_in_the_last_event() -> None:
    bench = Bench(Script(*ANSWER))
    down = await bench.ask(stream=True)
    assert down.events[-2]["choices"][0]["delta"] == {}


async def test_members_of_an_event_without_choices_are_in_the_last_event() -> None:
    usage = {"prompt_tokens": 10, "completion_tokens": 5}
    bench = Bench(Script(FIRST, says("Hi"), FINISH, event(usage=usage, x_vendor={"id": 1}, service_tier="flex"), DONE))
    down = await bench.ask(stream=True)
    assert (down.events[-2]["x_vendor"], down.events[-2]["service_tier"]) == ({"id": 1}, "flex")


async def test_what_comes_in_one_read_goes_out_in_one_write() -> None:
    bench = Bench(Script(FIRST, says("a") + says("b") + says("c"), FINISH + USAGE + DONE))
    await bench.ask(stream=True)
    assert [b"".join(bench.down.pieces[:1]).count(b"data: "), len(bench.down.pieces)] == [4, 3]


async def test_json_from_a_provider_that_does_not_stream_is_told_as_a_stream() -> None:
    bench = Bench(Script(whole("Hello"), headers=JSON))
    await bench.ask(stream=True)
    assert contents(bench) == "Hello"
    assert bench.down.events[-1] == "[DONE]"


async def test_hidden_reasoning_is_not_shown_but_counted_as_content() -> None:
    bench = Bench(Script(FIRST, event({"reasoning": "hm"}), says("Hi"), FINISH, USAGE, DONE))
    await bench.ask(stream=True, include_reasoning=False)
    assert b"hm" not in b"".join(bench.down.pieces)
    assert contents(bench) == "Hi"


async def test_after_a_keep_alive_a_failure_before_content_is_an_event_that_carries_its_status() -> None:
    bench = Bench(Script(status=500, headers=JSON))
    bench.down.begin()
    down = await bench.ask(stream=True)
    last, done = down.events
    assert done == "[DONE]"
    assert last["error"]["status"] == 502
    assert last["metadata"]["routing"][0]["status_code"] == 500
    assert "usage" not in last
    assert bench.journal.exchange["status"] == 502
    assert not bench.journal.exchange["truncated"]


# Order: the record first, then the last bytes


async def test_a_whole_answer_leaves_after_its_record_was_written() -> None:
    bench = Bench(Script(whole(), headers=JSON), journal=FakeJournal(held=True))
    await bench.ask()
    assert len(bench.journal.records) == 1
    assert not bench.down.ended
    bench.journal.write()
    assert bench.down.ended


async def test_the_last_bytes_of_a_stream_leave_after_its_record_was_written() -> None:
    bench = Bench(Script(*ANSWER), journal=FakeJournal(held=True))
    await bench.ask(stream=True)
    assert contents(bench) == "Hello"
    assert bench.down.events[-1] != "[DONE]"
    bench.journal.write()
    assert bench.down.events[-1] == "[DONE]"


async def test_an_error_leaves_after_its_record_was_written() -> None:
    bench = Bench(journal=FakeJournal(held=True))
    await bench.ask(model="nothing")
    assert not bench.down.ended
    bench.journal.write()
    assert bench.down.status == 404


# Errors before anything was told


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{", 400, "invalid_json"),
        (b"{}", 400, "missing_required_parameter"),
        (request_body(model="nothing"), 404, "model_not_found"),
        (request_body(model="auto"), 400, "no_provider_available"),
    ],
)
async def test_a_bad_request_is_refused_and_recorded_without_an_attempt(body: bytes, status: int, code: str) -> None:
    bench = Bench()
    down = await bench.ask(body)
    assert (down.status, down.answer["error"]["code"]) == (status, code)
    assert "metadata" not in down.answer
    row = bench.journal.exchange
    assert (row["status"], row["outcome"], row["error_code"]) == (status, "client_error", code)
    assert (row["attempts"], row["cost_total"], row["usage_source"]) == (0, 0, None)
    assert bench.transport.requests == []


async def test_after_an_attempt_the_error_tells_the_way() -> None:
    bench = Bench(Script(status=500, headers=JSON))
    down = await bench.ask()
    assert down.status == 502
    assert set(down.answer["metadata"]) == {"request_id", "routing"}
    assert bench.journal.exchange["outcome"] == "upstream_error"


async def test_a_stream_that_has_not_begun_fails_with_its_status() -> None:
    bench = Bench(Script(FIRST, RESET))
    down = await bench.ask(stream=True)
    assert (down.status, down.answer["error"]["code"]) == (502, "upstream_unreachable")
    assert bench.transport.responses[0].closed


async def test_a_request_refused_before_its_body_has_a_record_too() -> None:
    bench = Bench()
    error = GatewayError(errors.OVERLOADED, "Busy.", retry_after_s=1)
    bench.gateway.refuse(error, key=KEY, facts=RequestFacts("request-1"), down=bench.down)
    assert bench.down.status == 503
    assert dict(bench.down.headers) == {b"retry-after": b"1", b"x-should-retry": b"true"}
    row = bench.journal.exchange
    assert (row["status"], row["outcome"], row["requested_model"]) == (503, "gateway_error", None)


@pytest.mark.parametrize(
    ("kind", "wait_s", "headers"),
    [
        (errors.INVALID_VALUE, None, {}),
        (errors.UPSTREAM_ERROR, None, {b"x-should-retry": b"false"}),
        (errors.UPSTREAM_ERROR, 2.2, {b"retry-after": b"3"}),
        (errors.UPSTREAM_RATE_LIMITED, None, {b"x-should-retry": b"false"}),
        (errors.UPSTREAM_RATE_LIMITED, 0.01, {b"retry-after": b"1"}),
        (errors.UPSTREAM_TIMEOUT, None, {b"x-should-retry": b"false"}),
        (errors.RATE_LIMITED, 5, {b"retry-after": b"5", b"x-should-retry": b"true"}),
        (errors.OVERLOADED, 1, {b"retry-after": b"1", b"x-should-retry": b"true"}),
    ],
)
def test_error_headers_tell_sdks_when_to_come_back(
    kind: Any, wait_s: float | None, headers: dict[bytes, bytes]
) -> None:
    assert dict(error_headers(GatewayError(kind, "x", retry_after_s=wait_s))) == headers


# Errors after content


@pytest.mark.parametrize(
    ("steps", "code"),
    [
        ((FIRST, says("Hel"), RESET), "upstream_unreachable"),
        ((FIRST, says("Hel")), "stream_truncated"),
        ((FIRST, says("Hel"), DONE), "stream_truncated"),
        ((FIRST, says("Hel"), event(error={"message": "broken"})), "upstream_error"),
        ((FIRST, says("Hel") + event(error={"message": "broken"})), "upstream_error"),
        ((FIRST, says("Hel"), b"data: {broken\n\n"), "upstream_error"),
        ((FIRST, says("Hel"), UpstreamError(errors.UPSTREAM_TIMEOUT, "x")), "upstream_timeout"),
    ],
    ids=["reset", "cut", "done without finish", "error event", "error in the same read", "garbage", "idle"],
)
async def test_a_stream_that_fails_after_content_ends_with_one_error_event(steps: Any, code: str) -> None:
    bench = Bench(Script(*steps))
    down = await bench.ask(stream=True)
    assert contents(bench) == "Hel"
    assert down.events[-1] == "[DONE]"
    last = down.events[-2]
    assert (last["choices"], last["error"]["code"]) == ([], code)
    assert last["error"]["status"] in (502, 504)
    assert last["usage"]["info"] == "estimated"
    assert last["metadata"]["routing"][0]["succeeded"] is False
    assert sum("error" in one for one in down.events if isinstance(one, dict)) == 1
    assert not any(choice["finish_reason"] for one in down.events[:-2] for choice in one["choices"])
    row = bench.journal.exchange
    assert (row["truncated"], row["error_code"], row["usage_source"]) == (True, code, "estimated")
    assert row["cost_total"] > 0
    assert bench.transport.responses[0].closed


@pytest.mark.parametrize("end", [(RESET,), (b"data: [DO", RESET), (b"data: [DO",)], ids=["reset", "cut", "short"])
async def test_a_complete_answer_stays_complete_however_its_connection_ends(end: Any) -> None:
    """The finish chunk is with the client; an error after it would say the contrary."""
    bench = Bench(Script(FIRST, says("Hi"), FINISH, *end))
    down = await bench.ask(stream=True)
    assert "error" not in down.events[-2]
    assert (bench.journal.exchange["outcome"], bench.journal.exchange["truncated"]) == ("completed", False)


async def test_with_several_choices_a_broken_connection_may_have_taken_one() -> None:
    bench = Bench(Script(FIRST, says("Hi"), FINISH, RESET))
    down = await bench.ask(stream=True, n=2)
    assert down.events[-2]["error"]["code"] == "upstream_unreachable"


async def test_a_clean_end_without_the_terminator_is_an_end() -> None:
    bench = Bench(Script(FIRST, says("Hi"), FINISH))
    down = await bench.ask(stream=True)
    assert down.events[-1] == "[DONE]"
    assert down.events[-2]["usage"]["info"] == "estimated"


# Images


IMAGE = "https://example.com/a.png"


def seeing(url: str) -> list[dict[str, Any]]:
    return [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}]


async def test_a_url_that_no_provider_should_see_is_refused_before_anything_is_sent() -> None:
    bench = Bench(fetcher=FakeFetcher(refused=(IMAGE,)))
    down = await bench.ask(messages=seeing(IMAGE))
    assert (down.status, down.answer["error"]["param"]) == (400, "messages[0].content[0].image_url.url")
    assert bench.transport.requests == []


async def test_an_image_that_cannot_be_fetched_is_a_refusal_without_an_attempt() -> None:
    bench = Bench(snapshot_=snapshot(providers=[provider(quirks=("inline_media",))]))
    down = await bench.ask(messages=seeing(IMAGE))
    assert (down.status, bench.journal.exchange["attempts"]) == (400, 0)


# Every ending is counted


@pytest.mark.parametrize(
    ("scripts", "fields", "outcome"),
    [
        ((Script(whole(), headers=JSON),), {}, "completed"),
        ((Script(whole("x", finish="length"), headers=JSON),), {}, "length_limit"),
        ((Script(*ANSWER),), {"stream": True}, "completed"),
        ((Script(FIRST, says("x"), RESET),), {"stream": True}, "upstream_error"),
        ((), {"model": "nothing"}, "client_error"),
        ((Script(status=500, headers=JSON),), {}, "upstream_error"),
    ],
)
async def test_each_exchange_is_settled_and_counted_once(scripts: Any, fields: dict[str, Any], outcome: str) -> None:
    bench = Bench(*scripts)
    await bench.ask(**fields)
    assert bench.journal.exchange["outcome"] == outcome
    assert list(bench.meters.requests.values()) == [1]
    assert bench.down.ended
    assert all(response.closed or response.released for response in bench.transport.responses)
    assert bench.bugs == []
