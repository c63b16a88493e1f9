"""Turns the raw tables of a configuration into typed settings, noting every mistake instead of stopping at the first.

It knows types, ranges, unknown fields and `env:` references. What needs more than one value to judge is `check`'s.
"""

import tomllib
from collections.abc import Mapping
from decimal import Decimal
from math import isfinite
from types import NoneType, UnionType
from typing import Annotated, Literal, TypeVar, Union, cast, get_args, get_origin

import msgspec
from msgspec import Meta

from llmgateway.infra.settings.mistakes import Findings, nearest
from llmgateway.infra.settings.model import Secret
from llmgateway.infra.settings.positions import Path

S = TypeVar("S", bound=msgspec.Struct)
_MISSING = object()
_NAMES: dict[object, str] = {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}


class EnvText(str):
    """A text that came from the environment, so that `"4100"` may stand for a number. `shown`: how to speak of it."""

    __slots__ = ("shown",)

    def __new__(cls, value: str, *, shown: str) -> "EnvText":
        text = super().__new__(cls, value)
        text.shown = shown
        return text


class Converter:
    """Reads values by their type annotations; mistakes go to `findings`, and the default stands in for the value."""

    def __init__(self, findings: Findings, *, environ: Mapping[str, str]) -> None:
        self._findings = findings
        self._environ = environ

    def table(self, raw: object, kind: type[S], *, path: Path) -> S | None:
        """A Struct from a table. None when a required field is missing or the value is no table."""
        raw = self._inline(raw, path=path)
        if not isinstance(raw, dict):
            self._wrong(raw, path=path, expected="a table", secret=True)
            return None
        given = cast(dict[str, object], raw)
        fields = {field.name: field for field in msgspec.structs.fields(kind)}
        names = [name for name in fields if name != "sources"]
        for name in given:
            if name not in names:
                near = nearest(name, among=names)
                self._findings.add((*path, name), given="unknown field", expected=_choices(names), suggestion=near)
        values: dict[str, object] = {}
        complete = True
        for name in names:
            field = fields[name]
            if name in given:
                value = self.value(given[name], field.type, path=(*path, name))
                if value is not _MISSING:
                    values[name] = value
                    continue
            elif field.required:
                self._findings.add((*path, name), given="nothing given", expected=describe(field.type))
            complete = complete and not field.required
        return kind(**values) if complete else None

    def value(self, raw: object, annotation: object, *, path: Path) -> object:
        """A value of the annotated type, or `_MISSING` after a mistake was noted."""
        bare, _ = _unwrap(annotation)
        if get_origin(bare) is tuple:
            return self._entries(raw, get_args(bare)[0], path=path)
        if get_origin(bare) is dict:
            return self._named(raw, get_args(bare)[1], path=path)
        if isinstance(bare, type) and issubclass(bare, msgspec.Struct) and bare is not Secret:
            table = self.table(raw, bare, path=path)
            return _MISSING if table is None else table
        return self._leaf(raw, annotation, path=path)

    def _entries(self, raw: object, entry: object, *, path: Path) -> object:
        if isinstance(raw, EnvText) and not raw.lstrip().startswith("["):
            raw = [EnvText(part.strip(), shown=raw.shown) for part in raw.split(",") if part.strip()]
        raw = self._inline(raw, path=path)
        if not isinstance(raw, list):
            self._wrong(raw, path=path, expected=f"a list, each entry {describe(entry)}", secret=_secret(entry))
            return _MISSING
        given = cast(list[object], raw)
        found = [self.value(one, entry, path=(*path, index)) for index, one in enumerate(given)]
        return _MISSING if _MISSING in found else tuple(found)

    def _named(self, raw: object, entry: object, *, path: Path) -> object:
        raw = self._inline(raw, path=path)
        if not isinstance(raw, dict):
            self._wrong(raw, path=path, expected="a table", secret=True)
            return _MISSING
        given = cast(dict[str, object], raw)
        found = {name: self.value(one, entry, path=(*path, name)) for name, one in given.items()}
        return {name: one for name, one in found.items() if one is not _MISSING}

    def _leaf(self, raw: object, annotation: object, *, path: Path) -> object:
        bare, usd = _unwrap(annotation)
        raw = self._resolved(raw, path=path)
        if raw is _MISSING:
            return _MISSING
        if bare is Secret:
            if isinstance(raw, str) and raw:
                return Secret(str(raw))
            self._wrong(raw, path=path, expected=describe(annotation), secret=True)
            return _MISSING
        if usd and (isinstance(raw, bool) or not isinstance(raw, int | Decimal | str)):
            self._wrong(raw, path=path, expected=describe(annotation), secret=False)
            return _MISSING
        plain = str(raw) if isinstance(raw, EnvText) else raw
        try:
            value: object = msgspec.convert(plain, annotation, strict=not isinstance(raw, EnvText))
        except msgspec.ValidationError:
            choices = get_args(bare) if get_origin(bare) is Literal else ()
            near = nearest(plain, among=choices) if isinstance(plain, str) else None
            self._wrong(raw, path=path, expected=describe(annotation), secret=False, suggestion=near)
            return _MISSING
        if isinstance(value, float) and not isfinite(value):
            self._wrong(raw, path=path, expected=describe(annotation), secret=False)
            return _MISSING
        if isinstance(value, Decimal) and not self._money(value, path=path):
            return _MISSING
        return value

    def _money(self, amount: Decimal, *, path: Path) -> bool:
        """Prices per million tokens count in steps of 10⁻⁶ USD, all others of 10⁻¹²: one pico-dollar per unit."""
        per_mtok = str(path[-1]).endswith("_per_mtok")
        if not amount.is_finite() or amount < 0:
            self._findings.add(path, given=f"{amount} given", expected="an amount of USD that is 0 or more")
            return False
        if amount > 10**9:
            self._findings.add(path, given=f"{amount} given", expected="less than a billion USD")
            return False
        places = 6 if per_mtok else 12
        if _decimal_places(amount) > places:
            self._findings.add(path, given=f"{amount} given", expected=f"at most {places} decimal places")
            return False
        return True

    def _resolved(self, raw: object, *, path: Path) -> object:
        """The text that `env:NAME` stands for; anything else as it is."""
        if not isinstance(raw, str) or not raw.startswith("env:"):
            return raw
        name = raw.removeprefix("env:")
        value = self._environ.get(name, "")
        if not value:
            self._findings.add(path, given=f"{raw} given", expected=f"the environment variable {name} to be set")
            return _MISSING
        return EnvText(value, shown=str(raw))

    def _inline(self, raw: object, *, path: Path) -> object:
        """A list or table written in an environment variable, in TOML: `[{ id = "m" }]`."""
        if not isinstance(raw, EnvText):
            return raw
        try:
            return tomllib.loads(f"value = {raw}", parse_float=Decimal)["value"]
        except tomllib.TOMLDecodeError:
            return raw

    def _wrong(self, raw: object, *, path: Path, expected: str, secret: bool, suggestion: str | None = None) -> None:
        self._findings.add(path, given=_shown(raw, secret=secret), expected=expected, suggestion=suggestion)


