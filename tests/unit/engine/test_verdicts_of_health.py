"""What becomes of a deployment's health: each attempt that began is told once how it ended, whatever happens."""

import asyncio
import contextlib
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llmgateway.domain import errors
from llmgateway.domain.errors import UpstreamError
from llmgateway.domain.plan import RoutePlan
from llmgateway.domain.policy import RoutingPolicy
from llmgateway.wire.openai_chat.upstream import OpenAIChat
from tests.support.attempting import FakeClock, FakeHealth, answered, plan
from tests.support.fakes import (
    DONE,
    FINISH,
    FIRST,
    JSON,
    USAGE,
    Bench,
    Script,
    event,
    provider,
    says,
    snapshot,
    whole,
)

RESET = UpstreamError(errors.UPSTREAM_UNREACHABLE, "The connection broke.", status_code=200)
ANSWER = (FIRST, says("Hel"), says("lo"), FINISH, USAGE, DONE)


async def asked(*scripts: Script | Exception, **fields: Any) -> tuple[Bench, FakeHealth]:
    health = FakeHealth()
    bench = Bench(*scripts, health=health)
    await bench.ask(**fields)
    return bench, health


def words(health: FakeHealth) -> list[str]:
    return [word for word, _ in health.told]


# Each way in which a committed answer ends


@pytest.mark.parametrize("stream", [False, True])
async def test_a_complete_answer_is_a_success(stream: bool) -> None:
    _, health = await asked(Script(*ANSWER) if stream else Script(whole(), headers=JSON), stream=stream)
    assert words(health) == ["began", "succeeded"]
    ((ttft_ms, tokens, seconds),) = health.successes
    assert (ttft_ms is not None, tokens) == (stream, 5)
    assert seconds > 0


async def test_without_usage_the_tokens_are_estimated() -> None:
    _, health = await asked(Script(FIRST, says("x" * 400), FINISH, DONE), stream=True)
    assert health.successes[0][1] == 100


@pytest.mark.parametrize(
    "steps",
    [(FIRST, says("Hel"), RESET), (FIRST, says("Hel"), event(error={"message": "x"})), (FIRST, says("Hel"))],
    ids=["reset", "error event", "no finish"],
)
async def test_a_stream_that_breaks_behind_its_content_is_a_failure(steps: Any) -> None:
    _, health = await asked(Script(*steps), stream=True)
    assert words(health) == ["began", "failed"]


async def test_a_failure_before_any_content_is_told_once() -> None:
    _, health = await asked(answered(500))
    assert words(health) == ["began", "failed"]


class BuggyCodec(OpenAIChat):
    def whole(self, *_: Any, **__: Any) -> Any:
        raise RuntimeError("a bug")


async def test_a_bug_of_ours_says_nothing_of_the_provider() -> None:
    health = FakeHealth()
    bench = Bench(Script(whole(), headers=JSON), codec=BuggyCodec(), health=health)
    await bench.ask()
    assert (words(health), bench.journal.exchange["status"]) == (["began", "left"], 500)


@pytest.mark.parametrize("steps", [(FIRST,), (FIRST, says("Hel"))], ids=["before content", "after content"])
async def test_a_caller_that_leaves_says_nothing_of_the_provider(steps: tuple[bytes, ...]) -> None:
    health = FakeHealth()
    bench = Bench(Script(*steps, asyncio.Event()), health=health)
    task = bench.begin(stream=True)
    await turns()
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert (words(health), bench.journal.exchange["status"]) == (["began", "left"], 499)


async def test_a_caller_that_leaves_during_a_pause_leaves_nothing_open() -> None:
    """Between two attempts there is no deployment whose health awaits a verdict."""
    health = FakeHealth()
    rows = snapshot(providers=[provider()], policy=RoutingPolicy(backoff_s=1000))
    bench = Bench(answered(500), snapshot_=rows, health=health)
    task = bench.begin()
    await turns()
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert (words(health), bench.journal.exchange["status"]) == (["began", "failed"], 499)
    assert bench.journal.exchange["attempts"] == 1


async def turns() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


# Any sequence of anything

