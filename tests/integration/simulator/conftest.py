"""A simulator process that vendors' own SDKs talk to."""

from collections.abc import Iterator

import pytest

from tests.support.gateway import Simulator, running_simulator


@pytest.fixture(scope="session")
def simulator() -> Iterator[Simulator]:
    with running_simulator() as simulator:
        yield simulator


@pytest.fixture(scope="session")
def url(simulator: Simulator) -> str:
    return simulator.url
