"""Usage: everything that was read is the prompt, and a stream's figures add up to the last word on each."""

import json
from typing import Any

import pytest

from llmgateway.domain.usage import Usage
from llmgateway.wire.anthropic.blocks import Mode
from llmgateway.wire.anthropic.whole import read_whole
from tests.unit.wire.anthropic.asking import claude
from tests.unit.wire.anthropic.streaming import chunks_of, ended, start


def reported(usage: Any) -> Usage | None:
    body = {"content": [{"type": "text", "text": "a"}], "stop_reason": "end_turn", "usage": usage}
    return read_whole(json.dumps(body).encode(), to=claude(), mode=Mode()).usage


@pytest.mark.parametrize(
    ("usage", "told"),
    [
        ({"input_tokens": 3, "output_tokens": 5}, Usage(3, output_tokens=5)),
        (
            {"input_tokens": 3, "cache_creation_input_tokens": 20, "cache_read_input_tokens": 100, "output_tokens": 5},
            Usage(123, 100, 20, output_tokens=5),
        ),
        (
            {"input_tokens": 3, "cache_creation_input_tokens": 20, "output_tokens": 5,
             "cache_creation": {"ephemeral_5m_input_tokens": 8, "ephemeral_1h_input_tokens": 12}},
            Usage(23, 0, 8, 12, 5),
        ),
        (
            {"input_tokens": 3, "output_tokens": 5, "cache_creation": {"ephemeral_1h_input_tokens": 12}},
            Usage(15, 0, 0, 12, 5),
        ),
        (
            {"input_tokens": 3, "output_tokens": 5, "output_tokens_details": {"thinking_tokens": 4},
             "server_tool_use": {"web_search_requests": 2, "web_fetch_requests": 9}},
            Usage(3, output_tokens=5, reasoning_tokens=4, web_searches=2),
        ),
        ({"input_tokens": "3", "output_tokens": -5, "cache_read_input_tokens": None}, Usage(3)),
        ({"service_tier": "standard"}, None), ({"input_tokens": []}, None), (None, None), (5, None),
    ],
)  # fmt: skip
def test_figures(usage: Any, told: Usage | None) -> None:
    assert reported(usage) == told


def test_the_end_of_a_stream_replaces_what_it_repeats_and_keeps_the_rest() -> None:
    split = {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 10}
    first = start(
        input_tokens=3, output_tokens=1, cache_creation_input_tokens=10, cache_read_input_tokens=7, cache_creation=split
    )
    last = {"output_tokens": 9, "cache_creation_input_tokens": 15, "input_tokens": None,
        "server_tool_use": {"web_search_requests": 1}}  # fmt: skip
    told = [chunk.usage for chunk in chunks_of(first, ended(usage=last)) if chunk.usage is not None]
    assert told == [Usage(20, 7, 0, 10, 1), Usage(25, 7, 5, 10, 9, web_searches=1)]