WHOLES = {
    "good": Script(whole("good"), headers=JSON),
    "empty": Script(whole(None, usage=None), headers=JSON),
    "unreadable": Script(b"<html>", headers=JSON),
    "reset": Script(whole("bad")[:20], RESET, headers=JSON),
}
STREAMS = {
    "good": Script(FIRST, says("go"), says("od"), FINISH, USAGE, DONE),
    "empty": Script(FIRST, FINISH, DONE),
    "unreadable": Script(FIRST, b"data: {\n\n"),
    "error event": Script(FIRST, event(error={"message": "x"})),
    "cut before content": Script(FIRST, RESET),
    "cut behind content": Script(FIRST, says("go"), RESET),
    "no finish": Script(FIRST, says("go"), DONE),
}
EITHER: dict[str, Script | Exception] = {
    **{str(status): answered(status) for status in (400, 401, 402, 403, 404, 408, 409, 413, 422, 429, 500, 503)},
    "retry-after": answered(429, headers=((b"retry-after", b"1"),)),
    "unreachable": UpstreamError(errors.UPSTREAM_UNREACHABLE, "x"),
    "timeout": UpstreamError(errors.UPSTREAM_TIMEOUT, "x"),
    "never": Script(asyncio.Event()),
}


@st.composite
def days(draw: st.DrawFn) -> tuple[bool, list[str], RoutePlan, RoutingPolicy, FakeHealth]:
    streamed = draw(st.booleans())
    kinds = sorted({**(STREAMS if streamed else WHOLES), **EITHER})
    most = draw(st.integers(1, 5))
    pools = draw(st.lists(st.integers(1, 3), min_size=1, max_size=4))
    names = [f"p{at}-{number}" for at, pool in enumerate(pools, 1) for number in range(1, pool + 1)]
    return (
        streamed,
        draw(st.lists(st.sampled_from(kinds), min_size=most, max_size=most)),
        plan(*pools, fallbacks=draw(st.integers(0, 3)), contexts=draw(st.lists(st.integers(0, 9), max_size=4))),
        RoutingPolicy(max_attempts=most, same_credential_retries=draw(st.integers(0, 3))),
        FakeHealth(*draw(st.lists(st.sampled_from(names), max_size=3)), repeats=draw(st.integers(0, 3))),
    )


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(day=days())
async def test_whatever_happens_attempts_are_bounded_and_all_is_told_once(
    day: tuple[bool, list[str], RoutePlan, RoutingPolicy, FakeHealth], monkeypatch: pytest.MonkeyPatch
) -> None:
    streamed, fates, route, policy, health = day
    monkeypatch.setattr("llmgateway.engine.pipeline.plan_route", lambda *_, **__: route)
    known = {**(STREAMS if streamed else WHOLES), **EITHER}
    bench = Bench(*[known[fate] for fate in fates], snapshot_=snapshot(policy=policy), health=health, clock=FakeClock())
    task = bench.begin(stream=streamed)
    await turns()
    task.cancel()  # what never comes is left; what has ended does not mind
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert bench.bugs == []
    made = len(bench.transport.requests)
    assert 1 <= made <= policy.max_attempts
    assert len({name.partition("-")[0] for _, name in health.told}) <= route.fallbacks + 1
    assert [word == "began" for word, _ in health.told] == [True, False] * made
    assert words(health).count("succeeded") <= 1
    assert len(bench.journal.records) == 1
    assert [row["seq"] for row in bench.journal.attempts] == list(range(1, made + 1))
    _check_answer(bench, fates[made - 1], streamed=streamed)


def _check_answer(bench: Bench, last: str, *, streamed: bool) -> None:
    """Only the last attempt's words, all of them or those before one error."""
    down, status = bench.down, bench.journal.exchange["status"]
    if last == "never":
        assert (status, down.ended) == (499, False)
    elif not streamed:
        assert (status == 200) == (last == "good")
        assert down.status == status
        assert status != 200 or down.answer["choices"][0]["message"]["content"] == "good"
    elif last in ("good", "cut behind content", "no finish"):
        events = [one for one in down.events if isinstance(one, dict)]
        told = "".join(choice["delta"].get("content") or "" for one in events for choice in one["choices"])
        assert told == ("good" if last == "good" else "go")
        assert [("error" in one) for one in events].count(True) == (last != "good")
        assert down.events[-1] == "[DONE]"
    else:
        assert (down.pieces, down.status) == ([], status)
        assert status >= 400
    assert all(response.closed or response.released for response in bench.transport.responses)
