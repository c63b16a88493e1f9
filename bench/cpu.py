"""CPU per request and per chunk: gateway and nginx in turns under the same load, and the proof of the count."""

import os
import statistics
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from bench import traffic, wrk
from bench.gateway import Gateway
from bench.processes import cpu_s
from bench.rows import CpuRow, Result, result

VARIANTS = {"small_body": traffic.KEY_COUNT, "large_body": 100, "new_body": 100}
"""Different requests per load, by body, but for the stamp of new ones."""


class Proxy(msgspec.Struct, frozen=True):
    """A process under test and where it listens."""

    pid: int
    port: int


class Pace(msgspec.Struct, frozen=True):
    """How much time is taken: rounds per row (the median counts), and the share of each row's own duration."""

    rounds: int
    share: float


class Sample(msgspec.Struct, frozen=True):
    """One run. CPU-µs per answer; `load_busy` is the share of its core that mocks and load tool used."""

    cpu_us: float
    answers: int
    per_s: float
    load_busy: float
    void: tuple[str, ...] = ()


class Bench(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a CPU row needs. Without `gateway`, nginx is compared with itself, which proves the rig."""

    nginx: Proxy
    gateway: Gateway | None
    mocks: tuple[int, ...]
    directory: Path
    pace: Pace


def measure(rows: Sequence[CpuRow], *, bench: Bench) -> list[Result]:
    """The rows of one group: per round nginx first, then each lane; medians over the rounds.

    Rows that others are compared with are measured with them, asked for or not.
    """
    sampled = list(dict.fromkeys(one for row in rows for one in (row.against, row) if one is not None))
    by_nginx = next((row for row in rows if row.against is None), None)
    samples: dict[CpuRow | None, list[Sample]] = {row: [] for row in (None, *sampled)}
    for row in sampled:
        warm = Pace(1, 0.3)
        if by_nginx is not None:
            through_nginx(row, bench=bench, pace=warm)
        through_gateway(row, bench=bench, pace=warm)
    for _ in range(bench.pace.rounds):
        if by_nginx is not None:
            samples[None].append(through_nginx(by_nginx, bench=bench, pace=bench.pace))
        for row in sampled:
            samples[row].append(through_gateway(row, bench=bench, pace=bench.pace))
    return [compared(row, ours=samples[row], yardstick=samples[row.against]) for row in rows]


def compared(row: CpuRow, *, ours: Sequence[Sample], yardstick: Sequence[Sample]) -> Result:
    gateway_us = statistics.median(sample.cpu_us for sample in ours) / row.per
    yardstick_us = statistics.median(sample.cpu_us for sample in yardstick) / row.per
    detail = {
        "gateway_us": gateway_us,
        f"{row.yardstick}_us": yardstick_us,
        "answers": sum(sample.answers for sample in ours),
        "answers_per_s": statistics.median(sample.per_s for sample in ours),
        "load_core_busy": max(sample.load_busy for sample in ours),
        "lowest_us": min(sample.cpu_us for sample in ours) / row.per,
        "highest_us": max(sample.cpu_us for sample in ours) / row.per,
    }
    void = tuple(reason for sample in (*ours, *yardstick) for reason in sample.void)
    return result(row, value=gateway_us / yardstick_us if yardstick_us else 0.0, detail=detail, void=void)


def through_nginx(row: CpuRow, *, bench: Bench, pace: Pace) -> Sample:
    path = traffic.mock_path(row.lane.behaviour)
    started = time.monotonic()
    before, load_before = cpu_s(bench.nginx.pid), load_cpu_s(bench)
    count = loaded(row, port=bench.nginx.port, path=path, bench=bench, pace=pace)
    used, load_used = cpu_s(bench.nginx.pid) - before, load_cpu_s(bench) - load_before
    return sample(row, count=count, used_s=used, load_busy=load_used / (time.monotonic() - started), pace=pace)


def through_gateway(row: CpuRow, *, bench: Bench, pace: Pace) -> Sample:
    """CPU is read when the last row is in the database: writing it down is part of the work."""
    if bench.gateway is None:
        return through_nginx(row, bench=bench, pace=pace)
    gateway = bench.gateway
    mark = gateway.mark()
    started = time.monotonic()
    before, load_before = cpu_s(gateway.pid), load_cpu_s(bench)
    count = loaded(row, port=gateway.port, path=traffic.GATEWAY_PATH, bench=bench, pace=pace)
    load_busy = (load_cpu_s(bench) - load_before) / (time.monotonic() - started)
    tally = gateway.settled(mark, expected=count.answers)
    used = cpu_s(gateway.pid) - before
    void: list[str] = []
    if not tally.rows == tally.completed == tally.exact_cost == count.answers:
        void.append(
            f"{count.answers} answers counted, but {tally.rows} exchange rows, {tally.completed} completed, "
            f"{tally.exact_cost} with the exact cost"
        )
    return sample(row, count=count, used_s=used, load_busy=load_busy, pace=pace, void=void)


def loaded(row: CpuRow, *, port: int, path: str, bench: Bench, pace: Pace) -> wrk.Count:
    requests = traffic.requests(row.lane, path=path, body=row.body, count=VARIANTS[row.body.__name__])
    load = wrk.Load(port=port, connections=row.connections, send_s=row.send_s * pace.share, drain_s=row.drain_s)
    return wrk.run(load, requests=requests, directory=bench.directory)


def sample(
    row: CpuRow, *, count: wrk.Count, used_s: float, load_busy: float, pace: Pace, void: Sequence[str] = ()
) -> Sample:
    reasons = list(void)
    if not count.answers:
        reasons.append("no answer was counted")
    if count.not_2xx or count.broken:
        reasons.append(f"{count.not_2xx} answers were not 2xx, {count.broken} connections broke")
    per_s = count.answers / (row.send_s * pace.share)
    return Sample(used_s * 1e6 / max(count.answers, 1), count.answers, per_s, load_busy, tuple(reasons))


def load_cpu_s(bench: Bench) -> float:
    """CPU seconds of this program, of the mocks and, once it has ended, of wrk."""
    own = os.times()
    return own.user + own.system + own.children_user + own.children_system + sum(cpu_s(pid) for pid in bench.mocks)
