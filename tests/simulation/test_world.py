"""The simulated day is the one that the scenario describes: shares, paces, tides and who is down when."""

import math
from statistics import fmean, median, stdev

import pytest

from tests.simulation.draws import arrivals, of_attempt, of_request, traffic
from tests.simulation.scenario import (
    BUSY,
    EVENTS,
    HOSTS,
    OUTPUT_TOKENS,
    PROJECTS,
    PROMPT_TOKENS,
    STREAMED_SHARE,
    TOTAL,
    Event,
)
from tests.simulation.world import SPREAD, World, drift, wanted

MANY = 40_000
QUIET_S = 1.5 * 3600
NAMES = [host.provider for host in HOSTS]
PARTIAL = [event for event in EVENTS if event.trouble not in ("slow", "starved")]


def near(count: int, *, share: float, of: int) -> bool:
    """Within four standard deviations of what a fair draw gives."""
    return abs(count - share * of) <= 4 * math.sqrt(share * (1 - share) * of) + 1


def endings(world: World, host: int, *, at: float, of: int = MANY) -> list[str]:
    return [world.fate(number, host, 0, at=at, output_tokens=1).ending for number in range(of)]


@pytest.mark.parametrize("host", range(len(HOSTS)), ids=NAMES)
def test_every_host_fails_by_its_flaw_when_nothing_befalls_it(host: int) -> None:
    found = endings(World(3, events=()), host, at=QUIET_S)
    assert near(found.count("status"), share=HOSTS[host].flaw, of=MANY)
    assert found.count("status") + found.count("answer") == MANY


@pytest.mark.parametrize("event", PARTIAL, ids=[f"{one.provider}-{one.trouble}-{one.start:g}" for one in PARTIAL])
def test_every_event_meets_its_share_and_stops_in_time(event: Event) -> None:
    host = NAMES.index(event.provider)
    ending = {"errors": "status", "rate_limited": "status"}.get(event.trouble, event.trouble)
    sound = Event(event.provider, "slow", event.start, event.end)
    for seed in (1, 2):
        calm, world = World(seed, events=(sound,)), World(seed, events=(event,))
        for at in (event.start, (event.start + event.end) / 2, math.nextafter(event.end, 0)):
            fates = [world.fate(n, host, 0, at=at, output_tokens=1) for n in range(10_000)]
            failing = [fate.ending for fate in fates if not fate.answers]
            assert near(len(failing), share=event.share + (1 - event.share) * HOSTS[host].flaw, of=10_000)
            flaws = 0 if event.share == 1 else 2 * HOSTS[host].flaw * 10_000
            if event.trouble != "unreachable":
                assert len(failing) - failing.count(ending) <= flaws
        for at in (math.nextafter(event.start, -1), event.end):
            assert endings(world, host, at=at, of=1_000) == endings(calm, host, at=at, of=1_000)


def test_half_of_the_unreachable_refuse_and_half_are_never_heard_of() -> None:
    found = endings(World(1), 0, at=3 * 3600 + 5)
    assert near(found.count("refused"), share=0.5, of=MANY)
    assert found.count("refused") + found.count("lost") == MANY


def test_a_rate_limit_says_when_to_come_back_if_its_event_does() -> None:
    world = World(1)
    for event in EVENTS:
        if event.trouble == "rate_limited":
            host = NAMES.index(event.provider)
            fates = [world.fate(n, host, 0, at=event.start + 1, output_tokens=1) for n in range(500)]
            limited = [fate for fate in fates if fate.status == 429]
            assert {fate.retry_after_s for fate in limited} == {event.retry_after_s}


def test_who_cannot_be_reached_says_nothing_else() -> None:
    """At 22:00 siliconflow would lie with a quarter of its answers; nobody hears them."""
    assert set(endings(World(5), NAMES.index("siliconflow"), at=22 * 3600 + 90)) == {"refused", "lost"}


@pytest.mark.parametrize("host", range(len(HOSTS)), ids=NAMES)
def test_pace_is_log_normal_around_the_hosts_figures(host: int) -> None:
    row, world = HOSTS[host], World(8, events=())
    fates = [world.fate(n, host, 0, at=QUIET_S, output_tokens=1_000) for n in range(5_000)]
    answers = [fate for fate in fates if fate.answers]
    firsts = [math.log(fate.first_s * 1000 / row.latency_ms) for fate in answers]
    paces = [math.log(1_000 / (fate.last_s - fate.first_s) / row.throughput_tps) for fate in answers]
    for logs in (firsts, paces):
        assert abs(fmean(logs)) < 4 * SPREAD / math.sqrt(len(logs))
        assert abs(stdev(logs) - SPREAD) < 0.02


def test_slowness_drifts_there_over_the_first_third_and_back_over_the_last() -> None:
    event = Event("novita", "slow", 6_000, 9_000, factor=4)
    assert [drift(event, at) for at in (6_000, 6_500, 7_000, 7_500, 8_000, 8_500)] == pytest.approx(
        [1, 2.5, 4, 4, 4, 2.5]
    )
    slow, starved = World(1).slowness(NAMES.index("siliconflow"), 13.5 * 3600)
    assert (slow, starved) == (1, 2.5)


def test_nobody_is_healthy_for_three_minutes_and_somebody_else_always() -> None:
    world = World(1)
    minutes = [minute for minute in range(24 * 60) if not world.any_healthy(60 * minute + 30)]
    assert minutes == [22 * 60, 22 * 60 + 1, 22 * 60 + 2]
    assert not world.any_healthy(TOTAL[0].start)
    assert world.any_healthy(TOTAL[0].end)


def test_a_draw_is_known_by_its_name_alone() -> None:
    world, other = World(4), World(4)
    late = [world.fate(n, 2, 0, at=QUIET_S, output_tokens=5) for n in reversed(range(300))]
    assert [other.fate(n, 2, 0, at=QUIET_S, output_tokens=5) for n in range(300)] == late[::-1]
    keys = [(1, 7, 0, 0), (2, 7, 0, 0), (1, 8, 0, 0), (1, 7, 1, 0), (1, 7, 0, 1)]
    drawn = [of_attempt(*key) for key in keys] + [of_request(1, 7)]
    assert len({number for numbers in drawn for number in numbers}) == 8 * len(drawn)


def test_requests_are_as_the_scenario_wants_them() -> None:
    made = [wanted(6, number) for number in range(MANY)]
    assert near(sum(1 for one in made if one.streamed), share=STREAMED_SHARE, of=MANY)
    for project in range(PROJECTS):
        assert near(sum(1 for one in made if one.project == project), share=1 / PROJECTS, of=MANY)
    for tokens, (middle, sigma) in (
        ([one.prompt_tokens for one in made], PROMPT_TOKENS),
        ([one.output_tokens for one in made], OUTPUT_TOKENS),
    ):
        assert abs(median(tokens) / middle - 1) < 0.03
        assert abs(stdev([math.log(count) for count in tokens]) - sigma) < 0.03


def test_traffic_has_its_tides() -> None:
    assert traffic(4 * 3600) == pytest.approx(1 - BUSY)
    assert traffic(16 * 3600) == pytest.approx(1 + BUSY)
    times = arrivals(2, 100_000)
    assert list(times) == sorted(times)
    for hour in range(24):
        expected = sum(traffic(3600 * hour + 60 * minute + 30) for minute in range(60)) / 60 / 24
        assert near(sum(1 for at in times if at // 3600 == hour), share=expected, of=100_000)
