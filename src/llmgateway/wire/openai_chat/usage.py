"""Reads the `usage` object of OpenAI-compatible answers, with the places other vendors put the same figures.

Cached tokens: `prompt_tokens_details.cached_tokens`, else DeepSeek's `prompt_cache_hit_tokens`, else Moonshot's
`cached_tokens`. Output: `max(completion_tokens, total_tokens − prompt_tokens)`, since xAI and Google's OpenAI endpoint
leave the reasoning they bill out of `completion_tokens`.
"""

from typing import Any, Final

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import astuple

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


class ReportedUsage(Struct):
    """The figures as the wire names them."""

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


_STRICT: Final = msgspec.json.Decoder(ReportedUsage)
_LAX: Final = msgspec.json.Decoder(ReportedUsage, strict=False)
_NONE: Final = _Details()


def read_usage(span: Raw | None) -> Usage | None:
    """None where the provider reported nothing that can be counted."""
    reported = read_reported(span)
    return None if reported is None else usage_of(reported)


def read_reported(span: Raw | None) -> ReportedUsage | None:
    """The figures as they stand on the wire; None where there is nothing to read."""
    if span is None or is_null(span):
        return None
    try:
        return _STRICT.decode(span)
    except (msgspec.DecodeError, UnicodeDecodeError):
        try:
            return _LAX.decode(span)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None


def continued(before: ReportedUsage, now: ReportedUsage) -> ReportedUsage:
    """Cumulative usage of a stream: the last value counts, and a figure that is absent keeps its last one."""
    if _shape(now) == _shape(before):
        return now
    values = [_continued(*pair) for pair in zip(astuple(before), astuple(now), strict=True)]
    return ReportedUsage(*values)


def _shape(reported: ReportedUsage) -> list[bool]:
    """Which figures are there; providers send the same ones in every event."""
    shape = [value is None for value in astuple(reported)]
    for details in (reported.prompt_tokens_details, reported.completion_tokens_details):
        if details is not None:
            shape += [value is None for value in astuple(details)]
    return shape


def _continued(before: Any, now: Any) -> Any:
    if isinstance(before, _Details) and isinstance(now, _Details):
        return _Details(*[_continued(*pair) for pair in zip(astuple(before), astuple(now), strict=True)])
    return before if now is None else now


def usage_of(reported: ReportedUsage) -> Usage | None:
    """The figures in our terms; None where there are none."""
    if reported.prompt_tokens is None and reported.completion_tokens is None and reported.total_tokens is None:
        return None
    prompt = _count(reported.prompt_tokens)
    output = _count(reported.completion_tokens)
    if reported.total_tokens is not None and reported.total_tokens - prompt > output:
        output = reported.total_tokens - prompt
    read = reported.prompt_tokens_details or _NONE
    written = reported.completion_tokens_details or _NONE
    if read.cached_tokens is not None:
        cached = read.cached_tokens
    elif reported.prompt_cache_hit_tokens is not None:
        cached = reported.prompt_cache_hit_tokens
    else:
        cached = reported.cached_tokens
    reasoning = reported.reasoning_tokens if written.reasoning_tokens is None else written.reasoning_tokens
    searches = reported.server_tool_use.web_search_requests if reported.server_tool_use else reported.num_search_queries
    return Usage(
        prompt,
        _count(cached),
        _count(read.cache_write_tokens),
        0,
        output,
        _count(reasoning),
        _count(read.audio_tokens),
        _count(read.image_tokens),
        _count(written.audio_tokens),
        _count(written.image_tokens),
        _count(searches),
    )


def _count(reported: int | None) -> int:
    return reported if reported is not None and reported > 0 else 0
