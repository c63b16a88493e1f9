"""What the transport reads: every legal framing, whole and streamed, whatever the pieces it arrives in."""

import asyncio

import pytest

from llmgateway.domain.errors import UPSTREAM_ERROR, UPSTREAM_UNREACHABLE, UpstreamError
from llmgateway.domain.routing import HttpRequest, Origin
from llmgateway.engine.errand import Errand
from llmgateway.infra.transport import HttpTransport
from llmgateway.infra.transport.connection import Connection
from llmgateway.infra.transport.dialer import Dialer
from llmgateway.infra.transport.pool import Pool
from tests.support.upstream import TIMEOUTS, Peer, answering, ask, chunked, read_all, sending, until, upstream, whole
from tests.unit.infra.transport.conftest import QUICK


async def echoing(peer: Peer) -> None:
    """Answers each request with the length of its body, as text."""
    while True:
        body = (await peer.request()).partition(b"\r\n\r\n")[2]
        await peer.send(whole(b"%d" % len(body)))


async def test_a_whole_answer_gives_status_headers_and_body(transport: HttpTransport) -> None:
    async with upstream(answering(whole(b'{"a": 1}', headers=b"X-Request-Id: r1\r\n"))) as server:
        response = await ask(transport, server.post(b'{"q": 2}'))
        assert response.status == 200
        assert (b"x-request-id", b"r1") in response.headers
        assert await response.body(limit=100) == b'{"a": 1}'
        assert server.requests == [b'POST /v1/chat HTTP/1.1\r\nhost: upstream\r\ncontent-length: 8\r\n\r\n{"q": 2}']


async def test_a_whole_answer_in_one_read_costs_one_wake_up(transport: HttpTransport) -> None:
    """body() does not suspend when the answer was complete with its head."""
    async with upstream(answering(whole(b"hello"))) as server:
        response = await ask(transport, server.post())
        waiting = response.body(limit=10)
        with pytest.raises(StopIteration) as ended:
            waiting.send(None)
        assert ended.value.value == b"hello"


async def test_requests_of_errands_that_go_on_together_each_get_their_answer(transport: HttpTransport) -> None:
    told: dict[bytes, bytes] = {}
    bodies = (b"1", b"22", b"4444" * 20_000)
    async with upstream(echoing) as server:

        async def work(body: bytes) -> None:
            response = await ask(transport, server.post(body))
            told[body] = await response.body(limit=100)

        for _ in range(2):  # on new connections, and on idle ones
            for body in bodies:
                Errand(work(body), on_end=lambda _error: None)
            await until(lambda: len(told) == len(bodies))
            assert told == {body: b"%d" % len(body) for body in bodies}
            told.clear()


