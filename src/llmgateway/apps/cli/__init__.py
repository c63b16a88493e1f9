"""The command line: `llmgateway serve`, `simulate`, `keys`, `models`, `config`.

Exit status 0: done, 1: failed (the reason is on stderr), 2: wrong usage. Each command imports what it needs when it
runs, so that `serve` pays for none of the others.
"""

import os
import sys
from collections.abc import Sequence

from cyclopts import CycloptsError

from llmgateway.apps.cli.commands import app
from llmgateway.control.keys import KeyRefused
from llmgateway.infra.db.engine import DatabaseError
from llmgateway.infra.secrets import SecretsError
from llmgateway.infra.settings import SettingsError

FAILED = 1
WRONG_USAGE = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command line (sys.argv by default) and returns its exit status."""
    try:
        status = app(arguments, exit_on_error=False, print_error=True, result_action="return_value")
        sys.stdout.flush()
    except CycloptsError:
        return WRONG_USAGE
    except SettingsError as error:
        sys.stderr.write(f"The configuration has mistakes:\n{error}\n")
        return FAILED
    except (DatabaseError, KeyRefused, SecretsError) as error:
        sys.stderr.write(f"{error}\n")
        return FAILED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nobody reads on; the flush at exit goes there
        return FAILED
    return status if isinstance(status, int) else 0
