"""Effort, none and tokens in the words of each vendor family, for each style and for the rows that name them."""

import json
from datetime import date
from typing import Any

import msgspec
import pytest

from llmgateway.catalog.lookup import Catalog, load
from llmgateway.domain.routing import Credential, Deployment, Mapping, Model
from llmgateway.engine.snapshot import Snapshot
from llmgateway.wire.openai_chat.build import build_request
from llmgateway.wire.openai_chat.reasoning import STYLES
from llmgateway.wire.openai_chat.request import read_request
from tests.unit.wire.deployments import deployment

OUR_FIELDS = {"model", "messages", "max_tokens"}
CATALOG = load()


def asked(to: Deployment, **fields: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    """What is said beside the messages, and what was left out."""
    body = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], **fields}
    request, dropped = build_request(read_request(json.dumps(body).encode()), to=to)
    sent = json.loads(request.body)
    return {name: value for name, value in sent.items() if name not in OUR_FIELDS}, dropped


def of_style(style: str, **members: Any) -> Deployment:
    return deployment(quirks=(f"reasoning:{style}",), **members)


EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
WORDS = {
    "low_to_high": ("low*", "low", "low", "medium", "high", "high", "high"),
    "minimal_to_high": ("minimal*", "minimal", "low", "medium", "high", "high", "high"),
    "none_to_high": ("none", "low", "low", "medium", "high", "high", "high"),
    "none_to_xhigh": ("none", "low", "low", "medium", "high", "xhigh", "xhigh"),
    "low_or_high": ("low*", "low", "low", "high", "high", "high", "high"),
    "low_to_xhigh": ("low*", "low", "low", "medium", "high", "xhigh", "xhigh"),
    "low_high_max": ("low*", "low", "low", "high", "high", "max", "max"),
    "none_or_high": ("none", "high", "high", "high", "high", "high", "high"),
    "effort_or_tokens": EFFORTS,
}


@pytest.mark.parametrize("style", WORDS)
def test_a_level_becomes_the_nearest_there_is(style: str) -> None:
    for effort, word in zip(EFFORTS, WORDS[style], strict=True):
        said, dropped = asked(of_style(style), reasoning_effort=effort)
        assert said == {"reasoning_effort": word.removesuffix("*")}
        assert dropped == (("reasoning_effort",) if word.endswith("*") else ())


OFF = {
    "thinking": {"thinking": {"type": "disabled"}},
    "thinking_effort": {"thinking": {"type": "disabled"}},
    "enable_thinking": {"enable_thinking": False},
    "reasoning_enabled": {"reasoning": {"enabled": False}},
    "tokens": {"thinking": {"type": "disabled"}},
    "none_only": {"reasoning_effort": "none"},
    "groq_qwen": {"reasoning_effort": "none"},
    "template": {"chat_template_kwargs": {"enable_thinking": False, "thinking": False}},
}
HIGH: dict[str, tuple[dict[str, Any], bool]] = {
    "thinking": ({"thinking": {"type": "enabled"}}, True),
    "thinking_effort": ({"reasoning_effort": "high"}, False),
    "enable_thinking": ({"enable_thinking": True, "thinking_budget": 16_000}, False),
    "reasoning_enabled": ({"reasoning": {"enabled": True}}, True),
    "tokens": ({"thinking": {"type": "enabled", "budget_tokens": 16_000}}, False),
    "none_only": ({}, True),
    "groq_qwen": ({"reasoning_format": "parsed", "reasoning_effort": "default"}, False),
    "template": ({"chat_template_kwargs": {"enable_thinking": True, "thinking": True}}, True),
}


@pytest.mark.parametrize("style", OFF)
def test_none_switches_off(style: str) -> None:
    assert asked(of_style(style), reasoning={"effort": "none"}) == (OFF[style], ())
    assert asked(of_style(style), reasoning_effort="none") == (OFF[style], ())


@pytest.mark.parametrize("style", HIGH)
def test_an_effort_switches_on(style: str) -> None:
    said, listed = HIGH[style]
    assert asked(of_style(style), reasoning_effort="high") == (said, ("reasoning_effort",) if listed else ())
    assert asked(of_style(style), reasoning={"effort": "high"}) == (said, ("reasoning.effort",) if listed else ())


def test_every_style_is_tested() -> None:
    assert {*WORDS, *OFF, "fixed"} == set(STYLES)


def test_a_model_that_reasons_as_it_likes_is_told_nothing() -> None:
    assert asked(of_style("fixed"), reasoning_effort="high") == ({}, ("reasoning_effort",))
    assert asked(of_style("fixed"), reasoning_effort="none") == ({}, ("reasoning_effort",))


def test_a_model_without_reasoning_needs_no_telling_that_it_should_not() -> None:
    for quirks in ((), ("reasoning:thinking",), ("reasoning:fixed",)):
        to = deployment(quirks=quirks, lacks=frozenset(("reasoning",)))
        assert asked(to, reasoning_effort="none") == ({}, ())


@pytest.mark.parametrize(
    ("style", "said"),
    [
        ("enable_thinking", {"enable_thinking": True, "thinking_budget": 2000}),
        ("effort_or_tokens", {"thinking": {"type": "enabled", "budget_tokens": 2000}}),
        ("tokens", {"thinking": {"type": "enabled", "budget_tokens": 2000}}),
    ],
)
def test_tokens_are_said_where_they_can_be(style: str, said: dict[str, Any]) -> None:
    assert "reasoning_max_tokens" not in of_style(style).parameters.lacks
    assert asked(of_style(style), reasoning={"max_tokens": 2000}) == (said, ())
    assert "reasoning_max_tokens" in deployment().parameters.lacks


