"""The shipped health, overheard: which attempts only look whether a provider is back, and which are traffic."""

from llmgateway.domain.policy import RoutingPolicy
from llmgateway.domain.routing import Deployment
from llmgateway.engine.clock import Clock
from llmgateway.engine.health import Health


class WatchedHealth(Health):
    """Decides as it is shipped to. `probing`: whether the attempt that began last ends, or prolongs, a rest."""

    def __init__(self, policy: RoutingPolicy, *, clock: Clock) -> None:
        super().__init__(policy, clock=clock)
        self.probing = False

    def began(self, to: Deployment) -> None:
        self.probing = bool(self._benches) and any(standing.half_open for standing in self._benches._of(to))
        super().began(to)
