"""Reading a configuration: order of sources, exact money, and every mistake with its place."""

# ruff: noqa: E501 - one row of the table of mistakes is one line

from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from llmgateway.domain.policy import SHARED
from llmgateway.infra.settings import Mistake, RoutingPolicy, Secret, Settings, SettingsError, config_path, load
from llmgateway.infra.settings.model import ProjectRouting

CANARY = "sk-canary-0123456789"


def read(tmp_path: Path, text: str, **environ: str) -> Settings:
    file = tmp_path / "gateway.toml"
    file.write_text(text, encoding="utf-8")
    return load(file, environ=environ)


def mistakes(tmp_path: Path, text: str, **environ: str) -> tuple[Mistake, ...]:
    with pytest.raises(SettingsError) as caught:
        read(tmp_path, text, **environ)
    return caught.value.mistakes


def only(tmp_path: Path, text: str, **environ: str) -> Mistake:
    found = mistakes(tmp_path, text, **environ)
    assert len(found) == 1, [str(mistake) for mistake in found]
    return found[0]


def test_without_file_and_environment_the_documented_defaults_hold() -> None:
    settings = load(None, environ={})
    assert (settings.server.host, settings.server.port, settings.server.workers) == ("127.0.0.1", 4000, 1)
    assert (settings.server.max_body_mb, settings.server.max_in_flight, settings.server.keep_alive_s) == (32, 2000, 15)
    assert settings.server.conversation_memory_mb == 16
    assert (settings.data.dir, settings.data.database, settings.data.unrecorded) == ("data", "sqlite", False)
    assert (settings.routing.exploration_rate, settings.routing.max_fallbacks) == (0.01, 2)
    assert settings.providers == {}
    assert settings.keys == ()


def test_environment_wins_over_the_file_and_the_file_over_defaults(tmp_path: Path) -> None:
    text = "[server]\nport = 4100\nworkers = 2\n"
    settings = read(tmp_path, text, LLMGATEWAY_SERVER_PORT="4200", LLMGATEWAY_DATA_DIR="/elsewhere")
    assert (settings.server.port, settings.server.workers, settings.data.dir) == (4200, 2, "/elsewhere")


@pytest.mark.parametrize(
    ("variable", "text", "read_back"),
    [
        ("LLMGATEWAY_SERVER_ALLOW_PRIVATE_FETCH", "true", lambda s: s.server.allow_private_fetch is True),
        ("LLMGATEWAY_SERVER_SHUTDOWN_GRACE_S", "1.5", lambda s: s.server.shutdown_grace_s == 1.5),
        ("LLMGATEWAY_SERVER_TRUSTED_PROXIES", "10.0.0.0/8, ::1/128", lambda s: len(s.server.trusted_proxies) == 2),
        ("LLMGATEWAY_SERVER_TRUSTED_PROXIES", '["10.0.0.0/8"]', lambda s: s.server.trusted_proxies == ("10.0.0.0/8",)),
        ("LLMGATEWAY_SERVER_PORT", "", lambda s: s.server.port == 4000),
        (
            "LLMGATEWAY_PROVIDERS_MY_VLLM_BASE_URL",
            "http://h/v1",
            lambda s: s.providers["my-vllm"].base_url == "http://h/v1",
        ),
        ("LLMGATEWAY_PROVIDERS_X_TIMEOUT_S", "{ connect = 2 }", lambda s: s.providers["x"].timeout_s.connect == 2),
        ("LLMGATEWAY_KEYS", '[{name = "ci", key = "12345678"}]', lambda s: s.keys[0].key == Secret("12345678")),
        ("LLMGATEWAY_API_KEY", "whatever", lambda s: s == s),
    ],
)
def test_every_kind_of_setting_can_come_from_the_environment(variable: str, text: str, read_back: object) -> None:
    assert callable(read_back)
    assert read_back(load(None, environ={variable: text}))


def test_a_project_replaces_single_numbers_of_routing(tmp_path: Path) -> None:
    text = '[projects."Team.A".routing]\nmax_fallbacks = 0\nreroute_pinned = true\n'
    routing = read(tmp_path, text).projects["Team.A"].routing
    given = {name: value for name, value in msgspec.structs.asdict(routing).items() if value is not None}
    assert given == {"max_fallbacks": 0, "reroute_pinned": True}


