"""Amazon's binary event stream, written from its description
(https://docs.aws.amazon.com/transcribe/latest/dg/event-stream.html): total length, length of the headers and their CRC;
headers whose values are strings; the payload; the CRC of all that."""

from binascii import crc32
from collections.abc import Iterable

_STRING = 7
_LENGTHS_BYTES = 8
_CRC_BYTES = 4


def message(headers: Iterable[tuple[str, str]], payload: bytes) -> bytes:
    """One message of the stream."""
    head = b"".join([_header(name, value) for name, value in headers])
    total = _LENGTHS_BYTES + _CRC_BYTES + len(head) + len(payload) + _CRC_BYTES
    prelude = total.to_bytes(4, "big") + len(head).to_bytes(4, "big")
    begun = prelude + crc32(prelude).to_bytes(4, "big") + head + payload
    return begun + crc32(begun).to_bytes(4, "big")


def spoiled(frame: bytes) -> bytes:
    """The message with a wrong CRC at its end."""
    return frame[:-1] + bytes((frame[-1] ^ 1,))


def _header(name: str, value: str) -> bytes:
    key, data = name.encode(), value.encode()
    return bytes((len(key),)) + key + bytes((_STRING,)) + len(data).to_bytes(2, "big") + data
