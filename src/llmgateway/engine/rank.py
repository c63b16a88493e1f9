"""The offers that fit a request, side by side: figures, expected prices and scores, best first.

Benched offers stand behind all others, and offers that have to be asked for JSON in words behind those that know it.
"""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from llmgateway.domain.plan import Figures, Offer, Score
from llmgateway.domain.policy import RoutingPolicy
from llmgateway.domain.routing import Deployment
from llmgateway.engine.score import Volume, Weights, scores

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


BENCHED = 2


class Field(msgspec.Struct, frozen=True):
    """Several offers that fit, each list in their order. `order`: their indices, best first.

    A tier comes before a score: 0, 1 = asked for JSON in words; `BENCHED` more = all of its credentials are.
    """

    fitting: Sequence[Fitting]
    prices: Sequence[float | None]
    figures: Sequence[Figures]
    scores: Sequence[Score]
    tiers: Sequence[int]
    order: Sequence[int]


def ranked(
    fitting: Sequence[Fitting],
    *,
    volume: Volume,
    weights: Weights,
    policy: RoutingPolicy,
    health: Vitals,
    shape: str | None = None,
) -> Field:
    """Of equals the first given goes first. `shape`: the JSON format that is asked for."""
    prompt, cached, output = volume.prompt, volume.cached, volume.output
    figures_of, is_open = health.figures, health.open
    prices = [
        None if offer.tariff is None else offer.tariff.expected(prompt, cached=cached, output=output)
        for offer, _ in fitting
    ]
    figures = [figures_of(offer.key, policy=policy) for offer, _ in fitting]
    tiers = [
        0 if is_open(deployments[0]) or any(map(is_open, deployments[1:])) else BENCHED for _, deployments in fitting
    ]
    if shape is not None:
        tiers = [
            tier + (shape in deployments[0].mapping.lacks)
            for tier, (_, deployments) in zip(tiers, fitting, strict=True)
        ]
    priorities = [offer.priority for offer, _ in fitting]
    found = scores(prices, figures, priorities, weights=weights, policy=policy)
    totals = [one.total for one in found]
    ranks = list(zip(tiers, totals, strict=True)) if any(tiers) else totals
    return Field(fitting, prices, figures, found, tiers, sorted(range(len(totals)), key=ranks.__getitem__))
