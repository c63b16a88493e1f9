"""Clients that take their time: they end, and nobody else waits for them."""

import asyncio
import time

import pytest

from tests.hostile.target import BEARER, JSON, Target, chat, conversation, decent
from tests.support.rawhttp import Connection, request, until

_OPEN_STREAMS = 500


@pytest.mark.parametrize(
    ("begun", "status"),
    [
        pytest.param(b"G", 408, id="a letter"),
        pytest.param(b"POST /v1/chat/completions HTTP/1.1\r\nhost: gateway\r\n", 408, id="half a head"),
        pytest.param(request(headers=(BEARER, JSON, ("content-length", "100"))), 408, id="no body"),
        pytest.param(request(headers=(BEARER, JSON, ("content-length", "100"))) + b'{"model"', 408, id="half a body"),
        pytest.param(
            request(headers=(BEARER, JSON, ("transfer-encoding", "chunked"))) + b"5\r\n{", 408, id="half a chunk"
        ),
    ],
)
def test_a_request_that_stops_coming_is_ended(target: Target, begun: bytes, status: int) -> None:
    with Connection(target.port) as connection:
        began = time.monotonic()
        connection.send(begun)
        answer = connection.answer()
        assert (answer.status, answer.error["code"]) == (status, "request_timeout")
        decent(answer)
        assert 0.5 < time.monotonic() - began < 3
        assert connection.closed()


@pytest.mark.parametrize(
    "begun",
    [
        pytest.param(b"GET /healthz HTTP/1.1\r\nhost: gateway\r\nx: ", id="head"),
        pytest.param(request(headers=(BEARER, JSON, ("content-length", "10000"))), id="body"),
    ],
)
def test_a_request_that_trickles_is_ended_all_the_same(target: Target, begun: bytes) -> None:
    """A byte now and then does not keep the clock from running."""
    with Connection(target.port) as connection:
        began = time.monotonic()
        connection.send(begun)
        connection.socket.settimeout(0.1)
        answer = None
        while answer is None and time.monotonic() - began < 4:
            connection.try_send(b" ")
            try:
                answer = connection.answer()
            except TimeoutError:
                continue
        assert answer is not None
        assert answer.status == 408


@pytest.mark.parametrize(
    "sent", [b"", b"\r\n\r\n", request("GET", "/healthz")], ids=["silent", "line breaks", "served"]
)
def test_an_idle_connection_is_closed(target: Target, sent: bytes) -> None:
    with Connection(target.port) as connection:
        connection.send(sent)
        if sent.startswith(b"GET"):
            assert connection.answer().status == 200
        assert connection.closed(within_s=4)


async def test_five_hundred_open_streams_do_not_delay_a_healthy_request(target: Target) -> None:
    before = target.upstream.requests
    resting = target.memory_bytes()
    streams = await asyncio.gather(*(_open_stream(target.port) for _ in range(_OPEN_STREAMS)))
    assert target.upstream.requests == before + _OPEN_STREAMS
    began = time.monotonic()
    await asyncio.to_thread(target.good)
    assert time.monotonic() - began < 1
    assert target.memory_bytes() - resting < 100_000_000
    already = len(target.upstream.left_s)
    for writer in streams:
        writer.transport.abort()
    await asyncio.to_thread(until, lambda: len(target.upstream.left_s) >= already + _OPEN_STREAMS)
    await asyncio.to_thread(until, lambda: target.gauge("requests_in_flight") == 0)


async def _open_stream(port: int) -> asyncio.StreamWriter:
    """Returns once its first token is there."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(chat(conversation("slowly", stream=True)))
    await reader.readuntil(b"word ")
    return writer


def test_five_hundred_silent_connections_do_not_delay_a_healthy_request(target: Target) -> None:
    connections = [Connection(target.port) for _ in range(_OPEN_STREAMS)]
    for connection in connections:
        connection.send(b"POST /v1/chat/completions HTTP/1.1\r\n")
    began = time.monotonic()
    target.good()
    assert time.monotonic() - began < 1
    for connection in connections:
        assert connection.answer().status == 408
        connection.socket.close()


def test_a_silent_provider_is_covered_by_keep_alives(target: Target) -> None:
    with Connection(target.port) as connection:
        connection.send(chat(conversation("never", stream=True)))
        heard = b""
        while heard.count(b": keep-alive\n\n") < 2:
            heard += connection.socket.recv(1000)
        assert heard.startswith(b"HTTP/1.1 200 OK\r\n")
