"""The server's HTTP: framing, keep-alive, order, bad requests, pauses, what it counts, and how it goes down."""

import asyncio
import os
import signal
import socket
import sys
import time
from collections.abc import Callable

import msgspec
import pytest

from llmgateway.apps.simulator.server import SimulatorServer, serve
from tests.unit.apps.simulator.raw_http import Ask, exchange

CHAT = b"POST /openai/v1/chat/completions HTTP/1.1\r\nhost: simulator\r\n"


def request(text: str, *, model: str = "echo", headers: bytes = b"", stream: bool = False) -> bytes:
    messages = [{"role": "user", "content": text}]
    body = msgspec.json.encode({"model": model, "messages": messages, "stream": stream})
    return CHAT + headers + b"content-length: %d\r\n\r\n" % len(body) + body


async def get(server: SimulatorServer, path: str, *, method: str = "GET") -> tuple[int, object]:
    answer = await exchange(server, f"{method} {path} HTTP/1.1\r\nhost: simulator\r\n\r\n".encode())
    return answer.status, answer.json


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - the ledger of a real server has no event to wait for
            await asyncio.sleep(0.005)


async def ended(reader: asyncio.StreamReader) -> str:
    """How the server closed the connection, whatever it sent before."""
    try:
        await asyncio.wait_for(reader.read(-1), 5)
    except ConnectionResetError:
        return "reset"
    return "closed"


async def test_a_connection_carries_request_after_request_in_order(server: SimulatorServer) -> None:
    """Pipelined requests, a slow one among them, are answered in their order on one connection."""
    slow = b'x-simulator: {"first_token_ms": 30}\r\n'
    reader, writer = await asyncio.open_connection(server.host, server.port)
    writer.write(request("one") + request("two", headers=slow) + request("three"))
    texts: list[str] = []
    for _ in range(3):
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.split(b"content-length: ")[1].split(b"\r\n")[0])
        texts.append(msgspec.json.decode(await reader.readexactly(length))["choices"][0]["message"]["content"])
    assert texts == ["one", "two", "three"]
    assert server.connections == 1
    writer.close()


async def test_a_request_in_chunks_or_single_bytes_is_understood(server: SimulatorServer) -> None:
    body = msgspec.json.encode({"model": "echo", "messages": [{"role": "user", "content": "piece by piece"}]})
    chunked = (
        CHAT + b"transfer-encoding: chunked\r\n\r\n" + b"".join([b"1\r\n%c\r\n" % byte for byte in body]) + b"0\r\n\r\n"
    )
    answer = await exchange(server, chunked)
    assert answer.json["choices"][0]["message"]["content"] == "piece by piece"


async def test_connection_close_is_honoured(server: SimulatorServer) -> None:
    reader, writer = await asyncio.open_connection(server.host, server.port)
    writer.write(request("bye", headers=b"connection: close\r\n"))
    assert b"connection: close" in await asyncio.wait_for(reader.read(-1), 5)
    writer.close()


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        (b"GET / HTTP/1.1\r\nbroken header\r\n\r\n", 400),
        (b"POST /openai/v1/chat/completions HTTP/1.1\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello!", 400),
        (b"GET /nowhere HTTP/1.1\r\nhost: a\r\n\r\n", 404),
        (b"GET /openai/v1/chat/completions HTTP/1.1\r\nhost: a\r\n\r\n", 405),
        (b"POST /openai/v1/models HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n", 405),
        (b"POST /openai/v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n", 400),
        (b"PUT /simulator/requests HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n", 405),
    ],
)
async def test_a_wrong_request_gets_its_status_and_the_next_one_works(
    server: SimulatorServer, raw: bytes, status: int
) -> None:
    assert (await exchange(server, raw)).status == status
    assert (await exchange(server, request("still here"))).json["choices"][0]["message"]["content"] == "still here"


async def test_a_query_is_no_part_of_the_path(server: SimulatorServer) -> None:
    assert (await get(server, "/openai/v1/models?limit=1"))[0] == 200


async def test_pauses_are_kept_and_tokens_arrive_one_by_one(server: SimulatorServer, ask: Ask) -> None:
    """Three tokens 30 ms apart after 50 ms take their time, and are not held back to the end."""
    started = time.monotonic()
    await ask("lorem-3", steering={"first_token_ms": 50, "per_token_ms": 30}, stream=True)
    assert time.monotonic() - started >= 0.11
    reader, writer = await asyncio.open_connection(server.host, server.port)
    writer.write(request("", model="lorem-3", headers=b'x-simulator: {"per_token_ms": 600000}\r\n', stream=True))
    async with asyncio.timeout(5):
        await reader.readuntil(b'"Lorem"')
    writer.transport.abort()


