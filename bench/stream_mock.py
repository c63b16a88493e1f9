"""The mock provider of streams: answers from precomputed bytes, all at once, paced, held open, or broken on purpose.

One timer wheel writes to all paced streams, so that 20,000 chunks a second leave most of its core to the load tool.
The first path segment chooses the behaviour, for example `POST /paced/v1/chat/completions`.
"""

import argparse
import asyncio
import time
from typing import cast

import uvloop

from bench import dialects, payloads

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n"
END = b"0\r\n\r\n"
STEP_MS = 20
"""Pace of a stream, and the number of slots of the wheel: one slot a millisecond."""


def framed(data: bytes) -> bytes:
    """One HTTP chunk."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def frames(events: list[bytes]) -> list[bytes]:
    """One write per chunk; the first carries head, role and first token, the last all that follows the last delta."""
    deltas, rest = events[: payloads.CHUNKS], events[payloads.CHUNKS :]
    written = [framed(event) for event in deltas]
    written[:2] = [HEAD + written[0] + written[1]]
    written[-1] += b"".join(framed(event) for event in rest) + END
    return written


def whole(status: str, body: bytes) -> bytes:
    head = f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


CLEAN = frames(payloads.stream_events())
UNCLEAN = frames(payloads.unclean_events())
ANTHROPIC = frames(dialects.anthropic_events())
GOOGLE = frames(dialects.google_events())
AT_ONCE = {
    b"whole": whole("200 OK", payloads.whole_answer()),
    b"burst": b"".join(CLEAN),
    b"burst-unclean": b"".join(UNCLEAN),
    b"burst-anthropic": b"".join(ANTHROPIC),
    b"burst-google": b"".join(GOOGLE),
    b"fault-500": whole("500 Internal Server Error", b'{"error":{"message":"mock failure","type":"server_error"}}'),
    b"fault-garbage": whole("200 OK", b'{"id":'),
}
PACED = {b"paced": CLEAN, b"paced-unclean": UNCLEAN, b"paced-anthropic": ANTHROPIC, b"paced-google": GOOGLE}
CUT = b"".join(CLEAN[:10])


class Wheel:
    """Writes the next chunk to every stream, each once per STEP_MS, spread evenly over the milliseconds between."""

    def __init__(self) -> None:
        self.slots: list[dict[asyncio.Transport, tuple[list[bytes], int]]] = [{} for _ in range(STEP_MS)]
        self.joined = 0
        self.tick = 0
        self.origin = 0.0

    def start(self) -> None:
        self.origin = time.monotonic()
        self.turn()

    def join(self, transport: asyncio.Transport, *, stream: list[bytes]) -> None:
        """The first chunk now, the others at this stream's slot."""
        transport.write(stream[0])
        self.joined += 1
        self.slots[self.joined % STEP_MS][transport] = (stream, 1)

    def turn(self) -> None:
        """Runs each slot that is due; ticks that came late are made up for."""
        due = int((time.monotonic() - self.origin) * 1000)
        while self.tick < due:
            self.tick += 1
            self.write(self.slots[self.tick % STEP_MS])
        asyncio.get_running_loop().call_later(0.001, self.turn)

    def write(self, slot: dict[asyncio.Transport, tuple[list[bytes], int]]) -> None:
        for transport, (stream, position) in list(slot.items()):
            if transport.is_closing() or position == len(stream):
                del slot[transport]
                continue
            transport.write(stream[position])
            if position + 1 == len(stream):
                del slot[transport]
            else:
                slot[transport] = (stream, position + 1)


class Connection(asyncio.Protocol):
    """One keep-alive connection; requests come one at a time, as an HTTP/1.1 client without pipelining sends them."""

    def __init__(self, wheel: Wheel) -> None:
        self.wheel = wheel
        self.data = b""
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's transports are no subclass of it

    def data_received(self, data: bytes) -> None:
        self.data = self.data + data if self.data else data
        end = self.data.find(b"\r\n\r\n")
        if end < 0 or len(self.data) < end + 4 + content_length(self.data[:end]):
            return
        path = self.data[: self.data.index(b"\r\n")].split(b" ")[1]
        self.data = b""
        self.answer(path.split(b"/")[1])

    def answer(self, behaviour: bytes) -> None:
        if (stream := PACED.get(behaviour)) is not None:
            self.wheel.join(self.transport, stream=stream)
        elif behaviour == b"idle":
            self.transport.write(CLEAN[0])
        elif behaviour == b"fault-cut":
            self.transport.write(CUT)
            self.transport.close()
        else:
            self.transport.write(AT_ONCE.get(behaviour) or whole("404 Not Found", b"{}"))


def content_length(head: bytes) -> int:
    lowered = head.lower()
    at = lowered.find(b"\r\ncontent-length:")
    return int(lowered[at + 17 :].split(b"\r\n", 1)[0]) if at >= 0 else 0


async def serve(port: int) -> None:
    loop = asyncio.get_running_loop()
    wheel = Wheel()
    server = await loop.create_server(lambda: Connection(wheel), "127.0.0.1", port, backlog=4096)
    wheel.start()
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    uvloop.run(serve(parser.parse_args().port))
