"""Messages as Google's `contents`: two roles, calls and results as parts, a system instruction beside them.

Neighbours of one role become one content, but results of functions stay apart from what a user says. A result names
its function, which is found by the call's id. What the model thought goes back as it came (`replay`).
"""

import re
from typing import Any, Final

import msgspec
from msgspec import Raw

from llmgateway.domain.chat import FunctionCall, Message, ToolCall
from llmgateway.wire.gemini.families import Family
from llmgateway.wire.gemini.parts import Made, Spans, by_url, made_of, text_of
from llmgateway.wire.gemini.replay import Replayed, Turn, call_signature, replayed

SKIP_SIGNATURE: Final = "c2tpcF90aG91Z2h0X3NpZ25hdHVyZV92YWxpZGF0b3I="
"""`skip_thought_signature_validator`, in base64 as bytes are: for calls that another model made, or whose signature
the client has lost (https://ai.google.dev/gemini-api/docs/thought-signatures#faqs)."""
_OBJECT: Final = msgspec.json.Decoder(dict[str, Raw])
_IN_RESULTS: Final = frozenset(("image/png", "image/jpeg", "image/webp", "application/pdf", "text/plain"))
_MADE_ID: Final = re.compile(r"call_[0-9a-f]{24}")
_NOT_JSON: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class Contents:
    """`system`: the texts of the instruction. `items`: the contents. `dropped`: what could not be said."""

    def __init__(self, messages: list[Message], *, family: Family, beside: list[list[Spans]] | None = None) -> None:
        """`beside`: the parts of each message as the caller wrote them; empty where they hold nothing of Google's."""
        self.system: list[str] = []
        self.items: list[Made] = []
        self.dropped: list[str] = []
        self._family = family
        self._names: dict[str, tuple[int, str]] = {}
        self._called = 0
        self._results: list[tuple[int, Made]] = []
        self._beside: list[Made] = []
        self._spans: list[Spans] = []
        for index, message in enumerate(messages):
            self._spans = beside[index] if beside else []
            self._message(message)
        self._flush()
        if not self.items:
            self._alone()

    def _message(self, message: Message) -> None:
        if message.role in ("tool", "function"):
            self._result(message)
            return
        self._flush()
        if message.role == "assistant":
            self._model(message)
        elif message.role == "user" or self.items or not self._family.system:
            self._add("user", made_of(message.content, self._spans))
        else:
            self.system.append(text_of(message.content))

    def _alone(self) -> None:
        """An instruction without a conversation is said by the user, and nothing at all is empty text."""
        said, self.system = self.system, []
        self.items.append({"role": "user", "parts": [{"text": text} for text in said] or [{"text": ""}]})

    def _add(self, role: str, parts: list[Made]) -> None:
        if not parts:
            return
        last = self.items[-1] if self.items else None
        if last is not None and last["role"] == role and "functionResponse" not in last["parts"][-1]:
            last["parts"] += parts
        else:
            self.items.append({"role": role, "parts": parts})

    def _model(self, message: Message) -> None:
        """Text and calls stand where they stood among what was thought, as far as that is known."""
        again = replayed(message)
        self._note(message, again)
        said = made_of(message.content, self._spans)
        if message.refusal and not said:
            said.append({"text": message.refusal})
        said += self._images(message, again)
        calls = [call for call in message.tool_calls or () if call.function is not None]
        if message.function_call is not None:
            calls.append(ToolCall(function=message.function_call))
        turn = Turn(said, self._calls(calls, again))
        for item in again.order:
            turn.take(item)
        self._add("model", turn.parts())

    def _note(self, message: Message, again: Replayed) -> None:
        if again.foreign:
            self._drop("messages[].reasoning_details")
        elif not message.reasoning_details and (message.reasoning or message.reasoning_content):
            self._drop("messages[].reasoning")
        if message.audio is not None:
            self._drop("messages[].audio")

    def _images(self, message: Message, again: Replayed) -> list[Made]:
        """Pictures that the model drew in an earlier turn, to be worked on."""
        parts: list[Made] = []
        for index, image in enumerate(message.images or ()):
            try:
                url = msgspec.json.decode(image.get("image_url", Raw(b"null")), type=dict[str, Any]).get("url")
            except _NOT_JSON:
                url = None
            if isinstance(url, str):
                part = by_url(url)
                if signature := again.by_id.get(f"image_{index}"):
                    part["thoughtSignature"] = signature
                parts.append(part)
        return parts

    def _calls(self, calls: list[ToolCall], again: Replayed) -> list[tuple[str, Made]]:
        """By id, in the order of the calls."""
        parts: list[tuple[str, Made]] = []
        for call in calls:
            function = call.function or FunctionCall("")
            made: Made = {"name": function.name, "args": _arguments(function.arguments)}
            if call.id is not None:
                self._called += 1
                self._names[call.id] = (self._called, function.name)
                if not _is_made(call.id):
                    made["id"] = call.id
            part: Made = {"functionCall": made}
            if signature := again.by_id.get(call.id or "") or call_signature(call):
                part["thoughtSignature"] = signature
            parts.append((call.id or "", part))
        if parts and self._family.signed and not any("thoughtSignature" in part for _, part in parts):
            parts[0][1]["thoughtSignature"] = SKIP_SIGNATURE
        return parts

    def _result(self, message: Message) -> None:
        """Results of parallel calls are answered in one turn."""
        identity = message.tool_call_id or ""
        place, name = self._names.get(identity, (self._called, message.name or identity or "unknown"))
        made: Made = {"name": name}
        if identity and not _is_made(identity):
            made["id"] = identity
        text = text_of(message.content)
        made["response"] = _response(text, failed=message.is_error is True)
        media = [part for part in made_of(message.content, self._spans) if "text" not in part]
        inside = [part for part in media if self._fits(part)]
        if inside:
            made["parts"] = inside
        self._beside += [part for part in media if not self._fits(part)]
        self._results.append((place, {"functionResponse": made}))

    def _fits(self, part: Made) -> bool:
        kind = part.get("inlineData", {}).get("mimeType")
        return self._family.media_in_results and kind in _IN_RESULTS

    def _flush(self) -> None:
        """The results gathered so far, in the order of their calls; what they cannot hold follows as the user's."""
        if not self._results:
            return
        results = [made for _, made in sorted(self._results, key=lambda result: result[0])]
        beside = self._beside
        self._results, self._beside = [], []
        self.items.append({"role": "user", "parts": results})
        if beside:
            self.items.append({"role": "user", "parts": beside})

    def _drop(self, name: str) -> None:
        if name not in self.dropped:
            self.dropped.append(name)


def _is_made(identity: str) -> bool:
    """Ids that the gateway made up, for Google had given none; it is not told of them."""
    return _MADE_ID.fullmatch(identity) is not None


def _arguments(text: str) -> Any:
    """An object as the caller wrote it; whatever else a model has written is put into one."""
    if not text.strip():
        return {}
    try:
        return _OBJECT.decode(text)
    except _NOT_JSON:
        return {"arguments": text}


def _response(text: str, *, failed: bool) -> Any:
    """`output` and `error` are the names that Google's models know; an object is taken to have names of its own."""
    try:
        given = _OBJECT.decode(text)
    except _NOT_JSON:
        return {"error" if failed else "output": text}
    return {"error": given} if failed and "error" not in given else given
