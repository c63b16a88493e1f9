"""Reads the candidates of an answer, whole or in pieces: parts become text, reasoning, calls, images and sound.

`Candidates` holds what one answer needs to have remembered. Finish reasons, citations and searches are told at the end:
old models repeat STOP in every event, and places in the text are only known once there is a text.
"""

import secrets
from typing import Any, Final

import msgspec
from msgspec import UNSET, Raw

from llmgateway.domain.reply import ChoiceDelta, Delta, ToolCallDelta, ToolFunctionDelta
from llmgateway.wire.gemini.answer import Blob, Candidate, FunctionCall, Part, PromptFeedback
from llmgateway.wire.gemini.finish import finish_of, name_of
from llmgateway.wire.gemini.grounding import (
    Grounding,
    annotations_of,
    read_citations,
    read_grounding,
    searches_of,
)
from llmgateway.wire.gemini.logprobs import read_logprobs
from llmgateway.wire.gemini.sound import Sound
from llmgateway.wire.spans import NULL, is_null

FORMAT: Final = "google-gemini-v1"
_MOST_CHOICES: Final = 128
_MOST_ITEMS: Final = 4096
_MOST_TEXT: Final = 256 * 1024
"""Characters of an answer in which places are looked for."""
_TOOL_PARTS: Final = ("executableCode", "codeExecutionResult", "toolCall", "toolResponse")


class _Choice:
    __slots__ = (
        "calls", "citations", "detail", "finish", "grounding", "images", "said", "sound", "started", "text",
        "text_length", "thinking",
    )  # fmt: skip

    def __init__(self) -> None:
        self.started = self.said = self.thinking = False
        self.calls = self.images = self.text_length = 0
        self.detail = -1
        self.finish: str | None = None
        self.grounding = Grounding()
        self.citations: list[Any] = []
        self.text: list[str] = []
        self.sound: Sound | None = None


class Candidates:
    """`read` each event's candidates, `close` once at the end.

    `functions`: the request used the old `functions`. `places`: citations will want places in the text. `searches`:
    how searches are counted. `wav`: sound is to begin with a WAV header. `broken` tells why it is no answer.
    """

    def __init__(
        self, *, functions: bool = False, places: bool = False, searches: str = "query", wav: bool = False
    ) -> None:
        self._functions = functions
        self._places = places
        self._searches = searches
        self._wav = wav
        self._seen: dict[int, _Choice] = {}
        self.broken: str | None = None

    @property
    def all_finished(self) -> bool:
        return bool(self._seen) and all(choice.finish is not None for choice in self._seen.values())

    @property
    def web_searches(self) -> int:
        return sum(searches_of(choice.grounding, by=self._searches) for choice in self._seen.values())

    def read(self, candidates: list[Candidate], feedback: PromptFeedback | None) -> list[ChoiceDelta]:
        """The deltas worth telling; a prompt that was blocked is an answer without words."""
        result: list[ChoiceDelta] = []
        for place, candidate in enumerate(candidates):
            index = candidate.index if candidate.index is not None else place
            told = self._candidate(candidate, index)
            if told is not None:
                result.append(told)
        if not candidates and feedback is not None and feedback.blockReason is not None:
            choice = self._seen.setdefault(0, _Choice())
            choice.finish = choice.finish or f"BLOCKED:{feedback.blockReason}"
        return result

    def complete(self) -> None:
        """A whole answer is whole, even if it does not say why it ended."""
        for choice in self._seen.values():
            choice.finish = choice.finish or "STOP"

    def close(self) -> list[ChoiceDelta]:
        """What is told last: citations, the rest of the sound, and the finish reason of each choice that has one."""
        result: list[ChoiceDelta] = []
        for index, choice in self._seen.items():
            delta = Delta(UNSET if choice.started else "assistant")
            annotations = annotations_of(choice.grounding, choice.citations, text="".join(choice.text))
            if annotations:
                delta.annotations = annotations
            if choice.sound is not None and (rest := choice.sound.close()):
                delta.audio = {"data": rest}
            finish = None
            if choice.finish is not None:
                finish, failure = finish_of(
                    choice.finish, said=choice.said, called=choice.calls > 0, functions=self._functions
                )
                self.broken = self.broken or failure
            if finish is not None or delta.has_content:
                result.append(ChoiceDelta(index, delta, None, finish, choice.finish if finish else None))
        return result

    def _candidate(self, candidate: Candidate, index: int) -> ChoiceDelta | None:
        choice = self._seen.get(index)
        if choice is None:
            if len(self._seen) == _MOST_CHOICES or index < 0:
                self.broken = f"more than {_MOST_CHOICES} candidates"
                return None
            choice = self._seen[index] = _Choice()
        delta = Delta()
        parts = candidate.content.parts if candidate.content is not None else None
        for part in parts or ():
            self._part(part, choice, delta)
        if candidate.finishReason is not None:
            choice.finish = name_of(candidate.finishReason)
        if candidate.groundingMetadata is not NULL:
            choice.grounding = read_grounding(candidate.groundingMetadata, before=choice.grounding)
        if candidate.citationMetadata is not NULL:
            choice.citations = read_citations(candidate.citationMetadata) or choice.citations
        logprobs = None if candidate.logprobsResult is NULL else read_logprobs(candidate.logprobsResult)
        if logprobs is None and not delta.has_content:
            return None
        if not choice.started:
            choice.started, delta.role = True, "assistant"
        return ChoiceDelta(index, delta, logprobs)

    def _part(self, part: Part, choice: _Choice, delta: Delta) -> None:
        call = part.functionCall
        if part.text is not None:
            if part.thought:
                _think(part.text, part.thoughtSignature, choice, delta)
                return
            if part.text:
                delta.content = (delta.content or "") + part.text
                choice.said = True
                if self._places and choice.text_length < _MOST_TEXT:
                    choice.text.append(part.text)
                    choice.text_length += len(part.text)
            if part.thoughtSignature:
                _detail(choice, delta, {"type": "reasoning.encrypted", "data": part.thoughtSignature})
        elif call is not None:
            self._call(call, part.thoughtSignature, choice, delta)
        elif part.inlineData is not None:
            if not part.thought:  # else a draft of the picture that follows
                self._blob(part.inlineData, part.thoughtSignature, choice, delta)
        else:
            _opaque(part, choice, delta)

    def _call(self, call: FunctionCall, signature: str | None, choice: _Choice, delta: Delta) -> None:
        if choice.calls == _MOST_ITEMS:
            self.broken = f"more than {_MOST_ITEMS} function calls"
            return
        if not call.name and is_null(call.args):
            return
        function = ToolFunctionDelta(call.name or "", _arguments(call.args))
        choice.said = True
        if self._functions:
            if not choice.calls:
                delta.function_call = function
            choice.calls += 1
            return
        told = ToolCallDelta(choice.calls, call.id or f"call_{secrets.token_hex(12)}", "function", function)
        choice.calls += 1
        if signature:
            told.extra_content = {"google": {"thought_signature": signature}}
            _detail(choice, delta, {"type": "reasoning.encrypted", "data": signature, "id": told.id})
        delta.tool_calls = [*(delta.tool_calls or ()), told]

    def _blob(self, blob: Blob, signature: str | None, choice: _Choice, delta: Delta) -> None:
        kind, data = blob.mimeType or "", blob.data
        if not data:
            return
        choice.said = True
        if kind.startswith("audio/"):
            if choice.sound is None:
                choice.sound = Sound(kind, wav=self._wav)
                delta.audio = {"id": f"audio_{secrets.token_hex(12)}"}
            delta.audio = {**(delta.audio or {}), "data": (delta.audio or {}).get("data", "") + choice.sound.feed(data)}
            return
        if choice.images == _MOST_ITEMS:
            self.broken = f"more than {_MOST_ITEMS} images"
            return
        url = {"url": f"data:{kind or 'image/png'};base64,{data}"}
        item: dict[str, Any] = {"type": "image_url", "image_url": url, "index": choice.images}
        delta.images = [*(delta.images or ()), item]
        if signature:
            detail = {"type": "reasoning.encrypted", "data": signature, "id": f"image_{choice.images}"}
            _detail(choice, delta, detail)
        choice.images += 1


