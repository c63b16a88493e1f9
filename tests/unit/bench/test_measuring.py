"""The arithmetic and the readings behind the table: quantiles, verdicts, /proc, the ledger, the README."""

import os
import sqlite3
from pathlib import Path

import pytest

from bench import cpu, payloads, report, traffic
from bench.cpu import Sample, compared
from bench.gateway import Gateway, Tally, configuration
from bench.latency import quantile
from bench.processes import RigError, cpu_s, memory, tree
from bench.rows import CPU_ROWS, ROWS, CpuRow
from bench.suite import chosen_rows
from llmgateway.infra.settings.load import load


def test_ratio_is_of_medians_per_chunk() -> None:
    """One disturbed round does not move the figure."""
    row = next(row for row in CPU_ROWS if row.name == "paced-clean")
    ours = [Sample(cpu_us=us, answers=1, per_s=1, load_busy=0) for us in (3_000, 2_000, 90_000)]
    theirs = [Sample(cpu_us=us, answers=1, per_s=1, load_busy=0) for us in (1_500, 100, 1_600)]
    found = compared(row, ours=ours, yardstick=theirs)
    assert (found.value, found.detail["gateway_us"], found.verdict) == (2.0, 30.0, "pass")


def test_other_protocols_are_compared_with_openais_in_the_same_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """The yardstick row is measured though nobody asked for it, nginx is not, and the table says what it is."""
    row = next(row for row in CPU_ROWS if row.name == "burst-google")
    asked: list[str] = []

    def through(row: CpuRow, **_: object) -> Sample:
        asked.append(row.name)
        return Sample(cpu_us=300 if row.name == "burst-google" else 200, answers=1, per_s=1, load_busy=0)

    monkeypatch.setattr(cpu, "through_gateway", through)
    monkeypatch.setattr(cpu, "through_nginx", None)
    proxy = cpu.Proxy(0, 0)
    bench = cpu.Bench(nginx=proxy, gateway=None, mocks=(), directory=Path(), pace=cpu.Pace(2, 1))
    (found,) = cpu.measure([row], bench=bench)
    assert asked == ["burst-decoded", "burst-google"] * 3
    assert (found.name, found.value, found.detail["openai_us"]) == ("burst-google", 1.5, 2.0)
    assert "| 1.5 × openai | ≤ 2 | pass |" in report.table(report.run_of([found], mode="test"))


def test_rows_compared_with_each_other_are_measured_together() -> None:
    """In one group, so that both see the same machine."""
    compared_with = {row.name: row.against for row in CPU_ROWS if row.against is not None}
    assert {name: against.name for name, against in compared_with.items()} == {
        "burst-anthropic": "burst-decoded",
        "burst-google": "burst-decoded",
        "paced-anthropic": "paced-decoded",
        "paced-google": "paced-decoded",
    }
    assert all(row.group == row.against.group for row in CPU_ROWS if row.against is not None)


def test_a_void_sample_voids_the_row() -> None:
    """A run whose count does not hold is never a pass."""
    sample = Sample(cpu_us=1, answers=1, per_s=1, load_busy=0)
    void = Sample(cpu_us=1, answers=1, per_s=1, load_busy=0, void=("rows differ",))
    assert compared(CPU_ROWS[0], ours=[sample, void], yardstick=[sample]).verdict == "VOID"


def test_quantiles_of_known_values() -> None:
    values = [float(number) for number in range(1, 1_002)]
    assert (quantile(values, 0.5), quantile(values, 0.99)) == (501.0, 991.0)


def test_own_process_is_read_from_proc() -> None:
    """CPU and memory come from the kernel's own figures for the whole tree."""
    assert tree(os.getpid())[0] == os.getpid()
    used = os.times()
    assert cpu_s(os.getpid()) >= used.user + used.system - 0.05
    weight = memory(os.getpid())
    assert 1_000_000 < weight.pss <= weight.rss


def test_tally_counts_rows_after_the_mark(tmp_path: Path) -> None:
    """Completed rows and rows with the exact cost are told from the others."""
    with sqlite3.connect(tmp_path / "llmgateway.db") as database:
        database.execute("CREATE TABLE exchanges (log_id TEXT, status INTEGER, outcome TEXT, cost_total INTEGER)")
        cost = payloads.COST_PICOUSD
        rows = [("a", 200, "completed", cost), ("b", 200, "completed", cost), ("c", 200, "completed", 1)]
        rows += [("d", 499, "canceled", None)]
        database.executemany("INSERT INTO exchanges VALUES (?, ?, ?, ?)", rows)
    database.close()
    gateway = Gateway(pid=0, port=0, data=tmp_path, ready_s=0)
    assert gateway.mark() == "d"
    assert gateway.tally("a") == Tally(rows=3, completed=2, exact_cost=1)


def test_the_gateway_accepts_the_configuration(tmp_path: Path) -> None:
    """1,000 keys and at least 50 models, as the table says."""
    file = tmp_path / "llmgateway.toml"
    file.write_text(configuration(whole_port=1, stream_port=2))
    settings = load(file, environ={})
    assert len(settings.keys) == traffic.KEY_COUNT
    assert sum(lane.models for lane in traffic.LANES) >= 50


def test_rows_are_chosen_by_name_or_beginning() -> None:
    assert [row.name for row in chosen_rows(["whole-500"])] == ["whole-500"]
    assert len(chosen_rows(["paced", "start"])) == 7
    assert chosen_rows(None) == list(ROWS)
    with pytest.raises(RigError, match="no row 'nope'; there are: whole-500"):
        chosen_rows(["nope"])


def test_the_table_replaces_only_what_stands_between_its_markers(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text(f"before\n{report.BENCH[0]}\nold\n{report.BENCH[1]}\nafter\n")
    row = CPU_ROWS[0]
    sample = Sample(cpu_us=1, answers=1, per_s=1, load_busy=0)
    run = report.run_of([compared(row, ours=[sample], yardstick=[sample])], mode="test")
    report.publish(run, readme=readme)
    text = readme.read_text()
    assert text.startswith("before\n")
    assert text.endswith("\nafter\n")
    assert "old" not in text
    assert f"| {row.name} |" in text
    assert "| pass |" in text
