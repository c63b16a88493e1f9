"""From configuration, environment and catalogue to providers, models and credentials."""

from pathlib import Path

import pytest

from llmgateway.domain.identity import ApiKey, Project
from llmgateway.domain.policy import RoutingPolicy
from llmgateway.domain.routing import Credential, Endpoint, Provider, Timeouts, Variable
from llmgateway.domain.usage import PriceTier
from llmgateway.infra.operator import OperatorRows, operator_rows, static_keys, with_routing
from llmgateway.infra.secrets import digest
from llmgateway.infra.settings import Settings, SettingsError, load

NOTHING = Settings()
CATALOG = {
    row.id: row
    for row in (
        Provider(id="openai", base_url="https://api.openai.com/v1", env=("OPENAI_API_KEY",), clean=True),
        Provider(id="google", base_url="https://g/v1", env=("GEMINI_API_KEY", "GOOGLE_API_KEY")),
        Provider(id="ollama", base_url="http://127.0.0.1:11434/v1", auth="none", unknown_fields="pass"),
        Provider(id="llama.cpp", base_url="http://127.0.0.1:8080/v1", auth="none"),
        Provider(id="simulator", protocol="simulator", auth="none"),
    )
}


def rows(tmp_path: Path, text: str = "", **environ: str) -> OperatorRows:
    file = tmp_path / "gateway.toml"
    file.write_text(text)
    settings = load(file, environ=environ)
    return operator_rows(settings, environ=environ, catalog_providers=CATALOG, fingerprint=lambda key: f"fp:{key}")


def provider(found: OperatorRows, name: str) -> Provider:
    return next(row for row in found.providers if row.id == name)


def secrets_of(found: OperatorRows, name: str) -> list[str]:
    return [credential.secret for credential in found.credentials if credential.provider == name]


def test_with_nothing_set_only_the_simulator_can_be_called(tmp_path: Path) -> None:
    found = rows(tmp_path)
    assert found.credentials == (Credential(provider="simulator", secret="", fingerprint="fp:"),)
    assert [row.id for row in found.providers] == ["simulator"]
    assert found.models == ()
    assert found.warnings == ()


def test_a_known_provider_takes_its_keys_from_its_own_variable(tmp_path: Path) -> None:
    found = rows(tmp_path, OPENAI_API_KEY="sk-1, sk-2,,sk-1 ")
    assert secrets_of(found, "openai") == ["sk-1", "sk-2"]
    assert [credential.fingerprint for credential in found.credentials if credential.secret] == ["fp:sk-1", "fp:sk-2"]
    assert provider(found, "openai") == CATALOG["openai"]


def test_keys_have_the_weights_that_are_set_and_are_alike_otherwise(tmp_path: Path) -> None:
    text = '[providers.openai]\napi_keys = ["sk-1", "sk 2", "sk-3", "sk-1"]\napi_key_weights = [3, 7, 0, 9]\n'
    found = rows(tmp_path, text)
    assert {one.secret: one.weight for one in found.credentials if one.secret} == {"sk-1": 3, "sk-3": 0}
    assert {one.weight for one in rows(tmp_path, OPENAI_API_KEY="sk-1,sk-2").credentials} == {1}


@pytest.mark.parametrize("keys", ['api_keys = ["sk-1"]', ""])
def test_weights_without_their_keys_are_a_mistake(tmp_path: Path, keys: str) -> None:
    with pytest.raises(SettingsError, match="api_key_weights"):
        rows(tmp_path, f"[providers.openai]\n{keys}\napi_key_weights = [3, 1]\n")


def test_of_several_variables_the_first_that_is_set_counts(tmp_path: Path) -> None:
    assert secrets_of(rows(tmp_path, GOOGLE_API_KEY="b"), "google") == ["b"]
    assert secrets_of(rows(tmp_path, GOOGLE_API_KEY="b", GEMINI_API_KEY="a"), "google") == ["a"]


def test_a_service_account_in_a_variable_is_not_split_at_its_commas(tmp_path: Path) -> None:
    assert secrets_of(rows(tmp_path, GEMINI_API_KEY='{"a":1,"b":2}'), "google") == ['{"a":1,"b":2}']


