"""Messages as input items: `function_call` and `function_call_output` stand beside messages, not inside them.

Every message gives the same bytes wherever it stands and however the conversation goes on, since provider-side prompt
caches go by the prefix. Items have no ids, except for reasoning that is followed by the calls it led to. Where a row
takes parts nobody knows, a part that is an item of this protocol (a search of the provider's, say) becomes one.
"""

import hashlib
from typing import Any, Final

import msgspec
from msgspec import Raw

from llmgateway.domain.chat import Chat, FileRef, Message, Part, ToolCall
from llmgateway.domain.routing import Deployment
from llmgateway.wire.openai_responses.client_calls import item_of, output_of
from llmgateway.wire.openai_responses.pieces import object_of, objects_of, text_of
from llmgateway.wire.openai_responses.replay import replay
from llmgateway.wire.spans import NULL, value_of

_LONGEST_CALL_ID: Final = 64
"""`string too long. Expected a string with maximum length 64` is what OpenAI answers to longer ones."""
_ITEM_PARTS: Final = frozenset(
    (
        "additional_tools", "apply_patch_call", "apply_patch_call_output", "code_interpreter_call", "compaction",
        "computer_call", "computer_call_output", "file_search_call", "image_generation_call", "item_reference",
        "local_shell_call", "local_shell_call_output", "mcp_approval_request", "mcp_approval_response", "mcp_call",
        "compaction_trigger", "custom_tool_call", "custom_tool_call_output", "function_call", "function_call_output",
        "mcp_list_tools", "program", "program_output", "reasoning", "shell_call", "shell_call_output",
        "tool_search_call", "tool_search_output", "web_search_call",
    )
)  # fmt: skip
_FILE_SOURCES: Final = frozenset(("container_file_citation", "file_citation", "file_path"))
_PHASES: Final = frozenset(("commentary", "final_answer"))
_FORMAT_QUIRK: Final = "reasoning_format:"
_OWN_FORMAT: Final = "openai-responses-v1"


