"""The order in which one request's attempts are made: which deployment is first, and which one follows a failure.

Decides and sends nothing. Another credential of the same provider comes first, then the next candidate, then, with
nothing else left, the same credential again after a pause.
"""

import random

from llmgateway.domain import errors
from llmgateway.domain.errors import UpstreamError
from llmgateway.domain.plan import Candidate, RoutePlan
from llmgateway.domain.policy import RoutingPolicy
from llmgateway.domain.routing import Deployment
from llmgateway.engine.backoff import pause_s
from llmgateway.engine.health import Health


class _Failed:
    """A deployment that failed: of which candidate, how it failed last, and how often it was asked again."""

    __slots__ = ("candidate", "error", "repeats", "to")

    def __init__(self, to: Deployment, candidate: Candidate, error: UpstreamError) -> None:
        self.to = to
        self.candidate = candidate
        self.error = error
        self.repeats = 0


class Course:
    """The way of one request through its plan. `first` is asked at most once, `after` behind each failure."""

    __slots__ = ("_at", "_context", "_draw", "_failed", "_fallbacks", "_health", "_last", "_made", "_plan", "_policy")

    def __init__(self, plan: RoutePlan, *, health: Health, policy: RoutingPolicy, draw: random.Random) -> None:
        self._plan = plan
        self._health = health
        self._policy = policy
        self._draw = draw
        self._at = 0
        self._made = 0
        self._fallbacks = plan.fallbacks
        self._failed: list[_Failed] = []
        self._context: int | None = None
        self._last = False

    def first(self) -> Deployment:
        """The first that is not benched; with all of them benched the first, and no other behind it."""
        candidates = self._plan.candidates
        for at, candidate in enumerate(candidates if self._fallbacks else candidates[:1]):
            for to in candidate.deployments:
                if self._health.open(to):
                    self._at = at
                    return to
        self._last = True
        return candidates[0].deployments[0]

    def after(self, to: Deployment, error: UpstreamError, *, left_s: float) -> tuple[Deployment, float] | None:
        """Where to go behind a failure and after how many seconds; None: the request has failed.

        `left_s`: until the request's deadline.
        """
        self._made += 1
        if not error.kind.retryable or self._last or self._made >= self._policy.max_attempts or left_s <= 0:
            return None
        self._note(to, error)
        following = self._sibling(error) or self._fallback()
        return self._again(left_s=left_s) if following is None else (following, 0.0)

    def _note(self, to: Deployment, error: UpstreamError) -> None:
        if error.kind is errors.UPSTREAM_CONTEXT:
            self._context = max(self._context or 0, to.mapping.context)
        for one in self._failed:
            if one.to is to:
                one.error = error
                return
        self._failed.append(_Failed(to, self._plan.candidates[self._at], error))

    def _sibling(self, error: UpstreamError) -> Deployment | None:
        """Another credential of the same candidate, as long as each candidate that may follow keeps an attempt."""
        siblings = self._plan.candidates[self._at].deployments
        if len(siblings) == 1 or error.kind is errors.UPSTREAM_CONTEXT:
            return None
        if self._made + self._further() >= self._policy.max_attempts:
            return None
        for to in siblings:
            if not self._tried(to) and self._health.open(to):
                return to if self._health.may_repeat(to) else None
        return None

    def _further(self) -> int:
        """How many candidates may still follow."""
        ready = 0
        for candidate in self._plan.candidates[self._at + 1 :]:
            if ready >= self._fallbacks:
                break
            ready += self._fits(candidate) and any(self._health.open(to) for to in candidate.deployments)
        return ready

    def _fallback(self) -> Deployment | None:
        """The next candidate that has a deployment that is not benched."""
        candidates = self._plan.candidates
        while self._fallbacks and self._at + 1 < len(candidates):
            self._at += 1
            if not self._fits(candidates[self._at]):
                continue
            for to in candidates[self._at].deployments:
                if self._health.open(to) and (not self._asked(to) or self._health.may_repeat(to)):
                    self._fallbacks -= 1
                    return to
        return None

    def _again(self, *, left_s: float) -> tuple[Deployment, float] | None:
        """One that failed in passing, the one repeated least first, if it was its candidate's only credential."""
        for one in sorted(self._failed, key=lambda one: one.repeats):
            if sum(other.candidate is one.candidate for other in self._failed) > 1:
                continue
            pause = pause_s(one.error, repeats=one.repeats, policy=self._policy, draw=self._draw)
            if pause is None or pause >= left_s:
                continue
            limited = one.error.kind is errors.UPSTREAM_RATE_LIMITED  # it rests until the pause is over
            if (limited or self._health.open(one.to)) and self._health.may_repeat(one.to):
                one.repeats += 1
                return one.to, pause
        return None

    def _fits(self, candidate: Candidate) -> bool:
        """Whether its context may be larger than those that were too small; one that is not known may be."""
        context = candidate.deployments[0].mapping.context
        return self._context is None or context == 0 or context > self._context

    def _tried(self, to: Deployment) -> bool:
        return any(one.to is to for one in self._failed)

    def _asked(self, to: Deployment) -> bool:
        return any(one.to.provider.id == to.provider.id for one in self._failed)
