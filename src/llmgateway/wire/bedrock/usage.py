"""The tokens of a converse answer in our terms: what was read from or written to the cache counts as read."""

from llmgateway.domain.usage import Usage
from llmgateway.wire.bedrock.shapes import TokenUsage

_LONG: str = "1h"


def usage_of(reported: TokenUsage | None) -> Usage | None:
    """None where nothing that can be counted was reported. The cache figures have an older name besides."""
    if reported is None or (reported.inputTokens is None and reported.outputTokens is None):
        return None
    cached = _count(reported.cacheReadInputTokens, reported.cacheReadInputTokenCount)
    written = _count(reported.cacheWriteInputTokens, reported.cacheWriteInputTokenCount)
    hour = sum(_count(detail.inputTokens) for detail in reported.cacheDetails or () if detail.ttl == _LONG)
    hour = min(hour, written)
    return Usage(
        prompt_tokens=_count(reported.inputTokens) + cached + written,
        cached_tokens=cached,
        cache_write_5m_tokens=written - hour,
        cache_write_1h_tokens=hour,
        output_tokens=_count(reported.outputTokens),
    )


def _count(*reported: int | None) -> int:
    return next((max(0, count) for count in reported if count is not None), 0)
