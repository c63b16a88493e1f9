"""docs/simulator.md says what the code does: its tables are the code's tables."""

from collections.abc import Iterable
from pathlib import Path

import pytest

from llmgateway.apps.simulator.faults import ANSWER_FAULTS, BYTE_FAULTS, CONNECTION_FAULTS, STATUS_FAULTS, FaultRow
from llmgateway.apps.simulator.models import MODELS
from llmgateway.apps.simulator.protocols import DIALECTS
from llmgateway.apps.simulator.scenario import STEERING_FIELDS, Steering

DOCS = (Path(__file__).parents[4] / "docs" / "simulator.md").read_text()


def table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    lines = [list(heads), *[list(row) for row in rows]]
    printed = [f"| {' | '.join(line)} |" for line in lines]
    return "\n".join([printed[0], "|" + "---|" * len(lines[0]), *printed[1:]]) + "\n"


def test_the_table_of_models_is_the_codes() -> None:
    assert table(("Model", "Answers"), [(f"`{row.name}`", row.answers) for row in MODELS]) in DOCS


def test_the_table_of_addresses_is_the_codes() -> None:
    rows = [(dialect.title, ", ".join([f"`{path}`" for path in dialect.paths])) for dialect in DIALECTS]
    assert table(("Protocol", "`POST`"), rows) in DOCS


def test_the_table_of_header_fields_is_the_codes_and_complete() -> None:
    assert set(STEERING_FIELDS) == set(Steering.__struct_fields__)
    assert table(("Field", "Meaning"), [(f"`{name}`", text) for name, text in STEERING_FIELDS.items()]) in DOCS


@pytest.mark.parametrize(
    "rows", [CONNECTION_FAULTS, BYTE_FAULTS, STATUS_FAULTS, ANSWER_FAULTS], ids=lambda it: it[0].name
)
def test_the_tables_of_faults_are_the_codes(rows: tuple[FaultRow, ...]) -> None:
    assert table(("Fault", "Streamed", "Whole"), [(f"`{row.name}`", row.streamed, row.whole) for row in rows]) in DOCS
