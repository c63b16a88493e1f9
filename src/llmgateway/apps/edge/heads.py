"""Heads of chat requests that were read before, byte for byte: what they say is looked up instead of parsed again.

A client on a kept connection sends the same head with every request but for the length of its body. A head gets in
here only after the parser and `Front` have passed it, as the head of a request that came in one read; it is found again
by all of its bytes but the digits of that length. Whether its key still counts is asked anew whenever the snapshot has
changed; whatever else is unusual about a read leaves it to the parser.
"""

import re
from typing import Final

import msgspec

from llmgateway.domain.identity import ApiKey
from llmgateway.engine.exchange import RequestFacts
from llmgateway.engine.snapshot import Snapshot

_LENGTH: Final = re.compile(rb"\r\n[Cc]ontent-[Ll]ength: ([0-9]{1,9})\r\n")
_MOST: Final = 4096
_MOST_BYTES: Final = 4096


class Head(msgspec.Struct, frozen=True):
    """What a head said, but for the ids of a request: its facts, and whose key it carries under `snapshot`."""

    facts: RequestFacts
    key: ApiKey
    snapshot: Snapshot


class KnownHeads:
    """At most 4,096 heads of at most 4 KiB; when there are more it begins anew."""

    def __init__(self) -> None:
        self._heads: dict[bytes, Head] = {}

    def find(self, data: bytes) -> tuple[Head, bytes] | None:
        """The head and the body of a read that is exactly one request with a known head."""
        name, begin = _named(data)
        head = self._heads.get(name)
        return None if head is None else (head, data[begin:])

    def learn(self, data: bytes, head: Head) -> None:
        """`data` was one read, and all of one request."""
        name, end = _named(data)
        if not name or end > _MOST_BYTES:
            return
        if len(self._heads) >= _MOST:
            self._heads.clear()
        self._heads[name] = head


def _named(data: bytes) -> tuple[bytes, int]:
    """What a head is found by, and where its body begins; nothing for a read that is not one request alone."""
    end = data.find(b"\r\n\r\n")
    length = _LENGTH.search(data, 0, end + 2)
    if length is None or int(length[1]) != len(data) - end - 4:
        return b"", 0
    return data[: length.start(1)] + data[length.end(1) : end], end + 4
