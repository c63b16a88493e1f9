"""`make bench`: starts mocks, nginx and gateway, measures the chosen rows and prints the table.

python bench/run.py                             all rows, about ten minutes, written into bench/README.md
python bench/run.py --quick                     all rows, about two minutes, printed only
python bench/run.py --quick --only whole-500    one row (or a prefix: `paced`, `latency`), about 20 seconds
"""

import argparse
import contextlib
import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec

from bench import cpu, footprint, latency, nginx, report, rows, traffic
from bench.gateway import Gateway, gateway
from bench.processes import (
    RigError,
    accepts,
    free_port,
    require_machine,
    running,
    stay_on_load_core,
    wait_until,
)
from bench.rows import ROWS, CpuRow, LatencyRow, Result, Row


class Rig(msgspec.Struct, frozen=True, kw_only=True):
    """The running mocks and nginx proxy, and where working files go."""

    directory: Path
    whole_port: int
    stream_port: int
    nginx: cpu.Proxy
    mocks: tuple[int, ...]

    def gateway_on(self, directory: Path) -> contextlib.AbstractContextManager[Gateway]:
        return gateway(free_port(), directory=directory, whole_port=self.whole_port, stream_port=self.stream_port)

    def mock_port(self, behaviour: traffic.Behaviour) -> int:
        return self.whole_port if behaviour == "whole" else self.stream_port


@contextlib.contextmanager
def rig() -> Iterator[Rig]:
    """Mocks on the load core, nginx as reverse proxy on the proxy core, all gone afterwards, on SIGTERM too."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    whole_port, stream_port, proxy_port = free_port(), free_port(), free_port()
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        whole_pid = stack.enter_context(nginx.mock(whole_port, directory=directory / "mock"))
        command = [sys.executable, "-m", "bench.stream_mock", "--port", str(stream_port)]
        env = os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[1])}
        mock = stack.enter_context(running(command, log=directory / "stream-mock.log", env=env))
        wait_until(lambda: accepts(stream_port), what="the stream mock", child=mock)
        proxy_pid = stack.enter_context(
            nginx.proxy(proxy_port, directory=directory / "proxy", whole_port=whole_port, stream_port=stream_port)
        )
        yield Rig(
            directory=directory,
            whole_port=whole_port,
            stream_port=stream_port,
            nginx=cpu.Proxy(proxy_pid, proxy_port),
            mocks=(whole_pid, mock.pid),
        )


def measured(chosen: list[Row], *, rig: Rig, quick: bool, rig_only: bool) -> Iterator[Result]:
    """Each result as soon as it is there."""
    loads = [row for row in chosen if isinstance(row, CpuRow | LatencyRow)]
    if loads:
        with contextlib.ExitStack() as stack:
            subject = None if rig_only else stack.enter_context(rig.gateway_on(rig.directory / "load"))
            yield from cpu_results(
                [row for row in loads if isinstance(row, CpuRow)], rig=rig, subject=subject, quick=quick
            )
            paced = [row for row in loads if isinstance(row, LatencyRow)]
            yield from latency_results(paced, rig=rig, subject=subject, quick=quick)
    if rig_only:
        return
    yield from process_results({row.name for row in chosen}, rig=rig, quick=quick)


def cpu_results(chosen: list[CpuRow], *, rig: Rig, subject: Gateway | None, quick: bool) -> Iterator[Result]:
    pace = cpu.Pace(1, 0.5) if quick and len(chosen) > 1 else cpu.Pace(3, 0.4 if quick else 1)
    bench = cpu.Bench(nginx=rig.nginx, gateway=subject, mocks=rig.mocks, directory=rig.directory, pace=pace)
    for group in dict.fromkeys(row.group for row in chosen):
        yield from cpu.measure([row for row in chosen if row.group == group], bench=bench)


def latency_results(chosen: list[LatencyRow], *, rig: Rig, subject: Gateway | None, quick: bool) -> Iterator[Result]:
    for lane in dict.fromkeys(row.lane for row in chosen):
        through = latency.Route(rig.nginx.port, traffic.mock_path(lane.behaviour))
        if subject is not None:
            through = latency.Route(subject.port, traffic.GATEWAY_PATH)
        yield from latency.measure(
            [row for row in chosen if row.lane == lane],
            gateway=through,
            mock_port=rig.mock_port(lane.behaviour),
            seconds=3 if quick else 5,
            rounds=1 if quick else 2,
        )


def process_results(names: set[str], *, rig: Rig, quick: bool) -> Iterator[Result]:
    if names & {rows.START.name, rows.START_FRESH.name}:
        found = footprint.start_times(rig.gateway_on, directory=rig.directory, rounds=1 if quick else 3)
        yield from (one for one in found if one.name in names)
    if names & {rows.MEMORY_IDLE.name, rows.MEMORY_STREAMS.name}:
        found = footprint.memory_rows(rig.gateway_on, directory=rig.directory)
        yield from (one for one in found if one.name in names)


def chosen_rows(only: list[str] | None) -> list[Row]:
    """Rows whose name begins with one of `only`. Raises RigError when one names none."""
    for name in only or []:
        if not any(row.name.startswith(name) for row in ROWS):
            raise RigError(f"no row {name!r}; there are: {', '.join(row.name for row in ROWS)}")
    return [row for row in ROWS if not only or any(row.name.startswith(name) for name in only)]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="shorter runs, one round; nothing is written")
    parser.add_argument("--only", action="append", metavar="ROW", help="a row's name or its beginning; may be repeated")
    parser.add_argument("--rig-only", action="store_true", help="nginx in the gateway's place: how exact is the rig?")
    return parser.parse_args()


def main() -> int:
    given = arguments()
    try:
        chosen = chosen_rows(given.only)
        require_machine()
        stay_on_load_core()
        results: list[Result] = []
        with rig() as parts:
            for one in measured(chosen, rig=parts, quick=given.quick, rig_only=given.rig_only):
                print(
                    f"{one.name:20} {report.figure(one.value):>8} {one.unit:10} limit {one.limit:g}: {one.verdict}",
                    flush=True,
                )
                results.append(one)
    except RigError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    mode = "quick" if given.quick else "median of 3"
    run = report.run_of(results, mode=f"{mode}, nginx against itself" if given.rig_only else mode)
    print(f"\n{report.table(run)}")
    if not given.quick and not given.rig_only and not given.only:
        report.publish(run)
        print(f"\nwritten into bench/README.md and {report.keep(run).relative_to(report.HERE.parent)}")
    return 1 if any(one.verdict != "pass" for one in results) else 0
