"""The stream mock answers as a provider would, from one wheel for all paced streams."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from bench import dialects, payloads, stream_mock, traffic
from bench.client import Connection, Pool
from bench.stream_mock import STEP_MS, Wheel


class Sink(asyncio.Transport):
    """Collects what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written.append(bytes(data))

    def is_closing(self) -> bool:
        return False


@pytest.fixture
async def port() -> AsyncIterator[int]:
    wheel = Wheel()
    server = await asyncio.get_running_loop().create_server(lambda: stream_mock.Connection(wheel), "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


def post(behaviour: traffic.Behaviour) -> bytes:
    body = payloads.small_body(1, model="m", stream=True)
    return traffic.request(1, path=traffic.mock_path(behaviour), body=body)


@pytest.mark.parametrize(
    ("behaviour", "events"),
    [
        ("burst", payloads.stream_events()),
        ("burst-anthropic", dialects.anthropic_events()),
        ("burst-google", dialects.google_events()),
    ],
)
async def test_burst_is_the_whole_stream(port: int, behaviour: traffic.Behaviour, events: list[bytes]) -> None:
    pool = Pool(port)
    for _ in range(2):
        answer = await pool.ask(post(behaviour))
        assert answer.status == 200
        assert answer.body == b"".join(events)
    assert len(pool.free) == 1, "the second request reused the connection"
    pool.close()


@pytest.mark.parametrize(("behaviour", "status"), [("whole", 200), ("fault-500", 500), ("fault-garbage", 200)])
async def test_other_behaviours_have_their_status(port: int, behaviour: traffic.Behaviour, status: int) -> None:
    pool = Pool(port)
    assert (await pool.ask(post(behaviour))).status == status
    pool.close()


async def test_cut_stream_ends_before_its_end(port: int) -> None:
    with pytest.raises(ConnectionResetError):
        await Pool(port).ask(post("fault-cut"))


async def test_idle_stream_sends_one_chunk_and_waits(port: int) -> None:
    _, connection = await asyncio.get_running_loop().create_connection(Connection, "127.0.0.1", port)
    answer = connection.send(post("idle"))
    await connection.first.wait()
    assert not answer.done()
    connection.leave()


async def test_request_in_pieces_is_answered_once_complete(port: int) -> None:
    """40 KB bodies arrive in several reads."""
    _, connection = await asyncio.get_running_loop().create_connection(Connection, "127.0.0.1", port)
    request = post("whole")
    answer = connection.send(request[:50])
    connection.transport.write(request[50:])
    assert (await answer).status == 200
    connection.leave()


def test_wheel_paces_each_stream_and_spreads_them() -> None:
    """One chunk per stream per turn of the wheel, and streams that begin together use different slots."""
    wheel = Wheel()
    sinks = [Sink() for _ in range(3)]
    for sink in sinks:
        wheel.join(sink, stream=[b"0", b"1", b"2"])
    assert [sink.written for sink in sinks] == [[b"0"]] * 3
    assert sorted(len(slot) for slot in wheel.slots) == [0] * (STEP_MS - 3) + [1, 1, 1]
    for slot in wheel.slots:
        wheel.write(slot)
    assert [sink.written for sink in sinks] == [[b"0", b"1"]] * 3
    for slot in wheel.slots * 2:
        wheel.write(slot)
    assert [sink.written for sink in sinks] == [[b"0", b"1", b"2"]] * 3
    assert not any(wheel.slots)
