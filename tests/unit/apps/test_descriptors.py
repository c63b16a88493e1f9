"""Room for connections: the limit is raised as far as it may be, and the kernel's table is large from the start."""

import subprocess
import sys
import textwrap

import pytest

from llmgateway.apps.descriptors import MOST


def _in_a_process(soft: int, hard: int) -> list[int]:
    """What it returned, the limits then, and how many descriptors the kernel has room for."""
    code = f"""
    import re, resource
    from llmgateway.apps.descriptors import make_room
    resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}))
    told = make_room()
    room = re.search(r"FDSize:\\s*([0-9]+)", open("/proc/self/status").read())
    print(told, *resource.getrlimit(resource.RLIMIT_NOFILE), room[1])
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True)
    return [int(word) for word in done.stdout.split()]


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(("soft", "hard"), [(256, 4_096), (4_096, 4_096), (256, 20_000)])
def test_the_limit_and_the_table_are_as_large_as_they_may_be(soft: int, hard: int) -> None:
    reached = min(hard, MOST)
    told, now_soft, now_hard, room = _in_a_process(soft, hard)
    assert (told, now_soft, now_hard) == (reached, reached, hard)
    assert room >= min(reached, 16_384)
