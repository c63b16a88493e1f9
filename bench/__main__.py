"""`python -m bench`: the same as bench/run.py."""

import sys

from bench.suite import main

if __name__ == "__main__":
    sys.exit(main())
