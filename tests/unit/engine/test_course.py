"""Which deployment an attempt goes to: credentials before fallbacks, fallbacks before repeats, bounds on all."""

from typing import Any

import msgspec
import pytest

from llmgateway.domain import errors
from llmgateway.domain.errors import GatewayError, UpstreamError
from llmgateway.domain.plan import Candidate, RoutePlan
from llmgateway.domain.policy import RoutingPolicy
from tests.support.attempting import STREAM, WHOLE, FakeHealth, Try, answered, plan, text
from tests.support.fakes import FIRST, Script, event, offer, provider, snapshot

POLICY = RoutingPolicy()
BROKEN = answered(500)
REFUSED = answered(422)
TOO_LONG = answered(413)
SILENT = UpstreamError(errors.UPSTREAM_TIMEOUT, "silence")
LIMITED = answered(429, headers=((b"retry-after", b"3"),))


async def way(*scripts: Script | Exception, plan: RoutePlan, **fields: Any) -> list[str]:
    """The credentials tried, however it ends."""
    one = Try(*scripts, plan=plan, **{"policy": POLICY, **fields})
    try:
        await one.run()
    except GatewayError:
        pass
    return one.way


# Another credential, then another provider


async def test_another_credential_of_the_provider_comes_first_and_costs_no_fallback() -> None:
    assert await way(answered(401), answered(401), WHOLE, plan=plan(2, 1)) == ["p1-1", "p1-2", "p2-1"]
    assert await way(BROKEN, WHOLE, plan=plan(2, fallbacks=0)) == ["p1-1", "p1-2"]


async def test_each_provider_that_may_follow_keeps_its_attempt() -> None:
    """A provider with many keys that is down as a whole does not use up what the others need."""
    assert await way(*[SILENT] * 4, plan=plan(5, 1, 1)) == ["p1-1", "p1-2", "p2-1", "p3-1"]
    assert await way(*[SILENT] * 4, plan=plan(5, 1)) == ["p1-1", "p1-2", "p1-3", "p2-1"]
    assert await way(*[SILENT] * 4, plan=plan(5)) == ["p1-1", "p1-2", "p1-3", "p1-4"]


async def test_no_more_than_the_plan_says_may_follow() -> None:
    assert await way(*[SILENT] * 3, plan=plan(1, 1, 1, 1, fallbacks=2)) == ["p1-1", "p2-1", "p3-1"]
    assert await way(SILENT, plan=plan(1, 1, fallbacks=0)) == ["p1-1"]


async def test_no_more_than_the_policy_says_are_made_in_all() -> None:
    for most in (1, 2, 3):
        policy = RoutingPolicy(max_attempts=most)
        assert len(await way(*[BROKEN] * most, plan=plan(2, 1, 1), policy=policy)) == most
    assert len(await way(*[BROKEN] * 4, plan=plan(1, 1, 1, 1, 1, 1))) == 4


async def test_a_refusal_of_the_request_ends_it() -> None:
    assert await way(BROKEN, REFUSED, WHOLE, plan=plan(1, 1, 1)) == ["p1-1", "p2-1"]


async def test_a_second_credential_needs_a_place_in_the_retry_budget_and_a_second_provider_none() -> None:
    assert await way(BROKEN, WHOLE, plan=plan(2, 1), health=FakeHealth(repeats=0)) == ["p1-1", "p2-1"]


async def test_so_does_another_model_of_a_provider_that_failed() -> None:
    rows = snapshot(offer(model="gpt-x"), offer(model="gpt-y"), providers=[provider()])
    both = [rows.route(name) for name in ("gpt-x", "gpt-y")]
    one_provider = RoutePlan(tuple([Candidate(route.offers[0].deployments) for route in both if route]), fallbacks=1)
    assert len(await way(SILENT, WHOLE, plan=one_provider)) == 2
    assert len(await way(SILENT, plan=one_provider, health=FakeHealth(repeats=0))) == 1


# Those that rest