def test_configured_keys_replace_those_of_the_environment_and_none_switch_a_provider_off(tmp_path: Path) -> None:
    keys = '[providers.openai]\napi_keys = ["env:MINE"]\n'
    assert secrets_of(rows(tmp_path, keys, OPENAI_API_KEY="sk-1", MINE="sk-9"), "openai") == ["sk-9"]
    assert secrets_of(rows(tmp_path, "[providers.openai]\napi_keys = []\n", OPENAI_API_KEY="sk-1"), "openai") == []


def test_a_known_provider_keeps_what_is_not_set(tmp_path: Path) -> None:
    text = '[providers.openai]\nbase_url = "https://eu.api.openai.com/v1/"\ntimeout_s = { idle = 7 }\n'
    row = provider(rows(tmp_path, text, OPENAI_API_KEY="k"), "openai")
    assert row.base_url == "https://eu.api.openai.com/v1"
    assert row.timeouts == Timeouts(idle=7)
    assert (row.clean, row.custom, row.any_model, row.unknown_fields) == (True, False, False, "list")


def test_a_base_url_comes_from_our_own_variable_and_never_from_the_vendors(tmp_path: Path) -> None:
    """Applications set OPENAI_BASE_URL to point at this gateway: following it would be a loop."""
    found = rows(
        tmp_path,
        OPENAI_API_KEY="k",
        OPENAI_BASE_URL="http://127.0.0.1:4000/v1",
        GEMINI_API_BASE="http://x",
        LLMGATEWAY_PROVIDERS_GOOGLE_BASE_URL="http://mine/v1",
    )
    assert provider(found, "openai").base_url == "https://api.openai.com/v1"
    assert provider(found, "google").base_url == "http://mine/v1"
    assert [line.split()[0] for line in found.warnings] == ["GEMINI_API_BASE", "OPENAI_BASE_URL"]
    assert "LLMGATEWAY_PROVIDERS_OPENAI_BASE_URL" in found.warnings[1]


@pytest.mark.parametrize("key", ["llmgw_" + "a" * 40, "sk-with blank", "sk-\nx: y", "schlüssel"])
def test_a_key_that_cannot_be_a_providers_is_ignored_with_a_warning_that_hides_it(tmp_path: Path, key: str) -> None:
    found = rows(tmp_path, OPENAI_API_KEY=f"{key},sk-good")
    assert secrets_of(found, "openai") == ["sk-good"]
    (warning,) = found.warnings
    assert "OPENAI_API_KEY" in warning
    assert key not in warning


CUSTOM = """
[providers.my-vllm]
base_url = "http://127.0.0.1:8000/v1"
timeout_s = { connect = 1, first_byte = 2, idle = 3, total = 4, total_stream = 5 }
parameters = { rename = { max_tokens = "max_new_tokens" }, clamp = { temperature = 1.0 } }

[[providers.my-vllm.models]]
id = "llama-3.3-70b"
upstream = "meta-llama/Llama-3.3-70B-Instruct"
context = 131072
max_output = 8192
input_usd_per_mtok = 0.10
output_usd_per_mtok = 0.40
cached_input_usd_per_mtok = 0.02
request_usd = 0.000000000001
tiers = [{ above_tokens = 200000, input_usd_per_mtok = 0.2, output_usd_per_mtok = 0.8 }]
capabilities = ["streaming", "tools"]
lacks = ["vision"]

[[providers.my-vllm.models]]
id = "free"
input_usd_per_mtok = 0
output_usd_per_mtok = 0

[[providers.my-vllm.models]]
id = "unpriced"
"""


def test_a_custom_provider_on_a_local_server_needs_no_key(tmp_path: Path) -> None:
    found = rows(tmp_path, CUSTOM)
    row = provider(found, "my-vllm")
    assert secrets_of(found, "my-vllm") == [""]
    assert (row.auth, row.allow_private_network, row.custom) == ("none", True, True)
    assert (row.any_model, row.unknown_fields, row.protocol) == (False, "pass", "openai-chat")
    assert row.timeouts == Timeouts(connect=1, first_byte=2, idle=3, total=4, total_stream=5)
    assert row.parameters.rename == {"max_tokens": "max_new_tokens"}
    assert row.parameters.clamp == {"temperature": 1.0}


