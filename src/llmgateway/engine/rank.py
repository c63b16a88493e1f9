"""The offers that fit a request, side by side: figures, expected prices and scores, best first.

Benched offers stand behind all others, and offers that have to be asked for JSON in words behind those that know it.
"""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from llmgateway.domain.policy import RoutingPolicy
from llmgateway.domain.routing import Deployment, Figures, Offer, Score
from llmgateway.engine.score import Contender, Volume, Weights, scores

Fitting = tuple[Offer, tuple[Deployment, ...]]
"""An offer, and those of its deployments that a request would be sent to, one per credential."""


class Vitals(Protocol):
    """What planning asks of `health`."""

    def figures(self, offer_key: str, *, policy: RoutingPolicy) -> Figures: ...

    def open(self, to: Deployment) -> bool:
        """Not benched, or its half-open probe is free. Changes nothing."""
        ...

    def due_probe(self, offer_key: str, *, policy: RoutingPolicy) -> bool:
        """Low uptime and nothing sent for a while; True takes the probe."""
        ...


class Ranked(msgspec.Struct, frozen=True, gc=False):
    """One of them. `tier` comes before the score: 0, 1 = asked in words, 2 or 3 = all of its credentials benched."""

    offer: Offer
    deployments: tuple[Deployment, ...]
    contender: Contender
    score: Score
    tier: int

    @property
    def benched(self) -> bool:
        return self.tier >= BENCHED


BENCHED = 2


def ranked(
    fitting: Sequence[Fitting],
    *,
    volume: Volume,
    weights: Weights,
    policy: RoutingPolicy,
    health: Vitals,
    shape: str | None = None,
) -> list[Ranked]:
    """Of equals the first given goes first. `shape`: the JSON format that is asked for."""
    contenders: list[Contender] = []
    for offer, _ in fitting:
        tariff = offer.tariff
        price = None if tariff is None else tariff.expected(volume.prompt, cached=volume.cached, output=volume.output)
        contenders.append(Contender(price, health.figures(offer.key, policy=policy), offer.priority))
    found: list[Ranked] = []
    for one, contender, score in zip(
        fitting, contenders, scores(contenders, weights=weights, policy=policy), strict=True
    ):
        found.append(Ranked(one[0], one[1], contender, score, tier_of(one[1], health=health, shape=shape)))
    found.sort(key=_place)
    return found


def tier_of(deployments: Sequence[Deployment], *, health: Vitals, shape: str | None) -> int:
    tier = 0 if shape is None or shape not in deployments[0].mapping.lacks else 1
    for to in deployments:
        if health.open(to):
            return tier
    return tier + BENCHED


def _place(one: Ranked) -> tuple[int, float]:
    return one.tier, one.score.total
