"""kill -9 of a whole gateway under load: no completed request is lost, none is counted twice, and each costs right."""

import asyncio
import os
import random
import signal
import socket
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from tests.support.killload import PROVIDER, Filed, Load, configuration, cost_of, serve_upstream, usage_of

ROOT = Path(__file__).parents[2]
KILLS = 20
REQUESTS_PER_SECOND = 200


class Gateway:
    """A gateway process that can be killed and started again, always with the same port and data."""

    def __init__(self, place: Path, *, port: int) -> None:
        self.port = port
        self.data = place / "data"
        self._config = place / "llmgateway.toml"
        self._output = place / "output.txt"
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        options = ["--config", self._config, "--port", str(self.port), "--data-dir", self.data]
        with self._output.open("ab") as output:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-m", "llmgateway", "serve", *options),
                stdout=output,
                stderr=output,
                env=dict(os.environ, PYTHONPATH=str(ROOT / "src")),
            )
        async with asyncio.timeout(20):
            while not await self._ready():
                assert self._process.returncode is None, self._output.read_text()
                await asyncio.sleep(0.02)

    async def _ready(self) -> bool:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            writer.write(b"GET /readyz HTTP/1.1\r\nhost: gateway\r\nconnection: close\r\n\r\n")
            head = await reader.readuntil(b"\r\n\r\n")
            writer.close()
            return head.startswith(b"HTTP/1.1 200")
        return False

    async def end(self, how: signal.Signals) -> int:
        """The exit status."""
        assert self._process is not None
        self._process.send_signal(how)
        return await self._process.wait()

    async def kill(self) -> None:
        if self._process is not None and self._process.returncode is None:
            await self.end(signal.SIGKILL)


@asynccontextmanager
async def gateway_before_upstream(place: Path) -> AsyncIterator[Gateway]:
    upstream = await asyncio.start_server(serve_upstream, "127.0.0.1", 0)
    upstream_port = upstream.sockets[0].getsockname()[1]
    (place / "llmgateway.toml").write_text(configuration(upstream_port=upstream_port))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    gateway = Gateway(place, port=port)
    try:
        yield gateway
    finally:
        await gateway.kill()
        upstream.close()


async def test_twenty_kills_under_load_lose_no_completed_request_and_double_none(tmp_path: Path) -> None:
    async with gateway_before_upstream(tmp_path) as gateway:
        load = Load(gateway.port, per_second=REQUESTS_PER_SECOND)
        running = asyncio.create_task(load.run())
        for _ in range(KILLS):
            await gateway.start()
            await asyncio.sleep(random.uniform(0.2, 1.5))
            await gateway.kill()
        await gateway.start()
        running.cancel()
        await load.settle()
        assert load.refused == []
        assert await gateway.end(signal.SIGTERM) == 0
        assert list((gateway.data / "journal").iterdir()) == []
        check(gateway.data / "llmgateway.db", load.filed)


def check(database: Path, filed: dict[str, Filed]) -> None:
    """Every filed answer has its row, with what it used and cost; nothing has two."""
    connection = sqlite3.connect(database)
    query = (
        "SELECT request_id, stream, status, outcome, used_provider, prompt_tokens, cached_tokens, completion_tokens,"
        " cost_total FROM exchanges"
    )
    rows = {row[0]: row[1:] for row in connection.execute(query)}
    (count,) = connection.execute("SELECT count(*) FROM exchanges").fetchone()
    connection.close()
    assert count == len(rows), "two rows for one request"
    assert len(filed) > 20 * KILLS
    streamed = sum(answer.stream for answer in filed.values())
    assert 0.3 < streamed / len(filed) < 0.7
    expected = {request_id: expected_row(answer) for request_id, answer in filed.items()}
    assert {request_id: rows.get(request_id) for request_id in filed} == expected


def expected_row(answer: Filed) -> tuple[object, ...]:
    usage = usage_of(answer.number)
    cached = usage["prompt_tokens_details"]["cached_tokens"]
    tokens = (usage["prompt_tokens"], cached, usage["completion_tokens"])
    return (int(answer.stream), 200, "completed", PROVIDER, *tokens, cost_of(answer.number))
