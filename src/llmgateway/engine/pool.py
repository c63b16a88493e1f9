"""The credentials of one offer, in the order of trying: one drawn by weight, the others as the operator listed them."""

from collections.abc import Sequence
from random import Random

from llmgateway.domain.routing import Deployment
from llmgateway.engine.rank import Vitals


def in_order(
    deployments: tuple[Deployment, ...], *, health: Vitals, draw: Random, first: str = ""
) -> tuple[Deployment, ...]:
    """`first`: the fingerprint of the credential that a session holds. Benched ones come last.

    A weight of 0 is a reserve: never drawn while another one is left.
    """
    if len(deployments) == 1:
        return deployments
    usable = [to for to in deployments if health.open(to)]
    benched = [to for to in deployments if to not in usable] if len(usable) < len(deployments) else []
    pool, rest = (usable, benched) if usable else (benched, usable)
    lead = next((to for to in pool if to.credential.fingerprint == first), None) if first else None
    lead = lead or _drawn(pool, draw)
    return (lead, *[to for to in pool if to is not lead], *rest)


def _drawn(pool: Sequence[Deployment], draw: Random) -> Deployment:
    left = draw.random() * sum([to.credential.weight for to in pool])
    for to in pool:
        left -= to.credential.weight
        if left < 0:
            return to
    return pool[0]
