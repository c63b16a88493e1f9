"""Processes of the rig: started on their core, ended with it, and read from /proc (CPU seconds, memory) as whole trees.

Core 0 belongs to the proxy under test, core 1 to mocks, load and this program.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec

PROXY_CORE = 0
LOAD_CORE = 1
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
PACKAGES = {"nginx": "nginx-light", "wrk": "wrk", "taskset": "util-linux"}


class RigError(Exception):
    """The rig cannot run here, or a part of it did not come up; the message says what to do."""


class Memory(msgspec.Struct, frozen=True):
    """Resident memory of a process tree in bytes; `pss` counts shared pages once."""

    rss: int
    pss: int


def require_machine() -> None:
    """Stops with a clear sentence where a tool or the second core is missing."""
    missing = [PACKAGES[name] for name in PACKAGES if program(name) is None]
    if missing:
        raise RigError(f"missing here: {', '.join(missing)}. Install with: apt-get install {' '.join(missing)}")
    cores = os.sched_getaffinity(0)
    if not {PROXY_CORE, LOAD_CORE} <= cores:
        raise RigError(f"the rig needs cores {PROXY_CORE} and {LOAD_CORE}; this process may use {sorted(cores)}")


def program(name: str) -> str | None:
    """The path of a program; Debian keeps servers in /usr/sbin, which is not on everyone's PATH."""
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")


def stay_on_load_core() -> None:
    """This process and all it starts without a core of their own."""
    os.sched_setaffinity(0, {LOAD_CORE})


@contextlib.contextmanager
def running(
    command: Sequence[str], *, log: Path, core: int = LOAD_CORE, env: dict[str, str] | None = None, stop_s: float = 15
) -> Iterator[subprocess.Popen[bytes]]:
    """A program on one core, its output in `log`; ended with SIGTERM, after `stop_s` with SIGKILL."""
    pinned = ["taskset", "-c", str(core), *command]
    with log.open("ab") as sink:
        child = subprocess.Popen(pinned, stdout=sink, stderr=sink, stdin=subprocess.DEVNULL, env=env)
    try:
        yield child
    finally:
        child.send_signal(signal.SIGTERM)
        try:
            child.wait(stop_s)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_until(
    ready: Callable[[], bool], *, what: str, limit_s: float = 20, child: subprocess.Popen[bytes] | None = None
) -> None:
    deadline = time.monotonic() + limit_s
    while not ready():
        if child is not None and child.poll() is not None:
            raise RigError(f"{what} ended with status {child.returncode}")
        if time.monotonic() > deadline:
            raise RigError(f"{what} did not happen within {limit_s} s")
        time.sleep(0.002)


def accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def tree(pid: int) -> list[int]:
    """The process and all its living descendants."""
    found = [pid]
    for parent in found:
        for task in Path(f"/proc/{parent}/task").glob("*/children"):
            with contextlib.suppress(OSError):
                found += [int(child) for child in task.read_text().split()]
    return found


def cpu_s(pid: int) -> float:
    """CPU seconds, user and system, that the whole tree has used, threads and ended children included."""
    ticks = 0
    for member in tree(pid):
        with contextlib.suppress(OSError):
            # Fields after the parenthesised name: utime, stime, cutime, cstime are the 12th to 15th of them.
            fields = Path(f"/proc/{member}/stat").read_text().rpartition(")")[2].split()
            ticks += sum(int(field) for field in fields[11:15])
    return ticks / TICKS_PER_S


def memory(pid: int) -> Memory:
    rss = pss = 0
    for member in tree(pid):
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{member}/smaps_rollup").read_text().splitlines():
                name, _, rest = line.partition(":")
                if name == "Rss":
                    rss += int(rest.split()[0]) * 1024
                elif name == "Pss":
                    pss += int(rest.split()[0]) * 1024
    return Memory(rss=rss, pss=pss)
