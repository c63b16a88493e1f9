"""Reads a chat request body: bytes to a checked `Chat`, or a GatewayError that names the field and the fix.

Duplicate keys: the last one wins, for checking and for forwarding alike. A byte order mark is accepted, and lone
surrogates (they occur in real traffic) are replaced before anything else. Which provider can serve the request is
decided later, by `plan`; here only what no provider could take is refused.
"""

import re
from typing import Annotated, Any, Final, Literal, get_args, get_origin

import msgspec
from msgspec import Meta, Raw

from llmgateway.domain import chat
from llmgateway.domain.chat import REQUEST_FIELDS, Chat, ChatBody, ChatRequest, Message
from llmgateway.domain.errors import INVALID_JSON, INVALID_VALUE, MISSING_PARAMETER, GatewayError
from llmgateway.wire.openai_chat.frames import laid_out, placed
from llmgateway.wire.openai_chat.glance import PlainMessages, PlainTools, plain_messages
from llmgateway.wire.openai_chat.known import Known
from llmgateway.wire.openai_chat.traits import read_traits
from llmgateway.wire.spans import without_lone_surrogates

_BODY: Final = msgspec.json.Decoder(ChatBody)
_MESSAGES: Final = msgspec.json.Decoder(Annotated[list[Message], Meta(min_length=1)])
_REST: Final = msgspec.json.Decoder(ChatRequest)
_SPANS: Final = msgspec.json.Decoder(dict[str, Raw])
_ANYTHING: Final = msgspec.json.Decoder()
_BOM: Final = b"\xef\xbb\xbf"
_NULL: Final = Raw(b"null")
_LARGE_BYTES: Final = 4_096
_PER_BYTE: Final = 16
_WHERE: Final = re.compile(r" - at `\$\.?(.*)`$", re.DOTALL)
_MISSING: Final = re.compile(r"Object missing required field `(\w+)`")


def read_request(body: bytes, *, known: Known | None = None) -> Chat:
    """The checked request. `known`: what was read before, for large ones. Raises GatewayError INVALID_JSON,
    INVALID_VALUE, MISSING_PARAMETER.
    """
    if len(body) < _LARGE_BYTES:
        return read_at_once(body)
    if known is None:
        known = Known(max_bytes=0)
    frame = known.frames.find(body)
    if frame is not None:
        messages = known.turns.read(body, start=len(frame.head), end=len(body) - len(frame.tail))
        if messages is not None:
            return frame.around(messages, body)
    try:
        spans = _SPANS.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return read_at_once(body)
    return read_apart(body, spans, known=known, plain=frame is None) or read_at_once(body, spans=spans)


def read_apart(body: bytes, spans: dict[str, Raw], *, known: Known, plain: bool = True) -> Chat | None:
    """The request, each of its parts read as it needs; of plain messages nothing is kept but their span. None where a
    type is wrong. Raises GatewayError only where `read_at_once` raises the same. `plain`: messages may be.
    """
    start = laid_out(body, spans)
    spans = _without_nulls(spans)
    rest = spans.copy()
    try:
        span = rest.pop("messages")
        if not start:
            start = placed(body, span)
            _readable(body, start, start + len(span) - 2 if start else 0)
        messages = _glanced(body, span, start=start, known=known) if plain else None
        if messages is None:
            messages = _messages(span)
        tools = known.tools.read(rest["tools"]) if "tools" in rest else None
        if tools is not None:
            del rest["tools"]
        written = msgspec.json.encode(rest)
        written.decode()
        request = _REST.decode(written)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, KeyError):
        return None
    if tools is not None:
        request = msgspec.structs.replace(request, tools=tools.tools)
    chat = _checked(request, spans, messages=messages, tools=tools)
    if not isinstance(messages, PlainMessages):
        return chat.knowing(messages)
    if start:
        weight = _PER_BYTE * len(written) + (tools.weight if tools else 0)
        known.frames.learn(body, chat, start=start, messages=messages, weight=weight)
    return chat


def _readable(body: bytes, start: int, end: int) -> None:
    """Raises UnicodeDecodeError for what stands around the messages: a member may be there twice, and of its values
    only the last be looked at.
    """
    body[:start].decode()
    body[end:].decode()


def _glanced(body: bytes, span: Raw, *, start: int, known: Known) -> PlainMessages | None:
    if not start:
        return plain_messages(span)
    return known.turns.read(body, start=start, end=start + len(span) - 2)


def _messages(span: Raw) -> list[Message]:
    str(span, "utf-8")
    return _MESSAGES.decode(span)


def read_at_once(body: bytes, *, spans: dict[str, Raw] | None = None) -> Chat:
    """Any request. `spans`: those of the body, where they are known."""
    if body.startswith(_BOM):
        body = body[3:]
    try:
        if not body.isascii():
            body.decode()  # spans that nobody reads go out as they came in
        request = _BODY.decode(body)
        if spans is None:
            spans = _SPANS.decode(body)
    except msgspec.ValidationError as error:
        return _second_look(body, error)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return _mended(body, error)
    return _checked(request, _without_nulls(spans), messages=request.messages).knowing(request.messages)


