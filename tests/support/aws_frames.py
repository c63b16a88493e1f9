"""Frames of an AWS event stream, made from the events that a recorder kept as JSON.

The format: lengths, CRC of the prelude, headers, payload, CRC of all
(https://smithy.io/2.0/aws/amazon-eventstream.html). Only string headers are needed here.
"""

import json
import struct
import zlib
from typing import Any

_STRING = 7


def frame(event: dict[str, Any]) -> bytes:
    """`{":message-type": …, ":event-type": …, "payload": …}`, or the shorter `{name of the event: payload}`."""
    if ":message-type" in event:
        headers = {name: value for name, value in event.items() if name.startswith(":")}
        payload = event["payload"]
    else:
        ((name, payload),) = event.items()
        headers = {":message-type": "event", ":event-type": name}
    headers.setdefault(":content-type", "application/json")
    return encoded(headers, json.dumps(payload).encode())


def encoded(headers: dict[str, str], payload: bytes) -> bytes:
    block = b"".join(_header(name.encode(), value.encode()) for name, value in headers.items())
    prelude = struct.pack("!II", len(block) + len(payload) + 16, len(block))
    prelude += struct.pack("!I", zlib.crc32(prelude))
    body = prelude + block + payload
    return body + struct.pack("!I", zlib.crc32(body))


def _header(name: bytes, value: bytes) -> bytes:
    return struct.pack("!B", len(name)) + name + struct.pack("!BH", _STRING, len(value)) + value
