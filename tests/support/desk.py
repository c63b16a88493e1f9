"""A desk that plans: a snapshot of three offers, health and affinity as a test wants them, a clock that it moves."""

from random import Random
from typing import Any, Final

from llmgateway.domain.identity import Project
from llmgateway.domain.plan import RoutePlan
from llmgateway.domain.policy import RoutingPolicy
from llmgateway.domain.usage import Price
from llmgateway.engine.affinity import Affinity
from llmgateway.engine.clock import Clock
from llmgateway.engine.plan import plan_route
from llmgateway.engine.snapshot import Snapshot
from llmgateway.wire.openai_chat.request import read_request
from tests.support.fakes import offer, request_body, snapshot
from tests.support.vitals import Vitals

CALM: Final = RoutingPolicy(exploration_rate=0)


class Hands(Clock):
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def now_ns(self) -> int:
        return int(self.now_s * 1_000_000_000)


def price(part: float) -> Price:
    return Price(input=int(1000 * part), output=int(1000 * part))


class Desk:
    """Plans for one snapshot: its offers are `a` (the cheapest), `b` and `c`, unless others are given."""

    def __init__(
        self, of: Snapshot | None = None, *, policy: RoutingPolicy = CALM, vitals: Vitals | None = None
    ) -> None:
        self.of = of or three(policy=policy)
        self.vitals = vitals or Vitals()
        self.clock = Hands()
        self.affinity = Affinity(clock=self.clock)
        self.draw = Random(7)

    def plan(
        self, *, session: str | None = None, project: str = "p", no_fallback: bool = False, **fields: Any
    ) -> RoutePlan:
        return plan_route(
            read_request(request_body(**fields)),
            snapshot=self.of,
            health=self.vitals,
            affinity=self.affinity,
            project=Project(id=project, name=project),
            session=session,
            no_fallback=no_fallback,
            draw=self.draw,
        )

    def led(self, **asked: Any) -> tuple[str, str]:
        plan = self.plan(**asked)
        return plan.candidates[0].deployments[0].provider.id, plan.chosen_by

    def win(self, by: str, **asked: Any) -> RoutePlan:
        """A request that this provider answers in the end."""
        plan = self.plan(**asked)
        self.affinity.won(plan, next(to for to in plan.deployments if to.provider.id == by))
        return plan


def three(*, b: float = 1.04, c: float = 2.0, policy: RoutingPolicy = CALM, **fields: Any) -> Snapshot:
    return snapshot(
        offer("a", price=price(1)), offer("b", price=price(b)), offer("c", price=price(c)), policy=policy, **fields
    )
