"""The usage object of OpenAI-compatible answers: each vendor's place for the same figure, and money told exactly."""

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from llmgateway.domain.usage import Cost, Price, Usage, cost_of, decimal_usd
from llmgateway.wire.openai_chat.account import usage_json
from llmgateway.wire.openai_chat.usage import read_usage


def read(**members: object) -> Usage | None:
    return read_usage(Raw(json.dumps(members).encode()))


def test_openai_details_are_read() -> None:
    found = read(
        prompt_tokens=100,
        completion_tokens=50,
        total_tokens=150,
        prompt_tokens_details={"cached_tokens": 40, "cache_write_tokens": 7, "audio_tokens": 3, "image_tokens": 2},
        completion_tokens_details={"reasoning_tokens": 30, "audio_tokens": 5, "image_tokens": 6},
    )
    assert found == Usage(
        prompt_tokens=100, cached_tokens=40, cache_write_5m_tokens=7, output_tokens=50, reasoning_tokens=30,
        input_audio_tokens=3, input_image_tokens=2, output_audio_tokens=5, output_image_tokens=6,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("members", "cached"),
    [
        ({"prompt_tokens_details": {"cached_tokens": 5}, "prompt_cache_hit_tokens": 6, "cached_tokens": 7}, 5),
        ({"prompt_tokens_details": {"cached_tokens": 0}, "prompt_cache_hit_tokens": 6}, 0),
        ({"prompt_tokens_details": {}, "prompt_cache_hit_tokens": 6, "cached_tokens": 7}, 6),
        ({"prompt_tokens_details": None, "cached_tokens": 7}, 7),
        ({}, 0),
        ({"cached_tokens": -4}, 0),
    ],
)
def test_cached_tokens_are_found_in_the_order_of_the_table(members: dict[str, object], cached: int) -> None:
    found = read(prompt_tokens=10, completion_tokens=1, **members)
    assert found is not None
    assert found.cached_tokens == cached


@pytest.mark.parametrize(
    ("completion", "total", "output"), [(5, 15, 5), (5, 45, 35), (5, None, 5), (None, 12, 2), (5, 3, 5)]
)
def test_output_is_the_larger_of_completion_and_total_less_prompt(
    completion: int | None, total: int | None, output: int
) -> None:
    """xAI leaves the reasoning that it bills out of completion_tokens."""
    found = read(prompt_tokens=10, completion_tokens=completion, total_tokens=total)
    assert found is not None
    assert found.output_tokens == output


def test_reasoning_is_read_from_the_details_else_from_the_top() -> None:
    for members in (
        {"completion_tokens_details": {"reasoning_tokens": 4}, "reasoning_tokens": 9},
        {"reasoning_tokens": 4},
    ):
        found = read(prompt_tokens=1, completion_tokens=9, **members)
        assert found is not None
        assert found.reasoning_tokens == 4


@pytest.mark.parametrize("text", [b"null", b"{}", b'{"cost":1}', b'"x"', b"[]", b"{", b'{"prompt_tokens":{}}', b"7"])
def test_what_cannot_be_counted_is_no_usage(text: bytes) -> None:
    assert read_usage(Raw(text)) is None


def test_no_usage_at_all_is_none() -> None:
    assert read_usage(None) is None


def test_numbers_told_as_strings_are_believed() -> None:
    found = read_usage(Raw(b'{"prompt_tokens":"12","completion_tokens":"3"}'))
    assert found is not None
    assert (found.prompt_tokens, found.output_tokens) == (12, 3)


PRICE = Price(input=1_500_000, output=7_000_001, cached_input=150_000)


def test_the_usage_object_has_every_documented_field() -> None:
    usage = Usage(prompt_tokens=10, cached_tokens=4, output_tokens=5, reasoning_tokens=2)
    told = json.loads(usage_json(usage, cost_of(usage, PRICE)), parse_float=Decimal)
    assert (told["prompt_tokens"], told["completion_tokens"], told["total_tokens"]) == (10, 5, 15)
    assert told["reasoning_tokens"] == 2
    assert told["prompt_tokens_details"]["cached_tokens"] == 4
    assert told["completion_tokens_details"]["reasoning_tokens"] == 2
    assert told["cost_usd_input"] == Decimal("0.000009")
    assert told["cost_usd_cached_input"] == Decimal("0.0000006")
    assert told["cost_usd_output"] == Decimal("0.000035000005")
    assert told["cost_usd_request"] == 0
    assert told["cost_usd_total"] == told["cost"] == told["cost_details"]["total_cost"] == Decimal("0.000044600005")
    assert "info" not in told


def test_costs_are_absent_where_no_price_is_known() -> None:
    told = json.loads(usage_json(Usage(prompt_tokens=1, output_tokens=1), None))
    assert told["info"] == "no price known"
    assert not [name for name in told if name.startswith("cost")]


def test_estimates_and_impossible_counts_are_explained() -> None:
    free = Cost()
    assert json.loads(usage_json(Usage(estimated=True), free))["info"] == "estimated"
    assert "exceed" in json.loads(usage_json(Usage(prompt_tokens=1, cached_tokens=2), free))["info"]


@given(st.integers(0, 10**20))
def test_money_is_printed_plainly_and_exactly(picousd: int) -> None:
    text = decimal_usd(picousd)
    assert Decimal(text) * 10**12 == picousd
    assert "e" not in text.lower()
    assert len(text.partition(".")[2]) <= 12
    assert json.loads(text, parse_float=Decimal, parse_int=Decimal) == Decimal(text)
