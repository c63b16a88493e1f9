"""Faults of bytes and connections, whatever the protocol: how events are framed, how the body is cut into writes, and
what becomes of the connection. What a provider says is left to the voices."""

import gzip
from collections.abc import Callable, Iterator, Sequence

from llmgateway.apps.simulator.faults import Fault
from llmgateway.apps.simulator.script import Close, Data, Head, Reset, Script, Stall, Step, Wait, body_of

NONE = Fault("")
BOM = b"\xef\xbb\xbf"
_FLUSH = Wait(0.02)
_SPLIT = Wait(0)
_PIECES = 16
_MAX_SPLIT_STEPS = 128 * 1024


def payloads(encoded: Sequence[bytes], *, fault: Fault) -> list[bytes]:
    """The JSON of each event as the fault leaves it."""
    if fault.name == "json-array":
        return [b"[%b]" % payload for payload in encoded]
    if fault.name == "malformed-json":
        return [p if at != fault.after else p[: len(p) * 2 // 3] for at, p in enumerate(encoded)]
    return list(encoded)


def frames(encoded: Sequence[bytes], *, fault: Fault) -> list[bytes]:
    """The frames of a stream of text lines as the fault leaves them."""
    change = _FRAMES.get(fault.name)
    return list(encoded) if change is None or not encoded else change(encoded)


def body(data: bytes, *, fault: Fault) -> bytes:
    """The JSON of a whole answer as the fault leaves it."""
    change = _BODIES.get(fault.name)
    return data if change is None else change(data)


def befall(steps: Script, *, fault: Fault, streamed: bool) -> Script:
    """The script as the fault leaves it."""
    change = _SCRIPTS.get(fault.name)
    return steps if change is None else change(steps, fault, streamed)


def _commented(encoded: Sequence[bytes]) -> list[bytes]:
    return [
        b": SIMULATOR PROCESSING\n\nevent: message\nid: %d\nretry: 3000\n" % at + frame
        for at, frame in enumerate(encoded)
    ]


def _many_lines(frame: bytes) -> bytes:
    """The JSON broken after its outermost first brace and before its last: white space to JSON, two more lines to
    SSE."""
    before, data, inner = frame.partition(b"data: {")
    if not data:
        return frame
    end = b"\r\n" if frame.endswith(b"\r\n") else b"\n"
    inner = inner.rstrip().removesuffix(b"}")
    return b"%bdata: {%bdata: %b%bdata:}%b%b" % (before, end, inner, end, end, end)


_FRAMES: dict[str, Callable[[Sequence[bytes]], list[bytes]]] = {
    "crlf": lambda encoded: [frame.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n") for frame in encoded],
    "bom": lambda encoded: [BOM + encoded[0], *encoded[1:]],
    "comments": _commented,
    "multi-line-data": lambda encoded: [_many_lines(frame) for frame in encoded],
    "no-last-blank-line": lambda encoded: [*encoded[:-1], encoded[-1].rstrip(b"\r\n")],
}
_BODIES: dict[str, Callable[[bytes], bytes]] = {
    "bom": lambda data: BOM + data,
    "multi-line-data": lambda data: b"{\n" + data[1:-1] + b"\n}",
    "leading-space": lambda data: b"\n\n         \n" + data + b"\n",
    "malformed-json": lambda data: data[: len(data) * 2 // 3],
}


def _halfway(steps: Script, fault: Fault, *, streamed: bool, end: Step) -> Script:
    """The script up to the middle, flushed, and then `end`."""
    if not streamed:
        return (*_cut_in_two(steps), _FLUSH, end)
    left = fault.after or 0
    kept: list[Step] = []
    for step in steps:
        if isinstance(step, Data):
            if left == 0:
                break
            left -= 1
        kept.append(step)
    return (*kept, _FLUSH, end)


def _cut_in_two(steps: Script) -> Iterator[Step]:
    for step in steps:
        yield Data(step.data[: len(step.data) // 2]) if isinstance(step, Data) else step


def _cut(steps: Script, fault: Fault, streamed: bool) -> Script:  # noqa: FBT001 - a row of the table of changes
    return _halfway(_undeclared(steps), fault, streamed=streamed, end=Close())


def _slow(steps: Script, fault: Fault, streamed: bool) -> Script:  # noqa: FBT001 - a row of the table of changes
    slowed: list[Step] = []
    for step in steps:
        if not isinstance(step, Data):
            slowed.append(step)
        elif streamed:
            slowed += [Wait(fault.slow_s), step]
        else:
            size = max(-(-len(step.data) // _PIECES), 1)
            for at in range(0, len(step.data), size):
                slowed += [Wait(fault.slow_s), Data(step.data[at : at + size])]
    return tuple(slowed)


def _declared(steps: Script, *, more: int) -> Script:
    """With a content-length that is wrong by `more` bytes, and the connection closed behind the body."""
    length = max(len(body_of(steps)) + more, 1)
    return (*_with_headers(_undeclared(steps), (b"content-length", b"%d" % length)), _FLUSH, Close())


def _undeclared(steps: Script) -> Script:
    return tuple([_without(step, b"content-length") if isinstance(step, Head) else step for step in steps])


def _without(head: Head, name: bytes) -> Head:
    return Head(head.status, tuple([pair for pair in head.headers if pair[0] != name]))


def _with_headers(steps: Script, *headers: tuple[bytes, bytes]) -> Script:
    return tuple([Head(step.status, (*step.headers, *headers)) if isinstance(step, Head) else step for step in steps])


def _typed(steps: Script, content_type: bytes) -> Script:
    named = tuple([_without(step, b"content-type") if isinstance(step, Head) else step for step in steps])
    return _with_headers(named, (b"content-type", content_type))


def _gzipped(steps: Script, *headers: tuple[bytes, bytes]) -> Script:
    packed = gzip.compress(body_of(steps), 6, mtime=0)
    before = [step for step in _undeclared(steps) if not isinstance(step, Data)]
    return (*_with_headers(tuple(before), (b"content-length", b"%d" % len(packed)), *headers), Data(packed))


def _split(steps: Script, *, where: Callable[[int, int], bool]) -> Script:
    """Data cut before each byte for which `where(byte before, byte)` holds, each piece written on its own."""
    pieces: list[Step] = []
    for step in steps:
        if not isinstance(step, Data) or len(pieces) > _MAX_SPLIT_STEPS:
            pieces.append(step)
            continue
        data, start = step.data, 0
        for at in range(1, len(data)):
            if where(data[at - 1], data[at]):
                pieces += [Data(data[start:at]), _SPLIT]
                start = at
        pieces += [Data(data[start:]), _SPLIT]
    return tuple(pieces)


def _inside_character(before: int, _: int) -> bool:
    return before >= 0xC0


def _joined(steps: Script) -> Script:
    """All of the body in one chunk."""
    return (*[step for step in _undeclared(steps) if not isinstance(step, Data)], Data(body_of(steps)))


def _empty(steps: Script) -> Script:
    before = tuple([step for step in _undeclared(steps) if not isinstance(step, Data)])
    return _with_headers(before, (b"content-length", b"0"))


_SCRIPTS: dict[str, Callable[[Script, Fault, bool], Script]] = {
    "connect-refused": lambda _steps, _fault, _streamed: (Reset(),),
    "reset": lambda _steps, _fault, _streamed: (Reset(),),
    "reset-mid": lambda steps, fault, streamed: _halfway(steps, fault, streamed=streamed, end=Reset()),
    "stall-headers": lambda _steps, _fault, _streamed: (Stall(),),
    "stall-mid": lambda steps, fault, streamed: _halfway(steps, fault, streamed=streamed, end=Stall()),
    "cut": _cut,
    "slow-body": _slow,
    "content-length-long": lambda steps, _fault, _streamed: _declared(steps, more=100),
    "content-length-short": lambda steps, _fault, _streamed: _declared(steps, more=-20),
    "gzip": lambda steps, _fault, _streamed: _gzipped(steps, (b"content-encoding", b"gzip")),
    "gzip-unannounced": lambda steps, _fault, _streamed: _gzipped(steps),
    "wrong-content-type": lambda steps, _fault, _streamed: _typed(steps, b"text/plain; charset=utf-8"),
    "byte-split": lambda steps, _fault, _streamed: _split(steps, where=lambda _before, _byte: True),
    "utf8-split": lambda steps, _fault, _streamed: _split(steps, where=_inside_character),
    "huge-chunk": lambda steps, _fault, _streamed: _joined(steps),
    "empty-body": lambda steps, _fault, _streamed: _empty(steps),
}
