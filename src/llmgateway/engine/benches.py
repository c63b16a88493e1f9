"""Who rests after failing, and for how long: an offer, a credential at one offer, or a credential altogether.

What fails at one model is held against that model, by whichever credential it was asked (`offer`), and against the
credential there (`pair`). A credential rests altogether once failures in a row came from more than one model, or once
the provider says that it is the credential's own: refused, out of money. docs/routing.md has the reasons.
"""

from collections.abc import Iterator
from typing import Final

from llmgateway.domain import errors
from llmgateway.domain.errors import UpstreamError
from llmgateway.domain.policy import RoutingPolicy
from llmgateway.domain.routing import Deployment

SECOND_NS: Final = 1_000_000_000
LIMIT: Final = 4096

Subject = str | tuple[str, str]
"""`provider/model` is an offer, a fingerprint a credential, both a credential at an offer."""


class Standing:
    """Failures in a row of one subject, and its rest. Times are nanoseconds of the clock, 0 = not.

    `until_ns`: when the rest ends. `probe_ns`: until when an attempt under way is waited for. `half_open`: after its
    rest one attempt at a time goes there, until one succeeds. `tried`: used during its rest, for want of another.
    `only`: the offer that its failures came from, "" = several.
    """

    __slots__ = ("failures", "half_open", "only", "probe_ns", "provider", "rest_s", "tried", "until_ns")

    def __init__(self, provider: str, only: str) -> None:
        self.provider = provider
        self.only = only
        self.failures = 0
        self.rest_s = 0.0
        self.until_ns = 0
        self.probe_ns = 0
        self.half_open = False
        self.tried = False

    def bench(self, seconds: float, *, now_ns: int, half_open: bool) -> None:
        self.rest_s = seconds
        self.until_ns = max(self.until_ns, now_ns + int(seconds * SECOND_NS))
        self.probe_ns = 0
        self.half_open = half_open
        self.tried = False

    def open(self, now_ns: int) -> bool:
        return now_ns >= self.until_ns and now_ns >= self.probe_ns


class Benches:
    """All standings that are not spotless. False while there are none."""

    def __init__(self) -> None:
        self._standings: dict[Subject, Standing] = {}

    def __bool__(self) -> bool:
        return bool(self._standings)

    def open(self, to: Deployment, *, now_ns: int) -> bool:
        for subject in _subjects(to):
            standing = self._standings.get(subject)
            if standing is not None and not standing.open(now_ns):
                return False
        return True

    def rests(self, offer: str, *, now_ns: int) -> bool:
        """Whether nobody is to be sent there by any credential."""
        standing = self._standings.get(offer)
        return standing is not None and not standing.open(now_ns)

    def began(self, to: Deployment, *, now_ns: int, lease_s: float) -> None:
        """Takes the probe of whoever's rest is over. An attempt that tells nothing holds it for `lease_s` at most."""
        for standing in self._of(to):
            if now_ns < standing.until_ns:
                standing.tried = True
            elif standing.half_open:
                standing.probe_ns = now_ns + int(lease_s * SECOND_NS)

    def succeeded(self, to: Deployment, *, now_ns: int) -> None:
        """Wipes the slate, unless it began before the rest did: that tells nothing of now."""
        for subject in _subjects(to):
            standing = self._standings.get(subject)
            if standing is not None and (standing.tried or standing.probe_ns or now_ns >= standing.until_ns):
                del self._standings[subject]

    def left(self, to: Deployment) -> None:
        """An attempt ended without a verdict: another may probe."""
        for standing in self._of(to):
            standing.probe_ns = 0

    def failed(self, to: Deployment, error: UpstreamError, *, now_ns: int, policy: RoutingPolicy) -> None:
        """By the row of the error; a row that blames nobody here gives the probe back."""
        kind = error.kind
        if kind.blames == "deployment":
            self._failed(to, now_ns=now_ns, policy=policy)
        elif kind is errors.UPSTREAM_RATE_LIMITED:
            self._limited(to, error.retry_after_s, now_ns=now_ns, policy=policy)
        elif kind is errors.UPSTREAM_QUOTA:
            self._standing(to.credential.fingerprint, to).bench(policy.bench_quota_s, now_ns=now_ns, half_open=True)
        elif kind.blames == "credential":
            self._standing(to.credential.fingerprint, to).bench(
                policy.bench_auth_probe_s, now_ns=now_ns, half_open=True
            )
        else:
            self.left(to)

    def _failed(self, to: Deployment, *, now_ns: int, policy: RoutingPolicy) -> None:
        for subject in _subjects(to):
            standing = self._standing(subject, to)
            if standing.only != to.used_model:
                standing.only = ""
            if not standing.until_ns or (now_ns >= standing.until_ns and not standing.half_open):
                standing.failures += 1
                altogether = subject == to.credential.fingerprint
                if standing.failures >= policy.bench_failures and not (altogether and standing.only):
                    standing.bench(policy.bench_s, now_ns=now_ns, half_open=True)
            elif standing.probe_ns:
                longer = min(2 * standing.rest_s, max(policy.bench_max_s, standing.rest_s))
                standing.bench(longer, now_ns=now_ns, half_open=True)

    def _limited(self, to: Deployment, retry_after_s: float | None, *, now_ns: int, policy: RoutingPolicy) -> None:
        pair = self._standing((to.credential.fingerprint, to.used_model), to)
        if retry_after_s is None:
            if now_ns < pair.until_ns:
                return
            retry_after_s = min(2 * pair.rest_s, policy.bench_s) or 5.0
        pair.bench(min(retry_after_s, policy.bench_max_s), now_ns=now_ns, half_open=False)

    def _of(self, to: Deployment) -> Iterator[Standing]:
        for subject in _subjects(to):
            standing = self._standings.get(subject)
            if standing is not None:
                yield standing

    def _standing(self, subject: Subject, to: Deployment) -> Standing:
        standings = self._standings
        standing = standings.get(subject)
        if standing is None:
            if len(standings) >= LIMIT:
                for oldest in list(standings)[: LIMIT // 4]:
                    del standings[oldest]
            standing = standings[subject] = Standing(to.provider.id, to.used_model)
        return standing


def _subjects(to: Deployment) -> tuple[Subject, ...]:
    offer, credential = to.used_model, to.credential.fingerprint
    return (offer, (credential, offer), credential)
