"""What a model name means, and what does not resolve at all."""

import timeit
from importlib import resources

import msgspec
import pytest

from llmgateway.catalog.lookup import Catalog, Resolution, load
from llmgateway.domain.routing import Mapping, Model, Provider
from llmgateway.domain.usage import Price

PRICE = Price(1_000_000, 2_000_000)


def row(provider: str, model: str, upstream: str, *, regions: tuple[str, ...] = ()) -> Mapping:
    return Mapping(provider=provider, model=model, upstream=upstream, price=PRICE, regions=regions)


def small() -> Catalog:
    """Two vendors and a local server; one model with a dated name, regions and names that look like regions."""
    one = Model(
        id="one-4",
        aliases=("one-4.0", "Vendor/One-4", "one-4-20250101", "alpha/one-4-x", "gone-2024-01-01"),
        mappings=(
            row("alpha", "one-4", "one-4"),
            row("alpha", "one-4", "one-4-20250101"),
            row("beta", "one-4", "global.one-4-v2:0", regions=("global",)),
            row("beta", "one-4", "eu.one-4-v2:0", regions=("eu",)),
        ),
    )
    own = Model(id="beta/two:free", mappings=(row("beta", "two:free", "two:free"),))
    same = Model(id="alpha/alpha/three", mappings=(row("alpha", "alpha/three", "alpha/three"),))
    providers = (Provider(id="alpha"), Provider(id="beta"), Provider(id="local", any_model=True))
    return Catalog(providers=providers, models=(one, own, same))


def upstreams(found: Resolution | None) -> list[tuple[str, str]]:
    assert found is not None
    return [(mapping.provider, mapping.upstream) for mapping in found.mappings]


def test_a_bare_id_lets_each_provider_compete_once() -> None:
    found = small().resolve("one-4")
    assert upstreams(found) == [("alpha", "one-4"), ("beta", "global.one-4-v2:0")]
    assert found is not None
    assert (found.provider, found.region) == (None, None)


@pytest.mark.parametrize("alias", ["one-4.0", "Vendor/One-4"])
def test_an_alias_means_what_its_model_means(alias: str) -> None:
    assert upstreams(small().resolve(alias)) == upstreams(small().resolve("one-4"))


def test_a_dated_name_resolves_to_itself_first() -> None:
    assert upstreams(small().resolve("one-4-20250101")) == [("alpha", "one-4-20250101")]
    assert upstreams(small().resolve("alpha/one-4-20250101")) == [("alpha", "one-4-20250101")]


def test_a_dated_name_that_no_provider_lists_falls_back_to_its_model() -> None:
    assert upstreams(small().resolve("gone-2024-01-01")) == upstreams(small().resolve("one-4"))


def test_a_provider_before_the_slash_pins_it() -> None:
    found = small().resolve("beta/one-4")
    assert upstreams(found) == [("beta", "global.one-4-v2:0")]
    assert found is not None
    assert found.provider == "beta"


def test_an_alias_that_begins_with_a_provider_never_undoes_a_pin() -> None:
    assert "alpha/one-4-x" not in small().aliases


@pytest.mark.parametrize("name", ["alpha/alpha/three", "alpha/three"])
def test_a_name_that_the_provider_begins_with_its_own_name_works_as_written(name: str) -> None:
    assert upstreams(small().resolve(name)) == [("alpha", "alpha/three")]


def test_a_colon_in_a_name_is_part_of_the_name() -> None:
    assert upstreams(small().resolve("beta/two:free")) == [("beta", "two:free")]
    found = small().resolve("beta/eu.one-4-v2:0")
    assert upstreams(found) == [("beta", "eu.one-4-v2:0")]
    assert found is not None
    assert found.region is None


def test_a_declared_region_after_the_last_colon_chooses_the_offer() -> None:
    found = small().resolve("beta/one-4:eu")
    assert upstreams(found) == [("beta", "eu.one-4-v2:0")]
    assert found is not None
    assert (found.provider, found.region) == ("beta", "eu")


