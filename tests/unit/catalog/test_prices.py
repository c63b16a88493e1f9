"""Prices: exact integers from decimal text, and which source is believed."""

from decimal import Decimal

import msgspec
import pytest

from llmgateway.catalog.prices import chosen, known_price, listed_price, picousd
from llmgateway.catalog.sources import KnownPrice, KnownPrices, ListedPrice, missing


def listed(text: str) -> ListedPrice:
    return msgspec.json.decode(text, type=ListedPrice)


@pytest.mark.parametrize(
    ("usd_per_mtok", "expected"),
    [("3", 3_000_000), ("0.1", 100_000), ("0.0375", 37_500), ("0.000001", 1), ("0.28", 280_000), ("150", 150_000_000)],
)
def test_a_price_is_exact(usd_per_mtok: str, expected: int) -> None:
    assert picousd(Decimal(usd_per_mtok)) == expected


def test_json_numbers_never_pass_through_a_float() -> None:
    price = listed_price(listed('{"input": 0.1, "output": 0.27999999999999997}'), zero_is_free=False)
    assert price is not None
    assert (price.input, price.output) == (100_000, 280_000)


def test_zero_means_free_only_where_the_name_says_so() -> None:
    nothing = listed('{"input": 0, "output": 0}')
    assert listed_price(nothing, zero_is_free=False) is None
    free = listed_price(nothing, zero_is_free=True)
    assert free is not None
    assert (free.input, free.output) == (0, 0)


def test_a_cached_price_above_the_input_price_is_a_slip() -> None:
    price = listed_price(listed('{"input": 0.5, "output": 1.5, "cache_read": 1.25}'), zero_is_free=False)
    assert price is not None
    assert price.cached_input is None


def test_steps_become_whole_tiers() -> None:
    known = KnownPrice(
        base={"input_mtok": Decimal("1.25"), "output_mtok": Decimal(10), "cache_read_mtok": Decimal("0.125")},
        steps={200_000: {"input_mtok": Decimal("2.5"), "output_mtok": Decimal(15)}},
    )
    price = known_price(known)
    assert price is not None
    (tier,) = price.tiers
    assert (tier.above_tokens, tier.input, tier.output, tier.cached_input) == (200_000, 2_500_000, 15_000_000, 125_000)


def test_a_service_tier_is_kept_only_as_one_factor() -> None:
    base = {"input_mtok": Decimal(2), "output_mtok": Decimal(8)}
    half = {"input_mtok": Decimal(1), "output_mtok": Decimal(4)}
    uneven = {"input_mtok": Decimal(1), "output_mtok": Decimal(5)}
    price = known_price(KnownPrice(base=base, tiers={"flex": half, "odd": uneven}))
    assert price is not None
    assert price.service_tiers == {"flex": 5_000}


def test_per_request_and_search_prices_are_per_thousand() -> None:
    base = {"input_mtok": Decimal(1), "output_mtok": Decimal(1)}
    price = known_price(KnownPrice(base={**base, "requests_kcount": Decimal(12), "web_searches_kcount": Decimal(10)}))
    assert price is not None
    assert (price.request, price.web_search) == (12_000_000_000, 10_000_000_000)


def test_the_checked_source_wins_and_agreement_fills_its_gaps() -> None:
    both = listed_price(listed('{"input": 1, "output": 2, "cache_read": 0.5}'), zero_is_free=False)
    other = listed_price(listed('{"input": 9, "output": 2, "cache_read": 0.5}'), zero_is_free=False)
    checked = known_price(KnownPrice(base={"input_mtok": Decimal(1), "output_mtok": Decimal(2)}))
    filled, alone = chosen(both, checked), chosen(other, checked)
    assert filled is not None
    assert alone is not None
    assert (filled.cached_input, filled.source) == (500_000, checked.source if checked else "")
    assert (alone.input, alone.cached_input) == (1_000_000, None)
    assert chosen(other, None) is other
    assert chosen(None, None) is None


def test_a_name_that_moves_has_no_price_while_the_sources_disagree() -> None:
    stale = listed_price(listed('{"input": 9, "output": 2}'), zero_is_free=False)
    checked = known_price(KnownPrice(base={"input_mtok": Decimal(1), "output_mtok": Decimal(2)}))
    assert chosen(stale, checked, moving=True) is None
    assert chosen(checked, checked, moving=True) is not None


def test_a_price_by_time_of_day_is_that_of_most_hours() -> None:
    """DeepSeek's old models cost more for 16 hours a day, the new ones for 7 (api-docs.deepseek.com)."""
    reason = missing()
    if reason is not None:
        pytest.skip(reason)
    prices = KnownPrices()
    old, new = prices.find("deepseek", "deepseek-chat"), prices.find("deepseek", "deepseek-v4-pro")
    assert old is not None
    assert new is not None
    assert old.base["input_mtok"] == Decimal("0.27")
    assert new.base["input_mtok"] == Decimal("0.66")
