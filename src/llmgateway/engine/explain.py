"""How a model would be routed now, without sending anything: who fits, how they compare, who is left out, who leads.

For a plain request of a given length, since what a request needs beyond that only it can tell. Nothing is drawn, taken
or remembered. How it is shown is left to the edge.
"""

from typing import Final

import msgspec

from llmgateway.domain.chat import Routing
from llmgateway.domain.identity import Project
from llmgateway.domain.plan import ChosenBy, Excluded, Figures, Score
from llmgateway.engine.affinity import Affinity, preference_key
from llmgateway.engine.auto import auto_route
from llmgateway.engine.fit import Size, withheld
from llmgateway.engine.lead import preference, rerouted, strategy_for
from llmgateway.engine.nowhere import AUTO, unknown_model
from llmgateway.engine.rank import BENCHED, Field, Fitting, Vitals, ranked
from llmgateway.engine.score import Volume, Weights, volume_of, weights_for
from llmgateway.engine.snapshot import Route, Snapshot
from llmgateway.wire.openai_chat.request import read_request

PROMPT_TOKENS: Final = 1000
_PLAIN: Final = read_request(b'{"model":"auto","messages":[{"role":"user","content":"?"}]}')


class Key(msgspec.Struct, frozen=True):
    """A provider's credential by its fingerprint, as in metadata.routing."""

    fingerprint: str
    weight: int
    benched: bool


class Rated(msgspec.Struct, frozen=True):
    """An offer that may serve. `price_picousd`: what the assumed request is expected to cost, None = unknown."""

    provider: str
    model: str
    region: str | None
    used_model: str
    figures: Figures
    price_picousd: float | None
    priority: float
    score: Score
    benched: bool
    credentials: tuple[Key, ...]


class Explanation(msgspec.Struct, frozen=True):
    """`candidates` in the order of trying; the first leads, chosen by `chosen_by` (None: there is none).

    `fallbacks`: how many may follow it. `volume` and `weights`: what was assumed and what counted.
    """

    model: str
    requested_provider: str | None
    volume: Volume
    weights: Weights
    candidates: tuple[Rated, ...]
    excluded: tuple[Excluded, ...]
    chosen: str | None
    chosen_by: ChosenBy | None
    fallbacks: int


def explain(
    name: str,
    *,
    snapshot: Snapshot,
    health: Vitals,
    affinity: Affinity,
    project: Project,
    routing: Routing | None = None,
    streamed: bool = False,
    prompt_tokens: int = PROMPT_TOKENS,
) -> Explanation:
    """Raises GatewayError: MODEL_NOT_FOUND, or UNSUPPORTED_PARAMETER for a strategy beside a pin."""
    policy = project.routing or snapshot.policy
    asked = _route(name, snapshot=snapshot, health=health, project=project)
    strategy = strategy_for(routing, asked, name=name)
    route = rerouted(asked, snapshot=snapshot, health=health, policy=policy)
    weights = weights_for(policy, strategy=strategy, streamed=streamed)
    volume = volume_of(policy, prompt_tokens=prompt_tokens, output_limit=None)
    fitting, excluded = _fitting(route, project=project)
    field = ranked(fitting, volume=volume, weights=weights, policy=policy, health=health)
    order, by = list(field.order), _ordinary(asked, field, strategic=strategy is not None)
    if by == "score" and asked.provider is None and field.tiers[order[0]] < BENCHED:
        last = affinity.preference(preference_key(project.id, route.subject))
        index = preference(field, last, policy=policy)
        if index is not None:
            order.remove(index)
            order.insert(0, index)
            by = "preference"
    candidates = tuple([_rated(field, index, health=health) for index in order])
    return Explanation(
        name,
        asked.provider,
        volume,
        weights,
        candidates,
        (*excluded, *[_resting(one) for one in candidates if one.benched]),
        candidates[0].used_model if candidates else None,
        by,
        max(0, min(policy.max_fallbacks, sum(not one.benched for one in candidates) - 1)),
    )


def _route(name: str, *, snapshot: Snapshot, health: Vitals, project: Project) -> Route:
    if name == AUTO:
        policy = project.routing or snapshot.policy
        return auto_route(_PLAIN, snapshot=snapshot, policy=policy, project=project, health=health, size=Size(_PLAIN))
    route = snapshot.route(name)
    if route is None:
        raise unknown_model(name, snapshot=snapshot)
    return route


def _fitting(route: Route, *, project: Project) -> tuple[list[Fitting], list[Excluded]]:
    fitting: list[Fitting] = []
    excluded = [*route.excluded]
    for offer in route.offers:
        reason = withheld(_PLAIN, offer, project=project)
        if reason is None:
            fitting.append((offer, offer.deployments))
        else:
            excluded.append(reason)
    return fitting, excluded


def _ordinary(asked: Route, field: Field, *, strategic: bool) -> ChosenBy | None:
    """What leads where nobody was there before."""
    if not field.fitting:
        return None
    if len(field.fitting) == 1:
        return "only" if asked.provider is None else "pin"
    return "strategy" if strategic else "score"


def _rated(field: Field, index: int, *, health: Vitals) -> Rated:
    offer, deployments = field.fitting[index]
    to = deployments[0]
    return Rated(
        to.mapping.provider,
        to.mapping.model,
        to.region,
        offer.key,
        field.figures[index],
        field.prices[index],
        offer.priority,
        field.scores[index],
        field.tiers[index] >= BENCHED,
        tuple([Key(one.credential.fingerprint, one.credential.weight, not health.open(one)) for one in deployments]),
    )


def _resting(one: Rated) -> Excluded:
    return Excluded(one.provider, one.model, "benched")
