"""Raw JSON spans of a provider's object: small readers that never raise."""

from typing import Any, Final

import msgspec
from msgspec import Raw

NULL: Final = Raw(b"null")


def is_null(span: Raw) -> bool:
    return len(span) == 4 and bytes(span) == b"null"


def value_of(span: Raw) -> Any:
    """What the span holds; None where it cannot be read."""
    try:
        return msgspec.json.decode(span)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def text_of(span: Raw | None) -> str | None:
    """The string the span holds; None for anything else and for an empty one."""
    value = None if span is None else value_of(span)
    return value if isinstance(value, str) and value else None
