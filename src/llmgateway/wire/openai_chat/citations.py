"""Turns the sources that a search engine's answer names beside its choices into annotations of the answer.

Perplexity sends `search_results` (title, URL) and `citations` (URLs) with every event of a stream; the text refers to
them as [1], [2] … (docs.perplexity.ai/docs/sonar/openai-compatibility). They are told once, with the end of choice 0.
"""

from typing import Any, Final, cast

from msgspec import Raw

from llmgateway.domain.reply import Chunk
from llmgateway.wire.spans import value_of
from llmgateway.wire.upstream import Decoder

QUIRK: Final = "citations"
_MOST: Final = 256


def cited(chunk: Chunk, *, extra: dict[str, Raw] | None = None) -> Chunk:
    """The same chunk, its first choice annotated. `extra`: the members beside the choices, if they came before."""
    sources = _sources(chunk.extra or {}) or _sources(extra or {})
    for choice in chunk.choices:
        if choice.index == 0 and sources and not choice.delta.annotations:
            choice.delta.annotations = [
                {"type": "url_citation", "url_citation": source, "index": place} for place, source in enumerate(sources)
            ]
    return chunk


def _sources(extra: dict[str, Raw]) -> list[dict[str, str]]:
    """URL, and title where there is one, in the order in which the text counts them."""
    results = value_of(extra["search_results"]) if "search_results" in extra else None
    if isinstance(results, list) and results:
        return [source for one in cast("list[Any]", results)[:_MOST] if (source := _source(one)) is not None]
    urls = value_of(extra["citations"]) if "citations" in extra else None
    if not isinstance(urls, list):
        return []
    return [{"url": url} for url in cast("list[Any]", urls)[:_MOST] if isinstance(url, str)]


def _source(result: Any) -> dict[str, str] | None:
    if not isinstance(result, dict):
        return None
    fields = cast("dict[str, Any]", result)
    url, title = fields.get("url"), fields.get("title")
    if not isinstance(url, str):
        return None
    return {"url": url, "title": title} if isinstance(title, str) else {"url": url}


class CitingDecoder:
    """Implements `Decoder` around another."""

    def __init__(self, inner: Decoder) -> None:
        self._inner = inner
        self._sources: dict[str, Raw] = {}
        self._told = False

    @property
    def finished(self) -> bool:
        return self._inner.finished

    def feed(self, data: bytes) -> list[Chunk]:
        return self._cited(self._inner.feed(data))

    def close(self) -> list[Chunk]:
        return self._cited(self._inner.close())

    def _cited(self, chunks: list[Chunk]) -> list[Chunk]:
        for chunk in chunks:
            for name in ("search_results", "citations"):
                if chunk.extra and name in chunk.extra:
                    self._sources[name] = chunk.extra[name]
            ends = any(choice.index == 0 and choice.finish_reason is not None for choice in chunk.choices)
            if ends and not self._told:
                self._told = True
                cited(chunk, extra=self._sources)
        return chunks
