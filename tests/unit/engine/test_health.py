"""What attempts say of offers and credentials, on a clock of the test's own."""

from typing import Any

import pytest

from llmgateway.domain import errors
from llmgateway.domain.errors import ErrorKind, UpstreamError
from llmgateway.domain.policy import RoutingPolicy
from llmgateway.domain.routing import Deployment
from llmgateway.engine.clock import Clock
from llmgateway.engine.health import Health
from tests.support.fakes import offer, provider, snapshot

POLICY = RoutingPolicy()


class Hands(Clock):
    """A clock that is moved by hand."""

    def __init__(self, seconds: float = 1_000_000.0) -> None:
        self.seconds = seconds

    def now_ns(self) -> int:
        return int(self.seconds * 1_000_000_000)


class Case:
    """A Health, its clock, and short words for what happens."""

    def __init__(self, policy: RoutingPolicy = POLICY) -> None:
        self.clock = Hands()
        self.health = Health(policy, clock=self.clock)

    def wait(self, seconds: float) -> None:
        self.clock.seconds += seconds

    def win(self, to: Deployment) -> None:
        self.health.began(to)
        self.health.succeeded(to, ttft_ms=100.0, tokens=10, seconds=1.0)

    def lose(self, to: Deployment, kind: ErrorKind = errors.UPSTREAM_ERROR, **fields: Any) -> None:
        self.health.began(to)
        self.health.failed(to, UpstreamError(kind, "No.", **fields))


def deployment(name: str = "acme", model: str = "gpt-x") -> Deployment:
    route = snapshot(offer(name, model), providers=[provider(name)]).route(f"{name}/{model}")
    assert route is not None
    return route.offers[0].deployments[0]


TO = deployment()


def test_nothing_known_is_the_policys_defaults() -> None:
    figures = Case().health.figures("acme/gpt-x", policy=POLICY)
    assert (figures.uptime, figures.latency, figures.throughput, figures.attempts) == (100, 1000, 50, 0)


def test_three_failures_in_a_row_bench_until_a_single_probe() -> None:
    case = Case()
    for _ in range(3):
        assert case.health.open(TO)
        case.lose(TO)
    assert not case.health.open(TO)
    case.wait(30)
    assert case.health.open(TO)
    case.health.began(TO)
    assert not case.health.open(TO)
    case.health.succeeded(TO, ttft_ms=None, tokens=1, seconds=1.0)
    assert case.health.open(TO)


@pytest.mark.parametrize("kind", [kind for kind in errors.TABLE if kind.blames not in ("deployment", "credential")])
def test_what_is_not_the_providers_fault_changes_nothing(kind: ErrorKind) -> None:
    case = Case()
    case.win(TO)
    before = case.health.figures(TO.used_model, policy=POLICY)
    for _ in range(10):
        case.lose(TO, kind)
    assert case.health.open(TO)
    assert case.health.figures(TO.used_model, policy=POLICY) == before
