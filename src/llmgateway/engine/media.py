"""URLs in messages: which may be named at all, and fetching what they name for providers that only take bytes.

Nothing here is fetched for a provider that takes URLs; it gets the caller's own, once that is known to be a public
address by its look. Guarding the fetch itself is the Fetcher's.
"""

import base64
import re
from collections.abc import Iterator
from typing import Any, Final

import msgspec
from msgspec import Raw

from llmgateway.domain.chat import Chat
from llmgateway.domain.errors import INVALID_VALUE, GatewayError
from llmgateway.domain.routing import Deployment
from llmgateway.engine.ports import Fetcher

_INLINE_QUIRK: Final = "inline_media"
_MAX_FETCHED: Final = 20
_MAX_BYTES: Final = 20 * 1024 * 1024
_MAX_BYTES_TOGETHER: Final = 32 * 1024 * 1024
_TYPES: Final = ("image/*",)
_DATA_URL: Final = re.compile(r"data:([\w.+/-]*)(?:;[\w.+=-]+)*;base64,", re.ASCII)
_BASE64: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_MESSAGES: Final = msgspec.json.Decoder(list[dict[str, Raw]])
_PARTS: Final = msgspec.json.Decoder(list[dict[str, Any]])


def check_media(chat: Chat, *, fetcher: Fetcher) -> None:
    """Raises GatewayError INVALID_VALUE naming the part whose URL no provider should see."""
    for _, _, param, url in _images(chat):
        if url.startswith("data:"):
            _check_data(url, param)
        else:
            fetcher.check(url, param=param)


async def inlined(chat: Chat, *, to: Deployment, fetcher: Fetcher) -> Chat:
    """The chat as this deployment can read it: with the bytes of its images, where it takes no URLs."""
    if _INLINE_QUIRK not in to.provider.quirks:
        return chat
    named = [image for image in _images(chat) if not image[3].startswith("data:")]
    if not named:
        return chat
    if len(named) > _MAX_FETCHED:
        param = named[_MAX_FETCHED][2]
        raise GatewayError(INVALID_VALUE, f"At most {_MAX_FETCHED} images are fetched for one request.", param=param)
    messages = _MESSAGES.decode(chat.raw["messages"])
    contents: dict[int, list[dict[str, Any]]] = {}
    left = _MAX_BYTES_TOGETHER
    for message, part, param, url in named:
        kind, data = await fetcher.fetch(url, param=param, limit=min(_MAX_BYTES, left), types=_TYPES)
        left -= len(data)
        content = contents.get(message)
        if content is None:
            content = contents[message] = _PARTS.decode(messages[message]["content"])
        content[part]["image_url"]["url"] = f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}"
    for message, content in contents.items():
        messages[message]["content"] = Raw(msgspec.json.encode(content))
    raw = {**chat.raw, "messages": Raw(msgspec.json.encode(messages))}
    return msgspec.structs.replace(chat, raw=raw)


def _images(chat: Chat) -> Iterator[tuple[int, int, str, str]]:
    """Message, part, JSON path and URL of every image."""
    for message, one in enumerate(chat.request.messages):
        if isinstance(one.content, list):
            for place, part in enumerate(one.content):
                if part.image_url is not None:
                    yield message, place, f"messages[{message}].content[{place}].image_url.url", part.image_url.url


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
