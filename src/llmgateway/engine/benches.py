"""Who rests after failing, and for how long: an offer, a credential at one offer, or a credential altogether.

What fails at one model is held against that model, by whichever credential it was asked (`offer`), and against the
credential there (`pair`). A credential rests altogether once failures in a row came from more than one model, or once
the provider says that it is the credential's own: refused, out of money. docs/routing.md has the reasons.
"""

from collections.abc import Iterator
from typing import Final

import msgspec

from llmgateway.domain import errors
from llmgateway.domain.errors import UpstreamError
from llmgateway.domain.policy import RoutingPolicy
from llmgateway.domain.routing import Deployment
from llmgateway.engine.clock import SECOND_NS

LIMIT: Final = 4096

Subject = str | tuple[str, str]
"""`provider/model` is an offer, `fingerprint@provider` a credential, fingerprint and offer a credential there.

One secret may be the key of several providers (a vendor under two names, servers that want none): each is judged by
itself.
"""


class Fall(msgspec.Struct, frozen=True):
    """What a failure is to be judged by. `cut`: it came behind the first content. `others`: how many attempts at the
    offer may still do better, having no first content yet, or no end.
    """

    cut: bool = False
    others: int = 0


class Standing:
    """Failures in a row of one subject, and its rest. Times are nanoseconds of the clock, 0 = not.

    `cuts`: the failures of a row that came behind first content. `only`: the offer that all of them came from, "" =
    several. `until_ns`: when its rest ends. `half_open`: after its rest one attempt at a time goes there, until one
    succeeds. `probe_ns`: until when that one is waited for. `tried`: used during its rest, for want of another.
    `limited`: the offer that met a rate limit last, until `limited_ns`.
    """

    __slots__ = (
        "cuts",
        "failures",
        "half_open",
        "limited",
        "limited_ns",
        "only",
        "probe_ns",
        "provider",
        "rest_s",
        "tried",
        "until_ns",
    )

    def __init__(self, provider: str, only: str) -> None:
        self.provider = provider
        self.only = only
        self.failures = 0
        self.cuts = 0
        self.rest_s = 0.0
        self.until_ns = 0
        self.probe_ns = 0
        self.half_open = False
        self.tried = False
        self.limited = ""
        self.limited_ns = 0

    def bench(self, seconds: float, *, now_ns: int, half_open: bool) -> None:
        self.rest_s = seconds
        self.until_ns = max(self.until_ns, now_ns + int(seconds * SECOND_NS))
        self.half_open = self.half_open or half_open
        self.probe_ns = 0
        self.tried = False

    def open(self, now_ns: int) -> bool:
        return now_ns >= self.until_ns and now_ns >= self.probe_ns