def describe(annotation: object) -> str:
    """An annotation in an operator's words: `a whole number from 1 to 64`."""
    bare, usd = _unwrap(annotation)
    if usd:
        return "an amount of USD"
    if bare is Secret:
        return "a text that is not empty, or env:NAME"
    if get_origin(bare) is Literal:
        return _choices([str(choice) for choice in get_args(bare)])
    if get_origin(bare) is tuple:
        return f"a list, each entry {describe(get_args(bare)[0])}"
    return _NAMES.get(bare, "a table") + _range(annotation)


def _range(annotation: object) -> str:
    words: list[str] = []
    for meta in _metas(annotation):
        if meta.ge is not None and meta.le is not None:
            words.append(f"from {meta.ge} to {meta.le}")
        elif meta.gt is not None and meta.le is not None:
            words.append(f"above {meta.gt}, at most {meta.le}")
        elif meta.ge is not None:
            words.append(f"that is {meta.ge} or more")
        elif meta.gt is not None:
            words.append(f"above {meta.gt}")
        if meta.max_length is not None:
            words.append(f"of {meta.min_length or 0} to {meta.max_length} characters")
        elif meta.min_length:
            words.append("that is not empty")
    return "".join(f" {word}" for word in words)


def _metas(annotation: object) -> list[Meta]:
    if get_origin(annotation) is Annotated:
        return [meta for meta in get_args(annotation)[1:] if isinstance(meta, Meta)]
    if get_origin(annotation) in (Union, UnionType):
        return [meta for one in get_args(annotation) for meta in _metas(one)]
    return []


def _unwrap(annotation: object) -> tuple[object, bool]:
    """The type without `| None` and Annotated, and whether it is money."""
    if get_origin(annotation) in (Union, UnionType):
        annotation = next(one for one in get_args(annotation) if one is not NoneType)
    usd = any((meta.extra or {}).get("usd") for meta in _metas(annotation))
    if get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    return annotation, bool(usd)


def _decimal_places(amount: Decimal) -> int:
    """Digits behind the point, trailing zeros not counted; exact however many there are."""
    _, digits, exponent = amount.as_tuple()
    significant = "".join(map(str, digits)).rstrip("0")
    return -(int(exponent) + len(digits) - len(significant)) if significant else 0


def _secret(annotation: object) -> bool:
    return _unwrap(annotation)[0] is Secret


def _choices(names: list[str]) -> str:
    return "one of " + ", ".join(names)


def _shown(raw: object, *, secret: bool) -> str:
    if secret:
        return "something else given (not shown)"
    if isinstance(raw, EnvText):
        return f"{raw.shown} given"
    if isinstance(raw, dict):
        return "a table given"
    if isinstance(raw, list):
        return "a list given"
    if isinstance(raw, bool):
        return f"{str(raw).lower()} given"
    if isinstance(raw, str):
        return f'"{raw if len(raw) <= 80 else raw[:80] + "…"}" given'
    return f"{raw} given"
