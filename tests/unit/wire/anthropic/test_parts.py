"""Images and documents in all forms."""

from base64 import b64encode
from typing import Any

import pytest

from tests.unit.wire.anthropic.asking import built, claude

PDF = b64encode(b"%PDF-1.4").decode()
INLINE = {"type": "base64", "media_type": "application/pdf", "data": PDF}
TEXT = {"type": "text", "media_type": "text/plain"}
NOTE = b64encode("Grüße".encode()).decode()


def block(part: dict[str, Any]) -> dict[str, Any]:
    (only,) = built(claude(), messages=[{"role": "user", "content": [part]}])[0]["messages"][0]["content"]
    return only


@pytest.mark.parametrize(
    ("url", "source"),
    [
        ("https://x.test/a.png", {"type": "url", "url": "https://x.test/a.png"}),
        ("data:image/png;base64,AAAA", {"type": "base64", "media_type": "image/png", "data": "AAAA"}),
        ("data:image/jpg;base64,AAAA", {"type": "base64", "media_type": "image/jpeg", "data": "AAAA"}),
        ("DATA:image/GIF;charset=x;BASE64,AAAA", {"type": "base64", "media_type": "image/gif", "data": "AAAA"}),
        ("data:image/webp,%00%00%00", {"type": "base64", "media_type": "image/webp", "data": "AAAA"}),
    ],
)
def test_images(url: str, source: dict[str, Any]) -> None:
    assert block({"type": "image_url", "image_url": {"url": url}}) == {"type": "image", "source": source}


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ({"file_id": "file_1"}, {"type": "file", "file_id": "file_1"}),
        ({"file_data": "https://x.test/a.pdf"}, {"type": "url", "url": "https://x.test/a.pdf"}),
        ({"file_data": f"data:application/pdf;base64,{PDF}"}, INLINE),
        ({"file_data": PDF}, INLINE),
        ({"file_data": f"data:text/markdown;base64,{NOTE}"}, {**TEXT, "data": "Grüße"}),
        ({"file_data": "data:,Hi"}, {**TEXT, "data": "Hi"}),
        ({"file_data": "data:text/csv;base64,/w=="}, {"type": "base64", "media_type": "text/csv", "data": "/w=="}),
    ],
)  # fmt: skip
def test_documents(file: dict[str, Any], source: dict[str, Any]) -> None:
    assert block({"type": "file", "file": file}) == {"type": "document", "source": source}


def test_a_files_name_is_its_title_and_tells_its_type() -> None:
    named = block({"type": "file", "file": {"filename": "notes.txt", "file_data": NOTE}})
    assert named["title"] == "notes.txt"
    assert named["source"]["data"] == "Grüße"
    assert block({"type": "file", "file": {"filename": "a.PNG", "file_data": "AAAA"}})["type"] == "image"
    assert block({"type": "file", "file": {"filename": "a.jpg", "file_id": "file_1"}})["type"] == "image"


def test_breakpoints_and_members_that_this_protocol_has_are_kept() -> None:
    kept = {"cache_control": {"type": "ephemeral"}, "citations": {"enabled": True}, "context": "A test."}
    assert kept.items() <= block({"type": "file", "file": {"file_id": "f"}, **kept}).items()


def test_the_detail_of_an_image_is_listed() -> None:
    image = {"type": "image_url", "image_url": {"url": "https://x.test/a.png", "detail": "high"}}
    _, dropped = built(claude(), messages=[{"role": "user", "content": [image, image]}])
    assert dropped == ("messages[].content[].image_url.detail",)
