"""What the catalogue says of well-known models: who offers them, and which look-alikes are kept apart."""

import re

import pytest

from llmgateway.catalog.lookup import Catalog

WELL_KNOWN = {
    "claude-opus-4-7": "anthropic aws-bedrock google-vertex openrouter vercel",
    "claude-opus-4-6": "anthropic aws-bedrock google-vertex azure openrouter vercel",
    "claude-sonnet-4-6": "anthropic aws-bedrock google-vertex azure openrouter vercel databricks",
    "claude-sonnet-4-5": "anthropic aws-bedrock google-vertex azure openrouter vercel databricks",
    "claude-haiku-4-5": "anthropic aws-bedrock google-vertex azure openrouter vercel",
    "claude-opus-4-1": "anthropic aws-bedrock google-vertex azure openrouter vercel",
    "claude-sonnet-4": "anthropic google-vertex openrouter vercel databricks",
    "claude-3-5-haiku": "anthropic google-vertex openrouter vercel",
    "gpt-5.5": "openai azure openrouter vercel",
    "gpt-5.4": "openai azure openrouter vercel",
    "gpt-5.2": "openai azure openrouter vercel",
    "gpt-5": "openai azure openrouter vercel",
    "gpt-5-mini": "openai azure openrouter vercel",
    "gpt-4.1": "openai azure openrouter vercel github-models",
    "gpt-4o": "openai azure openrouter vercel github-models",
    "gpt-4o-mini": "openai azure openrouter vercel github-models",
    "o3": "openai azure openrouter vercel github-models",
    "o4-mini": "openai azure openrouter vercel github-models",
    "gpt-oss-120b": "groq cerebras together fireworks deepinfra aws-bedrock google-vertex novita nebius openrouter",
    "gpt-oss-20b": "groq fireworks deepinfra aws-bedrock google-vertex openrouter",
    "gemini-2.5-pro": "google-ai-studio google-vertex openrouter vercel",
    "gemini-2.5-flash": "google-ai-studio google-vertex openrouter vercel",
    "gemini-3.1-pro-preview": "google-ai-studio google-vertex openrouter vercel",
    "gemma-3-27b-it": "aws-bedrock nebius novita nvidia openrouter",
    "llama-3.3-70b-instruct": "groq together deepinfra aws-bedrock google-vertex azure nebius novita nvidia openrouter",
    "llama-3.1-8b-instruct": "groq cerebras deepinfra aws-bedrock azure nebius novita openrouter",
    "llama-4-maverick": "groq deepinfra aws-bedrock google-vertex azure novita openrouter",
    "llama-4-scout": "groq deepinfra aws-bedrock azure novita openrouter",
    "mistral-large-2512": "mistral aws-bedrock nvidia openrouter vercel",
    "mistral-nemo": "mistral azure novita openrouter vercel",
    "deepseek-v4-pro": "deepinfra fireworks together nebius novita openrouter vercel",
    "deepseek-v3.2": "deepinfra fireworks google-vertex azure nebius novita siliconflow openrouter vercel",
    "deepseek-r1-0528": "azure deepinfra novita huggingface openrouter",
    "qwen3-32b": "alibaba groq aws-bedrock nebius novita siliconflow openrouter",
    "qwen3-235b-a22b-instruct-2507": "cerebras together aws-bedrock google-vertex nebius novita openrouter",
    "qwen3-coder-480b-a35b-instruct": "alibaba together deepinfra aws-bedrock novita siliconflow openrouter",
    "kimi-k2.5": "moonshot together fireworks deepinfra aws-bedrock azure novita openrouter",
    "kimi-k2-thinking": "moonshot fireworks deepinfra aws-bedrock google-vertex novita openrouter",
    "glm-4.7": "zai cerebras fireworks deepinfra aws-bedrock google-vertex novita openrouter",
    "glm-5": "zai fireworks deepinfra aws-bedrock google-vertex novita openrouter",
    "minimax-m2.5": "minimax fireworks together deepinfra aws-bedrock novita openrouter",
    "grok-4.3": "xai openrouter vercel",
    "command-a": "cohere azure openrouter vercel",
    "nova-pro": "aws-bedrock openrouter vercel",
    "sonar-pro": "perplexity openrouter vercel",
}

