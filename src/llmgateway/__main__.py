"""`python -m llmgateway`: the command line."""

import sys

from llmgateway.apps.cli import main

if __name__ == "__main__":
    sys.exit(main())
