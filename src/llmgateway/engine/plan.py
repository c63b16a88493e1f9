"""From a checked request to a route plan: which offers fit, who comes first and why, and who may follow.

Pure but for what health and affinity tell it and what is drawn. Why an offer does not fit is `fit`'s knowledge, how
offers compare `score`'s and `rank`'s, who of them leads `lead`'s, and what a request is told that leads nowhere
`nowhere`'s.
"""

from collections.abc import Sequence
from random import Random
from typing import Final

import msgspec

from llmgateway.domain.chat import Chat
from llmgateway.domain.errors import GatewayError
from llmgateway.domain.identity import Project
from llmgateway.domain.plan import Candidate, ChosenBy, Excluded, RoutePlan, Ties
from llmgateway.domain.policy import RoutingPolicy
from llmgateway.domain.routing import Deployment
from llmgateway.engine.affinity import Affinity, Place, preference_key, session_key
from llmgateway.engine.auto import auto_route
from llmgateway.engine.fit import Size, fitted, unhindered, withheld
from llmgateway.engine.heal import JSON_FORMATS
from llmgateway.engine.lead import Ask, choice, rerouted, strategy_for
from llmgateway.engine.nowhere import AUTO, most_telling, nothing_left, unknown_model
from llmgateway.engine.pool import in_order
from llmgateway.engine.rank import BENCHED, Field, Fitting, Vitals, ranked
from llmgateway.engine.score import volume_of, weights_for
from llmgateway.engine.snapshot import Route, Snapshot
from llmgateway.engine.tokens import estimate_prompt

_SETTLING: Final = frozenset(("score", "preference"))
"""What a project's preference follows; a win by exploration, probe, session or strategy leaves it as it was."""


def plan_route(
    chat: Chat,
    *,
    snapshot: Snapshot,
    health: Vitals,
    affinity: Affinity,
    project: Project,
    session: str | None = None,
    no_fallback: bool = False,
    draw: Random,
) -> RoutePlan:
    """Raises GatewayError: UNSUPPORTED_PARAMETER, INVALID_VALUE, MODEL_NOT_FOUND, MODEL_DEACTIVATED, NO_PROVIDER,
    CONTEXT_LENGTH.
    """
    request = chat.request
    policy = project.routing or snapshot.policy
    size = None
    if request.model == AUTO:
        size = Size(chat)
        route = auto_route(chat, snapshot=snapshot, policy=policy, project=project, health=health, size=size)
    else:
        route = snapshot.route(request.model)
    if route is None:
        raise unknown_model(request.model, snapshot=snapshot)
    sole = route.sole if project.verified else None
    if sole is not None and not request.models and request.routing in (None, "auto") and not policy.reroute_pinned:
        deployments = sole.candidates[0].deployments
        if fitted(chat, route.offers[0], slack=policy.context_slack) is deployments and health.open(deployments[0]):
            return sole
    strategy = strategy_for(request.routing, route, name=request.model)
    ask = Ask(chat, snapshot, policy, health, affinity, project, draw, session, no_fallback, strategy, size)
    return _planned(ask, route)


def _planned(ask: Ask, route: Route) -> RoutePlan:
    excluded: list[Excluded] = []
    groups = _groups(ask, route, excluded)
    first = groups[0]
    key, place, holds = "", None, False
    if len(first) > 1 or len(first[0][1]) > 1:
        key, holds = _session_of(ask, route)
        place = ask.affinity.session(key) if key else None
    by: ChosenBy = "only" if route.provider is None else "pin"
    preferred = ""
    if len(first) == 1:
        leading = [_alone(ask, first[0], place)]
    else:
        field = _compared(ask, first)
        preferred = preference_key(ask.project.id, route.subject) if route.provider is None else ""
        lead, by = choice(ask, field, place=place, in_session=bool(key), preferred=preferred)
        leading = _candidates(ask, field, place, lead=lead)
    everyone = [leading] if len(groups) == 1 else [leading, *[_all_of(ask, group) for group in groups[1:]]]
    excluded += [_resting(one) for group in everyone if group[-1].benched for one in group if one.benched]
    candidates, fallbacks = _line(ask, everyone)
    ties = None
    if key or preferred:
        ties = Ties(
            key,
            ask.policy.session_s,
            holds,
            preferred if by in _SETTLING else "",
            ask.policy.preference_s,
            ask.snapshot.policy.session_map_size,
        )
    return RoutePlan(tuple(candidates), route.provider, tuple(excluded), by, fallbacks, ties)


def _groups(ask: Ask, route: Route, excluded: list[Excluded]) -> list[Sequence[Fitting]]:
    """What fits, by model in the caller's order; reasons go to `excluded`. Raises GatewayError if nothing does."""
    groups: list[Sequence[Fitting]] = []
    refusals: list[GatewayError] = []
    for name, one in _routes(ask, route):
        reasons = [*one.excluded]
        group = _fitting(ask, one, reasons)
        if group:
            groups.append(group)
        else:
            refusals.append(nothing_left(name, one, tuple(reasons), snapshot=ask.snapshot))
        excluded += reasons
    if not groups:
        raise most_telling(refusals)
    return groups


