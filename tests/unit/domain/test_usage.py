"""Tokens to money: exact, in integers, each bucket rounded once."""

from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmgateway.domain.usage import BASIS_POINTS, PICO, Cost, Price, PriceTier, Usage, cost_of, decimal_usd, scaled

tokens = st.integers(0, 10**8)
prices = st.integers(0, 10**9)
optional = st.none() | prices


def test_fresh_input_is_what_was_neither_cached_nor_written() -> None:
    usage = Usage(prompt_tokens=100, cached_tokens=30, cache_write_5m_tokens=20, cache_write_1h_tokens=10)
    assert usage.input_tokens == 40
    assert usage.cache_write_tokens == 30
    assert not usage.floored


def test_fresh_input_never_goes_below_zero_and_says_so() -> None:
    usage = Usage(prompt_tokens=10, cached_tokens=8, cache_write_5m_tokens=5)
    assert usage.input_tokens == 0
    assert usage.floored


def test_the_total_is_computed_not_believed() -> None:
    assert Usage(prompt_tokens=7, output_tokens=5, reasoning_tokens=4).total_tokens == 12


def test_figures_that_no_answer_can_have_are_not_plausible() -> None:
    assert Usage(prompt_tokens=10**7, output_tokens=10**6).plausible
    assert not Usage(prompt_tokens=10**18).plausible
    assert not Usage(output_tokens=10**9).plausible


def test_each_bucket_has_its_own_price() -> None:
    usage = Usage(
        prompt_tokens=100, cached_tokens=30, cache_write_5m_tokens=20, cache_write_1h_tokens=10, output_tokens=50
    )
    price = Price(input=1000, output=4000, cached_input=100, cache_write_5m=1250, cache_write_1h=2000, request=7)
    cost = cost_of(usage, price)
    assert cost == Cost(input=40_000, cached_input=3000, cache_write=45_000, output=200_000, request=7)
    assert cost.total == 40_000 + 3000 + 45_000 + 200_000 + 7
    assert cost.upstream_inference == 40_000 + 3000 + 45_000 + 200_000


def test_a_bucket_without_a_price_costs_as_much_as_input() -> None:
    usage = Usage(prompt_tokens=100, cached_tokens=30, cache_write_5m_tokens=20, cache_write_1h_tokens=10)
    cost = cost_of(usage, Price(input=1000, output=0))
    assert (cost.input, cost.cached_input, cost.cache_write) == (40_000, 30_000, 30_000)


def test_a_cached_price_of_zero_is_a_price() -> None:
    assert cost_of(Usage(prompt_tokens=10, cached_tokens=10), Price(input=1000, output=0, cached_input=0)).total == 0


def test_reasoning_is_part_of_the_output_and_not_charged_again() -> None:
    assert cost_of(Usage(output_tokens=50, reasoning_tokens=40), Price(input=1, output=10)).total == 500


def test_searches_are_charged_each_and_a_request_once() -> None:
    cost = cost_of(Usage(web_searches=3), Price(input=0, output=0, request=11, web_search=5))
    assert (cost.request, cost.web_search, cost.total) == (11, 15, 26)
    assert cost.upstream_inference == 0


def test_images_with_a_price_leave_the_output_bucket() -> None:
    usage = Usage(output_tokens=1000, output_image_tokens=900)
    cost = cost_of(usage, Price(input=0, output=10, output_image=30))
    assert (cost.output, cost.image_output) == (1000, 27_000)
    assert cost_of(usage, Price(input=0, output=10)) == Cost(output=10_000)


def test_audio_with_a_price_is_charged_at_it_within_its_bucket() -> None:
    usage = Usage(prompt_tokens=100, input_audio_tokens=40, output_tokens=50, output_audio_tokens=20)
    cost = cost_of(usage, Price(input=1, output=2, input_audio=10, output_audio=20))
    assert (cost.input, cost.output) == (60 + 400, 60 + 400)


def test_audio_and_images_beyond_the_output_do_not_make_it_negative() -> None:
    usage = Usage(output_tokens=5, output_image_tokens=9, output_audio_tokens=9)
    assert cost_of(usage, Price(input=0, output=10, output_image=1, output_audio=1)).output == 9


@pytest.mark.parametrize(("prompt", "input_price"), [(200, 1), (201, 2), (500, 2), (501, 3)])
def test_the_tier_above_which_the_prompt_lies_prices_the_whole_request(prompt: int, input_price: int) -> None:
    tiers = (PriceTier(200, input=2, output=20), PriceTier(500, input=3, output=30))
    cost = cost_of(Usage(prompt_tokens=prompt, output_tokens=1), Price(input=1, output=10, tiers=tiers))
    assert (cost.input, cost.output) == (prompt * input_price, input_price * 10)


