"""Who of several ranked offers leads a plan, and by what: session, strategy, a draw, a probe, preference or score."""

from random import Random

import msgspec

from llmgateway.domain import errors
from llmgateway.domain.chat import Chat, Routing
from llmgateway.domain.errors import GatewayError
from llmgateway.domain.identity import Project
from llmgateway.domain.plan import ChosenBy
from llmgateway.domain.policy import RoutingPolicy
from llmgateway.engine.affinity import Affinity, Place
from llmgateway.engine.fit import Size
from llmgateway.engine.rank import BENCHED, Field, Vitals
from llmgateway.engine.score import Strategy
from llmgateway.engine.snapshot import Route, Snapshot


class Ask(msgspec.Struct, frozen=True):
    """Everything that one plan depends on."""

    chat: Chat
    snapshot: Snapshot
    policy: RoutingPolicy
    health: Vitals
    affinity: Affinity
    project: Project
    draw: Random
    session: str | None
    no_fallback: bool
    strategy: Strategy | None
    size: Size | None = None


def strategy_for(routing: Routing | None, route: Route, *, name: str) -> Strategy | None:
    """What is asked for besides the policy's own weights. Raises GatewayError where there is nothing to choose from."""
    if routing is None or routing == "auto":
        return None
    if route.provider is None:
        return routing
    message = f"'routing: {routing}' chooses among providers, but '{name}' names one. Leave out 'routing', or its name."
    raise GatewayError(errors.UNSUPPORTED_PARAMETER, message, param="routing")


def rerouted(route: Route, *, snapshot: Snapshot, health: Vitals, policy: RoutingPolicy) -> Route:
    """All offers of a pinned model, where the policy allows that and its provider's uptime is low."""
    if not policy.reroute_pinned or route.provider is None or not route.offers:
        return route
    if route.region is not None or route.model is None or route.offers[0].deployments[0].provider.custom:
        return route
    if health.figures(route.offers[0].key, policy=policy).uptime >= policy.reroute_pinned_below_pct:
        return route
    wide = snapshot.route(route.model)
    return route if wide is None or wide.provider is not None else wide


def choice(ask: Ask, field: Field, *, place: Place | None, in_session: bool, preferred: str) -> tuple[int, ChosenBy]:
    """The index of the leader. `place`: where its session is. `preferred`: the key of the project's preference for
    this model, "" where neither that nor anything drawn has a say (a pin).
    """
    policy, best = ask.policy, field.order[0]
    if place is not None:
        index = _kept(field, place, least_uptime=policy.session_min_uptime_pct)
        if index is not None:
            return index, "session"
    if ask.strategy is not None:
        return best, "strategy"
    if not preferred or field.tiers[best] >= BENCHED:
        return best, "score"
    if not ask.no_fallback:
        index = None if in_session else _explored(ask, field)
        if index is not None:
            return index, "exploration"
        index = _probed(ask, field)
        if index is not None:
            return index, "probe"
    index = preference(field, ask.affinity.preference(preferred), policy=policy)
    return (best, "score") if index is None else (index, "preference")


def preference(field: Field, last: Place | None, *, policy: RoutingPolicy) -> int | None:
    """The offer that won last, if it is not the best but close to it."""
    if last is None:
        return None
    index = _kept(field, last, least_uptime=policy.preference_min_uptime_pct)
    return index if index is not None and index != field.order[0] and _close(index, field, policy=policy) else None


def _kept(field: Field, place: Place, *, least_uptime: float) -> int | None:
    """The place in the field, if it can be used and is well enough."""
    key = place.offer
    for index, (offer, _) in enumerate(field.fitting):
        if offer.key == key:
            well = field.tiers[index] < BENCHED and field.figures[index].uptime >= least_uptime
            return index if well else None
    return None


def _explored(ask: Ask, field: Field) -> int | None:
    """Any of the first tier, but for those whose uptime gets them probes instead of traffic."""
    if ask.draw.random() >= ask.policy.exploration_rate:
        return None
    least, tier = ask.policy.probe_below_pct, field.tiers[field.order[0]]
    able = [index for index in field.order if field.tiers[index] == tier and field.figures[index].uptime >= least]
    return able[int(ask.draw.random() * len(able))] if able else None


def _probed(ask: Ask, field: Field) -> int | None:
    """One behind the first that would otherwise get nothing, when it is due."""
    least, best = ask.policy.probe_below_pct, field.order[0]
    for index, figures in enumerate(field.figures):
        if (
            figures.uptime < least
            and index != best
            and field.tiers[index] == field.tiers[best]
            and ask.health.due_probe(field.fitting[index][0].key, policy=ask.policy)
        ):
            return index
    return None


def _close(index: int, field: Field, *, policy: RoutingPolicy) -> bool:
    """Neither its score nor its expected price is too far from the best; an unknown price counts as the dearest."""
    best = field.order[0]
    if field.tiers[index] != field.tiers[best]:
        return False
    if field.scores[index].total - field.scores[best].total > policy.preference_gap:
        return False
    price, against = field.prices[index], field.prices[best]
    if price is None or against is None:
        dearest = max([one or 0.0 for one in field.prices])
        price = dearest if price is None else price
        against = dearest if against is None else against
    return price <= against * (1 + policy.preference_price_gap)
