"""Time as the engine sees it, so that a simulation can be its clock."""

import asyncio
import time
from typing import Final


class Clock:
    """Monotonic; a pause is a sleep of the event loop's."""

    def now_ns(self) -> int:
        return time.monotonic_ns()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


REAL: Final = Clock()