_KNOWN: Final = frozenset((*Message.__struct_fields__, "phase")) - {"images", "is_error"}
_EMPTY: Final = frozenset((b"null", b"[]", b"{}", b'""', b"false"))
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
    """Lives for one request. `_open`: ids of calls made by the old `function_call`, by name, not yet answered.

    `_format`: of the reasoning that can be given back; a model that does not reason reads none.
    """

    def __init__(self, chat: Chat, to: Deployment, dropped: list[str]) -> None:
        self._chat = chat
        self._dropped = dropped
        self._format = "" if "reasoning" in to.mapping.lacks else reasoning_format(to)
        self._custom: set[str] = set()
        self._native: dict[str, str] = {}
        self._functions = {tool.function.name for tool in chat.request.tools or () if tool.function is not None}
        self._open: dict[str, str] = {}
        self._items: list[Any] = []
        self._spans = _MESSAGES.decode(chat.raw["messages"])

    def items(self) -> list[Any]:
        for place, message in enumerate(self._chat.messages):
            if message.name is not None and message.role != "function":
                self._drop("messages[].name")
            if not self._spans[place].keys() <= _KNOWN:
                self._unknown(message, self._spans[place])
            if message.role == "assistant":
                self._assistant(message, place)
            elif message.role in ("tool", "function"):
                self._result(message, place)
            else:
                self._items += self._said(message, place, "input_text") or [{"role": message.role, "content": ""}]
        return self._items

    def _assistant(self, message: Message, place: int) -> None:
        calls = self._calls(message, place)
        said = self._said(message, place, "output_text")
        if not said and not calls and not message.reasoning_details:
            said = [{"role": "assistant", "content": ""}]
        with_ids = all("role" not in item for item in said)
        thoughts = replay(message, own=self._format, store=self._chat.request.store is True, with_ids=with_ids)
        if thoughts is None or (thoughts and not said and not calls):
            self._drop("messages[].reasoning_details")
        elif thoughts:
            self._items += thoughts
        elif message.reasoning or message.reasoning_content:
            self._drop("messages[].reasoning")
        if message.audio is not None:
            self._drop("messages[].audio")
        self._items += said
        self._items += calls

    def _said(self, message: Message, place: int, text_type: str) -> list[dict[str, Any]]:
        """The words of a message, if there are any, and the items among them."""
        content = message.content
        if isinstance(content, list):
            return self._cut(message, place, self._parts(content, place, text_type))
        if not message.refusal:
            return [self._message(message, place, content)] if content else []
        parts: list[Any] = [{"type": text_type, "text": content}] if content else []
        return self._cut(message, place, parts)

    def _cut(self, message: Message, place: int, parts: list[Any]) -> list[dict[str, Any]]:
        """Parts that are items stand by themselves; those around them are messages."""
        items: list[dict[str, Any]] = []
        open_parts: list[Any] = []
        for part in parts if not message.refusal else [*parts, {"type": "refusal", "refusal": message.refusal}]:
            item = self._item(part) if isinstance(part, Raw) else None
            if item is None:
                open_parts.append(part)
                continue
            if open_parts:
                items.append(self._message(message, place, open_parts))
            items.append(item)
            open_parts = []
        return [*items, self._message(message, place, open_parts)] if open_parts else items

    def _message(self, message: Message, place: int, content: Any) -> dict[str, Any]:
        if message.role == "assistant" and "annotations" in self._spans[place]:
            content = self._cited(content, self._spans[place]["annotations"])
        said = {"role": message.role, "content": content}
        phase = text_of(value_of(self._spans[place].get("phase", NULL))) if message.role == "assistant" else ""
        return {**said, "phase": phase} if phase in _PHASES else said

    def _cited(self, content: Any, annotations: Raw) -> Any:
        """The one text of an answer with the sources it named, if they say where; else as it is."""
        parts = [{"type": "output_text", "text": content}] if isinstance(content, str) else content
        cited = [citation_of(one) for one in objects_of(value_of(annotations))]
        if len(parts) == 1 and isinstance(parts[0], dict) and cited and all(cited):
            return [{**parts[0], "annotations": cited}]
        if cited:
            self._drop("messages[].annotations")
        return content

    def _item(self, part: Raw) -> dict[str, Any] | None:
        item = object_of(value_of(part))
        return item if item.get("type") in _ITEM_PARTS else None

    def _calls(self, message: Message, place: int) -> list[Any]:
        sent: list[Any] = []
        spaces = _namespaces(self._spans[place].get("tool_calls"))
        for index, call in enumerate(message.tool_calls or ()):
            call_id = _call_id(call.id or f"call_{place}_{index}")
            native = self._native_call(call, call_id)
            if native is not None:
                sent.append(native)
            elif call.function is not None:
                item = _function_call(call_id, call.function.name, call.function.arguments)
                sent.append(item if not spaces else {**item, **spaces[index]})
            else:
                sent.append(self._custom_call(call_id, place, index))
        if message.function_call is not None:
            called = message.function_call
            self._open[called.name] = f"call_{place}"
            sent.append(_function_call(f"call_{place}", called.name, called.arguments))
        return sent

    def _native_call(self, call: ToolCall, call_id: str) -> dict[str, Any] | None:
        """A call of one of the protocol's own tools, which the client was told of as a function."""
        if call.function is None or call.function.name in self._functions:
            return None
        item = item_of(call.function, call_id)
        if item is not None:
            self._native[call_id] = call.function.name
        return item

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
            if call_id in self._native:
                content = message.content
                parts = self._parts(content, place, "input_text") if isinstance(content, list) else []
                self._items.append(output_of(self._native[call_id], call_id, message, parts))
                return
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
        return [self._part(part, place, index, text_type) for index, part in enumerate(parts)]

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

    def _unknown(self, message: Message, spans: dict[str, Raw]) -> None:
        """Members of a message that this protocol has no word for, unless they are empty."""
        for name in sorted(spans.keys() - _KNOWN):
            if name == "annotations" and message.role == "assistant" and message.content:
                continue  # those are told of with the content
            if bytes(spans[name]) not in _EMPTY:
                self._drop(f"messages[].{name[:100]}")

    def _drop(self, path: str) -> None:
        if path not in self._dropped:
            self._dropped.append(path)


def citation_of(annotation: dict[str, Any]) -> dict[str, Any] | None:
    """As the protocol itself writes it; None for what is no source of a known place."""
    kind = text_of(annotation.get("type"))
    inner = object_of(annotation.get(kind))
    if kind == "url_citation" and {"url", "start_index", "end_index"} <= inner.keys():
        return {"type": kind, "title": "", **inner}
    return {"type": kind, **inner} if kind in _FILE_SOURCES and "file_id" in inner else None


def _function_call(call_id: str, name: str, arguments: str) -> dict[str, Any]:
    return {"type": "function_call", "call_id": call_id, "name": name, "arguments": arguments}


def _namespaces(calls: Raw | None) -> list[dict[str, str]] | None:
    """Where a called function was found, which an answer tells beside its call; None where nothing is said of that."""
    if calls is None or b'"namespace"' not in bytes(calls):
        return None
    beside = [object_of(object_of(call.get("extra_content")).get("openai")) for call in objects_of(value_of(calls))]
    return [{"namespace": name} if (name := text_of(one.get("namespace"))) else {} for one in beside]


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
