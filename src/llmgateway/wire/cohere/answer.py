"""Puts the parts of a Cohere answer into our deltas, whether they come whole or in pieces.

The plan before tool calls is reasoning, as thinking is. A citation becomes a link where its source has one; else it
names the source. What is remembered of an answer is bounded, and nothing a provider sends makes this raise.
"""

from typing import Any, Final

from llmgateway.domain.chat import Chat
from llmgateway.domain.reply import Delta, ToolCallDelta, ToolFunctionDelta
from llmgateway.wire.cohere.messages import detail
from llmgateway.wire.cohere.shapes import Call, Citation, Logprobs, Part, Source

_FINISH: Final = {
    "COMPLETE": "stop",
    "STOP_SEQUENCE": "stop",
    "MAX_TOKENS": "length",
    "TOOL_CALL": "tool_calls",
    "ERROR_TOXIC": "content_filter",
}
BROKEN: Final = frozenset(("ERROR", "TIMEOUT", "ERROR_LIMIT", "USER_CANCEL"))
"""Finish reasons with which Cohere says that it broke off."""
_MOST: Final = 4096
_PLAN: Final = -1


class Answer:
    """`broken`: what makes the answer none, in words, once something does."""

    def __init__(self, *, chat: Chat) -> None:
        self.broken: str | None = None
        self._functions = bool(chat.request.functions)
        self._calls: dict[int, int] = {}
        self._told_calls = 0
        self._argued = False
        self._length = 0
        self._starts: dict[int, int] = {}
        self._thoughts: dict[int, int] = {}
        self._annotations = 0

    def content(self, index: int, part: Part) -> Delta | None:
        delta = Delta()
        if part.thinking:
            delta.reasoning = part.thinking
            delta.reasoning_details = [detail(self._thought(index), part.thinking, plan=False)]
        elif part.text:
            if len(self._starts) < _MOST:
                self._starts.setdefault(index, self._length)
            self._length += len(part.text)
            delta.content = part.text
        else:
            return None
        return delta

    def plan(self, text: str) -> Delta | None:
        if not text:
            return None
        return Delta(reasoning=text, reasoning_details=[detail(self._thought(_PLAN), text, plan=True)])

    def call(self, index: int, call: Call) -> Delta | None:
        self._argued = False
        if len(self._calls) >= _MOST:
            self.broken = f"more than {_MOST} tool calls"
            return None
        place = self._calls[index] = self._told_calls
        self._told_calls += 1
        arguments = call.function.arguments if call.function is not None else None
        name = call.function.name if call.function is not None else None
        self._argued = bool(arguments)
        function = ToolFunctionDelta(name or "", arguments or "")
        if self._functions:
            return Delta(function_call=function) if place == 0 else None
        return Delta(tool_calls=[ToolCallDelta(place, call.id or f"call_{place}", "function", function)])

    def arguments(self, index: int, piece: str) -> Delta | None:
        place = self._calls.get(index)
        if place is None or not piece:
            return None
        self._argued = True
        function = ToolFunctionDelta(arguments=piece)
        if self._functions:
            return Delta(function_call=function) if place == 0 else None
        return Delta(tool_calls=[ToolCallDelta(place, function=function)])

    def call_end(self, index: int) -> Delta | None:
        """A call without arguments has an empty object of them."""
        return None if self._argued else self.arguments(index, "{}")

    def citation(self, citation: Citation) -> Delta | None:
        """Places are counted within one content part; ours within the whole text."""
        if citation.type not in (None, "TEXT_CONTENT") or self._annotations >= _MOST:
            return None
        shift = self._starts.get(citation.content_index or 0, 0)
        told = [self._annotation(citation, source, shift) for source in citation.sources or [Source()]]
        return Delta(annotations=told)

    def finish(self, raw: str | None) -> str | None:
        """Our finish reason; None where the model broke off."""
        if raw in BROKEN:
            self.broken = f"finish reason '{raw}'"
            return None
        reason = _FINISH.get(raw or "", "stop")
        if reason in ("stop", "tool_calls"):
            if not self._calls:
                return "stop"
            return "function_call" if self._functions else "tool_calls"
        return reason

    def _thought(self, index: int) -> int:
        if len(self._thoughts) < _MOST:
            self._thoughts.setdefault(index, len(self._thoughts))
        return self._thoughts.get(index, _MOST)

    def _annotation(self, citation: Citation, source: Source, shift: int) -> dict[str, Any]:
        members = source.document or source.tool_output or {}
        url, title = members.get("url"), members.get("title")
        linked = isinstance(url, str) and url.startswith(("https://", "http://"))
        told: dict[str, Any] = {"url": url} if linked else {}
        if isinstance(title, str):
            told["title"] = title
        if not linked and source.id:
            told["source"] = source.id
        if citation.start is not None and citation.end is not None:
            told["start_index"], told["end_index"] = shift + citation.start, shift + citation.end
        kind = "url_citation" if linked else "file_citation"
        self._annotations += 1
        return {"type": kind, kind: told, "index": self._annotations - 1}


def logprobs_of(pieces: list[Logprobs]) -> dict[str, Any]:
    """Cohere tells the probabilities of a piece of text together; a piece of several tokens is one of ours."""
    content = [
        {
            "token": piece.text or "",
            "logprob": sum(piece.logprobs or ()),
            "bytes": list((piece.text or "").encode()),
            "top_logprobs": [],
        }
        for piece in pieces
    ]
    return {"content": content, "refusal": None}
