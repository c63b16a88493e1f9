"""Reads the `usage` of a response: tokens, and web searches where the provider counts them.

OpenAI counts searches in `tool_usage`, xAI in `server_side_tool_usage_details`; where neither is told, the calls among
the output items count.
"""

from typing import Any, Final, TypeVar

import msgspec
from msgspec import Struct

from llmgateway.domain.usage import Usage


class _Read(Struct):
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    audio_tokens: int | None = None
    image_tokens: int | None = None


class _Written(Struct):
    reasoning_tokens: int | None = None
    audio_tokens: int | None = None
    image_tokens: int | None = None


class _ServerTools(Struct):
    web_search_calls: int | None = None


class _Reported(Struct):
    input_tokens: int | None = None
    output_tokens: int | None = None
    input_tokens_details: _Read | None = None
    output_tokens_details: _Written | None = None
    server_side_tool_usage_details: _ServerTools | None = None


class _Searches(Struct):
    num_requests: int | None = None


class _ToolUsage(Struct):
    web_search: _Searches | None = None


_T = TypeVar("_T")
_NO_READ: Final = _Read()
_NO_WRITTEN: Final = _Written()


def read_usage(usage: Any, *, tool_usage: Any = None, searches: int = 0) -> Usage | None:
    """None where nothing that can be counted was reported. `searches`: web searches among the output items."""
    reported = _converted(usage, _Reported)
    if reported is None or (reported.input_tokens is None and reported.output_tokens is None):
        return None
    read = reported.input_tokens_details or _NO_READ
    written = reported.output_tokens_details or _NO_WRITTEN
    return Usage(
        _count(reported.input_tokens),
        _count(read.cached_tokens),
        _count(read.cache_write_tokens),
        0,
        _count(reported.output_tokens),
        _count(written.reasoning_tokens),
        _count(read.audio_tokens),
        _count(read.image_tokens),
        _count(written.audio_tokens),
        _count(written.image_tokens),
        _searches(reported, tool_usage, searches),
    )


def _searches(reported: _Reported, tool_usage: Any, seen: int) -> int:
    tools = _converted(tool_usage, _ToolUsage)
    if tools is not None and tools.web_search is not None and tools.web_search.num_requests is not None:
        return _count(tools.web_search.num_requests)
    server = reported.server_side_tool_usage_details
    return seen if server is None or server.web_search_calls is None else _count(server.web_search_calls)


def _converted(value: Any, kind: type[_T]) -> _T | None:
    if not isinstance(value, dict):
        return None
    try:
        return msgspec.convert(value, kind, strict=False)
    except msgspec.ValidationError:
        return None


def _count(reported: int | None) -> int:
    return reported if reported is not None and reported > 0 else 0
