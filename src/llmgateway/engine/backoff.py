"""When the same credential may be asked once more, and how long to wait before that."""

import random
from typing import Final

from llmgateway.domain import errors
from llmgateway.domain.errors import UpstreamError
from llmgateway.domain.policy import RoutingPolicy

_SERVER_ERRORS: Final = 500
_EARLY_S: Final = 0.002
"""By so much a timer may go off before its time: what rests until then would still rest."""


def pause_s(error: UpstreamError, *, repeats: int, policy: RoutingPolicy, draw: random.Random) -> float | None:
    """Seconds to wait before repeat number `repeats` + 1; None where asking again would not help.

    Exponential back-off with full jitter (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/),
    on top of what the provider asks for.
    """
    if repeats >= policy.same_credential_retries or not _passing(error):
        return None
    asked_s = error.retry_after_s or 0.0
    if asked_s > policy.retry_after_short_s:
        return None
    if asked_s:
        asked_s += _EARLY_S
    return asked_s + draw.random() * min(policy.backoff_max_s, policy.backoff_s * 2**repeats)


def _passing(error: UpstreamError) -> bool:
    """Connections that failed, server errors, and rate limits that say when to come back."""
    if not error.kind.retryable:
        return False
    if error.kind is errors.UPSTREAM_UNREACHABLE:
        return error.status_code == 0
    if error.kind is errors.UPSTREAM_RATE_LIMITED:
        return error.retry_after_s is not None
    return error.status_code >= _SERVER_ERRORS
