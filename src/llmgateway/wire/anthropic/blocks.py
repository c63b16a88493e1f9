"""Reads content blocks, of whole answers and of streams alike: each opens, grows, and closes, and says what it adds.

Text becomes content; thinking becomes reasoning and signed `reasoning_details`; tool calls become ours. What servers do
among themselves (their tool calls, code they run, compaction) is not part of an answer, but for what searches found.
"""

import secrets
from typing import Any, Final

import msgspec
from msgspec import UNSET, Raw, Struct

from llmgateway.domain.reply import Delta, ToolCallDelta, ToolFunctionDelta
from llmgateway.wire.anthropic.citations import Citations
from llmgateway.wire.anthropic.replay import FORMAT, place_id
from llmgateway.wire.spans import NULL, is_null, value_of

MOST: Final = 4096
"""Open blocks, and tool calls, beyond which an answer is no answer: what is remembered stays bounded."""
_ORDINARY: Final = frozenset(("text", "thinking", "redacted_thinking", "tool_use"))


class Mode(Struct, frozen=True):
    """`answer_tool`: the tool whose input is the answer, None where there is none. `functions`: the request used the
    old `functions`.
    """

    answer_tool: str | None = None
    functions: bool = False


class Block(Struct):
    """A content block as it opens."""

    type: str = ""
    text: str | None = None
    thinking: str | None = None
    signature: str | None = None
    data: str | None = None
    id: str | None = None
    name: str | None = None
    input: Raw = NULL
    content: Raw = NULL
    citations: list[Raw] | None = None


class Growth(Struct):
    """What is added to a block, and in the last event of a stream to the message."""

    type: str = ""
    text: str | None = None
    thinking: str | None = None
    signature: str | None = None
    partial_json: str | None = None
    citation: Raw = NULL
    stop_reason: str | None = None
    stop_details: Raw = NULL


class _Open(Struct):
    """`slot`: the number of the tool call or of the reasoning detail; `start`: where in the content the text begins."""

    type: str
    slot: int = 0
    start: int = 0
    begun: bool = False
    input: Raw = NULL


class Blocks:
    """The blocks of one answer. `broken` says what is wrong with it, once something is."""

    __slots__ = ("_calls", "_citations", "_details", "_mode", "_open", "answered", "broken", "length")

    def __init__(self, mode: Mode) -> None:
        self._mode = mode
        self._open: dict[int, _Open] = {}
        self._citations = Citations()
        self._calls = 0
        self._details = 0
        self.length = 0
        self.answered = False
        self.broken: str | None = None

    @property
    def calls(self) -> int:
        return self._calls

    def open(self, index: int, block: Block) -> Delta | None:
        if len(self._open) == MOST or self._calls == MOST:
            self.broken = f"more than {MOST} content blocks"
            return None
        if block.type not in _ORDINARY:
            if block.type == "web_search_tool_result":
                self._citations.found(value_of(block.content))
            return None
        opened = self._open[index] = _Open(block.type, start=self.length)
        if block.type == "text":
            for citation in block.citations or ():
                self._citations.cite(citation)
            return self._text(block.text)
        if block.type == "tool_use":
            opened.input = block.input
            return self._call(opened, block)
        opened.slot = self._details
        self._details += 1
        if block.type == "redacted_thinking":
            return self._detail(opened, {"type": "reasoning.encrypted", "data": block.data or ""})
        if block.thinking or block.signature:
            return self._thought(opened, block.thinking, block.signature)
        return None

    def grow(self, index: int, growth: Growth) -> Delta | None:
        if growth.type == "text_delta":
            return self._text(growth.text)
        opened = self._open.get(index)
        if opened is None:
            return None
        if growth.type == "input_json_delta":
            return self._arguments(opened, growth.partial_json)
        if growth.type == "thinking_delta":
            return self._thought(opened, growth.thinking, None)
        if growth.type == "signature_delta":
            return self._thought(opened, None, growth.signature)
        if growth.type == "citations_delta" and not is_null(growth.citation):
            self._citations.cite(growth.citation)
        return None

    def close(self, index: int) -> Delta | None:
        opened = self._open.pop(index, None)
        if opened is None:
            return None
        if opened.type == "text":
            annotations = self._citations.close(start=opened.start, end=self.length)
            return Delta(annotations=annotations) if annotations else None
        if opened.type == "tool_use" and not opened.begun:
            given = bytes(opened.input)
            return self._arguments(opened, "{}" if given == b"null" else given.decode("utf-8", "replace"))
        return None

    def end(self) -> Delta:
        """What is told with the reason to stop."""
        annotations = self._citations.uncited()
        return Delta(annotations=annotations) if annotations else Delta()

    def _text(self, text: str | None) -> Delta | None:
        if not text:
            return None
        self.length += len(text)
        return Delta(content=text)

    def _call(self, opened: _Open, block: Block) -> Delta | None:
        if block.name is not None and block.name == self._mode.answer_tool:
            opened.type = "tool_use" if not self.answered else ""
            opened.slot = -1
            self.answered = True
            return None
        opened.slot = self._calls
        self._calls += 1
        name = block.name or ""
        if self._mode.functions:
            return Delta(function_call=ToolFunctionDelta(name, "")) if opened.slot == 0 else None
        given = block.id or f"call_{secrets.token_hex(12)}"
        return Delta(tool_calls=[ToolCallDelta(opened.slot, given, "function", ToolFunctionDelta(name, ""))])

    def _arguments(self, opened: _Open, piece: str | None) -> Delta | None:
        if not piece or opened.type != "tool_use":
            return None
        opened.begun = True
        if opened.slot < 0:
            return self._text(piece)
        function = ToolFunctionDelta(UNSET, piece)
        if self._mode.functions:
            return Delta(function_call=function) if opened.slot == 0 else None
        return Delta(tool_calls=[ToolCallDelta(opened.slot, function=function)])

    def _thought(self, opened: _Open, text: str | None, signature: str | None) -> Delta | None:
        if opened.type != "thinking" or not (text or signature):
            return None
        detail: dict[str, Any] = {"type": "reasoning.text"}
        if text or not opened.begun:
            detail["text"] = text or ""
        if signature:
            detail["signature"] = signature
        delta = self._detail(opened, detail)
        if text:
            delta.reasoning = text
        return delta

    def _detail(self, opened: _Open, detail: dict[str, Any]) -> Delta:
        """`format` and `id` come once: accumulators of SDKs would join what they see twice."""
        if not opened.begun:
            opened.begun = True
            detail["format"] = FORMAT
            place = place_id(self._calls + (self.length > 0))
            if place is not None:
                detail["id"] = place
        detail["index"] = opened.slot
        return Delta(reasoning_details=[detail])


def block_of(span: Raw) -> Block | None:
    """None for what cannot be read."""
    try:
        return msgspec.json.decode(span, type=Block)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
