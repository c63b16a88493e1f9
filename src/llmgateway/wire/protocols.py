"""The wire protocols: how each is addressed, and what the wiring must know of it besides its codec.

Paths hold `{model}`, the upstream name of a mapping, percent-encoded. What a provider does differently is in its row.
"""

from typing import Final

import msgspec

from llmgateway.wire.openai_chat.vocabulary import VOCABULARY as OPENAI_CHAT
from llmgateway.wire.vocabulary import Vocabulary

_NAMED_IMAGES: Final = frozenset(("file",))
_NOTHING_NAMED: Final = frozenset(("image_url", "file"))


class Dialect(msgspec.Struct, frozen=True, kw_only=True):
    """`path`, `stream_path` (empty: the same), `auth` and `headers` are those of providers that do nothing special.

    `inline`: part types whose content must come with the request; others may be named by a URL. `named`: URLs that
    are sent on all the same, because only the provider can read them. `replays`: the format of reasoning_details that
    its codec plays back, for upstream names that `replayers` finds; `private`: only who made them can read them.
    """

    vocabulary: Vocabulary
    path: str
    stream_path: str = ""
    auth: str = "bearer"
    headers: dict[str, str] = {}
    inline: frozenset[str] = _NAMED_IMAGES
    named: str = ""
    replays: str = ""
    replayers: str = ""
    private: bool = True


PROTOCOLS: Final[dict[str, Dialect]] = {
    "openai-chat": Dialect(vocabulary=OPENAI_CHAT, path="/chat/completions"),
    "openai-responses": Dialect(
        vocabulary=OPENAI_CHAT, path="/responses", inline=frozenset(), replays="openai-responses-v1"
    ),
    "anthropic": Dialect(
        vocabulary=OPENAI_CHAT,
        path="/messages",
        auth="header:x-api-key",
        headers={"anthropic-version": "2023-06-01"},
        inline=frozenset(),
        replays="anthropic-claude-v1",
        private=False,
    ),
    "google": Dialect(
        vocabulary=OPENAI_CHAT,
        path="/models/{model}:generateContent",
        stream_path="/models/{model}:streamGenerateContent?alt=sse",
        auth="header:x-goog-api-key",
        inline=_NOTHING_NAMED,
        named=r"gs://|https://(?:www\.)?youtube\.com/|https://youtu\.be/|https://generativelanguage\.googleapis\.com/",
        replays="google-gemini-v1",
    ),
    "bedrock": Dialect(
        vocabulary=OPENAI_CHAT,
        path="/model/{model}/converse",
        stream_path="/model/{model}/converse-stream",
        inline=_NOTHING_NAMED,
        named=r"s3://",
        replays="anthropic-claude-v1",
        replayers=r"anthropic|claude",
        private=False,
    ),
    "cohere": Dialect(vocabulary=OPENAI_CHAT, path="/chat"),
}
