"""Turns what the operator set (file, environment, provider keys in the environment) into rows the engine knows.

Which of these rows win over the shipped catalogue is decided by whoever composes the snapshot.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from ipaddress import ip_address
from typing import cast
from urllib.parse import urlsplit

import msgspec

from llmgateway.domain.identity import ApiKey, Project
from llmgateway.domain.policy import RoutingPolicy
from llmgateway.domain.routing import Credential, Model, Protocol, Provider, Timeouts
from llmgateway.domain.routing import Mapping as ModelMapping
from llmgateway.domain.usage import Price, PriceTier
from llmgateway.engine.address import how_to_set
from llmgateway.infra.environment import of_account, parts_of, provider_keys, unset_variables, with_values
from llmgateway.infra.secrets import KEY_PREFIX, digest, mask
from llmgateway.infra.settings import (
    Findings,
    ModelSettings,
    ProviderSettings,
    Settings,
    Sources,
    TierSettings,
    TimeoutSettings,
    nearest,
    variable_part,
)
from llmgateway.wire.sign import signing

_USABLE_KEY = re.compile(r"[!-~]+")
_KEY_SUFFIX = re.compile(r"(_API)?_(KEY|TOKEN|SECRET)S?$")


class OperatorRows(msgspec.Struct, frozen=True):
    """`providers`: every configured row and every catalogue row that has a credential. `models`: the operator's own;
    one whose id the catalogue has too adds a mapping to that model. `warnings`: lines for the start of the log.
    """

    providers: tuple[Provider, ...]
    models: tuple[Model, ...]
    credentials: tuple[Credential, ...]
    warnings: tuple[str, ...]


def operator_rows(
    settings: Settings,
    *,
    environ: Mapping[str, str],
    catalog_providers: Mapping[str, Provider],
    fingerprint: Callable[[str], str],
) -> OperatorRows:
    """The rows of a configuration. Raises SettingsError for a custom provider without a base_url."""
    configured = _named_as_known(settings, catalog_providers)
    _check_custom(configured, settings.sources, catalog_providers)
    warnings = _ignored_base_urls(environ, catalog_providers.values())
    providers: list[Provider] = []
    credentials: list[Credential] = []
    for name in sorted({*configured, *catalog_providers}):
        given = configured.get(name)
        row = _provider(name, given, catalog_providers.get(name))
        row = with_values(row, {} if given is None else given.variables, environ=environ)
        keys = _usable(row, provider_keys(row, None if given is None else given.api_keys, environ=environ), warnings)
        row, complaints = of_account(row, keys)
        missing = unset_variables(row) if keys else ()
        warnings += complaints
        warnings += [f"provider {name} has a key but no address; set {how_to_set(row, one)}" for one in missing]
        if not keys and _keyless(row, given):
            row = msgspec.structs.replace(row, auth="none")
            keys = [""]
        elif not keys and row.custom:
            warnings.append(f'provider {name} has no key and is not used; set api_keys, or auth = "none"')
        if keys or given is not None:
            providers.append(row)
        weights = {} if given is None else _weights(given)
        credentials += [
            Credential(provider=name, secret=key, fingerprint=fingerprint(key), weight=weights.get(key, 1))
            for key in keys
        ]
    return OperatorRows(tuple(providers), _models(configured), tuple(credentials), tuple(warnings))


def static_keys(settings: Settings) -> tuple[ApiKey, ...]:
    """The API keys of the configuration; their ids and projects follow from their names."""
    return tuple(
        ApiKey(
            id=f"static:{key.name}",
            name=key.name,
            digest=digest(key.key.value),
            project=Project(id=key.project, name=key.project),
            static=True,
        )
        for key in settings.keys
    )


def with_routing(keys: Iterable[ApiKey], settings: Settings) -> tuple[ApiKey, ...]:
    """The keys with what their projects set of routing: the gateway's policy with single numbers replaced."""
    policies: dict[str, RoutingPolicy] = {}
    for name, project in settings.projects.items():
        own = {field: value for field, value in msgspec.structs.asdict(project.routing).items() if value is not None}
        if own:
            policies[name] = msgspec.structs.replace(settings.routing, **own)
    return tuple([_routed(key, policies.get(key.project.name)) for key in keys])


