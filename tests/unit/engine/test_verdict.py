"""What a caller is told after several attempts failed in different ways."""

from typing import Any

import pytest

from llmgateway.domain import errors
from llmgateway.domain.errors import ErrorKind, UpstreamError
from llmgateway.engine.attempt import verdict


def failure(kind: ErrorKind, **fields: Any) -> UpstreamError:
    return UpstreamError(kind, kind.name, **fields)


REFUSED = failure(errors.UPSTREAM_REFUSED, status=422, code="bad", param="tools", status_code=422)
LIMITED, LIMITED_LONGER = (failure(errors.UPSTREAM_RATE_LIMITED, retry_after_s=wait) for wait in (3, 9))


@pytest.mark.parametrize(
    ("failures", "kind"),
    [
        ([failure(errors.UPSTREAM_ERROR), REFUSED, failure(errors.UPSTREAM_TIMEOUT)], errors.UPSTREAM_REFUSED),
        ([failure(errors.UPSTREAM_CONTEXT), failure(errors.UPSTREAM_ERROR)], errors.UPSTREAM_CONTEXT),
        ([LIMITED, LIMITED_LONGER], errors.UPSTREAM_RATE_LIMITED),
        ([LIMITED, failure(errors.UPSTREAM_ERROR)], errors.UPSTREAM_ERROR),
        ([failure(errors.UPSTREAM_AUTH), failure(errors.UPSTREAM_AUTH)], errors.UPSTREAM_AUTH),
        ([failure(errors.UPSTREAM_AUTH), failure(errors.UPSTREAM_TIMEOUT)], errors.UPSTREAM_TIMEOUT),
        ([failure(errors.UPSTREAM_TIMEOUT), failure(errors.UPSTREAM_UNREACHABLE)], errors.UPSTREAM_UNREACHABLE),
    ],
)
def test_of_mixed_failures_the_first_that_fits_is_told(failures: list[UpstreamError], kind: ErrorKind) -> None:
    assert verdict(failures).kind is kind


def test_credentials_that_all_fail_in_different_ways_are_one_error() -> None:
    error = verdict([failure(errors.UPSTREAM_AUTH), failure(errors.UPSTREAM_QUOTA)])
    assert (error.status, error.code) == (502, "upstream_auth_error")


def test_when_all_are_rate_limited_the_shortest_wait_is_told() -> None:
    assert verdict([LIMITED_LONGER, LIMITED, failure(errors.UPSTREAM_RATE_LIMITED)]).retry_after_s == 3


def test_a_refusal_keeps_the_providers_status_code_and_param() -> None:
    error = verdict([failure(errors.UPSTREAM_ERROR), REFUSED])
    assert (error.status, error.code, error.param) == (422, "bad", "tools")
