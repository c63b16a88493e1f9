"""A door per test, on both event loops that it can run on."""

import asyncio
from collections.abc import Callable, Iterator

import pytest
import uvloop

from llmgateway.apps.edge.front import Limits
from tests.unit.apps.edge.door import Door

LOOPS = {"uvloop": uvloop.new_event_loop, "asyncio": asyncio.new_event_loop}
NewLoop = Callable[[], asyncio.AbstractEventLoop]


@pytest.fixture(params=LOOPS)
def new_loop(request: pytest.FixtureRequest) -> NewLoop:
    return LOOPS[request.param]


@pytest.fixture
def limits() -> Limits:
    """Overridden by tests that need others."""
    return Limits(max_body_bytes=100_000, keep_alive_s=0.3, stall_timeout_s=1)


@pytest.fixture
def door(new_loop: NewLoop, limits: Limits) -> Iterator[Door]:
    door = Door(new_loop, limits=limits)
    yield door
    door.close()
    assert door.complaints == []
    assert door.front.buffered_bytes == 0
    assert door.gateway.meters.in_flight == 0
