"""The size of a picture from the head of its data URL: every format, and what is no picture."""

import base64
import struct

import pytest

from llmgateway.engine.pictures import Picture, picture

PNG = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", 640, 480) + b"\x08\x02\0\0\0"
GIF = b"GIF89a" + struct.pack("<HH", 640, 480) + b"\0\0\0"
JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF" + bytes(10) + b"\xff\xc2\x00\x11\x08" + struct.pack(">HH", 480, 640) + bytes(12)
LOSSY = b"RIFF\0\0\0\0WEBPVP8 \0\0\0\0\0\0\0\x9d\x01\x2a" + struct.pack("<HH", 640, 480)
LOSSLESS = b"RIFF\0\0\0\0WEBPVP8L\0\0\0\0\x2f" + struct.pack("<I", 639 | 479 << 14)
EXTENDED = b"RIFF\0\0\0\0WEBPVP8X\0\0\0\0" + bytes(4) + (639).to_bytes(3, "little") + (479).to_bytes(3, "little")


def url(data: bytes) -> str:
    return f"data:image/any;base64,{base64.b64encode(data).decode()}"


@pytest.mark.parametrize("data", [PNG, GIF, JPEG, LOSSY, LOSSLESS, EXTENDED])
def test_the_head_tells_width_and_height(data: bytes) -> None:
    assert picture(url(data + bytes(20_000))) == Picture(640, 480)


@pytest.mark.parametrize("data", [b"", b"\xff\xd8", b"\xff\xd8\xff\xe0\x00\x00" + bytes(40), b"no picture", b"RIFF"])
def test_what_does_not_tell_its_size_is_unknown(data: bytes) -> None:
    assert picture(url(data)) == Picture()


def test_a_cut_png_is_unknown() -> None:
    assert picture(url(PNG[:12])) == Picture(0, 0)


@pytest.mark.parametrize("link", ["https://example.com/a.png", "data:image/png;base64,!", "data:", "gs://bucket/a"])
def test_a_link_or_a_broken_url_says_nothing(link: str) -> None:
    assert picture(link) == Picture()


def test_low_detail_is_kept() -> None:
    assert picture("https://example.com/a.png", detail="low").low
    assert picture(url(PNG), detail="low") == Picture(640, 480, low=True)
