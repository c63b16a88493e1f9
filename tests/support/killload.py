"""A load for the kill test: an upstream whose usage follows from the prompt, and a client that files whole answers.

Every request carries a number; `usage_of` says what the upstream will report for it and `cost_of` what that must cost,
so that each row in the database can be held against the answer that a client received.
"""

import asyncio
import json
import re
from contextlib import suppress
from typing import Any

import msgspec

MODEL = "numbered"
PROVIDER = "counting"
KEY = "sk-kill-test-" + "0" * 32
_NUMBER = re.compile(rb"number (\d+)\.")


class Filed(msgspec.Struct, frozen=True):
    """A fully received answer."""

    number: int
    stream: bool


def configuration(*, upstream_port: int) -> str:
    return f"""
[providers.{PROVIDER}]
protocol = "openai-chat"
base_url = "http://127.0.0.1:{upstream_port}/v1"
api_keys = ["upstream-secret"]
allow_private_network = true

[[providers.{PROVIDER}.models]]
id = "{MODEL}"
context = 100000
max_output = 1000
input_usd_per_mtok = 0.10
output_usd_per_mtok = 0.40
cached_input_usd_per_mtok = 0.02
capabilities = ["streaming"]

[[keys]]
name = "load"
key = "{KEY}"
"""


def usage_of(number: int) -> dict[str, Any]:
    prompt, completion, cached = 20 + number % 89, 1 + number % 41, number % 17
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": cached},
    }


def cost_of(number: int) -> int:
    """Pico-dollars, by the prices above."""
    usage = usage_of(number)
    cached = usage["prompt_tokens_details"]["cached_tokens"]
    return (usage["prompt_tokens"] - cached) * 100_000 + cached * 20_000 + usage["completion_tokens"] * 400_000


async def serve_upstream(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One connection of an OpenAI-compatible provider."""
    with suppress(asyncio.IncompleteReadError, ConnectionError):
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            length = re.search(rb"content-length: *(\d+)", head)
            body = await reader.readexactly(int(length[1]) if length else 0)
            number = _NUMBER.search(body)
            assert number is not None
            if json.loads(body).get("stream"):
                await _stream(writer, int(number[1]))
            else:
                _answer(writer, int(number[1]))
            await writer.drain()
    writer.close()


def _answer(writer: asyncio.StreamWriter, number: int) -> None:
    choice = {"index": 0, "message": {"role": "assistant", "content": f"It is {number}."}, "finish_reason": "stop"}
    answer = {"id": f"up-{number}", "object": "chat.completion", "created": 1_700_000_000, "model": MODEL}
    body = json.dumps(answer | {"choices": [choice], "usage": usage_of(number)}).encode()
    head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)


async def _stream(writer: asyncio.StreamWriter, number: int) -> None:
    """A few events, so that kills fall between them, then usage and the end."""
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
    event = {"id": f"up-{number}", "object": "chat.completion.chunk", "created": 1_700_000_000, "model": MODEL}
    for word in ("It", " is", f" {number}", "."):
        delta = {"role": "assistant", "content": word}
        _event(writer, event | {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]})
        await writer.drain()
        await asyncio.sleep(0.002)
    _event(writer, event | {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    _event(writer, event | {"choices": [], "usage": usage_of(number)})
    _chunk(writer, b"data: [DONE]\n\n")
    writer.write(b"0\r\n\r\n")


def _event(writer: asyncio.StreamWriter, event: dict[str, Any]) -> None:
    _chunk(writer, f"data: {json.dumps(event)}\n\n".encode())


def _chunk(writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")


class Load:
    """Paced requests, every other one streamed.

    `filed`: what was received whole, by x-request-id. `refused`: the heads of answers that were no success.
    """

    def __init__(self, port: int, *, per_second: float) -> None:
        self._port = port
        self._pause_s = 1 / per_second
        self._number = 0
        self._running: set[asyncio.Task[None]] = set()
        self.filed: dict[str, Filed] = {}
        self.refused: list[bytes] = []

    async def run(self) -> None:
        """Until cancelled. A gateway that is down does not slow it."""
        clock = asyncio.get_running_loop().time
        due = clock()
        while True:
            self._number += 1
            task = asyncio.create_task(self._request(self._number))
            self._running.add(task)
            task.add_done_callback(self._running.discard)
            due = max(due + self._pause_s, clock() - 1)
            await asyncio.sleep(due - clock())

    async def settle(self) -> None:
        """Wait for the answers that are still to come."""
        await asyncio.gather(*self._running)

    async def _request(self, number: int) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError, TimeoutError):
            async with asyncio.timeout(20):
                reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
                try:
                    writer.write(_request_bytes(number))
                    await self._file(number, reader)
                finally:
                    writer.close()

    async def _file(self, number: int, reader: asyncio.StreamReader) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            self.refused.append(head)
            return
        stream = number % 2 == 0
        if stream:
            await reader.readuntil(b"data: [DONE]\n\n")
        else:
            length = re.search(rb"content-length: *(\d+)", head.lower())
            assert length is not None
            await reader.readexactly(int(length[1]))
        request_id = re.search(rb"x-request-id: *(\S+)", head.lower())
        assert request_id is not None
        self.filed[request_id[1].decode()] = Filed(number, stream)


def _request_bytes(number: int) -> bytes:
    messages = [{"role": "user", "content": f"Which number is it? It is number {number}."}]
    body = json.dumps({"model": f"{PROVIDER}/{MODEL}", "stream": number % 2 == 0, "messages": messages}).encode()
    return (
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: gateway\r\nauthorization: Bearer {KEY}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
    ).encode() + body
