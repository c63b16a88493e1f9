"""Which recorded exchanges are chats, and in which protocol; what the others are, each with its reason.

A chat is a request that the gateway itself would send for a chat completion: one POST, by its path. Everything else a
provider offers (embeddings, files, batches, stored objects, older APIs that nothing here speaks) is no chat.
"""

import functools
import re
import tomllib
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tests.support.corpus import Recording, recordings, speaks_chat

PROTOCOLS = ("openai-chat", "openai-responses", "anthropic", "google", "bedrock", "cohere")
DAMAGED = Path(__file__).with_name("damaged.toml")

_CHATS = (
    ("openai-responses", re.compile(r"/responses$")),
    ("anthropic", re.compile(r"/v1/messages$|/publishers/anthropic/models/[^/]+:(?:rawPredict|streamRawPredict)$")),
    ("google", re.compile(r":(?:generateContent|streamGenerateContent)$")),
    ("bedrock", re.compile(r"/model/[^/]+/converse(?:-stream)?$")),
    ("cohere", re.compile(r"/v2/chat$")),
)

_OTHERS = (
    ("stored objects of the responses API (read, compacted, counted)", re.compile(r"/responses/[^/]+$")),
    ("embeddings", re.compile(r"[Ee]mbed|invoke.*embed|^/v1/embeddings")),
    ("reranking", re.compile(r"/rerank$")),
    ("token counts", re.compile(r"count.?tokens?$|:countTokens$", re.IGNORECASE)),
    ("batches", re.compile(r"/batches")),
    ("files and vector stores", re.compile(r"/files|/vector_stores|fileSearchStores|cachedContents")),
    ("assistants, threads and conversations", re.compile(r"/(?:assistants|threads|conversations)")),
    ("images, audio, predictions", re.compile(r"/(?:images|audio|ocr|predictions)|/models/stability|:predict$")),
    ("moderations", re.compile(r"/moderations$")),
    ("bedrock invoke (the gateway speaks converse)", re.compile(r"/invoke(?:-with-response-stream)?$")),
    ("older completions", re.compile(r"/v1/(?:completions|complete|generate)$|/generation/text")),
    ("cohere's v1 chat, ollama's own API", re.compile(r"/v1/chat$|/api/(?:chat|generate)$")),
    ("google's interactions", re.compile(r"/interactions$")),
    ("hugging face text generation", re.compile(r"^/models/[^/]+/[^/]+$")),
    ("lists of models and other descriptions", re.compile(r"/models|_specs|/instances/")),
)


def protocol_of(recording: Recording) -> str | None:
    """None for what is no chat."""
    if recording.method != "POST":
        return None
    for protocol, path in _CHATS:
        if path.search(recording.path):
            return protocol
    return "openai-chat" if speaks_chat(recording) else None


def reason_of(recording: Recording) -> str:
    """Why an exchange is no chat."""
    for reason, path in _OTHERS:
        if path.search(recording.path):
            return reason
    return f"unknown: {recording.method} {recording.path}"


@functools.cache
def chats_of(protocol: str) -> tuple[Recording, ...]:
    """Every chat of one protocol whose recorder did not damage it."""
    return tuple(one for one in recordings() if one.id not in damaged() and protocol_of(one) == protocol)


def left_out() -> Counter[str]:
    """How many recordings are no chats, by reason."""
    return Counter(reason_of(one) for one in recordings() if protocol_of(one) is None)


@functools.cache
def damaged() -> Mapping[str, dict[str, Any]]:
    """Recordings that their recorder damaged: id → source, reason and evidence."""
    return MappingProxyType(tomllib.loads(DAMAGED.read_text(encoding="utf-8")).get("damaged", {}))
