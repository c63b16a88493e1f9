"""Messages as system blocks and turns.

Leading system messages are the `system` of the request. Later ones stay where they are for models that take them
there, and join the `system` elsewhere. Consecutive messages of one role are one turn; tool messages are tool results
at the head of a user turn; a message with nothing in it is no turn.
"""

import re
from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec import Raw, Struct

from llmgateway.domain.chat import CacheControl, Chat, FunctionCall, Message
from llmgateway.wire.anthropic.parts import Block, blocks_of, list_unknown, text_block, with_cache
from llmgateway.wire.anthropic.replay import interleaved, thinking_blocks
from llmgateway.wire.spans import NULL, is_null, without_lone_surrogates

_SPANS: Final = msgspec.json.Decoder(list[dict[str, Raw]])
_KNOWN: Final = frozenset((
    "role", "content", "name", "tool_calls", "tool_call_id", "function_call", "refusal", "audio", "reasoning",
    "reasoning_content", "reasoning_details", "cache_control", "is_error",
))  # fmt: skip
_CALL_MARKS: Final = re.compile(rb'"(?:cache_control|caller|toolset_name)"')
_BARRED_IN_ID: Final = re.compile(r"[^a-zA-Z0-9_-]")
_INSTRUCTIONS: Final = frozenset(("system", "developer"))
_RESULTS: Final = frozenset(("tool", "function"))
_ABSENT: Final = "."
"""Said for a caller whose only message has no content at all, which is a request all the same."""


class Conversation(Struct, frozen=True):
    """What was said, in this protocol's words. `dropped`: JSON paths of what it has no words for, once each."""

    system: list[Block]
    turns: list[Block]
    dropped: dict[str, None]


class _Marks(Struct):
    """Members of a raw message that the typed view does not hold."""

    cache_control: CacheControl | None = None
    is_error: bool | None = None


class _CallMarks(Struct):
    """Members of a raw tool call that the typed view does not hold; `caller` and `toolset_name` are the protocol's."""

    cache_control: CacheControl | None = None
    caller: Raw = NULL
    toolset_name: str | None = None


def conversation(chat: Chat, *, system_turns: bool) -> Conversation:
    """`system_turns`: the model takes system messages amid the turns."""
    builder = _Builder(system_turns)
    spans = _SPANS.decode(chat.raw["messages"])
    for message, span in zip(chat.messages, spans, strict=True):
        builder.add(message, span)
    return builder.result(chat.messages)


class _Builder:
    """Gathers turns message by message; lives for one request."""

    def __init__(self, system_turns: bool) -> None:  # noqa: FBT001  # private, its one caller names it
        self._system_turns = system_turns
        self._system: list[Block] = []
        self._turns: list[Block] = []
        self._dropped: dict[str, None] = {}
        self._functions: dict[str, str] = {}

    def add(self, message: Message, span: Mapping[str, Raw]) -> None:
        if not span.keys() <= _KNOWN:
            list_unknown(dict(span), _KNOWN, "messages[]", self._dropped)
        if message.name is not None and message.role not in _RESULTS:
            self._dropped["messages[].name"] = None
        marks = _marks(span)
        if message.role in _RESULTS:
            self._result(message, span, marks)
            return
        if message.role == "assistant":
            role, blocks = "assistant", self._assistant(message, span)
        else:
            role, blocks = message.role, blocks_of(message.content, span.get("content"), self._dropped)
        if not blocks:
            return
        with_cache(blocks[-1], marks.cache_control)
        if role in _INSTRUCTIONS:
            self._instruct(blocks)
        else:
            self._say(role, blocks)

    def result(self, messages: list[Message]) -> Conversation:
        turns = self._turns
        if not turns:
            absent = any(message.content is None for message in messages if message.role == "user")
            turns.append({"role": "user", "content": [text_block(_ABSENT)] if absent else ""})
        elif turns[-1]["role"] == "assistant":
            _trim(turns[-1]["content"][-1])
        return Conversation(self._system, turns, self._dropped)

    def _instruct(self, blocks: list[Block]) -> None:
        """A system turn must follow a user turn (…/docs/en/build-with-claude/mid-conversation-system-messages)."""
        turns = self._turns
        if self._system_turns and turns and turns[-1]["role"] in ("user", "system"):
            self._say("system", blocks)
        else:
            self._system += blocks

    def _say(self, role: str, blocks: list[Block]) -> None:
        turns = self._turns
        if turns and turns[-1]["role"] == role:
            turns[-1]["content"] += blocks
        else:
            turns.append({"role": role, "content": blocks})

    def _assistant(self, message: Message, span: Mapping[str, Raw]) -> list[Block]:
        units = blocks_of(message.content, span.get("content"), self._dropped)
        if not units and message.refusal:
            units = [text_block(message.refusal)]
        if message.audio is not None:
            self._dropped["messages[].audio"] = None
        marks = _call_marks(span.get("tool_calls"))
        for index, call in enumerate(message.tool_calls or ()):
            if call.function is None:
                self._dropped["messages[].tool_calls[].type"] = None
                continue
            block = _call(call.function, call.id or f"call_{len(self._turns)}_{index}")
            units.append(_marked(block, marks[index]) if index < len(marks) else block)
        if message.function_call is not None:
            given = f"function_{len(self._turns)}"
            self._functions[message.function_call.name] = given
            units.append(_call(message.function_call, given))
        return interleaved(thinking_blocks(message, self._dropped), units) if units else []

    def _result(self, message: Message, span: Mapping[str, Raw], marks: _Marks) -> None:
        """Results stand before whatever else the user says in the same turn. A breakpoint within is the block's."""
        given = message.tool_call_id if message.role == "tool" else self._functions.get(message.name or "")
        block: Block = {"type": "tool_result", "tool_use_id": _call_id(given or "")}
        cached = marks.cache_control
        if isinstance(message.content, str):
            if message.content:
                block["content"] = message.content
        else:
            parts = blocks_of(message.content, span.get("content"), self._dropped)
            for part in parts:
                part.pop("cache_control", None)
            for part in message.content or ():
                cached = part.cache_control or cached
            if parts:
                block["content"] = parts
        if marks.is_error is not None:
            block["is_error"] = marks.is_error
        with_cache(block, cached)
        turns = self._turns
        if not turns or turns[-1]["role"] != "user":
            turns.append({"role": "user", "content": [block]})
            return
        content: list[Block] = turns[-1]["content"]
        place = sum(1 for other in content if other["type"] == "tool_result")
        content.insert(place, block)


