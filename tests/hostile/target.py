"""The gateway under attack: one real process with small limits, before an upstream that counts."""

import json
import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from tests.hostile.upstream import CountingUpstream
from tests.support.rawhttp import Answer, Connection, ask, request, until

ROOT = Path(__file__).parents[2]
KEY = "sk-hostile-test-" + "1" * 32
MODEL = "counting/hello"
BEARER = ("authorization", f"Bearer {KEY}")
JSON = ("content-type", "application/json")
_LEAKS = re.compile(r'Traceback|File "|\.py\b|/src/|/lib/|0x[0-9a-f]{8}|upstream-secret')


class Target:
    """`port` of the gateway, its `upstream`, and what can be seen of the process from outside."""

    def __init__(self, *, port: int, pid: int, upstream: CountingUpstream, data: Path, output: Path) -> None:
        self.port = port
        self.pid = pid
        self.upstream = upstream
        self._data = data
        self._output = output

    def good(self) -> None:
        """A request of a well-meaning client is served."""
        before = self.upstream.requests
        answer = ask(self.port, chat())
        assert (answer.status, answer.json["choices"][0]["message"]["content"]) == (200, "Hello")
        assert self.upstream.requests == before + 1

    def log(self) -> str:
        return self._output.read_text(errors="replace")

    def memory_bytes(self) -> int:
        return self._status("VmRSS")

    def peak_bytes(self) -> int:
        """The most memory since `reset_peak`."""
        return self._status("VmHWM")

    def reset_peak(self) -> None:
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")

    def gauge(self, name: str) -> float:
        """A value of /metrics, by the end of its name."""
        page = ask(self.port, request("GET", "/metrics")).body.decode()
        found = re.search(rf"^\w*{name}(?:{{[^}}]*}})? (\S+)$", page, re.MULTILINE)
        assert found is not None, name
        return float(found[1])

    def rows(self, where: str, *values: object) -> list[tuple[Any, ...]]:
        """Exchange rows (status, outcome, completion tokens) in the order of their ids."""
        path = self._data / "llmgateway.db"
        query = f"SELECT status, outcome, completion_tokens FROM exchanges WHERE {where} ORDER BY log_id"
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5)) as database:
            return database.execute(query, values).fetchall()

    def _status(self, name: str) -> int:
        text = Path(f"/proc/{self.pid}/status").read_text()
        return int(text.partition(f"{name}:")[2].split()[0]) * 1024


def chat(
    body: Any = None,
    *,
    headers: tuple[tuple[str, str], ...] = (BEARER, JSON),
    method: str = "POST",
    path: str = "/v1/chat/completions",
) -> bytes:
    """A chat request. `body`: bytes as they are, anything else as JSON; a good one if left out."""
    if body is None:
        body = conversation("Hi")
    return request(method, path, headers=headers, body=body if isinstance(body, bytes) else json.dumps(body).encode())


def conversation(text: str, **more: Any) -> dict[str, Any]:
    return {"model": MODEL, "messages": [{"role": "user", "content": text}], **more}


def decent(answer: Answer) -> None:
    """What holds for every error: the envelope, a request id, nothing of our insides."""
    assert answer.header("content-type") == "application/json"
    assert set(answer.json) <= {"error", "metadata"}
    error = answer.error
    assert list(error) == ["message", "type", "param", "code"]
    assert isinstance(error["message"], str)
    assert error["message"]
    assert len(error["message"]) < 2000
    assert re.fullmatch(r"[A-Za-z0-9._:\-]{1,128}", answer.header("x-request-id") or "")
    text = answer.body.decode()
    assert not _LEAKS.search(text), text
    assert KEY not in text


@contextmanager
def attacked(place: Path) -> Iterator[Target]:
    """Starts upstream and gateway, ends both."""
    upstream = CountingUpstream()
    upstream.start()
    config, data, output = place / "llmgateway.toml", place / "data", place / "output.txt"
    config.write_text(_configuration(upstream.port))
    with output.open("wb") as sink:
        process = subprocess.Popen(
            [
                sys.executable,
                *("-m", "llmgateway", "serve", "--config", str(config), "--port", "0", "--data-dir", str(data)),
            ],
            stdout=sink,
            stderr=subprocess.STDOUT,
            env=dict(os.environ, PYTHONPATH=str(ROOT / "src")),
        )
    try:
        until(lambda: b"First API key" in output.read_bytes() or process.poll() is not None, within_s=30)
        found = re.search(rb"on http://127\.0\.0\.1:(\d+)", output.read_bytes())
        assert found is not None, output.read_text()
        target = Target(port=int(found[1]), pid=process.pid, upstream=upstream, data=data, output=output)
        until(lambda: _ready(target.port), within_s=30)
        yield target
        assert process.poll() is None, output.read_text()
    finally:
        process.terminate()
        process.wait(20)
        upstream.stop()


def _ready(port: int) -> bool:
    try:
        with Connection(port) as connection:
            connection.send(request("GET", "/readyz"))
            return connection.answer().status == 200
    except (OSError, EOFError):
        return False


def _configuration(upstream_port: int) -> str:
    return f"""
[server]
max_body_mb = 1
max_header_bytes = 16384
max_uri_bytes = 2048
header_timeout_s = 1
body_timeout_s = 1.5
idle_timeout_s = 2
keep_alive_s = 0.5
shutdown_grace_s = 1

[providers.counting]
protocol = "openai-chat"
base_url = "http://127.0.0.1:{upstream_port}/v1"
api_keys = ["upstream-secret"]
allow_private_network = true

[[providers.counting.models]]
id = "hello"
context = 100000
max_output = 4096
input_usd_per_mtok = 0.10
output_usd_per_mtok = 0.40
capabilities = ["streaming"]

[[keys]]
name = "hostile"
key = "{KEY}"
"""
