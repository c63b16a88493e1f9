"""The bench as a script: makes the package importable from anywhere and hands over to bench.suite."""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])

from bench.suite import main  # noqa: E402  the line above makes the package importable

if __name__ == "__main__":
    sys.exit(main())
