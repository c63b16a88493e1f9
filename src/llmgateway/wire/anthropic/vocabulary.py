"""What the messages protocol has words for, and how it makes up for response formats that it has none for."""

from typing import Final

import msgspec

from llmgateway.domain.chat import Chat, JsonObject
from llmgateway.domain.routing import Deployment
from llmgateway.wire.anthropic.models import dialect_of
from llmgateway.wire.anthropic.schema import constrained
from llmgateway.wire.vocabulary import Vocabulary

VOCABULARY: Final = Vocabulary(
    fields=frozenset((
        "model", "messages", "stream", "max_tokens", "max_completion_tokens", "temperature", "top_p", "top_k", "stop",
        "tools", "tool_choice", "parallel_tool_calls", "functions", "function_call", "response_format", "reasoning",
        "reasoning_effort", "effort", "user", "safety_identifier", "metadata", "service_tier", "web_search",
        "web_search_options",
    )),
    lacks=frozenset(("n", "logprobs", "logit_bias", "audio", "audio_output", "image_output")),
)  # fmt: skip

_ANSWER: Final = "json_answer"


def emulates(chat: Chat, *, to: Deployment) -> str | None:
    """How `response_format` is made up for: by a forced `tool`, by an `instruction`, or not at all (None)."""
    shape = chat.request.response_format
    if shape is None or shape.type == "text":
        return None
    schema = shape.json_schema.schema if shape.json_schema is not None else None
    if shape.type == "json_object" or schema is None:
        return "instruction"
    dialect = dialect_of(to)
    if dialect.structured and constrained(schema) is not None:
        return None
    return "tool" if dialect.forced_tools and _is_object(schema) else "instruction"


def answer_tool(chat: Chat) -> str:
    """The name of the tool whose input is the answer: one that none of the caller's has."""
    request = chat.request
    taken = {tool.function.name for tool in request.tools or () if tool.function is not None}
    taken |= {function.name for function in request.functions or ()}
    name = _ANSWER
    while name in taken:
        name += "_"
    return name


def _is_object(schema: JsonObject) -> bool:
    span = schema.get("type")
    return span is not None and msgspec.json.decode(span) == "object"
