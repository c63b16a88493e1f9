"""The immutable read model of one moment: keys, catalogue, deployments. Swapped whole, never changed.

What a request needs is worked out here once (request head, parameter plan, price ranking), so that the request itself
only looks things up. Building it from settings, environment and database is left to the infrastructure.
"""

from collections.abc import Iterable
from collections.abc import Mapping as ReadOnly
from datetime import date
from typing import Final, Literal, cast
from urllib.parse import urlsplit

import msgspec

from llmgateway.catalog.lookup import Catalog
from llmgateway.domain.identity import ApiKey
from llmgateway.domain.routing import (
    SLOW_FIRST_BYTE_S,
    Credential,
    Deployment,
    Excluded,
    Mapping,
    Origin,
    Provider,
    Timeouts,
)
from llmgateway.wire.params import compile_parameters
from llmgateway.wire.quirks import quirks_for
from llmgateway.wire.sign import authorization_line

_REMEMBERED: Final = 10_000
_UNKNOWN_PRICE: Final = 1 << 62


class Route(msgspec.Struct, frozen=True):
    """What a model name leads to, worked out once.

    `deployments` can be used, cheapest first; `excluded` are the offers that no request can use, with the reason.
    `env`: provider and variable of each key that would help.
    """

    deployments: tuple[Deployment, ...]
    excluded: tuple[Excluded, ...]
    provider: str | None
    region: str | None
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
    ) -> None:
        self.catalog = catalog
        self.keys: ReadOnly[bytes, ApiKey] = {key.digest: key for key in keys}
        self.protocols = protocols
        self.instance_id = instance_id
        self.today = today
        self.credentials: dict[str, list[Credential]] = {}
        for credential in credentials:
            self.credentials.setdefault(credential.provider, []).append(credential)
        self._routes: dict[str, Route] = {}

    def usable(self, mapping: Mapping) -> bool:
        """Whether a request could be sent there: credential, protocol, date."""
        return self._unusable(mapping) is None

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
        usable: list[Mapping] = []
        excluded: list[Excluded] = []
        for mapping in resolution.mappings:
            reason = self._unusable(mapping)
            if reason is None:
                usable.append(mapping)
            else:
                excluded.append(Excluded(mapping.provider, mapping.model, reason))
        rows = [self.catalog.providers[mapping.provider] for mapping in resolution.mappings]
        return Route(
            tuple([self._compiled(mapping, resolution.region) for mapping in sorted(usable, key=self._rank)]),
            tuple(excluded),
            resolution.provider,
            resolution.region,
            tuple([(row.id, row.env[0]) for row in rows if row.env and row.protocol in self.protocols]),
        )

    def _unusable(self, mapping: Mapping) -> str | None:
        provider = self.catalog.providers[mapping.provider]
        if mapping.deactivated is not None and mapping.deactivated <= self.today:
            return "deactivated"
        if provider.id not in self.credentials:
            return "no_credential"
        for protocol in (provider.protocol, mapping.protocol):
            if protocol is not None and protocol not in self.protocols:
                return f"protocol:{protocol}"
        return "disabled" if provider.priority <= 0 or mapping.priority <= 0 else None

    def _rank(self, mapping: Mapping) -> tuple[int, float]:
        """By price (3 × input + 1 × output; unknown counts as the dearest), then by priority."""
        price = mapping.price
        weight = self.catalog.providers[mapping.provider].priority * mapping.priority
        return (_UNKNOWN_PRICE if price is None else 3 * price.input + price.output, -weight)

    def _compiled(self, mapping: Mapping, region: str | None) -> Deployment:
        provider = _of_mapping(self.catalog.providers[mapping.provider], mapping)
        credential = self.credentials[provider.id][0]
        url = urlsplit(provider.base_url.replace("{region}", region or ""))
        scheme = cast("Literal['http', 'https']", url.scheme)
        origin = Origin(
            scheme, url.hostname or "", url.port or (443 if scheme == "https" else 80), provider.allow_private_network
        )
        host, prefix = url.netloc.rpartition("@")[2], url.path.rstrip("/")
        return Deployment(
            provider=provider,
            mapping=mapping,
            credential=credential,
            region=region,
            origin=origin,
            head=self._head(provider, credential, host=host, path=prefix + provider.path),
            head_stream=self._head(
                provider, credential, host=host, path=prefix + (provider.stream_path or provider.path)
            ),
            used_model=f"{provider.id}/{mapping.model}:{region}" if region else f"{provider.id}/{mapping.model}",
            parameters=compile_parameters(provider, mapping),
            protocol=mapping.protocol or provider.protocol,
            timeouts=_slow(provider.timeouts) if "reasoning" in mapping.has else provider.timeouts,
            timeouts_whole=_slow(provider.timeouts),
        )

    def _head(self, provider: Provider, credential: Credential, *, host: str, path: str) -> bytes:
        lines = [
            f"POST {path} HTTP/1.1",
            f"host: {host}",
            authorization_line(provider.auth, secret=credential.secret),
            "content-type: application/json",
            "accept-encoding: identity",
            f"x-llmgateway-hop: {self.instance_id}",
        ]
        return "".join(f"{line}\r\n" for line in lines if line).encode("latin-1")


def _of_mapping(provider: Provider, mapping: Mapping) -> Provider:
    """The row as it holds for one offer: quirks of other models left out."""
    quirks = quirks_for(provider.quirks, mapping.upstream)
    return provider if quirks == provider.quirks else msgspec.structs.replace(provider, quirks=quirks)


def _slow(timeouts: Timeouts) -> Timeouts:
    """For answers whose head may come late: the operator's or the provider's own `first_byte` stands."""
    if timeouts.first_byte != Timeouts().first_byte:
        return timeouts
    return msgspec.structs.replace(timeouts, first_byte=SLOW_FIRST_BYTE_S)
