"""Programs of this package as real processes: a gateway with its data directory and rows, and a simulator.

`running_gateway` ends with SIGTERM and holds the gateway to its word: exit status 0 and an empty journal.
"""

import contextlib
import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

from tests.support.http_client import CHAT, Answer, OpenStream, open_stream, request

ROOT: Final = Path(__file__).parents[2]
STATIC_KEY: Final = "sk-end-to-end-key-of-the-gateway"
HELLO: Final = [{"role": "user", "content": "Hello"}]
_KEPT: Final = ("PATH", "HOME", "LANG", "TMPDIR")
_START_S: Final = 20
_STOP_S: Final = 20
T = TypeVar("T")


def wait_until(look: Callable[[], T], *, what: str, limit_s: float = 10) -> T:
    """The first truthy thing that `look` gives."""
    deadline = time.monotonic() + limit_s
    while not (found := look()):
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not happen within {limit_s} s")
        time.sleep(0.01)
    return found


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Ours without provider keys and gateway settings."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    return {**kept, "PYTHONPATH": str(ROOT / "src"), **(extra or {})}


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "llmgateway", *map(str, arguments)]


class Gateway:
    """A gateway process on a port and a data directory that stay the same over restarts."""

    def __init__(self, place: Path, *, configuration: str, variables: Mapping[str, str] | None = None) -> None:
        self.port = free_port()
        self.data = place / "data"
        self.config = place / "llmgateway.toml"
        self.output = place / "output.txt"
        self._variables = variables
        self._process: subprocess.Popen[bytes] | None = None
        place.mkdir(parents=True, exist_ok=True)
        self.config.write_text(configuration)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        options = ("--config", self.config, "--port", self.port, "--data-dir", self.data)
        with self.output.open("ab") as output:
            self._process = subprocess.Popen(
                command("serve", *options), stdout=output, stderr=output, env=environment(self._variables)
            )
        wait_until(self._ready, what="a ready gateway", limit_s=_START_S)

    def stop(self) -> None:
        """SIGTERM: everything under way is finished and carried over."""
        process = self._process
        assert process is not None
        process.send_signal(signal.SIGTERM)
        assert process.wait(_STOP_S) == 0, self.written()
        assert list((self.data / "journal").iterdir()) == []

    def kill(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def _ready(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.written()
        with contextlib.suppress(OSError):
            return self.get("/readyz").status == 200
        return False

    # Requests

    def chat(self, model: str, *, headers: Mapping[str, str] | None = None, **fields: object) -> Answer:
        """A chat request with the static key; `messages` unless given is a greeting."""
        body = json.dumps({"model": model, "messages": HELLO, **fields}).encode()
        return self.send(body, headers=headers)

    def send(self, body: bytes, *, headers: Mapping[str, str] | None = None) -> Answer:
        return request(self.port, "POST", CHAT, body=body, headers=_with_key(headers))

    def open_stream(
        self, model: str, *, headers: Mapping[str, str] | None = None, **fields: object
    ) -> contextlib.AbstractContextManager[OpenStream]:
        body = json.dumps({"model": model, "messages": HELLO, "stream": True, **fields}).encode()
        return open_stream(self.port, body, headers=_with_key(headers))

    def get(self, path: str, *, key: str | None = None) -> Answer:
        return request(self.port, "GET", path, headers={"authorization": f"Bearer {key}"} if key else None)

    # What it keeps and says

    def written(self) -> str:
        """Standard output and error so far."""
        return self.output.read_text()

    def metric(self, name: str) -> float:
        """The sum over all labels of a metric, without its prefix."""
        pattern = rf"^llmgateway_{name}(?:\{{.*\}})? (\S+)$"
        return sum(float(value) for value in re.findall(pattern, self.get("/metrics").body.decode(), re.MULTILINE))

    def ask(self, query: str, *values: object) -> list[dict[str, Any]]:
        """Rows of its database."""
        with contextlib.closing(sqlite3.connect(f"file:{self.data / 'llmgateway.db'}?mode=ro", uri=True)) as database:
            database.row_factory = sqlite3.Row
            return [dict(row) for row in database.execute(query, values)]

    def exchange(self, request_id: str) -> dict[str, Any]:
        """The one exchange row of a request, once it is there."""
        query = "SELECT * FROM exchanges WHERE request_id = ?"
        rows = wait_until(lambda: self.ask(query, request_id), what=f"the row of {request_id}")
        assert len(rows) == 1, rows
        return rows[0]

    def attempts(self, exchange: Mapping[str, Any]) -> list[dict[str, Any]]:
        return self.ask("SELECT * FROM attempts WHERE exchange_id = ? ORDER BY seq", exchange["log_id"])


@contextlib.contextmanager
def running_gateway(
    place: Path, *, configuration: str, variables: Mapping[str, str] | None = None
) -> Iterator[Gateway]:
    gateway = Gateway(place, configuration=configuration, variables=variables)
    try:
        gateway.start()
        yield gateway
        gateway.stop()
    finally:
        gateway.kill()


def static_key(key: str = STATIC_KEY, *, name: str = "tests") -> str:
    """The section of a configuration that makes a key valid."""
    return f'[[keys]]\nname = "{name}"\nkey = "{key}"\n'


def custom_provider(
    name: str, base_url: str, *lines: str, key: str = "sk-upstream-key", protocol: str = "openai-chat"
) -> str:
    """The section of a custom provider on this machine; `lines` are further settings."""
    head = f'[providers.{name}]\nprotocol = "{protocol}"\nbase_url = "{base_url}"\napi_keys = ["{key}"]\n'
    return "\n".join((head + "allow_private_network = true", *lines, ""))


class Simulator:
    """`llmgateway simulate` as a process."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.base_url = f"{self.url}/openai/v1"

    def report(self) -> dict[str, Any]:
        return request(self.port, "GET", "/simulator/requests").json

    @property
    def arrived(self) -> int:
        return self.report()["totals"]["requests"]

    @property
    def refused_port(self) -> int:
        return self.report()["refused_port"]

    def requests(self, mark: str) -> list[dict[str, Any]]:
        """The requests whose body holds `mark`."""
        return [one for one in self.report()["requests"] if mark in one["body"]]


@contextlib.contextmanager
def running_simulator() -> Iterator[Simulator]:
    with running_program(command("simulate", "--port", "0"), announces=rb"127\.0\.0\.1:(\d+)/openai") as port:
        yield Simulator(int(port))


@contextlib.contextmanager
def running_program(line: Sequence[str], *, announces: bytes, cwd: Path | None = None) -> Iterator[bytes]:
    """A program from the line of its output that `announces` matches on; gives the pattern's group."""
    process = subprocess.Popen(line, stdout=subprocess.PIPE, env=environment(), cwd=cwd)
    output = process.stdout
    assert output is not None
    try:
        with output:
            found = None
            while found is None:
                said = output.readline()
                assert said, f"{line} ended with status {process.wait()}"
                found = re.search(announces, said)
            yield found[1]
            process.terminate()
            process.wait(_STOP_S)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def _with_key(headers: Mapping[str, str] | None) -> dict[str, str]:
    return {"authorization": f"Bearer {STATIC_KEY}", "content-type": "application/json", **(headers or {})}
