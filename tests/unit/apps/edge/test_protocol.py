"""HTTP/1.1 at the door, over real sockets on both loops: framing of answers, order, flow control, the end."""

import asyncio
import threading

import pytest

from llmgateway.engine.ports import Downstream
from tests.support.rawhttp import request, until
from tests.unit.apps.edge.door import BEARER, JSON, Door, Script, chat


def streaming(*parts: bytes) -> Script:
    async def script(_body: bytes, down: Downstream) -> None:
        down.stream(tuple)
        for part in parts[:-1]:
            down.write(part)
            await asyncio.sleep(0)
        down.end(parts[-1])

    return script


class Gate:
    """A script that waits to be let through; `entered` once it waits."""

    def __init__(self, door: Door, *, stream: bool = False) -> None:
        self.entered = threading.Event()
        self._open = asyncio.Event()
        self._loop = door.loop
        self._stream = stream

    async def __call__(self, body: bytes, down: Downstream) -> None:
        if self._stream:
            down.stream(tuple)
            down.write(b"data: 1\n\n")
        self.entered.set()
        await self._open.wait()
        if self._stream:
            down.end(b"data: 2\n\n")
        else:
            down.send(200, (), body)

    def open(self) -> None:
        self._loop.call_soon_threadsafe(self._open.set)


def test_a_connection_serves_request_after_request(door: Door) -> None:
    with door.connect() as client:
        for body in (b'"one"', b'"two"', b'"three"'):
            client.send(chat(body))
            answer = client.answer()
            assert (answer.status, answer.body, answer.header("connection")) == (200, body, None)
    assert door.gateway.bodies == [b'"one"', b'"two"', b'"three"']


def test_pipelined_requests_are_answered_in_order(door: Door) -> None:
    """The first one takes its time; the others, and a refusal among them, wait for it."""
    gate = Gate(door)

    async def first_slowly(body: bytes, down: Downstream) -> None:
        await (gate(body, down) if body == b"1" else _send(body, down))

    door.does(first_slowly)
    with door.connect() as client:
        client.send(chat(b"1") + chat(b"2") + request("GET", "/nowhere") + request("GET", "/page") + chat(b"3"))
        assert gate.entered.wait(5)
        gate.open()
        answers = [client.answer() for _ in range(5)]
    assert [answer.status for answer in answers] == [200, 200, 404, 200, 200]
    assert [answer.body for answer in answers if answer.status == 200] == [b"1", b"2", b'{"page":true}', b"3"]


async def _send(body: bytes, down: Downstream) -> None:
    down.send(200, (), body)


def test_a_body_is_asked_for_when_the_client_waits_to_be_asked(door: Door) -> None:
    with door.connect() as client:
        client.send(request(headers=(BEARER, JSON, ("expect", "100-Continue"), ("content-length", "4"))))
        assert client.interim() == 100
        client.send(b"true")
        answer = client.answer()
        assert (answer.status, answer.body, answer.interim) == (200, b"true", ())


def test_http_1_0_gets_a_plain_answer_and_the_end(door: Door) -> None:
    with door.connect() as client:
        client.send(chat(b"1").replace(b"HTTP/1.1", b"HTTP/1.0"))
        answer = client.answer()
        assert (answer.body, answer.header("connection")) == (b"1", "close")
        assert client.closed()


def test_a_stream_is_chunked_for_http_1_1_and_plain_for_http_1_0(door: Door) -> None:
    door.does(streaming(b"data: 1\n\n", b"data: 2\n\n", b"data: [DONE]\n\n"))
    with door.connect() as client:
        client.send(chat())
        answer = client.answer()
        assert answer.header("transfer-encoding") == "chunked"
        assert answer.header("content-type") == "text/event-stream; charset=utf-8"
        assert (answer.complete, answer.body) == (True, b"data: 1\n\ndata: 2\n\ndata: [DONE]\n\n")
        client.send(chat().replace(b"HTTP/1.1", b"HTTP/1.0"))
        answer = client.answer()
        assert answer.header("transfer-encoding") is None
        assert answer.body == b"data: 1\n\ndata: 2\n\ndata: [DONE]\n\n"