def test_every_number_of_routing_has_its_place_in_a_project() -> None:
    assert (
        load(None, environ={"LLMGATEWAY_PROJECTS_A_ROUTING_DEADLINE_S": "9"}).projects["a"].routing != ProjectRouting()
    )
    assert ProjectRouting.__struct_fields__ == RoutingPolicy.__struct_fields__


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("", "team-a"),
        ('[projects."Team.A".routing]\nbackoff_s = 1\n', "Team.A"),
        ('[[keys]]\nname = "k"\nkey = "12345678"\nproject = "Team_A"\n', "Team_A"),
    ],
)
def test_a_project_in_a_variable_is_that_of_the_file(tmp_path: Path, text: str, name: str) -> None:
    settings = read(tmp_path, text, LLMGATEWAY_PROJECTS_TEAM_A_ROUTING_MAX_FALLBACKS="1")
    given = {named: msgspec.structs.asdict(project.routing) for named, project in settings.projects.items()}
    assert {named: numbers["max_fallbacks"] for named, numbers in given.items()} == {name: 1}


@pytest.mark.parametrize("number", sorted(SHARED))
def test_a_number_that_projects_share_cannot_be_one_projects(tmp_path: Path, number: str) -> None:
    found = only(tmp_path, f"[projects.a.routing]\nmax_fallbacks = 1\n{number} = 1\n")
    assert (found.line, found.path) == (3, f"projects.a.routing.{number}")
    assert f"routing.{number} alone" in found.expected


def test_a_provider_of_the_file_is_found_by_its_spelling_in_the_environment(tmp_path: Path) -> None:
    """Dots and dashes both become underscores in a variable; the file's spelling is the one that counts."""
    settings = read(
        tmp_path, '[providers."my.v-llm"]\nbase_url = "http://a"\n', LLMGATEWAY_PROVIDERS_MY_V_LLM_BASE_URL="http://b"
    )
    assert list(settings.providers) == ["my.v-llm"]
    assert settings.providers["my.v-llm"].base_url == "http://b"


def test_env_references_are_read_in_lists_numbers_and_keys(tmp_path: Path) -> None:
    text = '[server]\nport = "env:PORT"\n[providers.openai]\napi_keys = ["env:ONE", "two"]\n'
    settings = read(tmp_path, text, PORT="4300", ONE=CANARY)
    assert settings.server.port == 4300
    assert settings.providers["openai"].api_keys == (Secret(CANARY), Secret("two"))


def test_money_is_exact(tmp_path: Path) -> None:
    """0.1 + 0.2 style errors would charge wrongly: TOML floats never become binary floats."""
    text = (
        '[providers.p]\n[[providers.p.models]]\nid = "m"\ninput_usd_per_mtok = 0.1\noutput_usd_per_mtok = "0.123456"\n'
    )
    models = read(tmp_path, text).providers["p"].models
    assert models is not None
    model = models[0]
    assert model.input_usd_per_mtok == Decimal("0.1")
    assert model.output_usd_per_mtok == Decimal("0.123456")


MODEL = '[providers.p]\n[[providers.p.models]]\nid = "m"\noutput_usd_per_mtok = 1\n'


@pytest.mark.parametrize(
    ("amount", "expected"),
    [
        ("-0.1", "0 or more"),
        ("nan", "0 or more"),
        ("inf", "0 or more"),
        ("0.1234567", "at most 6 decimal places"),
        ("1e-30", "at most 6 decimal places"),
        ("1e999999", "less than a billion"),
        ('"cheap"', "an amount of USD"),
        ("true", "an amount of USD"),
        ("[1]", "an amount of USD"),
    ],
)
def test_money_that_cannot_be_counted_in_pico_dollars_is_refused(tmp_path: Path, amount: str, expected: str) -> None:
    mistake = only(tmp_path, f"{MODEL}input_usd_per_mtok = {amount}\n")
    assert mistake.line == 5
    assert mistake.path == "providers.p.models[0].input_usd_per_mtok"
    assert expected in mistake.expected


