"""What Google's protocol has words for, and what must be said in an instruction instead."""

from typing import Final

from llmgateway.domain.chat import Chat
from llmgateway.domain.routing import Deployment
from llmgateway.wire.gemini.families import family_of
from llmgateway.wire.vocabulary import Vocabulary

VOCABULARY: Final = Vocabulary(
    fields=frozenset(
        (
            "model",
            "messages",
            "temperature",
            "top_p",
            "top_k",
            "frequency_penalty",
            "presence_penalty",
            "max_tokens",
            "max_completion_tokens",
            "stop",
            "seed",
            "n",
            "logprobs",
            "top_logprobs",
            "modalities",
            "audio",
            "parallel_tool_calls",
            "functions",
            "function_call",
            "service_tier",
            "web_search_options",
            "web_search",
            "response_format",
            "stream",
            "stream_options",
            "tools",
            "tool_choice",
            "reasoning_effort",
            "reasoning",
            "include_reasoning",
            "image_config",
        )
    ),
    lacks=frozenset(("logit_bias", "parallel_tool_calls")),
    quirks={"labels": frozenset(("metadata",))},
)


def emulates(chat: Chat, *, to: Deployment) -> str | None:
    """ "instruction" where the JSON that was asked for can only be asked for in words, else None.

    Models before Gemini 3 refuse a response MIME type beside functions or web search
    (https://ai.google.dev/gemini-api/docs/structured-output); Gemma and the image and speech models have none.
    """
    shape = chat.request.response_format
    if shape is None or shape.type == "text":
        return None
    family = family_of(to.mapping.upstream)
    with_tools = not chat.traits.needs.keys().isdisjoint(("tools", "web_search"))
    if not family.json or shape.type in to.mapping.lacks or (with_tools and not family.tools_together):
        return "instruction"
    return None
