"""URLs in messages: which may be named at all, and fetching what they name for providers that only take bytes.

Nothing here is fetched for a provider that takes URLs; it gets the caller's own, once that is known to be a public
address by its look. Guarding the fetch itself is the Fetcher's.
"""

import base64
import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from llmgateway.domain.chat import Chat, Part
from llmgateway.domain.errors import INVALID_VALUE, GatewayError
from llmgateway.domain.routing import Deployment
from llmgateway.engine.ports import Fetcher

_MAX_FETCHED: Final = 20
_MAX_BYTES: Final = 20 * 1024 * 1024
_MAX_BYTES_TOGETHER: Final = 32 * 1024 * 1024
_TYPES: Final = {
    "image_url": ("image/*",),
    "file": ("application/*", "text/*", "image/*", "audio/*", "video/*"),
}
_DATA_URL: Final = re.compile(r"data:([\w.+/-]*)(?:;[\w.+=-]+)*;base64,", re.ASCII)
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_BASE64: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_MESSAGES: Final = msgspec.json.Decoder(list[dict[str, Raw]])
_PARTS: Final = msgspec.json.Decoder(list[dict[str, Any]])


class _Place(Struct, frozen=True):
    """Where a URL or data stands. `member`: what of the part holds it; `param`: its JSON path."""

    message: int
    part: int
    kind: str
    param: str
    text: str


_MEMBERS: Final = {"image_url": "url", "file": "file_data"}


def check_media(chat: Chat, *, fetcher: Fetcher, to: Sequence[Deployment] = ()) -> None:
    """Raises GatewayError INVALID_VALUE naming the part whose URL no provider should see.

    What one of the deployments reads by itself, such as a file in its own store, is no URL of the web.
    """
    for place in _places(chat):
        if place.text.startswith("data:"):
            _check_data(place.text, place.param)
        elif not any(one.named and re.match(one.named, place.text) for one in to):
            fetcher.check(place.text, param=place.param)


async def inlined(chat: Chat, *, to: Deployment, fetcher: Fetcher) -> Chat:
    """The chat as this deployment can read it: with the bytes of what its provider will not fetch itself.

    Typed view and raw spans say the same. Raises GatewayError INVALID_VALUE naming the part.
    """
    named = [place for place in _places(chat) if _to_fetch(place, to)]
    if not named:
        return chat
    if len(named) > _MAX_FETCHED:
        param = named[_MAX_FETCHED].param
        raise GatewayError(INVALID_VALUE, f"At most {_MAX_FETCHED} URLs are fetched for one request.", param=param)
    found: list[tuple[_Place, str]] = []
    left = _MAX_BYTES_TOGETHER
    for place in named:
        limit = min(_MAX_BYTES, left)
        kind, data = await fetcher.fetch(place.text, param=place.param, limit=limit, types=_TYPES[place.kind])
        left -= len(data)
        found.append((place, f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}"))
    return _with_data(chat, found)


def _to_fetch(place: _Place, to: Deployment) -> bool:
    if place.kind not in to.inline or place.text.startswith("data:"):
        return False
    return not (to.named and re.match(to.named, place.text))


def _places(chat: Chat) -> Iterator[_Place]:
    """Every image, and every file that is data or a URL."""
    for message, one in enumerate(chat.messages):
        if isinstance(one.content, list):
            for index, part in enumerate(one.content):
                where = f"messages[{message}].content[{index}]"
                if part.image_url is not None:
                    yield _Place(message, index, "image_url", f"{where}.image_url.url", part.image_url.url)
                elif part.file is not None and part.file.file_data is not None and _SCHEME.match(part.file.file_data):
                    yield _Place(message, index, "file", f"{where}.file.file_data", part.file.file_data)


def _with_data(chat: Chat, contents: list[tuple[_Place, str]]) -> Chat:
    messages = list(chat.messages)
    spans = _MESSAGES.decode(chat.raw["messages"])
    by_message: dict[int, list[tuple[_Place, str]]] = {}
    for place, url in contents:
        by_message.setdefault(place.message, []).append((place, url))
    for message, places in by_message.items():
        content = _PARTS.decode(spans[message]["content"])
        parts = [part for part in messages[message].content or () if isinstance(part, Part)]
        for place, url in places:
            content[place.part][place.kind][_MEMBERS[place.kind]] = url
            parts[place.part] = _part(parts[place.part], place.kind, url)
        spans[message]["content"] = Raw(msgspec.json.encode(content))
        messages[message] = msgspec.structs.replace(messages[message], content=parts)
    raw = {**chat.raw, "messages": Raw(msgspec.json.encode(spans))}
    return msgspec.structs.replace(chat, raw=raw).knowing(messages)


def _part(part: Part, kind: str, url: str) -> Part:
    member = getattr(part, kind)
    return msgspec.structs.replace(part, **{kind: msgspec.structs.replace(member, **{_MEMBERS[kind]: url})})


def _check_data(url: str, param: str) -> None:
    head = _DATA_URL.match(url)
    if head is None:
        raise GatewayError(
            INVALID_VALUE, f"'{param}' is not a data URL of the form data:TYPE;base64,DATA.", param=param
        )
    data = url[head.end() :]
    if not data or not data.isascii() or not _is_base64(data.encode("ascii")):
        raise GatewayError(INVALID_VALUE, f"The data of '{param}' is not base64.", param=param)


def _is_base64(data: bytes) -> bool:
    """The standard alphabet and, at the end, at most two `=`; senders that leave these out are understood."""
    digits = data.removesuffix(b"=").removesuffix(b"=")
    return len(digits) % 4 != 1 and not digits.translate(None, _BASE64)
