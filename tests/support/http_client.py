"""A plain HTTP client for tests of a running server: whole answers, event streams, and streams that are left early."""

import http.client
import json
import socket
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import msgspec

CHAT = "/v1/chat/completions"


class Answer(msgspec.Struct, frozen=True):
    """What came back. Header names are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def frames(self) -> list[str]:
        """The parts of an event stream, comments and [DONE] among them."""
        return [frame for frame in self.body.decode().split("\n\n") if frame]

    @property
    def events(self) -> list[dict[str, Any]]:
        payloads = [frame.removeprefix("data: ") for frame in self.frames if frame.startswith("data: ")]
        return [json.loads(payload) for payload in payloads if payload != "[DONE]"]

    @property
    def last_event(self) -> dict[str, Any]:
        return self.events[-1]

    @property
    def text(self) -> str:
        """The content of choice 0, whole or streamed."""
        if not self.headers["content-type"].startswith("text/event-stream"):
            return self.json["choices"][0]["message"]["content"]
        choices = [choice for event in self.events for choice in event["choices"] if choice["index"] == 0]
        return "".join(choice["delta"].get("content") or "" for choice in choices)

    @property
    def finish_reasons(self) -> list[str]:
        choices = [choice for event in self.events for choice in event["choices"]]
        return [choice["finish_reason"] for choice in choices if choice["finish_reason"]]


def request(
    port: int,
    method: str,
    path: str,
    *,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    timeout_s: float = 30,
) -> Answer:
    """One request on a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_s)
    try:
        connection.request(method, path, body=body, headers={"connection": "close", **(headers or {})})
        response = connection.getresponse()
        return Answer(response.status, _lowered(response), response.read())
    finally:
        connection.close()


class OpenStream:
    """A stream that is read as far as a test wants."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self.received = b""

    def read_until(self, mark: bytes) -> bytes:
        """Everything received so far, once `mark` is in it. Raises EOFError when the stream ends before."""
        while mark not in self.received:
            data = self._connection.recv(65536)
            if not data:
                raise EOFError(self.received[-1000:])
            self.received += data
        return self.received

    def leave(self) -> None:
        self._connection.close()

    def half_close(self) -> None:
        self._connection.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Closes with RST instead of FIN."""
        self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._connection.close()


@contextmanager
def open_stream(port: int, body: bytes, *, headers: Mapping[str, str], timeout_s: float = 30) -> Iterator[OpenStream]:
    """A chat request whose answer is left to be read; the connection is closed at the end."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    head = f"POST {CHAT} HTTP/1.1\r\nhost: gateway\r\nconnection: close\r\n{lines}content-length: {len(body)}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=timeout_s) as connection:
        connection.sendall(head.encode() + body)
        yield OpenStream(connection)


def _lowered(response: http.client.HTTPResponse) -> dict[str, str]:
    return {name.lower(): value for name, value in response.getheaders()}
