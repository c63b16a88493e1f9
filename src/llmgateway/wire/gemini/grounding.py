"""Turns what an answer was grounded on into `url_citation` annotations, and counts the searches.

Google counts places in bytes of a part; ours are characters of the text, as in OpenAI's API. A place that cannot be
found in the text is left out, the citation is not.
"""

from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from llmgateway.wire.spans import is_null

_MOST: Final = 1000
"""Citations of one answer; more is no answer."""


class _Page(Struct):
    uri: str | None = None
    title: str | None = None


class _Source(Struct):
    web: _Page | None = None
    retrievedContext: _Page | None = None
    maps: _Page | None = None


class _Segment(Struct):
    startIndex: int | None = None
    endIndex: int | None = None
    text: str | None = None


class _Support(Struct):
    groundingChunkIndices: list[int] | None = None
    segment: _Segment | None = None


class Grounding(Struct):
    groundingChunks: list[_Source] | None = None
    groundingSupports: list[_Support] | None = None
    webSearchQueries: list[str] | None = None


class _Citation(Struct):
    startIndex: int | None = None
    endIndex: int | None = None
    uri: str | None = None
    title: str | None = None


class Citations(Struct):
    """AI Studio says `citationSources`, Vertex `citations`."""

    citationSources: list[_Citation] | None = None
    citations: list[_Citation] | None = None


_GROUNDING: Final = msgspec.json.Decoder(Grounding, strict=False)
_CITATIONS: Final = msgspec.json.Decoder(Citations, strict=False)
_NOT_READABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def read_grounding(span: Raw, *, before: Grounding) -> Grounding:
    """Of a stream the last list of each kind counts; events without one keep it."""
    if is_null(span):
        return before
    try:
        now = _GROUNDING.decode(span)
    except _NOT_READABLE:
        return before
    return Grounding(
        now.groundingChunks or before.groundingChunks,
        now.groundingSupports or before.groundingSupports,
        now.webSearchQueries or before.webSearchQueries,
    )


def read_citations(span: Raw) -> list[_Citation]:
    if is_null(span):
        return []
    try:
        read = _CITATIONS.decode(span)
    except _NOT_READABLE:
        return []
    return read.citationSources or read.citations or []


def searches_of(grounding: Grounding, *, by: str) -> int:
    """How many searches are billed: each different query, or the grounded answer as one."""
    queries = {query for query in grounding.webSearchQueries or () if query}
    return len(queries) if by == "query" else min(1, len(queries))


def annotations_of(grounding: Grounding, citations: list[_Citation], *, text: str) -> list[dict[str, Any]]:
    """One for each source of each supported segment, then the sources that support none in particular."""
    pages = [one.web or one.retrievedContext or one.maps for one in grounding.groundingChunks or ()]
    encoded = text.encode("utf-8", "surrogatepass")
    cited: set[int] = set()
    found: list[dict[str, Any]] = []
    for support in (grounding.groundingSupports or ())[:_MOST]:
        place = _place(support.segment, text, encoded)
        for index in (support.groundingChunkIndices or ())[:_MOST]:
            page = pages[index] if 0 <= index < len(pages) else None
            if page is not None and page.uri:
                cited.add(index)
                found.append(_annotation(page.uri, page.title, place))
    for index, page in enumerate(pages):
        if index not in cited and page is not None and page.uri:
            found.append(_annotation(page.uri, page.title, None))
    for citation in citations:
        if citation.uri:
            segment = _Segment(citation.startIndex, citation.endIndex)
            found.append(_annotation(citation.uri, citation.title, _place(segment, text, encoded)))
    return [{**one, "index": index} for index, one in enumerate(found[:_MOST])]


def _annotation(uri: str, title: str | None, place: tuple[int, int] | None) -> dict[str, Any]:
    citation: dict[str, Any] = {"url": uri, "title": title or ""}
    if place is not None:
        citation["start_index"], citation["end_index"] = place
    return {"type": "url_citation", "url_citation": citation}


def _place(segment: _Segment | None, text: str, encoded: bytes) -> tuple[int, int] | None:
    """Characters from and to, where the bytes it names hold the segment's text, else where that text is found."""
    if segment is None or segment.endIndex is None or not text:
        return None
    start, end = segment.startIndex or 0, segment.endIndex
    if 0 <= start < end <= len(encoded):
        told = encoded[start:end].decode("utf-8", "replace")
        if segment.text is None or segment.text == told:
            first = len(encoded[:start].decode("utf-8", "replace"))
            return first, first + len(told)
    where = text.find(segment.text) if segment.text else -1
    return None if where < 0 else (where, where + len(segment.text or ""))
