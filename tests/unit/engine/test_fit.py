"""What is joined over several offers says no more than looking at each of them would."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmgateway.domain.routing import Endpoint, Mapping, ParameterPolicy, Provider
from llmgateway.engine.fit import fitted, hurdles_of, unhindered
from llmgateway.engine.snapshot import Snapshot
from llmgateway.wire.openai_chat.request import read_request
from tests.support.fakes import offer, provider, request_body, snapshot

BOTH = frozenset({"openai-chat", "openai-responses", "anthropic"})
WANTS: dict[str, Any] = {
    "tools": [{"type": "function", "function": {"name": "f"}}],
    "n": 2,
    "stop": "x",
    "logprobs": True,
    "logit_bias": {"1": 1},
    "stream": True,
    "web_search": True,
    "effort": "low",
    "image_config": {"n": 1},
    "service_tier": "flex",
    "reasoning": {"summary": "auto"},
    "reasoning_effort": "low",
    "response_format": {"type": "json_object"},
    "max_tokens": 5000,
    "temperature": 0.5,
    "top_k": 3,
    "guided_json": {},
    "messages": [{"role": "user", "content": "x" * 20_000}],
}
OFFERS = st.lists(
    st.fixed_dictionaries(
        {
            "lacks": st.frozensets(st.sampled_from(["tools", "n", "stop", "streaming", "logprobs", "web_search"])),
            "context": st.sampled_from([0, 1000, 100_000]),
            "max_output": st.sampled_from([0, 4096, 8192]),
        }
    ),
    min_size=1,
    max_size=4,
)
ROWS: list[dict[str, Any]] = [
    {},
    {"parameters": ParameterPolicy(refuse=("logit_bias", "response_format"))},
    {"parameters": ParameterPolicy(drop=("service_tier",), takes=("guided_json",))},
    {"unknown_fields": "pass"},
    {"endpoints": (Endpoint(protocol="openai-responses", takes=("guided_json",)),), "lacks": ("web_search",)},
    {"protocol": "anthropic"},
]


def built(offers: list[dict[str, Any]], rows: list[dict[str, Any]]) -> Snapshot:
    mappings: list[Mapping] = [offer(f"p{at}", **fields) for at, fields in enumerate(offers)]
    providers: list[Provider] = [provider(f"p{at}", **rows[at % len(rows)]) for at in range(len(offers))]
    return snapshot(*mappings, providers=providers, protocols=BOTH)


@given(OFFERS, st.lists(st.sampled_from(ROWS), min_size=1, max_size=4), st.sets(st.sampled_from(sorted(WANTS))))
def test_who_is_unhindered_fits_every_offer_as_it_is(
    offers: list[dict[str, Any]], rows: list[dict[str, Any]], wanted: set[str]
) -> None:
    route = built(offers, rows).route("gpt-x")
    assert route is not None
    chat = read_request(request_body(**{name: WANTS[name] for name in wanted}))
    if unhindered(chat, hurdles_of(route.offers)):
        for one in route.offers:
            assert fitted(chat, one, slack=0.8) is one.deployments


@pytest.mark.parametrize(
    "fields", [{}, {"stream": True, "temperature": 0.2, "max_tokens": 100, "tools": WANTS["tools"]}]
)
def test_an_everyday_request_is_unhindered(fields: dict[str, Any]) -> None:
    route = built([{}, {"context": 100_000, "max_output": 8192, "lacks": frozenset({"n"})}], ROWS[:5]).route("gpt-x")
    assert route is not None
    assert unhindered(read_request(request_body(**fields)), hurdles_of(route.offers))
