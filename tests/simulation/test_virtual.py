"""Virtual time: what the simulation's loop promises to whatever runs on it."""

import asyncio
import time

import pytest

from llmgateway.engine.errand import Errand, Waiter, within
from tests.simulation.virtual import BEGAN_S, VirtualClock, VirtualLoop, run


def test_a_day_of_sleep_takes_no_time_and_ends_to_the_second() -> None:
    loop = VirtualLoop()

    async def sleep() -> tuple[float, int]:
        clock = VirtualClock(loop)
        before = clock.now_ns()
        await clock.sleep(86_400)
        return loop.time(), clock.now_ns() - before

    began = time.process_time()
    ended, passed_ns = run(sleep(), loop=loop)
    assert ended == BEGAN_S + 86_400
    assert passed_ns == 86_400 * 10**9
    assert time.process_time() - began < 5


def test_what_is_due_earlier_happens_earlier_and_work_takes_no_time() -> None:
    loop = VirtualLoop()
    seen: list[tuple[str, float]] = []

    async def work(name: str, after_s: float) -> None:
        await asyncio.sleep(after_s)
        seen.append((name, loop.time() - BEGAN_S))

    async def all_of_it() -> None:
        await asyncio.gather(work("late", 3.25), work("early", 0.5), work("between", 2))

    run(all_of_it(), loop=loop)
    assert seen == [("early", 0.5), ("between", 2.0), ("late", 3.25)]


def test_errands_wait_and_run_out_of_time_on_it() -> None:
    loop = VirtualLoop()
    seen: list[str] = []

    async def errand() -> None:
        waiter = Waiter()
        loop.call_later(7, waiter.wake)
        await waiter
        seen.append(f"woken at {loop.time() - BEGAN_S:g}")
        try:
            async with within(5):
                await Waiter()
        except TimeoutError:
            seen.append(f"given up at {loop.time() - BEGAN_S:g}")

    async def live() -> None:
        over = loop.create_future()
        Errand(errand(), on_end=lambda _: over.set_result(None))
        await over

    run(live(), loop=loop)
    assert seen == ["woken at 7", "given up at 12"]


def test_waiting_for_what_nobody_will_bring_is_told() -> None:
    loop = VirtualLoop()

    async def wait() -> None:
        await loop.create_future()

    with pytest.raises(RuntimeError, match="no timer will bring"):
        loop.run_until_complete(wait())
    for task in asyncio.all_tasks(loop):
        task.cancel()
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