def _checked(
    request: ChatRequest,
    spans: dict[str, Raw],
    *,
    messages: list[Message] | PlainMessages,
    tools: PlainTools | None = None,
) -> Chat:
    if not REQUEST_FIELDS.issuperset(spans):
        _check_unknown(spans)
    traits = read_traits(request, messages=messages, tools=tools, names=spans.keys())
    return Chat(request, traits, _tidied(request, spans), request.stream is True)


def _without_nulls(spans: dict[str, Raw]) -> dict[str, Raw]:
    if _NULL in spans.values():
        return {name: span for name, span in spans.items() if span != _NULL}
    return spans


def _second_look(body: bytes, error: msgspec.ValidationError) -> Chat:
    """A field seems wrong; but what follows it may not be JSON at all, or repeat the field with a better value."""
    try:
        last_ones = msgspec.json.encode(_SPANS.decode(body))
    except msgspec.ValidationError:
        raise _refusal(error) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as broken:
        return _mended(body, broken)
    try:
        _BODY.decode(last_ones)
    except msgspec.ValidationError as remaining:
        raise _refusal(remaining) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as broken:
        return _mended(last_ones, broken)
    return read_request(last_ones)


def _mended(body: bytes, broken: Exception) -> Chat:
    """Half a character is all that may be wrong with JSON that cannot be read."""
    repaired = without_lone_surrogates(body)
    if repaired is None:
        raise _not_json(broken) from None
    return read_request(repaired)


def _check_unknown(spans: dict[str, Raw]) -> None:
    """Fields nobody typed are forwarded as they are, so they must at least be numbers and strings one can read."""
    if len(spans) > len(REQUEST_FIELDS) + 256:
        raise GatewayError(INVALID_VALUE, "Too many fields: at most 256 unknown top-level fields are forwarded.")
    for name in spans.keys() - REQUEST_FIELDS:
        try:
            _ANYTHING.decode(spans[name])
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            raise GatewayError(
                INVALID_VALUE, f"Invalid value for '{_shown(name)}': not a JSON value in range.", param=_shown(name)
            ) from None


def _tidied(request: ChatRequest, spans: dict[str, Raw]) -> dict[str, Raw]:
    """Empty `tools` and `stop` mean none; of the two names for the token limit the newer one wins."""
    if request.tools is not None or request.stop is not None or request.functions is not None:
        for name in ("tools", "stop", "functions"):
            if getattr(request, name) == []:
                spans.pop(name, None)
    if request.max_completion_tokens is not None:
        spans.pop("max_tokens", None)
    return spans


def _refusal(error: msgspec.ValidationError) -> GatewayError:
    text = str(error)
    where = _WHERE.search(text)
    what = text[: where.start()] if where else text
    path = where.group(1) if where else ""
    missing = _MISSING.match(what)
    if missing:
        param = f"{path}.{missing.group(1)}" if path else missing.group(1)
        return GatewayError(MISSING_PARAMETER, f"Missing required parameter: '{param}'.", param=param)
    if not path:
        return GatewayError(INVALID_JSON, f"The request body must be a JSON object. {what}.")
    allowed = _ALLOWED.get(path.rpartition(".")[2]) if "enum value" in what else None
    advice = f" Use one of {allowed}." if allowed else ""
    return GatewayError(INVALID_VALUE, f"Invalid value for '{path}': {what[0].lower()}{what[1:]}.{advice}", param=path)


def _literals(kind: Any) -> list[str]:
    """The values that an annotation names one by one."""
    if get_origin(kind) is Literal:
        return [value for value in get_args(kind) if isinstance(value, str)]
    return [value for inner in get_args(kind) for value in _literals(inner)]


def _allowed() -> dict[str, str]:
    """The values that fields take, by name, where all fields of that name take the same."""
    found: dict[str, set[str]] = {}
    for struct in [kind for kind in vars(chat).values() if isinstance(kind, type) and issubclass(kind, msgspec.Struct)]:
        for field in msgspec.structs.fields(struct):
            if values := _literals(field.type):
                found.setdefault(field.name, set()).add(", ".join(f"'{value}'" for value in values))
    return {name: texts.pop() for name, texts in found.items() if len(texts) == 1}


_ALLOWED: Final = _allowed()


def _not_json(error: Exception) -> GatewayError:
    if isinstance(error, RecursionError):
        return GatewayError(INVALID_JSON, "The request body is nested too deeply to be read.")
    if isinstance(error, UnicodeDecodeError):
        return GatewayError(INVALID_JSON, f"The request body is not valid UTF-8 (byte {error.start}).")
    return GatewayError(INVALID_JSON, f"The request body is not valid JSON: {error}.")


def _shown(name: str) -> str:
    return name if len(name) <= 100 else name[:100] + "…"
