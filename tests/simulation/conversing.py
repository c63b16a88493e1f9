"""One set of conversations under one flapping of the cheapest provider: through the gateway, and without it."""

from typing import Final

import msgspec

from tests.simulation.conversations import CONVERSATIONS, Flap, Hall, direct, talks
from tests.simulation.scenario import HOSTS
from tests.simulation.world import World

FLAPS: Final = (
    Flap("answers 3 of 10 with a 5xx, half the time", "errors", down_s=300, every_s=600, share=0.3),
    Flap("limits rates for 10 s of every minute", "rate_limited", down_s=10, every_s=60, retry_after_s=5),
    Flap("cannot be reached for 10 s of every minute", "unreachable", down_s=10, every_s=60),
    Flap("fails for a minute in every ten", "errors", down_s=60, every_s=600),
)


class Conversing(msgspec.Struct, frozen=True, kw_only=True):
    """Ratios are cached tokens of all prompt tokens that were answered.

    `direct_calm`: a client of the cheapest provider alone while nothing is wrong with it; `direct_flapping`: while it
    flaps, with a client that asks until it is answered. `forced`: moves of which the old provider would have failed.
    """

    flap: str
    seed: int
    conversations: int
    direct_calm: float
    direct_flapping: float
    direct_failures: int
    gateway: float
    failures: int
    turns: int
    moves: int
    forced: int


def conversed(seed: int, flap: Flap, conversations: int = CONVERSATIONS) -> Conversing:
    held = talks(seed, conversations)
    cheapest = HOSTS[0].provider
    world = World(seed, events=flap.events(cheapest))
    calm = direct(held, World(seed, events=()), host=0)
    flapping = direct(held, world, host=0)
    hall = Hall(held, world)
    found = hall.run()
    return Conversing(
        flap=flap.name,
        seed=seed,
        conversations=conversations,
        direct_calm=calm.ratio,
        direct_flapping=flapping.ratio,
        direct_failures=flapping.failures,
        gateway=found.ratio,
        failures=found.failures,
        turns=found.turns,
        moves=hall.moves,
        forced=hall.forced,
    )
