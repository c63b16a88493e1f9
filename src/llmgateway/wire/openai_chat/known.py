"""What one process has read of large requests lately, for those that repeat it: tools, frames and conversations.

All of it is compared byte by byte with the caller's own, so that it says nothing but what the body says: a body that
is recognised has the same `Chat` as without any memory. `request` reads what is not.
"""

import time
from collections.abc import Callable
from typing import Final

from llmgateway.wire.openai_chat.frames import Frames
from llmgateway.wire.openai_chat.glance import KnownTools
from llmgateway.wire.openai_chat.turns import Turns

MAX_BYTES: Final = 16 * 1024 * 1024


class Known:
    """`max_bytes`: of conversations; half as much may be frames. 0: neither is kept."""

    def __init__(self, *, max_bytes: int = MAX_BYTES, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.tools = KnownTools(monotonic=monotonic)
        self.frames = Frames(max_bytes=max_bytes // 2, monotonic=monotonic)
        self.turns = Turns(max_bytes=max_bytes, monotonic=monotonic)
