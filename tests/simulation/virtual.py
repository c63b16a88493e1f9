"""Time that passes only when nobody has anything to do: an event loop without a world, and the engine's clock on it.

A day of requests takes as long as its work, and the same seed gives the same day to the last byte.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

from llmgateway.engine.clock import Clock

BEGAN_S: Final = 10_000.0
"""What the clock says when a day begins: not 0, which means "not yet" to many."""

T = TypeVar("T")


class _Wait:
    """Stands where the loop's selector is: there is nothing to hear of, so waiting is moving the clock on."""

    def __init__(self, loop: "VirtualLoop") -> None:
        self._loop = loop

    def select(self, timeout: float | None) -> tuple[()]:
        self._loop.move_on(timeout)
        return ()


class VirtualLoop(asyncio.BaseEventLoop):
    """`time()` jumps to the next timer once nothing is ready. Waiting without a timer is a bug, and raises."""

    def __init__(self) -> None:
        super().__init__()
        self._now = BEGAN_S
        self._selector = _Wait(self)
        self._clock_resolution = 1e-9

    def time(self) -> float:
        return self._now

    def move_on(self, timeout: float | None) -> None:
        if timeout is None:
            raise RuntimeError("the simulation waits for something that no timer will bring")
        if timeout > 0:
            timers: list[asyncio.TimerHandle] = self._scheduled  # pyright: ignore[reportAttributeAccessIssue]  # the heap of BaseEventLoop
            self._now = max(self._now, timers[0].when())

    def _process_events(self, event_list: object) -> None:
        """There are none."""

    def _write_to_self(self) -> None:
        """Nobody is woken from another thread."""


class VirtualClock(Clock):
    """The engine's clock, reading the loop's."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def now_ns(self) -> int:
        return int(self._loop.time() * 1e9)


def run(main: Coroutine[Any, Any, T], *, loop: VirtualLoop) -> T:
    """Runs to the end on virtual time."""
    try:
        return loop.run_until_complete(main)
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
