"""The error table: one row per thing that can go wrong, and what each row says holds together."""

from typing import get_args

import pytest

from llmgateway.domain import errors
from llmgateway.domain.errors import TABLE, Blames, ErrorKind, GatewayError, RoutingErrorType, UpstreamError

UPSTREAM = [kind for kind in TABLE if kind.routing != "client_error" or kind.name.startswith("upstream")]
named = pytest.mark.parametrize("kind", TABLE, ids=lambda kind: kind.name)


def test_every_row_of_the_module_is_in_the_table_once() -> None:
    rows = [value for value in vars(errors).values() if isinstance(value, ErrorKind)]
    assert list(TABLE) == rows
    assert len({kind.name for kind in TABLE}) == len(TABLE)


@named
def test_a_row_has_an_http_error_status_and_known_words(kind: ErrorKind) -> None:
    assert 400 <= kind.status <= 599
    assert kind.blames in get_args(Blames)
    assert kind.routing in get_args(RoutingErrorType)
    assert kind.code
    assert kind.type


@named
def test_type_follows_from_status(kind: ErrorKind) -> None:
    types = {401: "authentication_error", 402: "billing_error", 403: "permission_error", 429: "rate_limit_error",
             500: "server_error", 502: "upstream_error", 503: "overloaded_error", 504: "timeout_error"}  # fmt: skip
    assert kind.type == types.get(kind.status, "invalid_request_error")


@named
def test_sdks_are_told_to_come_back_only_when_that_helps(kind: ErrorKind) -> None:
    """502, 504 and upstream 429: our own retries are done. 503 and our own 429: later. Others: the SDK knows."""
    if kind in (errors.OVERLOADED, errors.RATE_LIMITED):
        assert kind.should_retry is True
    elif kind.status in (502, 504) or kind is errors.UPSTREAM_RATE_LIMITED:
        assert kind.should_retry is False
    else:
        assert kind.should_retry is None


@named
def test_the_callers_own_fault_is_not_tried_elsewhere_but_for_a_longer_context(kind: ErrorKind) -> None:
    if kind.blames == "caller":
        assert kind.retryable is (kind is errors.UPSTREAM_CONTEXT)
    elif kind.blames in ("credential", "deployment"):
        assert kind.retryable


@pytest.mark.parametrize(
    ("kind", "routing"),
    [
        (errors.UPSTREAM_REFUSED, "client_error"),
        (errors.UPSTREAM_CONTENT_FILTER, "content_filter"),
        (errors.UPSTREAM_RATE_LIMITED, "rate_limited"),
        (errors.UPSTREAM_AUTH, "auth_error"),
        (errors.UPSTREAM_QUOTA, "auth_error"),
        (errors.UPSTREAM_FORBIDDEN, "auth_error"),
        (errors.UPSTREAM_ERROR, "upstream_error"),
        (errors.UPSTREAM_UNREACHABLE, "network_error"),
        (errors.UPSTREAM_TIMEOUT, "timeout"),
        (errors.STREAM_TRUNCATED, "upstream_error"),
    ],
    ids=lambda value: getattr(value, "name", value),
)
def test_a_failed_attempt_is_told_by_its_kind(kind: ErrorKind, routing: str) -> None:
    assert kind.routing == routing


def test_an_error_takes_status_and_code_of_its_row_unless_it_has_its_own() -> None:
    plain = GatewayError(errors.UPSTREAM_REFUSED, "No.")
    assert (plain.status, plain.code, plain.param, str(plain)) == (400, "upstream_refused", None, "No.")
    own = GatewayError(errors.UPSTREAM_REFUSED, "No.", status=422, code="bad_tool", param="tools")
    assert (own.status, own.code, own.param) == (422, "bad_tool", "tools")


def test_an_attempt_without_an_http_answer_has_status_0() -> None:
    assert UpstreamError(errors.UPSTREAM_UNREACHABLE, "Gone.").status_code == 0