async def test_whoever_rests_is_passed_over_without_cost() -> None:
    resting = FakeHealth("p1-1", "p2-1", "p2-2")
    assert await way(SILENT, WHOLE, plan=plan(1, 2, 1, 1, fallbacks=1), health=resting) == ["p3-1", "p4-1"]
    assert await way(WHOLE, plan=plan(2), health=FakeHealth("p1-1")) == ["p1-2"]


async def test_when_all_rest_there_is_one_attempt() -> None:
    assert await way(BROKEN, plan=plan(2, 1), health=FakeHealth("p1-1", "p1-2", "p2-1")) == ["p1-1"]
    assert await way(BROKEN, plan=plan(1), health=FakeHealth("p1-1")) == ["p1-1"]


@pytest.mark.parametrize("pools", [(1, 1), (1,)])
async def test_which_is_not_repeated_even_if_it_says_when_to_come_back(pools: tuple[int, ...]) -> None:
    resting = plan(*pools)
    resting = msgspec.structs.replace(
        resting, candidates=tuple([msgspec.structs.replace(one, benched=True) for one in resting.candidates])
    )
    one = Try(LIMITED, plan=resting, policy=POLICY, health=FakeHealth("p1-1", "p2-1"))
    await one.refused()
    assert (one.way, one.clock.paused) == (["p1-1"], [])


async def test_whoever_rests_does_not_follow_a_failure_either() -> None:
    assert await way(SILENT, plan=plan(2, 1), health=FakeHealth("p1-2", "p2-1")) == ["p1-1"]


async def test_where_nobody_may_follow_a_resting_provider_is_still_the_one() -> None:
    """A pin, or x-no-fallback: the plan's other candidates are not for this request."""
    assert await way(WHOLE, plan=plan(1, 1, fallbacks=0), health=FakeHealth("p1-1")) == ["p1-1"]


# Contexts that are too small


async def test_a_prompt_that_is_too_long_goes_to_larger_contexts_only() -> None:
    sizes = (8000, 8000, 4000, 32_000)
    assert await way(TOO_LONG, WHOLE, plan=plan(1, 1, 1, 1, contexts=sizes)) == ["p1-1", "p4-1"]


async def test_a_context_that_nobody_knows_may_be_larger() -> None:
    assert await way(TOO_LONG, WHOLE, plan=plan(1, 1, contexts=(8000, 0))) == ["p1-1", "p2-1"]
    assert await way(TOO_LONG, WHOLE, plan=plan(1, 1, contexts=(0, 8000))) == ["p1-1", "p2-1"]


async def test_another_credential_does_not_make_a_context_larger() -> None:
    one = Try(TOO_LONG, plan=plan(3), policy=POLICY)
    assert (await one.refused()).kind is errors.UPSTREAM_CONTEXT
    assert one.way == ["p1-1"]


async def test_it_stays_the_callers_error_when_the_larger_ones_fail() -> None:
    one = Try(TOO_LONG, SILENT, plan=plan(1, 1, contexts=(8000, 16_000)), policy=POLICY)
    assert (await one.refused()).kind is errors.UPSTREAM_CONTEXT


async def test_the_largest_that_was_too_small_counts() -> None:
    sizes = (8000, 32_000, 16_000, 64_000)
    assert await way(TOO_LONG, TOO_LONG, WHOLE, plan=plan(1, 1, 1, 1, contexts=sizes)) == ["p1-1", "p2-1", "p4-1"]


# The same credential again


async def test_the_only_credential_is_asked_twice_more() -> None:
    one = Try(BROKEN, BROKEN, WHOLE, plan=plan(1), policy=POLICY)
    assert text(await one.run()) == "Hi"
    assert one.way == ["p1-1"] * 3
    assert [0 < pause <= most for pause, most in zip(one.clock.paused, (0.5, 1.0), strict=True)] == [True, True]


