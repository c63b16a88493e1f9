"""Tokens and money: usage in disjoint buckets, prices and costs in integer pico-dollars.

One pico-dollar is 10⁻¹² USD, so a price of 1 USD per million tokens is 1,000,000 pico-dollars per token. Nothing here
is a float; every bucket is rounded once, half to even.
"""

import msgspec

PICO = 10**12
BASIS_POINTS = 10_000
_IMPLAUSIBLE = 10**9


class Usage(msgspec.Struct, frozen=True):
    """Tokens of one answer, normalised from whatever the provider reports.

    `prompt_tokens` is everything that was read; of it `cached_tokens` came from the provider's prompt cache and
    `cache_write_*_tokens` were written to it; what remains was read afresh (`input_tokens`). `output_tokens` includes
    `reasoning_tokens`. The audio and image counts are parts of prompt or output. `estimated`: the provider reported
    nothing and we counted ourselves. `billed_*_tokens`: what the provider says it charges for, where that is not what
    it counted (Cohere leaves its own preamble out); they are priced in place of the counts.
    """

    prompt_tokens: int = 0
    cached_tokens: int = 0
    cache_write_5m_tokens: int = 0
    cache_write_1h_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    input_audio_tokens: int = 0
    input_image_tokens: int = 0
    output_audio_tokens: int = 0
    output_image_tokens: int = 0
    web_searches: int = 0
    estimated: bool = False
    billed_input_tokens: int | None = None
    billed_output_tokens: int | None = None

    @property
    def cache_write_tokens(self) -> int:
        return self.cache_write_5m_tokens + self.cache_write_1h_tokens

    @property
    def input_tokens(self) -> int:
        """Read afresh: prompt − cached − written, floored at 0."""
        return max(0, self.prompt_tokens - self.cached_tokens - self.cache_write_5m_tokens - self.cache_write_1h_tokens)

    @property
    def floored(self) -> bool:
        """The provider's cached and written tokens exceed its prompt tokens."""
        return self.cached_tokens + self.cache_write_tokens > self.prompt_tokens

    @property
    def plausible(self) -> bool:
        """Whether an answer can have such figures at all; others would break sums and 64-bit columns."""
        read = self.prompt_tokens + self.cached_tokens + self.cache_write_5m_tokens + self.cache_write_1h_tokens
        return read + self.output_tokens + self.reasoning_tokens + self.web_searches < _IMPLAUSIBLE

    @property
    def total_tokens(self) -> int:
        return self.prompt_tokens + self.output_tokens


class PriceTier(msgspec.Struct, frozen=True):
    """Prices (pico-dollars per token) of a whole request whose prompt_tokens exceed `above_tokens`."""

    above_tokens: int
    input: int
    output: int
    cached_input: int | None = None
    cache_write_5m: int | None = None
    cache_write_1h: int | None = None


class Price(msgspec.Struct, frozen=True):
    """What a mapping charges: pico-dollars per token, per request, per search.

    A bucket without its own price (None) is charged at the input price, image and audio output at the output price.
    `tiers` ascend by `above_tokens`. `multiplier_bp` and the values of `service_tiers` (by the tier that *served*,
    for example {"flex": 5000, "priority": 20000}) are basis points. `source` and `as_of` (YYYY-MM-DD) say where the
    figures come from.
    """

    input: int
    output: int
    cached_input: int | None = None
    cache_write_5m: int | None = None
    cache_write_1h: int | None = None
    output_image: int | None = None
    output_audio: int | None = None
    input_audio: int | None = None
    request: int = 0
    web_search: int = 0
    tiers: tuple[PriceTier, ...] = ()
    multiplier_bp: int = BASIS_POINTS
    service_tiers: dict[str, int] = {}
    source: str = ""
    as_of: str = ""


class Tariff(msgspec.Struct, frozen=True, gc=False):
    """A price as routing compares it: pico-dollars per token with the multiplier in them, not rounded.

    `tiers` ascend by `above_tokens`; a tier's own tiers are empty.
    """

    input: float
    output: float
    cached_input: float
    request: float = 0.0
    above_tokens: int = 0
    tiers: tuple["Tariff", ...] = ()

    def expected(self, prompt: float, *, cached: float, output: float) -> float:
        """Of so many tokens, `cached` of the prompt's read from the provider's cache."""
        row = self
        for tier in self.tiers:
            if prompt > tier.above_tokens:
                row = tier
        return (prompt - cached) * row.input + cached * row.cached_input + output * row.output + self.request