def _marks(span: Mapping[str, Raw]) -> _Marks:
    if "cache_control" not in span and "is_error" not in span:
        return _NO_MARKS
    members = {name: span[name] for name in ("cache_control", "is_error") if name in span}
    try:
        return msgspec.json.decode(msgspec.json.encode(members), type=_Marks)
    except msgspec.ValidationError:
        return _NO_MARKS


def _call_marks(span: Raw | None) -> list[_CallMarks]:
    if span is None or _CALL_MARKS.search(span) is None:
        return []
    try:
        return msgspec.json.decode(span, type=list[_CallMarks])
    except msgspec.ValidationError:
        return []


def _marked(block: Block, marks: _CallMarks) -> Block:
    if not is_null(marks.caller):
        block["caller"] = marks.caller
    if marks.toolset_name is not None:
        block["toolset_name"] = marks.toolset_name
    return with_cache(block, marks.cache_control)


def _call(function: FunctionCall, given: str) -> Block:
    return {"type": "tool_use", "id": _call_id(given), "name": function.name, "input": _input(function.arguments)}


def _call_id(given: str) -> str:
    """Ids of other vendors may hold characters that are refused here."""
    return _BARRED_IN_ID.sub("_", given)


def _input(arguments: str) -> Raw:
    """The caller's own bytes if they are a JSON object; anything else, verbatim, within one."""
    data = arguments.encode().strip()
    for text in (data, without_lone_surrogates(data)):
        if text is None:
            continue
        try:
            msgspec.json.decode(text, type=dict[str, Raw])
            msgspec.json.decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            continue
        return Raw(text)
    return Raw(msgspec.json.encode({"arguments": arguments})) if data else Raw(b"{}")


def _trim(block: Block) -> None:
    """The model goes on from what the caller put in its mouth, which must not end in white space."""
    if block["type"] == "text" and isinstance(block["text"], str):
        block["text"] = block["text"].rstrip()


def in_unsigned_loop(turns: list[Block]) -> bool:
    """A tool loop under way whose first assistant turn does not begin with signed thinking: the API refuses to think
    there with a budget (platform.claude.com/docs/en/build-with-claude/thinking-tool-workflows).
    """
    first: Block | None = None
    for index in range(len(turns) - 1, 0, -1):
        turn = turns[index]
        if turn["role"] == "assistant":
            continue
        if not _has_results(turn) or turns[index - 1]["role"] != "assistant":
            break
        first = turns[index - 1]
    return first is not None and first["content"][0]["type"] not in ("thinking", "redacted_thinking")


def _has_results(turn: Block) -> bool:
    content: list[Block] | str = turn["content"]
    return not isinstance(content, str) and any(block["type"] == "tool_result" for block in content)


_NO_MARKS: Final = _Marks()
