"""How long a request may take over all its attempts, and how long silence is borne in one of them."""

from typing import Final

import msgspec

from llmgateway.domain import errors
from llmgateway.domain.errors import UpstreamError
from llmgateway.domain.policy import RoutingPolicy
from llmgateway.domain.routing import Mapping, Timeouts
from llmgateway.engine.exchange import Exchange

_UNSET: Final = Timeouts()
_REQUEST_TIMEOUT: Final = 408


def allowed_s(*, streamed: bool, asked_s: float | None, policy: RoutingPolicy) -> float:
    """From the request's arrival to its end; a caller may ask for less, not for more."""
    limit_s = policy.deadline_stream_s if streamed else policy.deadline_s
    return asked_s if asked_s is not None and asked_s < limit_s else limit_s


def patience(timeouts: Timeouts, mapping: Mapping, *, streamed: bool, policy: RoutingPolicy) -> Timeouts:
    """A provider's timeouts as they hold until the first content of an answer.

    Whole answers and models that reason are slow to begin, and models that reason fall silent before they speak:
    there the policy's numbers hold, unless somebody has set the provider's own.
    """
    reasons = "reasoning" in mapping.has
    first_byte, idle = timeouts.first_byte, timeouts.idle
    if (reasons or not streamed) and first_byte == _UNSET.first_byte:
        first_byte = policy.first_byte_slow_s
    if reasons and idle == _UNSET.idle:
        idle = policy.idle_reasoning_s
    if (first_byte, idle) == (timeouts.first_byte, timeouts.idle):
        return timeouts
    return msgspec.structs.replace(timeouts, first_byte=first_byte, idle=idle)


def hurried(exchange: Exchange, error: UpstreamError) -> bool:
    """Whether an attempt ran out of the request's time, having had too little of it to be blamed.

    Too little is less than half of what it may take to its first byte: the caller asked for less, or attempts before
    this one took the rest.
    """
    if error.kind is not errors.UPSTREAM_TIMEOUT or error.status_code == _REQUEST_TIMEOUT:
        return False
    if exchange.clock.now_ns() < exchange.deadline_ns:
        return False
    tried = exchange.attempts[-1]
    to = tried.deployment
    streamed = exchange.chat is not None and exchange.chat.streamed
    bearable_s = (to.timeouts if streamed else to.timeouts_whole).first_byte
    return exchange.deadline_ns - tried.started_ns < bearable_s * 500_000_000
