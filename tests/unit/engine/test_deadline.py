"""Time: what an attempt gets of it, how long silence is borne, and who is blamed when it is over."""

import asyncio
from typing import Any

import msgspec
import pytest

from llmgateway.domain import errors
from llmgateway.domain.errors import UpstreamError
from llmgateway.domain.plan import Candidate, RoutePlan
from llmgateway.domain.policy import RoutingPolicy
from llmgateway.domain.routing import Deployment, HttpRequest, Timeouts
from llmgateway.engine.deadline import patience
from tests.support.attempting import STREAM, WHOLE, FakeClock, Try, answered, plan, text
from tests.support.fakes import KEY, ONCE, FakeFetcher, offer, provider, snapshot

TIMEOUT = UpstreamError(errors.UPSTREAM_TIMEOUT, "silence")


# What an attempt gets


@pytest.mark.parametrize(("stream", "total_s"), [(False, 600), (True, 1200)])
async def test_an_attempt_gets_what_is_left_of_the_deadline(stream: bool, total_s: float) -> None:
    one = Try(STREAM if stream else WHOLE)
    one.clock.passes(100)
    await one.run(stream=stream)
    assert one.transport.totals_s == [total_s - 100]


async def test_one_deadline_is_over_all_attempts() -> None:
    one = Try(TIMEOUT, TIMEOUT, WHOLE, takes_s=250)
    assert text(await one.run()) == "Hi"
    assert one.transport.totals_s == [600, 350, 100]


async def test_a_provider_may_allow_less_for_one_attempt() -> None:
    one = Try(TIMEOUT, WHOLE, plan=plan(1, 1, timeouts=Timeouts(total=60)), takes_s=60)
    await one.run()
    assert one.transport.totals_s == [60, 60]


async def test_the_policy_sets_the_deadline() -> None:
    policy = RoutingPolicy(deadline_s=7, deadline_stream_s=9)
    for stream, given_s in ((False, 7), (True, 9)):
        one = Try(STREAM if stream else WHOLE, policy=policy)
        await one.run(stream=stream)
        assert one.transport.totals_s == [given_s]


async def test_a_caller_may_ask_for_less_time_but_not_for_more() -> None:
    for asked_s, given_s in ((5, 5), (100_000, 600)):
        one = Try(WHOLE, timeout_s=asked_s)
        await one.run()
        assert one.transport.totals_s == [given_s]


async def test_past_the_deadline_nothing_is_sent() -> None:
    one = Try(WHOLE, timeout_s=5)
    one.clock.passes(6)
    assert (await one.refused()).kind is errors.UPSTREAM_TIMEOUT
    assert (one.transport.requests, one.health.told) == ([], [])


async def test_past_the_deadline_no_further_provider_is_asked() -> None:
    one = Try(TIMEOUT, WHOLE, timeout_s=5, takes_s=5)
    assert (await one.refused()).kind is errors.UPSTREAM_TIMEOUT
    assert len(one.transport.requests) == 1


async def test_a_pause_that_would_not_fit_is_not_begun() -> None:
    """The provider asks for four seconds; three are left."""
    limited = answered(429, headers=((b"retry-after", b"4"),))
    one = Try(limited, WHOLE, plan=plan(1), timeout_s=5, takes_s=2, policy=RoutingPolicy())
    assert (await one.refused()).retry_after_s == 4
    assert (len(one.transport.requests), one.clock.paused) == (1, [])


class NeverFetched(FakeFetcher):
    async def fetch(self, *_: Any, **__: Any) -> Any:
        await asyncio.Event().wait()


async def test_fetching_what_urls_name_is_bounded_by_it_too() -> None:
    one = Try(WHOLE, plan=plan(1, quirks=("inline_media",)), timeout_s=0.01, fetcher=NeverFetched())
    image = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
    error = await one.refused(messages=[{"role": "user", "content": [image]}])
    assert (error.kind, one.exchange.attempts) == (errors.UPSTREAM_TIMEOUT, [])


class SlowSigner:
    """Takes three seconds, as for a token."""

    def __init__(self) -> None:
        self.clock = FakeClock()

    async def sign(self, request: HttpRequest, *, to: Deployment) -> HttpRequest:
        self.clock.passes(3)
        return request