KEPT_APART = [
    ("gpt-4o", "gpt-4o-mini"),
    ("gpt-4o", "gpt-4o-2024-05-13"),
    ("gpt-4o", "gpt-4o-search-preview"),
    ("gpt-4.1", "gpt-4"),
    ("gpt-5", "gpt-5-chat"),
    ("gpt-5", "gpt-5-pro"),
    ("gpt-5", "gpt-5-codex"),
    ("gpt-5.1", "gpt-5"),
    ("gpt-5.4", "gpt-5.4-mini"),
    ("o1", "o1-mini"),
    ("o3", "o3-mini"),
    ("o3", "o3-pro"),
    ("o4-mini", "o4-mini-deep-research"),
    ("gpt-oss-20b", "gpt-oss-120b"),
    ("gpt-oss-20b", "gpt-oss-safeguard-20b"),
    ("claude-sonnet-4", "claude-sonnet-4-5"),
    ("claude-sonnet-4-5", "claude-sonnet-4-6"),
    ("claude-opus-4", "claude-opus-4-1"),
    ("claude-opus-5", "claude-opus-5-5"),
    ("claude-3-5-sonnet", "claude-3-7-sonnet"),
    ("claude-3-5-haiku", "claude-3-haiku"),
    ("gemini-2.5-flash", "gemini-2.5-flash-lite"),
    ("gemini-2.5-flash", "gemini-2.5-flash-image"),
    ("gemini-2.5-flash", "gemini-2.5-flash-preview-09-2025"),
    ("gemini-3.1-flash-lite", "gemini-3.1-flash-lite-preview"),
    ("gemini-3.1-pro-preview", "gemini-3.1-pro-preview-customtools"),
    ("llama-3.1-70b-instruct", "llama-3.3-70b-instruct"),
    ("llama-3-8b-instruct", "llama-3.1-8b-instruct"),
    ("llama-4-scout", "llama-4-maverick"),
    ("deepseek-r1", "deepseek-r1-0528"),
    ("deepseek-r1", "deepseek-r1-distill-llama-70b"),
    ("deepseek-r1-distill-qwen-14b", "deepseek-r1-distill-qwen-32b"),
    ("deepseek-v3.1", "deepseek-v3.1-terminus"),
    ("deepseek-v3.2", "deepseek-v3.2-exp"),
    ("deepseek-v4-flash", "deepseek-v4-flash-0731"),
    ("qwen3-coder-480b-a35b-instruct", "qwen3-coder-30b-a3b-instruct"),
    ("qwen3-coder-plus", "qwen3-coder-flash"),
    ("qwen3-coder-next", "qwen3-coder-480b-a35b-instruct"),
    ("qwen3-235b-a22b", "qwen3-235b-a22b-instruct-2507"),
    ("qwen3-235b-a22b-instruct-2507", "qwen3-235b-a22b-thinking-2507"),
    ("qwen3-vl-30b-a3b-instruct", "qwen3-30b-a3b"),
    ("qwen3.5-27b", "qwen3.6-27b"),
    ("kimi-k2-0711", "kimi-k2-0905"),
    ("kimi-k2-thinking", "kimi-k2-thinking-turbo"),
    ("glm-4.5", "glm-4.5-air"),
    ("glm-4.6", "glm-4.6v"),
    ("glm-4.7-flash", "glm-4.7-flashx"),
    ("minimax-m2.5", "minimax-m2.5-highspeed"),
    ("mistral-large-2411", "mistral-large-2512"),
    ("mistral-large-2512", "mistral-large-latest"),
    ("mistral-small-2503", "mistral-small-2506"),
    ("grok-4-fast-reasoning", "grok-4-fast-non-reasoning"),
    ("grok-4", "grok-4-1-fast-reasoning"),
    ("sonar", "sonar-pro"),
    ("phi-4", "phi-4-reasoning"),
]

OTHER_OFFERS = [
    ("openrouter/meta-llama/llama-3.3-70b-instruct:free", "llama-3.3-70b-instruct"),
    ("openrouter/qwen/qwen3-coder:free", "qwen3-coder-480b-a35b-instruct"),
    ("nebius/openai/gpt-oss-120b-fast", "gpt-oss-120b"),
    ("nebius/deepseek-ai/DeepSeek-V3.2-fast", "deepseek-v3.2"),
    ("zai-coding-plan/glm-4.7", "glm-4.7"),
    ("zhipuai-coding-plan/glm-4.7", "glm-4.7"),
    ("deepseek/deepseek-v4-flash", "deepseek-v4-flash"),  # DeepSeek serves V4.1 under it since 2026-09-10
]

