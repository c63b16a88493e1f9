"""Images, documents and recordings become bytes with a format, or a place in S3."""

from typing import Any

import pytest

from llmgateway.domain.errors import INVALID_VALUE, UpstreamError
from llmgateway.wire.bedrock.build import build_request
from tests.unit.wire.bedrock.converse import PNG, asked, bedrock, messages_of

JPEG = "/9j/4AAQSkZJRgABAQAAAQABAAD/"


def block(part: dict[str, Any]) -> dict[str, Any]:
    return messages_of(messages=[{"role": "user", "content": [part, {"type": "text", "text": "?"}]}])[0]["content"][0]


def image(url: str) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url}}


def file(**members: Any) -> dict[str, Any]:
    return {"type": "file", "file": members}


@pytest.mark.parametrize(
    ("url", "sent"),
    [
        (f"data:image/png;base64,{PNG}", ("png", PNG)),
        (f"data:image/jpg;base64,{JPEG}", ("jpeg", JPEG)),
        (f"data:image/webp;charset=x;base64,{PNG}", ("webp", PNG)),
        (f"data:application/octet-stream;base64,{PNG}", ("png", PNG)),
        (f"data:;base64,{JPEG}", ("jpeg", JPEG)),
        (f"data:image/png;base64,{PNG.rstrip('=')}", ("png", PNG)),
    ],
)
def test_images(url: str, sent: tuple[str, str]) -> None:
    """Padding that a sender left out is put back; a type that says nothing is found by the first bytes."""
    assert block(image(url)) == {"image": {"format": sent[0], "source": {"bytes": sent[1]}}}


def test_an_image_in_s3_is_named() -> None:
    assert block(image("s3://bucket/a.jpg")) == {
        "image": {"format": "jpeg", "source": {"s3Location": {"uri": "s3://bucket/a.jpg"}}}
    }


@pytest.mark.parametrize(
    ("filename", "data", "sent"),
    [
        ("My report (1).pdf", "data:application/pdf;base64,JVBERi0=", ("pdf", "My report (1)")),
        ("data.csv", "YSxi", ("csv", "data")),
        ("notes_v2.final.txt", "data:text/plain;base64,YQ", ("txt", "notes-v2-final")),
        ("page.HTM", "data:;base64,YQ==", ("html", "page")),
        (None, "data:text/markdown;base64,YQ==", ("md", "document")),
        ("Ä€/..", "data:application/pdf;base64,JVBERi0=", ("pdf", "-")),
        ("a   b\tc.docx", "YQ==", ("docx", "a b c")),
    ],
)
def test_documents_have_a_format_and_a_neutral_name(filename: str | None, data: str, sent: tuple[str, str]) -> None:
    told = block(file(filename=filename, file_data=data))["document"]
    assert (told["format"], told["name"]) == sent


def test_no_two_documents_share_a_name() -> None:
    part = file(filename="a.pdf", file_data="data:application/pdf;base64,JVBERi0=")
    turns = messages_of(messages=[{"role": "user", "content": [part, part, part, {"type": "text", "text": "?"}]}])
    assert [one["document"]["name"] for one in turns[0]["content"][:3]] == ["a", "a 2", "a 3"]


def test_a_document_in_s3_is_named() -> None:
    told = block(file(filename="a", file_data="s3://bucket/a.csv"))["document"]
    assert told == {"format": "csv", "name": "a", "source": {"s3Location": {"uri": "s3://bucket/a.csv"}}}


def test_a_document_may_be_cited() -> None:
    part = {**file(filename="a.pdf", file_data="data:application/pdf;base64,JVBERi0="), "citations": {"enabled": True}}
    assert block(part)["document"]["citations"] == {"enabled": True}


def test_recordings() -> None:
    part = {"type": "input_audio", "input_audio": {"data": "YQ", "format": "mp3"}}
    assert block(part) == {"audio": {"format": "mp3", "source": {"bytes": "YQ=="}}}


@pytest.mark.parametrize(
    ("part", "where"),
    [
        (image("https://example.com/a.png"), "image_url.url"),
        (image("data:image/tiff;base64,SUkqAA=="), "image_url.url"),
        (image("data:image/png,raw"), "image_url.url"),
        (file(filename="a.exe", file_data="TVo="), "file"),
        (file(file_data="TVo="), "file"),
        (file(file_id="file-123"), "file"),
        (file(filename="a.pdf", file_data="https://example.com/a.pdf"), "file"),
    ],
)
def test_what_cannot_be_read_is_refused_by_name(part: dict[str, Any], where: str) -> None:
    chat = asked(messages=[{"role": "user", "content": [{"type": "text", "text": "?"}, part]}])
    with pytest.raises(UpstreamError) as refused:
        build_request(chat, to=bedrock())
    assert (refused.value.kind, refused.value.param) == (INVALID_VALUE, f"messages[0].content[1].{where}")
