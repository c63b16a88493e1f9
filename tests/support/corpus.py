"""Recorded exchanges with real providers, read in place from beside the repository, never copied into it.

`LLMGATEWAY_CORPORA` names another folder. Where there is none, tests that need it are skipped and say so.
"""

import base64
import functools
import hashlib
import json
import lzma
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.aws_frames import frame

FOLDER = Path(os.environ.get("LLMGATEWAY_CORPORA") or Path(__file__).resolve().parents[3] / "shared" / "corpora")
RECORDED = FOLDER / "dev.jsonl.xz"
QUOTED = FOLDER / "errors-quoted.jsonl"
needs_corpora = pytest.mark.skipif(
    not RECORDED.exists(), reason=f"no recorded exchanges in {FOLDER}; set LLMGATEWAY_CORPORA to their folder"
)
_REDACTED = "**redacted**"
_AWS_STREAM = "application/vnd.amazon.eventstream"
_CHAT_PATH = re.compile(r"/chat/completions$")


@dataclass(frozen=True)
class Recording:
    """One exchange: what was asked, and what the provider answered. `source` says who recorded it, and is its id.

    `raw`: the exact bytes of an answer that is not text, such as frames of an AWS event stream.
    """

    provider: str
    endpoint: str
    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes
    streamed: bool
    source: str
    features: frozenset[str]
    request: dict[str, Any] | None
    request_body: bytes | None
    fidelity: str = "raw"
    raw: bytes = b""
    method: str = "POST"

    @property
    def id(self) -> str:
        """As the folder's own replay server names it."""
        return hashlib.sha256(self.source.encode()).hexdigest()[:12]

    @property
    def path(self) -> str:
        return self.endpoint.partition("?")[0]

    @property
    def events(self) -> list[bytes]:
        """The body, cut after each blank line."""
        return [event for event in re.split(rb"(?<=\n\n)|(?<=\r\n\r\n)", self.body) if event]

    def __repr__(self) -> str:
        return f"{self.provider}-{self.id}"


@functools.cache
def recordings() -> tuple[Recording, ...]:
    """All of them; none where the folder is missing."""
    if not RECORDED.exists():
        return ()
    with lzma.open(RECORDED, "rt", encoding="utf-8") as lines:
        return tuple(_recording(json.loads(line)) for line in lines)


@functools.cache
def quoted() -> tuple[Recording, ...]:
    """Error answers that nobody recorded, quoted from public issue threads."""
    if not QUOTED.exists():
        return ()
    return tuple(_recording(json.loads(line)) for line in QUOTED.read_text(encoding="utf-8").splitlines() if line)


@functools.cache
def chats() -> tuple[Recording, ...]:
    """Those that speak the OpenAI chat protocol, whoever the provider is."""
    return tuple(recording for recording in recordings() if speaks_chat(recording))


def speaks_chat(recording: Recording) -> bool:
    """By its path, or by an answer whose choices hold messages or deltas."""
    if _CHAT_PATH.search(recording.path):
        return True
    if recording.status != 200 or b'"choices"' not in recording.body:
        return False
    return re.search(rb'"choices"\s*:\s*\[\s*\{[^\[\]]{0,200}"(?:message|delta)"\s*:\s*\{', recording.body) is not None


def _recording(record: dict[str, Any]) -> Recording:
    headers = {name.lower(): value for name, value in record["response_headers"].items() if value}
    if headers.get("content-type", "").lower() == _REDACTED:
        headers["content-type"] = _AWS_STREAM if record["stream"] else "application/json"
    request_body = record["request_body"]
    return Recording(
        provider=record["provider"],
        endpoint=record["endpoint"],
        status=record["status"],
        headers=tuple((name.encode(), value.encode()) for name, value in headers.items()),
        body=_answer(record),
        streamed=record["stream"],
        source=record["source"],
        features=frozenset(record["features"]),
        request=_object(request_body),
        request_body=None if request_body is None else request_body.encode("utf-8", "surrogatepass"),
        fidelity=record["fidelity"]["response"] if isinstance(record["fidelity"], dict) else record["fidelity"],
        raw=base64.b64decode(record.get("response_body_b64") or b""),
        method=record["method"],
    )


def _answer(record: dict[str, Any]) -> bytes:
    """As it came: binary frames where they were kept, else framed again around the events that were."""
    text = record["response_body"]
    if record.get("response_body_b64"):
        return base64.b64decode(record["response_body_b64"])
    if any(_AWS_STREAM in (value or "") for value in record["response_headers"].values()):
        return b"".join(map(frame, map(json.loads, text.splitlines())))
    return text.encode("utf-8", "surrogatepass")


def _object(text: str | None) -> dict[str, Any] | None:
    try:
        value = json.loads(text) if text else None
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