def test_prices_become_whole_pico_dollars(tmp_path: Path) -> None:
    models = {model.id: model.mappings[0] for model in rows(tmp_path, CUSTOM).models}
    price = models["llama-3.3-70b"].price
    assert price is not None
    assert (price.input, price.output, price.cached_input, price.request) == (100_000, 400_000, 20_000, 1)
    assert price.cache_write_5m is None
    assert price.tiers == (PriceTier(above_tokens=200_000, input=200_000, output=800_000),)


def test_a_free_model_is_not_one_of_unknown_price(tmp_path: Path) -> None:
    models = {model.id: model.mappings[0] for model in rows(tmp_path, CUSTOM).models}
    free = models["free"].price
    assert free is not None
    assert (free.input, free.output) == (0, 0)
    assert models["unpriced"].price is None


def test_a_models_facts_reach_its_mapping(tmp_path: Path) -> None:
    mapping = rows(tmp_path, CUSTOM).models[0].mappings[0]
    assert (mapping.model, mapping.upstream) == ("llama-3.3-70b", "meta-llama/Llama-3.3-70B-Instruct")
    assert (mapping.context, mapping.max_output) == (131_072, 8192)
    assert (mapping.has, mapping.lacks) == (frozenset({"streaming", "tools"}), frozenset({"vision"}))


def test_one_id_at_two_providers_is_one_model_with_two_mappings(tmp_path: Path) -> None:
    text = "".join(
        f'[providers.{name}]\nbase_url = "http://{name}"\napi_keys = ["k-{name}"]\nmodels = [{{ id = "m" }}]\n'
        for name in ("a", "b")
    )
    (model,) = rows(tmp_path, text).models
    assert [mapping.provider for mapping in model.mappings] == ["a", "b"]


def test_without_a_models_list_a_custom_provider_takes_any_model(tmp_path: Path) -> None:
    text = '[providers.mine]\nbase_url = "http://10.0.0.5/v1"\napi_keys = ["secret"]\nallow_private_network = false\n'
    row = provider(rows(tmp_path, text), "mine")
    assert (row.any_model, row.allow_private_network) == (True, False)


def test_a_remote_custom_provider_without_a_key_is_not_called(tmp_path: Path) -> None:
    text = '[providers.mine]\nbase_url = "https://models.example/v1"\n'
    found = rows(tmp_path, text)
    assert secrets_of(found, "mine") == []
    assert "mine has no key" in found.warnings[0]
    assert secrets_of(rows(tmp_path, text + 'auth = "none"\n'), "mine") == [""]


def test_a_local_server_of_the_catalogue_is_called_only_when_named(tmp_path: Path) -> None:
    """Nobody knows whether one runs; a model offered by a server that does not exist would fail each request."""
    assert secrets_of(rows(tmp_path), "ollama") == []
    assert secrets_of(rows(tmp_path, "[providers.ollama]\n"), "ollama") == [""]