def _routed(key: ApiKey, policy: RoutingPolicy | None) -> ApiKey:
    if policy is None:
        return key
    return msgspec.structs.replace(key, project=msgspec.structs.replace(key.project, routing=policy))


def _named_as_known(settings: Settings, known: Mapping[str, Provider]) -> dict[str, ProviderSettings]:
    """Providers by name. One that only the environment names cannot have the dot of `llama.cpp`: it gets it here."""
    spelt = {variable_part(name): name for name in known}
    return {
        name if settings.sources.in_file(("providers", name)) else spelt.get(variable_part(name), name): given
        for name, given in settings.providers.items()
    }


def _check_custom(configured: Mapping[str, ProviderSettings], sources: Sources, known: Mapping[str, Provider]) -> None:
    findings = Findings(sources)
    for name, given in configured.items():
        if name not in known and given.base_url is None:
            expected = "the name of a known provider, or a base_url"
            near = nearest(name, among=known)
            findings.add(
                ("providers", name), given="a custom provider without base_url", expected=expected, suggestion=near
            )
    findings.raise_if_any()


def _provider(name: str, given: ProviderSettings | None, known: Provider | None) -> Provider:
    if given is None and known is not None:
        return known
    given = given or ProviderSettings()
    row = known or Provider(id=name, name=name, custom=True, any_model=given.models is None, unknown_fields="pass")
    if given.protocol is not None and given.protocol != row.protocol:
        row = msgspec.structs.replace(row, protocol=cast(Protocol, given.protocol), path="", stream_path="")
    if given.base_url is not None:
        row = _moved(row, base_url=given.base_url.rstrip("/"))
    changes: dict[str, object] = {
        "path": given.path,
        "stream_path": given.stream_path if given.stream_path is not None or given.path is None else "",
        "headers": {**row.headers, **{header: text.value for header, text in (given.headers or {}).items()}},
        "endpoints": given.endpoints,
        "auth": given.auth or ("bearer" if given.api_keys and row.auth == "none" else None),
        "clean": given.clean,
        "unknown_fields": given.unknown_fields,
        "regions": given.regions,
        "parameters": given.parameters,
        "quirks": (*row.quirks, *given.quirks) if given.quirks else None,
        "priority": given.priority,
        "allow_private_network": given.allow_private_network,
        "timeouts": _timeouts(given.timeout_s, row.timeouts),
    }
    if given.allow_private_network is None and given.base_url is not None:
        changes["allow_private_network"] = is_local(given.base_url)
    return msgspec.structs.replace(row, **{field: value for field, value in changes.items() if value is not None})


def _moved(row: Provider, *, base_url: str) -> Provider:
    """The row at another address: all its endpoints go there, whatever addresses they have at the vendor's."""
    endpoints = tuple(msgspec.structs.replace(endpoint, base_url="") for endpoint in row.endpoints)
    return msgspec.structs.replace(row, base_url=base_url, endpoints=endpoints, region_urls={})


def _timeouts(given: TimeoutSettings, base: Timeouts) -> Timeouts:
    changes = {name: value for name, value in msgspec.structs.asdict(given).items() if value is not None}
    return msgspec.structs.replace(base, **changes)


def is_local(base_url: str) -> bool:
    """Whether a URL names this machine or a private network by address (names but localhost are not resolved)."""
    host = urlsplit(base_url).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return False
    return address.is_private or address.is_loopback or address.is_link_local


def _usable(row: Provider, keys: list[tuple[str, str]], warnings: list[str]) -> list[str]:
    usable: list[str] = []
    for key, origin in keys:
        if key.startswith(KEY_PREFIX):
            warnings.append(f"{origin} holds a key of this gateway ({mask(key)}), not of {row.id}; it is ignored")
        elif not (_USABLE_KEY.fullmatch(key) or signing(row.auth, secret=key)):
            warnings.append(f"{origin} holds a key with blanks or characters no header can carry; it is ignored")
        elif key not in usable:
            usable.append(key)
    return usable


def _weights(given: ProviderSettings) -> dict[str, int]:
    """Of the keys that have one; a key that is listed twice has its first."""
    pairs = [*zip(given.api_keys or (), given.api_key_weights, strict=False)]
    return {key.value: weight for key, weight in reversed(pairs)}


