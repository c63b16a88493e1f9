"""Who rests after failing: three in a row, refusals, rate limits; what one failure says of others, and what not."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmgateway.domain import errors
from llmgateway.domain.errors import ErrorKind
from llmgateway.domain.policy import RoutingPolicy
from llmgateway.domain.routing import Deployment
from tests.unit.engine.health_cases import A1, A2, B1, B2, C1, Case, deployment

OTHER = deployment("a", of="other")
SAME_KEY = msgspec.structs.replace(deployment("d", of="other"), credential=A1.credential)
"""One secret may be the key of two providers, and servers that want none have the same none."""
FAILURES = [kind for kind in errors.TABLE if kind.blames == "deployment"]


@pytest.mark.parametrize("kind", FAILURES, ids=lambda kind: kind.name)
def test_three_failures_in_a_row_bench_for_half_a_minute(kind: ErrorKind) -> None:
    case = Case()
    case.lose(A1, kind, times=2)
    assert case.open(A1) == [True]
    case.lose(A1, kind)
    assert case.open(A1, OTHER) == [False, True]
    case.wait(29.9)
    assert case.open(A1) == [False]
    case.wait(0.1)
    assert case.open(A1) == [True]


@pytest.mark.parametrize("kind", [errors.UPSTREAM_AUTH, errors.UPSTREAM_QUOTA, errors.UPSTREAM_ERROR])
def test_the_same_key_at_another_provider_is_another_credential(kind: ErrorKind) -> None:
    case = Case()
    for to in (A1, B1, C1):
        case.lose(to, kind)
    assert case.open(A1, B1, C1, SAME_KEY) == [False, False, False, True]


def test_a_success_begins_the_count_anew() -> None:
    case = Case()
    for _ in range(5):
        case.lose(A1, times=2)
        case.win(A1)
    assert case.open(A1) == [True]


def test_after_its_rest_one_attempt_at_a_time() -> None:
    case = Case()
    case.lose(A1, times=3)
    case.wait(30)
    case.begin(A1)
    assert case.open(A1, A2) == [False, False]
    case.end(A1)
    assert case.open(A1, A2) == [True, True]


def test_rests_double_to_ten_minutes_and_begin_anew_after_a_success() -> None:
    case = Case()
    case.lose(A1, times=3)
    for rest_s in (30, 60, 120, 240, 480, 600, 600):
        case.wait(rest_s - 1)
        assert case.open(A1) == [False]
        case.wait(1)
        assert case.open(A1) == [True]
        case.lose(A1)
        assert case.open(A1) == [False]
    case.wait(600)
    case.win(A1)
    case.lose(A1, times=3)
    case.wait(30)
    assert case.open(A1) == [True]


def test_a_probe_that_ends_without_a_verdict_lets_another_one_go() -> None:
    case = Case()
    case.lose(A1, times=3)
    case.wait(30)
    case.begin(A1)
    case.health.left(A1)
    assert case.open(A1) == [True]
    case.begin(A1)
    case.fall(A1, errors.UPSTREAM_REFUSED)
    assert case.open(A1) == [True]


def test_a_probe_that_is_never_heard_of_again_is_not_waited_for_forever() -> None:
    case = Case()
    case.lose(A1, times=3)
    case.wait(30)
    case.begin(A1)
    case.wait(30)
    assert case.open(A1) == [True]
    case.fall(A1)
    assert case.open(A1) == [False], "its failure counts all the same"


def test_what_was_under_way_when_the_rest_began_tells_nothing_new() -> None:
    """Of many attempts at once only three are needed; the others neither prolong the rest nor end it."""
    case = Case()
    for _ in range(20):
        case.begin(A1)
    for _ in range(19):
        case.fall(A1)
    case.wait(15)
    case.end(A1)
    assert case.open(A1) == [False]
    case.wait(15)
    assert case.open(A1) == [True]


def test_one_that_is_used_for_want_of_another_ends_its_rest_by_succeeding_only() -> None:
    case = Case()
    case.lose(A1, times=3)
    case.lose(A1, times=10)
    case.wait(30)
    assert case.open(A1) == [True], "failures of last resort do not prolong a rest"
    case.lose(A1)
    assert case.open(A1) == [False]
    case.win(A1)
    assert case.open(A1) == [True]


class TestReach:
    """Whom the failures of one attempt are held against."""

    def test_a_broken_model_takes_no_other_with_it(self) -> None:
        case = Case()
        for _ in range(20):
            case.lose(A1, times=3)
            case.wait(700)
        case.lose(A1, times=3)
        assert case.open(A1, A2) == [False, False]
        assert case.open(B1, C1, B2) == [True, True, True]

    def test_failures_of_two_models_in_a_row_bench_the_credential_for_all(self) -> None:
        case = Case()
        case.lose(A1, times=2)
        case.lose(B1)
        assert case.open(A1, B1, C1) == [False, False, False]
        assert case.open(A2, B2) == [True, True]

    def test_the_success_of_a_third_model_clears_the_credential(self) -> None:
        case = Case()
        for _ in range(5):
            case.lose(A1)
            case.lose(B1)
            case.win(C1)
        assert case.open(A1, B1, C1) == [False, False, True]

    def test_a_credential_that_fails_alone_rests_alone(self) -> None:
        case = Case()
        for _ in range(3):
            case.lose(A1)
            case.win(A2)
        assert case.open(A1, A2, B1) == [False, True, True]

    def test_an_outage_is_left_after_three_failures_whatever_credentials_they_met(self) -> None:
        case = Case()
        keys = [deployment("a", credential=str(number)) for number in range(9)]
        for key in keys[:3]:
            case.lose(key)
        assert case.open(*keys) == [False] * 9

    def test_a_model_known_to_fail_tells_nothing_of_the_credential(self) -> None:
        """A stays broken while the credential has recovered: its probes must not keep B away."""
        case = Case()
        case.lose(A1, times=3)
        case.lose(B1)
        assert case.open(B1) == [False]
        case.wait(30)
        case.lose(A1)
        assert case.open(A1, B1) == [False, True]
        case.win(B1)
        case.wait(60)
        case.lose(A1)
        assert case.open(A1, B1, C1) == [False, True, True]

    def test_the_credential_rests_longer_where_another_model_fails_too(self) -> None:
        case = Case()
        case.lose(A1, times=3)
        case.lose(B1)
        case.wait(30)
        case.lose(C1)
        case.wait(59)
        assert case.open(B1, C1) == [False, False]
        case.wait(1)
        assert case.open(B1, C1) == [True, True]


class TestRefusal:
    """What a provider says of the credential itself."""

    @pytest.mark.parametrize("kind", [errors.UPSTREAM_AUTH, errors.UPSTREAM_QUOTA], ids=lambda kind: kind.name)
    def test_benches_the_credential_at_once_for_all_models(self, kind: ErrorKind) -> None:
        case = Case()
        case.lose(A1, kind)
        assert case.open(A1, B1) == [False, False]
        assert case.open(A2, B2) == [True, True]

    @pytest.mark.parametrize("kind", [errors.UPSTREAM_AUTH, errors.UPSTREAM_QUOTA], ids=lambda kind: kind.name)
    def test_one_probe_every_ten_minutes(self, kind: ErrorKind) -> None:
        case = Case()
        case.lose(A1, kind)
        for _ in range(3):
            case.wait(599)
            assert case.open(A1, B1) == [False, False]
            case.wait(1)
            assert case.open(A1, B1) == [True, True]
            case.begin(B1)
            assert case.open(A1, B1) == [False, False]
            case.fall(B1, kind)
        case.wait(600)
        case.win(A1)
        assert case.open(A1, B1) == [True, True]

    def test_each_kind_has_its_own_time(self) -> None:
        policy = RoutingPolicy(bench_auth_probe_s=100, bench_quota_s=200)
        for kind, rest_s in ((errors.UPSTREAM_AUTH, 100), (errors.UPSTREAM_QUOTA, 200)):
            case = Case(policy)
            case.lose(A1, kind)
            case.wait(rest_s - 1)
            assert case.open(A1) == [False]
            case.wait(1)
            assert case.open(A1) == [True]

    def test_of_one_model_benches_the_credential_there_for_a_minute(self) -> None:
        case = Case()
        case.lose(A1, errors.UPSTREAM_FORBIDDEN)
        assert case.open(A1, A2, B1) == [False, True, True]
        case.wait(60)
        case.begin(A1)
        assert case.open(A1) == [False]
        case.fall(A1, errors.UPSTREAM_FORBIDDEN)
        case.wait(60)
        assert case.open(A1) == [True]

    def test_a_probe_that_fails_otherwise_keeps_the_credential_out(self) -> None:
        case = Case()
        case.lose(A1, errors.UPSTREAM_AUTH)
        case.wait(600)
        case.lose(A1)
        assert case.open(A1, B1) == [False, False]
        case.wait(600)
        assert case.open(B1) == [True]


class TestRateLimit:
    """429: the credential rests at the model for as long as the provider says."""

    def test_rests_as_long_as_told(self) -> None:
        case = Case()
        case.lose(A1, errors.UPSTREAM_RATE_LIMITED, retry_after_s=7)
        assert case.open(A1, A2, B1) == [False, True, True]
        case.wait(6.9)
        assert case.open(A1) == [False]
        case.wait(0.1)
        assert case.open(A1) == [True]

    def test_afterwards_all_may_come_at_once(self) -> None:
        case = Case()
        case.lose(A1, errors.UPSTREAM_RATE_LIMITED, retry_after_s=7)
        case.wait(7)
        case.begin(A1)
        assert case.open(A1) == [True]

    def test_never_longer_than_the_longest_rest(self) -> None:
        case = Case()
        case.lose(A1, errors.UPSTREAM_RATE_LIMITED, retry_after_s=86_400)
        case.wait(600)
        assert case.open(A1) == [True]

    def test_without_a_time_five_seconds_and_longer_each_time(self) -> None:
        case = Case()
        for rest_s in (5, 10, 20, 30, 30):
            case.lose(A1, errors.UPSTREAM_RATE_LIMITED)
            case.fall(A1, errors.UPSTREAM_RATE_LIMITED)
            case.wait(rest_s - 0.1)
            assert case.open(A1) == [False]
            case.wait(0.1)
            assert case.open(A1) == [True]
        case.win(A1)
        case.lose(A1, errors.UPSTREAM_RATE_LIMITED)
        case.wait(5)
        assert case.open(A1) == [True]

    def test_a_second_model_that_is_limited_too_benches_the_credential(self) -> None:
        case = Case()
        case.lose(A1, errors.UPSTREAM_RATE_LIMITED, retry_after_s=20)
        case.lose(B1, errors.UPSTREAM_RATE_LIMITED, retry_after_s=10)
        assert case.open(A1, B1, C1, B2) == [False, False, False, True]
        case.wait(10)
        assert case.open(A1, B1, C1) == [False, True, True]

    def test_limits_at_different_times_are_each_models_own(self) -> None:
        case = Case()
        case.lose(A1, errors.UPSTREAM_RATE_LIMITED, retry_after_s=20)
        case.wait(20)
        case.lose(B1, errors.UPSTREAM_RATE_LIMITED, retry_after_s=10)
        assert case.open(A1, B1, C1) == [True, False, True]

    def test_is_no_failure_in_a_row_and_does_not_mix_up_models(self) -> None:
        case = Case()
        case.lose(A1, errors.UPSTREAM_RATE_LIMITED, retry_after_s=0)
        case.lose(B1, times=3)
        assert case.open(A1, B1, C1) == [True, False, True]


KINDS = [kind for kind in errors.TABLE if kind.name.startswith(("upstream", "stream"))]
STEPS = st.lists(
    st.tuples(
        st.sampled_from([A1, A2, B1, B2, C1, OTHER]),
        st.sampled_from(["begin", "end", "left", *KINDS]),
        st.floats(0, 900),
        st.none() | st.floats(0, 100_000),
    ),
    max_size=80,
)


@given(steps=STEPS)
@settings(max_examples=200, deadline=None)
def test_whatever_happens_nobody_is_lost(steps: list[tuple[Deployment, str | ErrorKind, float, float | None]]) -> None:
    """Asking changes nothing, success always frees, time always frees, and other providers are never touched."""
    case = Case()
    touched = False
    for to, step, pause_s, retry_after_s in steps:
        case.wait(pause_s)
        touched = touched or to is OTHER
        if isinstance(step, ErrorKind):
            case.fall(to, step, retry_after_s=retry_after_s)
        elif step == "left":
            case.health.left(to)
        elif step == "begin":
            case.begin(to)
        else:
            case.win(to)
            assert case.open(to) == [True]
        everybody = (A1, A2, B1, B2, C1, OTHER)
        assert case.open(*everybody) == case.open(*everybody)
        assert touched or case.open(OTHER) == [True]
    case.wait(600.001)
    assert case.open(A1, A2, B1, B2, C1, OTHER) == [True] * 6
