"""The shapes of Cohere's answers and events, as far as something is told of them."""

from typing import Any

from msgspec import Struct


class Tokens(Struct):
    """Cohere counts in floats."""

    input_tokens: float | None = None
    output_tokens: float | None = None
    reasoning_tokens: float | None = None


class ReportedUsage(Struct):
    billed_units: Tokens | None = None
    tokens: Tokens | None = None
    cached_tokens: float | None = None


class Part(Struct):
    type: str | None = None
    text: str | None = None
    thinking: str | None = None


class Function(Struct):
    name: str | None = None
    arguments: str | None = None


class Call(Struct):
    id: str | None = None
    function: Function | None = None


class Source(Struct):
    type: str | None = None
    id: str | None = None
    document: dict[str, Any] | None = None
    tool_output: dict[str, Any] | None = None


class Citation(Struct):
    start: int | None = None
    end: int | None = None
    text: str | None = None
    sources: list[Source] | None = None
    content_index: int | None = None
    type: str | None = None


class Logprobs(Struct):
    text: str | None = None
    logprobs: list[float] | None = None


class Message(Struct):
    content: list[Part] | str | None = None
    tool_plan: str | None = None
    tool_calls: list[Call] | None = None
    citations: list[Citation] | None = None


class Response(Struct):
    id: str | None = None
    message: Message | None = None
    finish_reason: str | None = None
    usage: ReportedUsage | None = None
    logprobs: list[Logprobs] | None = None


class MessagePiece(Struct):
    """One member at a time, each an object where a whole message has a list."""

    content: Part | None = None
    tool_plan: str | None = None
    tool_calls: Call | None = None
    citations: Citation | None = None


class PieceDelta(Struct):
    message: MessagePiece | None = None


class EndDelta(Struct):
    finish_reason: str | None = None
    usage: ReportedUsage | None = None
    error: str | None = None


class _Event(Struct, tag_field="type"):
    index: int = 0


class MessageStart(_Event, tag="message-start"):
    id: str | None = None


class ContentStart(_Event, tag="content-start"):
    delta: PieceDelta | None = None


class ContentDelta(_Event, tag="content-delta"):
    delta: PieceDelta | None = None
    logprobs: Logprobs | None = None


class ContentEnd(_Event, tag="content-end"): ...


class ToolPlanDelta(_Event, tag="tool-plan-delta"):
    delta: PieceDelta | None = None


class ToolCallStart(_Event, tag="tool-call-start"):
    delta: PieceDelta | None = None


class ToolCallDelta(_Event, tag="tool-call-delta"):
    delta: PieceDelta | None = None


class ToolCallEnd(_Event, tag="tool-call-end"): ...


class CitationStart(_Event, tag="citation-start"):
    delta: PieceDelta | None = None


class CitationEnd(_Event, tag="citation-end"): ...


class MessageEnd(_Event, tag="message-end"):
    id: str | None = None
    delta: EndDelta | None = None


class Debug(_Event, tag="debug"): ...


Event = (
    ContentDelta
    | ToolCallDelta
    | ToolPlanDelta
    | MessageStart
    | ContentStart
    | ContentEnd
    | ToolCallStart
    | ToolCallEnd
    | CitationStart
    | CitationEnd
    | MessageEnd
    | Debug
)
