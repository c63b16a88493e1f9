"""Content parts of our vocabulary as Google's `Part`s: text, images, sound, documents, by value or by reference."""

import base64
import re
from typing import Any, Final
from urllib.parse import unquote_to_bytes

import msgspec
from msgspec import Raw

from llmgateway.domain.chat import Chat, FileRef, InputAudio, Part
from llmgateway.wire.spans import NULL

Made = dict[str, Any]
Spans = dict[str, Raw]

_TYPES: Final = frozenset(("text", "image_url", "input_audio", "file", "refusal"))
_MEMBERS: Final = ("mediaResolution", "partMetadata", "videoMetadata")
"""Members of a part that Google has and we do not (https://ai.google.dev/api/caching#Part)."""
_IN_TEXT: Final = re.compile(f'"(?:{"|".join(_MEMBERS)})"'.encode())
_MEDIA: Final = frozenset(("vision", "audio", "documents"))
_NOTHING: Final = Spans()
_MESSAGES: Final = msgspec.json.Decoder(list[Spans])
_PARTS: Final = msgspec.json.Decoder(list[Spans])

_DATA_URL: Final = re.compile(r"data:([\w.+/-]*)((?:;[\w.+-]+=[^;,]*)*)(;base64)?,", re.ASCII)
_BY_EXTENSION: Final = {
    "jpg": "image/jpeg", "jpeg": "image/jpeg", "png": "image/png", "webp": "image/webp", "gif": "image/gif",
    "heic": "image/heic", "heif": "image/heif", "bmp": "image/bmp", "avif": "image/avif", "svg": "image/svg+xml",
    "pdf": "application/pdf", "txt": "text/plain", "md": "text/markdown", "html": "text/html", "htm": "text/html",
    "css": "text/css", "csv": "text/csv", "xml": "text/xml", "rtf": "text/rtf", "json": "application/json",
    "js": "text/javascript", "py": "text/x-python", "mp3": "audio/mpeg", "wav": "audio/wav", "aac": "audio/aac",
    "ogg": "audio/ogg", "flac": "audio/flac", "aiff": "audio/aiff", "m4a": "audio/mp4", "mp4": "video/mp4",
    "mpeg": "video/mpeg", "mpg": "video/mpeg", "mov": "video/quicktime", "webm": "video/webm", "wmv": "video/x-ms-wmv",
    "avi": "video/x-msvideo", "flv": "video/x-flv", "3gp": "video/3gpp",
}  # fmt: skip
_SOUNDS: Final = {"mp3": "audio/mpeg", "m4a": "audio/mp4", "pcm16": "audio/pcm"}
_VIDEO_HOST: Final = re.compile(r"https://(?:[a-z]+\.)?(?:youtube\.com|youtu\.be)/", re.IGNORECASE)
_EXTENSION: Final = re.compile(r"\.([A-Za-z0-9]{1,5})(?:[?#]|$)")
_MAGIC: Final = (("JVBER", "application/pdf"), ("iVBOR", "image/png"), ("/9j/", "image/jpeg"), ("UklGR", "audio/wav"))


def beside_of(chat: Chat) -> list[list[Spans]]:
    """The parts of each message as the caller wrote them, where any of them may hold something of Google's own."""
    messages = chat.raw["messages"]
    if not chat.traits.foreign and (_MEDIA.isdisjoint(chat.traits.needs) or _IN_TEXT.search(messages) is None):
        return []
    contents = [message.get("content", NULL) for message in _MESSAGES.decode(messages)]
    return [_PARTS.decode(content) if bytes(content).startswith(b"[") else [] for content in contents]


def made_of(content: str | list[Part] | None, beside: list[Spans] | None = None) -> list[Made]:
    """The parts of a message. Empty text is left out, since Google refuses it."""
    if isinstance(content, str):
        return [{"text": content}] if content else []
    made: list[Made] = []
    for index, one in enumerate(content or ()):
        span = beside[index] if beside else _NOTHING
        part = _part(one) if one.type in _TYPES else {name: span[name] for name in span if name != "type"}
        if part and part.get("text") != "":
            made.append(part | {name: span[name] for name in _MEMBERS if name in span})
    return made


def text_of(content: str | list[Part] | None) -> str:
    """The text alone."""
    if isinstance(content, list):
        return "".join([part.text or part.refusal or "" for part in content])
    return content or ""


def by_url(url: str, *, filename: str | None = None) -> Made:
    """The bytes of a data URL, or the reference itself."""
    found = _DATA_URL.match(url)
    if found is None:
        return by_reference(url, filename=filename)
    kind = found[1] or _kind_of(filename) or "application/octet-stream"
    data = url[found.end() :]
    return inline(kind, data if found[3] else base64.b64encode(unquote_to_bytes(data)).decode("ascii"))


def by_reference(url: str, *, filename: str | None = None) -> Made:
    """Files of the Files API, of Cloud Storage, of YouTube, and public ones. The type may stay open where Google
    knows it (https://ai.google.dev/gemini-api/docs/file-input-methods)."""
    kind = "video/mp4" if _VIDEO_HOST.match(url) else _kind_of(url) or _kind_of(filename)
    return {"fileData": {"mimeType": kind, "fileUri": url} if kind else {"fileUri": url}}


def inline(kind: str, data: str) -> Made:
    return {"inlineData": {"mimeType": kind, "data": data}}


def _part(part: Part) -> Made | None:
    if part.text is not None:
        return {"text": part.text}
    if part.image_url is not None:
        return by_url(part.image_url.url)
    if part.input_audio is not None:
        return _sound(part.input_audio)
    if part.file is not None:
        return _file(part.file)
    return {"text": part.refusal} if part.refusal else None


def _sound(sound: InputAudio) -> Made:
    found = _DATA_URL.match(sound.data)
    data = sound.data if found is None else sound.data[found.end() :]
    kind = sound.format if "/" in sound.format else _SOUNDS.get(sound.format, f"audio/{sound.format}")
    return inline(kind, data)


def _file(file: FileRef) -> Made | None:
    data = file.file_data
    if data is None:
        return by_reference(file.file_id, filename=file.filename) if file.file_id else None
    if "://" in data[:12] or data.startswith("data:"):
        return by_url(data, filename=file.filename)
    kind = next((kind for start, kind in _MAGIC if data.startswith(start)), None)
    return inline(_kind_of(file.filename) or kind or "application/pdf", data)


def _kind_of(name: str | None) -> str | None:
    found = _EXTENSION.search(name) if name else None
    return None if found is None else _BY_EXTENSION.get(found[1].lower())
