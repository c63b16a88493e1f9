"""The shipped gateway through the day of the scenario: 20,000 requests of it here, ten days of a million by
`make simulation`, whose report is docs/simulation.md.

The whole day at a fiftieth of its traffic is what tells success and cost. How an outage of everybody is amplified says
little at one request in five seconds, most of which look whether somebody is back: that is asked of the minutes around
it at full traffic.
"""

from array import array
from collections import Counter
from functools import cache

import pytest

from tests.simulation.day import Day
from tests.simulation.figures import Measures, amplification, measured
from tests.simulation.oracle import Oracle, cost, list_prices
from tests.simulation.scenario import (
    AMPLIFICATION_AT_MOST,
    COST_AT_MOST,
    DAY_S,
    HOSTS,
    REQUESTS,
    REQUESTS_IN_THE_SUITE,
    SUCCESS_AT_LEAST,
    TOTAL,
)
from tests.simulation.world import Ending, Fate, Wanted, wanted

SEED = 1
AROUND = (TOTAL[0].start - 120, TOTAL[0].end + 60)


@cache
def lived() -> Day:
    day = Day(SEED, requests=REQUESTS_IN_THE_SUITE)
    day.run()
    return day


@cache
def measures() -> Measures:
    return measured(lived())


def test_whoever_could_be_answered_is_answered() -> None:
    found = measures()
    assert found.oracle_healthy == 1
    assert found.success_healthy >= SUCCESS_AT_LEAST
    assert found.success_whole_day < 1, "nobody can be answered while all are out"


def test_it_does_better_than_its_cheaper_providers_alone() -> None:
    found = measures()
    assert found.success_healthy > max(found.alone)
    assert found.success_healthy > max(found.alone_sdk[:3])


def test_it_costs_little_more_than_knowing_the_future() -> None:
    found = measures()
    assert 0.97 < found.cost_of_oracle <= COST_AT_MOST


def test_one_providers_outage_is_not_amplified() -> None:
    assert max(measures().amplification_single) <= AMPLIFICATION_AT_MOST


def test_an_outage_of_everybody_is_not_amplified_at_full_traffic() -> None:
    day = Day(SEED, requests=REQUESTS, between=AROUND)
    day.run()
    assert amplification(day, TOTAL[0]) <= AMPLIFICATION_AT_MOST
    behind = [answered for at, answered in zip(day.at, day.book.answered, strict=True) if at > TOTAL[0].end + 30]
    assert len(behind) > 200
    assert all(behind), "half a minute later everybody is answered again"


def test_a_failed_provider_is_left() -> None:
    for one in measures().leavings:
        assert one.sent <= 20, one


def test_looking_at_a_provider_is_told_from_traffic() -> None:
    """One request in a hundred explores, and one a minute goes to the liar to see whether it still lies."""
    sent = lived().providers.sent
    looks = [n for n in range(len(sent.at)) if not sent.regular[n]]
    liar = sum(1 for n in looks if HOSTS[sent.host[n]].provider == "siliconflow")
    assert 400 < liar <= DAY_S / 60
    assert 0.006 < (len(looks) - liar) / len(sent.at) < 0.02
    dearest = [n for n in range(len(sent.at)) if sent.host[n] == len(HOSTS) - 1 and sent.answered[n]]
    assert len(dearest) > 10
    assert sum(1 for n in dearest if sent.regular[n]) < len(dearest) / 10, "nobody goes to the dearest by merit"


def test_every_request_has_its_record_and_its_attempts_are_the_providers() -> None:
    day = lived()
    sent = day.providers.sent
    assert day.book.recorded == len(day.at) == REQUESTS_IN_THE_SUITE
    assert sum(day.book.attempts) == len(sent.at)
    assert max(day.book.attempts) <= 4
    assert not day.providers.asked
    served = {number for number, answered in zip(sent.request, sent.answered, strict=True) if answered}
    assert served == {number for number, answered in enumerate(day.book.answered) if answered}


def test_what_it_records_of_money_is_what_the_providers_charge() -> None:
    """Empty answers too: they read the prompt, and say so."""
    day, prices = lived(), list_prices()
    sent = day.providers.sent
    charged = array("q", bytes(8 * len(day.at)))
    tries: Counter[tuple[int, int]] = Counter()
    for number, host, at in zip(sent.request, sent.host, sent.at, strict=True):
        request = wanted(SEED, number)
        fate = day.world.fate(number, host, tries[number, host], at=at, output_tokens=request.output_tokens)
        tries[number, host] += 1
        if fate.answers:
            charged[number] += cost(request, prices[host])
        elif fate.ending == "empty":
            charged[number] += request.prompt_tokens * prices[host][0]
    assert charged == day.book.costs


def test_the_same_seed_is_the_same_day_to_the_last_byte() -> None:
    days = [Day(4, requests=2_000) for _ in range(2)]
    for day in days:
        day.run()
    first, second = [day.providers.sent for day in days]
    assert (first.at, first.host, first.regular) == (second.at, second.host, second.regular)
    assert measured(days[0]) == measured(days[1])


def test_another_seed_is_another_day() -> None:
    assert Oracle(Day(1, requests=10).world, list_prices()).costs == array("q")
    assert Day(1, requests=10).at != Day(2, requests=10).at


@pytest.mark.parametrize("ending", ["refused", "lost", "stalled", "status", "empty"])
def test_the_gateway_takes_each_ending_for_what_it_is(ending: Ending) -> None:
    """The two cheapest fail so: the others answer, and nobody pays for a failure. Of silence there can be only one: it
    is borne for half of a stream's time, and for all of a whole answer's.
    """
    failing = 1 if ending == "stalled" else 2

    def fate(request: Wanted, host: int, before: int, at: float) -> Fate:
        if host < failing:
            return Fate(ending, 0.2, 0.2, status=500 if ending == "status" else 200)
        return Fate("answer", 0.4, 2.0)

    day = Day(1, requests=400, fates=fate)
    day.run()
    sent = day.providers.sent
    failed = [n for n in range(len(sent.at)) if sent.host[n] < failing]
    assert failed
    assert not any(sent.answered[n] for n in failed)
    lost = [number for number, answered in enumerate(day.book.answered) if not answered]
    if ending != "stalled":
        assert lost == []
    assert not any(wanted(1, number).streamed for number in lost), "a whole answer has no time for a second try"
    assert [day.book.costs[number] for number in lost] == [0] * len(lost)
