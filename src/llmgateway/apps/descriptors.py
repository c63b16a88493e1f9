"""File descriptors: each connection takes one, a stream two; a shell's usual 1,024 end at 500 streams.

The kernel's table of them grows by doubling, and a process with threads waits 6 to 20 ms each time (for a grace period
of RCU, `expand_fdtable` in Linux' fs/file.c), in the middle of everything. Touching a high one makes it grow once, at
the start.
"""

import fcntl
import os
import resource
from contextlib import suppress
from typing import Final

MOST: Final = 65_536
_TABLE: Final = 16_384


def make_room() -> int:
    """Raises this process's limit as far as it may, to at most `MOST`, and has the table made large. The limit then."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY:
        reachable = MOST if hard == resource.RLIM_INFINITY else min(hard, MOST)
        if reachable > soft:
            with suppress(OSError, ValueError):  # some systems allow less than they say
                resource.setrlimit(resource.RLIMIT_NOFILE, (reachable, hard))
                soft = reachable
    limit = MOST if soft == resource.RLIM_INFINITY else soft
    _touch(min(limit, _TABLE) - 1)
    return limit


def _touch(number: int) -> None:
    low = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    with suppress(OSError):  # a limit has sunk: the table grows when it must
        os.close(fcntl.fcntl(low, fcntl.F_DUPFD_CLOEXEC, number))
    os.close(low)
