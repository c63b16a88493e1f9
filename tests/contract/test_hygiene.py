"""What may not be in the repository: unpinned packages, addresses of registries, traces of one machine or person."""

import re
from pathlib import Path

import pytest

from tests.contract.tree import ROOT, files, named, pyproject

REQUIREMENTS = sorted(ROOT.glob("requirements*.txt"))
RUNTIME_PACKAGES = 35
TRACES = {
    "a package registry's address": r"pypi\.org|pythonhosted\.org|registry\.npmjs|proxy\.golang|index\.crates",
    "a path of one machine": r"(?<![\w.])/(?:root|work|home/[a-z]+|Users/[A-Za-z]+|opt/(?:pypi|wheels))/",
    "a person's address": r"\b[\w.+-]+@(?!example\.)[a-z0-9-]+\.(?:com|org|net|io|dev|ai)\b",
    "a working paper outside the repository": r"\.\./shared|\b(?:decisions|operations|hostile-input|platform)\.md",
}
_PIN = re.compile(r"^(?P<name>[a-z0-9-]+)==(?P<version>[^\s;]+)", re.MULTILINE)


@pytest.mark.parametrize("path", REQUIREMENTS, ids=lambda path: path.name)
def test_requirements_are_pinned_by_hash_and_name_no_address(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    entries = re.split(r"\n(?=\S)", re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE).strip())
    assert [entry for entry in entries if not _PIN.match(entry) or "--hash=sha256:" not in entry] == []
    assert re.findall(r"://|^-.*$|\sfile:", text, re.MULTILINE) == []


def test_development_adds_to_the_runtime_pins_and_changes_none() -> None:
    runtime, development = pins("requirements.txt"), pins("requirements-dev.txt")
    assert {name: development.get(name) for name in runtime} == runtime


def test_every_declared_dependency_is_pinned() -> None:
    declared = {re.split(r"[>\[]", entry)[0] for entry in pyproject()["project"]["dependencies"]}
    developers = {re.split(r"[>\[]", entry)[0] for entry in pyproject()["dependency-groups"]["dev"]}
    assert declared - set(pins("requirements.txt")) == set()
    assert developers - set(pins("requirements-dev.txt")) == set()


def test_the_gateway_stays_small_to_install() -> None:
    assert len(pins("requirements.txt")) <= RUNTIME_PACKAGES


@pytest.mark.parametrize("trace", TRACES)
def test_the_repository_carries_no(trace: str) -> None:
    pattern = re.compile(TRACES[trace])
    found = [
        f"{named(path)}:{number} {match[0]}"
        for path in files()
        if path != Path(__file__).resolve() and path.suffix not in {".xz", ".gz", ".png", ".ico"}
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1)
        if (match := pattern.search(line))
    ]
    assert found == []


def pins(name: str) -> dict[str, str]:
    return dict(_PIN.findall((ROOT / name).read_text(encoding="utf-8")))
