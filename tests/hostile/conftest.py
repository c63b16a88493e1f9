"""One gateway for the whole corpus: an attack that wounds it is found by the next test."""

from collections.abc import Iterator

import pytest

from tests.hostile.target import Target, attacked


@pytest.fixture(scope="session")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    with attacked(tmp_path_factory.mktemp("hostile")) as target:
        yield target
