"""Puts the content blocks of a converse answer into our deltas, whether they come whole or in pieces.

An `Answer` remembers what one answer needs: which of our tool calls a block is, where in the text its citations belong,
the pieces of an image. All of it is bounded, and nothing a provider sends makes it raise.
"""

from base64 import b64decode, b64encode
from binascii import Error
from typing import Any, Final

import msgspec
from msgspec import Raw

from llmgateway.domain.chat import Chat
from llmgateway.domain.reply import Delta, ToolCallDelta, ToolFunctionDelta
from llmgateway.domain.routing import Deployment
from llmgateway.wire.bedrock.family import family_of
from llmgateway.wire.bedrock.reasoning import redacted, thought
from llmgateway.wire.bedrock.shapes import Citation, Reasoning, ToolUse
from llmgateway.wire.bedrock.tools import schema_tool
from llmgateway.wire.bedrock.vocabulary import emulates
from llmgateway.wire.spans import is_null, text_of, value_of

_FINISH: Final = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "tool_use": "tool_calls",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "guardrail_intervened": "content_filter",
    "content_filtered": "content_filter",
    "refusal": "content_filter",
}
_BROKEN: Final = frozenset(("malformed_model_output", "malformed_tool_use"))
_MOST: Final = 4096
_MOST_IMAGE_BYTES: Final = 32 * 1024 * 1024
_PLACES: Final = {
    "documentChar": ("start_char", "end_char"),
    "documentPage": ("start_page", "end_page"),
    "documentChunk": ("start_block", "end_block"),
    "searchResultLocation": ("start_block", "end_block"),
}


