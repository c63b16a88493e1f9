"""What a request is planned to do and what it did: offers, figures and scores, candidates, plans, attempts."""

from typing import Literal

import msgspec

from llmgateway.domain.routing import Deployment
from llmgateway.domain.usage import Tariff


class Excluded(msgspec.Struct, frozen=True):
    """A mapping that was left out of a plan, with the reason code kept for the log."""

    provider: str
    model: str
    reason: str
    param: str | None = None


class Offer(msgspec.Struct, frozen=True):
    """A mapping that can be used: its deployments, one per credential, in the operator's order.

    `key` is its used_model (`provider/model[:region]`): what metrics, preferences and scores are kept under. `tariff`
    None = unknown price. `priority`: the provider's times the mapping's.
    """

    key: str
    deployments: tuple[Deployment, ...]
    tariff: Tariff | None = None
    priority: float = 1.0


class Figures(msgspec.Struct, frozen=True):
    """What recent attempts say of an offer: `uptime` in percent, `latency` in milliseconds to the first token of a
    stream, `throughput` in output tokens a second, and how many attempts (unweighted) that rests on.
    """

    uptime: float
    latency: float
    throughput: float
    attempts: float


class Score(msgspec.Struct, frozen=True, gc=False):
    """How an offer compares with the best that compete, lower is better: the ratios, the penalty, the sum of all."""

    total: float
    price: float
    uptime: float
    throughput: float
    latency: float
    penalty: float


class Candidate(msgspec.Struct, frozen=True):
    """An offer that fits a request: its deployments in the order of trying. Scored only where several compete.

    `benched`: all of its credentials are; it is here because nothing else is left, and gets one attempt.
    """

    deployments: tuple[Deployment, ...]
    score: Score | None = None
    figures: Figures | None = None
    benched: bool = False


ChosenBy = Literal["only", "pin", "score", "strategy", "session", "preference", "exploration", "probe"]


class Ties(msgspec.Struct, frozen=True):
    """What the winner of a plan is remembered under, and for how long; an empty key is none.

    `credential`: the session holds its credential too, not its provider alone. `at_most`: keys remembered in all.
    """

    session: str = ""
    session_s: float = 0.0
    credential: bool = False
    preference: str = ""
    preference_s: float = 0.0
    at_most: int = 1


class RoutePlan(msgspec.Struct, frozen=True):
    """The ordered candidates of one request, and what was left out and why.

    `chosen_by`: what put the first one first. `fallbacks`: how many may follow it. `note`: the log's word of it, ready.
    """

    candidates: tuple[Candidate, ...]
    requested_provider: str | None = None
    excluded: tuple[Excluded, ...] = ()
    chosen_by: ChosenBy = "only"
    fallbacks: int = 0
    ties: Ties | None = None
    note: str | None = None

    @property
    def deployments(self) -> list[Deployment]:
        return [to for candidate in self.candidates for to in candidate.deployments]


class Attempt(msgspec.Struct, kw_only=True):
    """One request to one deployment, as it happened; an entry of metadata.routing and a row of the log.

    Times are nanoseconds of the monotonic clock. `status_code` 0 = no HTTP answer. `upstream_cost`: pico-dollars the
    operator paid for an attempt nothing of which reached the client.
    """

    deployment: Deployment
    log_id: str
    started_ns: int
    status_code: int = 0
    error_type: str = "none"
    error_code: str | None = None
    error_message: str | None = None
    succeeded: bool = False
    first_byte_ns: int = 0
    ended_ns: int = 0
    upstream_cost: int = 0
