"""The provider behind the gateway under attack: counts what reaches it, streams slowly or endlessly as asked.

What the last message says decides: `slowly` an event every 50 ms for a minute, `endlessly` as fast as it is read,
`never` no answer at all, anything else a usual answer.
"""

import asyncio
import json
import threading
import time
from contextlib import suppress
from typing import Any

_USAGE = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
_FILLER = "x" * 4096


class CountingUpstream:
    """Runs in a thread of its own. `requests`: whole requests received; `left_s`: when (time.monotonic) each client of
    an unfinished answer went away; `sent_bytes`: by all endless streams; `bodies`: what was received last."""

    def __init__(self) -> None:
        self.requests = 0
        self.left_s: list[float] = []
        self.sent_bytes = 0
        self.bodies: list[bytes] = []
        self.heads: list[bytes] = []
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._listening = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()
        assert self._listening.wait(5)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=1024))
        self.port = server.sockets[0].getsockname()[1]
        self._listening.set()
        self._loop.run_forever()
        server.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0.05))
        self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line[:15] == b"content-length:")
                body = await reader.readexactly(length)
                self.requests += 1
                self.heads, self.bodies = [*self.heads[-9:], head], [*self.bodies[-9:], body]
                await self._answer(reader, writer, json.loads(body))
        writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, asked: dict[str, Any]) -> None:
        wish = asked["messages"][-1].get("content")
        if wish in ("slowly", "endlessly", "never"):
            telling = asyncio.ensure_future(self._tell(writer, wish))
            gone = asyncio.ensure_future(reader.read(1))
            await asyncio.wait((telling, gone), return_when=asyncio.FIRST_COMPLETED)
            self.left_s.append(time.monotonic())
            telling.cancel()
            raise ConnectionAbortedError
        if asked.get("stream"):
            _begin(writer)
            _event(writer, {"choices": [{"index": 0, "delta": {"role": "assistant", "content": "Hello"}}]})
            _event(writer, {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
            _event(writer, {"choices": [], "usage": _USAGE})
            _chunk(writer, b"data: [DONE]\n\n")
            writer.write(b"0\r\n\r\n")
        else:
            message = {"role": "assistant", "content": "Hello"}
            choice = {"index": 0, "message": message, "finish_reason": "stop"}
            answer = json.dumps({"id": "up-1", "object": "chat.completion", "choices": [choice], "usage": _USAGE})
            head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(answer)}\r\n\r\n"
            writer.write(head.encode() + answer.encode())
        await writer.drain()

    async def _tell(self, writer: asyncio.StreamWriter, how: str) -> None:
        with suppress(ConnectionError):
            if how == "never":
                await asyncio.sleep(60)
            _begin(writer)
            for _ in range(1200 if how == "slowly" else 1_000_000_000):
                text = "word " if how == "slowly" else _FILLER
                _event(writer, {"choices": [{"index": 0, "delta": {"role": "assistant", "content": text}}]})
                self.sent_bytes += len(text)
                await writer.drain()
                await asyncio.sleep(0.05 if how == "slowly" else 0)


def _begin(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")


def _event(writer: asyncio.StreamWriter, event: dict[str, Any]) -> None:
    envelope = {"id": "up-1", "object": "chat.completion.chunk", "created": 1_700_000_000, "model": "m"}
    _chunk(writer, b"data: " + json.dumps(envelope | event).encode() + b"\n\n")


def _chunk(writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.write(b"%x\r\n%b\r\n" % (len(data), data))
