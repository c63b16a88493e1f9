"""docs/parameters.md is what the code does: not out of date, and true of plan and codecs, cell by cell."""

import re
from typing import Any, Final

import pytest

from llmgateway.apps.parameters import LEFT_OUT, PAGE, REFUSED, SENT, TRANSLATED, page
from llmgateway.domain import errors
from llmgateway.domain.errors import GatewayError
from llmgateway.domain.routing import Protocol
from llmgateway.wire.openai_chat.request import read_request
from llmgateway.wire.protocols import PROTOCOLS, codecs
from tests.support.fakes import offer, planned, provider, request_body, snapshot

TOOL: Final = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
ASKING: Final[dict[str, Any]] = {
    "temperature": 0.5,
    "top_p": 0.5,
    "frequency_penalty": 0.5,
    "presence_penalty": 0.5,
    "repetition_penalty": 1.1,
    "top_k": 40,
    "min_p": 0.1,
    "max_tokens": 100,
    "max_completion_tokens": 100,
    "stop": ["END"],
    "seed": 7,
    "n": 2,
    "logit_bias": {"1": 5},
    "logprobs": True,
    "top_logprobs": 2,
    "user": "u-1",
    "metadata": {"user_id": "u-1"},
    "store": True,
    "modalities": ["text", "image"],
    "audio": {"voice": "alloy", "format": "wav"},
    "prediction": {"type": "content", "content": "x"},
    "parallel_tool_calls": True,
    "functions": [{"name": "f", "parameters": {"type": "object"}}],
    "function_call": "auto",
    "service_tier": "priority",
    "verbosity": "low",
    "safety_identifier": "s-1",
    "prompt_cache_key": "k-1",
    "prompt_cache_retention": "24h",
    "web_search_options": {},
    "response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}},
    "tools": [TOOL],
    "tool_choice": "required",
    "reasoning_effort": "low",
    "reasoning": {"effort": "low"},
    "effort": "low",
    "web_search": True,
    "image_config": {"aspect_ratio": "16:9"},
}
BESIDE: Final[dict[str, dict[str, Any]]] = {
    "top_logprobs": {"logprobs": True},
    "parallel_tool_calls": {"tools": [TOOL]},
    "function_call": {"functions": ASKING["functions"]},
    "tool_choice": {"tools": [TOOL]},
    "audio": {"modalities": ["text", "audio"]},
}
MODELS: Final[dict[str, str]] = {
    "openai-chat": "m-1",
    "openai-responses": "gpt-4.1",
    "anthropic": "claude-opus-4-5",
    "google": "gemini-2.5-flash",
    "bedrock": "anthropic.claude-opus-4-5-20251101-v1:0",
    "cohere": "command-a-reasoning-08-2025",
}


def cells(heading: str) -> dict[tuple[str, str], str]:
    """(row, protocol) → cell of a table of the page."""
    found = re.search(rf"^\| {heading} \|(.*)\|\n\|[-|]+\n((?:\|.*\n)+)", page(), re.MULTILINE)
    assert found is not None
    protocols = [name.strip() for name in found[1].split("|")]
    rows = [[cell.strip() for cell in line.strip("|\n").split(" | ")] for line in found[2].splitlines()]
    return {
        (row[0].strip("`"), protocol): cell for row in rows for protocol, cell in zip(protocols, row[1:], strict=True)
    }


CELLS: Final = cells("Parameter")
SPOKEN: Final = [(field, protocol) for field, protocol in CELLS if protocol in codecs()]


def test_the_committed_page_is_what_the_data_gives() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run `make catalog` and commit the result"


def test_every_parameter_has_an_example_here() -> None:
    assert {field for field, _ in CELLS} == set(ASKING)
    assert {protocol for _, protocol in CELLS} == set(PROTOCOLS)


@pytest.mark.parametrize(("field", "protocol"), SPOKEN, ids=[f"{protocol}-{field}" for field, protocol in SPOKEN])
def test_a_cell_is_true(field: str, protocol: Protocol) -> None:
    """A field that is refused is a 400 that names it, one that is left out is listed by the codec, others are not."""
    cell = CELLS[field, protocol]
    chat = read_request(request_body(**{field: ASKING[field]}, **BESIDE.get(field, {})))
    row = provider(protocol=protocol)
    of = snapshot(offer(upstream=MODELS[protocol], max_output=64_000), providers=[row], protocols=frozenset({protocol}))
    if cell == REFUSED:
        with pytest.raises(GatewayError) as raised:
            planned(chat, snapshot=of)
        assert raised.value.kind is errors.UNSUPPORTED_PARAMETER
        assert str(raised.value.param).partition(".")[0] in (field, *BESIDE.get(field, ()))
        return
    (to,) = planned(chat, snapshot=of).deployments
    _, dropped = codecs()[protocol].build(chat, to=to)
    assert cell in (SENT, TRANSLATED, LEFT_OUT)
    assert (field in dropped) == (cell == LEFT_OUT), dropped