def _keyless(row: Provider, given: ProviderSettings | None) -> bool:
    """Whether a row without a key is called all the same.

    The simulator always; others only when the operator named them, since a catalogue's local servers may not run.
    """
    if row.protocol == "simulator":
        return True
    if given is None or given.api_keys == ():
        return False
    return row.auth == "none" or (
        given.base_url is not None and (is_local(given.base_url) or row.allow_private_network)
    )


def _ignored_base_urls(environ: Mapping[str, str], known: Iterable[Provider]) -> list[str]:
    """One line for each vendor's own base URL variable: applications set those to point at this gateway."""
    found: dict[str, str] = {}
    for row in known:
        stems = {variable_part(row.id), *(_KEY_SUFFIX.sub("", part) for name in row.env for part in parts_of(name))}
        for stem in stems:
            for variable in (f"{stem}_BASE_URL", f"{stem}_API_BASE"):
                if environ.get(variable):
                    found.setdefault(variable, row.id)
    return [
        f"{variable} is ignored; to change where {name} is reached, set LLMGATEWAY_PROVIDERS_"
        f"{variable_part(name)}_BASE_URL"
        for variable, name in sorted(found.items())
    ]


def _models(providers: Mapping[str, ProviderSettings]) -> tuple[Model, ...]:
    """The operator's models by id; the same id at several providers is one model with several mappings."""
    models: dict[str, Model] = {}
    for provider, given in sorted(providers.items()):
        for entry in given.models or ():
            known = models.get(entry.id) or Model(id=entry.id, name=entry.name or entry.id)
            models[entry.id] = msgspec.structs.replace(
                known,
                aliases=tuple(dict.fromkeys((*known.aliases, *entry.aliases))),
                mappings=(*known.mappings, _mapping(provider, entry)),
            )
    return tuple(models.values())


def _mapping(provider: str, entry: ModelSettings) -> ModelMapping:
    return ModelMapping(
        provider=provider,
        model=entry.id,
        upstream=entry.upstream or entry.id,
        protocol=entry.protocol,
        price=_price(entry),
        context=entry.context,
        max_output=entry.max_output,
        has=frozenset(entry.capabilities),
        lacks=frozenset(entry.lacks),
        regions=entry.regions,
        priority=entry.priority,
    )


def _price(entry: ModelSettings) -> Price | None:
    """None when no price is given. USD per million tokens in 10⁻⁶ steps are pico-dollars per token."""
    if entry.input_usd_per_mtok is None or entry.output_usd_per_mtok is None:
        return None
    return Price(
        input=_per_token(entry.input_usd_per_mtok),
        output=_per_token(entry.output_usd_per_mtok),
        cached_input=_optional(entry.cached_input_usd_per_mtok),
        cache_write_5m=_optional(entry.cache_write_5m_usd_per_mtok),
        cache_write_1h=_optional(entry.cache_write_1h_usd_per_mtok),
        output_image=_optional(entry.output_image_usd_per_mtok),
        output_audio=_optional(entry.output_audio_usd_per_mtok),
        input_audio=_optional(entry.input_audio_usd_per_mtok),
        request=int((entry.request_usd or Decimal(0)).scaleb(12)),
        web_search=int((entry.web_search_usd or Decimal(0)).scaleb(12)),
        tiers=tuple(map(_tier, entry.tiers)),
        source="operator",
    )


def _tier(tier: TierSettings) -> PriceTier:
    return PriceTier(
        above_tokens=tier.above_tokens,
        input=_per_token(tier.input_usd_per_mtok),
        output=_per_token(tier.output_usd_per_mtok),
        cached_input=_optional(tier.cached_input_usd_per_mtok),
        cache_write_5m=_optional(tier.cache_write_5m_usd_per_mtok),
        cache_write_1h=_optional(tier.cache_write_1h_usd_per_mtok),
    )


def _per_token(usd_per_mtok: Decimal) -> int:
    return int(usd_per_mtok.scaleb(6))


def _optional(usd_per_mtok: Decimal | None) -> int | None:
    return None if usd_per_mtok is None else _per_token(usd_per_mtok)
