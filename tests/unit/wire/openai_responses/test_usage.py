"""Tokens and searches of a response, wherever the provider puts them."""

from typing import Any

import pytest

from llmgateway.domain.usage import Usage
from llmgateway.wire.openai_responses.usage import read_usage
from tests.unit.wire.openai_responses.asking import whole


def test_the_table() -> None:
    usage = read_usage(
        {
            "input_tokens": 100,
            "input_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 10},
            "output_tokens": 50,
            "output_tokens_details": {"reasoning_tokens": 30},
            "total_tokens": 150,
        }
    )
    assert usage == Usage(
        prompt_tokens=100, cached_tokens=60, cache_write_5m_tokens=10, output_tokens=50, reasoning_tokens=30
    )


@pytest.mark.parametrize("usage", [None, [], "x", {}, {"total_tokens": 5}, {"input_tokens": "many"}])
def test_nothing_that_can_be_counted(usage: Any) -> None:
    assert read_usage(usage) is None


def test_odd_figures() -> None:
    assert read_usage({"input_tokens": 5.0, "output_tokens": -1, "input_tokens_details": None}) == Usage(
        prompt_tokens=5
    )


def search(kind: str) -> dict[str, Any]:
    return {"type": "web_search_call", "id": kind, "status": "completed", "action": {"type": kind}}


@pytest.mark.parametrize(
    ("members", "searches"),
    [
        ({}, 2),
        ({"tool_usage": {"web_search": {"num_requests": 3}}}, 3),
        ({"tool_usage": {"image_gen": {}}}, 2),
    ],
)
def test_searches_are_counted_where_they_are_not_told(members: dict[str, Any], searches: int) -> None:
    """Only searches cost: opening a page, or finding something in it, does not."""
    calls = [search("search"), search("open_page"), search("find_in_page"), {"type": "web_search_call", "id": "w"}]
    chunk = whole(*calls, usage={"input_tokens": 1, "output_tokens": 1}, **members)
    assert chunk.usage is not None
    assert chunk.usage.web_searches == searches


def test_xai_counts_its_own() -> None:
    usage = {"input_tokens": 1, "output_tokens": 1, "server_side_tool_usage_details": {"web_search_calls": 4}}
    chunk = whole(search("search"), usage=usage)
    assert chunk.usage is not None
    assert chunk.usage.web_searches == 4
