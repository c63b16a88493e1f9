"""Conversations keep their provider's prompt cache through the gateway, and a client without it is counted alike."""

from functools import cache
from itertools import pairwise

import pytest

from llmgateway.apps.simulator.promptcache import PromptCache
from tests.simulation.conversations import Flap, Hall, Talk, Tally, direct, talks
from tests.simulation.scenario import HOSTS
from tests.simulation.world import World

CALM = World(1, events=())
SOME = 400


@cache
def held() -> tuple[Talk, ...]:
    return tuple(talks(1, SOME))


@cache
def direct_calm() -> Tally:
    return direct(held(), CALM, host=0)


def test_a_turn_is_the_one_before_and_more() -> None:
    talk = held()[3]
    cache_ = PromptCache()
    cache_.recall(talk.body(0))
    for turn in range(1, len(talk.turns)):
        before, body = talk.body(turn - 1), talk.body(turn)
        common = len(before) - len(b'],"stream":true}')
        assert body[:common] == before[:common]
        assert cache_.recall(body) == common // 1024 * 256


def test_conversations_share_no_prefix() -> None:
    cache_ = PromptCache()
    assert sum(cache_.recall(talk.body(0)) for talk in held()) == 0


def test_without_trouble_the_gateway_changes_nothing_about_caching() -> None:
    hall = Hall(held(), CALM)
    found = hall.run()
    assert found.turns == direct_calm().turns == sum(len(talk.turns) for talk in held())
    assert found.ratio >= 0.99 * direct_calm().ratio
    assert found.failures == 0


def test_no_turn_fails_while_the_provider_flaps_and_most_moves_had_to_be() -> None:
    world = World(1, events=Flap("", "errors", down_s=60, every_s=600).events(HOSTS[0].provider))
    alone = direct(held(), world, host=0)
    hall = Hall(held(), world)
    found = hall.run()
    assert alone.failures > 100
    assert found.failures == 0
    assert alone.ratio == direct_calm().ratio, "asking again until it answers finds the cache as it was"
    assert found.ratio >= 0.97 * direct_calm().ratio
    assert hall.forced <= hall.moves < SOME


@pytest.mark.parametrize("down_s", [0, 600])
def test_a_flap_is_down_for_its_share_of_the_time(down_s: float) -> None:
    events = Flap("", "errors", down_s=down_s, every_s=600).events("novita")
    assert {event.end - event.start for event in events} == {down_s}
    assert {second.start - first.start for first, second in pairwise(events)} == {600}
