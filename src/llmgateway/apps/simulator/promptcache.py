"""A provider's prompt cache: remembers the prefixes of request bodies in blocks of 1,024 bytes, the least recently used
forgotten first. Any byte that differs ends the match, as with real providers."""

from collections import OrderedDict
from hashlib import blake2b

BLOCK_BYTES = 1024
TOKENS_PER_BLOCK = 256


class PromptCache:
    """Bounded by the number of blocks it remembers."""

    def __init__(self, *, max_blocks: int = 65_536) -> None:
        self._max_blocks = max_blocks
        self._blocks: OrderedDict[bytes, None] = OrderedDict()

    def recall(self, body: bytes) -> int:
        """Tokens of the longest known prefix of `body`, in whole blocks; the body is known from now on."""
        running = blake2b(digest_size=16)
        blocks = self._blocks
        known, unbroken = 0, True
        for start in range(0, len(body) - BLOCK_BYTES + 1, BLOCK_BYTES):
            running.update(body[start : start + BLOCK_BYTES])
            prefix = running.digest()
            unbroken = unbroken and prefix in blocks
            known += unbroken
            blocks[prefix] = None
            blocks.move_to_end(prefix)
        while len(blocks) > self._max_blocks:
            blocks.popitem(last=False)
        return known * TOKENS_PER_BLOCK

    def clear(self) -> None:
        self._blocks.clear()
