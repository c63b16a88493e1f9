"""A transport whose deadlines are looked at often, on both event loops, checked for leaks when a test ends."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping

import pytest
import uvloop

from llmgateway.infra.transport import HttpTransport, TransportLimits

QUICK = TransportLimits(tick_s=0.01, release_s=0.05)


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Every behaviour holds on both loops."""
    del config, item
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.fixture
async def transport() -> AsyncIterator[HttpTransport]:
    client = HttpTransport(limits=QUICK)
    yield client
    await client.close()
    assert all(stats.open == 0 and stats.waiting == 0 for stats in client.stats().values())
