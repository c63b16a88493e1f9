"""Plain text put into the words of our own answers, as lanes that read nothing but text hand it on."""

from collections.abc import Sequence
from typing import Final

import msgspec

from llmgateway.domain.reply import Wire

_ENCODE: Final = msgspec.json.Encoder().encode
BEFORE: Final = b'[{"index":0,"delta":{"content":'
AFTER: Final = b'},"logprobs":null,"finish_reason":null}]}'
_TAIL: Final = BEFORE + b"%b" + AFTER
_CHOICE: Final = (
    b'{"index":0,"message":{"role":"assistant","content":%b,"refusal":null},"logprobs":null,"finish_reason":"%b"}'
)


def said(texts: Sequence[str]) -> Wire | None:
    """An event of choice 0 for each text; None for nothing said."""
    return Wire([_TAIL % _ENCODE(text) for text in texts], sum(map(len, texts))) if texts else None


def said_alone(text: str) -> Wire | None:
    """The same of one text, as it comes at the pace of a model: without the lists of a run."""
    return Wire([_TAIL % _ENCODE(text)], len(text)) if text else None


def said_whole(text: str, finish_reason: str) -> Wire:
    """A whole answer that is this text."""
    return Wire([_CHOICE % (_ENCODE(text), finish_reason.encode())], len(text), finish_reason)
