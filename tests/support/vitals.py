"""Health as a test wants it: figures by offer, credentials that rest, offers that are due a probe."""

from llmgateway.domain.plan import Figures
from llmgateway.domain.policy import RoutingPolicy
from llmgateway.domain.routing import Deployment


def figures(uptime: float = 100, *, latency: float = 1000, throughput: float = 50, attempts: float = 100) -> Figures:
    return Figures(uptime, latency, throughput, attempts)


class Vitals:
    """`known` by used_model, `resting` by fingerprint or used_model, `due` by used_model; taken probes are noted."""

    def __init__(
        self,
        known: dict[str, Figures] | None = None,
        *,
        resting: set[str] | None = None,
        due: set[str] | None = None,
    ) -> None:
        self.known = known or {}
        self.resting = resting or set()
        self.due = due or set()
        self.probed: list[str] = []

    def figures(self, offer_key: str, *, policy: RoutingPolicy) -> Figures:
        unknown = figures(policy.default_uptime_pct, attempts=0)
        return self.known.get(offer_key, unknown)

    def open(self, to: Deployment) -> bool:
        return to.used_model not in self.resting and to.credential.fingerprint not in self.resting

    def due_probe(self, offer_key: str, *, policy: RoutingPolicy) -> bool:
        if offer_key not in self.due or self.figures(offer_key, policy=policy).uptime >= policy.probe_below_pct:
            return False
        self.probed.append(offer_key)
        return True
