"""The reviewed tables: mistakes in them stop the build and say where."""

import msgspec
import pytest

from llmgateway.catalog import compile as compiler
from llmgateway.catalog.overlay import (
    CatalogError,
    ModelEntry,
    ModelsFile,
    ProviderEntry,
    ProvidersFile,
    accepted,
    read_models,
    read_providers,
)
from llmgateway.catalog.rows import built
from llmgateway.catalog.sources import KnownPrices, ListedProvider, listed, missing

LISTED = {
    "host": {
        "id": "host",
        "name": "Host",
        "npm": "@ai-sdk/openai-compatible",
        "api": "https://host.example/v1/",
        "env": ["HOST_API_KEY"],
        "models": {"m": {"id": "m", "name": "M", "modalities": {"input": ["text"], "output": ["text"]}}},
    },
    "twin": {
        "id": "twin",
        "name": "Twin",
        "npm": "@ai-sdk/openai-compatible",
        "api": "https://twin.example/v1",
        "env": ["HOST_API_KEY"],
    },
}


@pytest.fixture
def prices() -> KnownPrices:
    reason = missing()
    if reason is not None:
        pytest.skip(reason)
    return KnownPrices()


def sources(*names: str) -> dict[str, ListedProvider]:
    return msgspec.convert({name: LISTED[name] for name in names}, type=dict[str, ListedProvider])


def test_one_offer_cannot_be_two_models() -> None:
    twice = ModelsFile(model={"a": ModelEntry(offers={"host": "m"}), "b": ModelEntry(offers={"host": ["m"]})})
    with pytest.raises(CatalogError, match=r"offer of both 'a' and 'b'"):
        accepted(twice)


def test_an_offer_nobody_lists_is_refused(prices: KnownPrices) -> None:
    models = ModelsFile(model={"a": ModelEntry(offers={"host": "unheard-of"})})
    with pytest.raises(CatalogError, match="'unheard-of' at 'host'"):
        built(ProvidersFile(provider={}), models, listed=sources("host"), prices=prices)


def test_subscription_offers_cannot_be_merged(prices: KnownPrices) -> None:
    providers = ProvidersFile(provider={"host": ProviderEntry(plan=True)})
    models = ModelsFile(model={"a": ModelEntry(offers={"host": "m"})})
    with pytest.raises(CatalogError, match="no offer of 'host' can be merged"):
        built(providers, models, listed=sources("host"), prices=prices)


def test_one_key_variable_for_two_providers_is_refused(prices: KnownPrices) -> None:
    with pytest.raises(CatalogError, match="HOST_API_KEY is the key variable of both host and twin"):
        built(ProvidersFile(provider={}), ModelsFile(model={}), listed=sources("host", "twin"), prices=prices)


def test_a_provider_of_an_unknown_protocol_has_to_be_decided_on(prices: KnownPrices) -> None:
    strange = msgspec.structs.replace(sources("host")["host"], npm="@vendor/own-protocol")
    with pytest.raises(CatalogError, match="not plainly OpenAI-compatible"):
        built(ProvidersFile(provider={}), ModelsFile(model={}), listed={"host": strange}, prices=prices)


def test_an_offer_nobody_reviewed_keeps_its_providers_own_id(prices: KnownPrices) -> None:
    rows = built(ProvidersFile(provider={}), ModelsFile(model={}), listed=sources("host"), prices=prices)
    assert [model.id for model in rows.models] == ["host/m"]
    assert rows.models[0].mappings[0].model == "m"
    assert rows.providers[0].base_url == "https://host.example/v1"


def test_the_shipped_tables_can_be_read() -> None:
    assert len(read_models().model) >= 100
    assert "openai" in read_providers().provider


def test_check_tells_an_up_to_date_catalogue(capsys: pytest.CaptureFixture[str], prices: KnownPrices) -> None:
    assert compiler.main(["--check"]) == 0
    assert "up to date" in capsys.readouterr().out
    assert listed()
