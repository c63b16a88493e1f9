"""Content parts as the content blocks of this protocol: text, images, documents.

Images and documents go as base64 or by URL, plain text files as text. Texts with nothing in them are no blocks, since
the API refuses them (platform.claude.com/docs/en/api/messages).
"""

from base64 import b64decode, b64encode
from typing import Any, Final
from urllib.parse import unquote_to_bytes

import msgspec
from msgspec import Raw

from llmgateway.domain.chat import CacheControl, FileRef, Part

Block = dict[str, Any]

_PARTS: Final = msgspec.json.Decoder(list[dict[str, Raw]])
_KNOWN: Final = frozenset(("type", "text", "image_url", "input_audio", "file", "refusal", "cache_control"))
_NATIVE: Final = {"file": ("citations", "title", "context"), "text": ("citations",)}
"""Members of a part that this protocol has and ours does not; a caller who writes them means them."""
_TYPES: Final = frozenset(("text", "image_url", "file", "refusal"))
_NULL: Final = b"null"
_PDF: Final = "application/pdf"
_BY_SUFFIX: Final = {
    "txt": "text/plain", "md": "text/markdown", "csv": "text/csv", "html": "text/html", "xml": "text/xml",
    "json": "application/json", "png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg", "gif": "image/gif",
    "webp": "image/webp",
}  # fmt: skip
_TEXTUAL: Final = frozenset(("application/json", "application/xml", "application/yaml", "application/javascript"))


def text_block(text: str, *, cached: CacheControl | None = None) -> Block:
    return with_cache({"type": "text", "text": text}, cached)


def with_cache(block: Block, cached: CacheControl | None) -> Block:
    if cached is not None:
        block["cache_control"] = (
            {"type": cached.type} if cached.ttl is None else {"type": cached.type, "ttl": cached.ttl}
        )
    return block


def blocks_of(content: str | list[Part] | None, span: Raw | None, dropped: dict[str, None]) -> list[Block]:
    """The blocks of a message's content. `span`: its raw form, for what the typed parts do not hold."""
    if content is None:
        return []
    if isinstance(content, str):
        return [text_block(content)] if content.strip() else []
    spans = _PARTS.decode(span) if span is not None else []
    blocks: list[Block] = []
    for index, part in enumerate(content):
        raw = spans[index] if index < len(spans) else {}
        if part.type not in _TYPES:
            blocks.append(dict(raw))
            continue
        block = _block(part, dropped)
        if block is None:
            continue
        if not raw.keys() <= _KNOWN:
            native = _NATIVE.get(part.type, ())
            list_unknown(raw, _KNOWN.union(native), "messages[].content[]", dropped)
            block |= {name: raw[name] for name in native if name in raw}
        blocks.append(with_cache(block, part.cache_control))
    return _without_blanks(blocks)


def _without_blanks(blocks: list[Block]) -> list[Block]:
    """White space alone is no text to the API, unless it stands between texts."""
    blank = [block["type"] == "text" and not block["text"].strip() for block in blocks]
    if not any(blank):
        return blocks
    kinds = ["", *(block["type"] for block in blocks), ""]
    kept = [
        block for index, block in enumerate(blocks) if not blank[index] or "text" in (kinds[index], kinds[index + 2])
    ]
    return kept if any(block["type"] != "text" or block["text"].strip() for block in kept) else []


def list_unknown(raw: dict[str, Raw], known: frozenset[str], path: str, dropped: dict[str, None]) -> None:
    """Members that nobody here has a word for."""
    for name in raw.keys() - known:
        if bytes(raw[name]) != _NULL:
            dropped[f"{path}.{name}"] = None


def _block(part: Part, dropped: dict[str, None]) -> Block | None:
    if part.image_url is not None and part.type == "image_url":
        if part.image_url.detail not in (None, "auto"):
            dropped["messages[].content[].image_url.detail"] = None
        return image_block(part.image_url.url)
    if part.file is not None and part.type == "file":
        return document_block(part.file)
    text = part.refusal if part.type == "refusal" else part.text
    return {"type": "text", "text": text} if text else None


def image_block(url: str) -> Block:
    inline = _data_url(url)
    if inline is None:
        return {"type": "image", "source": {"type": "url", "url": url}}
    return _inline_image(*inline)


def _inline_image(media_type: str, data: str) -> Block:
    media_type = "image/jpeg" if media_type == "image/jpg" else media_type
    return {"type": "image", "source": {"type": "base64", "media_type": media_type, "data": data}}


def document_block(file: FileRef) -> Block:
    """PDF as base64, text as text, anything by id or URL; an image that came as a file is an image."""
    source: Block
    by_name = _BY_SUFFIX.get((file.filename or "").rpartition(".")[2].lower(), _PDF)
    if not file.file_data:
        source = {"type": "file", "file_id": file.file_id or ""}
        if by_name.startswith("image/"):
            return {"type": "image", "source": source}
    elif file.file_data.startswith(("https://", "http://")):
        source = {"type": "url", "url": file.file_data}
    else:
        media_type, data = _data_url(file.file_data) or (by_name, file.file_data)
        if media_type.startswith("image/"):
            return _inline_image(media_type, data)
        source = _inline(media_type, data)
    block: Block = {"type": "document", "source": source}
    if file.filename:
        block["title"] = file.filename
    return block


def _inline(media_type: str, data: str) -> Block:
    text = _decoded(data) if media_type.startswith("text/") or media_type in _TEXTUAL else None
    if text is not None:
        return {"type": "text", "media_type": "text/plain", "data": text}
    return {"type": "base64", "media_type": media_type, "data": data}


def _decoded(data: str) -> str | None:
    """None for what is not base64 of UTF-8; the provider then says what is wrong with it."""
    try:
        return b64decode(data).decode()
    except ValueError:
        return None


def _data_url(url: str) -> tuple[str, str] | None:
    """(media type, base64) of a data URL (RFC 2397); None for anything else."""
    if url[:5].lower() != "data:":
        return None
    head, _, data = url[5:].partition(",")
    media_type, _, rest = head.partition(";")
    if not rest.lower().endswith("base64"):
        data = b64encode(unquote_to_bytes(data)).decode()
    return (media_type.strip().lower() or "text/plain"), data
