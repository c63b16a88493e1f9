"""The immutable read model of one moment: keys, catalogue, deployments. Swapped whole, never changed.

What a request needs is worked out here once (request head, parameter plan, price ranking), so that the request itself
only looks things up. Building it from settings, environment and database is left to the infrastructure.
"""

import re
from collections.abc import Iterable
from collections.abc import Mapping as ReadOnly
from datetime import date
from typing import Final

import msgspec

from llmgateway.catalog.lookup import Catalog, Resolution
from llmgateway.domain.identity import ApiKey
from llmgateway.domain.plan import Candidate, Excluded, Offer, RoutePlan
from llmgateway.domain.policy import RoutingPolicy
from llmgateway.domain.routing import Credential, Deployment, Mapping, Provider
from llmgateway.domain.usage import tariff_of
from llmgateway.engine.address import Address, UnreachableError, located, speaks
from llmgateway.engine.deadline import patience
from llmgateway.engine.fit import Hurdles, hurdles_of
from llmgateway.engine.note import note_of
from llmgateway.wire.params import compile_parameters
from llmgateway.wire.protocols import PROTOCOLS, Dialect
from llmgateway.wire.quirks import quirks_for
from llmgateway.wire.sign import authorization_line, signing

_REMEMBERED: Final = 10_000
_UNKNOWN_PRICE: Final = 1 << 62
_RESPONSES: Final = "openai-responses"
_ALL_MEDIA: Final = frozenset(("image_url", "file"))


class Route(msgspec.Struct, frozen=True):
    """What a model name leads to, worked out once.

    `offers` can be used, cheapest first; `excluded` are the offers that no request can use, with the reason.
    `env`: provider and variable of each key that would help. `model`: its id, None for a name that a provider takes
    verbatim. `subject`: what sessions and preferences of this name are kept under; a pin has its own. `sole`: the
    plan of every request that its only deployment fits. `hurdles`: what could keep a request from one of the offers.
    """

    offers: tuple[Offer, ...]
    excluded: tuple[Excluded, ...]
    provider: str | None
    region: str | None
    env: tuple[tuple[str, str], ...]
    model: str | None = None
    subject: str = ""
    sole: RoutePlan | None = None
    hurdles: Hurdles | None = None


class Pick(msgspec.Struct, frozen=True):
    """An offer that `auto` may choose, and where its model then leads: to those of its offers that may be chosen."""

    offer: Offer
    route: Route


class Wish(msgspec.Struct, frozen=True):
    """What a menu depends on. `named`: the operator has listed the models. `free`, `unreasoned`: a request's wishes."""

    models: tuple[str, ...]
    named: bool
    free: bool
    unreasoned: bool


class Menu(msgspec.Struct, frozen=True):
    """What `auto` chooses from, cheapest first; what is not on it, with the reason; and the keys that would help."""

    picks: tuple[Pick, ...]
    excluded: tuple[Excluded, ...]
    env: tuple[tuple[str, str], ...]


