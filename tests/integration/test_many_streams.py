"""Many streams at once before providers that fail one request in ten: nothing leaks, and each is settled once.

`make test` runs a small version; `make test-streams` the whole, with 2,000 streams at once.
"""

import asyncio
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.gateway import (
    Gateway,
    Simulator,
    custom_provider,
    running_gateway,
    running_simulator,
    static_key,
    wait_until,
)
from tests.support.streamload import Ending, all_at_once, request

STREAMS = int(os.environ.get("LLMGATEWAY_TEST_STREAMS", "240"))
ROUNDS = 5
WARM = 2
"""Rounds after which caches, pools and the allocator have what they need."""
PROVIDERS = ("one", "two", "three")
FAULTS = (
    "500",
    "503",
    "reset",
    "html-502",
    "empty-message",
    "error-event",
    "cut",
    "no-finish",
    "malformed-json",
    "reset-mid",
)
"""Before the head, before content and behind it."""
SHARE = 0.1
LEAVING = 20
GROWTH_MB = 3 + STREAMS / 250
IDLE_CONNECTIONS = 100
"""Of one provider, at most."""


def configuration(simulators: list[Simulator]) -> str:
    """Three models, each cheapest at another provider, so that each provider has its share of the load."""
    sections = ["[server]\nmax_in_flight = 4000\n", static_key()]
    for place, (name, simulator) in enumerate(zip(PROVIDERS, simulators, strict=True)):
        timeouts = "timeout_s = { first_byte = 20, idle = 20 }"
        sections.append(
            custom_provider(name, simulator.base_url, 'quirks = ["x_simulator"]', timeouts, key=f"sk-{name}")
        )
        for number in range(len(PROVIDERS)):
            price = 1 + (place + number) % len(PROVIDERS) / 10
            sections.append(
                f'[[providers.{name}.models]]\nid = "model-{number}"\ninput_usd_per_mtok = {price}\n'
                f"output_usd_per_mtok = {price}\n"
            )
    return "\n".join(sections)


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    with ExitStack() as stack:
        simulators = [stack.enter_context(running_simulator()) for _ in PROVIDERS]
        yield stack.enter_context(running_gateway(tmp_path, configuration=configuration(simulators)))


def asked(round_: int) -> list[tuple[str, bytes]]:
    """The requests of a round by their ids."""
    found: list[tuple[str, bytes]] = []
    for number in range(STREAMS):
        name = f"r{round_}-{number}"
        steering = {
            "fault": FAULTS[number % len(FAULTS)], "probability": SHARE, "seed": round_ * STREAMS + number % 97,
            "tokens": 8, "first_token_ms": 300, "per_token_ms": 200,
        }  # fmt: skip
        found.append((name, request(f"model-{number % len(PROVIDERS)}", request_id=name, steering=steering)))
    return found


class Weight:
    """What the process holds once all is quiet: descriptors, memory, and its own count of what is open."""

    def __init__(self, gateway: Gateway) -> None:
        wait_until(lambda: gateway.metric("requests_in_flight") == 0, what="the end of all requests", limit_s=30)
        wait_until(lambda: _in_use(gateway) == 0, what="the end of all connections in use", limit_s=30)
        self.descriptors = len(os.listdir(f"/proc/{gateway.pid}/fd"))
        self.idle = int(gateway.metric("upstream_connections_idle"))
        self.tasks = int(gateway.metric("tasks"))
        with open(f"/proc/{gateway.pid}/status", encoding="ascii") as status:
            self.memory_mb = next(int(line.split()[1]) for line in status if line.startswith("VmRSS:")) / 1024


def _in_use(gateway: Gateway) -> float:
    return gateway.metric("upstream_connections_open") - gateway.metric("upstream_connections_idle")


def test_nothing_leaks_and_each_exchange_is_settled_once(gateway: Gateway) -> None:
    before = Weight(gateway)
    endings: dict[str, Ending] = {}
    weights: list[Weight] = []
    for round_ in range(ROUNDS):
        endings |= asyncio.run(all_at_once(gateway.port, asked(round_), leaving=LEAVING))
        weights.append(Weight(gateway))
        print(f"round {round_ + 1}:", dict(Counter(endings.values())), vars(weights[-1]))
    for weight in weights:
        assert weight.idle <= len(PROVIDERS) * IDLE_CONNECTIONS
        assert weight.descriptors - weight.idle <= before.descriptors - before.idle + 2
        assert weight.tasks == before.tasks
    assert weights[-1].memory_mb - weights[WARM - 1].memory_mb < GROWTH_MB
    gateway.stop()
    held_against(gateway, endings)
    gateway.start()


def held_against(gateway: Gateway, endings: dict[str, Ending]) -> None:
    """What each client saw is what its one row says."""
    rows = gateway.ask("SELECT request_id, log_id, status, outcome, truncated, attempts FROM exchanges")
    assert len(rows) == len(endings)
    assert {row["request_id"] for row in rows} == set(endings)
    seen = Counter((endings[row["request_id"]], row["outcome"], row["truncated"]) for row in rows)
    allowed = {
        ("complete", "completed", 0),
        ("failed", "upstream_error", 1),
        ("left", "canceled", 0),
        ("refused", "upstream_error", 0),
    }
    assert set(seen) <= allowed, seen
    tried = dict(Counter(row["exchange_id"] for row in gateway.ask("SELECT exchange_id FROM attempts")))
    assert tried == {row["log_id"]: row["attempts"] for row in rows}
    assert seen["complete", "completed", 0] > 0.85 * len(rows) - seen["left", "canceled", 0]
