"""Where a text comes from: citations and search results as `annotations`.

A citation is told once its text block is complete, so that it can say which characters of the answer it stands for. If
an answer cites nothing, the pages that its searches found are told instead.
"""

from typing import Any, Final, cast

import msgspec
from msgspec import Raw, Struct

_MOST: Final = 1024
"""Citations, and results, beyond which no more are kept: what is remembered stays bounded."""


class _Citation(Struct):
    type: str | None = None
    url: str | None = None
    source: str | None = None
    title: str | None = None
    document_title: str | None = None
    file_id: str | None = None


Annotation = dict[str, Any]


class Citations:
    """The annotations of one answer, numbered as they come."""

    __slots__ = ("_count", "_found", "_open")

    def __init__(self) -> None:
        self._count = 0
        self._open: list[_Citation] = []
        self._found: dict[str, str | None] = {}

    def cite(self, span: Raw) -> None:
        """A citation of the text block that is open."""
        if len(self._open) < _MOST:
            try:
                self._open.append(msgspec.json.decode(span, type=_Citation))
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                return

    def found(self, results: Any) -> None:
        """The results of a web search; an error instead of them has none."""
        for result in cast("list[Any]", results) if isinstance(results, list) else ():
            page = cast("dict[str, Any]", result) if isinstance(result, dict) else {}
            url, title = page.get("url"), page.get("title")
            if isinstance(url, str) and len(self._found) < _MOST:
                self._found.setdefault(url, title if isinstance(title, str) else None)

    def close(self, *, start: int, end: int) -> list[Annotation]:
        """The block's citations, now that it is complete: it is the answer's characters from `start` to `end`."""
        closed, self._open = self._open, []
        return [self._numbered(_annotation(citation, start, end)) for citation in closed]

    def uncited(self) -> list[Annotation]:
        """What was found, where nothing was cited."""
        if self._count:
            return []
        return [self._numbered(_url_citation(url, title)) for url, title in self._found.items()]

    def _numbered(self, annotation: Annotation) -> Annotation:
        annotation["index"] = self._count
        self._count += 1
        return annotation


def _annotation(citation: _Citation, start: int, end: int) -> Annotation:
    source = citation.url or citation.source
    title = citation.title or citation.document_title
    if source is not None and source.startswith(("https://", "http://")):
        annotation = _url_citation(source, title)
        annotation["url_citation"] |= {"start_index": start, "end_index": end}
        return annotation
    named = {"filename": title or source, "file_id": citation.file_id}
    told = {name: value for name, value in named.items() if value is not None}
    return {"type": "file_citation", "file_citation": {**told, "start_index": start, "end_index": end}}


def _url_citation(url: str, title: str | None) -> Annotation:
    return {"type": "url_citation", "url_citation": {"url": url, "title": title or url}}
