"""Rules by which requests of every protocol count as the same, and what the rules are made with."""

import base64
import json
from collections.abc import Callable
from typing import Any

from tests.wire.playback import FETCHED

Body = dict[str, Any]
Rule = Callable[[Body], None]

_FETCHED = base64.b64encode(FETCHED[:12]).decode()
_OPAQUE = {
    "arguments", "input_schema", "parameters", "schema", "json", "args", "response", "responseJsonSchema",
    "responseSchema", "parametersJsonSchema", "labels", "metadata",
}  # fmt: skip


def null_is_absent(body: Body) -> None:
    """A member that is null says what an absent one says (schemas and arguments, where null is a value, are kept)."""
    _drop_nulls(body)


def _drop_nulls(value: Any) -> None:
    if isinstance(value, list):
        for item in value:
            _drop_nulls(item)
    elif isinstance(value, dict):
        for name in [name for name, member in value.items() if member is None]:
            del value[name]
        for name, member in value.items():
            if name not in _OPAQUE and not (name == "input" and isinstance(member, dict)):
                _drop_nulls(member)


def not_streaming_is_absent(body: Body) -> None:
    """`stream: false` is every vendor's default."""
    if body.get("stream") is False:
        del body["stream"]


def default(body: Body, **defaults: Any) -> None:
    """Takes members away that have their default."""
    for name, value in defaults.items():
        if name in body and body[name] == value:
            del body[name]


def merged(messages: list[Body], member: str) -> list[Body]:
    """Messages of one role in a row as one."""
    turns: list[Body] = []
    for message in messages:
        if turns and turns[-1]["role"] == message["role"] and turns[-1].keys() == message.keys():
            turns[-1][member] = [*turns[-1][member], *message[member]]
        else:
            turns.append(message)
    return turns


def bytes_of_a_url_are_what_it_names(body: Body) -> None:
    """Where a provider reads no URLs, the gateway fetches what they name and sends the bytes: the same thing."""
    for holder in ("messages", "contents"):
        for message in body.get(holder, ()):
            for part in [*(message.get("parts") or ()), *_listed(message.get("content"))]:
                _unfetch(part)


def _listed(content: Any) -> list[Body]:
    return [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []


def _unfetch(part: Body) -> None:
    inline = part.get("inlineData")
    url = _url_of(inline["data"]) if isinstance(inline, dict) else None
    if isinstance(inline, dict) and url is not None:
        del part["inlineData"]
        part["fileData"] = {"fileUri": url, "mimeType": inline["mimeType"]}
    for holder, name in (("image_url", "url"), ("file", "file_data")):
        value = part.get(holder)
        if isinstance(value, dict) and isinstance(value.get(name), str) and ";base64," in value[name]:
            value[name] = _url_of(value[name].partition(";base64,")[2]) or value[name]


def _url_of(data: str) -> str | None:
    if not data.startswith(_FETCHED) or not data.isascii():
        return None
    return base64.b64decode(data).removeprefix(FETCHED).decode(errors="replace")


def empty_texts_say_nothing(body: Body) -> None:
    """A text part of no characters says nothing, and most vendors refuse one (what a provider would refuse is put
    right where the meaning stays the same). A message of nothing else keeps it as a list of no parts."""
    for holder in ("messages", "contents", "input"):
        for message in body.get(holder, ()):
            for name in ("content", "parts"):
                if isinstance(message.get(name), list):
                    message[name] = [part for part in message[name] if not _is_empty(part)]
    if "systemInstruction" in body:
        body["systemInstruction"]["parts"] = [one for one in body["systemInstruction"]["parts"] if not _is_empty(one)]
        default(body, systemInstruction={"parts": []})
    if isinstance(body.get("input"), list):
        body["input"] = [item for item in body["input"] if item.get("content") != [] or item.get("role") != "assistant"]


def _is_empty(part: Body) -> bool:
    return part.get("text") == "" and part.keys() <= {"type", "text"}


def arguments_are_read(body: Body) -> None:
    """Arguments of a call are a string that holds JSON; white space in it means nothing."""
    for message in body["messages"]:
        for call in message.get("tool_calls") or ():
            function = call.get("function") or {}
            if isinstance(function.get("arguments"), str):
                function["arguments"] = parsed(function["arguments"])


def parsed(text: str) -> Any:
    """JSON, or the text itself where it is none."""
    try:
        return json.loads(text)
    except ValueError:
        return text