def _fitting(ask: Ask, route: Route, reasons: list[Excluded]) -> Sequence[Fitting]:
    """The offers of a model that fit; why the others do not goes to `reasons`."""
    if route.hurdles is not None and ask.project.verified and unhindered(ask.chat, route.hurdles):
        return [(offer, offer.deployments) for offer in route.offers]
    size = ask.size or Size(ask.chat)
    group: list[Fitting] = []
    for offer in route.offers:
        found = withheld(ask.chat, offer, project=ask.project) or fitted(
            ask.chat, offer, slack=ask.policy.context_slack, size=size
        )
        if isinstance(found, Excluded):
            reasons.append(found)
        else:
            group.append((offer, found))
    return group


def _routes(ask: Ask, route: Route) -> list[tuple[str, Route]]:
    """Of `model`, then of each of `models` that is not there yet. An unknown name is told whatever else there is."""
    request = ask.chat.request
    first = route
    if not ask.no_fallback:
        first = rerouted(route, snapshot=ask.snapshot, health=ask.health, policy=ask.policy)
    found = [(request.model, first)]
    if request.models:
        seen = {route.subject}
        for index, name in enumerate(request.models):
            one = _further(ask, name)
            if one is None:
                raise unknown_model(name, snapshot=ask.snapshot, param=f"models[{index}]")
            if one.subject not in seen:
                seen.add(one.subject)
                found.append((name, one))
    return found


def _further(ask: Ask, name: str) -> Route | None:
    if name != AUTO:
        return ask.snapshot.route(name)
    return auto_route(
        ask.chat,
        snapshot=ask.snapshot,
        policy=ask.policy,
        project=ask.project,
        health=ask.health,
        size=ask.size or Size(ask.chat),
    )


def _session_of(ask: Ask, route: Route) -> tuple[str, bool]:
    """The key of the request's session ("" = none), and whether the session holds the credential too."""
    request = ask.chat.request
    value = ask.session or request.prompt_cache_key
    if not ask.policy.session_s or not (value or request.user):
        return "", False
    return session_key(ask.project.id, route.subject, value or request.user or ""), bool(value)


def _compared(ask: Ask, fitting: Sequence[Fitting]) -> Field:
    chat, policy = ask.chat, ask.policy
    request, shape = chat.request, chat.request.response_format
    return ranked(
        fitting,
        volume=volume_of(
            policy,
            prompt_tokens=estimate_prompt(chat.traits.prompt_bytes, messages=chat.traits.messages),
            output_limit=chat.output_limit,
            choices=request.n or 1,
        ),
        weights=weights_for(policy, strategy=ask.strategy, streamed=request.stream is True),
        policy=policy,
        health=ask.health,
        shape=shape.type if shape is not None and shape.type in JSON_FORMATS else None,
    )


def _alone(ask: Ask, one: Fitting, place: Place | None) -> Candidate:
    deployments = _credentials(ask, one, place)
    return Candidate(deployments, benched=not ask.health.open(deployments[0]))


def _candidates(ask: Ask, field: Field, place: Place | None, *, lead: int) -> list[Candidate]:
    order = field.order
    if lead != order[0]:
        order = [lead, *[index for index in order if index != lead]]
    fitting, scores, figures, tiers = field.fitting, field.scores, field.figures, field.tiers
    return [
        Candidate(
            fitting[index][1] if len(fitting[index][1]) == 1 else _credentials(ask, fitting[index], place),
            scores[index],
            figures[index],
            tiers[index] >= BENCHED,
        )
        for index in order
    ]


def _credentials(ask: Ask, one: Fitting, place: Place | None) -> tuple[Deployment, ...]:
    offer, deployments = one
    if len(deployments) == 1:
        return deployments
    held = place.credential if place is not None and place.offer == offer.key else ""
    return in_order(deployments, health=ask.health, draw=ask.draw, first=held)


def _line(ask: Ask, groups: list[list[Candidate]]) -> tuple[list[Candidate], int]:
    """Who may be tried, in order, and how many after the first. Where all are benched: one attempt."""
    line = groups[0]
    if ask.no_fallback:
        line, fallbacks = line[:1], 0
    elif len(groups) == 1:
        fallbacks = min(ask.policy.max_fallbacks, len(line) - 1)
    else:
        line = _through_models(ask.policy, groups)
        fallbacks = len(line) - 1
    first = line[0]
    if first.benched:
        return [msgspec.structs.replace(first, deployments=first.deployments[:1])], 0
    return line, fallbacks


def _through_models(policy: RoutingPolicy, groups: list[list[Candidate]]) -> list[Candidate]:
    """A fallback is another provider of the same model: `max_fallbacks` counts within each model, and the step to the
    next of `models` costs none. One attempt is kept for each model that waits, so that `max_attempts` reaches it.
    """
    line: list[Candidate] = []
    for waiting, group in zip(range(len(groups) - 1, -1, -1), groups, strict=True):
        share = min(policy.max_fallbacks + 1, policy.max_attempts - len(line) - waiting)
        line += group[: max(1, share)]
    return sorted(line, key=lambda one: one.benched)


def _all_of(ask: Ask, group: Sequence[Fitting]) -> list[Candidate]:
    """Candidates of a model further down the list: by score alone."""
    if len(group) == 1:
        return [_alone(ask, group[0], None)]
    field = _compared(ask, group)
    return _candidates(ask, field, None, lead=field.order[0])


def _resting(one: Candidate) -> Excluded:
    mapping = one.deployments[0].mapping
    return Excluded(mapping.provider, mapping.model, "benched")
