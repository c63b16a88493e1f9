"""docs/configuration.md and llmgateway.example.toml say what the code does: every setting, nothing else."""

import re
from pathlib import Path

import msgspec
import pytest

from llmgateway.domain.policy import SHARED
from llmgateway.domain.routing import Endpoint, ParameterPolicy
from llmgateway.infra.settings import (
    DataSettings,
    KeySettings,
    ModelSettings,
    ProviderSettings,
    RoutingPolicy,
    ServerSettings,
    TierSettings,
    TimeoutSettings,
    load,
)
from llmgateway.infra.settings.convert import describe

ROOT = Path(__file__).parents[3]
DOCUMENT = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")

TABLES: list[tuple[str, type[msgspec.Struct], str | None]] = [
    ("Setting", ServerSettings, "SERVER"),
    ("Setting", DataSettings, "DATA"),
    ("Setting", RoutingPolicy, "ROUTING"),
    ("Provider setting", ProviderSettings, "PROVIDERS_<NAME>"),
    ("Endpoint setting", Endpoint, None),
    ("Timeout", TimeoutSettings, None),
    ("Parameter policy", ParameterPolicy, None),
    ("Model setting", ModelSettings, None),
    ("Tier setting", TierSettings, None),
    ("Key setting", KeySettings, None),
]


def documented(heading: str, first_field: str) -> list[list[str]]:
    """The rows of the table with that first heading and first field."""
    for block in re.findall(r"(?:^\|.*\|\n)+", DOCUMENT + "\n", re.MULTILINE):
        rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in block.splitlines()]
        if rows[0][0] == heading and rows[2][0] == f"`{first_field}`":
            return rows[2:]
    raise AssertionError(f"no table {heading!r} that begins with {first_field}")


def default_of(field: msgspec.structs.FieldInfo) -> str:
    if field.required:
        return "required"
    value = field.default if field.default is not msgspec.NODEFAULT else field.default_factory()
    if value is None:
        return "unset"
    if isinstance(value, tuple):
        return "`[]`"
    if isinstance(value, dict | msgspec.Struct):
        return "`{}`"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f'`"{value}"`' if isinstance(value, str) else f"`{value}`"


@pytest.mark.parametrize(("heading", "section", "variable"), TABLES, ids=lambda value: getattr(value, "__name__", None))
def test_every_setting_is_documented_with_its_type_default_and_variable(
    heading: str, section: type[msgspec.Struct], variable: str | None
) -> None:
    fields = msgspec.structs.fields(section)
    rows = documented(heading, fields[0].name)
    assert [row[0].strip("`") for row in rows] == [field.name for field in fields]
    for row, field in zip(rows, fields, strict=True):
        kind = describe(field.type)
        assert row[1] == ("a list of capabilities" if "assistant_prefill" in kind else kind)
        assert row[2] == default_of(field)
        if variable is not None:
            assert row[3] == f"`LLMGATEWAY_{variable}_{field.name.upper()}`"
        assert len(row[-1]) > len("Meaning")


def test_the_document_names_no_variable_that_does_not_exist() -> None:
    named = set(re.findall(r"LLMGATEWAY_(?:SERVER|DATA|ROUTING)_([A-Z0-9_]+)", DOCUMENT))
    fields = {
        field.upper()
        for section in (ServerSettings, DataSettings, RoutingPolicy)
        for field in section.__struct_fields__
    }
    assert named == fields


def test_the_document_names_the_numbers_that_projects_share() -> None:
    (line,) = re.findall(r"^What projects share is set in `\[routing\]` alone: (.*)\.$", DOCUMENT, re.MULTILINE)
    assert set(re.findall(r"`(\w+)`", line)) == SHARED


def test_the_document_names_every_capability() -> None:
    capabilities = describe(ModelSettings.__annotations__["capabilities"]).split("one of ")[1]
    assert f"Capabilities are {capabilities}." in DOCUMENT


def test_the_example_is_a_good_configuration_and_its_comments_would_be_too(tmp_path: Path) -> None:
    """Uncommenting the examples within it must not turn it into mistakes."""
    text = (ROOT / "llmgateway.example.toml").read_text(encoding="utf-8")
    assert load(ROOT / "llmgateway.example.toml", environ={}).server.port == 4000
    whole = tmp_path / "whole.toml"
    whole.write_text(re.sub(r"^# (?=\[|[a-z_]+ = )", "", text, flags=re.MULTILINE))
    environ = {"OPENAI_API_KEY": "sk-1", "OPENAI_API_KEY_2": "sk-2", "CI_GATEWAY_KEY": "0123456789"}
    settings = load(whole, environ=environ)
    assert len(settings.keys) == 1
    assert set(settings.providers) == {"openai", "my-vllm"}