class Snapshot:
    """`keys` by SHA-256 digest; `protocols`: those this version can speak; `instance_id` marks our own requests.
    `today` decides which offers are past their deactivation; a new day needs a new snapshot.
    """

    def __init__(
        self,
        *,
        catalog: Catalog,
        keys: Iterable[ApiKey],
        credentials: Iterable[Credential],
        protocols: frozenset[str],
        instance_id: str,
        today: date,
        policy: RoutingPolicy | None = None,
    ) -> None:
        self.catalog = catalog
        self.keys: ReadOnly[bytes, ApiKey] = {key.digest: key for key in keys}
        self.protocols = protocols
        self.instance_id = instance_id
        self.today = today
        self.policy = policy or RoutingPolicy()
        self.credentials: dict[str, list[Credential]] = {}
        for credential in credentials:
            self.credentials.setdefault(credential.provider, []).append(credential)
        self.menus: dict[Wish, Menu] = {}
        self._routes: dict[str, Route] = {}

    def usable(self, mapping: Mapping) -> bool:
        """Whether a request could be sent there: credential, protocol, date, address."""
        return not isinstance(self._judged(mapping, region=None, exact=True), Excluded)

    def route(self, name: str) -> Route | None:
        """Where a model name leads; None for a name that means nothing."""
        found = self._routes.get(name)
        if found is None:
            found = self._worked_out(name)
            if found is not None:
                if len(self._routes) >= _REMEMBERED:
                    self._routes.clear()
                self._routes[name] = found
        return found

    def _worked_out(self, name: str) -> Route | None:
        resolution = self.catalog.resolve(name)
        if resolution is None:
            return None
        usable: list[tuple[Mapping, Address]] = []
        excluded: list[Excluded] = []
        for offered in resolution.mappings:
            found = self._first_reachable(offered, resolution, name=name)
            if isinstance(found, Excluded):
                excluded.append(found)
            else:
                usable.append(found)
        rows = [self.catalog.providers[mapping.provider] for mapping in resolution.mappings]
        offers = tuple([self._offer(*one, region=resolution.region) for one in sorted(usable, key=self._rank)])
        model = None if resolution.model is None else resolution.model.id
        sole = None
        if len(offers) == 1 and len(offers[0].deployments) == 1:
            by = "only" if resolution.provider is None else "pin"
            sole = RoutePlan((Candidate(offers[0].deployments),), resolution.provider, tuple(excluded), by)
            sole = msgspec.structs.replace(sole, note=note_of(sole))
        return Route(
            offers,
            tuple(excluded),
            resolution.provider,
            resolution.region,
            tuple([(row.id, row.env[0]) for row in rows if row.env and row.protocol in self.protocols]),
            model,
            model if model is not None and resolution.provider is None else name,
            sole,
            hurdles_of(offers),
        )

    def _first_reachable(
        self, offered: Mapping, resolution: Resolution, *, name: str
    ) -> tuple[Mapping, Address] | Excluded:
        """The mapping, or where its region is not the operator's, the provider's next of the same model."""
        exact = resolution.region is not None or name.endswith(offered.upstream)
        first = self._judged(offered, region=resolution.region, exact=exact)
        if not isinstance(first, Excluded) or first.reason != "region" or resolution.model is None:
            return first
        for other in resolution.model.mappings:
            if other.provider == offered.provider:
                found = self._judged(other, region=None, exact=False)
                if not isinstance(found, Excluded):
                    return found
        return first

    def _judged(self, mapping: Mapping, *, region: str | None, exact: bool) -> tuple[Mapping, Address] | Excluded:
        provider = self.catalog.providers[mapping.provider]
        reason = self._unusable(mapping, provider)
        if reason is None:
            protocol = mapping.protocol or provider.protocol
            try:
                return mapping, located(provider, mapping, protocol=protocol, region=region, exact=exact)
            except UnreachableError as problem:
                reason = problem.reason
        return Excluded(mapping.provider, mapping.model, reason)

    def _unusable(self, mapping: Mapping, provider: Provider) -> str | None:
        if mapping.deactivated is not None and mapping.deactivated <= self.today:
            return "deactivated"
        if provider.id not in self.credentials:
            return "no_credential"
        protocol = mapping.protocol or provider.protocol
        if protocol not in self.protocols:
            return f"protocol:{protocol}"
        return "disabled" if provider.priority <= 0 or mapping.priority <= 0 else None

    def _rank(self, one: tuple[Mapping, Address]) -> tuple[int, float]:
        """By price (3 × input + 1 × output; unknown counts as the dearest), then by priority."""
        mapping, address = one
        weight = address.provider.priority * mapping.priority
        return (_UNKNOWN_PRICE if mapping.price is None else 3 * mapping.price.input + mapping.price.output, -weight)

    def _offer(self, mapping: Mapping, address: Address, *, region: str | None) -> Offer:
        deployments = tuple(
            [
                self._compiled(mapping, address, credential, region=region)
                for credential in self.credentials[mapping.provider]
            ]
        )
        return Offer(
            deployments[0].used_model,
            deployments,
            None if mapping.price is None else tariff_of(mapping.price),
            address.provider.priority * mapping.priority,
        )

    def _compiled(
        self, mapping: Mapping, address: Address, credential: Credential, *, region: str | None
    ) -> Deployment:
        protocol = address.provider.protocol
        provider = _of_mapping(address.provider, mapping)
        dialect = PROTOCOLS[protocol]
        return Deployment(
            provider=provider,
            mapping=mapping,
            credential=credential,
            region=region,
            origin=address.origin,
            head=self._head(address, credential, path=address.path),
            head_stream=self._head(address, credential, path=address.stream_path),
            used_model=f"{provider.id}/{mapping.model}:{region}" if region else f"{provider.id}/{mapping.model}",
            parameters=compile_parameters(
                provider,
                mapping,
                vocabulary=dialect.vocabulary,
                lacks=address.lacks,
                emulates=dialect.emulates,
                tiers=dialect.tiers,
            ),
            protocol=protocol,
            timeouts=patience(provider.timeouts, mapping, streamed=True, policy=self.policy),
            timeouts_whole=patience(provider.timeouts, mapping, streamed=False, policy=self.policy),
            place=address.place,
            signing=signing(address.auth, secret=credential.secret),
            inline=_inline(provider, dialect),
            named=dialect.named,
            replays=dialect.replays if re.search(dialect.replayers, mapping.upstream) else "",
            replays_privately=dialect.private,
            responses=self._over_responses(mapping, address, credential, region=region),
        )

    def _over_responses(
        self, mapping: Mapping, address: Address, credential: Credential, *, region: str | None
    ) -> Deployment | None:
        """The same offer over OpenAI's other protocol, where its provider has that for what it serves by chat."""
        provider = self.catalog.providers[mapping.provider]
        if mapping.protocol is not None or address.provider.protocol != "openai-chat":
            return None
        if _RESPONSES not in self.protocols or not speaks(provider, _RESPONSES):
            return None
        try:
            other = located(provider, mapping, protocol=_RESPONSES, region=region, exact=True)
        except UnreachableError:
            return None
        return self._compiled(mapping, other, credential, region=region)

    def _head(self, address: Address, credential: Credential, *, path: str) -> bytes:
        lines = [
            f"POST {path} HTTP/1.1",
            f"host: {address.host}",
            authorization_line(address.auth, secret=credential.secret),
            "content-type: application/json",
            "accept-encoding: identity",
            *[f"{name}: {value}" for name, value in address.headers],
            f"x-llmgateway-hop: {self.instance_id}",
        ]
        return "".join(f"{line}\r\n" for line in lines if line).encode("latin-1")


def _of_mapping(provider: Provider, mapping: Mapping) -> Provider:
    """The row as it holds for one offer: quirks of other models left out."""
    quirks = quirks_for(provider.quirks, mapping.upstream)
    return provider if quirks == provider.quirks else msgspec.structs.replace(provider, quirks=quirks)


def _inline(provider: Provider, dialect: Dialect) -> frozenset[str]:
    """Part types that are sent as bytes: the protocol's, and what a row says of itself."""
    taken = dialect.inline | (_ALL_MEDIA if "inline_media" in provider.quirks else frozenset[str]())
    return taken - {"file"} if "file_urls" in provider.quirks else taken