def test_a_custom_provider_without_base_url_is_a_mistake_with_line_and_suggestion(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        rows(tmp_path, '\n[providers.opnai]\napi_keys = ["k"]\n')
    (mistake,) = caught.value.mistakes
    assert (mistake.line, mistake.path, mistake.suggestion) == (2, "providers.opnai", "openai")


def test_static_keys_are_known_by_digest_and_named_after_their_entry(tmp_path: Path) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text('[[keys]]\nname = "ci"\nkey = "env:CI"\nproject = "web"\n')
    (key,) = static_keys(load(file, environ={"CI": "secret-ci-key"}))
    assert (key.id, key.name, key.static, key.status) == ("static:ci", "ci", True, "active")
    assert key.digest == digest("secret-ci-key")
    assert (key.project.id, key.project.name) == ("web", "web")


def test_keys_of_a_project_have_the_gateways_policy_with_the_projects_numbers(tmp_path: Path) -> None:
    """Those of the file and of the database alike; one policy for all keys of a project."""
    file = tmp_path / "gateway.toml"
    file.write_text(
        "[routing]\nmax_attempts = 3\n[projects.web.routing]\nmax_fallbacks = 0\n[projects.idle]\n"
        + "".join(
            f'[[keys]]\nname = "{name}"\nkey = "12345678-{name}"\nproject = "{name}"\n' for name in ("web", "idle")
        )
    )
    settings = load(file, environ={})
    stored = ApiKey(id="k", name="k", digest=b"d", project=Project(id="4711", name="web"))
    of_web, of_idle, of_database = with_routing((*static_keys(settings), stored), settings)
    assert of_web.project.routing == RoutingPolicy(max_attempts=3, max_fallbacks=0)
    assert of_database.project.routing is of_web.project.routing
    assert of_database.project.id == "4711"
    assert of_idle.project.routing is None


def test_a_known_provider_whose_name_no_variable_can_spell_is_found_all_the_same(tmp_path: Path) -> None:
    """A variable has no dots: LLAMA_CPP is llama.cpp, unless the file calls another provider llama-cpp."""
    variable = {"LLMGATEWAY_PROVIDERS_LLAMA_CPP_BASE_URL": "http://10.0.0.9/v1"}
    assert provider(rows(tmp_path, **variable), "llama.cpp").base_url == "http://10.0.0.9/v1"
    found = rows(tmp_path, "[providers.llama-cpp]\n", **variable)
    assert provider(found, "llama-cpp").custom


CLOUD = Provider(
    id="cloud",
    base_url="https://api.example/{account}/v1",
    env=("CLOUD_KEY",),
    variables={"account": Variable(env=("ACCOUNT_ID", "ACCOUNT"))},
)


def cloud(settings: Settings = NOTHING, row: Provider = CLOUD, /, **environ: str) -> OperatorRows:
    return operator_rows(settings, environ=environ, catalog_providers={row.id: row}, fingerprint=str)


def test_an_address_takes_its_variables_from_the_environment_the_first_that_is_set() -> None:
    (row,) = cloud(CLOUD_KEY="sk-1", ACCOUNT="b").providers
    assert row.variables["account"].value == "b"
    (row,) = cloud(CLOUD_KEY="sk-1", ACCOUNT="b", ACCOUNT_ID="a").providers
    assert row.variables["account"].value == "a"


def test_the_configurations_value_of_a_variable_comes_first(tmp_path: Path) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text('[providers.cloud]\nvariables = { account = "mine" }\n')
    (row,) = cloud(load(file, environ={}), CLOUD_KEY="sk-1", ACCOUNT_ID="a").providers
    assert row.variables["account"].value == "mine"


def test_an_address_with_an_unset_variable_is_told_at_the_start_with_what_to_set() -> None:
    found = cloud(CLOUD_KEY="sk-1")
    assert len(found.credentials) == 1
    (warning,) = found.warnings
    assert "ACCOUNT_ID or ACCOUNT in the environment" in warning
    assert "account in [providers.cloud.variables]" in warning


AWS = Provider(id="aws", base_url="https://x", auth="aws", env=("BEARER", "KEY_ID:KEY_SECRET:KEY_SESSION?"))


@pytest.mark.parametrize(
    ("environ", "secrets"),
    [
        ({"BEARER": "b,c"}, ["b", "c"]),
        ({"BEARER": "b", "KEY_ID": "A" * 20, "KEY_SECRET": "s"}, ["b"]),
        ({"KEY_ID": "A" * 20, "KEY_SECRET": "s+/="}, [f"{'A' * 20}:s+/="]),
        ({"KEY_ID": "A" * 20, "KEY_SECRET": "s", "KEY_SESSION": "t"}, [f"{'A' * 20}:s:t"]),
        ({"KEY_ID": "A" * 20}, []),
        ({"KEY_SECRET": "s", "KEY_SESSION": "t"}, []),
    ],
)
def test_a_key_of_several_parts_is_joined_when_all_it_needs_is_set(environ: dict[str, str], secrets: list[str]) -> None:
    assert [credential.secret for credential in cloud(NOTHING, AWS, **environ).credentials] == secrets


def account_file(tmp_path: Path) -> Path:
    file = tmp_path / "my account.json"
    file.write_text('{"type": "service_account", "project_id": "from-account"}')
    return file


GOOGLE = Provider(
    id="vertex",
    base_url="https://x/{project}",
    auth="google",
    env=("CREDENTIALS",),
    variables={"project": Variable(env=("PROJECT",))},
)


def test_a_service_account_may_be_a_path_with_blanks_or_json_and_brings_its_project(tmp_path: Path) -> None:
    for secret in (str(account_file(tmp_path)), '{"project_id": "from-account",\n "a": 1}'):
        found = cloud(NOTHING, GOOGLE, CREDENTIALS=secret)
        assert [credential.secret for credential in found.credentials] == [secret]
        assert found.providers[0].variables["project"].value == "from-account"
        assert found.warnings == ()


def test_a_project_that_is_set_counts_more_than_the_accounts(tmp_path: Path) -> None:
    found = cloud(NOTHING, GOOGLE, CREDENTIALS=str(account_file(tmp_path)), PROJECT="mine")
    assert found.providers[0].variables["project"].value == "mine"


@pytest.mark.parametrize("secret", ["/nowhere/account.json", '{"type": not JSON'])
def test_a_service_account_that_cannot_be_read_is_told_at_the_start_without_its_text(secret: str) -> None:
    found = cloud(NOTHING, GOOGLE, CREDENTIALS=secret, PROJECT="mine")
    (warning,) = found.warnings
    assert "CREDENTIALS" in warning
    assert secret not in warning


CUSTOM_PROTOCOLS = """
[providers.mine]
base_url = "https://models.example/v1/"
api_keys = ["k"]
protocol = "anthropic"
headers = { anthropic-beta = "env:BETA" }
endpoints = [{ protocol = "openai-chat", path = "/chat" }]
models = [{ id = "a" }, { id = "b", protocol = "openai-chat" }]
"""


def test_a_custom_provider_may_speak_any_protocol_and_several(tmp_path: Path) -> None:
    found = rows(tmp_path, CUSTOM_PROTOCOLS, BETA="x-1")
    row = provider(found, "mine")
    assert (row.protocol, row.base_url, row.path) == ("anthropic", "https://models.example/v1", "")
    assert row.headers == {"anthropic-beta": "x-1"}
    assert [endpoint.protocol for endpoint in row.endpoints] == ["openai-chat"]
    assert {model.id: model.mappings[0].protocol for model in found.models} == {"a": None, "b": "openai-chat"}


def test_another_base_url_moves_all_endpoints(tmp_path: Path) -> None:
    known = Provider(
        id="cloud",
        base_url="https://a",
        env=("K",),
        endpoints=(Endpoint(protocol="anthropic", base_url="https://b", path="/x"),),
        region_urls={"eu": "https://c"},
    )
    file = tmp_path / "gateway.toml"
    file.write_text('[providers.cloud]\nbase_url = "http://127.0.0.1:1/here"\n')
    (row,) = cloud(load(file, environ={}), known, K="k").providers
    assert (row.base_url, row.endpoints[0].base_url, row.endpoints[0].path) == ("http://127.0.0.1:1/here", "", "/x")
    assert row.region_urls == {}


def test_quirks_come_on_top_of_the_catalogues(tmp_path: Path) -> None:
    text = '[providers.mine]\nbase_url = "http://127.0.0.1:1/v1"\nquirks = ["think_open@r1"]\n'
    assert provider(rows(tmp_path, text), "mine").quirks == ("think_open@r1",)
    known = {"openai": Provider(id="openai", base_url="https://o/v1", quirks=("prefix",))}
    file = tmp_path / "other.toml"
    file.write_text('[providers.openai]\nquirks = ["!prefix", "think_tags"]\n')
    settings = load(file, environ={})
    found = operator_rows(settings, environ={}, catalog_providers=known, fingerprint=str)
    assert provider(found, "openai").quirks == ("prefix", "!prefix", "think_tags")


def test_a_quirk_that_does_not_exist_is_a_mistake_with_a_suggestion(tmp_path: Path) -> None:
    text = '[providers.mine]\nbase_url = "http://127.0.0.1:1/v1"\nquirks = ["think_tag"]\n'
    with pytest.raises(SettingsError, match="think_tags"):
        rows(tmp_path, text)


def test_a_local_server_that_is_given_a_key_gets_to_see_it(tmp_path: Path) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text('[providers.here]\napi_keys = ["sk-1"]\n')
    row = Provider(id="here", base_url="http://127.0.0.1:8000/v1", auth="none")
    found = operator_rows(load(file, environ={}), environ={}, catalog_providers={"here": row}, fingerprint=str)
    assert [one.auth for one in found.providers] == ["bearer"]
    assert [one.secret for one in found.credentials] == ["sk-1"]