async def test_the_time_that_signing_takes_counts() -> None:
    signed = plan(1)
    to = msgspec.structs.replace(signed.deployments[0], signing="google")
    signer = SlowSigner()
    one = Try(WHOLE, plan=RoutePlan((Candidate((to,)),)), timeout_s=5, signer=signer)
    signer.clock = one.clock
    await one.run()
    assert one.transport.totals_s == [2]


# Who is blamed


@pytest.mark.parametrize(
    ("asked_s", "takes_s", "word"),
    [(50, 50, "left"), (70, 70, "failed"), (50, 20, "failed"), (None, 1200, "failed")],
    ids=["too little time", "half of its time", "by itself", "all of its time"],
)
async def test_a_provider_is_not_blamed_for_a_caller_in_a_hurry(
    asked_s: float | None, takes_s: float, word: str
) -> None:
    """A stream has 120 s for its first byte; who got less than half of them, by the caller's wish, is not demoted."""
    one = Try(TIMEOUT, plan=plan(1), timeout_s=asked_s, takes_s=takes_s)
    await one.refused(stream=True)
    assert one.health.told == [("began", "p1-1"), (word, "p1-1")]


async def test_nor_for_what_others_have_used_up() -> None:
    one = Try(TIMEOUT, TIMEOUT, plan=plan(1, 1), takes_s=400)
    await one.refused()
    assert [word for word, _ in one.health.told] == ["began", "failed", "began", "left"]


async def test_a_request_timeout_of_the_providers_own_blames_it() -> None:
    one = Try(answered(408), plan=plan(1), timeout_s=5, takes_s=5)
    await one.refused()
    assert one.health.told[-1] == ("failed", "p1-1")


# How long silence is borne

SET = Timeouts(first_byte=7, idle=8)
POLICY = RoutingPolicy(first_byte_slow_s=500, idle_reasoning_s=200)


@pytest.mark.parametrize(
    ("reasons", "streamed", "own", "borne"),
    [
        (False, True, Timeouts(), (120, 120)),
        (False, False, Timeouts(), (500, 120)),
        (True, True, Timeouts(), (500, 200)),
        (True, False, Timeouts(), (500, 200)),
        (True, True, SET, (7, 8)),
        (False, False, SET, (7, 8)),
    ],
)
def test_answers_that_begin_late_are_waited_for(
    reasons: bool, streamed: bool, own: Timeouts, borne: tuple[float, float]
) -> None:
    """What the operator or the catalogue says of a provider stands."""
    has = frozenset({"reasoning"} if reasons else ())
    found = patience(own, offer(has=has), streamed=streamed, policy=POLICY)
    assert (found.first_byte, found.idle) == borne


def reasoning_plan(timeouts: Timeouts, *, has: frozenset[str] = frozenset({"reasoning"})) -> RoutePlan:
    rows = snapshot(offer(has=has), providers=[provider(timeouts=timeouts)], policy=POLICY)
    route = rows.route("gpt-x")
    assert route is not None
    return RoutePlan((Candidate(route.offers[0].deployments),))


async def test_before_its_first_content_a_model_that_reasons_may_be_silent_for_longer_than_behind_it() -> None:
    one = Try(STREAM, plan=reasoning_plan(Timeouts()))
    await one.run(stream=True)
    assert one.transport.timeouts[0].idle == 200
    assert one.transport.responses[0].idle_s == 120


async def test_a_provider_with_an_idle_timeout_of_its_own_keeps_it_throughout() -> None:
    one = Try(STREAM, plan=reasoning_plan(SET))
    await one.run(stream=True)
    assert (one.transport.timeouts[0].idle, one.transport.responses[0].idle_s) == (8, 8)


async def test_a_project_with_numbers_of_its_own_has_its_own_patience() -> None:
    project = msgspec.structs.replace(KEY.project, routing=RoutingPolicy(first_byte_slow_s=99))
    one = Try(WHOLE, plan=plan(1), policy=ONCE, key=msgspec.structs.replace(KEY, project=project))
    one.policy = RoutingPolicy(first_byte_slow_s=99)
    await one.run()
    assert one.transport.timeouts[0].first_byte == 99


async def test_a_whole_answer_is_waited_for_longer_than_the_head_of_a_stream() -> None:
    borne: list[float] = []
    for stream in (False, True):
        one = Try(STREAM if stream else WHOLE)
        await one.run(stream=stream)
        borne.append(one.transport.timeouts[0].first_byte)
    assert borne == [600, 120]