def test_a_head_request_gets_the_head_only(door: Door) -> None:
    with door.connect() as client:
        for path, status in (("/page", 200), ("/nowhere", 404), ("/v1/chat/completions", 405)):
            client.send(request("HEAD", path))
            answer = client.answer(method="HEAD")
            assert answer.status == status
            assert int(answer.header("content-length") or 0) > 0
        client.send(request("GET", "/page"))
        assert client.answer().body == b'{"page":true}'


def test_a_reader_that_pauses_pauses_the_writer(door: Door) -> None:
    """`drain` returns only once the client has read."""
    written: list[int] = []

    async def pour(_body: bytes, down: Downstream) -> None:
        down.stream(tuple)
        for number in range(100):
            down.write(b"x" * 65_536)
            written.append(number)
            await down.drain()
        down.end(b"end")

    door.does(pour)
    with door.connect(receive_buffer=65_536) as client:
        client.send(chat())
        until(lambda: bool(written))
        stood = -1
        while stood != len(written):
            stood = len(written)
            threading.Event().wait(0.1)
        assert stood < 100
        answer = client.answer()
        assert answer.complete
        assert len(answer.body) == 100 * 65_536 + 3


def test_a_reader_that_never_comes_back_is_cut_off(door: Door) -> None:
    async def pour(_body: bytes, down: Downstream) -> None:
        down.stream(tuple)
        while True:
            down.write(b"x" * 65_536)
            await down.drain()

    door.does(pour)
    with door.connect(receive_buffer=4096) as client:
        client.send(chat())
        until(lambda: door.gateway.cancelled == 1)
        assert door.connections == set()


def test_a_silent_stream_gets_keep_alives_and_a_silent_answer_none(door: Door) -> None:
    gate = Gate(door, stream=True)
    door.does(gate)
    with door.connect() as client, door.connect() as other:
        client.send(chat())
        heard = b""
        while heard.count(b": keep-alive\n\n") < 2:
            heard += client.socket.recv(1000)
        door.does(Gate(door))
        other.send(chat())
        other.socket.settimeout(0.8)
        with pytest.raises(TimeoutError):
            other.socket.recv(1)
        gate.open()
        while b"data: 2\n\n" not in heard:
            heard += client.socket.recv(1000)
    assert b"data: 1\n\n" in heard


def test_a_keep_alive_may_be_the_first_thing_said(door: Door) -> None:
    async def silent(_body: bytes, down: Downstream) -> None:
        down.stream(tuple)
        while not down.begun:  # noqa: ASYNC110 - what is awaited has no event
            await asyncio.sleep(0.01)
        down.end(b"data: late\n\n")

    door.does(silent)
    with door.connect() as client:
        client.send(chat())
        assert client.answer().body == b": keep-alive\n\ndata: late\n\n"


def test_shutdown_closes_idle_connections_and_lets_busy_ones_finish(door: Door) -> None:
    gate = Gate(door)
    door.does(gate)
    with door.connect() as idle, door.connect() as busy:
        idle.send(request("GET", "/page"))
        assert idle.answer().status == 200
        busy.send(chat(b"1"))
        assert gate.entered.wait(5)
        door.call(lambda: [connection.shutdown() for connection in tuple(door.connections)])
        assert idle.closed()
        gate.open()
        answer = busy.answer()
        assert (answer.body, answer.header("connection")) == (b"1", "close")
        assert busy.closed()
    until(lambda: door.connections == set())


def test_a_client_that_still_sends_can_read_its_refusal(door: Door) -> None:
    with door.connect() as client:
        client.send(request(headers=(BEARER, JSON, ("content-length", "100000000"))))
        for _ in range(40):
            client.try_send(bytes(1_000_000))
        assert client.answer().status == 413
        assert client.closed()


def test_a_page_is_served_without_reading_a_body_nobody_asked_for(door: Door) -> None:
    with door.connect() as client:
        client.send(request("GET", "/page", headers=(("content-length", "50000000"),)))
        answer = client.answer()
        assert (answer.status, answer.header("connection")) == (200, "close")


