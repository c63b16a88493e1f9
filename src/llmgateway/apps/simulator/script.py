"""What a simulated provider does on the wire, step by step, as values: the voices write it, the server and the
in-process transport play it. It knows HTTP's two body framings (a declared length, else chunks) and nothing about any
protocol."""

from collections.abc import Iterable, Sequence

import msgspec

Header = tuple[bytes, bytes]


class Request(msgspec.Struct, frozen=True):
    """A request that arrived: header names in lower case, `path` with its query."""

    method: str
    path: str
    headers: tuple[Header, ...]
    body: bytes

    def header(self, name: bytes) -> bytes | None:
        for key, value in self.headers:
            if key == name:
                return value
        return None


class Head(msgspec.Struct, frozen=True):
    """Status and headers. Without a content-length among them the body is sent in chunks."""

    status: int
    headers: tuple[Header, ...]

    @property
    def declared_length(self) -> int | None:
        for name, value in self.headers:
            if name == b"content-length":
                return int(value)
        return None


class Data(msgspec.Struct, frozen=True):
    """Body bytes; one HTTP chunk where the body is chunked."""

    data: bytes


class Wait(msgspec.Struct, frozen=True):
    """Nothing for a while; what came before is on its way. 0 only ends a write."""

    seconds: float


class Reset(msgspec.Struct, frozen=True):
    """The connection is reset (RST) without another byte."""


class Stall(msgspec.Struct, frozen=True):
    """Nothing ever again, the connection stays open."""


class Close(msgspec.Struct, frozen=True):
    """The connection is closed (FIN) without the body's proper end."""


Step = Head | Data | Wait | Reset | Stall | Close
Script = tuple[Step, ...]
"""A script that ends without Reset, Stall or Close ends its body properly and keeps the connection."""


def whole(status: int, body: bytes, *, content_type: bytes, headers: Iterable[Header] = ()) -> Script:
    """An answer of known length in one piece."""
    length = (b"content-length", b"%d" % len(body))
    return (Head(status, ((b"content-type", content_type), length, *headers)), Data(body))


def body_of(script: Sequence[Step]) -> bytes:
    """The body bytes of a script, without any framing."""
    return b"".join([step.data for step in script if isinstance(step, Data)])
