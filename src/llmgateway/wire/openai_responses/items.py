"""Messages as input items: `function_call` and `function_call_output` stand beside messages, not inside them.

Every message gives the same bytes wherever it stands and however the conversation goes on, since provider-side prompt
caches go by the prefix. Items have no ids, except for reasoning that is followed by the calls it led to.
"""

import hashlib
from typing import Any, Final

import msgspec
from msgspec import Raw

from llmgateway.domain.chat import Chat, FileRef, Message, Part
from llmgateway.domain.routing import Deployment
from llmgateway.wire.openai_responses.pieces import text_of
from llmgateway.wire.openai_responses.replay import replay
from llmgateway.wire.spans import NULL, value_of

_LONGEST_CALL_ID: Final = 64
"""`string too long. Expected a string with maximum length 64` is what OpenAI answers to longer ones."""
_PHASES: Final = frozenset(("commentary", "final_answer"))
_FORMAT_QUIRK: Final = "reasoning_format:"
_OWN_FORMAT: Final = "openai-responses-v1"


_KNOWN: Final = frozenset((*Message.__struct_fields__, "phase"))
_EMPTY: Final = frozenset((b"null", b"[]", b"{}", b'""'))
_MESSAGES: Final = msgspec.json.Decoder(list[dict[str, Raw]])
_PARTS: Final = msgspec.json.Decoder(list[Raw])


def reasoning_format(to: Deployment) -> str:
    """What this provider's reasoning is marked with; a row whose reasoning no other can read names its own."""
    for quirk in to.provider.quirks:
        if quirk.startswith(_FORMAT_QUIRK):
            return quirk.removeprefix(_FORMAT_QUIRK)
    return _OWN_FORMAT


def build_input(chat: Chat, *, to: Deployment, dropped: list[str]) -> list[Any]:
    return _Writer(chat, to, dropped).items()


