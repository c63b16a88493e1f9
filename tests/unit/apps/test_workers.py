"""The parent of several workers: starts, replaces and stops them, and gives their status."""

import os
import signal
import subprocess
import sys
import textwrap


def _supervised(work: str, *, count: int) -> "subprocess.Popen[str]":
    code = rf"""
    import os, signal, sys
    from llmgateway.apps.workers import supervise

    def work():
        {work}

    sys.exit(supervise(work, count={count}))
    """
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


_WAIT = r"os.write(1, b'%d\n' % os.getpid()); signal.sigwait([signal.SIGTERM]); return 0"


def test_a_stop_reaches_every_worker_and_their_status_is_the_parents() -> None:
    blocked = "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM]); " + _WAIT
    parent = _supervised(blocked, count=3)
    assert parent.stdout is not None
    workers = {int(parent.stdout.readline()) for _ in range(3)}
    assert len(workers) == 3
    parent.send_signal(signal.SIGTERM)
    _, said = parent.communicate(timeout=10)
    assert parent.returncode == 0, said


def test_a_worker_that_dies_is_replaced() -> None:
    blocked = "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM]); " + _WAIT
    parent = _supervised(blocked, count=1)
    assert parent.stdout is not None
    first = int(parent.stdout.readline())
    os.kill(first, signal.SIGKILL)
    second = int(parent.stdout.readline())
    assert second != first
    parent.send_signal(signal.SIGTERM)
    _, said = parent.communicate(timeout=10)
    assert "another" in said
