"""Reads the `usage` object of OpenAI-compatible answers, with the places other vendors put the same figures.

Cached tokens: `prompt_tokens_details.cached_tokens`, else DeepSeek's `prompt_cache_hit_tokens`, else Moonshot's
`cached_tokens`. Output: `max(completion_tokens, total_tokens − prompt_tokens)`, since xAI and Google's OpenAI endpoint
leave the reasoning they bill out of `completion_tokens`.
"""

from typing import Final

import msgspec
from msgspec import Raw, Struct

from llmgateway.domain.usage import Usage
from llmgateway.wire.spans import is_null


class _Details(Struct):
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    audio_tokens: int | None = None
    image_tokens: int | None = None
    reasoning_tokens: int | None = None


class _ServerTools(Struct):
    web_search_requests: int | None = None


class _Usage(Struct):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    prompt_tokens_details: _Details | None = None
    completion_tokens_details: _Details | None = None
    prompt_cache_hit_tokens: int | None = None
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None
    num_search_queries: int | None = None
    server_tool_use: _ServerTools | None = None


_STRICT: Final = msgspec.json.Decoder(_Usage)
_LAX: Final = msgspec.json.Decoder(_Usage, strict=False)
_NONE: Final = _Details()


def read_usage(span: Raw | None) -> Usage | None:
    """None where the provider reported nothing that can be counted."""
    if span is None or is_null(span):
        return None
    try:
        reported = _STRICT.decode(span)
    except (msgspec.DecodeError, UnicodeDecodeError):
        try:
            reported = _LAX.decode(span)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None
    if reported.prompt_tokens is None and reported.completion_tokens is None and reported.total_tokens is None:
        return None
    return _normalised(reported)


def _normalised(reported: _Usage) -> Usage:
    prompt = reported.prompt_tokens or 0
    read = reported.prompt_tokens_details or _NONE
    written = reported.completion_tokens_details or _NONE
    if read.cached_tokens is not None:
        cached = read.cached_tokens
    elif reported.prompt_cache_hit_tokens is not None:
        cached = reported.prompt_cache_hit_tokens
    else:
        cached = reported.cached_tokens or 0
    if written.reasoning_tokens is not None:
        reasoning = written.reasoning_tokens
    else:
        reasoning = reported.reasoning_tokens or 0
    searches = reported.server_tool_use.web_search_requests if reported.server_tool_use else reported.num_search_queries
    return Usage(
        prompt_tokens=max(prompt, 0),
        cached_tokens=max(cached, 0),
        cache_write_5m_tokens=max(read.cache_write_tokens or 0, 0),
        output_tokens=max(reported.completion_tokens or 0, (reported.total_tokens or 0) - prompt, 0),
        reasoning_tokens=max(reasoning, 0),
        input_audio_tokens=read.audio_tokens or 0,
        input_image_tokens=read.image_tokens or 0,
        output_audio_tokens=written.audio_tokens or 0,
        output_image_tokens=written.image_tokens or 0,
        web_searches=max(searches or 0, 0),
    )
