"""Builds AWS event stream frames for tests: with any headers, and with the events and exceptions of Bedrock."""

import json
import struct
import zlib
from typing import Any

Header = tuple[str, int, bytes]
STRING = 7


def string(name: str, value: str) -> Header:
    data = value.encode()
    return name, STRING, struct.pack(">H", len(data)) + data


def frame(headers: list[Header], payload: bytes) -> bytes:
    """Each header is a name, the number of its type, and the bytes of its value."""
    block = b"".join(bytes([len(name)]) + name.encode() + bytes([kind]) + value for name, kind, value in headers)
    prelude = struct.pack(">II", 16 + len(block) + len(payload), len(block))
    prelude += struct.pack(">I", zlib.crc32(prelude))
    return sealed(prelude + block + payload)


def sealed(unsealed: bytes) -> bytes:
    return unsealed + struct.pack(">I", zlib.crc32(unsealed))


def event(kind: str, payload: dict[str, Any]) -> bytes:
    """As Bedrock sends it, the padding member included."""
    headers = [
        string(":event-type", kind),
        string(":content-type", "application/json"),
        string(":message-type", "event"),
    ]
    return frame(headers, json.dumps({**payload, "p": "abcdefgh"}).encode())


def exception(kind: str, payload: dict[str, Any]) -> bytes:
    headers = [
        string(":exception-type", kind),
        string(":content-type", "application/json"),
        string(":message-type", "exception"),
    ]
    return frame(headers, json.dumps(payload).encode())
