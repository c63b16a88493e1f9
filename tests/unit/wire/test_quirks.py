"""The list of quirks: what rows name is on it, the document tells of each, and patterns pick the models."""

import re
from pathlib import Path

from llmgateway.catalog.lookup import load
from llmgateway.wire.quirks import QUIRKS, complaint, quirks_for

DOCUMENT = (Path(__file__).parents[3] / "docs" / "quirks.md").read_text(encoding="utf-8")


def test_the_document_tells_of_every_quirk_and_of_no_other() -> None:
    rows = re.findall(r"^\| (`[^|]*)\|", DOCUMENT, re.MULTILINE)
    assert sorted(name for row in rows for name in re.findall(r"`([^`]+)`", row)) == sorted(QUIRKS)


def test_the_catalogue_names_none_but_these() -> None:
    wrong = [
        (row.id, quirk, complaint(quirk))
        for row in load().providers.values()
        for quirk in row.quirks
        if complaint(quirk) is not None
    ]
    assert wrong == []


def test_a_pattern_picks_the_models_a_quirk_is_for() -> None:
    quirks = ("prefix", "think_tags@qwen", "reasoning:thinking", "reasoning:fixed@qwen-1")
    assert quirks_for(quirks, "llama") == ("prefix", "reasoning:thinking")
    assert quirks_for(quirks, "qwen-1") == ("prefix", "think_tags", "reasoning:thinking", "reasoning:fixed")


def test_an_operator_can_take_a_quirk_away() -> None:
    assert quirks_for(("prefix", "think_tags", "!prefix", "!think_tags@r1"), "m") == ("think_tags",)
    assert quirks_for(("prefix", "think_tags", "!prefix", "!think_tags@r1"), "r1") == ()


def test_what_is_no_quirk_is_said() -> None:
    assert complaint("thinktags") == "no quirk is called 'thinktags'"
    assert complaint("think_tags@(") is not None
    assert complaint("!think_tags@r1") is None
