"""Finds the JSON in a model's text, and mends it: valid text stays, then fence, balanced value, syntax, truncation.

Everything here is bounded: scanning is linear, and json-repair, whose heuristics are quadratic on hostile text, works
on a string that counts the looks taken at it and gives up. Whether the result fits a schema is `conform`'s word.
"""

import re
from typing import Any, Final, Literal, cast

import msgspec

Kind = Literal["object", "array"]
Method = Literal["fence", "extract", "repair", "complete"]

MAX_TEXT: Final = 4 * 1024 * 1024
"""Characters beyond which a text is left as it is."""
MAX_REPAIR: Final = 64 * 1024
"""Characters beyond which syntax is not repaired."""
_STEPS_PER_CHARACTER: Final = 8
_MOST_STEPS: Final = 300_000
_MOST_FENCES: Final = 16
_FENCE: Final = re.compile(r"```[ \t]*\w{0,16}[ \t]*\r?\n(.*?)(?:\r?\n[ \t]*```|\Z)", re.DOTALL)
_OPENER: Final = re.compile(
    r"""\{(?=\s*(?:["'}#]|//|/\*|[A-Za-z_$][\w$-]{0,99}\s*:|\Z))|\[(?=\s*(?:["'\[{\]\d#-]|//|/\*|true|false|null|\Z))"""
)
_BRACKET_FIRST: Final = re.compile(r"\s*[{\[]")
_MARKS: Final = re.compile(r'["{}\[\],]')
_STRING_END: Final = re.compile(r'[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_HALF_ESCAPE: Final = re.compile(r"(?<!\\)((?:\\\\)*)\\(?:u[0-9a-fA-F]{0,3})?\Z")
_HALF_PAIR: Final = re.compile(r"(?<!\\)((?:\\\\)*)\\u[dD][89abAB][0-9a-fA-F]{2}\Z")
_UNREADABLE: Final = (msgspec.DecodeError, UnicodeError, RecursionError, ValueError)


class Mended(msgspec.Struct, frozen=True):
    """`value`: what the text holds. `method`: how it was found, None where the text was valid as it stood."""

    text: str
    value: Any
    method: Method | None


class _Region(msgspec.Struct, frozen=True):
    """A stretch of the text that looks like one JSON value; `whole`: its brackets are balanced."""

    text: str
    whole: bool

    @property
    def kind(self) -> Kind:
        return "object" if self.text.startswith("{") else "array"


def mended(text: str, *, kind: Kind | None = None) -> Mended | None:
    """The JSON of a text, or None where there is none to be had. `kind`: what its root has to be, if that is known."""
    if len(text) > MAX_TEXT:
        return None
    try:
        return Mended(text, msgspec.json.decode(text), None)
    except _UNREADABLE:
        pass
    fences = _fences(text)
    regions = _regions(text)
    found = _found(fences, method="fence", kind=kind) or _found(regions, method="extract", kind=kind)
    if found is not None:
        return found
    for region in _candidates([*_regions(fences[0].text), *regions] if fences else regions, kind):
        found = _repaired(region)
        if found is not None:
            return found
    return None


def _fences(text: str) -> list[_Region]:
    fences: list[_Region] = []
    for match in _FENCE.finditer(text):
        fences.append(_Region(match[1].strip(), whole=True))
        if len(fences) == _MOST_FENCES:
            break
    return fences


def _regions(text: str) -> list[_Region]:
    """Values that begin with a bracket which looks like JSON, one behind the other; the last may lack its end."""
    regions: list[_Region] = []
    opener = _BRACKET_FIRST.match(text) or _OPENER.search(text)
    while opener is not None:
        start = opener.end() - 1
        end = _end(text, start)
        if end is None:
            regions.append(_Region(text[start:], whole=False))
            break
        regions.append(_Region(text[start:end], whole=True))
        opener = _OPENER.search(text, end)
    return regions


def _end(text: str, start: int) -> int | None:
    """Where the brackets opened at `start` are balanced; None if they never are."""
    depth = 0
    at = start
    while (mark := _MARKS.search(text, at)) is not None:
        at = mark.end()
        sign = mark[0]
        if sign == '"':
            string = _STRING_END.match(text, at)
            if string is None:
                return None
            at = string.end()
        elif sign in "{[":
            depth += 1
        elif sign in "}]":
            depth -= 1
            if depth == 0:
                return at
    return None


def _found(regions: list[_Region], *, method: Method, kind: Kind | None) -> Mended | None:
    """The first that is valid as it stands and of the right kind; else the first that is valid."""
    other: Mended | None = None
    for region in regions:
        try:
            value: Any = msgspec.json.decode(region.text)
        except _UNREADABLE:
            continue
        if _kind_of(value) is None:
            continue
        if kind is None or kind == _kind_of(value):
            return Mended(region.text, value, method)
        other = other or Mended(region.text, value, method)
    return other if kind is None or not any(region.kind == kind for region in regions) else None


def _candidates(regions: list[_Region], kind: Kind | None) -> list[_Region]:
    """The first two of the right kind: repair is dear."""
    return [region for region in regions if kind is None or region.kind == kind][:2]


def _repaired(region: _Region) -> Mended | None:
    if not region.whole:
        completed = _completed(region.text)
        if completed is not None:
            return completed
    if len(region.text) > MAX_REPAIR:
        return None
    value = _json_repair(region.text)
    if _kind_of(value) != region.kind:
        return None
    try:
        encoded = msgspec.json.encode(value).decode()
        value = msgspec.json.decode(encoded)
    except (*_UNREADABLE, TypeError):
        return None
    return Mended(encoded, value, "repair" if region.whole else "complete")


def _completed(text: str) -> Mended | None:
    """Valid JSON that was cut off: what is open is closed, and a member that has no value yet is left out."""
    closers: list[str] = []
    cut, cut_depth = 0, 0
    at, in_string = 0, False
    while (mark := _MARKS.search(text, at)) is not None:
        at = mark.end()
        sign = mark[0]
        if sign == '"':
            string = _STRING_END.match(text, at)
            if string is None:
                in_string = True
                break
            at = string.end()
        elif sign in "{[":
            closers.append("}" if sign == "{" else "]")
            cut, cut_depth = at, len(closers)
        elif sign == ",":
            cut, cut_depth = mark.start(), len(closers)
        elif not closers or closers.pop() != sign:
            return None
    whole = _HALF_PAIR.sub(r"\1", _HALF_ESCAPE.sub(r"\1", text)) + '"' if in_string else text
    for candidate in (
        whole + "".join(reversed(closers)),
        text[:cut] + "".join(reversed(closers[:cut_depth])),
    ):
        try:
            return Mended(candidate, msgspec.json.decode(candidate), "complete")
        except _UNREADABLE:
            pass
    return None


def _kind_of(value: Any) -> Kind | None:
    return "object" if isinstance(value, dict) else "array" if isinstance(value, list) else None


class _TooMuch(Exception):
    """json-repair looked at more characters than the text is worth."""


class _Meter:
    __slots__ = ("left",)

    def __init__(self, left: int) -> None:
        self.left = left


class _Metered(str):
    """A text that counts the looks taken at it; what is cut from it, or put together with it, goes on counting."""

    __slots__ = ("meter",)
    meter: _Meter

    def __getitem__(self, key: Any) -> Any:
        meter = self.meter
        meter.left -= 1
        if meter.left < 0:
            raise _TooMuch
        found = str.__getitem__(self, key)
        return _metered(found, meter) if isinstance(key, slice) else found

    def __add__(self, other: str) -> "_Metered":
        return _metered(str.__add__(self, other), self.meter)


def _metered(text: str, meter: _Meter) -> _Metered:
    metered = _Metered(text)
    metered.meter = meter
    return metered


def _json_repair(text: str) -> Any:
    """What json-repair makes of it; None where it gives up."""
    from json_repair import repair_json  # noqa: PLC0415 - only answers that need mending pay for it

    meter = _Meter(min(_MOST_STEPS, _STEPS_PER_CHARACTER * len(text) + 20_000))
    try:
        return _plain(repair_json(_metered(text, meter), return_objects=True, skip_json_loads=True))
    except (_TooMuch, ValueError, RecursionError):
        return None


def _plain(value: Any) -> Any:
    """The same value without the strings that count."""
    if isinstance(value, str):
        return str(value)
    if isinstance(value, list):
        return [_plain(item) for item in cast("list[Any]", value)]
    if isinstance(value, dict):
        return {str(name): _plain(item) for name, item in cast("dict[str, Any]", value).items()}
    return value