class Socket(asyncio.Transport):
    """Keeps what is written to it."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data


async def test_what_errands_send_leaves_behind_them_and_else_at_once() -> None:
    sockets = [Socket(), Socket(), Socket()]
    request = HttpRequest(Origin("http", "a", 80, True), b"POST / HTTP/1.1\r\n", b"{}")

    def begin(socket: Socket) -> None:
        connection = Connection(owner=Pool(request.origin, dialer=Dialer(), limits=QUICK), peer="a", limits=QUICK)
        connection.connection_made(socket)
        connection.begin(request, timeouts=TIMEOUTS, now=0, total_at=1)

    async def work(socket: Socket) -> None:
        begin(socket)
        assert [one.written for one in sockets[:2]] == [b"", b""]

    ends: list[BaseException | None] = []
    for socket in sockets[:2]:
        Errand(work(socket), on_end=ends.append)
    await until(lambda: len(ends) == 2)
    begin(sockets[2])
    assert ends == [None, None]
    assert [one.written for one in sockets] == [b"POST / HTTP/1.1\r\ncontent-length: 2\r\n\r\n{}"] * 3


@pytest.mark.parametrize("size", [0, 1, 65_536, 65_537, 3_000_000])
async def test_request_bodies_of_any_size_arrive(transport: HttpTransport, size: int) -> None:
    body = b"b" * size
    async with upstream(answering(whole(b"ok"))) as server:
        response = await ask(transport, server.post(body))
        assert await response.body(limit=10) == b"ok"
        assert server.requests[0].endswith(b"content-length: %d\r\n\r\n%b" % (size, body))


async def test_a_get_has_no_content_length(transport: HttpTransport) -> None:
    async with upstream(answering(whole(b"ok"))) as server:
        request = HttpRequest(server.origin(), b"GET /models HTTP/1.1\r\nhost: a\r\n", b"", "GET")
        response = await ask(transport, request)
        assert await response.body(limit=10) == b"ok"
        assert server.requests == [b"GET /models HTTP/1.1\r\nhost: a\r\n\r\n"]


async def test_an_empty_post_says_that_its_length_is_zero(transport: HttpTransport) -> None:
    async with upstream(answering(whole(b"ok"))) as server:
        await ask(transport, server.post(b""))
        assert server.requests[0].endswith(b"content-length: 0\r\n\r\n")


RECORDED = {
    "content-length": whole(b'{"id":"x"}'),
    "chunked": chunked(b"data: 1\n\n", b"data: 2\n\n", b"data: [DONE]\n\n"),
    "chunk extensions and trailers": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nX-Sum: 1\r\nX-Cost: 9\r\n\r\n"
    ),
    "interim answers first": b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nlink: a\r\n\r\n" + whole(b"late"),
    "no body": b"HTTP/1.1 204 No Content\r\nserver: a\r\n\r\n",
    "not modified with a length": b"HTTP/1.1 304 Not Modified\r\ncontent-length: 20\r\n\r\n",
    "empty body": whole(b""),
    "no reason phrase": b"HTTP/1.1 200\r\ncontent-length: 2\r\n\r\nhi",
    "HTTP/1.0 kept alive": b"HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 2\r\n\r\nhi",
}


@pytest.mark.parametrize("name", RECORDED)
async def test_any_split_of_the_bytes_gives_the_same_answer(transport: HttpTransport, name: str) -> None:
    recorded = RECORDED[name]
    at = 0

    async def script(peer: Peer) -> None:
        while True:
            await peer.request()
            await peer.send(recorded[:at])
            await asyncio.sleep(0)
            await asyncio.sleep(0.0005)
            await peer.send(recorded[at:])

    seen: set[tuple[int, tuple[tuple[bytes, bytes], ...], bytes]] = set()
    async with upstream(script) as server:
        for at in range(len(recorded)):
            response = await ask(transport, server.post())
            body = await (read_all(response) if at % 2 else response.body(limit=1000))
            seen.add((response.status, tuple(response.headers), body))
        assert len(seen) == 1
        assert len(server.peers) == 1, "each answer leaves the connection usable"


@pytest.mark.parametrize("name", RECORDED)
async def test_an_answer_may_come_byte_by_byte(transport: HttpTransport, name: str) -> None:
    recorded = RECORDED[name]

    async def script(peer: Peer) -> None:
        await peer.request()
        for byte in recorded:
            await peer.send(bytes([byte]))
            await asyncio.sleep(0)
        await peer.request()
        await peer.send(recorded)

    async with upstream(script) as server:
        slow = await ask(transport, server.post())
        slow_body = await read_all(slow)
        at_once = await ask(transport, server.post())
        assert (slow.status, tuple(slow.headers), slow_body) == (
            at_once.status,
            tuple(at_once.headers),
            await at_once.body(limit=1000),
        )


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.0 200 OK\r\ncontent-type: a\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n",
    ],
)
async def test_a_body_without_length_ends_with_the_connection(transport: HttpTransport, head: bytes) -> None:
    async with upstream(sending(head, b"until ", b"the end")) as server:
        response = await ask(transport, server.post())
        assert await response.body(limit=100) == b"until the end"
        assert transport.stats()[server.origin()].open == 0


async def test_an_http_1_0_answer_with_a_length_closes_the_connection(transport: HttpTransport) -> None:
    async with upstream(answering(b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nhi")) as server:
        for _ in range(2):
            response = await ask(transport, server.post())
            assert await response.body(limit=10) == b"hi"
        assert len(server.peers) == 2


async def test_a_head_answer_has_no_body_whatever_its_length_says(transport: HttpTransport) -> None:
    async with upstream(answering(b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n")) as server:
        request = HttpRequest(server.origin(), b"HEAD / HTTP/1.1\r\nhost: a\r\n", b"", "HEAD")
        response = await ask(transport, request)
        assert response.status == 200
        assert await response.body(limit=10) == b""


async def test_read_gives_what_has_arrived_since_the_last_call(transport: HttpTransport) -> None:
    turn = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        head, _, _ = chunked(b"").partition(b"\r\n\r\n")
        await peer.send(head + b"\r\n\r\n3\r\none\r\n3\r\ntwo\r\n")
        await turn.wait()
        await peer.send(b"5\r\nthree\r\n0\r\n\r\n")
        await peer.left()

    async with upstream(script) as server:
        response = await ask(transport, server.post())
        assert await response.read() == b"onetwo"
        turn.set()
        assert await response.read() == b"three"
        assert await response.read() == b""
        assert await response.read() == b""


async def test_the_head_is_there_before_the_body(transport: HttpTransport) -> None:
    turn = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n")
        await turn.wait()
        await peer.send(b"body")

    async with upstream(script) as server:
        response = await ask(transport, server.post())
        assert response.status == 200
        turn.set()
        assert await response.read() == b"body"


@pytest.mark.parametrize("answer", [whole(b"x" * 101), chunked(b"x" * 60, b"x" * 41)])
async def test_a_body_over_the_limit_is_an_upstream_error(transport: HttpTransport, answer: bytes) -> None:
    async with upstream(answering(answer)) as server:
        response = await ask(transport, server.post())
        with pytest.raises(UpstreamError, match="larger than 100 bytes") as raised:
            await response.body(limit=100)
        assert raised.value.kind is UPSTREAM_ERROR
        response = await ask(transport, server.post())
        assert len(await response.body(limit=101)) == 101


async def test_an_endless_body_is_cut_at_the_limit(transport: HttpTransport) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(chunked(end=b""))
        while True:
            await peer.send(b"1000\r\n" + b"x" * 4096 + b"\r\n")

    async with upstream(script) as server:
        response = await ask(transport, server.post())
        with pytest.raises(UpstreamError, match="larger than") as raised:
            await response.body(limit=1_000_000)
        assert raised.value.kind is UPSTREAM_ERROR
        assert transport.stats()[server.origin()].open == 0


async def test_an_announced_length_over_the_limit_fails_before_it_arrives(transport: HttpTransport) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 999999999999\r\n\r\nx")
        await peer.left()

    async with upstream(script) as server:
        response = await ask(transport, server.post())
        with pytest.raises(UpstreamError, match="larger than 100 bytes"):
            await response.body(limit=100)
        await asyncio.wait_for(server.peers[0].gone.wait(), 1)


@pytest.mark.parametrize(
    "cut", [whole(b"0123456789")[:-3], chunked(b"0123456789", end=b""), chunked(b"0123456789", end=b"0\r\n")]
)
async def test_an_answer_that_ends_short_is_told_after_its_bytes(transport: HttpTransport, cut: bytes) -> None:
    async with upstream(sending(cut)) as server:
        response = await ask(transport, server.post())
        first = await response.read()
        assert b"0123456789".startswith(first)
        with pytest.raises(UpstreamError, match="ended early") as raised:
            await read_all(response)
        assert raised.value.kind is UPSTREAM_UNREACHABLE
        assert raised.value.status_code == 200


async def test_a_whole_answer_that_ends_short_is_an_error(transport: HttpTransport) -> None:
    async with upstream(sending(whole(b"0123456789")[:-3])) as server:
        response = await ask(transport, server.post())
        with pytest.raises(UpstreamError, match="ended early"):
            await response.body(limit=100)
        assert transport.stats()[server.origin()].errors == 1


async def test_a_reset_mid_body_is_an_error(transport: HttpTransport) -> None:
    turn = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(whole(b"0123456789")[:-3])
        await turn.wait()
        peer.reset()

    async with upstream(script) as server:
        response = await ask(transport, server.post())
        assert await response.read() == b"0123456"
        turn.set()
        with pytest.raises(UpstreamError, match="ended early") as raised:
            await response.read()
        assert raised.value.kind is UPSTREAM_UNREACHABLE