def test_tokens_are_said_in_our_words_to_an_offer_that_takes_them_without_a_style() -> None:
    to = deployment(has=frozenset(("reasoning_max_tokens",)))
    assert asked(to, reasoning={"max_tokens": 2000}) == ({"reasoning": {"max_tokens": 2000}}, ())


def test_tokens_stay_below_the_limit_of_the_answer_where_they_must() -> None:
    said, dropped = asked(of_style("tokens"), reasoning_effort="high", max_tokens=5000)
    assert (said["thinking"]["budget_tokens"], dropped) == (4999, ())
    assert asked(of_style("tokens"), reasoning_effort="high", max_tokens=500) == ({}, ("reasoning_effort",))


def test_max_sets_no_limit() -> None:
    assert asked(of_style("enable_thinking"), reasoning_effort="max") == ({"enable_thinking": True}, ())


def test_without_a_style_the_effort_goes_out_as_it_came() -> None:
    assert asked(deployment(), reasoning_effort="xhigh") == ({"reasoning_effort": "xhigh"}, ())


def test_a_reasoning_object_goes_where_it_is_taken_as_it_came() -> None:
    to = deployment(quirks=("reasoning_object",))
    assert asked(to, reasoning={"effort": "none", "exclude": True}) == (
        {"reasoning": {"effort": "none", "exclude": True}},
        (),
    )
    assert asked(to, reasoning_effort="low") == ({"reasoning_effort": "low"}, ())


def at(provider: str, upstream: str) -> Deployment:
    """A model of a provider of the catalogue, whether the catalogue offers it or not."""
    mapping = Mapping(provider=provider, model="m", upstream=upstream, has=frozenset(("reasoning",)))
    row = msgspec.structs.replace(CATALOG.providers[provider], base_url="https://vendor.test/v1")
    snapshot = Snapshot(
        catalog=Catalog(providers=[row], models=[Model(id="m", mappings=(mapping,))]),
        keys=[],
        credentials=[Credential(provider=provider, secret="s", fingerprint="f")],
        protocols=frozenset(("openai-chat",)),
        instance_id="i",
        today=date(2030, 1, 1),
    )
    route = snapshot.route("m")
    assert route is not None
    return route.offers[0].deployments[0]


@pytest.mark.parametrize(
    ("provider", "upstream", "effort", "said"),
    [
        ("openai", "gpt-4.1", "low", {"reasoning_effort": "low"}),
        ("openai", "o3-mini", "minimal", {"reasoning_effort": "low"}),
        ("openai", "gpt-5", "xhigh", {"reasoning_effort": "high"}),
        ("openai", "gpt-5-mini-2025-08-07", "none", {"reasoning_effort": "minimal"}),
        ("openai", "gpt-5.1", "none", {"reasoning_effort": "none"}),
        ("openai", "gpt-5.2", "max", {"reasoning_effort": "xhigh"}),
        ("openai", "gpt-6.1-sol", "max", {"reasoning_effort": "max"}),
        ("github-models", "openai/o4-mini", "max", {"reasoning_effort": "high"}),
        ("groq", "openai/gpt-oss-120b", "xhigh", {"reasoning_effort": "high"}),
        ("groq", "qwen/qwen3-32b", "low", {"reasoning_format": "parsed", "reasoning_effort": "default"}),
        ("groq", "qwen/qwen3-32b", "none", {"reasoning_effort": "none"}),
        ("deepseek", "deepseek-v4-pro", "medium", {"reasoning_effort": "medium"}),
        ("deepseek", "deepseek-v4-pro", "none", {"thinking": {"type": "disabled"}}),
        ("xai", "grok-3-mini", "high", {"reasoning_effort": "high"}),
        ("xai", "grok-4-0709", "high", {}),
        ("xai", "grok-4.3", "none", {"reasoning_effort": "none"}),
        ("xai", "grok-4.7", "max", {"reasoning_effort": "xhigh"}),
        ("mistral", "mistral-small-latest", "low", {"reasoning_effort": "high"}),
        ("mistral", "magistral-medium-latest", "low", {}),
        ("moonshot", "kimi-k2.6", "none", {"thinking": {"type": "disabled"}}),
        ("moonshot", "kimi-k3", "xhigh", {"reasoning_effort": "max"}),
        ("zai", "glm-4.6", "high", {"thinking": {"type": "enabled"}}),
        ("zai", "glm-5.2", "high", {"reasoning_effort": "high"}),
        ("zai", "glm-5.2", "none", {"thinking": {"type": "disabled"}}),
        ("alibaba", "qwen3-max", "none", {"enable_thinking": False}),
        ("alibaba", "qwen3-max", "low", {"enable_thinking": True, "thinking_budget": 1024}),
        ("together", "Qwen/Qwen3.5-9B", "none", {"reasoning": {"enabled": False}}),
        ("together", "openai/gpt-oss-120b", "medium", {"reasoning_effort": "medium"}),
        ("fireworks", "accounts/fireworks/models/kimi-k2p6", "none", {"reasoning_effort": "none"}),
        ("cerebras", "gpt-oss-120b", "none", {"reasoning_effort": "low"}),
        ("cerebras", "zai-glm-4.7", "none", {"reasoning_effort": "none"}),
        ("databricks", "databricks-claude-sonnet-4-5", "low", {"thinking": {"type": "enabled", "budget_tokens": 1024}}),
        ("nvidia", "qwen/qwen3.5", "none", {"chat_template_kwargs": {"enable_thinking": False, "thinking": False}}),
        ("perplexity", "sonar-reasoning-pro", "medium", {"reasoning_effort": "medium"}),
    ],
)
def test_each_vendor_hears_its_own_words(provider: str, upstream: str, effort: str, said: dict[str, Any]) -> None:
    assert asked(at(provider, upstream), reasoning_effort=effort)[0] == said
