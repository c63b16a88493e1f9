"""How providers have been doing: the figures of each offer, who rests, and how often a provider may be asked again.

One per process, fed by every attempt, asked by every plan. It looks at the clock it is given and at nothing else. Maps
are bounded: callers can name models at providers that take any.
"""

from typing import Final

from llmgateway.domain import errors
from llmgateway.domain.errors import UpstreamError
from llmgateway.domain.plan import Figures
from llmgateway.domain.policy import RoutingPolicy
from llmgateway.domain.routing import Deployment
from llmgateway.engine.benches import Benches, Fall
from llmgateway.engine.budget import RetryBudget
from llmgateway.engine.clock import SECOND_NS, Clock
from llmgateway.engine.windows import Window, unknown

OFFERS: Final = 2048

_Track = tuple[Window, RetryBudget]
"""An offer's figures, and the budget of its provider."""


class Health:
    """`policy`: the gateway's own, by which credentials rest and repeats are counted; a reload replaces it."""

    def __init__(self, policy: RoutingPolicy, *, clock: Clock) -> None:
        self._policy = policy
        self._now_ns = clock.now_ns
        self._tracks: dict[str, _Track] = {}
        self._budgets: dict[str, RetryBudget] = {}
        self._benches = Benches()
        self._standings = self._benches.standings
        self._unknown = unknown(policy)
        self._unknown_of = policy

    @property
    def policy(self) -> RoutingPolicy:
        return self._policy

    @policy.setter
    def policy(self, policy: RoutingPolicy) -> None:
        """What was counted stays."""
        if policy.metrics_window_s != self._policy.metrics_window_s:
            for window, _ in self._tracks.values():
                window.resize(policy.metrics_window_s)
        self._policy = policy

    def figures(self, offer_key: str, *, policy: RoutingPolicy) -> Figures:
        """What is known of an offer, weighed by the numbers of a project."""
        track = self._tracks.get(offer_key)
        if track is not None:
            return track[0].figures(self._now_ns(), policy)
        if policy is not self._unknown_of:
            self._unknown, self._unknown_of = unknown(policy), policy
        return self._unknown

    def open(self, to: Deployment) -> bool:
        """Whether it does not rest, or may be tried once after its rest. Changes nothing."""
        return not self._standings or self._benches.open(to, now_ns=self._now_ns())

    def began(self, to: Deployment) -> None:
        """An attempt starts."""
        now_ns = self._now_ns()
        window, budget = self._tracks.get(to.used_model) or self._track(to, now_ns)
        window.sent_ns = now_ns
        window.awaiting += 1
        window.running += 1
        budget.began(now_ns)
        if self._standings:
            self._benches.began(to, now_ns=now_ns, lease_s=self._policy.bench_s)

    def committed(self, to: Deployment) -> None:
        """The first content of a stream is there; how it ends is told later."""
        track = self._tracks.get(to.used_model)
        if track is not None:
            track[0].committed()
        if self._standings:
            self._benches.committed(to, now_ns=self._now_ns())

    def succeeded(
        self, to: Deployment, *, ttft_ms: float | None, tokens: int, seconds: float, committed: bool = False
    ) -> None:
        """`ttft_ms`: of streams only. `tokens` of output, and the `seconds` in which they were written. `committed`:
        that its first content was there has been told.
        """
        now_ns = self._now_ns()
        window, _ = self._tracks.get(to.used_model) or self._track(to, now_ns)
        window.succeeded(now_ns, ttft_ms=ttft_ms, tokens=tokens, seconds=seconds, committed=committed)
        if self._standings:
            self._benches.succeeded(to, now_ns=now_ns)

    def failed(self, to: Deployment, error: UpstreamError, *, committed: bool = False) -> None:
        """The row of the error says whose fault it is; a caller's changes nothing."""
        now_ns = self._now_ns()
        kind = error.kind
        window, _ = self._tracks.get(to.used_model) or self._track(to, now_ns)
        window.ended(committed=committed)
        if kind.blames == "deployment" or kind is errors.UPSTREAM_RATE_LIMITED:
            window.failed(now_ns)
        fall = Fall(committed, window.running if committed else window.awaiting)
        self._benches.failed(to, error, now_ns=now_ns, policy=self._policy, fall=fall)

    def left(self, to: Deployment, *, committed: bool = False) -> None:
        """An attempt ended without a verdict: its caller left."""
        track = self._tracks.get(to.used_model)
        if track is not None:
            track[0].ended(committed=committed)
        if self._standings:
            self._benches.left(to)

    def may_repeat(self, to: Deployment) -> bool:
        """Whether its provider's budget has room for another attempt at a request that it failed; uses it."""
        now_ns = self._now_ns()
        return self._budget(to.provider.id, now_ns).take(now_ns, self._policy)

    def due_probe(self, offer_key: str, *, policy: RoutingPolicy) -> bool:
        """Whether an offer that failed often has been left alone long enough for one request to look; takes it."""
        track = self._tracks.get(offer_key)
        if track is None:
            return False
        window, _ = track
        now_ns = self._now_ns()
        if now_ns - window.sent_ns < policy.probe_interval_s * SECOND_NS:
            return False
        if window.figures(now_ns, policy).uptime >= policy.probe_below_pct:
            return False
        if self._benches.rests(offer_key, now_ns=now_ns):
            return False
        window.sent_ns = now_ns
        return True

    def offers(self) -> list[tuple[str, Figures]]:
        """The figures of every offer that an attempt was made at, by the gateway's own numbers."""
        now_ns = self._now_ns()
        return [(key, window.figures(now_ns, self._policy)) for key, (window, _) in self._tracks.items()]

    def resting(self) -> list[tuple[str, str, bool]]:
        """Who rests: the provider, the model (empty: a credential for all of them), and whether it is one credential
        or all that the offer has.
        """
        found: list[tuple[str, str, bool]] = []
        for provider, subject in self._benches.resting(now_ns=self._now_ns()):
            if isinstance(subject, tuple):
                found.append((provider, subject[1].partition("/")[2], True))
            else:
                _, offer, model = subject.partition("/")
                found.append((provider, model, not offer))
        return found

    def _track(self, to: Deployment, now_ns: int) -> _Track:
        tracks = self._tracks
        if len(tracks) >= OFFERS:
            for key in sorted(tracks, key=lambda one: tracks[one][0].sent_ns)[: OFFERS // 4]:
                del tracks[key]
        window = Window(window_s=self._policy.metrics_window_s, now_ns=now_ns)
        track = tracks[to.used_model] = (window, self._budget(to.provider.id, now_ns))
        return track

    def _budget(self, provider: str, now_ns: int) -> RetryBudget:
        budget = self._budgets.get(provider)
        if budget is None:
            budget = self._budgets[provider] = RetryBudget(now_ns=now_ns)
        return budget
