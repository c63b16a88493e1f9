"""One run of `attempt` with all that decides about it under a test's hand: a clock that passes by pauses, a health that
is told what it says, plans of several providers with several credentials."""

import json
import random
from collections.abc import Sequence
from typing import Any, Final

import pytest

from llmgateway.domain.errors import GatewayError, UpstreamError
from llmgateway.domain.identity import ApiKey
from llmgateway.domain.plan import Candidate, RoutePlan
from llmgateway.domain.policy import RoutingPolicy
from llmgateway.domain.routing import Credential, Deployment, HttpRequest, Timeouts
from llmgateway.engine.attempt import Committed, Means, attempt
from llmgateway.engine.clock import Clock
from llmgateway.engine.exchange import Exchange, RequestFacts
from llmgateway.engine.health import Health
from llmgateway.engine.ports import Signer
from llmgateway.wire.openai_chat.request import read_request
from llmgateway.wire.openai_chat.upstream import OpenAIChat
from tests.support.fakes import (
    DONE,
    FINISH,
    FIRST,
    JSON,
    KEY,
    ONCE,
    USAGE,
    FakeFetcher,
    FakeResponse,
    FakeTransport,
    Script,
    candidates,
    offer,
    provider,
    request_body,
    says,
    snapshot,
    whole,
)

WHOLE: Final = Script(whole(), headers=JSON)
STREAM: Final = Script(FIRST, says("Hi"), FINISH, USAGE, DONE)


class FakeClock(Clock):
    """`paused` are the pauses asked for; each of them passes at once."""

    def __init__(self) -> None:
        self.ns = 1_000_000_000_000
        self.paused: list[float] = []

    def now_ns(self) -> int:
        return self.ns

    def passes(self, seconds: float) -> None:
        self.ns += int(seconds * 1_000_000_000)

    async def sleep(self, seconds: float) -> None:
        self.paused.append(seconds)
        self.passes(seconds)


class FakeHealth(Health):
    """`told` is what it hears, in order: word and credential. Who is in `benched` rests; `begun`: whose streams have
    content; `repeats` are left in all.
    """

    def __init__(self, *benched: str, repeats: int = 1000) -> None:
        super().__init__(RoutingPolicy(), clock=FakeClock())
        self.benched = set(benched)
        self.repeats = repeats
        self.told: list[tuple[str, str]] = []
        self.begun: list[str] = []
        self.successes: list[tuple[float | None, int, float]] = []

    def open(self, to: Deployment) -> bool:
        return to.credential.fingerprint not in self.benched

    def began(self, to: Deployment) -> None:
        self.told.append(("began", to.credential.fingerprint))

    def committed(self, to: Deployment) -> None:
        self.begun.append(to.credential.fingerprint)

    def succeeded(
        self, to: Deployment, *, ttft_ms: float | None, tokens: int, seconds: float, committed: bool = False
    ) -> None:
        self.told.append(("succeeded", to.credential.fingerprint))
        self.successes.append((ttft_ms, tokens, seconds))

    def failed(self, to: Deployment, error: UpstreamError, *, committed: bool = False) -> None:
        self.told.append(("failed", to.credential.fingerprint))

    def left(self, to: Deployment, *, committed: bool = False) -> None:
        self.told.append(("left", to.credential.fingerprint))

    def may_repeat(self, to: Deployment) -> bool:
        self.repeats -= 1
        return self.repeats >= 0


def plan(*pools: int, fallbacks: int | None = None, contexts: Sequence[int] = (), **fields: Any) -> RoutePlan:
    """One candidate for each of `pools`: the number of its credentials, which are called p1-1, p1-2, p2-1 …

    `contexts`: of their offers. `fields`: of their providers.
    """
    names = [f"p{number}" for number in range(1, len(pools) + 1)]
    sizes = dict(zip(names, contexts, strict=False))
    built = snapshot(
        *[offer(name, context=sizes.get(name, 0)) for name in names],
        providers=[provider(name, **fields) for name in names],
        credentials=[
            Credential(provider=name, secret="sk", fingerprint=f"{name}-{number}")
            for name, pool in zip(names, pools, strict=True)
            for number in range(1, pool + 1)
        ],
    )
    chosen: list[Candidate] = []
    for name in names:
        route = built.route(f"{name}/gpt-x")
        assert route is not None
        chosen.append(Candidate(route.offers[0].deployments))
    return RoutePlan(tuple(chosen), fallbacks=len(pools) - 1 if fallbacks is None else fallbacks)