def test_cached_tokens_count_for_the_choice_of_the_tier() -> None:
    tier = PriceTier(200, input=2, output=0, cached_input=1)
    usage = Usage(prompt_tokens=201, cached_tokens=200)
    assert cost_of(usage, Price(input=1, output=0, cached_input=0, tiers=(tier,))) == Cost(input=2, cached_input=200)


def test_only_a_tier_that_has_a_multiplier_changes_the_cost() -> None:
    price = Price(input=10, output=10, service_tiers={"flex": 5000, "priority": 20_000})
    usage = Usage(prompt_tokens=10)
    costs = [cost_of(usage, price, service_tier=tier).total for tier in (None, "default", "flex", "priority")]
    assert costs == [100, 100, 50, 200]


def test_a_discount_and_a_service_tier_are_rounded_together_once() -> None:
    """Half of half of 2 is 0.5, which goes to the even 0; rounded twice it would have become 1, then 0 by luck."""
    price = Price(input=2, output=6, multiplier_bp=5000, service_tiers={"flex": 5000})
    cost = cost_of(Usage(prompt_tokens=1, output_tokens=1), price, service_tier="flex")
    assert (cost.input, cost.output) == (0, 2)


def test_buckets_are_rounded_before_they_are_added() -> None:
    price = Price(input=1, output=1, cached_input=1, multiplier_bp=6000)
    cost = cost_of(Usage(prompt_tokens=2, cached_tokens=1, output_tokens=1), price)
    assert (cost.input, cost.cached_input, cost.output, cost.total) == (1, 1, 1, 3)


@given(amount=st.integers(0, 10**25), factor=st.integers(0, 10**6))
def test_scaling_rounds_half_to_even(amount: int, factor: int) -> None:
    exact = Fraction(amount * factor, BASIS_POINTS)
    assert scaled(amount, factor, BASIS_POINTS) == round(exact)
    decimal = Decimal(amount * factor) / BASIS_POINTS if amount * factor < 10**24 else None
    if decimal is not None:
        assert scaled(amount, factor, BASIS_POINTS) == int(decimal.quantize(Decimal(1), rounding=ROUND_HALF_EVEN))


usages = st.builds(
    Usage, prompt_tokens=tokens, cached_tokens=tokens, cache_write_5m_tokens=tokens, cache_write_1h_tokens=tokens,
    output_tokens=tokens, reasoning_tokens=tokens, web_searches=st.integers(0, 100),
)  # fmt: skip
price_rows = st.builds(
    Price, input=prices, output=prices, cached_input=optional, cache_write_5m=optional, cache_write_1h=optional,
    request=prices, web_search=prices, multiplier_bp=st.integers(0, 40_000),
    service_tiers=st.fixed_dictionaries({"flex": st.integers(0, 40_000)}),
)  # fmt: skip


@given(usage=usages, price=price_rows, tier=st.sampled_from((None, "flex", "scale")))
def test_every_bucket_equals_the_exact_product_rounded_half_to_even(
    usage: Usage, price: Price, tier: str | None
) -> None:
    factor = Fraction(price.multiplier_bp, BASIS_POINTS)
    if tier == "flex":
        factor *= Fraction(price.service_tiers["flex"], BASIS_POINTS)

    def at(row: int | None, otherwise: int = price.input) -> int:
        return otherwise if row is None else row

    fresh = max(0, usage.prompt_tokens - usage.cached_tokens - usage.cache_write_tokens)
    write_5m = at(price.cache_write_5m)
    exact = {
        "input": fresh * price.input,
        "cached_input": usage.cached_tokens * at(price.cached_input),
        "cache_write": usage.cache_write_5m_tokens * write_5m
        + usage.cache_write_1h_tokens * at(price.cache_write_1h, price.input),
        "output": usage.output_tokens * price.output,
        "request": price.request,
        "web_search": usage.web_searches * price.web_search,
    }
    cost = cost_of(usage, price, service_tier=tier)
    assert {name: getattr(cost, name) for name in exact} == {name: round(of * factor) for name, of in exact.items()}
    assert cost.total == sum(round(of * factor) for of in exact.values())


@pytest.mark.parametrize(
    ("picousd", "printed"),
    [
        (0, "0"),
        (1, "0.000000000001"),
        (1_500_000, "0.0000015"),
        (PICO, "1"),
        (PICO * 100, "100"),
        (PICO * 3 + PICO // 4, "3.25"),
        (-PICO // 2, "-0.5"),
        (12_345_678_901_234, "12.345678901234"),
    ],
)
def test_money_is_printed_plainly(picousd: int, printed: str) -> None:
    assert decimal_usd(picousd) == printed


@given(picousd=st.integers(-(10**22), 10**22))
def test_printed_money_reads_back_as_the_same_amount(picousd: int) -> None:
    printed = decimal_usd(picousd)
    assert Fraction(Decimal(printed)) * PICO == picousd
    assert "e" not in printed.lower()
    assert len(printed.partition(".")[2]) <= 12
    assert not printed.endswith((".", "-"))
