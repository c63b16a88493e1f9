"""Reads a configuration: defaults, then the file, then the environment; every mistake is reported at once."""

import re
import tomllib
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import cast

import msgspec

from llmgateway.infra.settings.check import check
from llmgateway.infra.settings.convert import Converter
from llmgateway.infra.settings.environment import overlay
from llmgateway.infra.settings.mistakes import Findings, Mistake, SettingsError
from llmgateway.infra.settings.model import Settings
from llmgateway.infra.settings.positions import Sources

DEFAULT_FILE = "llmgateway.toml"
_PLACE = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)")


def config_path(given: Path | None, *, environ: Mapping[str, str]) -> Path | None:
    """The file to read: the given one, else that of LLMGATEWAY_CONFIG, else llmgateway.toml here if there is one."""
    named = environ.get("LLMGATEWAY_CONFIG")
    if given is not None or named:
        return given or Path(str(named))
    return Path(DEFAULT_FILE) if Path(DEFAULT_FILE).exists() else None


def load(path: Path | None, *, environ: Mapping[str, str]) -> Settings:
    """The settings of a file (None: no file) under those of the environment. Raises SettingsError."""
    file = "" if path is None else str(path)
    text = "" if path is None else _read(path)
    raw = _parsed(text, file=file)
    values, variables, unknown = overlay(environ, providers=_names(raw, "providers"), projects=_projects(raw))
    for place, value in values.items():
        _put(raw, place, value)
    sources = Sources(file=file, text=text, variables=variables)
    findings = Findings(sources, mistakes=unknown)
    settings = Converter(findings, environ=environ).table(raw, Settings, path=()) or Settings()
    check(settings, findings)
    findings.raise_if_any()
    return msgspec.structs.replace(settings, sources=sources)


def _names(raw: dict[str, object], section: str) -> list[str]:
    table = raw.get(section)
    return list(cast(dict[str, object], table)) if isinstance(table, dict) else []


def _projects(raw: dict[str, object]) -> list[str]:
    """Those that have a section, and those of keys."""
    keys = raw.get("keys")
    entries = cast(list[object], keys) if isinstance(keys, list) else []
    named = [cast(dict[str, object], entry).get("project") for entry in entries if isinstance(entry, dict)]
    return [*[name for name in named if isinstance(name, str)], *_names(raw, "projects")]


def _read(path: Path) -> str:
    try:
        data = path.read_bytes()
    except OSError as error:
        given = f"cannot be read ({error.strerror})"
        raise SettingsError([_file_mistake(path, None, given, "a readable file")]) from None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise SettingsError([_file_mistake(path, line, "not UTF-8", "a TOML file in UTF-8")]) from None


def _file_mistake(path: Path, line: int | None, given: str, expected: str) -> Mistake:
    return Mistake(file=str(path), line=line, path="", given=given, expected=expected)


def _parsed(text: str, *, file: str) -> dict[str, object]:
    try:
        return tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        message = str(error)
        found = _PLACE.search(message)
        line = int(found[1]) if found is not None and found[1] else text.count("\n") + 1
        given = f"not TOML ({_PLACE.sub('', message)})"
        mistake = Mistake(file=file, line=line, path="", given=given, expected="valid TOML")
    except RecursionError:
        mistake = Mistake(file=file, line=None, path="", given="nested too deep", expected="a flat TOML file")
    raise SettingsError([mistake]) from None


def _put(raw: dict[str, object], path: tuple[str | int, ...], value: object) -> None:
    """Sets a value in nested tables; what is no table in between is left for the type check to report."""
    table = raw
    for key in path[:-1]:
        inner = table.setdefault(str(key), {})
        if not isinstance(inner, dict):
            return
        table = cast(dict[str, object], inner)
    table[str(path[-1])] = value
