"""The generated file as a whole: complete, sane, unambiguous, and what its sources give."""

from itertools import pairwise

import msgspec
import pytest

from llmgateway.catalog import compile as compiler
from llmgateway.catalog.lookup import Catalog, CatalogFile, competing
from llmgateway.catalog.overlay import accepted, read_models, read_providers
from llmgateway.catalog.rows import Built
from llmgateway.catalog.sources import missing
from llmgateway.domain.routing import Capability, Mapping
from llmgateway.domain.usage import Price

ONE_USD_PER_THOUSAND = 1_000_000_000
CAPABILITIES = frozenset(Capability.__args__)


@pytest.fixture(scope="module")
def rebuilt() -> Built:
    reason = missing()
    if reason is not None:
        pytest.skip(reason)
    return compiler.compiled()


def mappings(catalog: Catalog) -> list[Mapping]:
    return [mapping for model in catalog.models.values() for mapping in model.mappings]


def figures(price: Price) -> list[int]:
    per_token = [price.input, price.output, price.cached_input, price.cache_write_5m, price.cache_write_1h]
    per_token += [price.output_image, price.output_audio, price.input_audio]
    for tier in price.tiers:
        per_token += [tier.input, tier.output, tier.cached_input, tier.cache_write_5m, tier.cache_write_1h]
    return [figure for figure in per_token if figure is not None]


def test_at_least_a_hundred_providers_and_two_thousand_mappings(catalog: Catalog) -> None:
    assert len(catalog.providers) >= 100
    assert len(mappings(catalog)) >= 2000


def test_each_offer_is_there_once(catalog: Catalog) -> None:
    names = [(mapping.provider, mapping.upstream) for mapping in mappings(catalog)]
    assert len(names) == len(set(names))


def test_every_mapping_belongs_to_a_provider_and_names_its_model(catalog: Catalog) -> None:
    """A reviewed model's mappings carry its id; any other is `<provider>/<own name>` and carries the own name."""
    for model in catalog.models.values():
        for mapping in model.mappings:
            assert mapping.provider in catalog.providers
            assert model.id in (mapping.model, f"{mapping.provider}/{mapping.model}")
            assert mapping.model == model.id or mapping.model == mapping.upstream


def test_prices_are_whole_pico_dollars_and_sane(catalog: Catalog) -> None:
    for mapping in mappings(catalog):
        price = mapping.price
        if price is not None:
            assert all(type(figure) is int and 0 <= figure < ONE_USD_PER_THOUSAND for figure in figures(price))
            assert all(lower.above_tokens < upper.above_tokens for lower, upper in pairwise(price.tiers))
            assert price.source
            assert len(price.as_of) == len("2026-01-01")


def test_a_cached_token_never_costs_more_than_a_fresh_one(catalog: Catalog) -> None:
    for mapping in mappings(catalog):
        if mapping.price is not None:
            assert (mapping.price.cached_input or 0) <= mapping.price.input, (mapping.provider, mapping.upstream)


def test_known_prices_are_exact(catalog: Catalog) -> None:
    """Spot checks against the vendors' price pages: 3 / 15 / 0.30 / 3.75 / 6 USD per million tokens."""
    price = next(m.price for m in catalog.models["claude-sonnet-4-6"].mappings if m.provider == "anthropic")
    assert price is not None
    assert (price.input, price.output, price.cached_input) == (3_000_000, 15_000_000, 300_000)
    assert (price.cache_write_5m, price.cache_write_1h) == (3_750_000, 6_000_000)
    assert price.web_search == 10_000_000_000
    gemini = next(m.price for m in catalog.models["gemini-2.5-pro"].mappings if m.provider == "google-ai-studio")
    assert gemini is not None
    assert [(tier.above_tokens, tier.input, tier.output) for tier in gemini.tiers] == [(200_000, 2_500_000, 15_000_000)]
    mini = next(m.price for m in catalog.models["gpt-5-mini"].mappings if m.provider == "openai")
    assert mini is not None
    assert (mini.input, mini.cached_input, mini.output) == (250_000, 25_000, 2_000_000)
    assert mini.service_tiers["flex"] == 5_000


def test_a_price_of_zero_is_a_promise_of_the_name_or_of_a_checked_source(catalog: Catalog) -> None:
    for mapping in mappings(catalog):
        price = mapping.price
        if price is not None and price.input == price.output == 0:
            assert mapping.upstream.endswith((":free", "-free")) or price.source.startswith("genai-prices")


def test_subscriptions_have_no_price_and_join_no_model(catalog: Catalog) -> None:
    plans = {key for key, entry in read_providers().provider.items() if entry.plan}
    assert plans
    for model in catalog.models.values():
        for mapping in model.mappings:
            if mapping.provider in plans:
                assert mapping.price is None
                assert model.id.startswith(f"{mapping.provider}/")


