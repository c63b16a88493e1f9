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
    """The figures in our terms; None where there are none. A negative one counts as 0."""
    prompt, output, total = reported.prompt_tokens, reported.completion_tokens, reported.total_tokens
    if prompt is None and output is None and total is None:
        return None
    prompt, output = prompt or 0, output or 0
    if total is not None and total - prompt > output:
        output = total - prompt
    read = reported.prompt_tokens_details or _NONE
    written = reported.completion_tokens_details or _NONE
    cached, reasoning, searches = read.cached_tokens, written.reasoning_tokens, reported.num_search_queries
    if cached is None:
        cached = reported.prompt_cache_hit_tokens
        if cached is None:
            cached = reported.cached_tokens
    if reasoning is None:
        reasoning = reported.reasoning_tokens
    if reported.server_tool_use is not None:
        searches = reported.server_tool_use.web_search_requests
    counts = (
        prompt,
        cached or 0,
        read.cache_write_tokens or 0,
        0,
        output,
        reasoning or 0,
        read.audio_tokens or 0,
        read.image_tokens or 0,
        written.audio_tokens or 0,
        written.image_tokens or 0,
        searches or 0,
    )
    return Usage(*counts) if min(counts) >= 0 else usage_of(_floored(reported))


def _floored(reported: Any) -> Any:
    """Without negative figures."""
    values = [max(0, value) if isinstance(value, int) else value and _floored(value) for value in astuple(reported)]
    return type(reported)(*values)