@pytest.mark.parametrize("how", ["head", "body", "current", "queue", "stream"])
def test_a_client_that_leaves_in_any_state_leaves_nothing_behind(door: Door, how: str) -> None:
    """Tasks are cancelled, books balanced (the fixture looks at them), the connection forgotten."""
    sent = {
        "head": b"POST /v1/chat/completions HT",
        "body": request(headers=(BEARER, JSON, ("content-length", "90000"))) + bytes(50_000),
        "current": chat(bytes(1000)),
        "queue": chat(bytes(1000)) * 3 + chat(bytes(1000))[:-500],
        "stream": chat(bytes(1000)),
    }[how]
    gate = Gate(door, stream=how == "stream")
    door.does(gate)
    client = door.connect()
    client.send(sent)
    if how in ("current", "queue", "stream"):
        assert gate.entered.wait(5)
    else:
        until(lambda: any(connection.reading for connection in door.connections))
    client.socket.close()
    until(lambda: door.connections == set())
    until(lambda: door.gateway.meters.in_flight == 0)
    assert door.gateway.cancelled == (how in ("current", "queue", "stream"))


def test_requests_behind_the_last_answer_are_forgotten(door: Door) -> None:
    """What waits behind a request that ends its connection is neither answered nor left in the books."""
    gate = Gate(door)
    door.does(gate)
    with door.connect() as client:
        client.send(chat(b"1") + chat(b"2") * 3)
        assert gate.entered.wait(5)
        door.call(lambda: [connection.shutdown() for connection in tuple(door.connections)])
        gate.open()
        assert client.answer().body == b"1"
        assert client.closed()
    assert door.gateway.bodies == [b"1"]


def test_a_flood_of_requests_is_cut(door: Door) -> None:
    gate = Gate(door)
    door.does(gate)
    with door.connect() as client:
        client.send(chat(b"1") + request("GET", "/page") * 5000)
        assert gate.entered.wait(5)
        gate.open()
        answers = client.answers()
    assert [answer.status for answer in answers[:2]] == [200, 200]
    assert answers[-1].status == 503
    assert len(answers) < 100


def test_an_offer_to_upgrade_is_passed_over(door: Door) -> None:
    """Java's HttpClient offers h2c with its first request, body and all."""
    offer = (("connection", "Upgrade, HTTP2-Settings"), ("upgrade", "h2c"), ("http2-settings", "AAEAAEAAAA"))
    chunked = request(headers=(BEARER, JSON, *offer, ("transfer-encoding", "chunked"))) + b"3\r\n[1]\r\n0\r\n\r\n"
    with door.connect() as client:
        client.send(chat(b"[2]", headers=offer) + chunked + chat(b"[3]"))
        assert [client.answer().body for _ in range(3)] == [b"[2]", b"[1]", b"[3]"]
    with door.connect() as client:
        client.send(request("GET", "/page", headers=offer))
        assert client.answer().body == b'{"page":true}'
        assert client.closed()


def test_the_limits_of_load_are_told_with_a_time_to_come_back(door: Door) -> None:
    door.gateway.journal.accepting = False
    with door.connect() as client:
        client.send(chat())
        answer = client.answer()
        assert (answer.status, answer.header("retry-after")) == (503, "5")
        assert answer.error["code"] == "overloaded"
    assert door.gateway.meters.overloaded == 1


@pytest.mark.parametrize("begun", [False, True], ids=["before", "in the middle of"])
def test_a_bug_ends_the_answer(door: Door, begun: bool, caplog: pytest.LogCaptureFixture) -> None:
    """A 500 where nothing was sent, else a cut that no client takes for the end; the log has no trace."""

    async def fail(_body: bytes, down: Downstream) -> None:
        if begun:
            down.stream(tuple)
            down.write(b"data: 1\n\n")
        raise RuntimeError("secret words")

    door.does(fail)
    with door.connect() as client:
        client.send(chat())
        answer = client.answer()
        if begun:
            assert (answer.body, answer.complete) == (b"data: 1\n\n", False)
        else:
            assert (answer.status, answer.error["code"]) == (500, "internal_error")
    assert "RuntimeError in" in caplog.text
    assert "secret words" not in caplog.text
