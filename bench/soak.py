"""`make soak`: does memory grow with requests? 200,000 of them: whole, streamed, broken by the provider, or left.

python -m bench.soak [--requests 200000]
"""

import argparse
import asyncio
import sys
import time
from collections import Counter

import msgspec
import uvloop

from bench import payloads, report, traffic
from bench.client import Pool
from bench.footprint import MB
from bench.gateway import Gateway
from bench.processes import RigError, memory, require_machine, stay_on_load_core
from bench.rows import Result, Row, result
from bench.suite import rig
from bench.traffic import GATEWAY_PATH, Lane

FIRST = 20_000
"""Growth is counted from here: by now caches, pools and the allocator have what they need."""
CALLERS = 48
SOAK = Row(name="soak", title="growth of the process from request 20,000 to 200,000, mixed traffic", limit=3, unit="MB")
UNKNOWN = Lane("bench-nobody", "whole")


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of request of the mix and the status it must get. `leave`: the client goes after the first byte."""

    lane: Lane
    status: int = 200
    share: int = 1
    large: bool = False
    leave: bool = False


MIX = (
    Kind(lane=traffic.WHOLE, share=24),
    Kind(lane=traffic.WHOLE, large=True, share=2),
    Kind(lane=traffic.BURST_CLEAN, share=3),
    Kind(lane=traffic.BURST_DECODED, share=2),
    Kind(lane=traffic.BURST_UNCLEAN, share=1),
    Kind(lane=traffic.PACED_CLEAN, leave=True, share=3),
    Kind(lane=traffic.FAULT_CUT),
    Kind(lane=traffic.FAULT_500, status=502),
    Kind(lane=traffic.FAULT_GARBAGE, status=502),
    Kind(lane=UNKNOWN, status=404),
)
TURN = tuple(kind for kind in MIX for _ in range(kind.share))
"""One turn of the mix; its order does not matter, 48 callers are always at different places of it."""


def requests_of(kind: Kind) -> list[bytes]:
    body = payloads.large_body if kind.large else payloads.small_body
    return traffic.requests(kind.lane, path=GATEWAY_PATH, body=body, count=50 if kind.large else traffic.KEY_COUNT)


async def driven(port: int, *, numbers: range, seen: Counter[str]) -> None:
    """Sends the requests of these numbers, CALLERS at a time."""
    pool = Pool(port)
    waiting = iter(numbers)

    async def caller() -> None:
        for number in waiting:
            kind = TURN[number % len(TURN)]
            ready = requests_of(kind)
            await asked(pool, kind=kind, request=ready[number // len(TURN) % len(ready)], seen=seen)

    await asyncio.gather(*(caller() for _ in range(CALLERS)))
    pool.close()


async def asked(pool: Pool, *, kind: Kind, request: bytes, seen: Counter[str]) -> None:
    if kind.leave:
        connection = await pool.take()
        connection.send(request)
        await connection.first.wait()
        connection.leave()
        seen["left"] += 1
        return
    try:
        answer = await pool.ask(request)
    except OSError as error:
        seen[f"{kind.lane.provider}: {error}"] += 1
        return
    seen["as expected" if answer.status == kind.status else f"{kind.lane.provider} got {answer.status}"] += 1


def soaked(gateway: Gateway, *, total: int) -> tuple[list[tuple[int, float]], Counter[str], int]:
    """Memory after every FIRST requests as (requests, MB), what was seen, and the exchange rows written."""
    seen: Counter[str] = Counter()
    weights: list[tuple[int, float]] = []
    for start in range(0, total, FIRST):
        end = min(start + FIRST, total)
        uvloop.run(driven(gateway.port, numbers=range(start, end), seen=seen))
        gateway.settled("", expected=end)
        time.sleep(2)
        weights.append((end, memory(gateway.pid).rss / MB))
        print(f"{end:>8,} requests  {weights[-1][1]:7.2f} MB", flush=True)
    return weights, seen, gateway.tally("").rows


def judged(weights: list[tuple[int, float]], *, seen: Counter[str], rows: int, total: int) -> Result:
    void = [f"{number} × {what}" for what, number in seen.items() if what not in {"as expected", "left"}]
    if rows != total:
        void.append(f"{total} requests sent, {rows} exchange rows written")
    growth = weights[-1][1] - weights[0][1]
    detail = {"at_first_mb": weights[0][1], "at_last_mb": weights[-1][1], "requests": total, "left": seen["left"]}
    return result(SOAK, value=growth, detail=detail, void=tuple(void))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=200_000, help="at least 40,000")
    total = max(parser.parse_args().requests, 2 * FIRST)
    try:
        require_machine()
        stay_on_load_core()
        with rig() as parts, parts.gateway_on(parts.directory / "soak") as gateway:
            weights, seen, rows = soaked(gateway, total=total)
    except RigError as error:
        print(f"soak: {error}", file=sys.stderr)
        return 2
    run = report.run_of([judged(weights, seen=seen, rows=rows, total=total)], mode="soak")
    print(f"\n{report.table(run)}")
    report.keep(run)
    if total >= 200_000:
        report.publish(run, markers=report.SOAK)
    return 0 if run.results[0].verdict == "pass" else 1


if __name__ == "__main__":
    sys.exit(main())