class Try:
    """One run of `attempt` over a plan made by hand. `takes_s`: what passes in each sending."""

    def __init__(
        self,
        *scripts: Script | Exception,
        plan: RoutePlan | None = None,
        timeout_s: float | None = None,
        policy: RoutingPolicy = ONCE,
        health: FakeHealth | None = None,
        takes_s: float = 0,
        key: ApiKey = KEY,
        fetcher: FakeFetcher | None = None,
        signer: Signer | None = None,
    ) -> None:
        self.clock = FakeClock()
        self.fetcher = fetcher or FakeFetcher()
        self.signer = signer
        self.transport = _SlowTransport(*scripts, clock=self.clock, takes_s=takes_s)
        self.policy = policy
        self.health = health or FakeHealth()
        facts = RequestFacts("request-1")
        facts.timeout_s = timeout_s
        self.exchange = Exchange(log_id="log", key=key, facts=facts, started_ns=self.clock.ns, clock=self.clock)
        self.exchange.plan = plan or candidates(*[f"p{number}" for number in range(1, len(scripts) + 1)])

    async def run(self, **fields: Any) -> Committed:
        self.exchange.chat = chat = read_request(request_body(**fields))
        means = Means(
            codecs={"openai-chat": OpenAIChat()},
            transport=self.transport,
            fetcher=self.fetcher,
            health=self.health,
            clock=self.clock,
            signer=self.signer,
            draw=random.Random(1),
        )
        return await attempt(self.exchange, chat, means=means, policy=self.policy)

    async def refused(self, **fields: Any) -> GatewayError:
        with pytest.raises(GatewayError) as raised:
            await self.run(**fields)
        return raised.value

    @property
    def told(self) -> list[tuple[str, int]]:
        return [(tried.error_type, tried.status_code) for tried in self.exchange.attempts]

    @property
    def way(self) -> list[str]:
        """The credentials that were tried, in order."""
        return [tried.deployment.credential.fingerprint for tried in self.exchange.attempts]

    @property
    def closed(self) -> list[bool]:
        return [response.closed or response.released for response in self.transport.responses]


class _SlowTransport(FakeTransport):
    def __init__(self, *scripts: Script | Exception, clock: FakeClock, takes_s: float) -> None:
        super().__init__(*scripts)
        self._clock = clock
        self._takes_s = takes_s

    async def send(self, request: HttpRequest, *, timeouts: Timeouts, total_s: float) -> FakeResponse:
        self._clock.passes(min(self._takes_s, total_s))
        return await super().send(request, timeouts=timeouts, total_s=total_s)


def text(committed: Committed) -> str:
    """What is told so far, by deltas and by what is forwarded."""
    told: list[str] = []
    for chunk in committed.chunks:
        told += [choice.delta.content or "" for choice in chunk.choices]
        for tail in chunk.wire.tails if chunk.wire is not None else ():
            choices = [json.loads(tail)] if chunk.done else json.loads(b'{"choices":' + tail)["choices"]
            told += [choice["message" if chunk.done else "delta"]["content"] for choice in choices]
    return "".join(told)


def answered(status: int, message: str = "", *, headers: tuple[tuple[bytes, bytes], ...] = (), **fields: Any) -> Script:
    body = b'{"error":{"message":"%b","code":%b}}' % (message.encode(), str(fields.get("code", "null")).encode())
    return Script(body, status=status, headers=(*JSON, *headers))
