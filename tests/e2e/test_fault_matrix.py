"""Every fault of a provider through the gateway's own plan, attempts and health: what becomes of the request, of its
records and of the provider is what was written down before. `make fault-matrix` prints it."""

import pytest

from llmgateway.apps.simulator.faults import FAULTS
from tests.e2e.fault_matrix.__main__ import PAGE
from tests.e2e.fault_matrix.cells import DIAL, Cell, cells
from tests.e2e.fault_matrix.expected import DIFFERING, RULES, expectation
from tests.e2e.fault_matrix.report import fulfilled, page
from tests.e2e.fault_matrix.run import Seen, run

CELLS = list(cells())


@pytest.fixture(scope="module")
def seen() -> dict[Cell, Seen]:
    return run(CELLS)


def test_every_fault_has_a_rule_and_no_rule_is_for_nothing() -> None:
    assert RULES.keys() == {*FAULTS, DIAL}
    assert DIFFERING.keys() <= {(cell.fault, cell.protocol, cell.streamed) for cell in CELLS}
    for (fault, _, streamed), (rule, _) in DIFFERING.items():
        assert rule != RULES[fault][0 if streamed else 1], fault


@pytest.mark.parametrize("cell", CELLS, ids=[cell.name for cell in CELLS])
def test_it_becomes_what_was_expected(seen: dict[Cell, Seen], cell: Cell) -> None:
    assert fulfilled(cell, seen[cell]), f"expected {expectation(cell)}, seen {seen[cell]}"


def test_the_page_says_what_was_seen(seen: dict[Cell, Seen]) -> None:
    assert PAGE.read_text(encoding="utf-8") == page(seen), "run make fault-matrix"
