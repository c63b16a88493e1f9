"""The model `auto`: the cheapest model that fits a request, out of the operator's list or the built-in one.

Which offers may be chosen, and in which order, depends on the snapshot, the list and two wishes of the request; it is
worked out once for each and kept with the snapshot. A request then walks the list until one fits. Which provider of
that model serves is left to `plan`, as is what a caller is told when nothing fits.
"""

from math import inf
from typing import Final

import msgspec
from msgspec import Raw

from llmgateway.catalog.auto import AUTO_MODELS
from llmgateway.domain.chat import Chat
from llmgateway.domain.identity import Project
from llmgateway.domain.plan import Excluded, Offer, RoutePlan
from llmgateway.domain.policy import RoutingPolicy
from llmgateway.domain.routing import Deployment
from llmgateway.engine.fit import Size, fitted, is_free, withheld
from llmgateway.engine.nowhere import AUTO
from llmgateway.engine.rank import Vitals
from llmgateway.engine.snapshot import Menu, Pick, Route, Snapshot, Wish
from llmgateway.wire.openai_chat.reasoning import STYLES
from llmgateway.wire.openai_chat.request import read_request
from llmgateway.wire.protocols import codecs

OUTPUT_TOKENS: Final = 4096
"""What an answer may need where the request sets no limit."""
_FILTERS: Final = ("free_models_only", "no_reasoning")
_AT_REST: Final = read_request(
    b'{"model":"m","messages":[{"role":"user","content":"?"}],"reasoning_effort":"none","max_tokens":4096}'
)
_NONE: Final = Raw(b'"none"')
_TELLING: Final = frozenset(("anthropic", "google", "bedrock", "cohere"))
"""Protocols whose codec knows how each model is told not to reason."""


def is_asked(chat: Chat) -> bool:
    """Whether `auto` has a part in a request."""
    request = chat.request
    return request.model == AUTO or (request.models is not None and AUTO in request.models)


def auto_route(
    chat: Chat, *, snapshot: Snapshot, policy: RoutingPolicy, project: Project, health: Vitals, size: Size
) -> Route:
    """Where the chosen model leads; without offers, and with all reasons, where none fits.

    Of the models that fit, the cheapest that has a credential which does not rest; else the cheapest.
    """
    menu = _menu(chat, snapshot=snapshot, policy=policy)
    excluded = [*menu.excluded]
    resting: Route | None = None
    for pick in menu.picks:
        found = _unfit(chat, pick.offer, project=project, size=size) or fitted(
            chat, pick.offer, slack=policy.context_slack, size=size
        )
        if isinstance(found, Excluded):
            excluded.append(found)
        elif any(health.open(to) for to in found):
            return _narrowed(chat, pick.route, project=project, size=size)
        elif resting is None:
            resting = pick.route
    if resting is not None:
        return _narrowed(chat, resting, project=project, size=size)
    return Route((), tuple(excluded), None, None, menu.env, None, AUTO)


def without_filters(chat: Chat, plan: RoutePlan) -> Chat:
    """The request as it is sent where `auto` had a part: its filters have had their effect and are not listed as left
    out. With `no_reasoning`, a model that can reason is told not to.
    """
    request = chat.request
    raw = {name: span for name, span in chat.raw.items() if name not in _FILTERS}
    effort = request.reasoning_effort
    silent = request.model == AUTO and effort is None and request.reasoning is None
    if silent and request.no_reasoning and all(_understands_none(to) for to in plan.deployments):
        effort, raw["reasoning_effort"] = "none", _NONE
    bare = msgspec.structs.replace(request, free_models_only=None, no_reasoning=None, reasoning_effort=effort)
    return chat.asking(bare, raw=raw)


def _unfit(chat: Chat, offer: Offer, *, project: Project, size: Size) -> Excluded | None:
    """What `auto` asks of an offer besides what every request does: room for the answer, beside the prompt."""
    mapping = offer.deployments[0].mapping
    if mapping.context:
        output = chat.output_limit or OUTPUT_TOKENS
        if size.bound + output > mapping.context and size.at(offer.deployments[0]) + output > mapping.context:
            return Excluded(mapping.provider, mapping.model, f"context:{mapping.context}", "messages")
    return withheld(chat, offer, project=project)


