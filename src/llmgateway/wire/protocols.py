"""The wire protocols: how each is addressed, and what the wiring must know of it besides its codec.

Paths hold `{model}`, the upstream name of a mapping, percent-encoded. What a provider does differently is in its row.
"""

from typing import Final

import msgspec

from llmgateway.wire.anthropic import vocabulary as anthropic
from llmgateway.wire.anthropic.upstream import Anthropic
from llmgateway.wire.bedrock import vocabulary as bedrock
from llmgateway.wire.bedrock.upstream import Bedrock
from llmgateway.wire.cohere import vocabulary as cohere
from llmgateway.wire.cohere.upstream import Cohere
from llmgateway.wire.gemini import vocabulary as gemini
from llmgateway.wire.gemini.upstream import Gemini
from llmgateway.wire.openai_chat import vocabulary as openai_chat
from llmgateway.wire.openai_chat.upstream import OpenAIChat
from llmgateway.wire.openai_responses import vocabulary as openai_responses
from llmgateway.wire.openai_responses.upstream import OpenAIResponses
from llmgateway.wire.upstream import Upstream
from llmgateway.wire.vocabulary import Vocabulary

_FILES: Final = frozenset(("file",))
_ALL_MEDIA: Final = frozenset(("image_url", "file"))
_JSON: Final = frozenset(("json_object", "json_schema"))


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


PROTOCOLS: Final[dict[str, Dialect]] = {
    "openai-chat": Dialect(vocabulary=openai_chat.VOCABULARY, path="/chat/completions", emulates=_JSON),
    "openai-responses": Dialect(
        vocabulary=openai_responses.VOCABULARY,
        path="/responses",
        inline=frozenset(),
        replays="openai-responses-v1",
    ),
    "anthropic": Dialect(
        vocabulary=anthropic.VOCABULARY,
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
        vocabulary=gemini.VOCABULARY,
        path="/models/{model}:generateContent",
        stream_path="/models/{model}:streamGenerateContent?alt=sse",
        auth="header:x-goog-api-key",
        inline=_ALL_MEDIA,
        named=r"gs://|https://(?:\w+\.)?youtube\.com/|https://youtu\.be/|https://generativelanguage\.googleapis\.com/",
        emulates=_JSON,
        replays="google-gemini-v1",
    ),
    "bedrock": Dialect(
        vocabulary=bedrock.VOCABULARY,
        path="/model/{model}/converse",
        stream_path="/model/{model}/converse-stream",
        inline=_ALL_MEDIA,
        named=r"s3://",
        emulates=_JSON,
        replays="anthropic-claude-v1",
        replayers=r"anthropic|claude",
        private=False,
    ),
    "cohere": Dialect(vocabulary=cohere.VOCABULARY, path="/chat", emulates=_JSON),
}


def codecs() -> dict[str, Upstream]:
    """A codec for every protocol."""
    return {
        "openai-chat": OpenAIChat(),
        "openai-responses": OpenAIResponses(),
        "anthropic": Anthropic(),
        "google": Gemini(),
        "bedrock": Bedrock(),
        "cohere": Cohere(),
    }
