"""The prompt cache compares raw bytes in whole blocks and stays bounded."""

from llmgateway.apps.simulator.promptcache import BLOCK_BYTES, TOKENS_PER_BLOCK, PromptCache


def test_only_whole_equal_blocks_from_the_beginning_count() -> None:
    cache = PromptCache()
    body = bytes(range(256)) * 20
    assert cache.recall(body) == 0
    assert cache.recall(body) == 5 * TOKENS_PER_BLOCK
    assert cache.recall(body[: BLOCK_BYTES * 2 + 1023]) == 2 * TOKENS_PER_BLOCK
    assert cache.recall(b"!" + body[1:]) == 0
    assert cache.recall(body[: BLOCK_BYTES * 3] + b"?" * 5000) == 3 * TOKENS_PER_BLOCK
    assert cache.recall(b"short") == 0


def test_the_least_recently_used_prefix_is_forgotten_first() -> None:
    cache = PromptCache(max_blocks=2)
    first, second, third = (bytes([i]) * BLOCK_BYTES for i in range(3))
    for body in (first, second, first, third):
        cache.recall(body)
    assert cache.recall(first) == TOKENS_PER_BLOCK
    assert cache.recall(second) == 0
