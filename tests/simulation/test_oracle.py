"""The oracle is a bound: nobody who tries each provider once does better, and it is not better than the day allows."""

import random

import pytest

from tests.simulation.oracle import NOBODY, Oracle, cost, list_prices
from tests.simulation.scenario import EVENTS, HOSTS, TOTAL
from tests.simulation.world import Wanted, World, wanted

PRICES = list_prices()
HOURS = (3.1, 8.5, 11.02, 13.03, 13.55, 16.3, 16.51, 19.0, 22.01, 23.0)


def judged(seed: int, requests: list[Wanted], *, at: float) -> tuple[Oracle, World]:
    world = World(seed)
    oracle = Oracle(world, PRICES)
    for request in requests:
        oracle.judge(request, at=at)
    return oracle, world


def test_prices_are_the_catalogues_from_the_cheapest_to_the_dearest() -> None:
    sums = [3 * read + written for read, written in PRICES]
    assert sums == sorted(sums)
    assert all(read > 10_000 for read, _ in PRICES)


@pytest.mark.parametrize("hour", HOURS)
@pytest.mark.parametrize("seed", [1, 9])
def test_no_policy_that_tries_each_provider_once_is_better(seed: int, hour: float) -> None:
    at = hour * 3600
    requests = [wanted(seed, number) for number in range(300)]
    oracle, world = judged(seed, requests, at=at)
    for policy in range(20):
        source = random.Random(policy)
        for number, request in enumerate(requests):
            order = source.sample(range(len(HOSTS)), k=source.randint(1, 6))
            won = next(
                (h for h in order if world.fate(number, h, 0, at=at, output_tokens=request.output_tokens).answers), None
            )
            if won is not None:
                assert oracle.chosen[number] != NOBODY
                assert oracle.costs[number] <= cost(request, PRICES[won])


@pytest.mark.parametrize("hour", HOURS)
def test_it_promises_only_what_the_day_keeps(hour: float) -> None:
    at = hour * 3600
    requests = [wanted(2, number) for number in range(500)]
    oracle, world = judged(2, requests, at=at)
    for number, chosen in enumerate(oracle.chosen):
        tries = chosen != NOBODY and [
            world.fate(number, chosen, attempt, at=at, output_tokens=requests[number].output_tokens).answers
            for attempt in range(4)
        ]
        assert (chosen == NOBODY) == (not world.any_healthy(at))
        assert tries is False or any(tries)
        assert oracle.costs[number] == (0 if chosen == NOBODY else cost(requests[number], PRICES[chosen]))


def test_alone_a_provider_answers_what_its_draws_say() -> None:
    at = 8.5 * 3600  # a third of deepinfra's attempts fail
    requests = [wanted(3, number) for number in range(3_000)]
    oracle, world = judged(3, requests, at=at)
    for host in range(len(HOSTS)):
        won = [world.fate(n, host, 0, at=at, output_tokens=one.output_tokens).answers for n, one in enumerate(requests)]
        assert oracle.alone[host] == sum(won)
        assert oracle.alone_sdk[host] >= oracle.alone[host]
    assert oracle.alone_sdk[0] > 0.95 * len(requests) > oracle.alone[0]


def test_nobody_is_asked_for_what_nobody_could_do() -> None:
    oracle, _ = judged(1, [wanted(1, number) for number in range(50)], at=TOTAL[0].start + 60)
    assert (oracle.healthy_requests, sum(oracle.alone), sum(oracle.alone_sdk)) == (0, 0, 0)
    assert set(oracle.chosen) == {NOBODY}


def test_the_cheapest_healthy_is_the_first_that_no_event_troubles() -> None:
    requests = [wanted(1, number) for number in range(50)]
    for hour, host in ((1.0, 0), (3.1, 1), (16.3, 3)):
        oracle, _ = judged(1, requests, at=hour * 3600)
        assert list(oracle.cheapest_healthy_costs) == [cost(one, PRICES[host]) for one in requests]
    assert any(event.trouble == "empty" for event in EVENTS)
