"""A recorded answer as the network of a vendor's SDK: whatever its HTTP client asks, that is what comes back."""

from typing import Any

import httpx
import httpx2

from tests.support.corpus import Recording

BASE_URL = "http://recorded.test"


def old_client(recording: Recording, **options: Any) -> httpx.Client:
    """For SDKs that speak through httpx."""
    answer = httpx.Response(recording.status, headers=list(recording.headers), content=recording.body)
    return httpx.Client(transport=httpx.MockTransport(lambda _: answer), **options)


def client(recording: Recording) -> httpx2.Client:
    """For SDKs that speak through httpx2."""
    answer = httpx2.Response(recording.status, headers=list(recording.headers), content=recording.body)
    return httpx2.Client(transport=httpx2.MockTransport(lambda _: answer))
