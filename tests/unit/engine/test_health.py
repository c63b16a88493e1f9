"""What attempts say of an offer: figures, probes, repeats, clocks that jump, maps that stay small."""

import msgspec
import pytest

from llmgateway.domain import errors
from llmgateway.domain.errors import TABLE, ErrorKind, UpstreamError
from llmgateway.domain.policy import RoutingPolicy
from llmgateway.domain.routing import Deployment
from llmgateway.engine.benches import LIMIT
from llmgateway.engine.health import OFFERS
from tests.unit.engine.health_cases import A1, A2, B1, POLICY, Case, deployment


def test_nothing_known_is_the_policys_defaults() -> None:
    policy = RoutingPolicy(default_uptime_pct=99, default_latency_ms=7, default_throughput_tps=8)
    figures = Case().health.figures("acme/a", policy=policy)
    assert msgspec.structs.astuple(figures) == (99, 7, 8, 0)
    assert Case().health.figures("acme/a", policy=POLICY).uptime == 100


def test_an_attempt_under_way_says_nothing_yet() -> None:
    case = Case()
    case.begin(A1)
    assert case.figures(A1).attempts == 0


def test_all_credentials_of_an_offer_share_its_figures() -> None:
    case = Case()
    case.win(A1)
    case.lose(A2)
    assert case.figures(A1).attempts == 2
    assert case.figures(A1).uptime == pytest.approx(100 * (1 - 10 / 30))


@pytest.mark.parametrize("kind", TABLE, ids=lambda kind: kind.name)
def test_the_row_of_an_error_decides_whether_it_lowers_the_uptime(kind: ErrorKind) -> None:
    """A deployment's failures and rate limits do; what our own credential cannot do, and callers' faults, do not."""
    case = Case()
    case.win(A1)
    case.lose(A1, kind)
    lowers = kind.blames == "deployment" or kind is errors.UPSTREAM_RATE_LIMITED
    assert (case.figures(A1).uptime < 100) is lowers
    assert case.figures(A1).attempts == 1 + lowers


@pytest.mark.parametrize("kind", [kind for kind in TABLE if kind.blames not in ("deployment", "credential")])
def test_what_is_not_the_providers_fault_changes_nothing(kind: ErrorKind) -> None:
    case = Case()
    case.win(A1)
    before = case.figures(A1)
    case.lose(A1, kind, times=10)
    assert case.open(A1) == [True]
    assert case.figures(A1) == before


def test_a_project_weighs_the_same_attempts_its_own_way() -> None:
    case = Case()
    case.lose(A1)
    case.wait(120)
    case.win(A1)
    even = RoutingPolicy(recency_weight_1m=1, recency_weight_5m=1, uptime_prior_attempts=0)
    for _ in range(2):
        assert case.health.figures("acme/a", policy=even).uptime == 50
        assert case.figures(A1).uptime == pytest.approx(100 * (1 - 3 / 23))


def test_a_clock_that_jumps_ahead_hours_forgets() -> None:
    case = Case()
    case.lose(A1, times=3)
    case.wait(100_000)
    assert case.figures(A1).attempts == 0
    assert case.open(A1) == [True]


def test_another_policy_keeps_what_was_counted() -> None:
    case = Case()
    case.win(A1)
    case.lose(A1)
    case.lose(other := deployment(of="other"), times=3)
    case.health.policy = policy = RoutingPolicy(metrics_window_s=7200, bench_s=5)
    assert case.health.figures("acme/a", policy=policy).attempts == 2
    assert case.open(A1, other) == [True, False]
    case.wait(3700)
    assert case.health.figures("acme/a", policy=policy).attempts == 2
    case.wait(3700)
    assert case.health.figures("acme/a", policy=policy).attempts == 0
    assert case.health.policy is policy


def test_models_that_callers_make_up_do_not_fill_the_memory() -> None:
    case = Case()
    case.win(A1)
    for number in range(3 * OFFERS):
        case.wait(0.001)
        case.lose(_named(f"made-up-{number}"))
        case.begin(A1)
    assert case.figures(A1).attempts == 1, "what is in use stays"
    assert len(case.health.offers()) <= OFFERS
    assert len(case.health._benches.standings) <= LIMIT


def test_whoever_rests_is_not_forgotten_for_names_that_callers_make_up() -> None:
    case = Case()
    case.lose(A1, errors.UPSTREAM_AUTH)
    for number in range(2 * LIMIT):
        case.lose(_named(f"made-up-{number}"))
    assert case.open(A1) == [False]


def _named(model: str) -> Deployment:
    to = deployment(of="any")
    return msgspec.structs.replace(to, used_model=f"any/{model}")


class TestProbe:
    """One request looks after an offer that failed often and is not asked any more."""

    def ailing(self) -> Case:
        case = Case()
        case.lose(A1, times=2)
        return case

    def test_is_due_once_nothing_was_sent_for_a_while(self) -> None:
        case = self.ailing()
        assert not case.health.due_probe("acme/a", policy=POLICY)
        case.wait(59)
        assert not case.health.due_probe("acme/a", policy=POLICY)
        case.wait(1)
        assert case.figures(A1).uptime < 85
        assert case.health.due_probe("acme/a", policy=POLICY)

    def test_is_handed_out_once_a_minute(self) -> None:
        case = self.ailing()
        case.wait(60)
        due = 0
        for _ in range(120):
            due += case.health.due_probe("acme/a", policy=POLICY)
            case.wait(1)
        assert due == 2

    def test_is_not_due_at_good_uptime_or_none(self) -> None:
        case = Case()
        for _ in range(20):
            case.win(A1)
        case.lose(A1)
        case.wait(3000)
        assert case.figures(A1).uptime > 85
        assert not case.health.due_probe("acme/a", policy=POLICY)
        assert not case.health.due_probe("acme/unheard-of", policy=POLICY)

    def test_is_not_due_while_the_offer_rests(self) -> None:
        case = Case(RoutingPolicy(bench_s=100))
        case.lose(A1, times=3)
        case.wait(99)
        assert not case.health.due_probe("acme/a", policy=POLICY)
        case.wait(1)
        assert case.health.due_probe("acme/a", policy=POLICY)


def test_repeats_are_counted_per_provider() -> None:
    case = Case()
    other = deployment(of="other")
    assert [case.health.may_repeat(A1) for _ in range(3)] == [True] * 3
    assert not case.health.may_repeat(A2)
    assert not case.health.may_repeat(B1)
    assert case.health.may_repeat(other)
    case.wait(1)
    assert case.health.may_repeat(B1)


def test_traffic_raises_the_repeats() -> None:
    case = Case()
    for _ in range(1000):
        case.begin(A1)
    assert sum(case.health.may_repeat(A1) for _ in range(100)) == 10


def test_what_is_shown_names_no_credential() -> None:
    case = Case()
    case.lose(A1, errors.UPSTREAM_AUTH)
    case.lose(B1, errors.UPSTREAM_FORBIDDEN)
    case.lose(deployment("x", of="other"), times=3)
    assert sorted(case.health.resting()) == [
        ("acme", "", True), ("acme", "b", True), ("other", "x", False), ("other", "x", True)
    ]  # fmt: skip
    assert [key for key, _ in case.health.offers()] == ["acme/a", "acme/b", "other/x"]
    case.wait(600)
    assert case.health.resting() == []


def test_an_error_of_a_bug_is_nobodys_here() -> None:
    case = Case()
    case.health.failed(A1, UpstreamError(errors.INTERNAL, "Ours."))
    assert case.open(A1) == [True]
