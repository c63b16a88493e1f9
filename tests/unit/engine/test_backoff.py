"""Asking the same credential again: after which failures, how often, and after which pause."""

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmgateway.domain import errors
from llmgateway.domain.errors import ErrorKind, UpstreamError
from llmgateway.domain.policy import RoutingPolicy
from llmgateway.engine.backoff import pause_s

POLICY = RoutingPolicy()


def failure(kind: ErrorKind, **fields: Any) -> UpstreamError:
    return UpstreamError(kind, kind.name, **fields)


UNREACHABLE = failure(errors.UPSTREAM_UNREACHABLE)
BROKEN = failure(errors.UPSTREAM_ERROR, status_code=500)


def pause(error: UpstreamError, *, repeats: int = 0, policy: RoutingPolicy = POLICY, seed: int = 1) -> float | None:
    return pause_s(error, repeats=repeats, policy=policy, draw=random.Random(seed))


@pytest.mark.parametrize(
    "error",
    [
        UNREACHABLE,
        BROKEN,
        failure(errors.UPSTREAM_ERROR, status_code=529),
        failure(errors.UPSTREAM_RATE_LIMITED, status_code=429, retry_after_s=5),
    ],
    ids=["connection", "500", "529", "short retry-after"],
)
def test_what_passes_is_tried_again(error: UpstreamError) -> None:
    assert pause(error) is not None


@pytest.mark.parametrize(
    "error",
    [
        failure(errors.UPSTREAM_UNREACHABLE, status_code=200),
        failure(errors.UPSTREAM_TIMEOUT),
        failure(errors.UPSTREAM_ERROR, status_code=200),
        failure(errors.UPSTREAM_ERROR, status_code=404),
        failure(errors.UPSTREAM_ERROR, status_code=409),
        failure(errors.UPSTREAM_RATE_LIMITED, status_code=429),
        failure(errors.UPSTREAM_RATE_LIMITED, status_code=429, retry_after_s=5.1),
        failure(errors.UPSTREAM_ERROR, status_code=503, retry_after_s=60),
        failure(errors.UPSTREAM_AUTH, status_code=401),
        failure(errors.UPSTREAM_QUOTA, status_code=402),
        failure(errors.UPSTREAM_REFUSED, status_code=422),
        failure(errors.UPSTREAM_CONTEXT, status_code=413),
        failure(errors.LOOP_DETECTED, status_code=508),
    ],
    ids=[
        *(
            "reset while reading",
            "timeout",
            "unreadable",
            "404",
            "409",
            "429",
            "long retry-after",
            "long one of a 503",
        ),
        *("401", "402", "422", "413", "508"),
    ],
)
def test_what_stays_is_not(error: UpstreamError) -> None:
    assert pause(error) is None


def test_twice_and_no_more() -> None:
    assert [pause(BROKEN, repeats=repeats) is None for repeats in range(4)] == [False, False, True, True]
    assert pause(BROKEN, policy=RoutingPolicy(same_credential_retries=0)) is None


@given(seed=st.integers(0, 2**32), repeats=st.integers(0, 15), base=st.floats(0.01, 10), most=st.floats(0.01, 60))
def test_a_pause_is_anything_up_to_a_bound_that_doubles(seed: int, repeats: int, base: float, most: float) -> None:
    policy = RoutingPolicy(same_credential_retries=16, backoff_s=base, backoff_max_s=most)
    found = pause(BROKEN, repeats=repeats, policy=policy, seed=seed)
    assert found is not None
    assert 0 <= found <= min(most, base * 2**repeats)


def test_full_jitter_fills_all_of_it() -> None:
    found = [pause(BROKEN, repeats=1, seed=seed) or 0 for seed in range(1000)]
    assert min(found) < 0.01
    assert max(found) > 0.99
    assert 0.45 < sum(found) / len(found) < 0.55


@given(asked=st.floats(0, 5), seed=st.integers(0, 1000))
def test_what_the_provider_asks_for_passes_first(asked: float, seed: int) -> None:
    found = pause(failure(errors.UPSTREAM_RATE_LIMITED, status_code=429, retry_after_s=asked), seed=seed)
    assert found is not None
    assert asked <= found <= asked + POLICY.backoff_s + 0.002
    assert asked == 0 or found >= asked + 0.002  # a timer that goes off early does not find it resting
