"""What could have been: the oracle that knows each attempt's ending before it begins, every provider alone, and
whoever always takes the cheapest that is healthy.

Works from the scenario, the draws and the catalogue's file alone; nothing of the gateway decides anything here.
"""

import json
from array import array
from collections.abc import Sequence
from importlib import resources
from typing import Any, Final

from tests.simulation.scenario import HOSTS, MODEL
from tests.simulation.world import Fate, Wanted, World

NOBODY: Final = -1
_TRIES: Final = 4
_CONNECT_S: Final = 5.0
_SILENCE_S: Final = 600.0
_SDK_RETRIES: Final = 2
_SDK_PAUSE_S: Final = 0.5

Prices = Sequence[tuple[int, int]]
"""Of a token read and a token written, in pico-dollars, host by host."""


def list_prices() -> Prices:
    """From the catalogue as it is shipped."""
    text = (resources.files("llmgateway.catalog") / "catalog.json").read_text(encoding="utf-8")
    model: dict[str, Any] = next(one for one in json.loads(text)["models"] if one["id"] == MODEL)
    rows = {one["provider"]: one["price"] for one in model["mappings"] if "price" in one}
    return [(rows[host.provider]["input"], rows[host.provider]["output"]) for host in HOSTS]


def cost(wanted: Wanted, price: tuple[int, int]) -> int:
    return wanted.prompt_tokens * price[0] + wanted.output_tokens * price[1]


class Oracle:
    """Judges requests one by one; `alone` and `alone_sdk` count what each provider would have answered by itself.

    `alone_sdk`: with the two retries of the vendors' client libraries, half a second and a second apart.
    """

    def __init__(self, world: World, prices: Prices) -> None:
        self._world = world
        self._prices = prices
        self.alone = [0] * len(world.hosts)
        self.alone_sdk = [0] * len(world.hosts)
        self.healthy_requests = 0
        self.chosen = array("b")
        self.costs = array("q")
        self.cheapest_healthy_costs = array("q")
        """0 where nobody was healthy."""

    def judge(self, wanted: Wanted, *, at: float) -> None:
        """Notes the cheapest provider that would answer an attempt made now; all of them alone, while one could."""
        world = self._world
        hosts = range(len(world.hosts))
        costs = [cost(wanted, price) for price in self._prices]
        cheapest = sorted(hosts, key=costs.__getitem__)
        fates = [world.fate(wanted.number, host, 0, at=at, output_tokens=wanted.output_tokens) for host in hosts]
        if world.any_healthy(at):
            self.healthy_requests += 1
            for host in hosts:
                if fates[host].answers:
                    self.alone[host] += 1
                    self.alone_sdk[host] += 1
                elif self._again(wanted, host, fates[host], at=at):
                    self.alone_sdk[host] += 1
        chosen = next((host for host in cheapest if fates[host].answers), NOBODY)
        if chosen == NOBODY:
            chosen = self._later_try(wanted, cheapest, at=at)
        self.chosen.append(chosen)
        self.costs.append(0 if chosen == NOBODY else costs[chosen])
        healthy = next((host for host in cheapest if not world.troubled(host, at)), NOBODY)
        self.cheapest_healthy_costs.append(0 if healthy == NOBODY else costs[healthy])

    def _later_try(self, wanted: Wanted, cheapest: Sequence[int], *, at: float) -> int:
        """Where everybody's first answer would have failed, one of the next may not."""
        for attempt in range(1, _TRIES):
            for host in cheapest:
                fate = self._world.fate(wanted.number, host, attempt, at=at, output_tokens=wanted.output_tokens)
                if fate.answers:
                    return host
        return NOBODY

    def _again(self, wanted: Wanted, host: int, first: Fate, *, at: float) -> bool:
        """Whether a client library that tries twice more would have had an answer."""
        fate, now = first, at
        for attempt in range(1, _SDK_RETRIES + 1):
            now += _took_s(fate) + _SDK_PAUSE_S * attempt
            fate = self._world.fate(wanted.number, host, attempt, at=now, output_tokens=wanted.output_tokens)
            if fate.answers:
                return True
            if fate.ending == "empty":
                return False
        return False


def _took_s(fate: Fate) -> float:
    if fate.ending == "lost":
        return _CONNECT_S
    return _SILENCE_S if fate.ending == "stalled" else fate.last_s or fate.first_s
