"""The shipped health and affinity, overheard: which attempts only look how a provider does, and which are traffic.

Both decide as they are shipped to; what is added only notes it.
"""

from collections.abc import Callable
from typing import Final

from llmgateway.domain.policy import RoutingPolicy
from llmgateway.domain.routing import Deployment, RoutePlan
from llmgateway.engine.affinity import Affinity
from llmgateway.engine.clock import Clock
from llmgateway.engine.health import Health

LOOKING: Final = ("probe", "exploration")
"""Why a plan sends its first attempt where it would not go by merit."""


class WatchedHealth(Health):
    """`probing`: whether the attempt that has just begun is the one that ends, or prolongs, somebody's rest."""

    def __init__(self, policy: RoutingPolicy, *, clock: Clock) -> None:
        super().__init__(policy, clock=clock)
        self.probing = False

    def began(self, to: Deployment) -> None:
        self.probing = bool(self._benches) and any(standing.half_open for standing in self._benches._of(to))
        super().began(to)


class WatchedAffinity(Affinity):
    """`looked` hears of every answer whose plan was made to look at somebody."""

    def __init__(self, *, clock: Clock, looked: Callable[[], None]) -> None:
        super().__init__(clock=clock)
        self._looked = looked

    def won(self, plan: RoutePlan, to: Deployment) -> None:
        if plan.chosen_by in LOOKING:
            self._looked()
        super().won(plan, to)
