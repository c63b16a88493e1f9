"""When a key shall end, as people say it: a span from now, or a date."""

import re
import time
from datetime import UTC, datetime

_SECONDS = {"h": 3600, "d": 86_400, "w": 7 * 86_400}


def expiry(text: str, *, now: float | None = None) -> float:
    """Seconds since 1970 of `12h`, `30d`, `4w`, `2030-01-31` or `2030-01-31T12:00` (UTC unless it says otherwise).

    Raises ValueError, in words for the one who typed it.
    """
    span = re.fullmatch(r"(\d{1,5})([hdw])", text)
    if span is not None:
        return (time.time() if now is None else now) + int(span[1]) * _SECONDS[span[2]]
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f'"{text}" given, expected a span such as 12h, 30d or 4w, or a date as 2030-01-31') from None
    return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp()


def moment(seconds: float | None) -> str | None:
    """Seconds since 1970 as a date and time in UTC."""
    return None if seconds is None else datetime.fromtimestamp(seconds, tz=UTC).isoformat(timespec="seconds")
