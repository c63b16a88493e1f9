"""Several serving processes on one listening socket: a parent that starts, restarts and stops them, and serves nothing.

Workers are forked before any of them opens a loop, a thread or a database.
"""

import logging
import os
import signal
from collections.abc import Callable
from typing import Final

_RESTART_PAUSE_S: Final = 1.0
_PASSED_ON: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_log = logging.getLogger("llmgateway")


def supervise(work: Callable[[], int], *, count: int) -> int:
    """Runs `work` in `count` processes until SIGTERM or SIGINT; a worker that dies is replaced. The exit status."""
    supervisor = _Supervisor(work)
    for number in _PASSED_ON:
        signal.signal(number, supervisor.pass_on)
    for _ in range(count):
        supervisor.start()
    return supervisor.watch()


class _Supervisor:
    def __init__(self, work: Callable[[], int]) -> None:
        self._work = work
        self._workers: set[int] = set()
        self._stopping = False
        self._status = 0

    def start(self) -> None:
        worker = os.fork()
        if worker == 0:
            for number in _PASSED_ON:
                signal.signal(number, signal.SIG_DFL)
            os._exit(self._work())
        self._workers.add(worker)

    def pass_on(self, number: int, _frame: object) -> None:
        self._stopping = self._stopping or number != signal.SIGHUP
        for worker in self._workers:
            os.kill(worker, number)

    def watch(self) -> int:
        """Returns once every worker has ended after a signal to stop."""
        while self._workers:
            worker, status = os.wait()
            self._workers.discard(worker)
            code = os.waitstatus_to_exitcode(status)
            if self._stopping:
                self._status = self._status or code
            else:
                _log.error("worker %d ended with status %d; starting another", worker, code)
                signal.sigtimedwait((), _RESTART_PAUSE_S)
                self.start()
        return self._status
