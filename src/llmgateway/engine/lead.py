"""Who of several ranked offers leads a plan, and by what: session, strategy, a draw, a probe, preference or score."""

from collections.abc import Sequence
from random import Random

import msgspec

from llmgateway.domain.chat import Chat
from llmgateway.domain.identity import Project
from llmgateway.domain.policy import RoutingPolicy
from llmgateway.domain.routing import ChosenBy
from llmgateway.engine.affinity import Affinity, Place
from llmgateway.engine.fit import Size
from llmgateway.engine.rank import Ranked, Vitals
from llmgateway.engine.score import Strategy
from llmgateway.engine.snapshot import Snapshot


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
    size: Size


def choice(
    ask: Ask, field: Sequence[Ranked], *, place: Place | None, in_session: bool, preferred: str
) -> tuple[int, ChosenBy]:
    """The index of the leader in a field that is ordered by score. `place`: where its session is. `preferred`: the
    key of the project's preference for this model, "" where neither that nor anything drawn has a say (a pin).
    """
    policy = ask.policy
    if place is not None:
        index = _kept(field, place, least_uptime=policy.session_min_uptime_pct)
        if index is not None:
            return index, "session"
    if ask.strategy is not None:
        return 0, "strategy"
    if not preferred or field[0].benched:
        return 0, "score"
    if not ask.no_fallback:
        index = None if in_session else _explored(ask, field)
        if index is not None:
            return index, "exploration"
        index = _probed(ask, field)
        if index is not None:
            return index, "probe"
    last = ask.affinity.preference(preferred)
    index = None if last is None else _kept(field, last, least_uptime=policy.preference_min_uptime_pct)
    if index is None or index == 0 or not _close(field[index], field, policy=policy):
        return 0, "score"
    return index, "preference"


def _explored(ask: Ask, field: Sequence[Ranked]) -> int | None:
    """Any of the first tier, but for those whose uptime gets them probes instead of traffic."""
    if ask.draw.random() >= ask.policy.exploration_rate:
        return None
    least = ask.policy.probe_below_pct
    able = [
        index for index, one in enumerate(field) if one.tier == field[0].tier and one.contender.figures.uptime >= least
    ]
    return able[int(ask.draw.random() * len(able))] if able else None


def _probed(ask: Ask, field: Sequence[Ranked]) -> int | None:
    """One behind the first that would otherwise get nothing, when it is due."""
    least, tier = ask.policy.probe_below_pct, field[0].tier
    for index, one in enumerate(field):
        if (
            index
            and one.tier == tier
            and one.contender.figures.uptime < least
            and ask.health.due_probe(one.offer.key, policy=ask.policy)
        ):
            return index
    return None


def _close(one: Ranked, field: Sequence[Ranked], *, policy: RoutingPolicy) -> bool:
    """Neither its score nor its expected price is too far from the best; an unknown price counts as the dearest."""
    best = field[0]
    if one.tier != best.tier or one.score.total - best.score.total > policy.preference_gap:
        return False
    dearest = max([other.contender.price or 0.0 for other in field])
    price = dearest if one.contender.price is None else one.contender.price
    against = dearest if best.contender.price is None else best.contender.price
    return price <= against * (1 + policy.preference_price_gap)


def _kept(field: Sequence[Ranked], place: Place, *, least_uptime: float) -> int | None:
    """The place in the field, if it can be used and is well enough."""
    for index, one in enumerate(field):
        if one.offer.key == place.offer:
            return index if not one.benched and one.contender.figures.uptime >= least_uptime else None
    return None