FIRST_PARTIES = {
    "openai": {"gpt", "o", "chatgpt"},
    "anthropic": {"claude"},
    "google-ai-studio": {"gemini", "gemma"},
    "google-vertex": {"gemini", "claude", "llama", "deepseek", "qwen", "kimi", "glm", "gpt"},
    "deepseek": {"deepseek"},
    "xai": {"grok"},
    "mistral": {
        *("mistral", "ministral", "magistral", "mixtral", "codestral", "devstral", "pixtral", "voxtral"),
        "glm",  # hosted for Z.ai
    },
    "moonshot": {"kimi"},
    "zai": {"glm"},
    "minimax": {"minimax"},
    "cohere": {"command"},
    "perplexity": {"sonar"},
    "alibaba": {"qwen", "qwq"},
}


def offers(catalog: Catalog, model_id: str) -> set[tuple[str, str]]:
    return {(mapping.provider, mapping.upstream) for mapping in catalog.models[model_id].mappings}


@pytest.mark.parametrize("model_id", WELL_KNOWN)
def test_a_well_known_model_is_one_model_at_its_providers(catalog: Catalog, model_id: str) -> None:
    missing = set(WELL_KNOWN[model_id].split()) - {provider for provider, _ in offers(catalog, model_id)}
    assert not missing


@pytest.mark.parametrize(("one", "other"), KEPT_APART)
def test_look_alikes_share_no_offer(catalog: Catalog, one: str, other: str) -> None:
    first, second = catalog.resolve(one), catalog.resolve(other)
    assert first is not None
    assert second is not None
    assert first.model != second.model
    assert not offers(catalog, one) & offers(catalog, other)


@pytest.mark.parametrize(("name", "model_id"), OTHER_OFFERS)
def test_free_fast_and_subscription_offers_do_not_compete_for_the_bare_name(
    catalog: Catalog, name: str, model_id: str
) -> None:
    """They differ in price, limits or terms: usable under their own name, never what a bare name means."""
    pinned = catalog.resolve(name)
    assert pinned is not None
    assert pinned.mappings[0].upstream == name.partition("/")[2]
    assert (pinned.provider, pinned.mappings[0].upstream) not in offers(catalog, model_id)


@pytest.mark.parametrize("provider", FIRST_PARTIES)
def test_a_vendor_offers_its_own_families_only(catalog: Catalog, provider: str) -> None:
    """A name under the wrong provider would be sent to a vendor that has never heard of it."""
    for model in catalog.models.values():
        if "/" not in model.id and provider in {mapping.provider for mapping in model.mappings}:
            family = re.match(r"[a-z]+", model.id)
            assert family is not None
            assert family.group() in FIRST_PARTIES[provider], model.id


def test_at_least_a_hundred_reviewed_models(catalog: Catalog) -> None:
    assert sum("/" not in model_id for model_id in catalog.models) >= 100


def test_models_that_only_the_responses_endpoint_serves_say_so(catalog: Catalog) -> None:
    for model_id in ("gpt-5-pro", "gpt-5.3-codex", "o3-pro", "o4-mini-deep-research"):
        mapping = next(row for row in catalog.models[model_id].mappings if row.provider == "openai")
        assert mapping.protocol == "openai-responses"
    for model_id in ("gpt-5", "gpt-4o", "o3"):
        mapping = next(row for row in catalog.models[model_id].mappings if row.provider == "openai")
        assert mapping.protocol is None


def test_claude_at_vertex_speaks_anthropics_protocol(catalog: Catalog) -> None:
    mapping = next(row for row in catalog.models["claude-sonnet-4-6"].mappings if row.provider == "google-vertex")
    assert (mapping.upstream, mapping.protocol) == ("claude-sonnet-4-6@default", "anthropic")


@pytest.mark.parametrize("model_id", ["o1", "o3", "o4-mini", "gpt-5", "gpt-5-mini", "gpt-5.2", "gpt-6-sol"])
def test_reasoning_models_of_openai_take_no_temperature(catalog: Catalog, model_id: str) -> None:
    assert all("temperature" in mapping.lacks for mapping in catalog.models[model_id].mappings)
