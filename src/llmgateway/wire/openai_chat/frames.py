"""Recognises what stands around the messages of a large request: model, tools and settings, the same with every step.

Knows the bytes of a body up to the bracket that opens its messages, and from the one that closes them, with all that
was read there. Who finds both around other plain messages has a request that says the same of them. What was seen
once is only noted: a frame that differs with every request is not worth its place.
"""

import time
from collections.abc import Callable
from typing import Final

import msgspec
from msgspec import Raw, Struct

from llmgateway.domain.chat import Chat, ChatRequest, Traits
from llmgateway.wire.openai_chat.glance import PlainMessages
from llmgateway.wire.openai_chat.lately import Lately

_SPANS: Final = msgspec.json.Decoder(dict[str, Raw])
_NAME: Final = "messages"
_QUOTED: Final = b'"messages"'
_LOOK_BYTES: Final = 64
_BESIDES: Final = 2_000
_NOTE_BYTES: Final = 400
_NOTES: Final = 256
_ALIKE: Final = 4
_EMPTY: Final = Raw(b"[]")

_Key = tuple[int, bytes, bytes, bytes]


class Frame(Struct, frozen=True):
    """`raw`: the spans in the caller's order, that of the messages empty. `traits`: those without messages."""

    head: bytes
    tail: bytes
    request: ChatRequest
    traits: Traits
    raw: dict[str, Raw]
    weight: int

    def around(self, messages: PlainMessages, body: bytes) -> Chat:
        """The request that has these messages, where `body` has them."""
        said = Raw(memoryview(body)[len(self.head) - 1 : len(body) - len(self.tail) + 1])
        bare = self.traits
        traits = Traits(
            bare.needs.copy(), bare.prompt_bytes + messages.characters, bare.rebuild, bare.foreign, messages.count
        )
        request = self.request
        return Chat(request, traits, {**self.raw, _NAME: said}, request.stream is True)


class Frames:
    """The frames of one process. `known`: how often one was recognised."""

    def __init__(self, *, max_bytes: int, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.lately: Lately[_Key, tuple[Frame, ...]] = Lately(max_bytes=max_bytes, monotonic=monotonic)
        self._noted: Lately[_Key, None] = Lately(max_bytes=_NOTES * _NOTE_BYTES, monotonic=monotonic)
        self.known = 0

    def find(self, body: bytes) -> Frame | None:
        """The frame whose head and tail these are. What is between them may be anything."""
        if not len(self.lately):
            return None
        key = _key(body, _opening(body))
        for frame in self.lately.get(key) or ():
            if body.endswith(frame.tail) and body.startswith(frame.head):
                self.known += 1
                self.lately.touch(key)
                return frame
        return None

    def learn(self, body: bytes, chat: Chat, *, start: int, messages: PlainMessages, weight: int) -> None:
        """`start`: the offset behind the bracket that opens an array like the messages of `chat`. `weight`: about the
        bytes that all the rest of it takes.
        """
        if not self.lately.max_bytes or start != _opening(body):
            return
        key = _key(body, start)
        if key in self._noted:
            self._keep(key, _frame(body, chat, start, messages, weight))
        else:
            self._noted.put(key, None, weight=_NOTE_BYTES)

    def _keep(self, key: _Key, frame: Frame | None) -> None:
        if frame is not None:
            frames = (frame, *(self.lately.get(key) or ()))[:_ALIKE]
            self.lately.put(key, frames, weight=sum(one.weight for one in frames))


def laid_out(body: bytes, spans: dict[str, Raw]) -> int:
    """The offset behind the bracket that opens the messages in a body without blanks, escaped names and members that
    are there twice, which its length proves; 0 in any other.
    """
    at, start = 1, 0
    for name, span in spans.items():
        at += len(name) + 3
        if name == _NAME:
            start = at + 1
        at += len(span) + 1
    return start if at == len(body) else 0


def placed(body: bytes, span: Raw) -> int:
    """The offset behind the bracket that opens these messages in the body, or the like of them; 0 where there is no
    telling.
    """
    start = _opening(body)
    return start if start and body.startswith(bytes(span), start - 1) else 0


def _opening(body: bytes) -> int:
    """Where the messages seem to begin, behind their bracket."""
    at = body.find(_QUOTED)
    return body.find(b"[", at) + 1 if at >= 0 else 0


def _key(body: bytes, start: int) -> _Key:
    """Nothing that depends on the messages: the last bracket that closes an array may be theirs, but not before it."""
    closing = body.rfind(b"]", -_LOOK_BYTES)
    ending = body[closing:] if closing >= 0 else body[-_LOOK_BYTES:]
    return start, body[: min(start, _LOOK_BYTES)], body[max(start - _LOOK_BYTES, 0) : start], ending


def _frame(body: bytes, chat: Chat, start: int, messages: PlainMessages, weight: int) -> Frame | None:
    """None unless the member that begins before `start` is what the messages are, whatever array it is."""
    head, tail = body[:start], body[start + len(chat.raw[_NAME]) - 2 :]
    try:
        before = _SPANS.decode(head + b"]}")
        after = _SPANS.decode(b'{"":[0' + tail)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if before.get(_NAME) != _EMPTY or not before.keys().isdisjoint(after) or "" in chat.raw:
        return None
    spans, traits = before | after, chat.traits
    return Frame(
        head,
        tail,
        chat.request,
        Traits(traits.needs, traits.prompt_bytes - messages.characters, traits.rebuild, traits.foreign, 0),
        {name: spans[name] for name in chat.raw},
        weight=2 * (len(head) + len(tail)) + weight + _BESIDES,
    )
