"""Added latency at 200 requests a second: an open-loop schedule, through the gateway and direct in turns."""

import asyncio
import statistics
import time
from collections.abc import Sequence
from itertools import cycle, islice

import msgspec
import uvloop

from bench import payloads, traffic
from bench.client import Answer, Pool
from bench.rows import LatencyRow, Result, result
from bench.traffic import Lane

RATE_PER_S = 200


class Route(msgspec.Struct, frozen=True):
    """A port and the path that reaches the same mock through it."""

    port: int
    path: str


def measure(rows: Sequence[LatencyRow], *, gateway: Route, mock_port: int, seconds: float, rounds: int) -> list[Result]:
    """The rows of one lane. `seconds` per route and round."""
    lane = rows[0].lane
    direct = Route(mock_port, traffic.mock_path(lane.behaviour))
    ours, theirs = uvloop.run(alternated(lane, gateway=gateway, direct=direct, seconds=seconds, rounds=rounds))
    void = tuple(wrong(ours, where="gateway") + wrong(theirs, where="mock"))
    return [compared(row, ours=ours, theirs=theirs, void=void) for row in rows]


def compared(row: LatencyRow, *, ours: Sequence[Answer], theirs: Sequence[Answer], void: tuple[str, ...]) -> Result:
    through = quantile([answer.first_s * 1e3 for answer in ours], row.quantile)
    direct = quantile([answer.first_s * 1e3 for answer in theirs], row.quantile)
    detail = {"gateway_ms": through, "direct_ms": direct, "answers": len(ours)}
    return result(row, value=through - direct, detail=detail, void=void)


def quantile(values: Sequence[float], share: float) -> float:
    return (
        statistics.quantiles(values, n=1_000, method="inclusive")[round(share * 1_000) - 1] if len(values) > 1 else 0.0
    )


def wrong(answers: Sequence[Answer], *, where: str) -> list[str]:
    refused = sum(answer.status != 200 for answer in answers)
    return [f"{refused} of {len(answers)} answers of the {where} were not 200"] if refused or not answers else []


async def alternated(
    lane: Lane, *, gateway: Route, direct: Route, seconds: float, rounds: int
) -> tuple[list[Answer], list[Answer]]:
    ours: list[Answer] = []
    theirs: list[Answer] = []
    pools = {route: Pool(route.port) for route in (gateway, direct)}
    for route in (gateway, direct):
        await paced(lane, pool=pools[route], route=route, seconds=1)
    for _ in range(rounds):
        theirs += await paced(lane, pool=pools[direct], route=direct, seconds=seconds)
        ours += await paced(lane, pool=pools[gateway], route=gateway, seconds=seconds)
    for pool in pools.values():
        pool.close()
    return ours, theirs


async def paced(lane: Lane, *, pool: Pool, route: Route, seconds: float) -> list[Answer]:
    """Sends on schedule whatever the answers do; waits for all of them at the end."""
    count = round(RATE_PER_S * seconds)
    requests = traffic.requests(lane, path=route.path, body=payloads.small_body, count=traffic.KEY_COUNT)
    asked: list[asyncio.Task[Answer]] = []
    start = time.monotonic()
    for number, request in enumerate(islice(cycle(requests), count)):
        await asyncio.sleep(start + number / RATE_PER_S - time.monotonic())
        asked.append(asyncio.create_task(pool.ask(request)))
    return list(await asyncio.gather(*asked))
