"""What a gateway process weighs and how fast it starts: idle memory, 1,000 open streams, exec to ready."""

import asyncio
import statistics
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import uvloop

from bench import payloads, traffic
from bench.client import Connection, Pool
from bench.gateway import Gateway
from bench.processes import memory
from bench.rows import MEMORY_IDLE, MEMORY_STREAMS, START, START_FRESH, Result, result
from bench.traffic import Lane

OPEN_STREAMS = 1_000
MB = 1_000_000

Start = Callable[[Path], AbstractContextManager[Gateway]]
"""Starts a gateway on the given directory."""


def start_times(start: Start, *, directory: Path, rounds: int) -> list[Result]:
    """Median seconds to ready, on an empty data directory and on one that a gateway has used before."""
    fresh: list[float] = []
    again: list[float] = []
    for number in range(rounds):
        for times in (fresh, again):
            with start(directory / f"start-{number}") as gateway:
                times.append(gateway.ready_s)
    return [
        result(START, value=statistics.median(again), detail={"slowest_s": max(again)}),
        result(START_FRESH, value=statistics.median(fresh), detail={"slowest_s": max(fresh)}),
    ]


def memory_rows(start: Start, *, directory: Path) -> list[Result]:
    """Memory of the process tree after start, and how much 1,000 streams add that wait for their second chunk."""
    with start(directory / "memory") as gateway:
        time.sleep(1)
        idle = memory(gateway.pid)
        uvloop.run(warmed(gateway))
        before = memory(gateway.pid)
        mark = gateway.mark()
        opened = uvloop.run(held(gateway))
        tally = gateway.settled(mark, expected=OPEN_STREAMS)
    void = () if tally.rows == OPEN_STREAMS else (f"{OPEN_STREAMS} streams were left, but {tally.rows} rows written",)
    detail = {
        "before_mb": before.pss / MB,
        "with_streams_mb": opened / MB,
        "kb_per_stream": (opened - before.pss) / 1e6,
    }
    return [
        result(MEMORY_IDLE, value=idle.rss / MB, detail={"pss_mb": idle.pss / MB}),
        result(MEMORY_STREAMS, value=(opened - before.pss) / MB, detail=detail, void=void),
    ]


async def warmed(gateway: Gateway) -> None:
    """Some of everything first, so that what is loaded on first use is not counted as the streams'."""
    for lane in (traffic.WHOLE, traffic.BURST_CLEAN, traffic.BURST_DECODED):
        pool = Pool(gateway.port)
        for request in wanted(lane, count=200):
            await pool.ask(request)
        pool.close()
    await asyncio.sleep(1)


async def held(gateway: Gateway) -> int:
    """PSS bytes while OPEN_STREAMS streams have had their first token and wait."""
    loop = asyncio.get_running_loop()
    connections: list[Connection] = []
    for request in wanted(traffic.IDLE, count=OPEN_STREAMS):
        _, connection = await loop.create_connection(Connection, "127.0.0.1", gateway.port)
        connection.send(request)
        connections.append(connection)
    async with asyncio.timeout(30):
        for connection in connections:
            await connection.first.wait()
    await asyncio.sleep(1)
    weight = memory(gateway.pid).pss
    for connection in connections:
        connection.leave()
    return weight


def wanted(lane: Lane, *, count: int) -> list[bytes]:
    return traffic.requests(lane, path=traffic.GATEWAY_PATH, body=payloads.small_body, count=count)
