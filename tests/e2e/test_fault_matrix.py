"""Every fault of a provider through the gateway's own plan, attempts and health: what becomes of the request, of its
records and of the provider is what was written down before. `make fault-matrix` prints it."""

import pytest

from llmgateway.apps.simulator.faults import FAULTS
from tests.e2e.fault_matrix.cells import DIAL, Cell, cells
from tests.e2e.fault_matrix.expected import DIFFERING, RULES, expectation
from tests.e2e.fault_matrix.run import Seen, run

CELLS = list(cells())


@pytest.fixture(scope="module")
def seen() -> dict[Cell, Seen]:
    return run(CELLS)


def test_every_fault_has_a_rule_and_no_rule_is_for_nothing() -> None:
    assert RULES.keys() == {*FAULTS, DIAL}
    known = {(cell.fault, cell.protocol, cell.streamed) for cell in CELLS}
    assert DIFFERING.keys() <= known


@pytest.mark.parametrize("cell", CELLS, ids=[cell.name for cell in CELLS])
def test_it_becomes_what_was_expected(seen: dict[Cell, Seen], cell: Cell) -> None:
    became, wrong = seen[cell]
    expected = expectation(cell)
    if not expected.error[1]:
        expected = expected._replace(error=(expected.error[0], became.error[1]))
    assert (became, wrong) == (expected, ())
