"""Reads a whole answer of an OpenAI-compatible provider: one JSON object, one chunk."""

from typing import Any, Final

import msgspec
from msgspec import Raw

from llmgateway.domain.reply import Chunk
from llmgateway.domain.routing import Deployment
from llmgateway.wire.openai_chat.choices import Choices
from llmgateway.wire.openai_chat.errors import in_band_error, unreadable
from llmgateway.wire.openai_chat.usage import read_usage
from llmgateway.wire.spans import is_null, text_of, value_of

_SPANS: Final = msgspec.json.Decoder(dict[str, Raw])
_CHOICES: Final = msgspec.json.Decoder(list[Any] | None)
_ENVELOPE: Final = frozenset(("id", "object", "created", "model", "choices", "usage", "error"))


def read_whole(body: bytes, *, to: Deployment, functions: bool = False, indexed: bool = False) -> Chunk:
    """The answer as one chunk whose deltas are whole messages.

    `indexed`: it will be told as a stream, so that list items need an index. Raises UpstreamError for an error inside
    a 200 and for anything that is not an answer.
    """
    try:
        top = _SPANS.decode(body.removeprefix(b"\xef\xbb\xbf"))
        choices = _CHOICES.decode(top["choices"]) if "choices" in top else None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise unreadable("a body that is not a JSON answer", to=to) from None
    error = top.get("error")
    if error is not None and not is_null(error):
        raise in_band_error(value_of(error), to=to)
    if choices is None:
        raise in_band_error({name: value_of(span) for name, span in top.items()}, to=to)
    reader = Choices(member="message", functions=functions, indexed=indexed)
    deltas = reader.read(choices)
    if reader.broken is not None:
        raise unreadable(f"finish reason {reader.broken!r}", to=to)
    extra = {n: v for n, v in top.items() if n not in _ENVELOPE and not is_null(v)} if len(top) > 6 else None
    return Chunk(
        deltas,
        id=text_of(top.get("id")),
        reported_model=text_of(top.get("model")),
        service_tier=text_of(top.get("service_tier")),
        usage=read_usage(top.get("usage")),
        extra=extra,
        done=True,
    )
