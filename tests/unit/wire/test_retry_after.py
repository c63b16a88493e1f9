"""When a provider says to come back, in all its forms."""

import time
from email.utils import formatdate

import pytest

from llmgateway.wire.retry_after import retry_after_s


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({b"retry-after": b"2"}, 2),
        ({b"retry-after": b"1.5"}, 1.5),
        ({b"retry-after": b"1500ms"}, 1.5),
        ({b"retry-after-ms": b"1574", b"retry-after": b"2"}, 1.574),
        ({b"retry-after-ms": b"soon", b"retry-after": b"2"}, 2),
        ({b"retry-after": b"-5"}, 0),
        ({b"retry-after": b"1e300"}, 86_400),
        ({b"retry-after": b"inf"}, 86_400),
        ({b"retry-after": b"nan"}, None),
        ({b"retry-after": b""}, None),
        ({b"retry-after": b"soon"}, None),
        ({b"retry-after": b"\xff\xfe"}, None),
        ({}, None),
    ],
)
def test_seconds_and_milliseconds(headers: dict[bytes, bytes], seconds: float | None) -> None:
    assert retry_after_s(list(headers.items())) == seconds


def test_a_date_counts_from_now() -> None:
    found = retry_after_s([(b"retry-after", formatdate(time.time() + 90, usegmt=True).encode())])
    assert found is not None
    assert 85 < found < 91


def test_a_date_that_has_passed_means_at_once() -> None:
    assert retry_after_s([(b"retry-after", b"Wed, 21 Oct 2015 07:28:00 GMT")]) == 0
