"""What a model takes, read off its name in every vendor's spelling."""

import pytest

from llmgateway.wire.anthropic.models import Dialect, by_name, dialect_of
from tests.unit.wire.anthropic.asking import claude


@pytest.mark.parametrize(
    ("names", "like"),
    [
        (("claude-3-7-sonnet@20250219", "anthropic/claude-3.7-sonnet"), "claude-3-7-sonnet-20250219"),
        (("claude-opus-4@20250514", "claude-opus-4-0"), "claude-opus-4-20250514"),
        (("us.anthropic.claude-opus-4-6-v1", "databricks-claude-opus-4-6", "claude-4-6-opus"), "claude-opus-4-6"),
        (("anthropic-claude-4.5-haiku", "claude-haiku-4-5@20251001"), "claude-haiku-4-5"),
        (("anthropic.claude-3-5-sonnet-20241022-v2:0", "CLAUDE-3.5-SONNET"), "claude-3-5-sonnet-latest"),
    ],
)
def test_spellings_of_one_model(names: tuple[str, ...], like: str) -> None:
    assert [by_name(name) for name in names] == [by_name(like)] * len(names)


def test_no_claude_and_no_number_is_anybody() -> None:
    assert by_name("minimax-m2") == by_name("claude-sonnet-latest") == Dialect()


@pytest.mark.parametrize(
    ("name", "adaptive", "budget"),
    [
        ("claude-3-5-haiku-20241022", False, False), ("claude-3-7-sonnet-latest", False, True),
        ("claude-sonnet-4-5", False, True), ("claude-haiku-4-5", False, True), ("claude-sonnet-4-6", True, True),
        ("claude-opus-4-7", True, False), ("claude-sonnet-5", True, False), ("claude-fable-5-1", True, False),
        ("claude-mythos-preview", True, False), ("claude-opus-9", True, False),
    ],
)  # fmt: skip
def test_who_thinks_how(name: str, adaptive: bool, budget: bool) -> None:
    dialect = by_name(name)
    assert (dialect.adaptive, dialect.budget) == (adaptive, budget)
    assert dialect.thinks is (adaptive or budget)


def test_who_takes_system_turns_forced_tools_and_structured_outputs() -> None:
    assert [name for name in NAMES if by_name(name).system_turns] == [
        "claude-opus-4-8",
        "claude-fable-5",
        "claude-sonnet-5-5",
    ]
    assert [name for name in NAMES if not by_name(name).forced_tools] == ["claude-sonnet-5-5"]
    assert [name for name in NAMES if not by_name(name).structured] == ["claude-opus-4-1"]


NAMES = [
    "claude-opus-4-1",
    "claude-sonnet-4-5",
    "claude-opus-4-8",
    "claude-sonnet-5",
    "claude-fable-5",
    "claude-sonnet-5-5",
]


@pytest.mark.parametrize(
    ("name", "minimum"),
    [
        ("claude-sonnet-4-5", 1024), ("claude-haiku-4-5", 4096), ("claude-3-haiku-20240307", 2048),
        ("claude-opus-4-5", 4096), ("claude-opus-4-8", 1024), ("claude-sonnet-5", 1024), ("claude-opus-5-5", 512),
    ],
)  # fmt: skip
def test_the_least_that_is_cached(name: str, minimum: int) -> None:
    assert by_name(name).cache_minimum == minimum


def test_the_catalogue_has_the_last_word() -> None:
    to = claude(
        "claude-haiku-4-5", has=frozenset(("effort", "system_turns")), lacks=frozenset(("tool_choice",)), max_output=7
    )
    dialect = dialect_of(to)
    assert dialect.efforts == ("low", "medium", "high", "xhigh", "max")
    assert (dialect.system_turns, dialect.forced_tools, dialect.max_output) == (True, False, 7)
    unthinking = dialect_of(claude("claude-sonnet-5", lacks=frozenset(("reasoning",))))
    assert (unthinking.thinks, unthinking.off) == (False, "omit")
