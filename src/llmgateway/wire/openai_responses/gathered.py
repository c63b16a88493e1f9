"""What one step of an answer adds, gathered in lists and then made into one delta."""

from typing import Any

from msgspec import UNSET

from llmgateway.domain.reply import Delta, ToolCallDelta, ToolFunctionDelta


class Gathered:
    """Lives for one event, or for a whole answer."""

    __slots__ = (
        "annotations",
        "calls",
        "content",
        "details",
        "function_call",
        "images",
        "logprobs",
        "reasoning",
        "refusal",
    )

    def __init__(self) -> None:
        self.content: list[str] = []
        self.refusal: list[str] = []
        self.reasoning: list[str] = []
        self.details: list[dict[str, Any]] = []
        self.calls: list[ToolCallDelta] = []
        self.function_call: ToolFunctionDelta | None = None
        self.images: list[dict[str, Any]] = []
        self.annotations: list[dict[str, Any]] = []
        self.logprobs: list[dict[str, Any]] = []

    @property
    def empty(self) -> bool:
        return not (
            self.content
            or self.reasoning
            or self.details
            or self.calls
            or self.refusal
            or self.function_call
            or self.images
            or self.annotations
            or self.logprobs
        )

    def delta(self) -> Delta:
        return Delta(
            content="".join(self.content) if self.content else UNSET,
            reasoning="".join(self.reasoning) or UNSET,
            reasoning_details=self.details or UNSET,
            refusal="".join(self.refusal) or UNSET,
            tool_calls=self.calls or UNSET,
            function_call=self.function_call or UNSET,
            images=self.images or UNSET,
            annotations=self.annotations or UNSET,
        )

    @property
    def token_logprobs(self) -> dict[str, Any] | None:
        return {"content": self.logprobs, "refusal": None} if self.logprobs else None
