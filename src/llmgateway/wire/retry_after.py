"""When a provider says to come back: the retry-after headers in all their forms, as seconds from now."""

import time
from collections.abc import Sequence
from email.utils import parsedate_to_datetime
from typing import Final

_LONGEST_S: Final = 86_400.0


def retry_after_s(headers: Sequence[tuple[bytes, bytes]]) -> float | None:
    """From `retry-after-ms`, else `retry-after` as seconds or an HTTP date. None where absent or unreadable."""
    found: dict[bytes, bytes] = {name: value for name, value in headers if name in (b"retry-after", b"retry-after-ms")}
    milliseconds = _number(found.get(b"retry-after-ms"))
    if milliseconds is not None:
        return _bounded(milliseconds / 1000)
    value = found.get(b"retry-after")
    if value is None:
        return None
    seconds = _number(value.removesuffix(b"ms"))
    if seconds is not None:
        return _bounded(seconds / 1000 if value.endswith(b"ms") else seconds)
    return _until(value)


def _until(value: bytes) -> float | None:
    try:
        moment = parsedate_to_datetime(value.decode("latin-1"))
    except (ValueError, TypeError):
        return None
    return _bounded(moment.timestamp() - time.time())


def _number(value: bytes | None) -> float | None:
    try:
        number = float(value) if value else None
    except ValueError:
        return None
    return number if number is not None and number == number else None


def _bounded(seconds: float) -> float:
    return min(max(seconds, 0.0), _LONGEST_S)
