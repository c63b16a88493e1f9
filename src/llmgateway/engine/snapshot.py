"""The immutable read model of one moment: keys, catalogue, deployments. Swapped whole, never changed.

What a request needs is worked out here once (request head, parameter plan, price ranking), so that the request itself
only looks things up. Building it from settings, environment and database is left to the infrastructure.
"""

from collections.abc import Iterable, Mapping as ReadOnly
from typing import Final, Literal, cast
from urllib.parse import urlsplit

from llmgateway.catalog.lookup import Catalog
from llmgateway.domain.identity import ApiKey
from llmgateway.domain.routing import Credential, Deployment, Mapping, Origin, Provider
from llmgateway.wire.params import compile_parameters
from llmgateway.wire.sign import authorization_line

_REMEMBERED: Final = 10_000


class Snapshot:
    """`keys` by SHA-256 digest; `protocols`: those this version can speak; `instance_id` marks our own requests."""

    def __init__(
        self,
        *,
        catalog: Catalog,
        keys: Iterable[ApiKey],
        credentials: Iterable[Credential],
        protocols: frozenset[str],
        instance_id: str,
    ) -> None:
        self.catalog = catalog
        self.keys: ReadOnly[bytes, ApiKey] = {key.digest: key for key in keys}
        self.protocols = protocols
        self.instance_id = instance_id
        self.credentials: dict[str, list[Credential]] = {}
        for credential in credentials:
            self.credentials.setdefault(credential.provider, []).append(credential)
        self._deployments: dict[tuple[str, str, str, str | None], Deployment] = {}

    def usable(self, provider: Provider) -> bool:
        """There is a credential for it, and this version speaks its protocol."""
        return provider.id in self.credentials and provider.protocol in self.protocols

    def deployment(self, mapping: Mapping, *, region: str | None = None) -> Deployment:
        """The mapping with its provider's first credential. The provider must be usable."""
        key = (mapping.provider, mapping.model, mapping.upstream, region)
        found = self._deployments.get(key)
        if found is None:
            if len(self._deployments) >= _REMEMBERED:
                self._deployments.clear()
            found = self._deployments[key] = self._compiled(mapping, region)
        return found

    def _compiled(self, mapping: Mapping, region: str | None) -> Deployment:
        provider = self.catalog.providers[mapping.provider]
        credential = self.credentials[provider.id][0]
        url = urlsplit(provider.base_url.replace("{region}", region or ""))
        scheme = cast("Literal['http', 'https']", url.scheme)
        origin = Origin(
            scheme, url.hostname or "", url.port or (443 if scheme == "https" else 80), provider.allow_private_network
        )
        name = mapping.model.removeprefix(f"{provider.id}/")
        return Deployment(
            provider=provider,
            mapping=mapping,
            credential=credential,
            region=region,
            origin=origin,
            head=self._head(provider, credential, host=url.netloc.rpartition("@")[2], path=url.path.rstrip("/")),
            used_model=f"{provider.id}/{name}:{region}" if region else f"{provider.id}/{name}",
            parameters=compile_parameters(provider, mapping),
        )

    def _head(self, provider: Provider, credential: Credential, *, host: str, path: str) -> bytes:
        lines = [
            f"POST {path}{provider.path} HTTP/1.1",
            f"host: {host}",
            authorization_line(provider.auth, secret=credential.secret),
            "content-type: application/json",
            "accept-encoding: identity",
            f"x-llmgateway-hop: {self.instance_id}",
        ]
        return "".join(f"{line}\r\n" for line in lines if line).encode("latin-1")
