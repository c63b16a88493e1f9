"""The rules that propose merges: what they see through, and what they must not."""

import pytest

from llmgateway.catalog.rules import bedrock_region, short_name, spelling


@pytest.mark.parametrize(
    "upstream",
    [
        "claude-sonnet-4-5",
        "anthropic/claude-sonnet-4.5",
        "anthropic.claude-sonnet-4-5-20250929-v1:0",
        "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
        "global.anthropic.claude-sonnet-4-5-20250929-v1:0",
        "claude-sonnet-4-5@20250929",
        "claude-sonnet-4-5-20250929",
        "claude-4.5-sonnet",
        "anthropic-claude-4.5-sonnet",
    ],
)
def test_spellings_of_one_model_become_one(upstream: str) -> None:
    assert spelling(upstream) == "claude-sonnet-4-5"


@pytest.mark.parametrize(
    ("upstream", "expected"),
    [
        ("accounts/fireworks/models/kimi-k2p5", "kimi-k2-5"),
        ("moonshotai/Kimi-K2.5", "kimi-k2-5"),
        ("openai.gpt-oss-120b-1:0", "gpt-oss-120b"),
        ("openai/gpt-oss-120b-maas", "gpt-oss-120b"),
        ("Qwen/Qwen3-Coder-480B-A35B-Instruct-FP8", "qwen-3-coder-480b-a35b-instruct"),
        ("meta.llama3-3-70b-instruct-v1:0", "llama-3-3-70b-instruct"),
        ("gpt-4o-2024-11-20", "gpt-4o"),
        ("mistral-large-latest", "mistral-large"),
    ],
)
def test_prefixes_versions_and_dates_are_seen_through(upstream: str, expected: str) -> None:
    assert spelling(upstream) == expected


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("deepseek-v3", "deepseek"),
        ("whisper-large-v3", "whisper-large"),
        ("meta-llama/llama-3.3-70b-instruct:free", "meta-llama/llama-3.3-70b-instruct"),
        ("claude-sonnet-4-5:thinking", "claude-sonnet-4-5"),
        ("qwen3-235b-a22b-2507", "qwen3-235b-a22b"),
        ("gpt-oss-120b-fast", "gpt-oss-120b"),
        ("kimi-k2-0905", "kimi-k2-0711"),
        ("claude-sonnet-4", "claude-sonnet-4-5"),
    ],
)
def test_different_offers_stay_different(one: str, other: str) -> None:
    assert spelling(one) != spelling(other)


def test_the_region_prefix_of_bedrock_is_told_from_a_vendor() -> None:
    assert bedrock_region("eu.anthropic.claude-sonnet-4-6") == ("eu",)
    assert bedrock_region("anthropic.claude-sonnet-4-6") == ()
    assert short_name("eu.anthropic.claude-sonnet-4-6") == "claude-sonnet-4-6"
