"""The table of faults: what a simulated provider can do wrong, and what each looks like on the wire. The table is
what the documentation prints; how a fault is done stands in faults_wire (bytes and connections) and in each voice
(its bodies and events)."""

from typing import Literal

import msgspec


class Fault(msgspec.Struct, frozen=True):
    """A fault that befalls one request. `after`: events before it, in mid-stream; `slow_s`: seconds between pieces."""

    name: str
    after: int = 4
    retry_after_s: float = 2
    slow_s: float = 0.05


class FaultRow(msgspec.Struct, frozen=True):
    """A row of the table: what a streamed and a whole answer do. `answer` is what the model tries to say."""

    name: str
    streamed: str
    whole: str = "the same"
    answer: Literal["auto", "tools", "parallel-tools"] = "auto"


_ROWS = (
    # Connections
    FaultRow(
        "connect-refused", "The connection is reset (RST) as soon as the request has arrived; a refused dial: see below"
    ),
    FaultRow("reset", "RST before the head"),
    FaultRow("reset-mid", "RST after N events", "RST after half of the body"),
    FaultRow("stall-headers", "No head, the connection stays open"),
    FaultRow("stall-mid", "Silence after N events", "Silence after half of the body"),
    FaultRow(
        "cut",
        "Connection closed (FIN) after N events, no last chunk",
        "Closed after half of the body (chunked, no last chunk)",
    ),
    FaultRow("slow-body", "slow_ms before each event", "16 pieces, slow_ms before each"),
    FaultRow("content-length-long", "content-length 100 over the body, then closed"),
    FaultRow("content-length-short", "content-length 20 under the body, all of it sent, then closed"),
    FaultRow("gzip", "Body gzipped, `content-encoding: gzip`, whatever accept-encoding said"),
    FaultRow("gzip-unannounced", "Body gzipped, no content-encoding"),
    FaultRow("wrong-content-type", "`content-type: text/plain`, otherwise healthy"),
    FaultRow("byte-split", "Each byte in a write and an HTTP chunk of its own", "Each byte in a write of its own"),
    FaultRow("utf8-split", "Text with multi-byte characters, a new chunk inside each of them", "The same, by writes"),
    FaultRow("huge-chunk", "10 MB of events in one HTTP chunk", "10 MB of content in one HTTP chunk"),
    FaultRow("huge-event", "One event with 5 MB of content", "5 MB of content"),
)
FAULTS: dict[str, FaultRow] = {row.name: row for row in _ROWS}
