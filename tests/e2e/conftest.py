"""The processes of the end-to-end tests: one simulator, one provider that answers as told, one gateway before both."""

from collections.abc import Iterator

import pytest

from tests.e2e.setting import configuration
from tests.support.gateway import Gateway, Simulator, running_gateway, running_simulator
from tests.support.told_upstream import ToldUpstream, told_upstream


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "slow: takes its time; runs by a make target of its own")


@pytest.fixture(scope="session")
def simulator() -> Iterator[Simulator]:
    with running_simulator() as simulator:
        yield simulator


@pytest.fixture(scope="session")
def upstream() -> Iterator[ToldUpstream]:
    with told_upstream() as upstream:
        yield upstream


@pytest.fixture(scope="session")
def gateway(
    simulator: Simulator, upstream: ToldUpstream, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    """A gateway that most tests share: they tell their requests apart by request id."""
    place = tmp_path_factory.mktemp("gateway")
    with running_gateway(place, configuration=configuration(simulator, upstream)) as gateway:
        yield gateway
