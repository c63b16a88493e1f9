"""What a wire protocol is to the simulator: how its requests are read, how its answers, events and errors are worded,
and which faults it has words for. Everything a dialect gives are plain JSON values, because faults must be able to
write what no type allows; delivery.py makes bytes of them."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from llmgateway.apps.simulator.scenario import Ask, Scenario
from llmgateway.apps.simulator.script import Header, Request

Json = dict[str, Any]
JSON = b"application/json"
BodyChange = Callable[[Json], object]
EventsChange = Callable[[list[Json], Scenario], list[Json]]


class Complaint(msgspec.Struct, frozen=True):
    """An error answer before a dialect words it. `kind`, `code` and `param` are in the dialect's own terms; empty: as
    the status suggests. `{authorization}` in the message stands for the key that the request came with.
    `retry_after_s`: when to come back, if that is told in seconds."""

    status: int
    message: str
    kind: str = ""
    code: str | None = None
    param: str | None = None
    retry_after_s: float | None = None


class InvalidAsk(Exception):
    """A request that the vendor would refuse; `complaint` says how."""

    def __init__(self, message: str, *, code: str | None = None, param: str | None = None, status: int = 400) -> None:
        super().__init__(message)
        self.complaint = Complaint(status, message, code=code, param=param)


class Asked(msgspec.Struct, frozen=True):
    """A request and what its path says: the model, and which of the dialect's actions."""

    request: Request
    model: str = ""
    action: str = ""


class Framing(msgspec.Struct, frozen=True, kw_only=True):
    """How a stream's events become bytes. `frame` gets the event, its payload (the event's JSON, unless a fault spoiled
    it) and its position; `end` is what the stream ends with. `lines`: the frames are lines of text (SSE). `closes`: a
    stream that ends with an error has its end all the same."""

    content_type: bytes
    frame: Callable[[Json, bytes, int], bytes]
    end: tuple[bytes, ...] = ()
    lines: bool = True
    closes: bool = False


class Dialect(msgspec.Struct, frozen=True, kw_only=True):
    """A protocol. `paths` maps the templates of its addresses to an action.

    `body` is a whole answer, `events` are a stream's. `speaks` tells an event that carries a token from those around
    it, `finishes` the first that says how the answer ended. `greets`: what comes before the first token arrives at
    once, the first token after its delay. `complaints` words the error faults, `error` any complaint; `error_event` is
    one in a stream, behind the events given. `bodies` and `changes` are its faults of whole and streamed answers,
    `frame_changes` those of its framing. `indent` is the white space of its whole answers.
    `waits_in_body`: the seconds to wait stand in the error, not in a header.
    """

    name: str
    title: str
    paths: Mapping[str, str]
    ask: Callable[[Asked], Ask]
    body: Callable[[Scenario], Json]
    events: Callable[[Scenario], list[Json]]
    framing: Callable[[Scenario], Framing]
    speaks: Callable[[Json], bool]
    finishes: Callable[[Json], bool]
    headers: Callable[[Scenario], tuple[Header, ...]]
    error: Callable[[Complaint, str], tuple[object, tuple[Header, ...]]]
    error_event: Callable[[Complaint, list[Json]], Json]
    complaints: Mapping[str, Complaint]
    bodies: Mapping[str, BodyChange]
    changes: Mapping[str, EventsChange]
    frame_changes: Mapping[str, Callable[[bytes], bytes]] = {}
    greets: bool = True
    waits_in_body: bool = False
    content_type: bytes = JSON
    indent: int | None = None
