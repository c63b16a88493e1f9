"""The codecs under fuzz, found by where they live, so that each joins as it lands; and the bytes they start from.

Bytes are recorded ones where the folder of recordings is there, and small ones written here, one or two of each kind a
protocol has, so that the fuzz never depends on the folder.
"""

import base64
import functools
import importlib
import importlib.util
import json
import lzma
import re
from dataclasses import dataclass
from typing import Any

from llmgateway.domain.chat import Chat
from llmgateway.domain.routing import Credential, Deployment, Mapping, Origin, Provider
from llmgateway.wire.openai_chat.request import read_request
from llmgateway.wire.params import compile_parameters
from llmgateway.wire.upstream import Upstream
from tests.fuzz import written
from tests.support.corpus import RECORDED

LONGEST = 12_000
_MOST_RECORDED = 120


@dataclass(frozen=True)
class Subject:
    """One protocol. `path`: of recordings that speak it; `streams`, `wholes`: bytes written here; `quirks`: of rows."""

    protocol: str
    module: str
    name: str
    path: str
    streams: tuple[bytes, ...]
    wholes: tuple[bytes, ...]
    framed: bool = False
    quirks: tuple[str, ...] = ()

    def __str__(self) -> str:
        return "-".join((self.protocol, *self.quirks))


def codec_of(subject: Subject) -> Upstream:
    return getattr(importlib.import_module(subject.module), subject.name)()


def deployment_of(subject: Subject) -> Deployment:
    provider = Provider(
        id="fuzzed",
        protocol=subject.protocol,  # type: ignore[arg-type]  # one of the protocols
        clean=not subject.quirks,
        unknown_fields="pass",
        quirks=subject.quirks,
    )
    mapping = Mapping(provider="fuzzed", model="m", upstream="m", has=frozenset(("reasoning", "tools")))
    return Deployment(
        provider=provider,
        mapping=mapping,
        credential=Credential(provider="fuzzed", secret="secret-of-the-provider", fingerprint="f"),
        region=None,
        origin=Origin("https", "h.test", 443),
        head=b"",
        head_stream=b"",
        used_model="fuzzed/m",
        parameters=compile_parameters(provider, mapping),
        protocol=subject.protocol,
    )


TOOLS = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]
SHAPE = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}}
ASKED: dict[str, dict[str, Any]] = {
    "plain": {},
    "tools": {"tools": TOOLS},
    "functions": {"functions": [{"name": "f"}]},
    "schema": {"response_format": SHAPE},
    "reasoning": {"reasoning": {"effort": "low"}, "web_search": True},
}


@functools.cache
def chat(kind: str, *, streamed: bool) -> Chat:
    body = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], "stream": streamed, **ASKED[kind]}
    return read_request(json.dumps(body).encode())


_PACKAGE = "llmgateway.wire."
_ALL = (
    Subject("openai-chat", _PACKAGE + "openai_chat.upstream", "OpenAIChat", r"/chat/completions$",
            written.CHAT_STREAMS, written.CHAT_WHOLES),
    Subject("openai-chat", _PACKAGE + "openai_chat.upstream", "OpenAIChat", r"/chat/completions$",
            written.CHAT_STREAMS, written.CHAT_WHOLES, quirks=("citations", "think_open")),
    Subject("anthropic", _PACKAGE + "anthropic.upstream", "Anthropic", r"/messages$|:(stream)?[rR]awPredict$",
            written.ANTHROPIC_STREAMS, written.ANTHROPIC_WHOLES),
    Subject("google", _PACKAGE + "gemini.upstream", "Gemini", r":(stream)?[gG]enerateContent$",
            written.GOOGLE_STREAMS, written.GOOGLE_WHOLES),
    Subject("openai-responses", _PACKAGE + "openai_responses.upstream", "OpenAIResponses", r"/responses$",
            written.RESPONSES_STREAMS, written.RESPONSES_WHOLES),
    Subject("bedrock", _PACKAGE + "bedrock.upstream", "Bedrock", r"/converse(-stream)?$",
            written.BEDROCK_STREAMS, written.BEDROCK_WHOLES, framed=True),
    Subject("cohere", _PACKAGE + "cohere.upstream", "Cohere", r"/v2/chat$",
            written.COHERE_STREAMS, written.COHERE_WHOLES),
)  # fmt: skip


def _landed(subject: Subject) -> bool:
    package = subject.module.rpartition(".")[0]
    return importlib.util.find_spec(package) is not None and importlib.util.find_spec(subject.module) is not None


SUBJECTS = tuple(subject for subject in _ALL if _landed(subject))
"""The codecs that are here."""


@functools.cache
def recorded(path: str, *, streamed: bool) -> tuple[bytes, ...]:
    """Short recorded answers of a protocol, frames as they were; none where the folder is missing."""
    return tuple(body for where, streams, body in _answers() if streams is streamed and re.search(path, where))[
        :_MOST_RECORDED
    ]


@functools.cache
def _answers() -> tuple[tuple[str, bool, bytes], ...]:
    if not RECORDED.exists():
        return ()
    found: list[tuple[str, bool, bytes]] = []
    with lzma.open(RECORDED, "rt", encoding="utf-8") as lines:
        for line in lines:
            record = json.loads(line)
            body = record["response_body"].encode("utf-8", "surrogatepass")
            if record.get("response_body_b64"):
                body = base64.b64decode(record["response_body_b64"])
            if record["status"] == 200 and 0 < len(body) <= LONGEST:
                found.append((record["endpoint"].partition("?")[0], record["stream"], body))
    return tuple(found)


def seeds(subject: Subject, *, streamed: bool) -> tuple[bytes, ...]:
    own = subject.streams if streamed else subject.wholes
    return (*own, *recorded(subject.path, streamed=streamed))
