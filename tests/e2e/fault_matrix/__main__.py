"""`make fault-matrix`: runs every cell, says what is not as expected, and writes docs/fault-matrix.md."""

import sys
import time
from pathlib import Path
from typing import Final

from tests.e2e.fault_matrix.cells import cells
from tests.e2e.fault_matrix.expected import expectation
from tests.e2e.fault_matrix.report import fulfilled, page
from tests.e2e.fault_matrix.run import run

PAGE: Final = Path(__file__).resolve().parents[3] / "docs" / "fault-matrix.md"


def main() -> int:
    began = time.monotonic()
    seen = run(list(cells()))
    bad = [cell for cell, one in seen.items() if not fulfilled(cell, one)]
    for cell in bad:
        became, wrong = seen[cell]
        print(f"{cell.name}\n  expected {expectation(cell)}\n  seen     {became} {' '.join(wrong)}")
    PAGE.write_text(page(seen), encoding="utf-8")
    print(
        f"{len(seen) - len(bad)} of {len(seen)} cells as expected, in {time.monotonic() - began:.0f} s; see {PAGE.name}"
    )
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
