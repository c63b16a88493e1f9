"""Recognises what a conversation said before: an agent's request is its last one and a few messages more.

Knows bodies from their first byte to the end of their last message, whose messages were read and found plain, and
compares all of those bytes; only the messages behind them are read. Where the messages of a body are is for the caller
to know. The key is a look at 64 bytes near the end of what is known: at one of sixteen places per octave of its length,
so that few looks find it in a body that went on. A conversation that was seen once is only noted: most of what is
sent once never comes again.
"""

import time
from collections.abc import Callable
from typing import Final

from msgspec import Struct

from llmgateway.wire.openai_chat.glance import PlainMessages, plain_messages
from llmgateway.wire.openai_chat.lately import Lately

_LOOK_BYTES: Final = 64
_LOOKS: Final = 8
_BESIDES: Final = 600
_BLANKS: Final = b" \t\n\r"


class _Turn(Struct, frozen=True):
    """`said[start:]` is an array of plain messages without its brackets."""

    said: bytes
    start: int
    messages: PlainMessages


_NOTED: Final = _Turn(b"", 0, PlainMessages(0, 0))
"""Stands for a conversation that was seen once."""


class Turns:
    """The conversations of one process. `known`, `grown`: how often one was recognised as it was, or went on."""

    def __init__(self, *, max_bytes: int, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.lately: Lately[bytes, _Turn] = Lately(max_bytes=max_bytes, monotonic=monotonic)
        self.known = self.grown = 0

    def read(self, body: bytes, *, start: int, end: int) -> PlainMessages | None:
        """What `plain_messages` says of `body[start - 1 : end + 1]`, which begins and ends with a bracket."""
        if not self.lately.max_bytes:
            return plain_messages(memoryview(body)[start - 1 : end + 1])
        key, turn = self._find(body, start, end)
        if turn is None or turn is _NOTED:
            messages = plain_messages(memoryview(body)[start - 1 : end + 1])
        else:
            more = body[len(turn.said) : end].strip(_BLANKS)
            if not more:
                self.known += 1
                self.lately.touch(key)
                return turn.messages
            messages = _joined(turn.messages, more)
            self.grown += messages is not None
        if messages is None or end + _BESIDES > self.lately.max_bytes // 4:
            return messages
        if turn is not None:
            self.lately.drop(key)
            self._learn(body[:end].rstrip(_BLANKS), start, messages)
        elif key:
            self.lately.put(key, _NOTED, weight=_BESIDES)
        return messages

    def _find(self, body: bytes, start: int, end: int) -> tuple[bytes, _Turn | None]:
        """What is known of the conversation, and its key; None and the key for a note if it is not even noted."""
        size, get, least = _place(end), self.lately.get, start + _LOOK_BYTES
        octave = 1 << max(size.bit_length() - 1, 0)
        step = octave >> 4
        note, noted = b"", None
        for _ in range(_LOOKS):
            if size < least:
                break
            key = body[size - _LOOK_BYTES : size]
            turn = get(key)
            if turn is None:
                note = note or key
            elif turn is _NOTED:
                note, noted = key, turn
            elif turn.start == start and len(turn.said) <= end and body.startswith(turn.said):
                return key, turn
            if size == octave:
                octave >>= 1
                step >>= 1
            size -= step
        return note, noted

    def _learn(self, said: bytes, start: int, messages: PlainMessages) -> None:
        size = _place(len(said))
        if size >= start + _LOOK_BYTES:
            self.lately.put(said[size - _LOOK_BYTES : size], _Turn(said, start, messages), weight=len(said) + _BESIDES)


def _place(length: int) -> int:
    """The last place to look at that is not behind `length`: there are sixteen between a power of two and the next."""
    return length & -(1 << max(length.bit_length() - 5, 0))


def _joined(before: PlainMessages, more: bytes) -> PlainMessages | None:
    """With what follows the last message that was known; None where that is not a comma and plain messages."""
    fresh = plain_messages(b"[%b]" % more[1:]) if more.startswith(b",") else None
    if fresh is None:
        return None
    return PlainMessages(before.count + fresh.count, before.characters + fresh.characters)
