"""Builds a messages request.

Tools, system and turns come first, since they are the prefix that caches compare: the same request gives the same
bytes, and a conversation's next turn only adds to them. Every field of the caller's is translated, named among the
dropped, or the default that the protocol has anyway.
"""

import re
from typing import Any, Final

import msgspec
from msgspec import Raw

from llmgateway.domain.chat import Chat
from llmgateway.domain.routing import Deployment, HttpRequest
from llmgateway.wire.anthropic.betas import beta_line
from llmgateway.wire.anthropic.cache import with_breakpoints
from llmgateway.wire.anthropic.models import Dialect, dialect_of
from llmgateway.wire.anthropic.parts import text_block
from llmgateway.wire.anthropic.schema import constrained
from llmgateway.wire.anthropic.thinking import Thinking, thinking_for
from llmgateway.wire.anthropic.tools import toolbox
from llmgateway.wire.anthropic.turns import conversation, in_unsigned_loop
from llmgateway.wire.anthropic.vocabulary import VOCABULARY, emulates
from llmgateway.wire.params import CONSUMED
from llmgateway.wire.spans import beneath

Body = dict[str, Any]

_VERTEX: Final = "vertex-2023-10-16"
_NATIVE: Final = frozenset((
    "thinking", "output_config", "container", "context_management", "mcp_servers", "inference_geo", "cache_control",
    "compaction", "fallbacks", "speed",
))  # fmt: skip
"""Fields of this protocol that ours has no word for; sent on by rows that take unknown fields."""
_SILENT: Final = frozenset((
    "stream_options", "routing", "models", "plugins", "onboarding", "free_models_only", "no_reasoning",
))  # fmt: skip
"""The gateway's own, or none of an answer's business."""
_TIERS: Final = {"auto": "auto", "default": "standard_only", "standard_only": "standard_only", "priority": "auto"}
_PERSONAL: Final = re.compile(r"@|^\+?[\d\s().-]{7,}$")
_LONGEST_USER: Final = 256
_LEAST_TOP_P: Final = 0.95
_JSON_ONLY: Final = "Answer with one JSON object and nothing else: no other words, no code fence."
_BY_SCHEMA: Final = (
    "Answer with JSON that is valid by the following JSON Schema, and with nothing else: no other words, no code fence."
)


def build_request(chat: Chat, *, to: Deployment) -> tuple[HttpRequest, tuple[str, ...]]:
    """The request ready for the wire, and the paths of what was left out. Raises UpstreamError (see thinking)."""
    dialect = dialect_of(to)
    quirks = to.provider.quirks
    made_up = emulates(chat, to=to)
    said = conversation(chat, system_turns=dialect.system_turns)
    dropped = said.dropped
    tools = toolbox(chat, dialect=dialect, turns=said.turns, answers_by_tool=made_up == "tool", dropped=dropped)
    max_tokens = chat.output_limit or dialect.max_output
    barred = tools.forced or said.turns[-1]["role"] == "assistant" or in_unsigned_loop(said.turns)
    thinking = thinking_for(chat, dialect=dialect, max_tokens=max_tokens, barred=barred, dropped=dropped)
    system = said.system
    if made_up == "instruction":
        system.append(text_block(_instruction(chat)))
    prefix = (tools.tools, system, said.turns)
    if "prompt_cache:auto" in quirks:
        prefix = with_breakpoints(*prefix, minimum=dialect.cache_minimum)
    body: Body = {} if "vertex" in quirks else {"model": to.mapping.upstream}
    body |= {name: blocks for name, blocks in zip(("tools", "system", "messages"), prefix, strict=True) if blocks}
    body["max_tokens"] = max_tokens
    if chat.streamed:
        body["stream"] = True
    if "vertex" in quirks:
        body["anthropic_version"] = _VERTEX
    if tools.choice is not None:
        body["tool_choice"] = tools.choice
    _reason(chat, body, thinking, made_up)
    _sample(chat, body, to, dialect, thinking=thinking, dropped=dropped)
    _identify(chat, body, to, dropped)
    _rest(chat, body, to, dropped)
    head = (to.head_stream if chat.streamed else to.head) + beta_line(chat, to.parameters, dropped=dropped)
    return HttpRequest(to.origin, head, msgspec.json.encode(body)), tuple(dropped)


def _instruction(chat: Chat) -> str:
    shape = chat.request.response_format
    schema = shape.json_schema if shape is not None else None
    if schema is None or schema.schema is None:
        return _JSON_ONLY
    told = f" {schema.description}" if schema.description else ""
    return f"{_BY_SCHEMA}{told}\n{msgspec.json.encode(schema.schema).decode()}"


