"""Clients that vanish, half close or stop reading: the provider is let go, the books are right, memory is bounded."""

import socket
import struct
import time

import pytest

from tests.hostile.target import BEARER, JSON, Target, chat, conversation
from tests.support.rawhttp import Connection, request, until

_PROMPT_S = 0.1


def reset(connection: Connection) -> None:
    connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.socket.close()


def close(connection: Connection) -> None:
    connection.socket.close()


def half_close(connection: Connection) -> None:
    connection.half_close()


@pytest.mark.parametrize("leave", [reset, close, half_close])
@pytest.mark.parametrize("wish", ["slowly", "endlessly", "never"])
@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
def test_a_client_that_leaves_takes_its_upstream_request_along(
    target: Target, leave: object, wish: str, stream: bool
) -> None:
    assert callable(leave)
    name = f"leaving-{time.monotonic_ns()}"
    asked, gone = target.upstream.requests, len(target.upstream.left_s)
    connection = Connection(target.port)
    connection.send(chat(conversation(wish, stream=stream), headers=(BEARER, JSON, ("x-request-id", name))))
    until(lambda: target.upstream.requests > asked)
    if stream and wish != "never":
        assert connection.socket.recv(100)
    left_s = time.monotonic()
    leave(connection)
    until(lambda: len(target.upstream.left_s) > gone)
    assert target.upstream.left_s[-1] - left_s < _PROMPT_S
    until(lambda: target.gauge("requests_in_flight") == 0)
    until(lambda: bool(target.rows("request_id = ?", name)))
    [(status, outcome, tokens)] = target.rows("request_id = ?", name)
    assert (status, outcome) == (499, "canceled")
    if stream and wish != "never":
        assert tokens > 0
    connection.socket.close()


def test_a_client_that_leaves_at_once_is_recorded(target: Target) -> None:
    name = f"at-once-{time.monotonic_ns()}"
    connection = Connection(target.port)
    connection.send(chat(conversation("never"), headers=(BEARER, JSON, ("x-request-id", name))))
    reset(connection)
    until(lambda: bool(target.rows("request_id = ?", name)))
    assert target.rows("request_id = ?", name)[0][:2] == (499, "canceled")


@pytest.mark.parametrize("leave", [reset, close, half_close])
def test_a_client_that_leaves_in_its_body_leaves_nothing_behind(target: Target, leave: object) -> None:
    assert callable(leave)
    connection = Connection(target.port)
    connection.send(request(headers=(BEARER, JSON, ("content-length", "500000"))) + b" " * 400_000)
    until(lambda: target.gauge("buffered_body_bytes") > 0)
    leave(connection)
    until(lambda: target.gauge("buffered_body_bytes") == 0)
    connection.socket.close()


def test_a_client_that_leaves_after_its_answer_is_none_of_our_business(target: Target) -> None:
    for leave in (reset, close):
        connection = Connection(target.port)
        connection.send(chat(conversation("Hi", stream=True)))
        assert connection.answer().complete
        leave(connection)
    target.good()


def test_a_client_that_stops_reading_slows_its_provider_and_nothing_else(target: Target) -> None:
    gone = len(target.upstream.left_s)
    target.reset_peak()
    resting = target.memory_bytes()
    with Connection(target.port, receive_buffer=4096) as connection:
        connection.send(chat(conversation("endlessly", stream=True)))
        assert connection.socket.recv(1)
        until(lambda: _stands_still(target), within_s=10)
        assert target.peak_bytes() - resting < 30_000_000
        target.good()
        reset(connection)
    until(lambda: len(target.upstream.left_s) > gone)
    until(lambda: target.gauge("requests_in_flight") == 0)


def _stands_still(target: Target) -> bool:
    sent = target.upstream.sent_bytes
    time.sleep(0.2)
    return target.upstream.sent_bytes == sent


def test_a_stream_to_an_old_client_ends_with_its_connection(target: Target) -> None:
    data = chat(conversation("Hi", stream=True)).replace(b"HTTP/1.1", b"HTTP/1.0")
    with Connection(target.port) as connection:
        connection.send(data)
        answer = connection.answer()
        assert (answer.status, answer.header("transfer-encoding")) == (200, None)
        assert answer.body.endswith(b"data: [DONE]\n\n")


def test_a_refusal_can_be_read_by_a_client_that_is_still_sending(target: Target) -> None:
    """A server that closed at once would reset the connection and lose it the answer."""
    with Connection(target.port) as connection:
        head = request(headers=(BEARER, JSON, ("content-length", "80000000")))
        connection.send(head)
        for _ in range(60):
            connection.try_send(bytes(1_000_000))
        answer = connection.answer()
        assert (answer.status, answer.error["code"]) == (413, "request_too_large")


def test_no_body_is_left_in_the_books(target: Target) -> None:
    """After all that came before, nothing is counted as buffered or in flight."""
    until(lambda: target.gauge("buffered_body_bytes") == 0)
    until(lambda: target.gauge("requests_in_flight") == 0)