def test_every_alias_means_one_model_and_hides_no_id(catalog: Catalog) -> None:
    owners: dict[str, str] = {}
    for model in catalog.models.values():
        for alias in model.aliases:
            assert owners.setdefault(alias, model.id) == model.id
            assert alias not in catalog.models


def test_only_listed_offers_are_merged(catalog: Catalog) -> None:
    owners = accepted(read_models())
    for model in catalog.models.values():
        for mapping in model.mappings:
            owner = owners.get((mapping.provider, mapping.upstream))
            assert model.id == (owner or f"{mapping.provider}/{mapping.upstream}")


def test_each_provider_competes_once_for_a_bare_name(catalog: Catalog) -> None:
    for model in catalog.models.values():
        providers = [mapping.provider for mapping in competing(model)]
        assert len(providers) == len(set(providers))


def test_capabilities_are_known_words_and_never_both(catalog: Catalog) -> None:
    for mapping in mappings(catalog):
        assert mapping.has | mapping.lacks <= CAPABILITIES
        assert not mapping.has & mapping.lacks


def test_aggregators_come_after_the_vendors_they_resell(catalog: Catalog) -> None:
    for provider in catalog.providers.values():
        assert (provider.priority < 1) == provider.aggregator
    for name in ("openrouter", "vercel", "302ai", "aihubmix", "requesty", "poe", "github-models"):
        assert catalog.providers[name].aggregator


def test_one_key_variable_switches_on_one_provider(catalog: Catalog) -> None:
    names = [name for provider in catalog.providers.values() for name in provider.env]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("name", "port"), [("ollama", 11434), ("vllm", 8000), ("llama.cpp", 8080), ("lm-studio", 1234), ("sglang", 30000)]
)
def test_local_servers_take_any_model_without_a_key(catalog: Catalog, name: str, port: int) -> None:
    row = catalog.providers[name]
    assert row.base_url == f"http://127.0.0.1:{port}/v1"
    assert row.any_model
    assert row.allow_private_network
    assert (row.auth, row.unknown_fields) == ("none", "pass")


def test_nothing_but_local_servers_may_reach_private_networks(catalog: Catalog) -> None:
    for provider in catalog.providers.values():
        assert provider.allow_private_network == provider.base_url.startswith("http://")


def test_the_providers_own_spelling_of_parameters_is_data(catalog: Catalog) -> None:
    assert catalog.providers["mistral"].parameters.rename["seed"] == "random_seed"
    assert "frequency_penalty" in catalog.providers["cerebras"].parameters.drop
    assert "logprobs" in catalog.providers["groq"].parameters.refuse
    assert catalog.providers["openai"].parameters.rename == {"max_tokens": "max_completion_tokens"}


def test_no_offer_is_lost(rebuilt: Built) -> None:
    """What went in is what came out plus what was left out, each with a reason."""
    offers = rebuilt.offers
    out = sum(len(model.mappings) for model in rebuilt.models)
    assert offers.offers_in + offers.only_priced == out + len(offers.left_out)
    assert all(reason for _, _, reason in offers.left_out)


def test_no_embedding_speech_or_image_only_model_is_offered(rebuilt: Built) -> None:
    reasons = {(provider, upstream): reason for provider, upstream, reason in rebuilt.offers.left_out}
    assert "no chat endpoint" in reasons["openai", "text-embedding-3-large"]
    assert "image" in reasons["openai", "gpt-image-1"]
    assert ("groq", "whisper-large-v3") in reasons
    assert ("google-ai-studio", "gemini-2.5-flash-preview-tts") in reasons


def test_the_committed_files_are_what_the_pinned_sources_give(rebuilt: Built) -> None:
    again = compiler.encoded(rebuilt)
    assert compiler.CATALOG.read_bytes() == again, "run `make catalog` and commit the result"
    assert compiler.REPORT.read_text(encoding="utf-8") == compiler.written(rebuilt), "run `make catalog`"


def test_the_file_has_one_line_a_row(rebuilt: Built) -> None:
    lines = compiler.CATALOG.read_bytes().splitlines()
    rows = [line for line in lines if line.startswith(b'{"') and b'"id":' in line]
    assert len(rows) == len(rebuilt.providers) + len(rebuilt.models)


def test_nothing_is_lost_in_the_short_form(rebuilt: Built) -> None:
    """Fields at their default are left out of the file; reading it gives the very rows back."""
    file = msgspec.json.decode(compiler.encoded(rebuilt), type=CatalogFile)
    assert file.providers == rebuilt.providers
    assert file.models == rebuilt.models
