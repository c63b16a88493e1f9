"""Whose time a request takes: ours, or that of others it waits for."""

import time

from llmgateway.domain import errors
from llmgateway.domain.errors import UpstreamError
from llmgateway.engine.exchange import Exchange, RequestFacts
from tests.support.fakes import KEY, snapshot

SECOND = 1_000_000_000


def begun(seconds_ago: float) -> Exchange:
    started_ns = time.monotonic_ns() - int(seconds_ago * SECOND)
    return Exchange(log_id="log-1", key=KEY, facts=RequestFacts("request-1"), started_ns=started_ns)


def seconds(exchange: Exchange) -> tuple[int, int]:
    """Whole seconds of ours, and waited."""
    own_ns, waited_ns = exchange.spent()
    return own_ns // SECOND, waited_ns // SECOND


def test_without_waiting_all_time_is_ours() -> None:
    assert seconds(begun(100)) == (100, 0)


def test_what_was_waited_for_is_taken_off() -> None:
    exchange = begun(100)
    exchange.asked_ns = exchange.started_ns + 10 * SECOND
    exchange.heard()
    exchange.settled = True
    assert seconds(exchange) == (10, 90)


def test_what_is_still_waited_for_counts_until_something_is_relayed() -> None:
    exchange = begun(100)
    exchange.asked_ns = exchange.started_ns + 10 * SECOND
    assert seconds(exchange) == (10, 90)
    exchange.relayed = True
    assert seconds(exchange) == (100, 0)


def test_waiting_adds_up_over_attempts_and_pauses() -> None:
    route = snapshot().route("gpt-x")
    assert route is not None
    exchange = begun(100)
    exchange.begin(route.offers[0].deployments[0])
    exchange.waited_ns = 20 * SECOND
    exchange.asked_ns = exchange.started_ns + 70 * SECOND
    exchange.failed(UpstreamError(errors.UPSTREAM_TIMEOUT, "late"))
    exchange.settled = True
    assert seconds(exchange) == (50, 50)


def test_an_attempt_that_fails_before_it_was_sent_waited_for_nothing() -> None:
    route = snapshot().route("gpt-x")
    assert route is not None
    exchange = begun(100)
    exchange.begin(route.offers[0].deployments[0])
    exchange.failed(UpstreamError(errors.UPSTREAM_TIMEOUT, "late"))
    assert seconds(exchange) == (100, 0)