async def test_and_then_its_failure_is_told() -> None:
    one = Try(BROKEN, BROKEN, BROKEN, plan=plan(1), policy=POLICY)
    assert (await one.refused()).kind is errors.UPSTREAM_ERROR
    assert one.told == [("upstream_error", 500)] * 3


@pytest.mark.parametrize("script", [SILENT, answered(401), answered(402), answered(404), answered(409), answered(429)])
async def test_what_would_not_pass_is_not_repeated(script: Script | Exception) -> None:
    assert await way(script, plan=plan(1)) == ["p1-1"]


async def test_a_short_retry_after_is_waited_for() -> None:
    one = Try(LIMITED, WHOLE, plan=plan(1), policy=POLICY)
    await one.run()
    assert 3 <= one.clock.paused[0] <= 3.5


async def test_everybody_else_comes_before_a_repeat_and_repeats_go_round() -> None:
    assert await way(*[BROKEN] * 4, plan=plan(1, 1)) == ["p1-1", "p2-1", "p1-1", "p2-1"]


async def test_the_repeat_is_of_one_that_failed_in_passing() -> None:
    assert await way(SILENT, BROKEN, BROKEN, BROKEN, plan=plan(1, 1)) == ["p1-1", "p2-1", "p2-1", "p2-1"]


async def test_a_provider_with_several_credentials_is_not_asked_by_the_same_one_twice() -> None:
    assert await way(BROKEN, BROKEN, plan=plan(2)) == ["p1-1", "p1-2"]


async def test_unless_the_other_one_rests() -> None:
    assert await way(BROKEN, WHOLE, plan=plan(2), health=FakeHealth("p1-2")) == ["p1-1", "p1-1"]


async def test_a_repeat_needs_a_place_in_the_retry_budget() -> None:
    assert await way(BROKEN, BROKEN, plan=plan(1), health=FakeHealth(repeats=1)) == ["p1-1", "p1-1"]


class Resting(FakeHealth):
    """A credential rests once it has failed so often."""

    def __init__(self, failures: int) -> None:
        super().__init__()
        self.failures = failures

    def failed(self, to: Any, error: UpstreamError, *, committed: bool = False) -> None:
        super().failed(to, error, committed=committed)
        if sum(word == "failed" for word, _ in self.told) >= self.failures:
            self.benched.add(to.credential.fingerprint)


async def test_whoever_has_begun_to_rest_is_not_repeated() -> None:
    one = Try(BROKEN, BROKEN, plan=plan(1), policy=POLICY, health=Resting(2))
    await one.refused()
    assert (one.way, len(one.clock.paused)) == (["p1-1"] * 2, 1)


async def test_one_that_still_rests_after_the_pause_it_asked_for_is_left_alone() -> None:
    one = Try(LIMITED, plan=plan(1), policy=POLICY, health=Resting(1))
    assert (await one.refused()).retry_after_s == 3
    assert (one.way, len(one.clock.paused)) == (["p1-1"], 1)


# What health hears


async def test_health_hears_of_each_attempt_and_the_committed_one_stays_undecided() -> None:
    one = Try(BROKEN, STREAM, plan=plan(1, 1), policy=POLICY)
    await one.run(stream=True)
    assert one.health.told == [("began", "p1-1"), ("failed", "p1-1"), ("began", "p2-1")]
    assert one.exchange.undecided is one.exchange.attempts[-1].deployment


async def test_a_refusal_is_told_too_so_that_a_probe_ends() -> None:
    one = Try(REFUSED, plan=plan(1))
    await one.refused()
    assert one.health.told == [("began", "p1-1"), ("failed", "p1-1")]
    assert one.exchange.undecided is None


async def test_nothing_of_a_stream_that_failed_is_in_the_next_ones_answer() -> None:
    broken = Script(FIRST, event({"content": ""}), event(error={"message": "overloaded", "code": 503}))
    one = Try(broken, STREAM, plan=plan(1, 1), policy=POLICY)
    assert text(await one.run(stream=True)) == "Hi"
