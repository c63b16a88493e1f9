"""Raw JSON spans of a provider's object: small readers that never raise."""

import re
from typing import Any, Final

import msgspec
from msgspec import Raw

NULL: Final = Raw(b"null")
_SURROGATE: Final = re.compile(
    rb"(?<!\\)((?:\\\\)*)(?:(\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})|\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
)


def is_null(span: Raw) -> bool:
    return len(span) == 4 and bytes(span) == b"null"


def value_of(span: Raw) -> Any:
    """What the span holds; None where it cannot be read."""
    try:
        return msgspec.json.decode(span)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def beneath(span: Raw, said: Any) -> Any:
    """What was said of an object, with the members that the caller's own has besides."""
    try:
        return msgspec.json.decode(span, type=dict[str, Raw]) | said
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, TypeError):
        return said


def text_of(span: Raw | None) -> str | None:
    """The string the span holds; None for anything else and for an empty one."""
    value = None if span is None else value_of(span)
    return value if isinstance(value, str) and value else None


def without_lone_surrogates(text: bytes) -> bytes | None:
    """The JSON text with each unpaired \\uD800-\\uDFFF escape as \\uFFFD; None if there was none.

    They occur on real wires, where somebody cut a text between the two halves of a character.
    """

    def mended(match: re.Match[bytes]) -> bytes:
        return match.group(0) if match.group(2) else match.group(1) + b"\\ufffd"

    repaired = _SURROGATE.sub(mended, text)
    return repaired if repaired != text else None
