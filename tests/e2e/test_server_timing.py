"""Every answer says whose time it took: the gateway's own, and what was spent waiting for providers."""

import re
import time

import pytest

from tests.support.gateway import Gateway
from tests.support.http_client import Answer

_FORM = re.compile(r"gateway;dur=(\d+\.\d{3}), provider;dur=(\d+\.\d)")


def spent(answer: Answer) -> tuple[float, float]:
    """Milliseconds: the gateway's own, and those waited."""
    found = _FORM.fullmatch(answer.headers["server-timing"])
    assert found is not None, answer.headers
    return float(found[1]), float(found[2])


@pytest.mark.parametrize("stream", [False, True])
def test_waiting_for_a_provider_is_told_apart_from_our_own_time(gateway: Gateway, stream: bool) -> None:
    began = time.monotonic()
    answer = gateway.chat("told/metered", told={"delay_s": 0.4}, stream=stream)
    passed_ms = (time.monotonic() - began) * 1000
    own, waited = spent(answer)
    assert answer.status == 200
    assert waited >= 400
    assert 0 < own <= passed_ms - waited


def test_a_streams_head_tells_the_time_to_its_first_content(gateway: Gateway) -> None:
    """What comes after it is not known when it goes out."""
    began = time.monotonic()
    answer = gateway.chat("patient/fault-slow-body", stream=True)
    passed_ms = (time.monotonic() - began) * 1000
    _, waited = spent(answer)
    assert 50 <= waited <= passed_ms - 100, "50 ms before each event, and more than two come after the first content"


def test_a_head_that_a_keep_alive_sends_counts_what_is_still_waited_for(gateway: Gateway) -> None:
    answer = gateway.chat("patient/fault-stall-headers", stream=True)
    assert answer.frames[0] == ": keep-alive"
    own, waited = spent(answer)
    assert waited >= 500, "a keep-alive goes out after about a second of silence"
    assert own < waited


def test_an_error_after_an_attempt_tells_its_time_and_one_before_any_does_not(gateway: Gateway) -> None:
    failed = gateway.chat("sim/fault-stall-headers")
    own, waited = spent(failed)
    assert failed.status == 504
    assert waited >= 500, "the provider's first_byte limit"
    assert own < waited
    assert "server-timing" not in gateway.chat("no-such-model").headers


def test_our_own_time_is_a_metric_with_one_entry_per_answer_that_had_an_attempt(gateway: Gateway) -> None:
    before, sum_before = gateway.metric("overhead_seconds_count"), gateway.metric("overhead_seconds_sum")
    own = [
        spent(gateway.chat("told/metered"))[0],
        spent(gateway.chat("told/metered", stream=True))[0],
        spent(gateway.chat("sim/fault-500"))[0],
    ]
    gateway.chat("no-such-model")
    assert gateway.metric("overhead_seconds_count") - before == len(own)
    added_ms = (gateway.metric("overhead_seconds_sum") - sum_before) * 1000
    assert added_ms == pytest.approx(sum(own), abs=0.01)