@pytest.mark.parametrize(
    ("text", "line", "path", "words"),
    [
        ("[server]\nprot = 1\n", 2, "server.prot", 'did you mean "port"?'),
        ("[sever]\nport = 1\n", 1, "sever", 'did you mean "server"?'),
        ("server = 1\n", 1, "server", "a table"),
        ("[server]\n\nport = true\n", 3, "server.port", "true given, expected a whole number from 0 to 65535"),
        ("[server]\nport = 70000\n", 2, "server.port", "70000 given"),
        ("[server]\nport = 1.5\n", 2, "server.port", "1.5 given"),
        ("[server]\nkeep_alive_s = nan\n", 2, "server.keep_alive_s", "a number above 0"),
        ("[routing]\nweight_price = inf\n", 2, "routing.weight_price", "a number"),
        ("[routing]\nexploration_rate = 2\n", 2, "routing.exploration_rate", "from 0 to 1"),
        ('[server]\nlog_level = "wrning"\n', 2, "server.log_level", 'did you mean "warning"?'),
        ('[server]\ntrusted_proxies = [\n"10.0.0.0/8",\n"10.0.0.1/8"]\n', 4, "server.trusted_proxies[1]", "host bits"),
        ('[data]\nredis = "redis://h"\n', 2, "data.redis", "not supported by this version"),
        ('[data]\ndatabase = "postgresql://u:pw@h/d"\n', 2, "data.database", "postgresql is not supported by this version"),
        ('[providers.p]\napi_keys = ["env:NOPE"]\n', 2, "providers.p.api_keys[0]", "variable NOPE to be set"),
        ('[providers."a/b"]\nbase_url = "http://h"\n', 1, "providers.a/b", "lower-case"),
        ('[providers.p]\nbase_url = "ftp://h"\n', 2, "providers.p.base_url", "http(s)://"),
        ('[providers.p]\nbase_url = "http://h:x"\n', 2, "providers.p.base_url", "http(s)://"),
        ('[providers.p]\nbase_url = "http://h/v1?a=1"\n', 2, "providers.p.base_url", "http(s)://"),
        ('[providers.p]\nprotocol = "openai"\n', 2, "providers.p.protocol", 'did you mean "openai-chat"?'),
        ('[providers.p]\nauth = "basic"\n', 2, "providers.p.auth", "header:<name>"),
        ('[providers.p]\npath = "chat"\n', 2, "providers.p.path", "begins with /"),
        ('[providers.p]\nregions = ["a:b"]\n', 2, "providers.p.regions[0]", "without blanks or colons"),
        ('[providers.p.parameters.force]\nx = "{"\n', 2, "providers.p.parameters.force.x", "JSON value"),
        ("[providers.p.timeout_s]\nconect = 1\n", 2, "providers.p.timeout_s.conect", 'did you mean "connect"?'),
        ('[providers.p]\nmodels = [{ id = "m", capabilities = ["tolls"] }]\n', 2, "providers.p.models[0].capabilities[0]", 'did you mean "tools"?'),
        ('[providers.p]\nmodels = [{ id = "m" },\n{ id = "m" }]\n', 3, "providers.p.models[1].id", "each id once"),
        ('[providers.p]\nmodels = [{ id = "m", output_usd_per_mtok = 1 }]\n', 2, "providers.p.models[0].input_usd_per_mtok", "together"),
        ('[providers.p]\nmodels = [{ id = "m", request_usd = 1 }]\n', 2, "providers.p.models[0].input_usd_per_mtok", "others are given"),
        ('[providers.p]\nmodels = [{ id = "m", capabilities = ["n"], lacks = ["n"] }]\n', 2, "providers.p.models[0].lacks", "n given"),
        ('[providers.p]\nmodels = [{ context = 1 }]\n', 2, "providers.p.models[0].id", "nothing given"),
        ('[[keys]]\nname = "a"\nkey = "12345678"\n[[keys]]\nname = "a"\nkey = "12345679"\n', 5, "keys[1].name", "each name once"),
        ('[[keys]]\nname = "a"\nkey = "12345678"\n[[keys]]\nname = "b"\nkey = "12345678"\n', 6, "keys[1].key", "each key once"),
        ('[[keys]]\nname = "a"\nkey = "1234 5678"\n', 3, "keys[0].key", "visible ASCII"),
        ('[[keys]]\nname = "a"\n', 1, "keys[0].key", "nothing given"),
        ('[[keys]]\nname = "a"\nkey = "12345678"\nproject = "a b"\n', 4, "keys[0].project", "letters"),
        ("[projects.a.routing]\nmax_fallback = 1\n", 2, "projects.a.routing.max_fallback", 'did you mean "max_fallbacks"?'),
        ("[projects.a.routing]\nexploration_rate = 2\n", 2, "projects.a.routing.exploration_rate", "from 0 to 1"),
        ("[projects.a]\nrooting = 1\n", 2, "projects.a.rooting", 'did you mean "routing"?'),
        ('[projects."a b".routing]\nmax_fallbacks = 1\n', 1, "projects.a b", "letters"),
    ],
)  # fmt: skip
def test_a_mistake_names_line_field_and_remedy(tmp_path: Path, text: str, line: int, path: str, words: str) -> None:
    mistake = only(tmp_path, text)
    assert (mistake.line, mistake.path) == (line, path)
    assert words in str(mistake)
    assert str(mistake).startswith(f"{tmp_path / 'gateway.toml'}:{line}: {path}: ")


