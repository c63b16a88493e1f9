"""Images, documents and recordings as converse takes them: bytes with the name of their format, or a place in S3."""

import re
from base64 import b64decode
from binascii import Error
from typing import Any, Final

from llmgateway.domain.chat import FileRef, InputAudio
from llmgateway.domain.errors import INVALID_VALUE, UpstreamError

_DATA_URL: Final = re.compile(r"data:([\w.+/-]*)(?:;[\w.+=-]+)*;base64,", re.ASCII)
_IMAGES: Final = {
    "image/png": "png",
    "image/jpeg": "jpeg",
    "image/jpg": "jpeg",
    "image/gif": "gif",
    "image/webp": "webp",
}
_MAGIC: Final = ((b"\x89PNG", "png"), (b"\xff\xd8", "jpeg"), (b"GIF8", "gif"), (b"RIFF", "webp"))
_DOCUMENTS: Final = {
    "application/pdf": "pdf",
    "text/csv": "csv",
    "application/msword": "doc",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/vnd.ms-excel": "xls",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    "text/html": "html",
    "text/plain": "txt",
    "text/markdown": "md",
}
_EXTENSIONS: Final = frozenset(_DOCUMENTS.values())
_ALIASES: Final = {"htm": "html", "text": "txt", "markdown": "md"}
_NOT_IN_NAMES: Final = re.compile(r"[^A-Za-z0-9\s\-()\[\]]+")
_SPACES: Final = re.compile(r"\s+")
_LONGEST_NAME: Final = 190


def image_block(url: str, *, path: str) -> dict[str, Any]:
    """Raises UpstreamError for a URL nobody fetched."""
    if url.startswith("s3://"):
        name = url.rpartition(".")[2].lower()
        kind = name if name in ("png", "gif", "webp") else "jpeg"
        return {"image": {"format": kind, "source": {"s3Location": {"uri": url}}}}
    kind, data = _split(url, path=path)
    found = _IMAGES.get(kind) or _sniffed(data)
    if found is None:
        raise _refused(path, f"an image of type '{kind[:100]}'; png, jpeg, gif and webp can be read")
    return {"image": {"format": found, "source": {"bytes": data}}}


def audio_block(audio: InputAudio) -> dict[str, Any]:
    return {"audio": {"format": audio.format, "source": {"bytes": _padded(audio.data)}}}


def document_block(file: FileRef, *, path: str, names: set[str]) -> dict[str, Any]:
    """`names`: those given before, to which this one's is added; no two documents may share one."""
    stem, dot, extension = (file.filename or "").rpartition(".")
    extension = _ALIASES.get(extension.lower(), extension.lower()) if dot else ""
    named = stem if extension in _EXTENSIONS else file.filename or ""
    given = file.file_data or file.file_id or ""
    if given.startswith("s3://"):
        ending = given.rpartition(".")[2].lower()
        kind = next((one for one in (extension, _ALIASES.get(ending, ending)) if one in _EXTENSIONS), "pdf")
        source: dict[str, Any] = {"s3Location": {"uri": given}}
    elif file.file_data:
        told, data = _split(given, path=path) if ":" in given[:100] else ("", _padded(given))
        kind = _DOCUMENTS.get(told, extension)
        if kind not in _EXTENSIONS:
            readable = ", ".join(sorted(_EXTENSIONS))
            raise _refused(path, f"a file of type '{(told or extension)[:100]}'; {readable} can be read")
        source = {"bytes": data}
    else:
        raise _refused(path, "a file without 'file_data'; files kept by another provider cannot be read")
    return {"document": {"format": kind, "name": _unique(_clean(named), names), "source": source}}


def _split(url: str, *, path: str) -> tuple[str, str]:
    head = _DATA_URL.match(url)
    if head is None:
        raise _refused(path, "a URL; this provider takes only data: and s3: URLs")
    return head[1].lower(), _padded(url[head.end() :])


def _padded(data: str) -> str:
    return data + "=" * (-len(data) % 4)


def _sniffed(data: str) -> str | None:
    try:
        start = b64decode(data[:16])
    except (Error, ValueError):
        return None
    return next((kind for magic, kind in _MAGIC if start.startswith(magic)), None)


def _clean(stem: str) -> str:
    """Letters, digits, single spaces, hyphens, parentheses and brackets are all that a name may have."""
    return _SPACES.sub(" ", _NOT_IN_NAMES.sub("-", stem)).strip()[:_LONGEST_NAME].strip() or "document"


def _unique(name: str, names: set[str]) -> str:
    number, told = 1, name
    while told in names:
        number += 1
        told = f"{name} {number}"
    names.add(told)
    return told


def _refused(path: str, what: str) -> UpstreamError:
    return UpstreamError(INVALID_VALUE, f"'{path}' holds {what}.", param=path)
