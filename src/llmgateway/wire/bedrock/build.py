"""Builds converse requests out of their parts.

What stays the same from turn to turn stands first and in one order, so that a prompt cache sees the same prefix.
"""

import re
from typing import Any, Final

import msgspec
from msgspec import Raw

from llmgateway.domain.chat import Chat
from llmgateway.domain.routing import Deployment, HttpRequest
from llmgateway.wire.bedrock.conversation import Conversation
from llmgateway.wire.bedrock.family import Family, family_of
from llmgateway.wire.bedrock.thinking import Reasoned, reasoning_fields
from llmgateway.wire.bedrock.tools import QUIET, ToolPlan, forced_schema, plan_tools, schema_text, single_call
from llmgateway.wire.bedrock.vocabulary import NATIVE, VOCABULARY, emulates, held_to
from llmgateway.wire.params import CONSUMED, OURS
from llmgateway.wire.spans import value_of

_JSON: Final = "Answer with a single JSON object and nothing else: no explanation, no code fence."
_JSON_SCHEMA: Final = (
    "Answer with a single JSON value and nothing else: no explanation, no code fence. "
    "It must be valid against this JSON Schema: "
)
_METADATA: Final = re.compile(r"[a-zA-Z0-9\s:_@$#=/+,.\-]{0,256}")
_MOST_METADATA: Final = 16
_HOTTEST: Final = 1.0
_UNSPOKEN: Final = ("image_config", "sensitive_word_check", "free_models_only", "no_reasoning")
_CLAUDE_TOP_P: Final = 0.95
"""What thinking leaves of top_p: 0.95 to 1 (docs.aws.amazon.com/bedrock: extended thinking)."""


def build_request(chat: Chat, *, to: Deployment) -> tuple[HttpRequest, tuple[str, ...]]:
    """The request ready for the wire, and what was left out. Raises UpstreamError for what cannot be said."""
    family = family_of(to)
    conversation = Conversation(chat, family=family)
    emulation = emulates(chat, to=to)
    shape = chat.request.response_format
    if emulation == "tool" and shape is not None and shape.json_schema is not None:
        tools = forced_schema(shape.json_schema)
    else:
        tools = plan_tools(chat, conversation, family=family)
    reasoned = reasoning_fields(chat, to=to, family=family, forced=tools.forced)
    dropped = dict.fromkeys((*conversation.dropped, *reasoned.dropped))
    body: dict[str, Any] = {}
    system = conversation.system + _instructions(chat, tools, emulation)
    if system and family.system:
        body["system"] = system
    elif system:
        conversation.messages[0]["content"][:0] = system
    if tools.config is not None:
        body["toolConfig"] = tools.config
    body["messages"] = conversation.messages
    inference = _inference(chat, to, family, reasoned, dropped)
    if inference:
        body["inferenceConfig"] = inference
    for name in NATIVE:
        if name in chat.raw:
            body[name] = chat.raw[name]
    additional = _additional(chat, to, family, reasoned, tools, dropped)
    if additional:
        body["additionalModelRequestFields"] = {**additional, **_own_fields(chat)}
    _options(chat, family, emulation, body, dropped)
    _remainder(chat, to, body, dropped)
    head = to.head_stream if chat.streamed else to.head
    return HttpRequest(to.origin, head, msgspec.json.encode(body)), tuple(dropped)


def _instructions(chat: Chat, tools: ToolPlan, emulation: str | None) -> list[dict[str, Any]]:
    """They stand behind the caller's own prompt, so that its cached prefix stays what it is."""
    texts = [QUIET] if tools.quiet else []
    shape = chat.request.response_format
    if emulation == "instruction" and shape is not None:
        schema = shape.json_schema
        texts.append(_JSON_SCHEMA + schema_text(schema) if schema is not None and schema.schema else _JSON)
    return [{"text": text} for text in texts]


def _inference(
    chat: Chat, to: Deployment, family: Family, reasoned: Reasoned, dropped: dict[str, None]
) -> dict[str, Any]:
    request, plan = chat.request, to.parameters
    inference: dict[str, Any] = {}
    limit = chat.output_limit
    if limit is not None:
        inference["maxTokens"] = limit
    for name, theirs in (("temperature", "temperature"), ("top_p", "topP")):
        value: float | None = getattr(request, name)
        if value is None:
            continue
        value = min(value, plan.clamp.get(name, _HOTTEST), _HOTTEST)
        second = name == "top_p" and family.one_sampler and "temperature" in inference
        if name in plan.listed or second or _unwelcome(name, value, family, reasoned):
            dropped[name] = None
        elif family.sampling:
            inference[theirs] = value
    if request.stop:
        inference["stopSequences"] = [request.stop] if isinstance(request.stop, str) else request.stop
    return inference