def _think(text: str, signature: str | None, choice: _Choice, delta: Delta) -> None:
    """Thoughts that follow one another are one item, until a signature ends it."""
    if text:
        delta.reasoning = (delta.reasoning or "") + text
    if not text and not signature:
        return
    detail: dict[str, Any] = {"type": "reasoning.text", "text": text}
    if signature:
        detail["signature"] = signature
    goes_on = choice.thinking
    if goes_on and delta.reasoning_details:
        last = delta.reasoning_details[-1]
        last["text"] += text
        if signature:
            last["signature"] = signature
    else:
        _detail(choice, delta, detail, goes_on=goes_on)
    choice.thinking = not signature


def _detail(choice: _Choice, delta: Delta, detail: dict[str, Any], *, goes_on: bool = False) -> None:
    if not goes_on:
        choice.detail += 1
    choice.thinking = False
    detail["format"] = FORMAT
    detail["index"] = choice.detail
    delta.reasoning_details = [*(delta.reasoning_details or ()), detail]


def _opaque(part: Part, choice: _Choice, delta: Delta) -> None:
    """What Google's own tools did, and a signature that stands alone: kept as they are, to be sent back."""
    kept: dict[str, Raw | str] = {name: span for name in _TOOL_PARTS if not is_null(span := getattr(part, name))}
    if not kept:
        if part.thoughtSignature:
            _detail(choice, delta, {"type": "reasoning.encrypted", "data": part.thoughtSignature})
        return
    if part.thoughtSignature:
        kept["thoughtSignature"] = part.thoughtSignature
    data = msgspec.json.format(msgspec.json.encode(kept), indent=-1).decode()
    _detail(choice, delta, {"type": "reasoning.encrypted", "data": data})


def _arguments(args: Raw) -> str:
    """The arguments on one line; a call without any has an empty object."""
    if is_null(args):
        return "{}"
    return msgspec.json.format(args, indent=-1).decode()