def test_all_mistakes_are_reported_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = '[server]\nport = "x"\nbad = 1\n[data]\nredis = "redis://h"\n'
    found = mistakes(tmp_path, text, LLMGATEWAY_SERVER_WORKERS="many")
    assert [mistake.line for mistake in found] == [2, 3, 5, None]
    assert found[3].file == "environment variable LLMGATEWAY_SERVER_WORKERS"


@pytest.mark.parametrize(
    ("variable", "suggestion"),
    [
        ("LLMGATEWAY_SERVER_PROT", "LLMGATEWAY_SERVER_PORT"),
        ("LLMGATEWAY_PROVIDERS_OPENAI_API_KEY", "LLMGATEWAY_PROVIDERS_OPENAI_API_KEYS"),
        ("LLMGATEWAY_PROJECTS_A_ROUTING_MAX_FALLBACK", "LLMGATEWAY_PROJECTS_A_ROUTING_MAX_FALLBACKS"),
        ("LLMGATEWAY_KEYS_CI", None),
    ],
)
def test_a_misspelt_variable_is_a_mistake_with_a_suggestion(variable: str, suggestion: str | None) -> None:
    with pytest.raises(SettingsError) as caught:
        load(None, environ={variable: CANARY})
    (mistake,) = caught.value.mistakes
    assert mistake.suggestion == suggestion
    assert CANARY not in str(mistake)


@pytest.mark.parametrize(
    "text",
    [
        f'[providers.openai]\napi_keys = "{CANARY}"\n',
        f'[providers.openai]\napi_key = "{CANARY}"\n',
        f'[providers]\nopenai = "{CANARY}"\n',
        f'keys = ["{CANARY}"]\n',
        f'[[keys]]\nname = "a"\nkey = ["{CANARY}"]\n',
        f'[[keys]]\nname = "a"\nkey = "{CANARY} "\n',
        f'[providers.p]\nbase_url = "https://user:{CANARY}@host/v1"\n',
        f'[data]\ndatabase = "postgresql://u:{CANARY}@h/d"\n',
        f'[data]\nredis = "redis://:{CANARY}@h"\n',
        '[server]\nport = "env:OOPS"\n',
    ],
)  # fmt: skip
def test_no_mistake_shows_a_secret(tmp_path: Path, text: str) -> None:
    for mistake in mistakes(tmp_path, text, OOPS=CANARY):
        assert CANARY not in str(mistake)


def test_settings_can_be_printed_without_showing_a_key(tmp_path: Path) -> None:
    settings = read(tmp_path, f'[providers.p]\napi_keys = ["{CANARY}"]\n[[keys]]\nname = "a"\nkey = "{CANARY}"\n')
    assert CANARY not in repr(settings)


@pytest.mark.parametrize(
    ("data", "line", "words"),
    [
        (b"[server\nport = 1\n", 1, "not TOML"),
        (b"[server]\nport = \n", 2, "not TOML"),
        (b'[server]\nhost = """x\n', 3, "not TOML"),
        (b"a = 1\na = 2\n", 2, "not TOML"),
        (b"[server]\nhost = '\xff'\n", 2, "not UTF-8"),
        (b"a = " + b"[" * 100_000, None, "expected a flat TOML file"),
    ],
)
def test_a_file_that_is_no_toml_names_the_line(tmp_path: Path, data: bytes, line: int | None, words: str) -> None:
    file = tmp_path / "bad.toml"
    file.write_bytes(data)
    with pytest.raises(SettingsError) as caught:
        load(file, environ={})
    (mistake,) = caught.value.mistakes
    assert mistake.line == line
    assert words in str(mistake)


def test_a_missing_file_is_a_mistake_and_a_byte_order_mark_is_none(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        load(tmp_path / "nowhere.toml", environ={})
    assert read(tmp_path, "\ufeff[server]\nport = 5\n").server.port == 5


def test_the_file_is_the_given_one_else_the_environments_else_the_one_that_lies_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert config_path(None, environ={}) is None
    (tmp_path / "llmgateway.toml").touch()
    assert config_path(None, environ={}) == Path("llmgateway.toml")
    assert config_path(None, environ={"LLMGATEWAY_CONFIG": "b.toml"}) == Path("b.toml")
    assert config_path(Path("a.toml"), environ={"LLMGATEWAY_CONFIG": "b.toml"}) == Path("a.toml")
