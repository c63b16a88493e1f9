"""What names mean: the catalogue as an immutable value, and from a model's name to the mappings that offer it.

Knows the generated data file and the order in which a name is tried. Leaves credentials, rules, health and the choice
between mappings to the engine; the operator's own providers and models come in through `Catalog.merged`.
"""

import gc
import re
from collections.abc import Iterable
from collections.abc import Mapping as ReadOnly
from importlib import resources
from types import MappingProxyType

import msgspec

from llmgateway.catalog import nearest
from llmgateway.domain.routing import Mapping, Model, Provider

_REMEMBERED = 1024
_DATED = re.compile(r"(?:[-@]\d{4}-?\d{2}-?\d{2}|-latest)$")


class Source(msgspec.Struct, frozen=True):
    """Where generated facts come from: a package, its version, and the date up to which its figures are known good."""

    package: str
    version: str
    as_of: str


class CatalogFile(msgspec.Struct, frozen=True, kw_only=True):
    """The generated file `catalog.json`."""

    notice: str = ""
    sources: tuple[Source, ...] = ()
    providers: tuple[Provider, ...] = ()
    models: tuple[Model, ...] = ()


class Resolution(msgspec.Struct, frozen=True):
    """What a name means.

    `mappings`: for a bare name the offers that compete, one per provider; for a pinned one that provider's alone.
    `provider`: the pinned provider, or None. `region`: the pinned region, or None. `model` is None only where a
    provider takes any model name.
    """

    model: Model | None
    mappings: tuple[Mapping, ...]
    provider: str | None = None
    region: str | None = None


class Catalog:
    """Providers, models and their other names.

    Immutable but for its memory: answers are remembered, all of them for names that exist, and a bounded number of the
    names that a provider of any model was asked for.
    """

    __slots__ = ("_pins", "_resolved", "_rows", "_verbatim", "_vocabulary", "aliases", "models", "providers")

    providers: ReadOnly[str, Provider]
    models: ReadOnly[str, Model]
    aliases: ReadOnly[str, str]

    def __init__(self, *, providers: Iterable[Provider], models: Iterable[Model]) -> None:
        rows = {provider.id: provider for provider in providers}
        by_id = {model.id: model for model in models}
        self.providers = MappingProxyType(rows)
        self.models = MappingProxyType(by_id)
        self.aliases = MappingProxyType(_aliases(rows, by_id))
        self._rows: dict[str, list[tuple[Model, Mapping]]] = {}
        for model in by_id.values():
            for mapping in model.mappings:
                self._rows.setdefault(mapping.provider, []).append((model, mapping))
        self._pins: dict[str, dict[str, Resolution]] = {}
        self._resolved: dict[str, Resolution] = {}
        self._verbatim: dict[str, Resolution] = {}
        self._vocabulary: nearest.Vocabulary | None = None

    def resolve(self, name: str) -> Resolution | None:
        """The meaning of a model name, or None.

        Tried in this order: the whole name as id or alias; its first segment as a provider and the whole rest as that
        provider's id, alias or upstream name; the text after the rest's last colon as a region that the mapping
        declares. A provider of any model takes the rest as it is.
        """
        found = self._resolved.get(name) or self._verbatim.get(name)
        if found is not None:
            return found
        found = self._bare(name)
        if found is None:
            provider, slash, rest = name.partition("/")
            if not slash or not rest or provider not in self.providers:
                return None
            found = self._pinned(provider, rest=rest)
            if found is None:
                return None
            if found.model is None:
                return self._verbatim_remembered(name, found)
        self._resolved[name] = found
        return found

    def merged(self, providers: Iterable[Provider], models: Iterable[Model]) -> "Catalog":
        """This catalogue with the operator's rows: a provider of the same id is replaced; a model of the same id keeps
        its other mappings, and a mapping of the same provider and upstream name is replaced."""
        by_id = dict(self.models)
        for model in models:
            known = by_id.get(model.id)
            by_id[model.id] = model if known is None else _joined(known, model)
        rows = {**self.providers, **{provider.id: provider for provider in providers}}
        return Catalog(providers=rows.values(), models=by_id.values())

    def nearest(self, name: str, n: int = 3) -> list[str]:
        """The `n` ids most like a name that did not resolve, best first. The work is bounded whatever the name."""
        if self._vocabulary is None:
            self._vocabulary = nearest.Vocabulary(self.models)
        provider, slash, rest = name[: nearest.MAX_CHARACTERS].partition("/")
        if slash and provider in self._rows:
            pinned = {model.id.removeprefix(f"{provider}/") for model, _ in self._rows[provider]}
            return [f"{provider}/{found}" for found in nearest.Vocabulary(pinned).nearest(rest, n=n)]
        return self._vocabulary.nearest(name, n=n)

    def _verbatim_remembered(self, name: str, found: Resolution) -> Resolution:
        if len(name) <= nearest.MAX_CHARACTERS:
            if len(self._verbatim) >= _REMEMBERED:
                self._verbatim.clear()
            self._verbatim[name] = found
        return found

    def _bare(self, name: str) -> Resolution | None:
        model = self.models.get(name)
        if model is not None:
            return Resolution(model, competing(model), _owner(model))
        target = self.aliases.get(name)
        if target is None:
            return None
        model = self.models[target]
        return Resolution(model, _own_first(model, name), _owner(model))

    def _pinned(self, provider: str, *, rest: str) -> Resolution | None:
        pins = self._pins.get(provider)
        if pins is None:
            pins = self._pins[provider] = _pins(provider, self._rows.get(provider, []))
        found = pins.get(rest)
        if found is not None:
            return found
        if self.providers[provider].any_model:
            return Resolution(None, (Mapping(provider=provider, model=rest, upstream=rest),), provider)
        head, colon, region = rest.rpartition(":")
        if not colon or not region:
            return None
        return _in_region(self._rows.get(provider, []), head, region, self.providers[provider].regions)


