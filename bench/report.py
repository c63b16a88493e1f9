"""The table: printed, kept as JSON under bench/out/results, and written into bench/README.md between its markers."""

import platform
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from bench.rows import Result

HERE = Path(__file__).resolve().parent
Markers = tuple[str, str]
BENCH: Markers = ("<!-- results: written by `make bench` -->", "<!-- end of results -->")
SOAK: Markers = ("<!-- soak: written by `make soak` -->", "<!-- end of soak -->")


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One run of the bench and what it ran on."""

    date: str
    commit: str
    machine: str
    python: str
    mode: str
    results: tuple[Result, ...]


def run_of(results: Sequence[Result], *, mode: str) -> Run:
    now = datetime.now(tz=UTC)
    return Run(
        date=now.strftime("%Y-%m-%d %H:%M UTC"),
        commit=commit(),
        machine=machine(),
        python=platform.python_version(),
        mode=mode,
        results=tuple(results),
    )


def commit() -> str:
    """The short hash, with a + when tracked files differ from it."""
    described = subprocess.run(
        ["git", "describe", "--always", "--dirty=+", "--exclude=*"],
        cwd=HERE,
        capture_output=True,
        text=True,
        check=False,
    )
    return described.stdout.strip() or "unknown"


def machine() -> str:
    """CPU model and core count: what the figures depend on, and nothing that names a host."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{len(models)} cores, {models[0] if models else 'unknown CPU'}"


def table(run: Run) -> str:
    """The Markdown table with its caption."""
    lines = [
        f"{run.date}, commit {run.commit}, {run.machine}, Python {run.python}, {run.mode}",
        "",
        "| row | what | measured | limit | verdict | behind it |",
        "|---|---|---|---|---|---|",
    ]
    for one in run.results:
        behind = ", ".join(f"{name} {figure(value)}" for name, value in one.detail.items())
        measured = f"{figure(one.value)} {one.unit}"
        lines.append(f"| {one.name} | {one.title} | {measured} | ≤ {one.limit:g} | {one.verdict} | {behind} |")
    voids = [f"- VOID {one.name}: {reason}" for one in run.results for reason in one.void]
    return "\n".join([*lines, *(["", *voids] if voids else [])])


def figure(value: float) -> str:
    """Three significant digits, thousands whole."""
    return f"{value:,.0f}" if abs(value) >= 1_000 else f"{value:.3g}"


def keep(run: Run) -> Path:
    directory = HERE / "out" / "results"
    directory.mkdir(parents=True, exist_ok=True)
    file = directory / f"{run.date[:16].replace(' ', 'T').replace(':', '')}-{run.commit}.json"
    file.write_bytes(msgspec.json.format(msgspec.json.encode(run)))
    return file


def publish(run: Run, *, markers: Markers = BENCH, readme: Path = HERE / "README.md") -> None:
    """Replaces what stands between the markers."""
    text = readme.read_text()
    before, begin, rest = text.partition(markers[0])
    _, end, after = rest.partition(markers[1])
    if not begin or not end:
        raise ValueError(f"{readme.name} needs the lines {markers[0]!r} and {markers[1]!r} around the table")
    readme.write_text(f"{before}{begin}\n\n{table(run)}\n\n{end}{after}")
