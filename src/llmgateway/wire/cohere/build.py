"""Builds requests to Cohere's v2 chat: what stays the same from turn to turn first, and always in one order."""

from collections.abc import Callable
from typing import Any, Final

import msgspec
from msgspec import Raw

from llmgateway.domain.chat import Chat, Function, NamedTool, Tool
from llmgateway.domain.routing import Deployment, HttpRequest
from llmgateway.wire.cohere.messages import Body, read_messages
from llmgateway.wire.cohere.vocabulary import NATIVE, VOCABULARY, emulates
from llmgateway.wire.params import CONSUMED, OURS

_JSON: Final = "Answer with a single JSON object and nothing else: no explanation, no code fence."
_JSON_SCHEMA: Final = (
    "Answer with a single JSON value and nothing else: no explanation, no code fence. "
    "It must be valid against this JSON Schema: "
)
_BUDGETS: Final = {"minimal": 1024, "low": 1024, "medium": 4096}
"""Above these a model thinks as long as it wants to, which is what Cohere advises (docs.cohere.com/docs/reasoning)."""
_UNSPOKEN: Final = ("effort", "image_config", "sensitive_word_check", "free_models_only", "no_reasoning")
_MOST_K: Final = 500


def _between(least: float, most: float) -> Callable[[float], float]:
    return lambda value: min(max(value, least), most)


def _if_positive(value: float) -> float | None:
    """Penalties go from 0 to 1; one below, a reward, has no word."""
    return None if value < 0 else min(value, 1.0)


def _if_counting(value: float) -> float | None:
    return None if value < 0 else value


_SAMPLING: Final[tuple[tuple[str, str, Callable[[float], float | None]], ...]] = (
    ("temperature", "temperature", _if_counting),
    ("top_p", "p", _between(0.01, 0.99)),
    ("top_k", "k", lambda value: None if value < 0 else min(value, _MOST_K)),
    ("frequency_penalty", "frequency_penalty", _if_positive),
    ("presence_penalty", "presence_penalty", _if_positive),
    ("seed", "seed", _if_counting),
)
"""Our field, theirs, and what becomes of its value (None: it has no place in their range, and is listed)."""


def build_request(chat: Chat, *, to: Deployment) -> tuple[HttpRequest, tuple[str, ...]]:
    """The request ready for the wire, and what was left out. Raises UpstreamError for what cannot be said."""
    request = chat.request
    dropped: dict[str, None] = {}
    body: Body = {"model": to.mapping.upstream}
    _tools(chat, body, dropped)
    body["messages"] = read_messages(chat, dropped=dropped)
    instruction = _instruction(chat, to)
    if instruction:
        body["messages"].insert(_behind_system(body["messages"]), {"role": "system", "content": instruction})
    if chat.streamed:
        body["stream"] = True
    if chat.output_limit is not None:
        body["max_tokens"] = chat.output_limit
    if request.stop:
        body["stop_sequences"] = [request.stop] if isinstance(request.stop, str) else request.stop
    _sampling(chat, to, body, dropped)
    if request.logprobs:
        body["logprobs"] = True
    if not instruction:
        _format(chat, body)
    _thinking(chat, body, dropped)
    _remainder(chat, to, body, dropped)
    head = to.head_stream if chat.streamed else to.head
    return HttpRequest(to.origin, head, msgspec.json.encode(body)), tuple(dropped)


def _tools(chat: Chat, body: Body, dropped: dict[str, None]) -> None:
    """A named tool is the only one left, and required; that any may be called is what no choice means."""
    request = chat.request
    given = request.tools or [Tool("function", function) for function in request.functions or ()]
    choice: Any = request.tool_choice if request.tool_choice is not None else request.function_call
    tools = [tool for tool in given if tool.function is not None]
    if len(tools) < len(given):
        dropped["tools[].type"] = None
    named = choice.function if isinstance(choice, NamedTool) else choice
    name = getattr(named, "name", None)
    if name is not None:
        tools = [tool for tool in tools if tool.function is not None and tool.function.name == name]
    if not tools:
        return
    functions = [tool.function for tool in tools if tool.function is not None]
    body["tools"] = [{"type": "function", "function": _function(function)} for function in functions]
    if all(function.strict for function in functions):
        body["strict_tools"] = True
    elif any(function.strict for function in functions):
        dropped["tools[].function.strict"] = None
    if any(tool.cache_control is not None for tool in tools):
        dropped["tools[].cache_control"] = None
    if name is not None or choice == "required":
        body["tool_choice"] = "REQUIRED"
    elif choice == "none":
        body["tool_choice"] = "NONE"


def _function(function: Function) -> Body:
    told: Body = {"name": function.name}
    if function.description is not None:
        told["description"] = function.description
    told["parameters"] = function.parameters or {"type": "object", "properties": {}}
    return told


def _instruction(chat: Chat, to: Deployment) -> str | None:
    shape = chat.request.response_format
    if shape is None or emulates(chat, to=to) is None:
        return None
    schema = shape.json_schema
    if schema is None or not schema.schema:
        return _JSON
    return _JSON_SCHEMA + msgspec.json.encode(schema.schema).decode()


def _behind_system(messages: list[Body]) -> int:
    return next((index for index, message in enumerate(messages) if message["role"] != "system"), len(messages))


def _format(chat: Chat, body: Body) -> None:
    shape = chat.request.response_format
    if shape is None or shape.type == "text":
        return
    body["response_format"] = told = {"type": "json_object"}
    if shape.json_schema is not None and shape.json_schema.schema:
        body["response_format"] = {**told, "json_schema": shape.json_schema.schema}


def _sampling(chat: Chat, to: Deployment, body: Body, dropped: dict[str, None]) -> None:
    plan = to.parameters
    for name, theirs, fitted in _SAMPLING:
        value: float | None = getattr(chat.request, name)
        if value is None:
            continue
        told = None if name in plan.listed else fitted(min(value, plan.clamp.get(name, value)))
        if told is None:
            dropped[name] = None
        else:
            body[theirs] = told


def _thinking(chat: Chat, body: Body, dropped: dict[str, None]) -> None:
    reasoning = chat.request.reasoning
    effort = chat.request.reasoning_effort or (reasoning.effort if reasoning is not None else None)
    budget = reasoning.max_tokens if reasoning is not None else None
    if reasoning is not None and reasoning.summary is not None:
        dropped["reasoning.summary"] = None
    enabled = reasoning.enabled if reasoning is not None and effort is None else None
    if budget is None and effort is None and enabled is None:
        return
    if budget is None and (effort == "none" or enabled is False):
        body["thinking"] = {"type": "disabled"}
        return
    tokens = budget or _BUDGETS.get(effort or "")
    limit = chat.output_limit
    if tokens is not None and budget is None and limit is not None:
        tokens = max(1, min(tokens, limit - 1))
    body["thinking"] = {"type": "enabled"} if tokens is None else {"type": "enabled", "token_budget": tokens}


def _remainder(chat: Chat, to: Deployment, body: Body, dropped: dict[str, None]) -> None:
    """Cohere's own fields as they are; those without a word here sent on for rows that say so, else listed."""
    plan = to.parameters
    for name, span in chat.raw.items():
        if name in NATIVE:
            body[name] = span
        elif name in VOCABULARY.fields or name in CONSUMED or bytes(span) == b"false":
            continue
        elif name in OURS:
            if name in _UNSPOKEN and getattr(chat.request, name):
                dropped[name] = None
        elif name in plan.takes or (plan.pass_unknown and name not in plan.listed):
            body[name] = span
        else:
            dropped[name] = None
    for name, text in plan.force.items():
        body[name] = Raw(text.encode())