class Answer:
    """`broken`: what makes the answer none, in words, once something does."""

    def __init__(self, *, chat: Chat, to: Deployment) -> None:
        shape = chat.request.response_format
        schema = shape.json_schema if shape is not None else None
        emulated = schema is not None and emulates(chat, to=to) == "tool"
        self.broken: str | None = None
        self._schema_tool = schema_tool(schema) if schema is not None and emulated else None
        self._functions = bool(chat.request.functions)
        self._signs = family_of(to).vendor in ("claude", "unknown")
        self._calls: dict[int, int] = {}
        self._told_calls = 0
        self._json: int | None = None
        self._argued = False
        self._length = 0
        self._block = -1
        self._block_start = 0
        self._thoughts = -1
        self._thought_block = -1
        self._cited: list[Citation] = []
        self._annotations = 0
        self._images = 0
        self._image: bytearray | None = None
        self._image_format = "png"

    def text(self, block: int, text: str) -> Delta:
        if block != self._block:
            self._block, self._block_start = block, self._length
        self._length += len(text)
        return Delta(content=text)

    def reasoning(self, block: int, source: Reasoning) -> Delta:
        """Signed thinking is told in full; that of models which sign nothing has no way back and is text alone."""
        if block != self._thought_block:
            self._thought_block = block
            self._thoughts += 1
        delta = Delta()
        whole = source.reasoningText
        text = source.text if whole is None else whole.text
        signature = source.signature if whole is None else whole.signature
        if text:
            delta.reasoning = text
        if source.redactedContent:
            delta.reasoning_details = [redacted(self._thoughts, source.redactedContent)]
        elif (text or signature) and (self._signs or signature):
            delta.reasoning_details = [thought(self._thoughts, text=text, signature=signature)]
        return delta

    def tool(self, block: int, use: ToolUse) -> Delta | None:
        """The start of a call. Calls that the provider runs itself are none of the client's."""
        self._argued = False
        if use.type == "server_tool_use":
            return None
        if use.name is not None and use.name == self._schema_tool:
            self._json = block
            return None
        if len(self._calls) >= _MOST:
            self.broken = f"more than {_MOST} tool calls"
            return None
        place = self._calls[block] = self._told_calls
        self._told_calls += 1
        function = ToolFunctionDelta(use.name or "", "")
        if self._functions:
            return Delta(function_call=function) if place == 0 else None
        return Delta(tool_calls=[ToolCallDelta(place, use.toolUseId or f"call_{place}", "function", function)])

    def arguments(self, block: int, piece: str) -> Delta | None:
        if not piece:
            return None
        self._argued = True
        if block == self._json:
            return self.text(block, piece)
        place = self._calls.get(block)
        if place is None:
            return None
        function = ToolFunctionDelta(arguments=piece)
        if self._functions:
            return Delta(function_call=function) if place == 0 else None
        return Delta(tool_calls=[ToolCallDelta(place, function=function)])

    def citation(self, citation: Citation) -> None:
        if len(self._cited) < _MOST:
            self._cited.append(citation)

    def image(self, *, kind: str | None = None, data: str | None = None) -> None:
        """A piece of an image; each piece is base64 of its own."""
        if self._image is None:
            self._image = bytearray()
        self._image_format = kind or self._image_format
        try:
            self._image += b64decode(data or "")
        except (Error, ValueError):
            self.broken = "an image that is not base64"
        if len(self._image) > _MOST_IMAGE_BYTES:
            self.broken = f"an image of more than {_MOST_IMAGE_BYTES} bytes"

    def end(self, block: int) -> Delta | None:
        """What can only be told once the block is complete."""
        delta = Delta()
        if block in self._calls and not self._argued:
            return self.arguments(block, "{}")
        if self._cited:
            start = self._block_start if block == self._block else self._length
            delta.annotations = [self._annotation(citation, start) for citation in self._cited]
            self._cited = []
        if self._image:
            data = b64encode(self._image).decode()
            url = f"data:image/{self._image_format};base64,{data}"
            delta.images = [{"type": "image_url", "image_url": {"url": url}, "index": self._images}]
            self._images += 1
        self._image = None
        return delta if delta.has_content else None

    def finish(self, raw: str | None) -> str | None:
        """Our finish reason; None where the model broke off, which `broken` then tells."""
        if raw in _BROKEN:
            self.broken = f"finish reason '{raw}'"
            return None
        reason = _FINISH.get(raw or "", "stop")
        if reason == "tool_calls" or (reason == "stop" and self._calls):
            if not self._calls:
                return "stop"
            return "function_call" if self._functions else "tool_calls"
        return reason

    def _annotation(self, citation: Citation, start: int) -> dict[str, Any]:
        """A link where there is one; else which document, and the place in it, as the model was given it."""
        location = citation.location or {}
        url = text_of(location.get("web", {}).get("url"))
        if url is None and citation.source is not None and citation.source.startswith(("https://", "http://")):
            url = citation.source
        told: dict[str, Any] = {} if url is None else {"url": url}
        if citation.title:
            told["title"] = citation.title
        told["start_index"], told["end_index"] = start, self._length
        kind = "url_citation"
        if url is None:
            kind = "file_citation"
            told.update(_place(citation, location))
        self._annotations += 1
        return {"type": kind, kind: told, "index": self._annotations - 1}


def _place(citation: Citation, location: dict[str, dict[str, Raw]]) -> dict[str, Any]:
    told: dict[str, Any] = {}
    cited = "".join([piece.text or "" for piece in citation.sourceContent or ()])
    if cited:
        told["cited_text"] = cited
    if citation.source:
        told["source"] = citation.source
    for name, (start, end) in _PLACES.items():
        members = {key: value_of(span) for key, span in location.get(name, {}).items()}
        which = members.get("documentIndex", members.get("searchResultIndex"))
        places = {"document_index": which, start: members.get("start"), end: members.get("end")}
        told.update({key: value for key, value in places.items() if isinstance(value, int)})
    return told


def arguments_of(span: Raw) -> str:
    """The input of a whole call as it stands; a string, which streams send, is what it holds."""
    if is_null(span):
        return ""
    value = value_of(span)
    return value if isinstance(value, str) else bytes(span).decode("utf-8", "replace")


def piece_of(span: Raw) -> str:
    try:
        return msgspec.json.decode(span, type=str)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""
