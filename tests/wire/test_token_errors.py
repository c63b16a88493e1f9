"""The token estimate on recorded prompts: within 10 % for each family with enough of them, as docs/tokens.md says."""

import statistics

import pytest

from llmgateway.engine.token_families import FAMILIES
from tests.support.corpus import needs_corpora
from tests.wire.token_errors import BEGIN, END, PAGE, error, measured, report

pytestmark = needs_corpora
ENOUGH = 10


@pytest.mark.parametrize("kind", ["text", "tools"])
def test_half_of_all_prompts_are_well_within_ten_percent(kind: str) -> None:
    errors = [error(one) for one in measured() if one.kind == kind]
    assert len(errors) > 400
    assert statistics.median(errors) <= 0.05
    assert sum(value <= 0.1 for value in errors) / len(errors) >= 0.75


def test_half_of_each_familys_prompts_are_within_ten_percent() -> None:
    off: dict[str, float] = {}
    for family in FAMILIES[:-1]:  # the last is a mixture of what is not known
        errors = [error(one) for one in measured() if one.family.name == family.name and one.kind in ("text", "tools")]
        if len(errors) >= ENOUGH:
            off[family.name] = statistics.median(errors)
    assert len(off) >= 15
    assert {name: value for name, value in off.items() if value > 0.1} == {}


def test_the_page_says_what_is_measured() -> None:
    told = PAGE.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0]
    assert report().strip() in told, "run `make tokens`"
