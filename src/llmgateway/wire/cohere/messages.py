"""Our messages in Cohere's words, which are nearly the same: tool results are text, and what pictures they hold follows
as the user's; reasoning comes back as the thinking and the plan that it was."""

from typing import Any, Final

import msgspec
from msgspec import Raw

from llmgateway.domain.chat import Chat, Message, Part, ToolCall
from llmgateway.domain.errors import INVALID_VALUE, UpstreamError
from llmgateway.wire.spans import text_of

FORMAT: Final = "cohere-chat-v2"
PLAN: Final = "tool_plan"
_MESSAGES: Final = msgspec.json.Decoder(list[dict[str, Raw]])
_MEMBERS: Final = frozenset(Message.__struct_fields__) - {"audio", "images", "is_error"}
_EMPTY: Final = frozenset((b"null", b"[]", b"{}", b'""', b"false"))
_TYPES: Final = frozenset(("text", "refusal", "image_url", "file", "input_audio"))
_NO_OUTPUT: Final = "(no output)"
_ROLES: Final = {"developer": "system", "function": "tool"}
Body = dict[str, Any]


def detail(index: int, text: str, *, plan: bool) -> dict[str, Any]:
    """A piece of reasoning, as a client may send it back. A plan stands outside of the content, so it is named."""
    told: dict[str, Any] = {"type": "reasoning.text", "text": text, "format": FORMAT, "index": index}
    return {**told, "id": PLAN} if plan else told


def read_messages(chat: Chat, *, dropped: dict[str, None]) -> list[Body]:
    """Raises UpstreamError for parts that have no place here."""
    result: list[Body] = []
    pictures: list[Body] = []
    functions = 0
    spans = _MESSAGES.decode(chat.raw["messages"])
    for index, (message, members) in enumerate(zip(chat.messages, spans, strict=True)):
        for name in [name for name in members.keys() - _MEMBERS if bytes(members[name]) not in _EMPTY]:
            dropped[f"messages[].{name[:100]}"] = None
        if message.name is not None and message.role != "function":
            dropped["messages[].name"] = None
        if message.role not in ("tool", "function") and pictures:
            result.append({"role": "user", "content": pictures})
            pictures = []
        if message.role == "assistant":
            functions += message.function_call is not None
            told = _assistant(message, members, f"messages[{index}]", functions, dropped)
        elif message.role in ("tool", "function"):
            given = message.tool_call_id if message.role == "tool" else f"function_{functions}"
            parts = _parts(message, members, f"messages[{index}]", dropped)
            pictures += [part for part in parts if part["type"] == "image_url"]
            texts = [part for part in parts if part["type"] != "image_url"]
            told = {"role": "tool", "tool_call_id": given or "", "content": _content(message, texts) or _NO_OUTPUT}
        else:
            content = _content(message, _parts(message, members, f"messages[{index}]", dropped))
            told = {"role": _ROLES.get(message.role, message.role), "content": content or ""}
        result.append(told)
    if pictures:
        result.append({"role": "user", "content": pictures})
    return result


def _assistant(message: Message, members: dict[str, Raw], path: str, functions: int, dropped: dict[str, None]) -> Body:
    told: Body = {"role": "assistant"}
    thoughts, plan = _replayed(message, dropped)
    parts = _parts(message, members, path, dropped)
    if message.refusal:
        parts.append({"type": "text", "text": message.refusal})
    content = [*thoughts, *parts] if thoughts or message.refusal else _content(message, parts)
    calls = list(message.tool_calls or ())
    if message.function_call is not None:
        calls.append(ToolCall(message.function_call, f"function_{functions}"))
    if calls:
        if plan:
            told["tool_plan"] = plan
        told["tool_calls"] = [_call(call) for call in calls if call.function is not None]
    if content or not calls:
        told["content"] = content or ""
    return told


def _call(call: ToolCall) -> Body:
    function = call.function
    arguments = function.arguments.strip() if function is not None else ""
    name = function.name if function is not None else ""
    return {"id": call.id or "", "type": "function", "function": {"name": name, "arguments": arguments or "{}"}}


def _replayed(message: Message, dropped: dict[str, None]) -> tuple[list[Body], str]:
    """Thinking blocks and plan, if all of the message's reasoning is Cohere's."""
    details = message.reasoning_details or []
    if not details:
        if message.reasoning or message.reasoning_content:
            dropped["messages[].reasoning"] = None
        return [], ""
    thoughts: list[Body] = []
    plan = ""
    for item in details:
        text = text_of(item.get("text"))
        if text_of(item.get("format")) != FORMAT or text is None:
            dropped["messages[].reasoning_details"] = None
            return [], ""
        if text_of(item.get("id")) == PLAN:
            plan += text
        else:
            thoughts.append({"type": "thinking", "thinking": text})
    return thoughts, plan


def _content(message: Message, parts: list[Body]) -> str | list[Body]:
    """A string stays one."""
    return message.content if isinstance(message.content, str) else parts


def _parts(message: Message, members: dict[str, Raw], path: str, dropped: dict[str, None]) -> list[Body]:
    if message.content is None:
        return []
    if isinstance(message.content, str):
        return [{"type": "text", "text": message.content}]
    parts: list[Body] = []
    for place, part in enumerate(message.content):
        if part.cache_control is not None:
            dropped["messages[].content[].cache_control"] = None
        if part.type in _TYPES:
            parts.append(_part(part, f"{path}.content[{place}]"))
        else:  # as Cohere writes it: the row takes the type
            parts.append(dict(_MESSAGES.decode(members["content"])[place]))
    return parts


def _part(part: Part, path: str) -> Body:
    if part.type == "text":
        return {"type": "text", "text": part.text or ""}
    if part.type == "refusal":
        return {"type": "text", "text": part.refusal or ""}
    if part.type == "image_url" and part.image_url is not None:
        image: Body = {"url": part.image_url.url}
        if part.image_url.detail is not None:
            image["detail"] = part.image_url.detail
        return {"type": "image_url", "image_url": image}
    raise UpstreamError(INVALID_VALUE, f"'{path}.type' is not supported by this provider.", param=f"{path}.type")
