"""Ways to damage an answer: bytes cut out and put in, and JSON whose members have the wrong type, are missing or twice.

Event streams are taken apart into their payloads and put together again, so that damage goes deeper than the framing;
frames of AWS get a right checksum again, or a wrong one on purpose.
"""

import json
import random
import re
from collections.abc import Callable
from typing import Any

from tests.fuzz.written import frame

JUNK = [
    b"\x00", b"\xff\xfe", b"\xc3", b"\n", b"\n\n", b"\r", b'"', b"\\", b"\\ud83d", b"{", b"}", b"[", b"]", b",", b"NaN",
    b"1e999", b"-1", b'"\\u0000"', b"data: ", b"data: [DONE]\n\n", b"data: 5\n\n", b"data: null\n\n", b"event: error\n",
    b":", b'data: {"error":"no"}\n\n', b'{"type":"error","error":{}}', b"9" * 400, b"true", b"null", b"[" * 3000,
    b"\xef\xbb\xbf", b"\x00\x00\x00\x10\x00\x00\x00\x00", b"\xff" * 12,
]  # fmt: skip
ODD: list[Any] = [
    None, True, False, 0, -1, 1, 2**31, 2**63, 2**70, 1.5, -0.0, 1e308, "", "x", "\u0000", "\ud83d", "é" * 50, "error",
    "stop", "1", [], [None], [[]], [{}], {}, {"": None}, {"type": "x"}, {"index": -1}, ["a", 1], "y" * 3000, [0] * 300,
]  # fmt: skip
NAMES = ["type", "index", "id", "text", "content", "role", "error", "usage", "delta", "x", ""]
_DATA = re.compile(rb"^data: ?(.*)$", re.MULTILINE)


def damaged(body: bytes, *, framed: bool, seed: int) -> bytes:
    """The same body, damaged in one to four ways; the seed decides how."""
    chance = random.Random(seed)
    for _ in range(chance.randint(1, 4)):
        change = chance.choice([_bytes, _bytes, _values, _values, _values, _shuffled])
        if change is _values and framed and body[:4] and body[0] == 0:
            body = _frames(body, chance)
        else:
            body = change(body, chance)
    return body


def pieces(body: bytes, *, seed: int) -> list[bytes]:
    """The body in pieces of random length."""
    chance = random.Random(seed)
    largest = chance.choice([1, 7, 60, 700, len(body) + 1])
    found: list[bytes] = []
    at = 0
    while at < len(body):
        size = chance.randint(1, largest)
        found.append(body[at : at + size])
        at += size
    return found


def _bytes(body: bytes, chance: random.Random) -> bytes:
    at = chance.randint(0, len(body))
    inserted = chance.choice([chance.choice(JUNK), chance.randbytes(chance.randint(0, 9)), b""])
    return body[:at] + inserted + body[at + chance.choice([0, 1, 5, 40]) :]


def _shuffled(body: bytes, chance: random.Random) -> bytes:
    """Events twice, missing or in another order."""
    events = [event for event in re.split(rb"(?<=\n\n)|(?<=\r\n\r\n)", body) if event]
    if len(events) < 2:
        return body[: chance.randint(0, len(body))]
    one, other = chance.randrange(len(events)), chance.randrange(len(events))
    if chance.random() < 0.4:
        events[one], events[other] = events[other], events[one]
    elif chance.random() < 0.5:
        events.insert(other, events[one])
    else:
        del events[one]
    return b"".join(events)


def _values(body: bytes, chance: random.Random) -> bytes:
    """One value of one payload replaced, removed or added."""
    spans = [match.span(1) for match in _DATA.finditer(body)] or [(0, len(body))]
    start, end = chance.choice(spans)
    changed = _json(body[start:end].strip(), chance)
    return body if changed is None else body[:start] + changed + body[end:]


def _frames(body: bytes, chance: random.Random) -> bytes:
    """One frame with another payload and a right checksum; now and then with a wrong one."""
    frames: list[tuple[dict[str, str], bytes]] = []
    at = 0
    while at + 16 <= len(body):
        total, headers = int.from_bytes(body[at : at + 4], "big"), int.from_bytes(body[at + 4 : at + 8], "big")
        if total < 16 + headers or at + total > len(body):
            break
        frames.append((_headers(body[at + 12 : at + 12 + headers]), body[at + 12 + headers : at + total - 4]))
        at += total
    if not frames:
        return _bytes(body, chance)
    place = chance.randrange(len(frames))
    headers, payload = frames[place]
    if chance.random() < 0.2:
        headers = {**headers, chance.choice([":event-type", ":message-type", ":exception-type"]): chance.choice(
            ["exception", "error", "metadata", "validationException", "chunk", "contentBlockStart", ""])}  # fmt: skip
    frames[place] = (headers, _json(payload, chance) or chance.randbytes(20))
    built = [frame(*one) for one in frames]
    if chance.random() < 0.1:
        built[place] = built[place][:-1] + bytes([built[place][-1] ^ 1])
    return b"".join(built) + body[at:]


def _headers(data: bytes) -> dict[str, str]:
    found: dict[str, str] = {}
    at = 0
    while at < len(data):
        size = data[at]
        name = data[at + 1 : at + 1 + size].decode("latin-1")
        at += 1 + size + 1
        length = int.from_bytes(data[at : at + 2], "big")
        found[name] = data[at + 2 : at + 2 + length].decode("latin-1")
        at += 2 + length
    return found


def _json(payload: bytes, chance: random.Random) -> bytes | None:
    try:
        value: Any = json.loads(payload)
    except (ValueError, RecursionError):
        return None
    places: list[Callable[[Any], None]] = []
    _collect(value, places)
    odd = chance.choice(ODD)
    if not places or chance.random() < 0.05:
        return json.dumps(odd).encode()
    chance.choice(places)(odd if chance.random() < 0.75 else _GONE)
    if isinstance(value, dict) and chance.random() < 0.2:
        value[chance.choice(NAMES)] = chance.choice(ODD)
    return json.dumps(value, ensure_ascii=chance.random() < 0.5).encode("utf-8", "surrogatepass")


_GONE = object()


def _collect(value: Any, places: list[Callable[[Any], None]]) -> None:
    """A setter for every place within a value; `_GONE` takes what is there away."""
    if isinstance(value, dict):
        for name, inner in value.items():
            places.append(_setter(value, name))
            _collect(inner, places)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            places.append(_setter(value, index))
            _collect(inner, places)


def _setter(container: Any, key: Any) -> Callable[[Any], None]:
    def put(value: Any) -> None:
        if value is _GONE:
            del container[key]
        else:
            container[key] = value

    return put