@pytest.mark.parametrize("name", ["beta/one-4:us", "alpha/one-4:eu", "one-4:eu", "beta/one-4:", "gamma/one-4"])
def test_what_is_not_declared_does_not_resolve(name: str) -> None:
    assert small().resolve(name) is None


@pytest.mark.parametrize("rest", ["llama3.2:1b", "a/b/c", "x:eu", "名前"])
def test_a_provider_of_any_model_takes_the_rest_as_it_is(rest: str) -> None:
    found = small().resolve(f"local/{rest}")
    assert upstreams(found) == [("local", rest)]
    assert found is not None
    assert found.model is None
    assert found.mappings[0].price is None


@pytest.mark.parametrize(
    "name",
    [
        "",
        "/",
        "alpha/",
        "/one-4",
        "../../one-4",
        "alpha/../one-4",
        "one-4\n",
        "one-4\x00",
        " one-4",
        "one-4 ",
        "оne-4",  # Cyrillic о
        "one‑4",  # non-breaking hyphen
        "ONE-4",
        "one-4\u200b",
        "x" * 100_000,
        "alpha/" + "x" * 100_000,
    ],
)
def test_hostile_names_do_not_resolve(name: str) -> None:
    assert small().resolve(name) is None


def test_names_of_the_shipped_catalogue(catalog: Catalog) -> None:
    european = catalog.resolve("aws-bedrock/claude-sonnet-4-6:eu")
    assert european is not None
    assert european.region == "eu"
    assert upstreams(european) == [("aws-bedrock", "eu.anthropic.claude-sonnet-4-6")]
    assert upstreams(catalog.resolve("ollama/llama3.2:1b")) == [("ollama", "llama3.2:1b")]
    free = "openrouter/meta-llama/llama-3.3-70b-instruct:free"
    assert upstreams(catalog.resolve(free)) == [("openrouter", "meta-llama/llama-3.3-70b-instruct:free")]
    versioned = "aws-bedrock/us.anthropic.claude-sonnet-4-5-20250929-v1:0"
    assert upstreams(catalog.resolve(versioned)) == [("aws-bedrock", versioned.partition("/")[2])]
    assert upstreams(catalog.resolve("anthropic/claude-sonnet-4.6")) == [("anthropic", "claude-sonnet-4-6")]
    assert upstreams(catalog.resolve("groq/openai/gpt-oss-120b")) == [("groq", "openai/gpt-oss-120b")]
    assert upstreams(catalog.resolve("groq/groq/compound")) == [("groq", "groq/compound")]
    assert catalog.resolve("openai/claude-sonnet-4-6") is None


def test_a_dated_snapshot_of_its_own_price_is_a_model_of_its_own(catalog: Catalog) -> None:
    found = catalog.resolve("gpt-4o-2024-11-20")
    assert found is not None
    assert found.model is not None
    assert found.model.id == "gpt-4o-2024-11-20"
    assert ("openai", "gpt-4o-2024-11-20") in upstreams(found)


def test_every_id_alias_and_upstream_name_resolves_to_its_own_offer(catalog: Catalog) -> None:
    for model in catalog.models.values():
        bare = catalog.resolve(model.id)
        assert bare is not None
        assert bare.model is model
        for alias in model.aliases:
            assert (found := catalog.resolve(alias)) is None or found.model is model
        for mapping in model.mappings:
            pinned = catalog.resolve(f"{mapping.provider}/{mapping.upstream}")
            assert pinned is not None
            assert pinned.mappings[0].provider == mapping.provider
            if pinned.model is model:
                assert mapping in pinned.mappings or mapping.upstream == model.id