def load() -> Catalog:
    """The shipped catalogue."""
    data = resources.files("llmgateway.catalog").joinpath("catalog.json").read_bytes()
    collecting = gc.isenabled()
    gc.disable()
    try:
        file = msgspec.json.decode(data, type=CatalogFile)
        return Catalog(providers=file.providers, models=file.models)
    finally:
        if collecting:
            gc.enable()


def competing(model: Model) -> tuple[Mapping, ...]:
    """The offers of a model that compete for its bare name: each provider's first.

    Its others (dated snapshots, regional names) answer to their own names and regions.
    """
    first: dict[str, Mapping] = {}
    for mapping in model.mappings:
        first.setdefault(mapping.provider, mapping)
    return model.mappings if len(first) == len(model.mappings) else tuple(first.values())


def _owner(model: Model) -> str | None:
    """The provider that a model's id already names (`nebius/Qwen/…`: an offer nobody has reviewed), or None."""
    if len(model.mappings) == 1:
        mapping = model.mappings[0]
        if model.id == f"{mapping.provider}/{mapping.model}":
            return mapping.provider
    return None


def _own_first(model: Model, alias: str) -> tuple[Mapping, ...]:
    """A dated or `latest` alias means the offers of exactly that name, where there are some."""
    if _DATED.search(alias):
        ending = f"/{alias}"
        own = tuple(m for m in model.mappings if m.upstream == alias or m.upstream.endswith(ending))
        if own:
            return own
    return competing(model)


def _aliases(providers: ReadOnly[str, Provider], models: ReadOnly[str, Model]) -> dict[str, str]:
    """Alias → id. An alias never hides an id and never begins with a provider's name: that would undo a pin."""
    aliases: dict[str, str] = {}
    for model in models.values():
        for alias in model.aliases:
            if alias not in models and ("/" not in alias or alias.partition("/")[0] not in providers):
                aliases.setdefault(alias, model.id)
    return aliases


def _pins(provider: str, rows: list[tuple[Model, Mapping]]) -> dict[str, Resolution]:
    """Everything that may follow `provider/`: ids first, then upstream names, then aliases."""
    pins: dict[str, Resolution] = {}
    own = [(model, Resolution(model, (mapping,), provider), mapping) for model, mapping in rows]
    for model, resolution, mapping in own:
        pins.setdefault(mapping.model if _owner(model) else model.id, resolution)
    for _, resolution, mapping in own:
        pins.setdefault(mapping.upstream, resolution)
        pins.setdefault(mapping.upstream.removeprefix(f"{provider}/"), resolution)
    for model, resolution, _ in own:
        for alias in model.aliases:
            pins.setdefault(alias, resolution)
    return pins


def _in_region(
    rows: list[tuple[Model, Mapping]], name: str, region: str, regions: tuple[str, ...]
) -> Resolution | None:
    """The offer of that region. `regions`: the provider's, which hold for offers that declare none of their own."""
    for model, mapping in rows:
        called = name in (model.id, mapping.upstream) or name in model.aliases
        if called and region in (mapping.regions or regions):
            return Resolution(model, (mapping,), mapping.provider, region)
    return None


def _joined(known: Model, added: Model) -> Model:
    names = {(mapping.provider, mapping.upstream) for mapping in added.mappings}
    kept = tuple(mapping for mapping in known.mappings if (mapping.provider, mapping.upstream) not in names)
    return msgspec.structs.replace(
        known,
        name=added.name or known.name,
        aliases=tuple(dict.fromkeys((*known.aliases, *added.aliases))),
        mappings=(*added.mappings, *kept),
    )