def _reason(chat: Chat, body: Body, thinking: Thinking, made_up: str | None) -> None:
    if thinking.config is not None:
        body["thinking"] = thinking.config
    output: Body = {}
    if thinking.effort is not None:
        output["effort"] = thinking.effort
    shape = chat.request.response_format
    if shape is not None and shape.json_schema is not None and shape.type == "json_schema" and made_up is None:
        schema = shape.json_schema.schema
        output["format"] = {"type": "json_schema", "schema": constrained(schema) if schema is not None else None}
    if output:
        body["output_config"] = output


def _sample(
    chat: Chat, body: Body, to: Deployment, dialect: Dialect, *, thinking: Thinking, dropped: dict[str, None]
) -> None:
    """Thinking wants temperature 1, a top_p of 0.95 or more and no top_k
    (platform.claude.com/docs/en/build-with-claude/thinking); newer models take one of temperature and top_p, the newest
    neither. A value that is the default anyway is none.
    """
    request, plan = chat.request, to.parameters
    stops = [request.stop] if isinstance(request.stop, str) else request.stop or []
    if any(stops):
        body["stop_sequences"] = [stop for stop in stops if stop]
    for name in ("temperature", "top_p", "top_k"):
        value: float | None = getattr(request, name)
        if value is None or (name == "top_k" and value < 1):
            continue
        if name != "top_k":
            value = min(value, plan.clamp.get(name, 1))
        second = name == "top_p" and dialect.one_sampler and "temperature" in body
        barred = not dialect.sampling or second or (thinking.on and _spoils_thinking(name, value))
        if name in plan.listed or (barred and (value != 1 or name == "top_k")):
            dropped[name] = None
        elif not barred:
            body[name] = int(value) if value == int(value) else value


def _spoils_thinking(name: str, value: float) -> bool:
    return name == "top_k" or value < (1 if name == "temperature" else _LEAST_TOP_P)


def _identify(chat: Chat, body: Body, to: Deployment, dropped: dict[str, None]) -> None:
    """Whom the request is for, and which tier is to serve it. The API refuses ids that look like a person's."""
    request = chat.request
    named = {"safety_identifier": request.safety_identifier, "user": request.user, "metadata": _user_id(chat)}
    for name, value in named.items():
        if value is None or body.get("metadata") == {"user_id": value}:
            continue
        fit = len(value) <= _LONGEST_USER and not _PERSONAL.search(value) and name not in to.parameters.listed
        if fit and "metadata" not in body:
            body["metadata"] = {"user_id": value}
        else:
            dropped[name] = None
    if request.metadata and (named["metadata"] is None or len(request.metadata) > 1):
        dropped["metadata"] = None
    tier = _TIERS.get(request.service_tier or "")
    if tier is not None and "vertex" not in to.provider.quirks and "service_tier" not in to.parameters.listed:
        body["service_tier"] = tier
    elif request.service_tier is not None:
        dropped["service_tier"] = None


def _user_id(chat: Chat) -> str | None:
    span = (chat.request.metadata or {}).get("user_id")
    value = msgspec.json.decode(span) if span is not None else None
    return value if isinstance(value, str) else None


def _rest(chat: Chat, body: Body, to: Deployment, dropped: dict[str, None]) -> None:
    """Fields that the protocol has no word for, and what the row always sends."""
    request, plan = chat.request, to.parameters
    for name, span in chat.raw.items():
        if name in plan.force:
            dropped[name] = None
        if name in VOCABULARY.fields or name in CONSUMED or name in _SILENT:
            continue
        if name == "betas" and name in plan.takes:
            continue  # a header
        if name in plan.takes or (name in _NATIVE and plan.pass_unknown):
            body[name] = beneath(span, body[name]) if name in body else span
        elif not _is_default(name, span):
            dropped[name] = None
    dropped.update({name: None for name in ("free_models_only", "no_reasoning") if getattr(request, name)})
    if request.reasoning is not None and request.reasoning.summary is not None and "thinking" not in body:
        dropped["reasoning.summary"] = None
    for name, text in plan.force.items():
        body[name] = Raw(text.encode())


def _is_default(name: str, span: Raw) -> bool:
    """Fields that say what is so anyway."""
    return _DEFAULTS.get(name) == bytes(span).replace(b" ", b"")


_DEFAULTS: Final = {
    "n": b"1",
    "logprobs": b"false",
    "top_logprobs": b"0",
    "logit_bias": b"{}",
    "modalities": b'["text"]',
}