def _unwelcome(name: str, value: float, family: Family, reasoned: Reasoned) -> bool:
    """Claude takes none but the default since 4.7; while it thinks, the temperature is 1, and top_p not far from it."""
    if _high_nova(reasoned):
        return True
    if not family.sampling or (reasoned.on and name == "temperature"):
        return value != _HOTTEST
    return reasoned.on and value < _CLAUDE_TOP_P


def _high_nova(reasoned: Reasoned) -> bool:
    return reasoned.fields.get("reasoningConfig", {}).get("maxReasoningEffort") == "high"


def _additional(
    chat: Chat, to: Deployment, family: Family, reasoned: Reasoned, tools: ToolPlan, dropped: dict[str, None]
) -> dict[str, Any]:
    """What the vendor's own request has and the common one lacks."""
    fields = dict(reasoned.fields)
    request = chat.request
    if request.effort is not None:
        if request.effort in family.efforts:
            fields.setdefault("output_config", {"effort": request.effort})
        else:
            dropped["effort"] = None
    top_k = request.top_k
    if top_k is not None and top_k >= 0:
        if "top_k" in to.parameters.listed or reasoned.on or not family.sampling or _high_nova(reasoned):
            dropped["top_k"] = None
        elif family.vendor == "claude":
            fields["top_k"] = top_k
        elif family.vendor == "nova":
            fields["inferenceConfig"] = {"topK": top_k}
        else:
            dropped["top_k"] = None
    if tools.single and tools.config is not None:
        fields.update(single_call(tools.config))
    return fields


def _own_fields(chat: Chat) -> dict[str, Any]:
    own = value_of(chat.raw["additionalModelRequestFields"]) if "additionalModelRequestFields" in chat.raw else None
    return own if isinstance(own, dict) else {}  # pyright: ignore[reportUnknownVariableType]  # JSON of a caller


def _options(chat: Chat, family: Family, emulation: str | None, body: dict[str, Any], dropped: dict[str, None]) -> None:
    request = chat.request
    shape = request.response_format
    if shape is not None and shape.type == "json_schema" and emulation is None and shape.json_schema is not None:
        schema = shape.json_schema
        held = held_to(schema.schema or {}, family=family) or b"{}"
        told: dict[str, Any] = {"schema": bytes(held).decode(), "name": schema.name}
        if schema.description:
            told["description"] = schema.description
        body["outputConfig"] = {"textFormat": {"type": "json_schema", "structure": {"jsonSchema": told}}}
    if request.service_tier not in (None, "auto"):
        body["serviceTier"] = {"type": request.service_tier}
    if request.metadata:
        labels = {name: value_of(span) for name, span in request.metadata.items()}
        if len(labels) <= _MOST_METADATA and all(map(_is_label, labels, labels.values())):
            body["requestMetadata"] = labels
        else:
            dropped["metadata"] = None


def _is_label(name: str, value: Any) -> bool:
    return (
        bool(name)
        and isinstance(value, str)
        and _METADATA.fullmatch(name) is not None
        and _METADATA.fullmatch(value) is not None
    )


def _remainder(chat: Chat, to: Deployment, body: dict[str, Any], dropped: dict[str, None]) -> None:
    """Fields without a word here: sent on for rows that say so, else listed."""
    plan = to.parameters
    if chat.request.reasoning is not None and chat.request.reasoning.summary is not None:
        dropped["reasoning.summary"] = None
    for name, span in chat.raw.items():
        if name in VOCABULARY.fields or name in CONSUMED or bytes(span) == b"false":
            continue
        if name in OURS:
            if name in _UNSPOKEN and getattr(chat.request, name):
                dropped[name] = None
        elif name in plan.takes or (plan.pass_unknown and name not in plan.listed):
            body[name] = span
        else:
            dropped[name] = None
    for name, text in plan.force.items():
        body[name] = Raw(text.encode())