def tariff_of(price: Price) -> Tariff:
    factor = price.multiplier_bp / BASIS_POINTS
    return Tariff(
        *_rates(price, factor),
        request=price.request * factor,
        tiers=tuple([Tariff(*_rates(tier, factor), above_tokens=tier.above_tokens) for tier in price.tiers]),
    )


def _rates(row: Price | PriceTier, factor: float) -> tuple[float, float, float]:
    cached = row.input if row.cached_input is None else row.cached_input
    return row.input * factor, row.output * factor, cached * factor


class Cost(msgspec.Struct, frozen=True):
    """Pico-dollars by bucket. `input` is fresh input only; `total` is the sum of the (already rounded) others."""

    input: int = 0
    cached_input: int = 0
    cache_write: int = 0
    output: int = 0
    request: int = 0
    web_search: int = 0
    image_output: int = 0

    @property
    def total(self) -> int:
        return (
            self.input
            + self.cached_input
            + self.cache_write
            + self.output
            + self.request
            + self.web_search
            + self.image_output
        )

    @property
    def upstream_inference(self) -> int:
        """Tokens alone: input, cached, written and output."""
        return self.input + self.cached_input + self.cache_write + self.output


def cost_of(usage: Usage, price: Price, *, service_tier: str | None = None) -> Cost:
    """The cost of one answer. `service_tier` is the tier the provider says it served."""
    if usage.billed_input_tokens is not None or usage.billed_output_tokens is not None:
        usage = _as_billed(usage)
    row = _tier(price, usage.prompt_tokens) if price.tiers else price
    cost = _at_list_price(usage, price, row)
    factor, scale = price.multiplier_bp, BASIS_POINTS
    if service_tier is not None and service_tier in price.service_tiers:
        factor, scale = factor * price.service_tiers[service_tier], scale * BASIS_POINTS
    if factor == scale:
        return cost
    return Cost(*[scaled(getattr(cost, bucket), factor, scale) for bucket in Cost.__struct_fields__])


def _as_billed(usage: Usage) -> Usage:
    """What is charged for, as if it were what was counted; a cache that saves nothing is no bucket of its own."""
    read, written = usage.billed_input_tokens, usage.billed_output_tokens
    return Usage(
        prompt_tokens=usage.prompt_tokens if read is None else read,
        output_tokens=usage.output_tokens if written is None else written,
        web_searches=usage.web_searches,
    )


def _tier(price: Price, prompt_tokens: int) -> Price | PriceTier:
    chosen: Price | PriceTier = price
    for tier in price.tiers:
        if prompt_tokens > tier.above_tokens:
            chosen = tier
    return chosen


def _at_list_price(usage: Usage, price: Price, row: Price | PriceTier) -> Cost:
    cached = usage.cached_tokens
    short, long = usage.cache_write_5m_tokens, usage.cache_write_1h_tokens
    fresh = usage.input_tokens
    read, output, written, images = fresh * row.input, usage.output_tokens, 0, 0
    if short or long:
        written = short * (row.input if row.cache_write_5m is None else row.cache_write_5m)
        written += long * (row.input if row.cache_write_1h is None else row.cache_write_1h)
    if usage.input_audio_tokens and price.input_audio is not None:
        read += min(usage.input_audio_tokens, fresh) * (price.input_audio - row.input)
    spoken = 0
    if usage.output_audio_tokens and price.output_audio is not None:
        spoken = usage.output_audio_tokens * price.output_audio
        output = max(0, output - usage.output_audio_tokens)
    if usage.output_image_tokens and price.output_image is not None:
        images = usage.output_image_tokens * price.output_image
        output = max(0, output - usage.output_image_tokens)
    return Cost(
        read,
        cached * (row.input if row.cached_input is None else row.cached_input),
        written,
        output * row.output + spoken,
        price.request,
        usage.web_searches * price.web_search,
        images,
    )


def scaled(amount: int, factor: int, scale: int) -> int:
    """amount × factor / scale, rounded half to even."""
    quotient, remainder = divmod(amount * factor, scale)
    twice = remainder * 2
    return quotient + (twice > scale or (twice == scale and quotient & 1))


def decimal_usd(picousd: int) -> str:
    """Pico-dollars as a plain decimal number of dollars, at most 12 places, no exponent: 1500000 → "0.0000015"."""
    if 0 < picousd < PICO:
        return "0." + str(PICO + picousd)[1:].rstrip("0")
    if picousd == 0:
        return "0"
    sign, picousd = ("-", -picousd) if picousd < 0 else ("", picousd)
    whole, rest = divmod(picousd, PICO)
    return f"{sign}{whole}.{rest:012d}".rstrip("0").removesuffix(".")
