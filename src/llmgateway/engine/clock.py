"""Time as the engine sees it, so that a simulation can be its clock."""

import asyncio
import time
from typing import TYPE_CHECKING, Final

SECOND_NS: Final = 1_000_000_000


class Clock:
    """Monotonic; a pause is a sleep of the event loop's."""

    if TYPE_CHECKING:

        def now_ns(self) -> int: ...

    else:
        now_ns = staticmethod(time.monotonic_ns)  # no frame of its own: a request asks ten times

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


REAL: Final = Clock()
