"""What Cohere's v2 chat has words for, and what is emulated with those it has (docs.cohere.com/reference/chat)."""

from typing import Final

from llmgateway.domain.chat import Chat
from llmgateway.domain.routing import Deployment
from llmgateway.wire.vocabulary import Vocabulary

NATIVE: Final = ("documents", "citation_options", "safety_mode", "priority", "strict_tools")
"""Fields of Cohere's own that a caller may send as they are."""

VOCABULARY: Final = Vocabulary(
    fields=frozenset(
        (
            "model",
            "messages",
            "stream",
            "stream_options",
            "n",
            "modalities",
            "temperature",
            "top_p",
            "top_k",
            "frequency_penalty",
            "presence_penalty",
            "seed",
            "max_tokens",
            "max_completion_tokens",
            "stop",
            "logprobs",
            "tools",
            "tool_choice",
            "parallel_tool_calls",
            "functions",
            "function_call",
            "response_format",
            "reasoning",
            "reasoning_effort",
            *NATIVE,
        )
    ),
    lacks=frozenset(
        ("n", "logit_bias", "parallel_tool_calls", "audio", "documents", "audio_output", "image_output", "web_search")
    ),
)


def emulates(chat: Chat, *, to: Deployment) -> str | None:
    """JSON is native, but not beside tools."""
    shape = chat.request.response_format
    if shape is None or shape.type == "text" or not (chat.request.tools or chat.request.functions):
        return None
    return "instruction"
