"""Reads the `usage` of messages: what was read is `input_tokens` and both cache figures together.

A stream reports at its start and again, cumulatively, at its end; a figure that is absent keeps its last value.
"""

from typing import Final

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import astuple

from llmgateway.domain.usage import Usage
from llmgateway.wire.spans import is_null


class _Written(Struct):
    ephemeral_5m_input_tokens: int | None = None
    ephemeral_1h_input_tokens: int | None = None


class _Details(Struct):
    thinking_tokens: int | None = None


class _ServerTools(Struct):
    web_search_requests: int | None = None


class ReportedUsage(Struct):
    """The figures as the wire names them."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation: _Written | None = None
    output_tokens_details: _Details | None = None
    server_tool_use: _ServerTools | None = None
    service_tier: str | None = None


_STRICT: Final = msgspec.json.Decoder(ReportedUsage)
_LAX: Final = msgspec.json.Decoder(ReportedUsage, strict=False)
_TIERS: Final = {"standard": "default"}


def read_reported(span: Raw) -> ReportedUsage | None:
    """None where there is nothing to read."""
    if is_null(span):
        return None
    try:
        return _STRICT.decode(span)
    except (msgspec.DecodeError, UnicodeDecodeError):
        try:
            return _LAX.decode(span)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None


def continued(before: ReportedUsage | None, now: ReportedUsage) -> ReportedUsage:
    if before is None:
        return now
    pairs = zip(astuple(before), astuple(now), strict=True)
    return ReportedUsage(*[old if new is None else new for old, new in pairs])


def usage_of(reported: ReportedUsage) -> Usage | None:
    """The figures in our terms; None where there are none."""
    if reported.input_tokens is None and reported.output_tokens is None:
        return None
    read = _count(reported.cache_read_input_tokens)
    split = reported.cache_creation
    short = _count(split.ephemeral_5m_input_tokens) if split is not None else 0
    long = _count(split.ephemeral_1h_input_tokens) if split is not None else 0
    written = reported.cache_creation_input_tokens
    if written is not None:
        long = min(long, _count(written))
        short = _count(written) - long
    details, tools = reported.output_tokens_details, reported.server_tool_use
    return Usage(
        prompt_tokens=_count(reported.input_tokens) + read + short + long,
        cached_tokens=read,
        cache_write_5m_tokens=short,
        cache_write_1h_tokens=long,
        output_tokens=_count(reported.output_tokens),
        reasoning_tokens=_count(details.thinking_tokens) if details is not None else 0,
        web_searches=_count(tools.web_search_requests) if tools is not None else 0,
    )


def served_tier(reported: ReportedUsage | None) -> str | None:
    """The service tier that answered, by OpenAI's name where it has one."""
    tier = reported.service_tier if reported is not None else None
    return _TIERS.get(tier, tier) if tier else None


def _count(reported: int | None) -> int:
    return reported if reported is not None and reported > 0 else 0
