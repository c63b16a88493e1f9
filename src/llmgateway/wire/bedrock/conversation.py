"""Our messages as converse wants them: a system prompt, then turns that alternate, the first of them the user's.

Tool results join the user's turn that answers the calls; texts without a character in them, which Bedrock refuses, go;
reasoning comes back only as Claude's own signed blocks. What is left out for want of a word is noted in `dropped`.
"""

import re
from hashlib import sha256
from typing import Any, Final

import msgspec
from msgspec import Raw

from llmgateway.domain.chat import CacheControl, Chat, FunctionCall, Message, Part, ToolCall
from llmgateway.domain.errors import INVALID_VALUE, UpstreamError
from llmgateway.wire.bedrock.family import Family
from llmgateway.wire.bedrock.media import audio_block, document_block, image_block
from llmgateway.wire.bedrock.reasoning import replayed
from llmgateway.wire.spans import text_of

Blocks = list[dict[str, Any]]
_FILLER: Final = {"text": "."}
"""Stands where Bedrock insists on a text and the caller gave none."""
_NO_OUTPUT: Final = {"text": "(no output)"}
_MESSAGES: Final = msgspec.json.Decoder(list[dict[str, Raw]])
_ARGUMENTS: Final = msgspec.json.Decoder(dict[str, Raw])
_ID: Final = re.compile(r"[a-zA-Z0-9_.:-]{1,64}")
_NOT_IN_IDS: Final = re.compile(r"[^a-zA-Z0-9_.:-]")
_DOCUMENT_MEMBERS: Final = ("citations", "context")
"""Of converse itself, beside a file: whether it is to be cited, and what to make of it."""
_MEMBERS: Final = frozenset((*Message.__struct_fields__, "status")) - {"audio", "images"}
"""`status` `error` is another word for `is_error`."""


_EMPTY: Final = frozenset((b"null", b"[]", b"{}", b'""', b"false"))


