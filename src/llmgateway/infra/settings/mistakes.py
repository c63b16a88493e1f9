"""Mistakes in a configuration: what an operator is told, and the exception that carries all of them at once."""

from collections.abc import Iterable
from difflib import get_close_matches

import msgspec

from llmgateway.infra.settings.positions import Path, Sources, show

_LAST = 1 << 62


class Mistake(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to put right. `given` never holds a secret; `suggestion` is a whole valid name, or None."""

    file: str
    line: int | None
    path: str
    given: str
    expected: str
    suggestion: str | None = None

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        hint = "" if self.suggestion is None else f'; did you mean "{self.suggestion}"?'
        subject = f"{self.path}: " if self.path else ""
        return f"{place}: {subject}{self.given}, expected {self.expected}{hint}"


class SettingsError(Exception):
    """A configuration that cannot be used; `mistakes` are all that were found, in the order of the file.

    Those without a line come last.
    """

    def __init__(self, mistakes: Iterable[Mistake]) -> None:
        self.mistakes = tuple(mistakes)
        super().__init__("\n".join(str(mistake) for mistake in self.mistakes))


class Findings:
    """Collects mistakes while a configuration is read: the first of each path, as others would only follow from it."""

    def __init__(self, sources: Sources, *, mistakes: Iterable[Mistake] = ()) -> None:
        self._sources = sources
        self._mistakes = list(mistakes)
        self._seen: set[Path] = set()

    def add(self, path: Path, *, given: str, expected: str, suggestion: str | None = None) -> None:
        if path in self._seen:
            return
        self._seen.add(path)
        file, line = self._sources.locate(path)
        self._mistakes.append(
            Mistake(file=file, line=line, path=show(path), given=given, expected=expected, suggestion=suggestion)
        )

    def raise_if_any(self) -> None:
        if self._mistakes:
            raise SettingsError(sorted(self._mistakes, key=lambda mistake: mistake.line or _LAST))


def nearest(name: str, *, among: Iterable[str]) -> str | None:
    """The valid name that looks most like `name`, if one does."""
    found = get_close_matches(name.lower(), list(among), n=1, cutoff=0.6)
    return found[0] if found else None