class Benches:
    """All standings that are not spotless."""

    def __init__(self) -> None:
        self.standings: dict[Subject, Standing] = {}

    def open(self, to: Deployment, *, now_ns: int) -> bool:
        for subject in _subjects(to):
            standing = self.standings.get(subject)
            if standing is not None and not standing.open(now_ns):
                return False
        return True

    def rests(self, offer: str, *, now_ns: int) -> bool:
        """Whether nobody is to be sent there by any credential."""
        standing = self.standings.get(offer)
        return standing is not None and not standing.open(now_ns)

    def resting(self, *, now_ns: int) -> Iterator[tuple[str, Subject]]:
        """Who rests, or is being probed after it, and of which provider."""
        for subject, standing in self.standings.items():
            if not standing.open(now_ns):
                yield standing.provider, subject

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
            standing = self.standings.get(subject)
            if standing is not None and (standing.tried or standing.probe_ns or now_ns >= standing.until_ns):
                del self.standings[subject]

    def committed(self, to: Deployment, *, now_ns: int) -> None:
        """First content, which ends a row of failures; only those behind the first content are not over with it."""
        if any(standing.cuts for standing in self._of(to)):
            for standing in self._of(to):
                standing.failures = standing.cuts
        else:
            self.succeeded(to, now_ns=now_ns)

    def left(self, to: Deployment) -> None:
        """An attempt ended without a verdict: another may probe."""
        for standing in self._of(to):
            standing.probe_ns = 0

    def failed(self, to: Deployment, error: UpstreamError, *, now_ns: int, policy: RoutingPolicy, fall: Fall) -> None:
        """By the row of the error. One that blames neither credential nor deployment is no verdict."""
        kind = error.kind
        if kind.blames == "deployment":
            self._fell(to, now_ns=now_ns, policy=policy, fall=fall)
            return
        if self.standings:
            self.left(to)
        if kind.blames != "credential":
            return
        if kind is errors.UPSTREAM_RATE_LIMITED:
            self._limit(to, error.retry_after_s, now_ns=now_ns, policy=policy)
        elif kind is errors.UPSTREAM_FORBIDDEN:
            pair = self._standing((to.credential.fingerprint, to.used_model), to)
            pair.bench(policy.bench_forbidden_s, now_ns=now_ns, half_open=True)
        else:
            rest_s = policy.bench_quota_s if kind is errors.UPSTREAM_QUOTA else policy.bench_auth_probe_s
            self._standing(_credential(to), to).bench(rest_s, now_ns=now_ns, half_open=True)

    def _fell(self, to: Deployment, *, now_ns: int, policy: RoutingPolicy, fall: Fall) -> None:
        """One more failure in a row. Those of attempts that began before a rest do not prolong it, and a model that is
        known to fail tells nothing of the credential.
        """
        offer, credential = to.used_model, _credential(to)
        known = self._standing(offer, to).half_open
        self._count(offer, to, now_ns=now_ns, policy=policy, fall=fall)
        self._count((to.credential.fingerprint, offer), to, now_ns=now_ns, policy=policy, fall=fall)
        whole = self._standing(credential, to)
        if known:
            whole.probe_ns = 0
            return
        if whole.failures and whole.only != offer:
            whole.only = ""
        elif not whole.failures:
            whole.only = offer
        self._count(credential, to, now_ns=now_ns, policy=policy, fall=fall)

    def _count(self, subject: Subject, to: Deployment, *, now_ns: int, policy: RoutingPolicy, fall: Fall) -> None:
        standing = self._standing(subject, to)
        if standing.probe_ns:
            longer_s = max(standing.rest_s, min(2 * standing.rest_s, policy.bench_max_s))
            standing.bench(longer_s, now_ns=now_ns, half_open=True)
        elif not standing.half_open and now_ns >= standing.until_ns:
            standing.failures += 1
            standing.cuts += fall.cut
            of_one_model = subject == _credential(to) and standing.only != ""
            enough = max(policy.bench_failures, policy.bench_failures_share * fall.others)
            if standing.failures >= enough and not of_one_model:
                standing.bench(policy.bench_s, now_ns=now_ns, half_open=True)

    def _limit(self, to: Deployment, retry_after_s: float | None, *, now_ns: int, policy: RoutingPolicy) -> None:
        """Rests as long as the provider says, else a little, longer each time; afterwards all may come at once."""
        offer, credential = to.used_model, _credential(to)
        pair = self._standing((to.credential.fingerprint, offer), to)
        if retry_after_s is not None:
            rest_s = min(retry_after_s, policy.bench_max_s)
        elif now_ns < pair.until_ns:
            return
        else:
            first_s = policy.bench_limited_s
            rest_s = max(first_s, min(2 * pair.rest_s, policy.bench_s)) if pair.rest_s else first_s
        pair.bench(rest_s, now_ns=now_ns, half_open=False)
        whole = self._standing(credential, to)
        if whole.limited != offer and now_ns < whole.limited_ns:
            whole.bench(rest_s, now_ns=now_ns, half_open=False)
        whole.limited, whole.limited_ns = offer, pair.until_ns

    def _of(self, to: Deployment) -> Iterator[Standing]:
        for subject in _subjects(to):
            standing = self.standings.get(subject)
            if standing is not None:
                yield standing

    def _standing(self, subject: Subject, to: Deployment) -> Standing:
        standings = self.standings
        standing = standings.get(subject)
        if standing is None:
            if len(standings) >= LIMIT:
                self._forget()
            standing = standings[subject] = Standing(to.provider.id, to.used_model)
        return standing

    def _forget(self) -> None:
        """A quarter: those whose rest ends, or ended, first. Callers name models at providers that take any."""
        standings = self.standings
        for subject in sorted(standings, key=lambda one: standings[one].until_ns)[: LIMIT // 4]:
            del standings[subject]


def _subjects(to: Deployment) -> tuple[Subject, ...]:
    offer = to.used_model
    return (offer, (to.credential.fingerprint, offer), _credential(to))


def _credential(to: Deployment) -> str:
    return f"{to.credential.fingerprint}@{to.provider.id}"