class _Writer:
    """Lives for one request. `_open`: ids of calls made by the old `function_call`, by name, not yet answered."""

    def __init__(self, chat: Chat, to: Deployment, dropped: list[str]) -> None:
        self._chat = chat
        self._dropped = dropped
        self._format = reasoning_format(to)
        self._custom: set[str] = set()
        self._open: dict[str, str] = {}
        self._items: list[Any] = []
        self._spans = _MESSAGES.decode(chat.raw["messages"])

    def items(self) -> list[Any]:
        for place, message in enumerate(self._chat.request.messages):
            if message.name is not None and message.role != "function":
                self._drop("messages[].name")
            if not self._spans[place].keys() <= _KNOWN:
                self._unknown(self._spans[place])
            if message.role == "assistant":
                self._assistant(message, place)
            elif message.role in ("tool", "function"):
                self._result(message, place)
            else:
                content = message.content
                sent = self._parts(content, place, "input_text") if isinstance(content, list) else content or ""
                self._items.append({"role": message.role, "content": sent})
        return self._items

    def _assistant(self, message: Message, place: int) -> None:
        calls = self._calls(message, place)
        said = self._said(message, place, alone=not calls)
        thoughts = replay(message, own=self._format, store=self._chat.request.store is True, with_ids=said is None)
        if thoughts is None or (thoughts and said is None and not calls):
            self._drop("messages[].reasoning_details")
        elif thoughts:
            self._items += thoughts
        elif message.reasoning or message.reasoning_content:
            self._drop("messages[].reasoning")
        if message.audio is not None:
            self._drop("messages[].audio")
        if said is not None:
            self._items.append(said)
        self._items += calls

    def _said(self, message: Message, place: int, *, alone: bool) -> dict[str, Any] | None:
        """The assistant's words, if there are any; a turn that has neither words nor calls is an empty message."""
        given = message.content
        content: Any = self._parts(given, place, "output_text") if isinstance(given, list) else given
        if message.refusal:
            before = [{"type": "output_text", "text": content}] if content and isinstance(content, str) else content
            content = [*(before or ()), {"type": "refusal", "refusal": message.refusal}]
        if not content and not (alone and not message.reasoning_details):
            return None
        said = {"role": "assistant", "content": content or ""}
        phase = text_of(value_of(self._spans[place].get("phase", NULL)))
        return {**said, "phase": phase} if phase in _PHASES else said

    def _calls(self, message: Message, place: int) -> list[Any]:
        sent: list[Any] = []
        for index, call in enumerate(message.tool_calls or ()):
            call_id = _call_id(call.id or f"call_{place}_{index}")
            if call.function is not None:
                sent.append(_function_call(call_id, call.function.name, call.function.arguments))
            else:
                sent.append(self._custom_call(call_id, place, index))
        if message.function_call is not None:
            called = message.function_call
            self._open[called.name] = f"call_{place}"
            sent.append(_function_call(f"call_{place}", called.name, called.arguments))
        return sent

    def _custom_call(self, call_id: str, place: int, index: int) -> dict[str, Any]:
        """Calls of custom tools, and of types that came after them, have their members under the type's name."""
        self._custom.add(call_id)
        call = msgspec.json.decode(self._spans[place]["tool_calls"], type=list[dict[str, Any]])[index]
        inner = call.get("custom")
        source: dict[str, Any] = inner if isinstance(inner, dict) else {}  # pyright: ignore[reportUnknownVariableType]  # a caller's JSON
        return {
            "type": "custom_tool_call",
            "call_id": call_id,
            "name": source.get("name", ""),
            "input": source.get("input", ""),
        }

    def _result(self, message: Message, place: int) -> None:
        if message.role == "function":
            name = message.name or ""
            call_id = self._open.pop(name, f"call_{name}")
        else:
            call_id = _call_id(message.tool_call_id or "")
        kind = "custom_tool_call_output" if call_id in self._custom else "function_call_output"
        self._items.append({"type": kind, "call_id": call_id, "output": self._output(message, place)})

    def _output(self, message: Message, place: int) -> Any:
        """One text is a string, which every provider takes; images and documents need parts."""
        content = message.content
        if not isinstance(content, list):
            return content or ""
        if len(content) == 1 and content[0].type == "text":
            return content[0].text or ""
        return self._parts(content, place, "input_text")

    def _parts(self, parts: list[Part], place: int, text_type: str) -> list[Any]:
        """Empty texts are left out where there is anything else."""
        kept = [(index, part) for index, part in enumerate(parts) if part.type != "text" or part.text]
        if not kept:
            return [{"type": text_type, "text": ""}] if parts else []
        return [self._part(part, place, index, text_type) for index, part in kept]

    def _part(self, part: Part, place: int, index: int, text_type: str) -> Any:
        if part.type == "text":
            return {"type": text_type, "text": part.text}
        if part.type == "refusal":
            return {"type": "refusal", "refusal": part.refusal}
        if part.type == "image_url" and part.image_url is not None:
            sent = {"type": "input_image", "image_url": part.image_url.url}
            return sent if part.image_url.detail is None else {**sent, "detail": part.image_url.detail}
        if part.type == "file" and part.file is not None:
            return _file(part.file)
        if part.type == "input_audio" and part.input_audio is not None:
            return {"type": "input_audio", "input_audio": part.input_audio}
        return _PARTS.decode(self._spans[place]["content"])[index]

    def _unknown(self, spans: dict[str, Raw]) -> None:
        """Members of a message that nobody here knows, unless they are empty."""
        for name in sorted(spans.keys() - _KNOWN):
            if bytes(spans[name]) not in _EMPTY:
                self._drop(f"messages[].{name[:100]}")

    def _drop(self, path: str) -> None:
        if path not in self._dropped:
            self._dropped.append(path)


def _function_call(call_id: str, name: str, arguments: str) -> dict[str, Any]:
    return {"type": "function_call", "call_id": call_id, "name": name, "arguments": arguments}


def _call_id(given: str) -> str:
    """Another provider's id that is too long for this protocol has a short one of its own, the same every time."""
    if len(given) <= _LONGEST_CALL_ID:
        return given
    return "call_" + hashlib.sha256(given.encode()).hexdigest()[:32]


def _file(file: FileRef) -> dict[str, Any]:
    """`file_data` may be a link, which has a member of its own here."""
    sent: dict[str, Any] = {"type": "input_file"}
    if file.filename is not None:
        sent["filename"] = file.filename
    if file.file_data is not None:
        linked = file.file_data.startswith(("https://", "http://"))
        sent["file_url" if linked else "file_data"] = file.file_data
    if file.file_id is not None:
        sent["file_id"] = file.file_id
    return sent
