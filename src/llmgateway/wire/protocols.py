"""The wire protocols: how each is addressed, and what the wiring must know of it besides its codec.

Paths hold `{model}`, the upstream name of a mapping, percent-encoded. What a provider does differently is in its row.
"""

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final, cast

import msgspec

from llmgateway.domain.chat import Chat
from llmgateway.wire.openai_chat.vocabulary import VOCABULARY as OPENAI_CHAT
from llmgateway.wire.upstream import Upstream
from llmgateway.wire.vocabulary import Vocabulary

_FILES: Final = frozenset(("file",))
_ALL_MEDIA: Final = frozenset(("image_url", "file"))
_JSON: Final = frozenset(("json_object", "json_schema"))
_PACKAGES: Final = {
    "openai-chat": ("openai_chat", "OpenAIChat"),
    "openai-responses": ("openai_responses", "OpenAIResponses"),
    "anthropic": ("anthropic", "Anthropic"),
    "google": ("gemini", "Gemini"),
    "bedrock": ("bedrock", "Bedrock"),
    "cohere": ("cohere", "Cohere"),
}


class Dialect(msgspec.Struct, frozen=True, kw_only=True):
    """`path`, `stream_path` (empty: the same), `auth` and `headers` are those of providers that do nothing special.

    `tiers`: the service tiers that can be asked for, empty = any. `inline`: part types whose content must come with
    the request; others may be named by a URL. `named`: URLs that are sent on all the same, because only the provider
    can read them. `emulates`: capabilities that the codec makes up for where a model lacks them. `replays`: the format
    of reasoning_details that its codec plays back, for upstream names that `replayers` finds; `private`: only who made
    them can read them.
    """

    vocabulary: Vocabulary
    path: str
    stream_path: str = ""
    auth: str = "bearer"
    headers: dict[str, str] = {}
    tiers: frozenset[str] = frozenset()
    inline: frozenset[str] = _FILES
    named: str = ""
    emulates: frozenset[str] = frozenset()
    replays: str = ""
    replayers: str = ""
    private: bool = True


def _module(package: str, name: str) -> Any:
    """A module of a protocol's package, None where there is no such package yet."""
    parent = f"llmgateway.wire.{package}"
    if find_spec(parent) is None or find_spec(f"{parent}.{name}") is None:
        return None
    return import_module(f"{parent}.{name}")


def _vocabulary(package: str) -> Vocabulary:
    module = _module(package, "vocabulary")
    return OPENAI_CHAT if module is None else cast(Vocabulary, module.VOCABULARY)


PROTOCOLS: Final[dict[str, Dialect]] = {
    "openai-chat": Dialect(vocabulary=OPENAI_CHAT, path="/chat/completions"),
    "openai-responses": Dialect(
        vocabulary=_vocabulary("openai_responses"),
        path="/responses",
        inline=frozenset(),
        replays="openai-responses-v1",
    ),
    "anthropic": Dialect(
        vocabulary=_vocabulary("anthropic"),
        path="/messages",
        auth="header:x-api-key",
        headers={"anthropic-version": "2023-06-01"},
        tiers=frozenset(("auto", "default", "priority", "standard_only")),
        inline=frozenset(),
        emulates=_JSON,
        replays="anthropic-claude-v1",
        private=False,
    ),
    "google": Dialect(
        vocabulary=_vocabulary("gemini"),
        path="/models/{model}:generateContent",
        stream_path="/models/{model}:streamGenerateContent?alt=sse",
        auth="header:x-goog-api-key",
        inline=_ALL_MEDIA,
        named=r"gs://|https://(?:www\.)?youtube\.com/|https://youtu\.be/|https://generativelanguage\.googleapis\.com/",
        emulates=_JSON,
        replays="google-gemini-v1",
    ),
    "bedrock": Dialect(
        vocabulary=_vocabulary("bedrock"),
        path="/model/{model}/converse",
        stream_path="/model/{model}/converse-stream",
        inline=_ALL_MEDIA,
        named=r"s3://",
        emulates=_JSON,
        replays="anthropic-claude-v1",
        replayers=r"anthropic|claude",
        private=False,
    ),
    "cohere": Dialect(vocabulary=_vocabulary("cohere"), path="/chat", emulates=_JSON),
}


def codecs() -> dict[str, Upstream]:
    """A codec for every protocol there is one for."""
    made: dict[str, Upstream] = {}
    for protocol, (package, name) in _PACKAGES.items():
        module = _module(package, "upstream")
        if module is not None:
            made[protocol] = cast(Upstream, getattr(module, name)())
    return made


def emulations() -> dict[str, Callable[..., str | None]]:
    """By protocol: how its codec asks for a response format that it cannot hold the model to; see the codecs."""
    modules = {protocol: _module(package, "vocabulary") for protocol, (package, _) in _PACKAGES.items()}
    return {protocol: module.emulates for protocol, module in modules.items() if hasattr(module, "emulates")}


def _nothing(_: Chat, **__: bool) -> str | None:
    return None


_RESPONSES: Final = _module("openai_responses", "vocabulary")
prefers_responses: Final[Callable[..., str | None]] = getattr(_RESPONSES, "prefers_responses", _nothing)
"""JSON path of the first field of a chat that only OpenAI's responses protocol can honour, or None."""
chat_only: Final[Callable[[Chat], str | None]] = getattr(_RESPONSES, "chat_only", _nothing)
"""JSON path of the first field of a chat that only OpenAI's chat protocol carries, or None."""