def test_the_operators_rows_are_added_and_win(catalog: Catalog) -> None:
    custom = Provider(id="my-vllm", base_url="http://127.0.0.1:8000/v1", custom=True)
    added = Model(
        id="llama-3.3-70b-instruct",
        mappings=(Mapping(provider="my-vllm", model="llama-3.3-70b-instruct", upstream="local-name"),),
    )
    fresh = Model(id="house-model", mappings=(Mapping(provider="my-vllm", model="house-model", upstream="h"),))
    changed = Provider(id="openai", base_url="https://proxy.example/v1")
    merged = catalog.merged([custom, changed], [added, fresh])
    assert upstreams(merged.resolve("llama-3.3-70b-instruct"))[0] == ("my-vllm", "local-name")
    assert len(upstreams(merged.resolve("llama-3.3-70b-instruct"))) > 5
    assert upstreams(merged.resolve("my-vllm/house-model")) == [("my-vllm", "h")]
    assert merged.providers["openai"].base_url == "https://proxy.example/v1"
    assert "my-vllm" not in catalog.providers
    assert catalog.resolve("house-model") is None


def test_a_custom_provider_named_like_a_vendor_prefix_takes_its_names_over(catalog: Catalog) -> None:
    """`meta-llama/…` is an alias until the operator has a provider of that name."""
    name = "meta-llama/Llama-3.3-70B-Instruct"
    assert catalog.resolve(name) is not None
    merged = catalog.merged([Provider(id="meta-llama", any_model=True, custom=True)], [])
    assert upstreams(merged.resolve(name)) == [("meta-llama", "Llama-3.3-70B-Instruct")]


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [
        ("gpt-4oo", "gpt-4o"),
        ("claude-sonet-4-6", "claude-sonnet-4-6"),
        ("lama-3.3-70b-instruct", "llama-3.3-70b-instruct"),
        ("gemini-2.5-flsh", "gemini-2.5-flash"),
        ("openai/gpt-5-min", "openai/gpt-5-mini"),
        ("GPT-4O", "gpt-4o"),
    ],
)
def test_a_misspelt_name_suggests_the_right_one(catalog: Catalog, wrong: str, meant: str) -> None:
    found = catalog.nearest(wrong)
    assert meant in found
    assert len(found) <= 3
    assert all(catalog.resolve(name) for name in found)


@pytest.mark.parametrize("name", ["x" * 100_000, "openai/" + "g" * 100_000, "\x00" * 1000, "é" * 5000, "", "/"])
def test_suggestions_for_hostile_names_are_bounded(catalog: Catalog, name: str) -> None:
    assert len(catalog.nearest(name)) <= 3


def test_a_remembered_name_costs_no_more_than_a_few_dictionary_lookups(catalog: Catalog) -> None:
    """Relative to a plain dictionary, so that a slow machine does not fail it; 2 µs are about 50 lookups."""
    name = "aws-bedrock/claude-sonnet-4-6:eu"
    plain = {name: 1}
    assert catalog.resolve(name) is not None
    lookup = min(timeit.repeat(lambda: plain.get(name), number=20_000, repeat=5))
    resolve = min(timeit.repeat(lambda: catalog.resolve(name), number=20_000, repeat=5))
    assert resolve < 20 * lookup


def test_what_clients_make_up_is_remembered_only_up_to_a_bound() -> None:
    catalog = small()
    for number in range(5_000):
        catalog.resolve(f"local/{number}")
        catalog.resolve(f"nothing-{number}")
    assert not catalog._resolved
    assert 0 < len(catalog._verbatim) <= 1024
    catalog.resolve("local/" + "x" * 10_000)
    assert max(map(len, catalog._verbatim)) < 1_000


def test_loading_costs_little_more_than_reading_the_file() -> None:
    """Relative to a plain decode of the same bytes, so that a slow machine does not fail it; about 15 ms in all."""
    data = resources.files("llmgateway.catalog").joinpath("catalog.json").read_bytes()
    plain = min(timeit.repeat(lambda: msgspec.json.decode(data), number=1, repeat=5))
    assert min(timeit.repeat(load, number=1, repeat=5)) < 5 * plain
