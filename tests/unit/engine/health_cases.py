"""A Health on a clock that is moved by hand, and deployments of a few models and credentials to feed it."""

from typing import Any

import msgspec

from llmgateway.domain import errors
from llmgateway.domain.errors import ErrorKind, UpstreamError
from llmgateway.domain.plan import Figures
from llmgateway.domain.policy import RoutingPolicy
from llmgateway.domain.routing import Credential, Deployment
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

    def open(self, *to: Deployment) -> list[bool]:
        return [self.health.open(one) for one in to]

    def begin(self, to: Deployment) -> None:
        self.health.began(to)

    def win(self, to: Deployment) -> None:
        self.begin(to)
        self.end(to)

    def end(self, to: Deployment, *, committed: bool = False) -> None:
        self.health.succeeded(to, ttft_ms=100.0, tokens=10, seconds=1.0, committed=committed)

    def speak(self, to: Deployment) -> None:
        """The first content of a stream."""
        self.health.committed(to)

    def lose(self, to: Deployment, kind: ErrorKind = errors.UPSTREAM_ERROR, *, times: int = 1, **fields: Any) -> None:
        for _ in range(times):
            self.begin(to)
            self.fall(to, kind, **fields)

    def fall(
        self, to: Deployment, kind: ErrorKind = errors.UPSTREAM_ERROR, *, committed: bool = False, **fields: Any
    ) -> None:
        self.health.failed(to, UpstreamError(kind, "No.", **fields), committed=committed)

    def figures(self, to: Deployment) -> Figures:
        return self.health.figures(to.used_model, policy=POLICY)


def deployment(model: str = "a", *, credential: str = "1", of: str = "acme") -> Deployment:
    route = snapshot(offer(of, model), providers=[provider(of)]).route(f"{of}/{model}")
    assert route is not None
    key = Credential(provider=of, secret=f"sk-{credential}", fingerprint=f"{of}{credential:0>12}")
    return msgspec.structs.replace(route.offers[0].deployments[0], credential=key)


A1, A2 = deployment("a"), deployment("a", credential="2")
B1, B2 = deployment("b"), deployment("b", credential="2")
C1 = deployment("c")
"""Models a, b, c of one provider, by its credentials 1 and 2."""
