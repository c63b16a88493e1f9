"""The models that `auto` chooses from by itself are in the catalogue, current, priced, and of many vendors."""

from datetime import date

import pytest

from llmgateway.catalog.auto import AUTO_MODELS
from llmgateway.catalog.lookup import Catalog, load


def _entries() -> tuple[Catalog, date]:
    return load(), date(2026, 11, 26)


@pytest.mark.parametrize("name", AUTO_MODELS)
def test_every_built_in_model_is_in_the_catalogue_with_a_price(name: str) -> None:
    catalog, today = _entries()
    found = catalog.resolve(name)
    assert found is not None
    current = [one for one in found.mappings if one.deprecated is None or one.deprecated > today]
    assert any(one.price is not None and (one.deactivated is None or one.deactivated > today) for one in current)
    assert not any(catalog.providers[one.provider].protocol == "simulator" for one in found.mappings)


def test_the_built_in_list_spans_families_and_vendors() -> None:
    catalog, _ = _entries()
    resolved = [catalog.resolve(name) for name in AUTO_MODELS]
    families = {one.model.family for one in resolved if one is not None and one.model is not None}
    assert len(families - {""}) >= 8
    assert len(set(AUTO_MODELS)) == len(AUTO_MODELS)


@pytest.mark.parametrize(
    "vendor",
    [
        *("openai", "anthropic", "google-ai-studio", "google-vertex", "aws-bedrock", "azure", "mistral", "deepseek"),
        *("xai", "groq", "cerebras", "alibaba", "zai", "moonshot", "minimax", "together", "fireworks", "openrouter"),
        "cohere",
    ],
)
def test_who_has_one_vendors_key_has_a_choice(vendor: str) -> None:
    catalog, _ = _entries()
    offers = [one for name in AUTO_MODELS if (found := catalog.resolve(name)) for one in found.mappings]
    assert any(one.provider == vendor and one.price is not None for one in offers)
