"""Where the gateway's CPU goes under the load of one row: by Python function (py-spy) and by shared object (perf).

What py-spy shows as own time of `Runner.run` is uvloop, libuv and the kernel: the event loop has no Python frames. The
SQLite sink runs on a thread of its own: its share is CPU of the process, not latency.

python -m bench.hotspots whole-500 [--seconds 8] [--top 40] [--native]
"""

import argparse
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench import traffic, wrk
from bench.cpu import VARIANTS
from bench.gateway import Gateway
from bench.processes import LOAD_CORE, RigError, program, require_machine, stay_on_load_core
from bench.rows import CPU_ROWS, CpuRow
from bench.suite import Rig, rig

RATE_HZ = 250


def recorded(gateway: Gateway, *, directory: Path, seconds: int, native: bool) -> Counter[tuple[str, ...]]:
    """Samples by stack, outermost function first."""
    spy = Path(sys.executable).with_name("py-spy")
    if not spy.exists():
        raise RigError("py-spy is missing here. Install with: .venv/bin/pip install py-spy")
    file = directory / "stacks.txt"
    command = [str(spy), "record", "--pid", str(gateway.pid), "--duration", str(seconds), "--rate", str(RATE_HZ)]
    command += [
        "--format",
        "raw",
        "--function",
        "--output",
        str(file),
        *(["--native"] if native else ["--nonblocking"]),
    ]
    done = subprocess.run(["taskset", "-c", str(LOAD_CORE), *command], capture_output=True, text=True, check=False)
    if not file.exists():
        raise RigError(f"py-spy recorded nothing: {done.stderr[-500:]}")
    stacks: Counter[tuple[str, ...]] = Counter()
    for line in file.read_text().splitlines():
        stack, _, number = line.rpartition(" ")
        stacks[tuple(stack.split(";"))] += int(number)
    return stacks


def by_function(stacks: Counter[tuple[str, ...]], *, top: int) -> str:
    """Own share and share with callees, in percent of all samples, sorted by own."""
    own: Counter[str] = Counter()
    all_in: Counter[str] = Counter()
    for stack, number in stacks.items():
        own[stack[-1]] += number
        for function in set(stack):
            all_in[function] += number
    total = max(sum(stacks.values()), 1)
    lines = ["   own%  with callees%  function"]
    for function, number in own.most_common(top):
        lines.append(f"{100 * number / total:7.1f} {100 * all_in[function] / total:14.1f}  {function}")
    return "\n".join(lines)


def by_object(gateway: Gateway, *, directory: Path, seconds: int, top: int) -> str:
    """perf's view: kernel, interpreter and extension modules, with their hottest symbols."""
    perf = program("perf")
    if perf is None:
        return "perf is missing here (apt-get install linux-perf): no view by shared object"
    data = str(directory / "perf.data")
    record = [perf, "record", "-q", "-e", "cpu-clock", "-F", "999", "-p", str(gateway.pid), "-o", data]
    subprocess.run([*record, "--", "sleep", str(seconds)], capture_output=True, check=False)
    tables: list[str] = []
    for keys, lines in (("dso", 12), ("dso,symbol", top)):
        show = [perf, "report", "-i", data, "--stdio", "-q", "--sort", keys, "--percent-limit", "0.5"]
        shown = subprocess.run(show, capture_output=True, text=True, check=False).stdout
        tables.append("\n".join([line for line in shown.splitlines() if line.strip()][:lines]))
    return "\n\n".join(tables)


def profiled(row: CpuRow, *, parts: Rig, seconds: int, top: int, native: bool) -> None:
    """Loads the gateway as the row does, twice: once under py-spy, once under perf."""
    requests = traffic.requests(row.lane, path=traffic.GATEWAY_PATH, body=row.body, count=VARIANTS[row.body.__name__])
    with parts.gateway_on(parts.directory / "profile") as gateway, ThreadPoolExecutor(1) as background:
        load = wrk.Load(port=gateway.port, connections=row.connections, send_s=seconds + 2, drain_s=row.drain_s)
        wrk.run(
            wrk.Load(port=load.port, connections=load.connections, send_s=1, drain_s=row.drain_s),
            requests=requests,
            directory=parts.directory,
        )
        answered = background.submit(wrk.run, load, requests=requests, directory=parts.directory)
        stacks = recorded(gateway, directory=parts.directory, seconds=seconds, native=native)
        count = answered.result()
        print(f"{row.name}: {count.answers:,} answers while sampled ({sum(stacks.values())} samples)\n")
        print(by_function(stacks, top=top))
        answered = background.submit(wrk.run, load, requests=requests, directory=parts.directory)
        print(f"\n{by_object(gateway, directory=parts.directory, seconds=seconds, top=top)}")
        answered.result()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("row", choices=[row.name for row in CPU_ROWS])
    parser.add_argument("--seconds", type=int, default=8)
    parser.add_argument("--top", type=int, default=40, help="functions shown")
    parser.add_argument("--native", action="store_true", help="C functions too; slows the gateway down while sampled")
    given = parser.parse_args()
    row = next(row for row in CPU_ROWS if row.name == given.row)
    try:
        require_machine()
        stay_on_load_core()
        with rig() as parts:
            profiled(row, parts=parts, seconds=given.seconds, top=given.top, native=given.native)
    except RigError as error:
        print(f"hotspots: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
