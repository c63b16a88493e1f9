"""What was read lately, for as long as it is asked for: bounded by the bytes that it takes and by its age.

Knows nothing of what it keeps. Least recently used goes first, and whatever nobody asked for in ten minutes goes when
the next one comes.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Final, Generic, TypeVar

MAX_AGE_S: Final = 600.0

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Lately(Generic[K, V]):
    """`max_bytes`: of all weights together; what weighs more than a quarter of it is not kept."""

    def __init__(
        self, *, max_bytes: int, max_age_s: float = MAX_AGE_S, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self.max_bytes: Final = max_bytes
        self.bytes_held = 0
        self._max_age_s = max_age_s
        self._monotonic = monotonic
        self._oldest_first: OrderedDict[K, tuple[V, int, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._oldest_first)

    def __contains__(self, key: K) -> bool:
        return key in self._oldest_first

    def get(self, key: K) -> V | None:
        """A look that does not count as use: only the caller can tell whether it is what he wanted."""
        held = self._oldest_first.get(key)
        return None if held is None else held[0]

    def touch(self, key: K) -> None:
        """It was what was wanted."""
        value, weight, _ = self._oldest_first[key]
        self._oldest_first[key] = value, weight, self._monotonic()
        self._oldest_first.move_to_end(key)

    def put(self, key: K, value: V, *, weight: int) -> None:
        """`weight`: about the bytes that key and value take, rather more."""
        self.drop(key)
        held, now = self._oldest_first, self._monotonic()
        if weight <= self.max_bytes // 4:
            held[key] = value, weight, now
            self.bytes_held += weight
        while held:
            oldest = next(iter(held))
            if self.bytes_held <= self.max_bytes and held[oldest][2] >= now - self._max_age_s:
                return
            self.drop(oldest)

    def drop(self, key: K) -> None:
        held = self._oldest_first.pop(key, None)
        if held is not None:
            self.bytes_held -= held[1]
