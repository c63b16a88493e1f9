"""The documents are part of the program: what they name exists, and what exists is named."""

import re
from pathlib import Path

import pytest

from llmgateway.domain.errors import TABLE, ErrorKind
from tests.contract.tree import ROOT, files, named

DOCUMENTS = [path for path in files() if path.suffix == ".md"]
DECISIONS = sorted((ROOT / "docs" / "adr").glob("[0-9]*.md"))
_ERROR_ROW = re.compile(r"^\| `(?P<name>[a-z0-9_]+)` \|(?P<rest>.*)\|$", re.MULTILINE)
_LINK = re.compile(r"\[[^\]]*\]\((?!https?://|mailto:|#)(?P<target>[^)#\s]+)")


def test_every_error_has_its_row_in_the_errors_document() -> None:
    """docs/errors.md has one row per row of domain/errors.py, saying the same, plus a sentence on when it happens."""
    text = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
    rows = {row["name"]: [cell.strip() for cell in row["rest"].split("|")] for row in _ERROR_ROW.finditer(text)}
    expected = {kind.name: documented(kind) for kind in TABLE}
    assert {name: cells[1:] for name, cells in rows.items()} == expected
    assert [name for name, cells in rows.items() if len(cells[0]) < len("when…")] == []


def documented(kind: ErrorKind) -> list[str]:
    """Status, type, code, who is blamed, whether another provider is tried, and the x-should-retry header."""
    should_retry = {None: "", True: "true", False: "false"}[kind.should_retry]
    retryable = "yes" if kind.retryable else "no"
    return [str(kind.status), f"`{kind.type}`", f"`{kind.code}`", kind.blames, retryable, should_retry]


def test_names_of_errors_are_unique() -> None:
    names = [kind.name for kind in TABLE]
    assert sorted(set(names)) == sorted(names)


def test_every_make_command_in_the_documents_is_a_target() -> None:
    unknown = [
        f"{named(path)}: make {target}"
        for path in DOCUMENTS
        for code in re.findall(r"```.*?```|`[^`\n]+`", path.read_text(encoding="utf-8"), re.DOTALL)
        for target in re.findall(r"(?:^|[\s`;&])make ([a-z][a-z-]*)\b", code)
        if target not in make_targets()
    ]
    assert unknown == []


def test_every_make_target_says_what_it_does_and_the_needed_ones_are_there() -> None:
    phony = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert phony is not None
    assert set(phony[1].split()) == make_targets()
    assert make_targets() >= {"serve", "test", "lint", "bench", "soak", "catalog", "test-real", "help"}


def make_targets() -> set[str]:
    """Targets that `make help` lists."""
    return set(re.findall(r"^([a-z-]+):.*## \S", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


@pytest.mark.parametrize("path", DECISIONS, ids=lambda path: path.stem)
def test_a_decision_says_context_decision_and_consequences(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert re.match(rf"# {path.stem[:4]}\. \S", text), "opens with '# NNNN. Title'"
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == ["Context", "Decision", "Consequences"]


def test_decisions_are_numbered_without_gaps() -> None:
    assert [int(path.stem[:4]) for path in DECISIONS] == list(range(1, len(DECISIONS) + 1))


def test_every_link_between_documents_leads_somewhere() -> None:
    broken = [
        f"{named(path)} → {target}"
        for path in DOCUMENTS
        for target in _LINK.findall(path.read_text(encoding="utf-8"))
        if not (path.parent / target).exists()
    ]
    assert broken == []


def test_every_document_is_reachable_from_the_index() -> None:
    index = ROOT / "docs" / "README.md"
    reached, waiting = {index}, [index]
    while waiting:
        page = waiting.pop()
        linked = {(page.parent / target).resolve() for target in _LINK.findall(page.read_text(encoding="utf-8"))}
        fresh = {path for path in linked - reached if path.suffix == ".md" and path.exists()}
        reached |= fresh
        waiting.extend(fresh)
    lost = [named(path) for path in DOCUMENTS if path.is_relative_to(ROOT / "docs") and path not in reached]
    assert lost == []


def test_the_readme_leads_to_the_index() -> None:
    assert "docs/README.md" in _LINK.findall((ROOT / "README.md").read_text(encoding="utf-8"))


def test_the_changelog_has_a_place_for_the_next_change() -> None:
    assert "\n## [Unreleased]\n" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
