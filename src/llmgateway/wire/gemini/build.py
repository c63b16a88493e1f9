"""Builds a generateContent request from the typed view of a chat.

The body begins with what stays the same from turn to turn (instruction, tools), the conversation grows behind it, and
the config comes last, so that prompt caches that compare bytes find the longest prefix there is. JSON Schemas and
arguments go out as the caller wrote them.
"""

import re
from typing import Any, Final

import msgspec
from msgspec import Raw

from llmgateway.domain.chat import Chat
from llmgateway.domain.routing import Deployment, HttpRequest
from llmgateway.wire.gemini.config import generation_config
from llmgateway.wire.gemini.contents import Contents
from llmgateway.wire.gemini.families import family_of
from llmgateway.wire.gemini.parts import beside_of
from llmgateway.wire.gemini.tools import tool_config, tools_of
from llmgateway.wire.gemini.vocabulary import VOCABULARY, emulates
from llmgateway.wire.params import CONSUMED, breakpoints
from llmgateway.wire.spans import beneath, value_of

_SAFETY: Final = frozenset(("safetySettings", "safety_settings"))
_TREATED: Final = _SAFETY | {"onboarding", "plugins", "routing", "models"}
"""Fields that the gateway itself has acted on, or that are dealt with by name."""
_LABELS_QUIRK: Final = "labels"
_LABEL_NAME: Final = re.compile(r"[a-z][a-z0-9_-]{0,62}")
_LABEL: Final = re.compile(r"[a-z0-9_-]{0,63}")
_MOST_LABELS: Final = 64
"""https://docs.cloud.google.com/vertex-ai/generative-ai/docs/labels"""
_WHEN_TRUE: Final = frozenset(("free_models_only", "no_reasoning"))
_DEFAULT_TIERS: Final = frozenset(("auto", "default"))


def build_request(chat: Chat, *, to: Deployment) -> tuple[HttpRequest, tuple[str, ...]]:
    """The request ready for the wire, and the parameters that were left out. Raises UpstreamError."""
    family = family_of(to.mapping.upstream)
    contents = Contents(chat.messages, family=family, beside=beside_of(chat))
    dropped = [*_unsaid(chat, to), *breakpoints(chat)]
    instruction = instruction_of(chat, to=to)
    texts = [*contents.system, *([instruction] if instruction else [])]
    body: dict[str, Any] = {}
    if texts and family.system:
        body["systemInstruction"] = {"parts": [{"text": text} for text in texts]}
    elif texts:
        contents.items.insert(0, {"role": "user", "parts": [{"text": text} for text in texts]})
    tools = tools_of(chat, to=to, family=family, dropped=dropped)
    if tools:
        body["tools"] = tools
        config = tool_config(chat, family=family, dropped=dropped)
        if config:
            body["toolConfig"] = config
    body["contents"] = contents.items
    generation = generation_config(chat, to=to, family=family, dropped=dropped)
    if generation:
        body["generationConfig"] = generation
    _beside(chat, to, body)
    dropped += contents.dropped
    head = to.head_stream if chat.streamed else to.head
    return HttpRequest(to.origin, head, msgspec.json.encode(body)), tuple(dropped)


def instruction_of(chat: Chat, *, to: Deployment) -> str | None:
    """What a model is told that cannot be held to JSON."""
    shape = chat.request.response_format
    if shape is None or emulates(chat, to=to) is None:
        return None
    text = "Answer with one JSON object and nothing else: no explanation, no code fence."
    schema = shape.json_schema
    if schema is None:
        return text
    if schema.description is not None:
        text += f" It describes: {schema.description}"
    if schema.schema is not None:
        text += f" It must be valid against this JSON Schema: {msgspec.json.encode(schema.schema).decode()}"
    return text


def _unsaid(chat: Chat, to: Deployment) -> list[str]:
    """Fields of the caller that Google has no word for, or that the row leaves out."""
    request = chat.request
    dropped: list[str] = []
    for name in chat.raw:
        if name in to.parameters.listed:
            dropped.append(name)
        elif name in VOCABULARY.fields or name in CONSUMED or name in _TREATED or name in to.parameters.takes:
            continue
        elif name == "metadata" and _LABELS_QUIRK in to.provider.quirks:
            if not _are_labels(chat):
                dropped.append(name)
        elif name not in _WHEN_TRUE or getattr(request, name):
            dropped.append(name)
    return dropped


def _beside(chat: Chat, to: Deployment, body: dict[str, Any]) -> None:
    """The service tier, labels, fields of Google's own as the caller wrote them, and what the row always sends."""
    tier = chat.request.service_tier
    if tier is not None and tier not in _DEFAULT_TIERS and "service_tier" not in to.parameters.listed:
        body["serviceTier"] = tier
    for name in _SAFETY:
        if name in chat.raw:
            body["safetySettings"] = chat.raw[name]
    for name in chat.raw:
        if name in to.parameters.takes:
            body[name] = beneath(chat.raw[name], body[name]) if name in body else chat.raw[name]
    labelled = "metadata" in chat.raw and _LABELS_QUIRK in to.provider.quirks
    if labelled and "metadata" not in to.parameters.listed and _are_labels(chat):
        body.setdefault("labels", chat.raw["metadata"])
    for name, text in to.parameters.force.items():
        body[name] = Raw(text.encode())


def _are_labels(chat: Chat) -> bool:
    """Whether all of `metadata` fits what Google takes as labels."""
    labels = {name: value_of(span) for name, span in (chat.request.metadata or {}).items()}
    return len(labels) <= _MOST_LABELS and all(
        _LABEL_NAME.fullmatch(name) and isinstance(value, str) and _LABEL.fullmatch(value)
        for name, value in labels.items()
    )
