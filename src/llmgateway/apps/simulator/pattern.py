"""A string that matches a regular expression, for the patterns met in JSON schemas: literals, classes, groups,
alternatives and repeats. What it cannot follow (look-around, back-references) gives None."""

import re

_CLASSES = {"d": "7", "w": "a", "s": " ", "D": "a", "W": "-", "S": "a"}
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "f": "\f", "v": "\v"}
_REPEAT = re.compile(r"\{(\d+)(,(\d*))?\}")
_MAX_CHARS = 100_000
_CANDIDATES = "a0 A-_.z9Z/:@é"


class _Unsupported(Exception):
    pass


def matching(pattern: str, *, min_length: int = 0) -> str | None:
    """A string that `pattern` finds a match in, at least `min_length` long where repeats allow it; None: not found.

    The pattern is never run: one that a stranger wrote could run for hours.
    """
    try:
        for extra in (0, 1, min_length):
            sampler = _Sampler(pattern, extra=extra)
            candidate = sampler.alternatives()
            if len(candidate) >= min_length and sampler.finished:
                return candidate
    except (re.error, _Unsupported, ValueError, IndexError, RecursionError):
        return None
    return None


class _Sampler:
    """Walks the pattern once and writes the shortest match, open-ended repeats `extra` times more."""

    def __init__(self, pattern: str, *, extra: int) -> None:
        self._pattern = pattern
        self._at = 0
        self._extra = extra

    @property
    def finished(self) -> bool:
        return self._at == len(self._pattern)

    def _peek(self) -> str:
        return self._pattern[self._at] if self._at < len(self._pattern) else ""

    def _next(self) -> str:
        char = self._pattern[self._at]
        self._at += 1
        return char

    def alternatives(self) -> str:
        first = self._sequence()
        while self._peek() == "|":
            self._next()
            self._sequence()
        return first

    def _sequence(self) -> str:
        written: list[str] = []
        while self._peek() not in ("", "|", ")"):
            atom = self._atom()
            times = self._times()
            if len(atom) * times > _MAX_CHARS:
                raise _Unsupported
            written.append(atom * times)
        return "".join(written)

    def _times(self) -> int:
        least, open_ended = 1, False
        char = self._peek()
        if char and char in "*+?":
            self._next()
            least, open_ended = (1 if char == "+" else 0), char != "?"
        elif match := _REPEAT.match(self._pattern, self._at):
            self._at = match.end()
            least = int(match[1])
            if match[2]:
                open_ended = not match[3] or int(match[3]) >= least + self._extra
        else:
            return 1
        if self._peek() in ("?", "+"):
            self._next()
        return least + (self._extra if open_ended else 0)

    def _atom(self) -> str:
        char = self._next()
        if char in "^$":
            return ""
        if char == ".":
            return "a"
        if char == "(":
            return self._group()
        if char == "[":
            return self._class()
        if char == "\\":
            return self._escape()
        return char

    def _group(self) -> str:
        if self._pattern.startswith("?:", self._at):
            self._at += 2
        elif named := re.compile(r"\?P?<[A-Za-z_]\w*>").match(self._pattern, self._at):
            self._at = named.end()
        elif self._peek() == "?":
            raise _Unsupported
        inner = self.alternatives()
        if self._next() != ")":
            raise _Unsupported
        return inner

    def _class(self) -> str:
        start = self._at - 1
        if self._peek() == "^":
            self._next()
        if self._peek() == "]":
            self._next()
        while self._next() != "]":
            if self._pattern[self._at - 1] == "\\":
                self._next()
        inside = re.compile(self._pattern[start : self._at])
        first = self._pattern[start + 1]
        for char in (*_CANDIDATES, first, *map(chr, range(32, 127))):
            if inside.fullmatch(char):
                return char
        raise _Unsupported

    def _escape(self) -> str:
        char = self._next()
        if char in "bBAZ":
            return ""
        if char.isdigit() or char in "pP":
            raise _Unsupported
        if char in "xu":
            width = 2 if char == "x" else 4
            code = self._pattern[self._at : self._at + width]
            self._at += width
            return chr(int(code, 16))
        return _CLASSES.get(char) or _ESCAPES.get(char) or char
