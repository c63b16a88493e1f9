"""The catalogue's own rows and models, made so that a recording can be sent to them in the protocol it was recorded in.

Addresses are none; everything else that shapes a request (parameter policies, quirks, what an endpoint adds, what is
known of a model) is the catalogue's. Models that it does not know, or that have been retired since, are taken by name.
"""

import functools

import msgspec

from llmgateway.catalog.lookup import Catalog, load
from llmgateway.domain.routing import Endpoint, Mapping, Model, Protocol, Provider
from llmgateway.engine.address import row_at
from tests.support.corpus import Recording

_ROWS = {
    "google": "google-ai-studio",
    "vertex": "google-vertex",
    "bedrock": "aws-bedrock",
    "vercel-gateway": "vercel",
}
"""Where the corpus has another name for a provider."""


def row_of(recording: Recording) -> str:
    """The catalogue's name of a recording's provider."""
    return _ROWS.get(recording.provider, recording.provider)


@functools.cache
def rows(protocol: Protocol) -> tuple[tuple[Provider, ...], tuple[Model, ...]]:
    """Every provider that speaks a protocol, and its models."""
    catalogue: Catalog = load()
    speaking = {row.id: made for row in catalogue.providers.values() if (made := _speaking(row, protocol)) is not None}
    models: list[Model] = []
    for model in catalogue.models.values():
        mappings = tuple(_mapping(one) for one in model.mappings if one.provider in speaking)
        if mappings:
            models.append(msgspec.structs.replace(model, mappings=mappings))
    return tuple(speaking.values()), tuple(models)


def _speaking(row: Provider, protocol: Protocol) -> Provider | None:
    """The row as if the protocol were its own, at an address of this test."""
    own = Endpoint(protocol=row.protocol, lacks=row.lacks)
    adds = next((one for one in (own, *row.endpoints) if one.protocol == protocol), None)
    if adds is None:
        return None
    return msgspec.structs.replace(
        row_at(row, adds),
        base_url="http://upstream.test/v1",
        path="",
        stream_path="",
        auth="bearer",
        headers={},
        endpoints=(),
        variables={},
        regions=(),
        region_urls={},
        locations={},
        lacks=adds.lacks,
        any_model=True,
        priority=1.0,
    )


def _mapping(mapping: Mapping) -> Mapping:
    return msgspec.structs.replace(mapping, protocol=None, regions=(), deactivated=None, deprecated=None, priority=1.0)
