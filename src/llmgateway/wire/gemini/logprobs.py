"""Log probabilities: Google's chosen and top candidates, token by token, as OpenAI's `logprobs.content`."""

from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from llmgateway.wire.spans import is_null


class _Token(Struct):
    token: str | None = None
    logProbability: float | None = None


class _Top(Struct):
    candidates: list[_Token] | None = None


class _Result(Struct):
    chosenCandidates: list[_Token] | None = None
    topCandidates: list[_Top] | None = None


_RESULT: Final = msgspec.json.Decoder(_Result, strict=False)


def read_logprobs(span: Raw) -> dict[str, Any] | None:
    if is_null(span):
        return None
    try:
        result = _RESULT.decode(span)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    tops = result.topCandidates or []
    content: list[dict[str, Any]] = []
    for place, token in enumerate(result.chosenCandidates or ()):
        others = tops[place].candidates or () if place < len(tops) else ()
        content.append({**_told(token), "top_logprobs": [_told(other) for other in others]})
    return {"content": content, "refusal": None} if content else None


def _told(token: _Token) -> dict[str, Any]:
    """A probability of 0 has no logarithm; OpenAI says -9999 where it does not know better."""
    text = token.token or ""
    logprob = -9999.0 if token.logProbability is None else token.logProbability
    return {"token": text, "logprob": logprob, "bytes": list(text.encode("utf-8", "surrogatepass"))}
