"""Every fault of the simulator behind a running gateway: the documented end, settled once, and nothing left over.

All requests are sent at the start, many at once, since some of them wait for timeouts; then each is looked at.
"""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from llmgateway.apps.simulator.faults import FAULTS as KNOWN
from tests.e2e.fault_table import FAULTS, INSIDE, End
from tests.e2e.setting import UPSTREAM_KEY
from tests.support.gateway import Gateway, wait_until
from tests.support.http_client import Answer

LANES = ("sim", "clean", "simulator")
AT_ONCE = 8
CASES = [(lane, fault, streamed) for lane in LANES for fault in FAULTS for streamed in (False, True)]


def described(lane: str, fault: str, streamed: bool) -> Any:
    return pytest.param(lane, fault, streamed, id=f"{lane}-{fault}-{'streamed' if streamed else 'whole'}")


each_case = pytest.mark.parametrize(("lane", "fault", "streamed"), [described(*case) for case in CASES])


class Seen:
    """What became of one request."""

    def __init__(self, answer: Answer, exchanges: list[dict[str, Any]], attempts: list[dict[str, Any]]) -> None:
        self.answer = answer
        self.exchanges = exchanges
        self.attempts = attempts


@pytest.fixture(scope="module")
def seen(gateway: Gateway) -> dict[str, Seen]:
    """By request id, after everything has come to its end and into the database."""
    # The simulator inside the gateway has the usual timeouts, of two minutes.
    cases = [case for case in CASES if not waits_for_a_timeout(*case)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = dict(zip(map(request_id, cases), pool.map(lambda case: ask(gateway, case), cases), strict=True))
    query = "SELECT * FROM exchanges WHERE request_id LIKE 'fault:%'"
    rows = wait_until(
        lambda: found if len(found := gateway.ask(query)) >= len(answers) else [], what="a row of each request"
    )
    attempts = gateway.ask("SELECT * FROM attempts")
    return {
        name: Seen(
            answer,
            exchanges := [row for row in rows if row["request_id"] == name],
            [row for row in attempts if row["exchange_id"] in [one["log_id"] for one in exchanges]],
        )
        for name, answer in answers.items()
    }


def request_id(case: tuple[str, str, bool]) -> str:
    return f"fault:{case[0]}:{case[1]}:{'streamed' if case[2] else 'whole'}"


def ask(gateway: Gateway, case: tuple[str, str, bool]) -> Answer:
    lane, fault, streamed = case
    return gateway.chat(f"{lane}/fault-{fault}", headers={"x-request-id": request_id(case)}, stream=streamed)


def waits_for_a_timeout(lane: str, fault: str, _streamed: bool) -> bool:
    return lane == "simulator" and fault.startswith("stall-")


def expected(lane: str, fault: str, streamed: bool) -> End:
    if waits_for_a_timeout(lane, fault, streamed):
        pytest.skip("takes two minutes there, and is proved in memory")
    row = INSIDE.get(fault, FAULTS[fault]) if lane == "simulator" else FAULTS[fault]
    return row[streamed]


def test_the_table_has_every_fault() -> None:
    assert FAULTS.keys() == KNOWN.keys()


@each_case
def test_the_client_is_told_as_documented(seen: dict[str, Seen], lane: str, fault: str, streamed: bool) -> None:
    end = expected(lane, fault, streamed)
    answer = seen[request_id((lane, fault, streamed))].answer
    if end.status == 200:
        check_success(answer, streamed=streamed, end=end)
    elif end.begun:
        check_error_event(answer, end)
    else:
        check_error(answer, end)
    assert UPSTREAM_KEY.encode() not in answer.body
    assert answer.headers["x-request-id"] == request_id((lane, fault, streamed))


def check_success(answer: Answer, *, streamed: bool, end: End) -> None:
    assert answer.status == 200, answer.body[:500]
    finish = "tool_calls" if end.outcome == "tool_calls" else "stop"
    if not streamed:
        assert answer.json["choices"][0]["finish_reason"] == finish
        told = answer.json
    else:
        assert answer.finish_reasons == [finish]
        assert answer.frames[-1] == "data: [DONE]"
        assert [event for event in answer.events if "usage" in event] == [answer.last_event]
        assert not any("error" in event for event in answer.events)
        told = answer.last_event
    assert ("estimated" in told["usage"].get("info", "")) == (end.usage == "estimated")
    assert [entry["error_type"] for entry in told["metadata"]["routing"]] == ["none"]


def check_error_event(answer: Answer, end: End) -> None:
    """One event with choices [], error, usage and metadata, then [DONE]; never a finish before it."""
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.frames[-1] == "data: [DONE]"
    assert answer.finish_reasons == []
    failed = [event for event in answer.events if "error" in event]
    assert failed == [answer.last_event]
    last = answer.last_event
    error = last["error"]
    assert last["choices"] == []
    assert (error["status"], error["type"], error["code"]) == (end.status, end.type, end.code)
    assert last["usage"]["completion_tokens"] > 0
    assert last["id"] == answer.events[0]["id"]
    routing = last["metadata"]["routing"]
    assert [(entry["error_type"], entry["succeeded"]) for entry in routing] == [(end.attempt, False)]


def check_error(answer: Answer, end: End) -> None:
    assert answer.status == end.status, answer.body[:500]
    assert answer.headers["content-type"] == "application/json"
    error = answer.json["error"]
    assert error.keys() == {"message", "type", "param", "code"}
    assert (error["type"], error["code"], error["param"]) == (end.type, end.code, end.param)
    assert len(error["message"]) <= 1100
    assert answer.headers.get("x-should-retry") == end.should_retry
    wait = answer.headers.get("retry-after")
    assert (wait is None) == (end.retry_after is None)
    assert wait is None or int(wait) in (end.retry_after, (end.retry_after or 0) - 1)
    (entry,) = answer.json["metadata"]["routing"]
    assert (entry["error_type"], entry["status_code"], entry["succeeded"]) == (end.attempt, end.upstream, False)


@each_case
def test_one_settled_exchange_and_one_attempt_are_recorded(
    seen: dict[str, Seen], lane: str, fault: str, streamed: bool
) -> None:
    end = expected(lane, fault, streamed)
    case = seen[request_id((lane, fault, streamed))]
    (exchange,) = case.exchanges
    (attempt,) = case.attempts
    recorded = [exchange[name] for name in ("status", "outcome", "error_type", "error_code", "truncated", "attempts")]
    assert recorded == [end.status, end.outcome, end.type, end.code, int(end.begun), 1]
    tried = [attempt[name] for name in ("status_code", "error_type", "succeeded", "provider", "model")]
    assert tried == [end.upstream, end.attempt, int(end.status == 200), lane, f"fault-{fault}"]
    assert (exchange["stream"], exchange["used_provider"]) == (int(streamed), lane)
    answered = end.status == 200 or end.begun
    assert exchange["usage_source"] == (end.usage if answered else None)
    assert (exchange["completion_tokens"] > 0) == answered
    assert UPSTREAM_KEY not in json.dumps([exchange, attempt])


@pytest.mark.usefixtures("seen")
def test_no_connection_and_no_request_is_left_over(gateway: Gateway) -> None:
    wait_until(lambda: gateway.metric("requests_in_flight") == 0, what="an idle gateway")
    assert gateway.metric("upstream_connections_open") == gateway.metric("upstream_connections_idle")
    assert gateway.metric("buffered_body_bytes") == 0
    assert "Traceback" not in gateway.written()
    assert "never retrieved" not in gateway.written()


def test_a_refused_dial_is_an_unreachable_provider(gateway: Gateway) -> None:
    for streamed in (False, True):
        answer = gateway.chat("closed/any", stream=streamed)
        assert (answer.status, answer.json["error"]["code"]) == (502, "upstream_unreachable")
        assert answer.headers["x-should-retry"] == "false"
        assert answer.json["metadata"]["routing"][0]["status_code"] == 0


def test_a_model_that_a_listed_provider_does_not_know_is_the_providers_failure(gateway: Gateway) -> None:
    """Only a provider that takes any name can say that the caller's name is wrong."""
    answer = gateway.chat("listed/gone")
    assert (answer.status, answer.json["error"]["code"]) == (502, "upstream_error")


def test_a_priced_stream_that_is_cut_is_billed_as_estimated(gateway: Gateway) -> None:
    last = gateway.chat("listed/cut", stream=True, headers={"x-request-id": "cut-and-billed"}).last_event
    usage = last["usage"]
    assert "estimated" in usage["info"]
    assert usage["cost_usd_total"] > 0
    row = gateway.exchange("cut-and-billed")
    assert (row["outcome"], row["truncated"], row["usage_source"]) == ("upstream_error", 1, "estimated")
    assert row["cost_total"] == usage["prompt_tokens"] * 1_000_000 + usage["completion_tokens"] * 2_000_000


def test_silence_before_the_first_token_is_broken_by_keep_alives(gateway: Gateway) -> None:
    answer = gateway.chat("told/free", stream=True, told={"delay_s": 2.2})
    assert answer.frames[0] == ": keep-alive"
    assert answer.text == "Hello."


def test_a_failure_behind_a_keep_alive_is_an_event(gateway: Gateway) -> None:
    """The 200 is out: the status it would have had is in the error."""
    answer = gateway.chat("patient/fault-stall-headers", stream=True, headers={"x-request-id": "late-failure"})
    assert answer.status == 200
    assert answer.frames[0] == ": keep-alive"
    assert answer.frames[-1] == "data: [DONE]"
    (event,) = answer.events
    assert event["choices"] == []
    assert (event["error"]["status"], event["error"]["code"]) == (504, "upstream_timeout")
    assert event["metadata"]["routing"][0]["error_type"] == "timeout"
    row = gateway.exchange("late-failure")
    assert (row["status"], row["outcome"], row["cost_total"]) == (504, "upstream_error", 0)
