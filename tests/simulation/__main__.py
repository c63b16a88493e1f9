"""Ten days of a million requests, and the conversations: `make simulation`. Writes docs/simulation.md."""

import argparse
import multiprocessing
import os
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from tests.simulation.conversations import CONVERSATIONS
from tests.simulation.conversing import FLAPS, Conversing, conversed
from tests.simulation.figures import Measures, lived
from tests.simulation.report import page
from tests.simulation.scenario import REQUESTS, SEEDS

PAGE: Final = Path(__file__).resolve().parents[2] / "docs" / "simulation.md"
TALKED_SEEDS: Final = SEEDS[:3]

Work = tuple[str, type[Any], Callable[..., Any], tuple[Any, ...]]
"""A name, what comes of it, and how."""
T = TypeVar("T")


def main() -> int:
    asked = _arguments().parse_args()
    works: list[Work] = [
        (f"day-{seed}-{asked.requests}", Measures, lived, (seed, asked.requests)) for seed in asked.seeds
    ]
    if asked.conversations:
        works += [
            (f"talks-{number}-{seed}-{asked.conversations}", Conversing, conversed, (seed, flap, asked.conversations))
            for number, flap in enumerate(FLAPS)
            for seed in asked.seeds
            if seed in TALKED_SEEDS
        ]
    with ProcessPoolExecutor(asked.jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        done = _done(works, pool=pool, saved=asked.saved)
    before = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
    text = page(before, _of(Measures, done), _of(Conversing, done))
    if asked.no_page:
        print(text)
    else:
        PAGE.write_text(text, encoding="utf-8")
        print(f"written: {PAGE.name}")
    return 0


def _arguments() -> argparse.ArgumentParser:
    arguments = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    arguments.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS))
    arguments.add_argument("--requests", type=int, default=REQUESTS, help="of each day")
    arguments.add_argument("--conversations", type=int, default=CONVERSATIONS, help="of each flapping; 0 = none")
    arguments.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes at a time")
    arguments.add_argument("--saved", type=Path, help="a folder: what is found there is taken, the rest is put there")
    arguments.add_argument(
        "--no-page", action="store_true", help="print the page instead of writing docs/simulation.md"
    )
    return arguments


def _done(works: list[Work], *, pool: ProcessPoolExecutor, saved: Path | None) -> list[Any]:
    """In the order of the works. `saved` is for one simulation in several sittings: it knows of no change of code."""
    found: dict[str, Any] = {}
    for name, kind, *_ in works:
        if saved is not None and (saved / name).exists():
            found[name] = msgspec.json.decode((saved / name).read_bytes(), type=kind)
    running = {name: pool.submit(how, *given) for name, _, how, given in works if name not in found}
    for name, future in running.items():
        found[name] = future.result()
        print(f"done: {name}", file=sys.stderr)
        if saved is not None:
            saved.mkdir(parents=True, exist_ok=True)
            (saved / name).write_bytes(msgspec.json.encode(found[name]))
    return [found[name] for name, _, _, _ in works]


def _of(kind: type[T], done: list[Any]) -> list[T]:
    return [one for one in done if isinstance(one, kind)]


if __name__ == "__main__":
    sys.exit(main())
