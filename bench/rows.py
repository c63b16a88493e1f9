"""What the bench measures: one row per figure, with its limit. The other modules measure, this one says what."""

from collections.abc import Mapping

import msgspec

from bench import payloads, traffic
from bench.traffic import Body, Lane


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One figure. `limit` is the largest value that passes, in `unit`."""

    name: str
    title: str
    limit: float
    unit: str


class CpuRow(Row, frozen=True, kw_only=True):
    """CPU of the gateway per request or (`per` = CHUNKS) per chunk, as a multiple of nginx's or of another row's.

    Rows with the same behaviour, body and connections share one measurement of nginx. `against`: the row of OpenAI's
    protocol that is the yardstick instead; it is measured in the same rounds.
    """

    lane: Lane
    body: Body = payloads.small_body
    connections: int
    per: int = 1
    send_s: float = 4.6
    drain_s: float = 0.4
    unit: str = "× nginx"
    against: "CpuRow | None" = None

    @property
    def yardstick(self) -> str:
        """What it is compared with, in a word."""
        return "nginx" if self.against is None else "openai"

    @property
    def group(self) -> tuple[str, str, int]:
        if self.against is not None:
            return self.against.group
        return (self.lane.behaviour, self.body.__name__, self.connections)


class LatencyRow(Row, frozen=True, kw_only=True):
    """What the gateway adds to the time to first byte at 200 requests/s: percentile `quantile`, in milliseconds."""

    lane: Lane
    quantile: float
    unit: str = "ms added"


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """A measured row. `void` says why the figure must not be used; empty = valid. `detail`: the figures behind it."""

    name: str
    title: str
    value: float
    limit: float
    unit: str
    detail: Mapping[str, float] = {}
    void: tuple[str, ...] = ()

    @property
    def verdict(self) -> str:
        if self.void:
            return "VOID"
        return "pass" if self.value <= self.limit else "FAIL"


def beside(row: CpuRow, *, name: str, title: str, lane: Lane) -> CpuRow:
    """The same load on another protocol's lane, which may cost twice what `row` costs."""
    return msgspec.structs.replace(row, name=name, title=title, lane=lane, limit=2, unit="× openai", against=row)


BURST_DECODED = CpuRow(
    name="burst-decoded",
    title="chunk, all at once, decoded row",
    lane=traffic.BURST_DECODED,
    connections=16,
    per=payloads.CHUNKS,
    limit=4,
)
PACED_DECODED = CpuRow(
    name="paced-decoded",
    title="chunk, one every 20 ms, decoded row",
    lane=traffic.PACED_DECODED,
    connections=400,
    per=payloads.CHUNKS,
    limit=2.5,
    drain_s=2.4,
)
CPU_ROWS = (
    CpuRow(name="whole-500", title="whole answer, 500 B request", lane=traffic.WHOLE, connections=32, limit=5),
    CpuRow(
        name="whole-40k",
        title="whole answer, 40 KB request",
        lane=traffic.WHOLE,
        body=payloads.large_body,
        connections=32,
        limit=5,
    ),
    CpuRow(
        name="whole-40k-new",
        title="whole answer, 40 KB request never seen before",
        lane=traffic.WHOLE,
        body=payloads.new_body,
        connections=32,
        limit=5,
    ),
    CpuRow(
        name="burst-clean",
        title="chunk, all at once, clean row",
        lane=traffic.BURST_CLEAN,
        connections=16,
        per=payloads.CHUNKS,
        limit=4,
    ),
    BURST_DECODED,
    beside(
        BURST_DECODED,
        name="burst-anthropic",
        title="chunk, all at once, Anthropic's protocol",
        lane=traffic.BURST_ANTHROPIC,
    ),
    beside(
        BURST_DECODED, name="burst-google", title="chunk, all at once, Google's protocol", lane=traffic.BURST_GOOGLE
    ),
    CpuRow(
        name="burst-unclean",
        title="chunk, all at once, events to be put right",
        lane=traffic.BURST_UNCLEAN,
        connections=16,
        per=payloads.CHUNKS,
        limit=4,
    ),
    CpuRow(
        name="paced-clean",
        title="chunk, one every 20 ms, clean row",
        lane=traffic.PACED_CLEAN,
        connections=400,
        per=payloads.CHUNKS,
        limit=2.5,
        drain_s=2.4,
    ),
    PACED_DECODED,
    beside(
        PACED_DECODED,
        name="paced-anthropic",
        title="chunk, one every 20 ms, Anthropic's protocol",
        lane=traffic.PACED_ANTHROPIC,
    ),
    beside(
        PACED_DECODED,
        name="paced-google",
        title="chunk, one every 20 ms, Google's protocol",
        lane=traffic.PACED_GOOGLE,
    ),
    CpuRow(
        name="paced-unclean",
        title="chunk, one every 20 ms, events to be put right",
        lane=traffic.PACED_UNCLEAN,
        connections=400,
        per=payloads.CHUNKS,
        limit=2.5,
        drain_s=2.4,
    ),
)
LATENCY_ROWS = (
    LatencyRow(name="latency-whole-p50", title="whole answer, 200/s, p50", lane=traffic.WHOLE, quantile=0.5, limit=1),
    LatencyRow(name="latency-whole-p99", title="whole answer, 200/s, p99", lane=traffic.WHOLE, quantile=0.99, limit=5),
    LatencyRow(
        name="latency-token-p50", title="first token, 200/s, p50", lane=traffic.PACED_CLEAN, quantile=0.5, limit=1
    ),
    LatencyRow(
        name="latency-token-p99", title="first token, 200/s, p99", lane=traffic.PACED_CLEAN, quantile=0.99, limit=5
    ),
)
MEMORY_IDLE = Row(name="memory-idle", title="process after start", limit=90, unit="MB")
MEMORY_STREAMS = Row(name="memory-streams", title="1,000 idle open streams", limit=40, unit="MB more")
START = Row(name="start", title="exec to first 200 on /readyz, existing data", limit=1.5, unit="s")
START_FRESH = Row(name="start-fresh", title="exec to first 200 on /readyz, empty data directory", limit=1.5, unit="s")
PROCESS_ROWS = (MEMORY_IDLE, MEMORY_STREAMS, START, START_FRESH)
ROWS: tuple[Row, ...] = (*CPU_ROWS, *LATENCY_ROWS, *PROCESS_ROWS)


def result(row: Row, *, value: float, detail: Mapping[str, float] | None = None, void: tuple[str, ...] = ()) -> Result:
    return Result(
        name=row.name, title=row.title, value=value, limit=row.limit, unit=row.unit, detail=detail or {}, void=void
    )
