"""Finds the line of a setting in a TOML text, because tomllib gives values without their places.

Only texts that tomllib has accepted are scanned, so the scanner looks for structure and checks nothing.
"""

import tomllib
from bisect import bisect_right

Path = tuple[str | int, ...]
"""Keys and list indexes from the top: ("providers", "my-vllm", "models", 0, "id")."""

_BLANK = " \t\r\n"
_VALUE_END = ",]}#\n"


class Sources:
    """Where settings come from: a file's text, scanned when first asked, and environment variables by path."""

    def __init__(self, *, file: str = "", text: str = "", variables: dict[Path, str] | None = None) -> None:
        self._file = file
        self._text = text
        self._variables = variables or {}
        self._lines: dict[Path, int] | None = None

    def locate(self, path: Path) -> tuple[str, int | None]:
        """File and line of a setting, or of the nearest thing around it; an environment variable has no line."""
        for end in range(len(path), 0, -1):
            variable = self._variables.get(path[:end])
            if variable is not None:
                return f"environment variable {variable}", None
        lines = self._scanned()
        for end in range(len(path), 0, -1):
            line = lines.get(path[:end])
            if line is not None:
                return self._file, line
        return self._file, None

    def in_file(self, path: Path) -> bool:
        """Whether the file itself has this table or setting."""
        return path in self._scanned()

    def _scanned(self) -> dict[Path, int]:
        if self._lines is None:
            self._lines = line_numbers(self._text)
        return self._lines


def line_numbers(text: str) -> dict[Path, int]:
    """Line (from 1) at which each key, table and list entry of a valid TOML text begins."""
    return _Scanner(text.replace("\r\n", "\n")).scan()


def show(path: Path) -> str:
    """("keys", 0, "name") → `keys[0].name`."""
    parts = [f"[{part}]" if isinstance(part, int) else f".{part}" for part in path]
    return "".join(parts).removeprefix(".")


class _Scanner:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._breaks = [place for place, character in enumerate(text) if character == "\n"]
        self._lines: dict[Path, int] = {}
        self._tables: dict[Path, int] = {}

    def scan(self) -> dict[Path, int]:
        prefix: Path = ()
        self._skip_blank()
        while self._at < len(self._text):
            if self._text.startswith("[[", self._at):
                prefix = self._header(brackets=2)
            elif self._text[self._at] == "[":
                prefix = self._header(brackets=1)
            else:
                self._pair(prefix)
            self._skip_blank()
        return self._lines

    def _header(self, *, brackets: int) -> Path:
        line = self._line()
        self._at += brackets
        keys = self._keys()
        self._at += brackets
        path: Path = ()
        for place, key in enumerate(keys):
            path += (key,)
            self._lines.setdefault(path, line)
            if brackets == 2 and place == len(keys) - 1:
                self._tables[path] = self._tables.get(path, 0) + 1
            if path in self._tables:
                path += (self._tables[path] - 1,)
                self._lines.setdefault(path, line)
        self._lines[path] = line
        return path

    def _pair(self, prefix: Path) -> None:
        line = self._line()
        path = prefix
        for key in self._keys():
            path += (key,)
            self._lines.setdefault(path, line)
        self._at += 1
        self._skip_blank()
        self._value(path)

    def _keys(self) -> list[str]:
        """A dotted key; ends before `=` or `]`."""
        keys: list[str] = []
        while True:
            self._skip_blank()
            start = self._at
            if self._text[start] in "\"'":
                self._string()
                keys.append(tomllib.loads("key = " + self._text[start : self._at])["key"])
            else:
                while self._text[self._at] not in " \t.=]":
                    self._at += 1
                keys.append(self._text[start : self._at])
            self._skip_blank()
            if self._text[self._at] != ".":
                return keys
            self._at += 1

    def _value(self, path: Path) -> None:
        character = self._text[self._at]
        if character == "[":
            self._list(path)
        elif character == "{":
            self._inline_table(path)
        elif character in "\"'":
            self._string()
        else:
            while self._at < len(self._text) and self._text[self._at] not in _VALUE_END:
                self._at += 1

    def _list(self, path: Path) -> None:
        index = 0
        self._at += 1
        while self._more("]"):
            entry = (*path, index)
            self._lines[entry] = self._line()
            self._value(entry)
            index += 1

    def _inline_table(self, path: Path) -> None:
        self._at += 1
        while self._more("}"):
            self._pair(path)

    def _more(self, closing: str) -> bool:
        """Goes to the next entry of a list or inline table; False past its end."""
        self._skip_blank()
        if self._text[self._at] == ",":
            self._at += 1
            self._skip_blank()
        if self._text[self._at] == closing:
            self._at += 1
            return False
        return True

    def _string(self) -> None:
        quote = self._text[self._at]
        long = self._text.startswith(quote * 3, self._at)
        fence = quote * 3 if long else quote
        self._at += len(fence)
        while not self._text.startswith(fence, self._at):
            self._at += 2 if quote == '"' and self._text[self._at] == "\\" else 1
        self._at += len(fence)
        while long and self._text.startswith(quote, self._at):
            self._at += 1

    def _skip_blank(self) -> None:
        text = self._text
        while self._at < len(text) and text[self._at] in _BLANK + "#":
            if text[self._at] == "#":
                end = text.find("\n", self._at)
                self._at = len(text) if end < 0 else end
            else:
                self._at += 1

    def _line(self) -> int:
        return bisect_right(self._breaks, self._at - 1) + 1
