"""The events of a response stream, and the response object in them, as typed values.

An event is decoded once, into the members that anything here acts on. Where one of them has the wrong type, the others
are kept and that one is left out, since garbage in a member nobody needs must not cost an answer.
"""

from typing import Any, Final, TypeVar

import msgspec
from msgspec import Struct
from msgspec.structs import fields


class Response(Struct):
    """`status`: completed, incomplete, failed, cancelled, queued or in_progress."""

    id: str | None = None
    model: str | None = None
    status: str | None = None
    service_tier: str | None = None
    output: list[Any] | None = None
    usage: Any = None
    tool_usage: Any = None
    error: Any = None
    incomplete_details: Any = None


class Event(Struct):
    """`output_index` names the item, `content_index` or `summary_index` the part of it that `delta` adds to."""

    type: str = ""
    delta: str = ""
    output_index: int | None = None
    content_index: int = 0
    summary_index: int = 0
    item_id: str | None = None
    logprobs: list[Any] | None = None
    text: str | None = None
    refusal: str | None = None
    arguments: Any = None
    input: str | None = None
    item: Any = None
    annotation: Any = None
    response: Response | None = None
    error: Any = None
    code: Any = None
    message: Any = None
    param: Any = None


_T = TypeVar("_T")
decode_event: Final = msgspec.json.Decoder(Event).decode
decode_response: Final = msgspec.json.Decoder(Response).decode
_TYPES: Final[dict[type, dict[str, Any]]] = {
    kind: {field.name: field.type for field in fields(kind)} for kind in (Event, Response)
}


def lenient_event(source: dict[str, Any]) -> Event:
    """The members of the right type."""
    event = lenient({name: value for name, value in source.items() if name != "response"}, Event)
    response = source.get("response")
    if isinstance(response, dict):
        event.response = lenient(response, Response)  # pyright: ignore[reportUnknownArgumentType]  # JSON of a provider
    return event


def lenient(source: dict[str, Any], kind: type[_T]) -> _T:
    """The members of the right type."""
    types, kept = _TYPES[kind], dict[str, Any]()
    for name, value in source.items():
        if name in types:
            try:
                kept[name] = msgspec.convert(value, types[name])
            except msgspec.ValidationError:
                continue
    return kind(**kept)
