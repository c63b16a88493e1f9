"""The answer as it stands on the wire: one `GenerateContentResponse`, whole or an event of a stream.

Typed is only what is told to the caller or must come back on the next turn; what cannot be told stays a raw span.
Every member may be missing, and null counts as missing.
"""

from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from llmgateway.wire.gemini.usage import ReportedUsage
from llmgateway.wire.spans import NULL, is_null, without_lone_surrogates


class FunctionCall(Struct):
    name: str | None = None
    id: str | None = None
    args: Raw = NULL


class Blob(Struct):
    mimeType: str | None = None
    data: str | None = None


class Part(Struct):
    """One member says what it is; the raw ones are what Google's own tools did, opaque to everyone else."""

    text: str | None = None
    thought: bool | None = None
    thoughtSignature: str | None = None
    functionCall: FunctionCall | None = None
    inlineData: Blob | None = None
    executableCode: Raw = NULL
    codeExecutionResult: Raw = NULL
    toolCall: Raw = NULL
    toolResponse: Raw = NULL


class Content(Struct):
    parts: list[Part] | None = None


class Candidate(Struct):
    """`finishReason` is a number for clients that ask for enumerations so."""

    content: Content | None = None
    index: int | None = None
    finishReason: str | int | None = None
    groundingMetadata: Raw = NULL
    citationMetadata: Raw = NULL
    logprobsResult: Raw = NULL


class PromptFeedback(Struct):
    blockReason: str | int | None = None


class Event(Struct):
    candidates: list[Candidate] | None = None
    usageMetadata: ReportedUsage | None = None
    modelVersion: str | None = None
    responseId: str | None = None
    promptFeedback: PromptFeedback | None = None
    error: Raw = NULL


class Unreadable(Exception):
    """Bytes that are no answer; the message says what they are instead."""


SPANS: Final = msgspec.json.Decoder(dict[str, Raw])
_EVENT: Final = msgspec.json.Decoder(Event)
_LAX: Final = msgspec.json.Decoder(Event, strict=False)
_NOT_JSON: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_ANSWER: Final = frozenset(Event.__struct_fields__)
_CONTENTS: Final = msgspec.json.Decoder(list[Candidate] | None, strict=False)


def read_event(payload: bytes) -> Event:
    """Raises Unreadable."""
    try:
        if not payload.isascii():
            payload.decode()
        return _EVENT.decode(payload)
    except msgspec.ValidationError:
        return _salvaged(payload)
    except _NOT_JSON:
        mended = without_lone_surrogates(payload)
        if mended is None:
            raise Unreadable("an event that is not JSON") from None
        return read_event(mended)


def _salvaged(payload: bytes) -> Event:
    """Members of the wrong type: numbers in quotes are read, else all but the candidates may be missing."""
    try:
        return _LAX.decode(payload)
    except _NOT_JSON:
        pass
    try:
        top = SPANS.decode(payload)
        candidates = _CONTENTS.decode(top["candidates"]) if "candidates" in top else None
    except _NOT_JSON:
        raise Unreadable("an event that is not an answer") from None
    event = Event(candidates=candidates, error=top.get("error", NULL))
    event.usageMetadata = _member(top.get("usageMetadata"), ReportedUsage)
    event.promptFeedback = _member(top.get("promptFeedback"), PromptFeedback)
    event.responseId, event.modelVersion = _member(top.get("responseId"), str), _member(top.get("modelVersion"), str)
    return event


def _member(span: Raw | None, kind: type[Any]) -> Any:
    if span is None or is_null(span):
        return None
    try:
        return msgspec.json.decode(span, type=kind, strict=False)
    except _NOT_JSON:
        return None
