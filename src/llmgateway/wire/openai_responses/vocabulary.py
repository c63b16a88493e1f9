"""What the responses protocol has words for, and which fields of a request speak for or against it.

OpenAI offers many models by both its protocols. `prefers_responses` names the field that only this one can honour,
`chat_only` the one that only the chat protocol can; a request that has both can be served by neither.
"""

from typing import Final

import msgspec

from llmgateway.domain.chat import Chat, JsonObject
from llmgateway.domain.routing import Deployment
from llmgateway.wire.vocabulary import Vocabulary

REASONING_FORMATS: Final = "responses-v1"
"""How the `format` of every reasoning detail ends that a provider with this protocol issued."""

VOCABULARY: Final = Vocabulary(
    fields=frozenset(
        (
            "model",
            "messages",
            "temperature",
            "top_p",
            "max_tokens",
            "max_completion_tokens",
            "logprobs",
            "top_logprobs",
            "user",
            "metadata",
            "store",
            "modalities",
            "image_config",
            "parallel_tool_calls",
            "functions",
            "function_call",
            "service_tier",
            "verbosity",
            "safety_identifier",
            "prompt_cache_key",
            "prompt_cache_retention",
            "web_search",
            "web_search_options",
            "response_format",
            "stream",
            "stream_options",
            "tools",
            "tool_choice",
            "reasoning_effort",
            "reasoning",
            "include_reasoning",
        )
    ),
    lacks=frozenset(("n", "stop", "logit_bias", "audio", "audio_output", "reasoning_max_tokens")),
)
"""https://platform.openai.com/docs/api-reference/responses/create: no stop, n, seed, logit_bias, penalties, prediction
or audio."""

_CHAT_NEEDS: Final = ("stop", "n", "logit_bias", "audio_output", "audio")


def emulates(chat: Chat, *, to: Deployment) -> str | None:
    """Structured answers are native here, so that nothing is ever emulated."""
    del chat, to
    return None


def prefers_responses(chat: Chat, *, search_variant: bool = False) -> str | None:
    """JSON path of the first field that needs what only this protocol gives; None if there is none.

    `search_variant`: the model searches by itself when asked by the chat protocol, as gpt-4o-search-preview does.
    """
    request = chat.request
    if request.reasoning is not None and request.reasoning.summary is not None:
        return "reasoning.summary"
    for index, message in enumerate(chat.messages):
        if any(_is_encrypted(detail) for detail in message.reasoning_details or ()):
            return f"messages[{index}].reasoning_details"
    return None if search_variant else chat.traits.needs.get("web_search")


def chat_only(chat: Chat) -> str | None:
    """JSON path of the first field that only the chat protocol carries; None if there is none."""
    request, needs = chat.request, chat.traits.needs
    for capability in _CHAT_NEEDS:
        if capability in needs:
            return needs[capability]
    if request.seed is not None:
        return "seed"
    if request.audio is not None:
        return "audio"
    heard = (index for index, message in enumerate(chat.messages) if message.audio is not None)
    return next((f"messages[{index}].audio" for index in heard), None)


def _is_encrypted(detail: JsonObject) -> bool:
    """Reasoning that a provider with this protocol encrypted, and can read again."""
    try:
        kind = msgspec.json.decode(detail.get("type", b"null"))
        issuer = msgspec.json.decode(detail.get("format", b"null"))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return kind == "reasoning.encrypted" and isinstance(issuer, str) and issuer.endswith(REASONING_FORMATS)
