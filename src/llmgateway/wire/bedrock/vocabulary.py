"""What converse has words for, and what is emulated with those it has."""

from typing import Final

import msgspec
from msgspec import Raw

from llmgateway.domain.chat import Chat, JsonObject
from llmgateway.domain.routing import Deployment
from llmgateway.wire.anthropic.schema import constrained
from llmgateway.wire.bedrock.family import Family, family_of
from llmgateway.wire.bedrock.thinking import thinks
from llmgateway.wire.spans import value_of
from llmgateway.wire.vocabulary import Vocabulary

NATIVE: Final = (
    "guardrailConfig",
    "performanceConfig",
    "promptVariables",
    "requestMetadata",
    "additionalModelRequestFields",
    "additionalModelResponseFieldPaths",
)
"""Fields of converse that ours have no word for; a caller may send them as they are."""

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
            "max_tokens",
            "max_completion_tokens",
            "stop",
            "tools",
            "tool_choice",
            "parallel_tool_calls",
            "functions",
            "function_call",
            "response_format",
            "reasoning",
            "reasoning_effort",
            "effort",
            "metadata",
            "service_tier",
            *NATIVE,
        )
    ),
    lacks=frozenset(("n", "logprobs", "logit_bias", "audio_output", "web_search")),
)


def emulates(chat: Chat, *, to: Deployment) -> str | None:
    """How an answer in JSON is asked for where the model cannot be held to it: `tool`, `instruction`, or not at all.

    The forced tool gives way to tools of the caller's own and to thinking, which do not go with it.
    """
    shape = chat.request.response_format
    if shape is None or shape.type == "text":
        return None
    schema = shape.json_schema.schema if shape.json_schema is not None else None
    if shape.type == "json_object" or schema is None:
        return "instruction"
    family = family_of(to)
    if family.structured and held_to(schema, family=family) is not None:
        return None
    free = not chat.request.tools and not chat.request.functions
    if family.forced and free and _is_object(schema) and not thinks(chat, to=to):
        return "tool"
    return "instruction"


def held_to(schema: JsonObject, *, family: Family) -> Raw | None:
    """The schema as the model takes it; None where it cannot be said to Claude, whose grammars know less."""
    return constrained(schema) if family.vendor == "claude" else Raw(msgspec.json.encode(schema))


def _is_object(schema: JsonObject) -> bool:
    return "type" not in schema or value_of(schema["type"]) == "object"
