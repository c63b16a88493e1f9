"""Errands: coroutines that go on when what they wait for happens, and end once, however they end."""

import asyncio
import gc
import weakref

import pytest

from llmgateway.engine.errand import Errand, Together, Waiter, behind, follow, within


class Ends:
    """What errands were told to have ended with."""

    def __init__(self) -> None:
        self.seen: list[BaseException | None] = []

    def __call__(self, error: BaseException | None) -> None:
        self.seen.append(error)


async def turns(count: int = 6) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_it_goes_on_when_its_waiter_wakes() -> None:
    waiter, ends, steps = Waiter(), Ends(), list[str]()

    async def work() -> None:
        steps.append("began")
        await waiter
        steps.append("went on")

    errand = Errand(work(), on_end=ends)
    await turns()
    assert (steps, errand.done) == (["began"], False)
    waiter.wake()
    await turns()
    assert (steps, errand.done, ends.seen) == (["began", "went on"], True, [None])


async def test_a_waiter_that_fails_raises_where_it_is_awaited() -> None:
    waiter, ends = Waiter(), Ends()

    async def work() -> None:
        await waiter

    Errand(work(), on_end=ends)
    await turns()
    waiter.fail(error := ValueError("broken"))
    await turns()
    assert ends.seen == [error]


async def test_what_has_happened_is_not_waited_for() -> None:
    waiter, ends = Waiter(), Ends()
    waiter.wake()

    async def work() -> None:
        await waiter

    Errand(work(), on_end=ends)
    await turns(4)
    assert ends.seen == [None]


async def test_futures_sleeps_and_tasks_can_be_awaited_too() -> None:
    ends, future = Ends(), asyncio.get_running_loop().create_future()
    results: list[object] = []

    async def other() -> str:
        await asyncio.sleep(0)
        return "other"

    async def work() -> None:
        results.append(await future)
        await asyncio.sleep(0)
        results.append(await asyncio.create_task(other()))

    Errand(work(), on_end=ends)
    await turns()
    future.set_result("future")
    await turns(8)
    assert (results, ends.seen) == (["future", "other"], [None])


@pytest.mark.parametrize("kind", ["waiter", "future", "not begun"])
async def test_it_can_be_cancelled_wherever_it_waits(kind: str) -> None:
    ends, cleaned = Ends(), list[str]()
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def work() -> None:
        try:
            await (Waiter() if kind == "waiter" else future)
        finally:
            cleaned.append("up")

    errand = Errand(work(), on_end=ends)
    if kind != "not begun":
        await turns()
    errand.cancel()
    await turns()
    assert cleaned == ["up"]
    assert [type(error) for error in ends.seen] == [asyncio.CancelledError]
    errand.cancel()
    await turns()
    assert len(ends.seen) == 1


async def test_one_cancelled_between_its_wake_and_its_turn_goes_on_once() -> None:
    first, second, ends, steps = Waiter(), Waiter(), Ends(), list[str]()

    async def work() -> None:
        await first
        steps.append("went on")
        try:
            await second
        except asyncio.CancelledError:
            steps.append("cancelled")
            await Waiter()

    errand = Errand(work(), on_end=ends)
    await turns()
    first.wake()
    errand.cancel()
    await turns(6)
    assert (steps, errand.done, ends.seen) == (["went on", "cancelled"], False, [])


async def test_a_task_can_await_a_waiter() -> None:
    waiter = Waiter()

    async def work() -> str:
        await waiter
        return "done"

    task = asyncio.create_task(work())
    await turns()
    waiter.wake()
    assert await task == "done"


async def test_a_time_limit_holds_in_an_errand() -> None:
    ended: asyncio.Future[BaseException | None] = asyncio.get_running_loop().create_future()

    async def work() -> None:
        async with within(0.01):
            await Waiter()

    Errand(work(), on_end=ended.set_result)
    assert type(await ended) is TimeoutError


async def test_a_cancelled_errand_does_not_take_it_for_a_time_limit() -> None:
    ends = Ends()

    async def work() -> None:
        async with within(60):
            await Waiter()

    errand = Errand(work(), on_end=ends)
    await turns()
    errand.cancel()
    assert [type(error) for error in ends.seen] == [asyncio.CancelledError]


async def test_what_follows_is_called_behind_all_errands_of_the_turn() -> None:
    steps: list[str] = []

    async def work(name: str) -> None:
        steps.append(name)
        assert follow(lambda: steps.append(f"behind {name}"))

    for name in "ab":
        Errand(work(name), on_end=Ends())
    await turns()
    assert steps == ["a", "b", "behind a", "behind b"]


async def test_what_follows_may_be_followed_itself() -> None:
    steps: list[str] = []

    async def work(name: str) -> None:
        follow(lambda: [steps.append(name), behind(lambda: steps.append(f"behind {name}"))])

    for name in "ab":
        Errand(work(name), on_end=Ends())
    await turns()
    assert steps == ["a", "b", "behind a", "behind b"]


async def test_where_no_errand_goes_on_nothing_follows() -> None:
    steps: list[str] = []
    assert not follow(lambda: steps.append("never"))
    behind(lambda: steps.append("at once"))
    assert steps == ["at once"]


async def test_things_of_one_turn_are_worked_on_together_and_else_alone() -> None:
    seen: list[list[str]] = []
    things = Together[str](seen.append)

    async def work(name: str) -> None:
        things.add(name)
        assert not seen

    for name in "ab":
        Errand(work(name), on_end=Ends())
    await turns()
    assert seen == [["a", "b"]]
    things.add("c")
    assert seen == [["a", "b"], ["c"]]


async def test_what_fails_behind_a_turn_does_not_hold_back_the_others() -> None:
    loop, told, steps = asyncio.get_running_loop(), list[object](), list[str]()
    loop.set_exception_handler(lambda _, context: told.append(context["exception"]))
    error = ValueError("broken")

    def fail() -> None:
        raise error

    async def work() -> None:
        follow(fail)
        follow(lambda: steps.append("behind"))

    Errand(work(), on_end=Ends())
    await turns()
    assert (told, steps) == ([error], ["behind"])


async def test_an_ended_errand_leaves_nothing_to_the_garbage_collector() -> None:
    class Owner:
        errand: Errand

        def ended(self, _error: BaseException | None) -> None: ...

    async def work() -> None:
        await asyncio.sleep(0)

    gc.collect()
    gc.disable()
    try:
        owner = Owner()
        gone = weakref.ref(owner)
        owner.errand = Errand(work(), on_end=owner.ended)
        await turns()
        del owner
        assert gone() is None
    finally:
        gc.enable()


async def test_neither_does_a_cancelled_one() -> None:
    class Held: ...

    gone: list[weakref.ref[Held]] = []

    async def work() -> None:
        held = Held()
        gone.append(weakref.ref(held))
        await Waiter()

    gc.collect()
    gc.disable()
    try:
        errand = Errand(work(), on_end=Ends())
        await turns()
        errand.cancel()
        del errand
        await turns()
        assert gone[0]() is None
    finally:
        gc.enable()
