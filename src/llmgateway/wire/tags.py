"""Reasoning that models write into their content between tags: split off again, whole or streamed.

Only a tag that opens the answer counts, so that text which merely mentions one stays as it is. The variant `open` is
for templates that open the tag in the prompt, so that the answer begins within the reasoning (DeepSeek-R1 and others,
docs.vllm.ai/en/latest/features/reasoning_outputs.html). White space beside the tags belongs to neither part.
"""

import re
from typing import Final, Literal

from msgspec import UNSET

from llmgateway.domain.reply import ChoiceDelta, Chunk
from llmgateway.domain.routing import Deployment
from llmgateway.wire.upstream import Decoder

Variant = Literal["tagged", "open"]
QUIRKS: Final[dict[str, Variant]] = {"think_tags": "tagged", "think_open": "open"}

_PAIRS: Final = {
    "<think>": "</think>",
    "<thinking>": "</thinking>",
    "<thought>": "</thought>",
    "<reason>": "</reason>",
    "<reasoning>": "</reasoning>",
    "<seed:think>": "</seed:think>",
    "<|begin_of_thought|>": "<|end_of_thought|>",
    "<|channel>thought": "<channel|>",
    "[THINK]": "[/THINK]",
    "◁think▷": "◁/think▷",
}
_CLOSERS: Final = tuple(_PAIRS.values())
_MOST_BLANK: Final = 1024
_SPACE_AT_END: Final = re.compile(r"\s+\Z")


def variant_of(to: Deployment) -> Variant | None:
    """How this row's models write their reasoning; None where it does not come in the content."""
    for quirk in reversed(to.provider.quirks):
        if quirk in QUIRKS:
            return QUIRKS[quirk]
    return None


class TagSplitter:
    """The content of one choice. `feed` and `close` give what is certain so far: content and reasoning."""

    __slots__ = ("_closers", "_fresh", "_held", "_state")

    def __init__(self, variant: Variant) -> None:
        self._closers: tuple[str, ...] = _CLOSERS if variant == "open" else ()
        self._held = ""
        self._fresh = True
        self._state: Literal["start", "inside", "behind", "text"] = "start"

    def feed(self, text: str) -> tuple[str, str]:
        if self._state == "text":
            return text, ""
        reasoning = ""
        if self._state == "start":
            self._held += text
            text = self._begin()
        if self._state == "inside":
            reasoning, text = self._inside(text)
        if self._state == "behind":
            text = text.lstrip()
            if text:
                self._state = "text"
        return text, reasoning

    def close(self) -> tuple[str, str]:
        """What was held back; the rest is text."""
        held, state = self._held, self._state
        self._held, self._state = "", "text"
        return ("", held.rstrip()) if state == "inside" else (held, "")

    def _begin(self) -> str:
        """Decides whether the answer opens with a tag; gives what can be told, nothing while that is open."""
        begun = self._held.lstrip()
        for opener, closer in _PAIRS.items():
            if begun.startswith(opener):
                self._state, self._closers, self._held = "inside", (closer,), ""
                return begun[len(opener) :]
        if any(opener.startswith(begun) for opener in _PAIRS) and len(self._held) <= _MOST_BLANK:
            return ""
        text, self._held = self._held, ""
        if self._closers:
            self._state = "inside"
            return text
        self._state = "text"
        return text

    def _inside(self, text: str) -> tuple[str, str]:
        """Reasoning and what follows it. Held back: what may be half a tag, and white space that one may follow."""
        text = self._held + text
        if self._fresh:
            text = text.lstrip()
        self._held = ""
        ends = [(at, closer) for closer in self._closers if (at := text.find(closer)) >= 0]
        if ends:
            at, closer = min(ends)
            self._state = "behind"
            return text[:at].rstrip(), text[at + len(closer) :]
        cut = len(text) - self._half_tag(text)
        space = _SPACE_AT_END.search(text[:cut])
        if space is not None:
            cut = space.start()
        self._held = text[cut:]
        self._fresh = self._fresh and cut == 0
        return text[:cut], ""

    def _half_tag(self, text: str) -> int:
        """How many characters at the end may be the beginning of a closing tag."""
        longest = max(len(closer) for closer in self._closers) - 1
        for size in range(min(longest, len(text)), 0, -1):
            end = text[-size:]
            if any(closer.startswith(end) for closer in self._closers):
                return size
        return 0


class TaggedDecoder:
    """Implements `Decoder` around another: what its choices say between tags becomes reasoning."""

    def __init__(self, inner: Decoder, variant: Variant) -> None:
        self._inner = inner
        self._variant: Variant = variant
        self._splitters: dict[int, TagSplitter] = {}

    @property
    def finished(self) -> bool:
        return self._inner.finished

    def feed(self, data: bytes) -> list[Chunk]:
        return self._split(self._inner.feed(data))

    def close(self) -> list[Chunk]:
        return self._split(self._inner.close())

    def _split(self, chunks: list[Chunk]) -> list[Chunk]:
        told: list[Chunk] = []
        for chunk in chunks:
            for choice in chunk.choices:
                self._choice(choice)
            chunk.choices = [choice for choice in chunk.choices if choice.tells]
            if chunk.tells:
                told.append(chunk)
        return told

    def _choice(self, choice: ChoiceDelta) -> None:
        splitter = self._splitters.get(choice.index)
        if splitter is None:
            splitter = self._splitters[choice.index] = TagSplitter(self._variant)
        _split(choice, splitter)


def untagged(chunk: Chunk, variant: Variant) -> Chunk:
    """The same whole answer, with what its choices say between tags as reasoning."""
    for choice in chunk.choices:
        _split(choice, TagSplitter(variant))
        if choice.delta.content is UNSET:
            choice.delta.content = None
    return chunk


def _split(choice: ChoiceDelta, splitter: TagSplitter) -> None:
    """Reasoning that comes under its own name says that the content holds none."""
    delta = choice.delta
    content, reasoning = "", ""
    if delta.reasoning:
        content, reasoning = splitter.close()
    if delta.content:
        more, thought = splitter.feed(delta.content)
        content, reasoning = content + more, reasoning + thought
    if choice.finish_reason is not None or delta.tool_calls or delta.function_call or delta.refusal:
        more, thought = splitter.close()
        content, reasoning = content + more, reasoning + thought
    if content or delta.content:
        delta.content = content or UNSET
    if reasoning:
        delta.reasoning = reasoning + (delta.reasoning or "")
