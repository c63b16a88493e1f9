"""A client of bare bytes: sends what no HTTP library would send, and reads exactly what a server answers to it."""

import json
import socket
import time
from collections.abc import Iterable
from typing import Any

import msgspec

PATIENCE_S = 5.0


class Answer(msgspec.Struct, frozen=True):
    """One answer as it came. `interim`: the statuses of 1xx answers before it; `complete`: it ended as its framing
    promised."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    interim: tuple[int, ...] = ()
    complete: bool = True

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key == name), None)

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> dict[str, Any]:
        return self.json["error"]


class Connection:
    """One TCP connection. `heard`: every byte received so far."""

    def __init__(self, port: int, *, receive_buffer: int | None = None) -> None:
        self.socket = socket.socket()
        if receive_buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(PATIENCE_S)
        self.socket.connect(("127.0.0.1", port))
        self._unread = b""

    def __enter__(self) -> "Connection":
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def try_send(self, data: bytes) -> None:
        """Sends what a server that has already answered may no longer take."""
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass

    def answer(self, *, method: str = "GET") -> Answer:
        """The next answer. Raises EOFError when the server closed instead, TimeoutError when it said nothing."""
        interim: list[int] = []
        while True:
            head = self._until(b"\r\n\r\n").decode("latin-1").split("\r\n")
            status = int(head[0].split(" ")[1])
            if status >= 200:
                break
            interim.append(status)
        headers = tuple((name.lower(), value) for name, _, value in (line.partition(": ") for line in head[1:] if line))
        body, complete = self._body(dict(headers), bodiless=method == "HEAD" or status == 304)
        return Answer(status, headers, body, tuple(interim), complete)

    def interim(self) -> int:
        """The status of the next 1xx answer."""
        return int(self._until(b"\r\n\r\n").split(b" ")[1])

    def answers(self) -> list[Answer]:
        """Every answer until the server closes."""
        found: list[Answer] = []
        try:
            while True:
                found.append(self.answer())
        except (EOFError, ConnectionResetError):
            return found

    def closed(self, *, within_s: float = PATIENCE_S) -> bool:
        """Whether the server ends the connection, saying nothing more."""
        self.socket.settimeout(within_s)
        try:
            return not self._unread and self.socket.recv(1) == b""
        except ConnectionResetError:
            return True
        except TimeoutError:
            return False
        finally:
            self.socket.settimeout(PATIENCE_S)

    def half_close(self) -> None:
        self.socket.shutdown(socket.SHUT_WR)

    def _body(self, headers: dict[str, str], *, bodiless: bool) -> tuple[bytes, bool]:
        if bodiless:
            return b"", True
        if headers.get("transfer-encoding") == "chunked":
            return self._chunks()
        if "content-length" in headers:
            return self._exactly(int(headers["content-length"])), True
        rest, self._unread = self._unread, b""
        while data := self.socket.recv(65536):
            rest += data
        return rest, True

    def _chunks(self) -> tuple[bytes, bool]:
        body = b""
        try:
            while size := int(self._until(b"\r\n"), 16):
                body += self._exactly(size)
                self._exactly(2)
            self._exactly(2)
        except (EOFError, ConnectionResetError):
            return body, False
        return body, True

    def _until(self, mark: bytes) -> bytes:
        while mark not in self._unread:
            self._receive()
        found, _, self._unread = self._unread.partition(mark)
        return found

    def _exactly(self, count: int) -> bytes:
        while len(self._unread) < count:
            self._receive()
        found, self._unread = self._unread[:count], self._unread[count:]
        return found

    def _receive(self) -> None:
        data = self.socket.recv(262_144)
        if not data:
            raise EOFError("the server closed the connection")
        self._unread += data


def request(
    method: str = "POST",
    path: str = "/v1/chat/completions",
    *,
    headers: Iterable[tuple[str, str]] = (),
    body: bytes | None = None,
) -> bytes:
    """A well-framed request, whatever its headers say; they are sent as they are."""
    lines = [f"{method} {path} HTTP/1.1", "host: gateway", *(f"{name}: {value}" for name, value in headers)]
    if body is not None:
        lines.append(f"content-length: {len(body)}")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + (body or b"")


def ask(port: int, data: bytes, *, method: str = "GET") -> Answer:
    """One answer to these bytes on a connection of their own."""
    with Connection(port) as connection:
        connection.try_send(data)
        return connection.answer(method=method)


def until(condition: Any, *, within_s: float = PATIENCE_S) -> float:
    """Waits for something that another process does; how long it took."""
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > within_s:
            raise AssertionError("what was waited for did not happen")
        time.sleep(0.002)
    return time.monotonic() - began