def _narrowed(chat: Chat, route: Route, *, project: Project, size: Size) -> Route:
    """The model's offers that `auto` may take for this request; usually all of them."""
    reasons = [_unfit(chat, offer, project=project, size=size) for offer in route.offers]
    left_out = tuple([one for one in reasons if one is not None])
    if not left_out:
        return route
    kept = tuple([offer for offer, one in zip(route.offers, reasons, strict=True) if one is None])
    return msgspec.structs.replace(route, offers=kept, excluded=(*route.excluded, *left_out))


def _menu(chat: Chat, *, snapshot: Snapshot, policy: RoutingPolicy) -> Menu:
    request = chat.request
    named = policy.auto_models
    wish = Wish(named or AUTO_MODELS, bool(named), request.free_models_only is True, request.no_reasoning is True)
    found = snapshot.menus.get(wish)
    if found is None:
        found = snapshot.menus[wish] = _written(snapshot, wish)
    return found


def _written(snapshot: Snapshot, wish: Wish) -> Menu:
    """The offers of the listed models, cheapest first. What a filter leaves out is told last: it came closest."""
    excluded: list[Excluded] = []
    filtered: dict[str, list[Excluded]] = {name: [] for name in _FILTERS}
    picks: list[Pick] = []
    env: dict[str, str] = {}
    for name in wish.models:
        route = snapshot.route(name)
        if route is None:
            continue
        env.update(route.env[:1])
        excluded += route.excluded
        kept: list[Offer] = []
        for offer in route.offers:
            mapping, why = offer.deployments[0].mapping, _left_out(offer, snapshot, wish)
            if why is None:
                kept.append(offer)
            elif why in filtered:
                filtered[why].append(Excluded(mapping.provider, mapping.model, f"filter:{why}", why))
            else:
                excluded.append(Excluded(mapping.provider, mapping.model, why))
        narrowed = msgspec.structs.replace(route, offers=tuple(kept), provider=None, region=None, sole=None)
        picks += [Pick(offer, narrowed) for offer in kept]
    picks.sort(key=_price)
    reasons = [*excluded, *[one for name in _FILTERS for one in filtered[name]]]
    return Menu(tuple(picks), tuple(reasons), tuple(env.items()))


def _left_out(offer: Offer, snapshot: Snapshot, wish: Wish) -> str | None:
    """Why a usable offer is none of the choices. What the operator has named is his choice whatever it is."""
    to = offer.deployments[0]
    mapping = to.mapping
    if not wish.named:
        if mapping.deprecated is not None and mapping.deprecated <= snapshot.today:
            return "deprecated"
        if mapping.price is None:
            return "no_price"
        if to.provider.protocol == "simulator" or (to.provider.custom and is_free(offer)):
            return "not_listed"
    if wish.free and not is_free(offer):
        return "free_models_only"
    return "no_reasoning" if wish.unreasoned and not can_rest(to) else None


def _price(pick: Pick) -> float:
    """3 × input + 1 × output; unknown counts as the dearest."""
    tariff = pick.offer.tariff
    return inf if tariff is None else 3 * tariff.input + tariff.output


def can_rest(to: Deployment) -> bool:
    """Whether a model can be asked without reasoning; of one that nobody knows it is assumed.

    The codecs know how each model is told: what they cannot say they list as left out.
    """
    if "reasoning" in to.mapping.lacks:
        return True
    style = STYLES.get(to.parameters.reasoning)
    if to.protocol == "openai-responses":
        return style is None or (style.levels and style.words.get("none", "none") == "none")
    codec = codecs().get(to.protocol)
    return codec is None or "reasoning_effort" not in codec.build(_AT_REST, to=to)[1]


def _understands_none(to: Deployment) -> bool:
    """Whether to say `none`: a model may reason by itself, and one that does not reason may refuse to be told."""
    if "reasoning" in to.mapping.lacks:
        return False
    return "reasoning" in to.mapping.has or bool(to.parameters.reasoning) or to.protocol in _TELLING
