"""The command line as a person meets it: output, exit status, help, and what the document says of it."""

import inspect
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from cyclopts import App

from llmgateway.apps.cli import main
from llmgateway.apps.cli.commands import app
from llmgateway.apps.cli.expiry import expiry, moment
from llmgateway.infra import secrets
from llmgateway.infra.db import directory
from llmgateway.infra.db.engine import open_database

ROOT = Path(__file__).parents[4]
DOCUMENT = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A configuration file of the directory the tests run in is not ours, and our data is not theirs."""
    monkeypatch.chdir(tmp_path)


def printed(capsys: Capture, *arguments: str, status: int = 0) -> str:
    assert main(arguments) == status, capsys.readouterr().err
    return capsys.readouterr().out


def complained(capsys: Capture, *arguments: str, status: int = 1) -> str:
    assert main(arguments) == status
    captured = capsys.readouterr()
    assert captured.out == ""
    return captured.err


def commands(parent: App, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], App]:
    """Every command that does something, by its words."""
    found: dict[tuple[str, ...], App] = {}
    for name in parent:
        child = parent[name]
        if name.startswith("-"):
            continue
        if child.default_command is not None:
            found[(*path, name)] = child
        else:
            found |= commands(child, (*path, name))
    return found


COMMANDS = commands(app)


def test_the_commands_are_those_of_the_document() -> None:
    headings = re.findall(r"^## `llmgateway ([a-z ]+?)(?: [\[A-Z].*)?`$", DOCUMENT, re.MULTILINE)
    assert {tuple(heading.split()) for heading in headings} == set(COMMANDS)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_options_and_arguments_are_those_of_the_document(words: tuple[str, ...]) -> None:
    section = rf"^## `llmgateway {' '.join(words)}( [^`]+)?`$(.*?)(?=^## |\Z)"
    heading = re.search(section, DOCUMENT, re.MULTILINE | re.DOTALL)
    command = COMMANDS[words].default_command
    assert heading is not None
    assert command is not None
    parameters = inspect.signature(command).parameters.values()
    options = [one.name.replace("_", "-") for one in parameters if one.kind is one.KEYWORD_ONLY]
    documented = re.findall(r"^\| `--([a-z-]+)` \| (.+) \|$", heading[2], re.MULTILINE)
    assert sorted(name for name, _ in documented) == sorted(options)
    arguments = [one for one in parameters if one.kind is one.POSITIONAL_ONLY]
    assert len(re.findall("[A-Z]+", heading[1] or "")) == len(arguments)


@pytest.mark.parametrize(
    "words", [(), ("keys",), ("config",), *COMMANDS], ids=lambda words: " ".join(words) or "llmgateway"
)
def test_every_command_explains_itself(words: tuple[str, ...], capsys: Capture) -> None:
    text = printed(capsys, *words, "--help")
    assert text.startswith(f"Usage: llmgateway {' '.join(words)}".rstrip())


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["serve", "--nonsense"],
        ["serve", "--port", "many"],
        ["keys", "create"],
        ["keys", "create", "a", "b"],
        ["keys", "create", "a", "--expires", "soon"],
        ["keys", "nonsense"],
    ],
    ids=" ".join,
)
def test_wrong_usage_is_status_2_and_nothing_is_done(arguments: list[str], capsys: Capture, tmp_path: Path) -> None:
    complained(capsys, *arguments, status=2)
    assert list(tmp_path.iterdir()) == []


def test_a_created_key_is_printed_once_and_works(capsys: Capture, tmp_path: Path) -> None:
    secret = printed(capsys, "keys", "create", "ci", "--project", "web", "--data-dir", "d").strip()
    assert re.fullmatch(r"llmgw_[A-Za-z0-9]{40}", secret)
    database = open_database(tmp_path / "d")
    (key,) = directory.load_keys(database)
    database.close()
    assert key.digest == secrets.digest(secret)
    assert secret not in printed(capsys, "keys", "list", "--data-dir", "d")


def test_listing_shows_keys_of_database_and_configuration_without_secrets(capsys: Capture, tmp_path: Path) -> None:
    (tmp_path / "llmgateway.toml").write_text('[[keys]]\nname = "static one"\nkey = "static-secret"\n')
    printed(capsys, "keys", "create", "ci", "--expires", "2999-01-01")
    found = msgspec.json.decode(printed(capsys, "keys", "list", "--json"))
    assert [(key["name"], key["static"], key["expires_at"]) for key in found] == [
        ("ci", False, "2999-01-01T00:00:00+00:00"),
        ("static one", True, None),
    ]
    table = printed(capsys, "keys", "list")
    assert "static:static one" in table
    assert "static-secret" not in table


def test_disabling_and_rolling_by_id(capsys: Capture) -> None:
    made = msgspec.json.decode(printed(capsys, "keys", "create", "ci", "--json"))
    rolled = printed(capsys, "keys", "roll", made["id"]).strip()
    assert rolled != made["key"]
    assert "is disabled" in printed(capsys, "keys", "disable", made["id"])
    (found,) = msgspec.json.decode(printed(capsys, "keys", "list", "--json"))
    assert (found["status"], found["key"]) == ("disabled", secrets.mask(rolled))


def test_what_cannot_be_done_is_status_1_with_the_reason(capsys: Capture, tmp_path: Path) -> None:
    assert "keys list" in complained(capsys, "keys", "disable", "key_none")
    assert "in the past" in complained(capsys, "keys", "create", "a", "--expires", "2001-01-01")
    assert "not a database" in complained(capsys, "keys", "list", "--data-dir", str(broken_data(tmp_path)))
    assert "cannot be read" in complained(capsys, "keys", "list", "--config", "nowhere.toml")
    (tmp_path / "file").touch()
    assert "data.dir" in complained(capsys, "keys", "list", "--data-dir", "file")


def broken_data(tmp_path: Path) -> Path:
    path = tmp_path / "broken"
    path.mkdir()
    (path / "llmgateway.db").write_bytes(b"no database at all" * 100)
    return path


def test_models_are_listed_by_part_of_a_name_or_pattern(capsys: Capture) -> None:
    table = printed(capsys, "models", "gpt-4o-mini")
    assert "openai" in table
    assert "0.15" in table
    found = msgspec.json.decode(printed(capsys, "models", "openai/gpt-4o-*", "--json"))
    assert "gpt-4o-mini" in {model["id"] for model in found}
    offers = [offer for model in found for offer in model["offers"] if model["id"] == "gpt-4o-mini"]
    mini = next(offer for offer in offers if offer["provider"] == "openai")
    assert (mini["input_usd_per_mtok"], mini["output_usd_per_mtok"]) == ("0.15", "0.6")
    assert mini["price_source"]


def test_a_pattern_that_fits_no_model_is_status_1_and_names_near_ones(capsys: Capture) -> None:
    assert "gpt-4o" in complained(capsys, "models", "gtp-4o")


def test_a_good_configuration_is_status_0(capsys: Capture, tmp_path: Path) -> None:
    file = tmp_path / "good.toml"
    file.write_text('[providers.mine]\nbase_url = "http://127.0.0.1:1/v1"\n')
    assert "mine" in printed(capsys, "config", "check", str(file))
    assert msgspec.json.decode(printed(capsys, "config", "check", str(file), "--json"))["ok"] is True
    assert "environment only" in printed(capsys, "config", "check")


def test_the_example_passes_the_check(capsys: Capture) -> None:
    assert "good" in printed(capsys, "config", "check", str(ROOT / "llmgateway.example.toml"))


def test_a_bad_configuration_is_status_1_with_file_line_and_field(capsys: Capture, tmp_path: Path) -> None:
    file = tmp_path / "llmgateway.toml"
    file.write_text("[server]\nprot = 1\n")
    assert "llmgateway.toml:2: server.prot: unknown field" in complained(capsys, "config", "check")
    assert "llmgateway.toml:2" in complained(capsys, "keys", "list")
    file.write_text("[providers.opnai]\n")
    assert 'did you mean "openai"?' in complained(capsys, "config", "check")
    report = msgspec.json.decode(printed(capsys, "config", "check", "--json", status=1))
    assert (report["ok"], report["mistakes"][0]["line"]) == (False, 1)


def test_a_check_says_what_the_environment_holds_that_is_ignored(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:4000/v1")
    assert "OPENAI_BASE_URL is ignored" in printed(capsys, "config", "check")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("12h", 1000 + 43_200),
        ("30d", 1000 + 2_592_000),
        ("4w", 1000 + 2_419_200),
        ("2030-01-31", 1_896_048_000),
        ("2030-01-31T12:00", 1_896_091_200),
        ("2030-01-31T12:00+01:00", 1_896_087_600),
    ],
)
def test_an_expiry_is_a_span_or_a_date(text: str, seconds: float) -> None:
    assert expiry(text, now=1000) == seconds


@pytest.mark.parametrize("text", ["", "soon", "12", "-1d", "999999d", "2030-13-01"])
def test_what_is_no_expiry_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected a span"):
        expiry(text)


def test_moments_are_shown_in_utc() -> None:
    assert moment(1_896_048_000) == "2030-01-31T00:00:00+00:00"
    assert moment(None) is None


def test_simulate_says_where_it_is_and_ends_cleanly_when_told() -> None:
    command = [sys.executable, "-m", "llmgateway", "simulate", "--port", "0"]
    environ = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environ) as process:
        assert process.stdout is not None
        assert "/openai/v1" in process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 0


@pytest.mark.parametrize("form", [[], ["--json"]], ids=["table", "json"])
def test_a_reader_that_has_left_gets_no_traceback(form: list[str]) -> None:
    """`llmgateway models | head` is ordinary use."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "llmgateway", "models", *form],
            stdout=writing,
            stderr=subprocess.PIPE,
            check=False,
            env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        )
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (1, b"")


def test_reading_the_command_line_of_serve_brings_neither_rich_nor_the_database_layers() -> None:
    """They cost more time and memory than the gateway itself; only other commands use them."""
    program = (
        "import sys, types\n"
        "import llmgateway.apps\n"
        "compose = types.ModuleType('llmgateway.apps.compose')\n"
        "unwanted = {'rich', 'sqlalchemy', 'alembic'}\n"
        "compose.run = lambda **options: print(sorted(unwanted & set(sys.modules)), options) or 7\n"
        "sys.modules['llmgateway.apps.compose'] = llmgateway.apps.compose = compose\n"
        "from llmgateway.apps.cli import main\n"
        "sys.exit(main(['serve', '--port', '0', '--data-dir', 'x']))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
    )
    assert done.returncode == 7, done.stderr
    assert done.stdout.startswith("[] {'config': None, 'host': None, 'port': 0, 'workers': None, 'data_dir':")
