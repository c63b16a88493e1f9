"""An OpenAI-compatible provider that answers what the request tells it to, in the field `told` of its body.

A gateway passes unknown fields on to custom providers, so that a test says in one place what is asked and what the
provider makes of it: `text`, `message` (members besides the content), `usage`, `service_tier`, `delay_s`.
It remembers the requests as they arrived, byte for byte.
"""

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast

import msgspec

USAGE = {"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 12}


class Arrived(msgspec.Struct, frozen=True):
    """A request as it arrived. Header names are in lower case."""

    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        return json.loads(self.body)

    @property
    def spans(self) -> dict[str, bytes]:
        """The bytes of each top-level field."""
        fields = msgspec.json.decode(self.body, type=dict[str, msgspec.Raw])
        return {name: bytes(span) for name, span in fields.items()}


class ToldUpstream(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Request)
        self.arrived: list[Arrived] = []

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def last(self, mark: str) -> Arrived:
        """The last request whose body holds `mark`."""
        return next(one for one in reversed(self.arrived) if mark.encode() in one.body)


@contextlib.contextmanager
def told_upstream() -> Iterator[ToldUpstream]:
    with ToldUpstream() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


class _Request(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Nothing is printed."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        cast("ToldUpstream", self.server).arrived.append(Arrived(headers, body))
        asked = json.loads(body)
        told = asked.get("told") or {}
        time.sleep(told.get("delay_s", 0))
        envelope: dict[str, Any] = {"id": "chatcmpl-told", "created": 1_700_000_000, "model": asked["model"]}
        if "service_tier" in told:
            envelope["service_tier"] = told["service_tier"]
        if asked.get("stream"):
            self._stream(envelope, told, asked)
        else:
            self._whole(envelope, told)

    def _whole(self, envelope: dict[str, Any], told: dict[str, Any]) -> None:
        message = {"role": "assistant", "content": told.get("text", "Hello."), **told.get("message", {})}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
        answer = {**envelope, "object": "chat.completion", "choices": [choice], "usage": told.get("usage", USAGE)}
        body = json.dumps({name: value for name, value in answer.items() if value is not None}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _stream(self, envelope: dict[str, Any], told: dict[str, Any], asked: dict[str, Any]) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        event = {**envelope, "object": "chat.completion.chunk"}
        for delta in ({"role": "assistant", "content": ""}, {"content": told.get("text", "Hello.")}):
            self._event({**event, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]})
        self._event({**event, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
        usage = told.get("usage", USAGE)
        if usage is not None and (asked.get("stream_options") or {}).get("include_usage"):
            self._event({**event, "choices": [], "usage": usage})
        self._chunk(b"data: [DONE]\n\n")
        self._chunk(b"")

    def _event(self, event: dict[str, Any]) -> None:
        self._chunk(f"data: {json.dumps(event)}\n\n".encode())

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))
