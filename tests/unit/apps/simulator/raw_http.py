"""A client that looks at the bare bytes of one answer: how it is framed, how it ends, what it says."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from llmgateway.apps.simulator.server import SimulatorServer

DONE = b"data: [DONE]"
NOW = 1_767_323_045
"""The simulated clock of these tests."""


class RawAnswer(msgspec.Struct):
    """What a socket gave. `ending`: end (as framed), closed (FIN before it), reset, or silence. `chunks`: HTTP
    chunks."""

    ending: str
    status: int
    headers: dict[str, str]
    body: bytes
    chunks: list[bytes]

    @property
    def frames(self) -> list[bytes]:
        return [frame for frame in self.body.split(b"\n\n") if frame]

    @property
    def events(self) -> list[dict[str, Any]]:
        payloads = [frame.removeprefix(b"data: ") for frame in self.frames]
        return [msgspec.json.decode(payload) for payload in payloads if payload != b"[DONE]"]

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.body)


Ask = Callable[..., Awaitable[RawAnswer]]


async def exchange(server: SimulatorServer, request: bytes, *, patience_s: float = 5) -> RawAnswer:
    """Sends the bytes on a connection of their own and reads one answer."""
    reader, writer = await asyncio.open_connection(server.host, server.port, limit=2**24)
    answer = RawAnswer("silence", 0, {}, b"", [])
    try:
        writer.write(request)
        async with asyncio.timeout(patience_s):
            answer.ending = await _read(reader, answer)
    except TimeoutError:
        answer.ending = "silence"
    except ConnectionResetError:
        answer.ending = "reset"
    except asyncio.IncompleteReadError as error:
        answer.body += error.partial
        answer.ending = "closed"
    finally:
        writer.transport.abort()
    return answer


async def _read(reader: asyncio.StreamReader, answer: RawAnswer) -> str:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    answer.status = int(head[0].split(" ")[1])
    answer.headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
    if answer.headers.get("transfer-encoding") == "chunked":
        while size := int(await reader.readuntil(b"\r\n"), 16):
            answer.chunks.append(await reader.readexactly(size))
            answer.body += answer.chunks[-1]
            await reader.readexactly(2)
        await reader.readexactly(2)
    else:
        left = int(answer.headers["content-length"])
        while left > 0:
            data = await reader.read(left)
            if not data:
                return "closed"
            answer.body += data
            left -= len(data)
    return "end"


def healthy(answer: RawAnswer) -> None:
    """A complete answer as a provider without faults gives it."""
    assert (answer.ending, answer.status) == ("end", 200)
    if answer.headers["content-type"].startswith("text/event-stream"):
        assert answer.frames[-1] == DONE
        assert finishes(answer)
        assert answer.events[-1]["usage"]["completion_tokens"] > 0
    else:
        assert answer.json["choices"][0]["finish_reason"]
        assert answer.json["usage"]["completion_tokens"] > 0


def finishes(answer: RawAnswer) -> list[str]:
    choices = [choice for event in answer.events for choice in event["choices"]]
    return [choice["finish_reason"] for choice in choices if choice["finish_reason"]]


def contents(answer: RawAnswer) -> list[Any]:
    choices = [choice for event in answer.events for choice in event["choices"]]
    return [choice["delta"]["content"] for choice in choices if choice["delta"].get("content")]


def tool_deltas(answer: RawAnswer) -> list[dict[str, Any]]:
    choices = [choice for event in answer.events for choice in event["choices"]]
    return [call for choice in choices for call in choice["delta"].get("tool_calls", ())]


def tool_calls(answer: RawAnswer) -> list[dict[str, Any]]:
    return answer.json["choices"][0]["message"]["tool_calls"]
