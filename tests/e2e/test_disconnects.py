"""A client that leaves: the provider hears of it at once, and what was generated is counted and billed."""

import socket
import time
from typing import Any

import pytest

from tests.support.gateway import STATIC_KEY, Gateway, Simulator, wait_until

SOON_S = 0.1
TRIES = 3


class Left:
    """A request whose client left. `after_s`: how long the simulator took to notice."""

    def __init__(self, gateway: Gateway, simulator: Simulator, mark: str, left_at: float) -> None:
        entry: dict[str, Any] = wait_until(
            lambda: next((one for one in simulator.requests(mark) if one["aborted"]), {}), what=f"an abort of {mark}"
        )
        self.after_s = entry["time"] + entry["aborted_after_ms"] / 1000 - left_at
        self.row = gateway.exchange(mark)
        self.attempts = gateway.attempts(self.row)


def leave(gateway: Gateway, simulator: Simulator, model: str, *, mark: str, until: bytes, stream: bool = True) -> Left:
    turn = [{"role": "user", "content": mark}]
    with gateway.open_stream(model, headers={"x-request-id": mark}, messages=turn, stream=stream) as answer:
        if until:
            answer.read_until(until)
        else:
            wait_until(lambda: simulator.requests(mark), what="the request upstream")
        left_at = time.time()
        answer.leave()
    return Left(gateway, simulator, mark, left_at)


def test_leaving_in_mid_stream_ends_the_request_upstream_and_bills_what_came(
    gateway: Gateway, simulator: Simulator
) -> None:
    """The quickest of three, since this machine may be busy with other things."""
    all_left = [
        leave(gateway, simulator, "listed/dripping", mark=f"left-in-mid-stream-{number}", until=b'"content":" ')
        for number in range(TRIES)
    ]
    assert min(left.after_s for left in all_left) < SOON_S
    for left in all_left:
        row = left.row
        assert (row["status"], row["outcome"], row["truncated"]) == (499, "canceled", 0)
        assert row["usage_source"] == "estimated"
        assert row["completion_tokens"] > 0
        assert row["cost_total"] == row["prompt_tokens"] * 1_000_000 + row["completion_tokens"] * 2_000_000
        assert row["ttft_us"] is not None
        (attempt,) = left.attempts
        assert (attempt["status_code"], attempt["error_type"], attempt["succeeded"]) == (200, "none", 0)


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
def test_leaving_before_the_first_token_ends_the_request_upstream(
    gateway: Gateway, simulator: Simulator, stream: bool
) -> None:
    all_left = [
        leave(
            gateway,
            simulator,
            "listed/talkative",
            mark=f"left-before-the-first-token-{stream}-{number}",
            until=b"",
            stream=stream,
        )
        for number in range(TRIES)
    ]
    assert min(left.after_s for left in all_left) < SOON_S
    for left in all_left:
        row = left.row
        assert (row["status"], row["outcome"], row["stream"]) == (499, "canceled", int(stream))
        assert row["cost_total"] is not None
        assert len(left.attempts) == 1


def test_a_client_that_stops_sending_has_left(gateway: Gateway, simulator: Simulator) -> None:
    """Half-closed is gone: many sockets cannot say more than that."""
    mark = "half-closed"
    turn = [{"role": "user", "content": mark}]
    with gateway.open_stream("listed/dripping", headers={"x-request-id": mark}, messages=turn) as answer:
        answer.read_until(b'"content":" ')
        left_at = time.time()
        answer.half_close()
        left = Left(gateway, simulator, mark, left_at)
    assert (left.row["status"], left.row["outcome"]) == (499, "canceled")


def test_a_client_that_resets_its_connection_has_left(gateway: Gateway, simulator: Simulator) -> None:
    mark = "reset-by-the-client"
    turn = [{"role": "user", "content": mark}]
    with gateway.open_stream("listed/dripping", headers={"x-request-id": mark}, messages=turn) as answer:
        answer.read_until(b'"content":" ')
        left_at = time.time()
        answer.reset()
        left = Left(gateway, simulator, mark, left_at)
    assert (left.row["status"], left.row["outcome"]) == (499, "canceled")


def test_nothing_is_left_over_after_clients_left(gateway: Gateway, simulator: Simulator) -> None:
    leave(gateway, simulator, "listed/dripping", mark="left-nothing-over", until=b'"content":" ')
    wait_until(lambda: gateway.metric("requests_in_flight") == 0, what="an idle gateway")
    assert gateway.metric("upstream_connections_open") == gateway.metric("upstream_connections_idle")


def test_bytes_of_a_request_that_never_ends_cost_nothing(gateway: Gateway, simulator: Simulator) -> None:
    """A client that leaves in the middle of its request has asked for nothing."""
    before = simulator.arrived
    head = (
        "POST /v1/chat/completions HTTP/1.1\r\nhost: gateway\r\nauthorization: Bearer {}\r\ncontent-length: 100\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", gateway.port)) as connection:
        connection.sendall(head.format(STATIC_KEY).encode() + b'{"model": "sim/auto"')
    wait_until(lambda: gateway.metric("buffered_body_bytes") == 0, what="an empty buffer")
    assert simulator.arrived == before
