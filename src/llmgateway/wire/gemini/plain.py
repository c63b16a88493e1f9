"""Plain events: text for the one candidate, and figures, which is most of a stream.

Those that follow one another in a read are told together; only their text is encoded anew. An event that says, or may
say, anything more is read on its own, as is one that is not strictly what the API promises.
"""

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Struct

from llmgateway.domain.reply import Wire
from llmgateway.wire.gemini.usage import ReportedUsage
from llmgateway.wire.saying import said


class _Part(Struct, forbid_unknown_fields=True):
    text: str


class _Content(Struct):
    parts: Annotated[list[_Part], Meta(min_length=1)]


class _Nothing(Struct, forbid_unknown_fields=True):
    """An empty object."""


class _Candidate(Struct):
    """Every member that `answer.Candidate` reads is here: those nobody reads may be anything."""

    content: _Content
    index: Literal[0] | None = 0
    finishReason: None = None
    groundingMetadata: _Nothing | None = None
    citationMetadata: None = None
    logprobsResult: None = None


class _Event(Struct):
    """Id and model are told with what came before."""

    candidates: Annotated[list[_Candidate], Meta(min_length=1, max_length=1)]
    usageMetadata: ReportedUsage | None = None
    modelVersion: str | None = None
    responseId: str | None = None
    promptFeedback: None = None
    error: None = None


_DECODE: Final = msgspec.json.Decoder(_Event).decode
_OTHER: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def read_plain(payloads: list[bytes], *, begin: int) -> tuple[int, Wire | None, list[ReportedUsage]]:
    """How many events from `begin` on are plain, what they say (None: nothing), and the figures they report."""
    texts: list[str] = []
    reported: list[ReportedUsage] = []
    taken = 0
    try:
        for payload in payloads[begin:] if begin else payloads:
            if not payload.isascii():
                payload.decode()
            event = _DECODE(payload)
            taken += 1
            if event.usageMetadata is not None:
                reported.append(event.usageMetadata)
            parts = event.candidates[0].content.parts
            text = parts[0].text if len(parts) == 1 else "".join([part.text for part in parts])
            if text:
                texts.append(text)
    except _OTHER:
        pass
    return taken, said(texts), reported