class Conversation:
    """Reads the messages of one request; `system` and `messages` are ready to be encoded."""

    def __init__(self, chat: Chat, *, family: Family) -> None:
        self.system: Blocks = []
        self.messages: list[dict[str, Any]] = []
        self.calls_tools = False
        self.dropped: dict[str, None] = {}
        self._family = family
        self._names: set[str] = set()
        self._function_calls = 0
        self._members: dict[str, Raw] = {}
        turns: list[tuple[str, Blocks]] = []
        spans = _MESSAGES.decode(chat.raw["messages"])
        for index, (message, members) in enumerate(zip(chat.messages, spans, strict=True)):
            self._note_members(message, members)
            self._members = members
            if message.role in ("system", "developer"):
                self.system += self._parts(message, f"messages[{index}]")
            else:
                role = "assistant" if message.role == "assistant" else "user"
                turns.append((role, self._turn(message, members, f"messages[{index}]")))
        self._join(turns)

    def _note_members(self, message: Message, members: dict[str, Raw]) -> None:
        for name in members.keys() - _MEMBERS:
            if bytes(members[name]) in _EMPTY:
                continue
            self.dropped[f"messages[].{name[:100]}"] = None
        if message.name is not None and message.role != "function":
            self.dropped["messages[].name"] = None

    def _turn(self, message: Message, members: dict[str, Raw], path: str) -> Blocks:
        if message.role == "assistant":
            return self._assistant(message, path)
        if message.role in ("tool", "function"):
            self.calls_tools = True
            given = message.tool_call_id if message.role == "tool" else f"function_{self._function_calls}"
            return self._result(given or "", message, members, path)
        return self._parts(message, path)

    def _assistant(self, message: Message, path: str) -> Blocks:
        thinking = replayed(message) if self._family.vendor in ("claude", "unknown") else []
        if message.reasoning_details and not thinking:
            self.dropped["messages[].reasoning_details"] = None
        elif not message.reasoning_details and (message.reasoning or message.reasoning_content):
            self.dropped["messages[].reasoning"] = None
        blocks = thinking + self._parts(message, path)
        if message.refusal and message.refusal.strip():
            blocks.append({"text": message.refusal})
        calls = list(message.tool_calls or ())
        if message.function_call is not None:
            self._function_calls += 1
            calls.append(ToolCall(message.function_call, f"function_{self._function_calls}"))
        for place, call in enumerate(calls):
            if call.function is None:
                self.dropped[f"messages[].tool_calls[{place}]"] = None
                continue
            self.calls_tools = True
            used = {"toolUseId": tool_id(call.id or ""), "name": call.function.name, "input": _input(call.function)}
            blocks.append({"toolUse": used})
        if len(blocks) == len(thinking):
            if thinking:
                self.dropped["messages[].reasoning_details"] = None
            return []  # thoughts alone are no turn that Bedrock takes
        return blocks

    def _result(self, given: str, message: Message, members: dict[str, Raw], path: str) -> Blocks:
        blocks = self._parts(message, path)
        points = [block for block in blocks if "cachePoint" in block]
        content = [block for block in blocks if "cachePoint" not in block]
        result: dict[str, Any] = {"toolUseId": tool_id(given), "content": content or [_NO_OUTPUT]}
        if message.is_error or text_of(members.get("status")) == "error":
            result["status"] = "error"
        return [{"toolResult": result}, *points]

    def _parts(self, message: Message, path: str) -> Blocks:
        content = message.content
        if content is None or isinstance(content, str):
            return [{"text": content}] if content and content.strip() else []
        blocks: Blocks = []
        for place, part in enumerate(content):
            block = self._part(part, place, f"{path}.content[{place}]")
            if block is not None:
                blocks.append(block)
            if part.cache_control is not None and blocks:
                self._mark(blocks, part.cache_control)
        return blocks

    def _part(self, part: Part, place: int, path: str) -> dict[str, Any] | None:
        if part.type == "image_url" and part.image_url is not None:
            if part.image_url.detail not in (None, "auto"):
                self.dropped["messages[].content[].image_url.detail"] = None
            return image_block(part.image_url.url, path=f"{path}.image_url.url")
        if part.type == "file" and part.file is not None:
            block = document_block(part.file, path=f"{path}.file", names=self._names)
            own = self._own(place)
            block["document"].update({name: own[name] for name in _DOCUMENT_MEMBERS if name in own})
            return block
        if part.type == "input_audio" and part.input_audio is not None:
            return audio_block(part.input_audio)
        if part.type in ("text", "refusal"):
            text = part.text if part.type == "text" else part.refusal
            return {"text": text} if text and text.strip() else None
        own = self._own(place)
        if part.type in own:  # as converse writes it: the row takes the type
            return {part.type: own[part.type]}
        raise UpstreamError(INVALID_VALUE, f"'{path}.type' is not supported by this provider.", param=f"{path}.type")

    def _own(self, place: int) -> dict[str, Raw]:
        """A part as the caller wrote it."""
        return _MESSAGES.decode(self._members["content"])[place]

    def _mark(self, blocks: Blocks, control: CacheControl) -> None:
        if self._family.caches:
            blocks.append(cache_point(control, family=self._family))
        else:
            self.dropped["messages[].content[].cache_control"] = None

    def _join(self, turns: list[tuple[str, Blocks]]) -> None:
        """Neighbours of one role become one turn, and the user begins."""
        system = self.system
        if system and not self._family.system:
            turns, self.system = [("user", system), *turns], []
        for role, blocks in turns:
            if not blocks:
                continue
            if self.messages and self.messages[-1]["role"] == role:
                self.messages[-1]["content"] += blocks
            else:
                self.messages.append({"role": role, "content": list(blocks)})
        if not self.messages or self.messages[0]["role"] == "assistant":
            self.messages.insert(0, {"role": "user", "content": [_FILLER]})
        for message in self.messages:
            content: Blocks = message["content"]
            if any("document" in block for block in content) and not any("text" in block for block in content):
                content.append(_FILLER)
        self._trim_prefill()

    def _trim_prefill(self) -> None:
        """White space at the end of an answer that the model is to go on with is refused."""
        last = self.messages[-1]
        if last["role"] == "assistant" and "text" in last["content"][-1]:
            last["content"][-1] = {"text": last["content"][-1]["text"].rstrip()}


def cache_point(control: CacheControl, *, family: Family) -> dict[str, Any]:
    """Nova has one lifetime only."""
    point = {"type": "default"}
    if control.ttl is not None and family.vendor != "nova":
        point["ttl"] = control.ttl
    return {"cachePoint": point}


def tool_id(given: str) -> str:
    """The id as it is, or where Bedrock would refuse it one made of it, the same each time."""
    if _ID.fullmatch(given):
        return given
    digest = sha256(given.encode()).hexdigest()[:16]
    return f"{_NOT_IN_IDS.sub('_', given)[:47]}_{digest}"


def _input(function: FunctionCall) -> Any:
    """The arguments byte for byte where they are an object; else the model is shown what it wrote."""
    text = function.arguments.strip()
    if not text:
        return {}
    try:
        _ARGUMENTS.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return {"arguments": function.arguments}
    return Raw(text.encode())
