"""The shipped catalogue, loaded once."""

import pytest

from llmgateway.catalog.lookup import Catalog, load


@pytest.fixture(scope="session")
def catalog() -> Catalog:
    return load()