async def test_what_arrived_is_reported_without_secrets(server: SimulatorServer) -> None:
    """Method, path, headers, body, time and status of each request; of a key only a fingerprint, equal for equal
    keys."""
    for key in (b"sk-one", b"sk-one", b"sk-two"):
        await exchange(server, request("hi", headers=b"Authorization: Bearer %b\r\nX-Thing: y\r\n" % key))
    status, report = await get(server, "/simulator/requests")
    assert status == 200
    assert isinstance(report, dict)
    assert "sk-" not in str(report)
    totals, rows = report["totals"], report["requests"]
    assert (totals["requests"], totals["finished"], totals["open"], totals["aborted"]) == (3, 3, 0, 0)
    assert totals["by_status"] == {"200": 3}
    prints = [dict(row["headers"])["authorization"] for row in rows]
    assert prints[0] == prints[1] != prints[2]
    row = rows[0]
    assert (row["number"], row["method"], row["path"]) == (1, "POST", "/openai/v1/chat/completions")
    assert (dict(row["headers"])["x-thing"], row["status"], row["finished"], row["aborted"]) == ("y", 200, True, False)
    assert msgspec.json.decode(row["body"])["model"] == "echo"


async def test_the_report_can_be_reset_and_does_not_count_itself(server: SimulatorServer) -> None:
    await exchange(server, request("hi"))
    assert (await get(server, "/simulator/requests", method="DELETE"))[0] == 200
    _, report = await get(server, "/simulator/requests")
    assert isinstance(report, dict)
    assert (report["totals"]["requests"], report["requests"]) == (0, [])
    assert (await get(server, "/simulator/healthz")) == (200, {"status": "ok"})


async def test_only_the_last_thousand_are_kept_and_all_are_counted(server: SimulatorServer) -> None:
    reader, writer = await asyncio.open_connection(server.host, server.port)
    for start in range(0, 1100, 100):
        writer.write(request("hi") * 100)
        for _ in range(100):
            head = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(int(head.split(b"content-length: ")[1].split(b"\r\n")[0]))
        assert server.simulation.ledger.requests == start + 100
    writer.close()
    numbers = [entry.number for entry in server.simulation.ledger.entries]
    assert numbers == list(range(101, 1101))


@pytest.mark.parametrize("fault", ["stall-headers", "stall-mid"])
async def test_a_client_that_goes_away_is_reported_as_an_abort(server: SimulatorServer, fault: str) -> None:
    reader, writer = await asyncio.open_connection(server.host, server.port)
    writer.write(request("hi", model=f"fault-{fault}", stream=True))
    await until(lambda: server.simulation.ledger.open == 1)
    if fault == "stall-mid":
        await reader.readuntil(b"data: ")
    writer.transport.abort()
    await until(lambda: server.simulation.ledger.aborted == 1)
    _, report = await get(server, "/simulator/requests")
    assert isinstance(report, dict)
    row = report["requests"][0]
    assert (row["aborted"], row["finished"], row["fault"]) == (True, False, fault)
    assert row["aborted_after_ms"] >= 0
    assert report["totals"]["by_fault"] == {fault: 1}


async def test_a_client_that_stops_reading_is_not_buffered_for(server: SimulatorServer) -> None:
    """A large answer waits for its reader: the request stays open, and ends as an abort when the client leaves."""
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(client, (server.host, server.port))
        await loop.sock_sendall(client, request("hi", model="fault-huge-chunk", stream=True))
        await until(lambda: server.simulation.ledger.open == 1)
        assert (await exchange(server, request("meanwhile"))).status == 200
        assert server.simulation.ledger.open == 1
    await until(lambda: server.simulation.ledger.aborted == 1)


async def test_the_second_port_refuses_connections(server: SimulatorServer) -> None:
    """A refused dial can be had: the report names a port where nothing listens."""
    _, report = await get(server, "/simulator/requests")
    assert isinstance(report, dict)
    assert report["refused_port"] == server.refused_port
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(server.host, server.refused_port)


async def test_a_stopped_server_leaves_no_connection_and_no_task() -> None:
    server = await serve(port=0)
    before = asyncio.all_tasks()
    reader, writer = await asyncio.open_connection(server.host, server.port)
    writer.write(request("hi", model="fault-stall-headers"))
    await until(lambda: server.simulation.ledger.open == 1)
    await server.stop()
    assert await ended(reader)
    await until(lambda: server.connections == 0 and asyncio.all_tasks() == before)
    writer.close()


async def test_run_serves_until_it_is_told_to_stop() -> None:
    """As a process of its own: it says where it listens, answers, and ends cleanly on SIGTERM."""
    script = (
        "from llmgateway.apps.simulator.server import run\n"
        "run(port=0, started=lambda server: print(server.port, flush=True))"
    )
    environment = {"PYTHONPATH": os.pathsep.join(sys.path), "PATH": os.environ["PATH"]}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, stdout=asyncio.subprocess.PIPE, env=environment
    )
    assert process.stdout is not None
    port = int(await asyncio.wait_for(process.stdout.readline(), 20))
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request("hi", model="fault-reset-mid", stream=True))
    assert await ended(reader) == "reset"
    writer.close()
    process.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(process.wait(), 20) == 0
