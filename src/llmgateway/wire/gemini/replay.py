"""What an earlier turn thought, to be sent back: signed thoughts, signatures, and what Google's own tools did.

The reverse of what `candidates` tells as `reasoning_details`. They go back only if all of them are Google's; half a
chain of thought is worth less than none.
"""

from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from llmgateway.domain.chat import Message, ToolCall
from llmgateway.wire.gemini.candidates import FORMAT

_NOT_JSON: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
Made = dict[str, Any]
_OBJECT: Final = msgspec.json.Decoder(dict[str, Raw])


class CallId(Struct, frozen=True):
    id: str


class Replayed(Struct):
    """`order`: what the turn consisted of, as far as its details tell: a part as it was, the text with its signature
    (str), or a call by its id, whose signature is in `by_id` as are those of pictures.
    """

    order: list[Made | str | CallId] = []
    by_id: dict[str, str] = {}
    foreign: bool = False


class Turn:
    """Puts a turn of the model together again.

    `said`: its text and pictures. `calls`: its function calls by id; those without a signature follow the one before.
    """

    def __init__(self, said: list[Made], calls: list[tuple[str, Made]]) -> None:
        self._said = said
        self._calls = calls
        self._parts: list[Made] = []
        self._text_at: int | None = None

    def take(self, item: Made | str | CallId) -> None:
        if isinstance(item, CallId):
            self._call(item.id)
        elif isinstance(item, str):
            self._parts.append({"text": "", "thoughtSignature": item})
            self._text_at = len(self._parts)
        else:
            self._parts.append(item)

    def parts(self) -> list[Made]:
        """All of it. Text takes the last of its signatures; without one it stands before the calls."""
        parts, said = self._parts, self._said
        at = self._text_at
        last = max((place for place, part in enumerate(said) if "text" in part), default=None)
        if at is not None and last is not None:
            signed = {**said[last], "thoughtSignature": parts[at - 1]["thoughtSignature"]}
            parts[at - 1 : at] = [*said[:last], signed, *said[last + 1 :]]
        elif said:
            first = next((place for place, part in enumerate(parts) if "functionCall" in part), len(parts))
            parts[first:first] = said
        return parts + [part for _, part in self._calls]

    def _call(self, identity: str) -> None:
        """The call, and before it those that nothing was told of."""
        for place, (known, _) in enumerate(self._calls):
            if known == identity:
                end = place + 1
                while end < len(self._calls) and "thoughtSignature" not in self._calls[end][1]:
                    end += 1
                self._parts += [part for _, part in self._calls[:end]]
                del self._calls[:end]
                return


def replayed(message: Message) -> Replayed:
    again = Replayed()
    details = [_strings(detail) for detail in message.reasoning_details or ()]
    if any(detail.get("format") != FORMAT for detail in details):
        again.foreign = True
        return again
    for detail in details:
        data, text = detail.get("data"), detail.get("text")
        if text is not None:
            part: Made = {"text": text, "thought": True}
            if signature := detail.get("signature"):
                part["thoughtSignature"] = signature
            again.order.append(part)
        elif data and data.startswith("{"):
            again.order += [whole for whole in (_part(data),) if whole is not None]
        elif data and "id" in detail:
            again.by_id[detail["id"]] = data
            again.order.append(CallId(detail["id"]))
        elif data:
            again.order.append(data)
    return again


def call_signature(call: ToolCall) -> str | None:
    """`extra_content.google.thought_signature`, as Google's own OpenAI endpoint says it."""
    google = (call.extra_content or {}).get("google")
    try:
        signature = (
            None if google is None else msgspec.json.decode(google, type=dict[str, Any]).get("thought_signature")
        )
    except _NOT_JSON:
        return None
    return signature if isinstance(signature, str) and signature else None


def _part(data: str) -> dict[str, Any] | None:
    try:
        return dict(_OBJECT.decode(data))
    except _NOT_JSON:
        return None


def _strings(detail: dict[str, Raw]) -> dict[str, str]:
    """The members that are strings."""
    found: dict[str, str] = {}
    for name, span in detail.items():
        if bytes(span).startswith(b'"'):
            found[name] = msgspec.json.decode(span, type=str)
    return found
