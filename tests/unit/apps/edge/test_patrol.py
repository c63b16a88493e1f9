"""What the clock asks of a connection, told by a clock that stands still until it is moved."""

import pytest

from llmgateway.apps.edge.front import Limits
from llmgateway.apps.edge.inbound import Inbound
from llmgateway.apps.edge.patrol import Patrol

LIMITS = Limits(header_timeout_s=10, body_timeout_s=60, idle_timeout_s=75, keep_alive_s=15, stall_timeout_s=120)


class Line:
    """Where an answer goes to."""

    congested = False

    def __init__(self) -> None:
        self.sent = b""

    def put(self, data: bytes) -> None:
        self.sent += data

    put_behind = put

    async def drain(self) -> None: ...

    def answered(self, inbound: Inbound) -> None: ...


class Transport:
    """`did`: what was asked of it."""

    def __init__(self) -> None:
        self.did: list[str] = []
        self.unsent_bytes = 0

    def abort(self) -> None:
        self.did.append("abort")

    def close(self) -> None:
        self.did.append("close")

    def is_closing(self) -> bool:
        return "close" in self.did

    def get_write_buffer_size(self) -> int:
        return self.unsent_bytes


class Connection:
    def __init__(self) -> None:
        self.last_activity_s = 0.0
        self.lingering_since_s: float | None = None
        self.congested = False
        self.unsent_bytes = 65_536
        self.transport = Transport()
        self.current: Inbound | None = None
        self.reading: Inbound | None = None
        self.timed_out = False

    def time_out(self) -> None:
        self.timed_out = True


def visited(connection: Connection, *, at_s: float) -> Connection:
    patrol = Patrol(LIMITS)
    patrol.now_s = at_s
    patrol.visit(connection)  # pyright: ignore[reportArgumentType]  # a double of what the patrol uses
    return connection


def reading(*, began_s: float, head: bool) -> Inbound:
    inbound = Inbound(Line(), began_s=began_s)
    inbound.request_id = "" if head else "req_1"
    return inbound


@pytest.mark.parametrize(("at_s", "did"), [(75, []), (75.1, ["close"])])
def test_an_idle_connection_is_closed(at_s: float, did: list[str]) -> None:
    assert visited(Connection(), at_s=at_s).transport.did == did


def test_an_idle_connection_that_cannot_close_is_aborted() -> None:
    """Closing waits for bytes that a client who is not reading will never take."""
    connection = visited(visited(Connection(), at_s=76), at_s=76.25)
    assert connection.transport.did == ["close", "abort"]


@pytest.mark.parametrize(("head", "limit_s"), [(True, 10), (False, 60)])
def test_a_slow_request_times_out_by_its_beginning(head: bool, limit_s: float) -> None:
    """However recently its last byte came."""
    connection = Connection()
    connection.reading = reading(began_s=5, head=head)
    connection.last_activity_s = 5 + limit_s
    assert not visited(connection, at_s=5 + limit_s).timed_out
    assert visited(connection, at_s=5.1 + limit_s).timed_out


def test_a_request_behind_one_in_progress_is_not_timed() -> None:
    connection = Connection()
    connection.reading = reading(began_s=0, head=False)
    connection.current = Inbound(Line())
    connection.last_activity_s = 490
    assert not visited(connection, at_s=500).timed_out


@pytest.mark.parametrize(
    ("streaming", "silent_s", "sent"), [(True, 15, True), (True, 14.9, False), (False, 100, False)]
)
def test_silence_on_a_stream_is_broken(streaming: bool, silent_s: float, sent: bool) -> None:
    line = Line()
    connection = Connection()
    connection.current = Inbound(line)
    if streaming:
        connection.current.stream(tuple)
    visited(connection, at_s=silent_s)
    assert (b": keep-alive\n\n" in line.sent) == sent


def test_a_congested_stream_gets_no_keep_alive() -> None:
    line = Line()
    connection = Connection()
    connection.current = Inbound(line)
    connection.current.stream(tuple)
    connection.congested = True
    visited(connection, at_s=100)
    assert line.sent == b""


def test_a_client_that_does_not_read_is_cut_and_one_that_reads_slowly_is_not() -> None:
    connection = Connection()
    connection.congested = True
    connection.transport.unsent_bytes = 65_536
    assert visited(connection, at_s=120).transport.did == []
    connection.transport.unsent_bytes = 65_000
    assert visited(connection, at_s=121).transport.did == []
    assert visited(connection, at_s=241).transport.did == []
    assert visited(connection, at_s=241.1).transport.did == ["abort"]


def test_an_unread_answer_is_bounded_after_its_request_is_over_too() -> None:
    connection = Connection()
    connection.congested = True
    connection.transport.unsent_bytes = 65_536
    assert connection.current is None
    assert visited(connection, at_s=121).transport.did == ["abort"]


@pytest.mark.parametrize(("last_s", "at_s", "did"), [(100, 102, []), (100, 102.1, ["abort"]), (130, 130.1, ["abort"])])
def test_lingering_ends_in_silence_or_after_half_a_minute(last_s: float, at_s: float, did: list[str]) -> None:
    connection = Connection()
    connection.lingering_since_s = 100
    connection.last_activity_s = last_s
    assert visited(connection, at_s=at_s).transport.did == did


async def test_it_ticks_only_while_there_are_connections() -> None:
    patrol = Patrol(LIMITS)
    connection = Connection()
    patrol.add(connection)  # pyright: ignore[reportArgumentType]  # a double of what the patrol uses
    assert patrol.now_s > 0
    assert connection.last_activity_s == patrol.now_s
    patrol.discard(connection)  # pyright: ignore[reportArgumentType]  # a double of what the patrol uses
    patrol.close()
