"""Connections are reused, bounded, expire, are given up when dead, and none is ever leaked."""

import asyncio
import gc
from collections.abc import Callable

import pytest

from llmgateway.domain.errors import UPSTREAM_TIMEOUT, UPSTREAM_UNREACHABLE, UpstreamError
from llmgateway.domain.routing import HttpRequest, Origin, Timeouts
from llmgateway.infra.transport import HttpTransport, TransportLimits
from llmgateway.infra.transport.connection import Connection
from tests.support.upstream import Peer, answering, ask, chunked, read_all, until, upstream, whole

HEAD = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


async def test_a_thousand_requests_in_a_row_use_one_connection(transport: HttpTransport) -> None:
    async with upstream(answering(whole(b"ok"), chunked(b"ok"))) as server:
        for turn in range(1000):
            response = await ask(transport, server.post())
            assert await (read_all(response) if turn % 2 else response.body(limit=10)) == b"ok"
        assert len(server.peers) == 1
        stats = transport.stats()[server.origin()]
        assert (stats.open, stats.idle, stats.in_use, stats.created, stats.reused) == (1, 1, 0, 1, 999)


async def test_a_hundred_requests_at_once_each_get_their_own_answer(transport: HttpTransport) -> None:
    async def echo(peer: Peer) -> None:
        while True:
            request = await peer.request()
            await asyncio.sleep(0)
            await peer.send(whole(request.partition(b"\r\n\r\n")[2]))

    async with upstream(echo) as server:

        async def one(number: int) -> None:
            for turn in range(5):
                body = b"%d.%d" % (number, turn)
                assert await (await ask(transport, server.post(body))).body(limit=100) == body

        await asyncio.gather(*(one(number) for number in range(100)))
        stats = transport.stats()[server.origin()]
        assert stats.in_use == 0
        assert stats.open <= 100
        assert stats.created + stats.reused == 500


async def test_the_connection_used_last_is_used_next(transport: HttpTransport) -> None:
    async with upstream(answering(whole(b"ok"))) as server:
        first, second = await asyncio.gather(ask(transport, server.post()), ask(transport, server.post()))
        assert await first.body(limit=10) == await second.body(limit=10) == b"ok"
        for _ in range(5):
            await (await ask(transport, server.post())).body(limit=10)
        assert sorted(len(peer.requests) for peer in server.peers) == [1, 6]


async def test_a_connection_closed_by_the_peer_while_idle_is_removed_at_once(transport: HttpTransport) -> None:
    turn = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(whole(b"ok"))
        await turn.wait()

    async with upstream(script) as server:
        await (await ask(transport, server.post())).body(limit=10)
        turn.set()
        await until(lambda: transport.stats()[server.origin()].open == 0)
        await (await ask(transport, server.post())).body(limit=10)
        stats = transport.stats()[server.origin()]
        assert (stats.created, stats.retried) == (2, 0)


@pytest.mark.parametrize("end", [Peer.close, Peer.reset])
async def test_a_stale_connection_is_retried_once_on_a_fresh_one(
    transport: HttpTransport, end: Callable[[Peer], None]
) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(whole(b"%d" % peer.number))
        if peer.number == 1:
            await peer.request()
            end(peer)
        else:
            await peer.left()

    async with upstream(script) as server:
        assert await (await ask(transport, server.post())).body(limit=10) == b"1"
        assert await (await ask(transport, server.post(b"again"))).body(limit=10) == b"2"
        assert server.peers[1].requests[0].endswith(b"again")
        stats = transport.stats()[server.origin()]
        assert (stats.retried, stats.errors, stats.open) == (1, 0, 1)


async def test_a_stale_connection_is_not_retried_twice(transport: HttpTransport) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        if peer.number == 1:
            await peer.send(whole(b"ok"))
            await peer.request()

    async with upstream(script) as server:
        await (await ask(transport, server.post())).body(limit=10)
        with pytest.raises(UpstreamError, match="without answering") as raised:
            await ask(transport, server.post())
        assert raised.value.kind is UPSTREAM_UNREACHABLE
        assert len(server.peers) == 2


async def test_a_fresh_connection_closed_without_an_answer_is_not_retried(transport: HttpTransport) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()

    async with upstream(script) as server:
        with pytest.raises(UpstreamError, match="without answering"):
            await ask(transport, server.post())
        assert len(server.peers) == 1


async def test_nothing_is_retried_once_a_byte_of_the_answer_has_come(transport: HttpTransport) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(whole(b"ok"))
        await peer.request()
        await peer.send(b"H")

    async with upstream(script) as server:
        await (await ask(transport, server.post())).body(limit=10)
        with pytest.raises(UpstreamError, match="within the head") as raised:
            await ask(transport, server.post())
        assert raised.value.kind is UPSTREAM_UNREACHABLE
        assert len(server.peers) == 1


async def test_connection_close_is_honoured(transport: HttpTransport) -> None:
    async with upstream(answering(whole(b"ok", headers=b"Connection: close\r\n"))) as server:
        for _ in range(2):
            assert await (await ask(transport, server.post())).body(limit=10) == b"ok"
        assert len(server.peers) == 2


async def test_idle_connections_expire() -> None:
    client = HttpTransport(limits=TransportLimits(idle_s=0.02, tick_s=0.01))
    async with upstream(answering(whole(b"ok"))) as server:
        await (await ask(client, server.post())).body(limit=10)
        assert client.stats()[server.origin()].idle == 1
        await until(lambda: client.stats()[server.origin()].open == 0)
        await client.close()


@pytest.mark.parametrize(("said", "expires"), [(b"timeout=1", True), (b"timeout=5, max=10", False)])
async def test_the_peers_keep_alive_time_is_honoured(said: bytes, expires: bool) -> None:
    """Closed half a second before the peer would, at the latest."""
    client = HttpTransport(limits=TransportLimits(tick_s=0.01))
    async with upstream(answering(whole(b"ok", headers=b"Keep-Alive: %b\r\n" % said))) as server:
        await (await ask(client, server.post())).body(limit=10)
        origin = server.origin()
        if expires:
            await until(lambda: client.stats()[origin].open == 0)
        else:
            await asyncio.sleep(0.05)
            assert client.stats()[origin].open == 1
        await client.close()


async def test_a_closed_connection_leaves_nothing_to_the_garbage_collector(transport: HttpTransport) -> None:
    def held() -> int:
        return sum(isinstance(one, Connection) for one in gc.get_objects())

    gc.collect()
    gc.disable()
    try:
        before = held()
        async with upstream(
            answering(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok")
        ) as server:
            response = await ask(transport, server.post())
            assert await response.body(limit=10) == b"ok"
            assert transport.stats()[server.origin()].created == 1
            await until(lambda: held() == before)
    finally:
        gc.enable()


async def test_idle_connections_are_bounded() -> None:
    client = HttpTransport(limits=TransportLimits(idle_per_origin=3))
    async with upstream(answering(whole(b"ok"))) as server:
        await asyncio.gather(*(ask(client, server.post()) for _ in range(10)))
        assert client.stats()[server.origin()].open == 3
        await client.close()


async def test_connections_are_bounded_and_requests_wait_their_turn() -> None:
    client = HttpTransport(limits=TransportLimits(connections_per_origin=2))
    async with upstream(answering(whole(b"ok"))) as server:
        responses = await asyncio.gather(*(ask(client, server.post()) for _ in range(20)))
        assert [await response.body(limit=10) for response in responses] == [b"ok"] * 20
        stats = client.stats()[server.origin()]
        assert (stats.open, stats.waiting, stats.created, stats.reused) == (2, 0, 2, 18)
        assert len(server.peers) == 2
        await client.close()


async def test_a_waiting_request_gets_the_place_of_a_connection_that_closed() -> None:
    client = HttpTransport(limits=TransportLimits(connections_per_origin=1))
    async with upstream(answering(whole(b"ok", headers=b"connection: close\r\n"))) as server:
        responses = await asyncio.gather(*(ask(client, server.post()) for _ in range(5)))
        assert [await response.body(limit=10) for response in responses] == [b"ok"] * 5
        assert len(server.peers) == 5
        await client.close()


async def test_waiting_for_a_connection_is_bounded_in_time_and_number() -> None:
    client = HttpTransport(limits=TransportLimits(connections_per_origin=1, waiting_per_origin=1))

    async def hang(peer: Peer) -> None:
        await peer.request()
        await peer.left()

    async with upstream(hang) as server:
        holding = asyncio.create_task(ask(client, server.post()))
        await until(lambda: bool(server.requests))
        waiting = asyncio.create_task(ask(client, server.post(), timeouts=Timeouts(connect=0.05)))
        await until(lambda: client.stats()[server.origin()].waiting == 1)
        with pytest.raises(UpstreamError, match="too many requests wait") as refused:
            await ask(client, server.post())
        assert refused.value.kind is UPSTREAM_UNREACHABLE
        with pytest.raises(UpstreamError, match="no connection became free") as timed_out:
            await waiting
        assert timed_out.value.kind is UPSTREAM_TIMEOUT
        assert client.stats()[server.origin()].waiting == 0
        holding.cancel()
        await asyncio.gather(holding, return_exceptions=True)
        await client.close()


async def test_a_cancelled_waiter_does_not_lose_the_connection_it_was_given() -> None:
    client = HttpTransport(limits=TransportLimits(connections_per_origin=1))
    turn = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await turn.wait()
        await peer.send(whole(b"ok"))
        await peer.request()
        await peer.send(whole(b"ok"))
        await peer.left()

    async with upstream(script) as server:
        first = asyncio.create_task(ask(client, server.post()))
        await until(lambda: bool(server.requests))
        second = asyncio.create_task(ask(client, server.post()))
        await until(lambda: client.stats()[server.origin()].waiting == 1)
        pool = client.pool(server.origin())
        freed = pool.freed

        def freed_and_cancelled(connection: Connection, *, keep_s: float) -> None:
            freed(connection, keep_s=keep_s)
            second.cancel()

        with pytest.MonkeyPatch.context() as patched:  # the moment between giving and taking has no other handle
            patched.setattr(pool, "freed", freed_and_cancelled)
            turn.set()
            await first
            with pytest.raises(asyncio.CancelledError):
                await second
        third = await asyncio.wait_for(ask(client, server.post()), 1)
        assert await third.body(limit=10) == b"ok"
        assert len(server.peers) == 1
        await client.close()


async def test_the_number_of_origins_is_bounded() -> None:
    client = HttpTransport(limits=TransportLimits(origins=2))
    async with (
        upstream(answering(whole(b"a"))) as one,
        upstream(answering(whole(b"b"))) as two,
        upstream(answering(HEAD)) as three,
        upstream(answering(HEAD)) as four,
        upstream(answering(HEAD)) as five,
    ):
        for server in (one, two, three, four):
            await ask(client, server.post())
        assert set(client.stats()) == {three.origin(), four.origin()}
        with pytest.raises(UpstreamError, match="2 origins are in use already"):
            await ask(client, five.post())
        await client.close()


async def test_closing_an_unfinished_answer_closes_the_connection(transport: HttpTransport) -> None:
    async with upstream(answering(chunked(b"part", end=b""))) as server:
        response = await ask(transport, server.post())
        assert await response.read() == b"part"
        response.close()
        assert transport.stats()[server.origin()].open == 0
        await asyncio.wait_for(server.peers[0].gone.wait(), 1)
        with pytest.raises(UpstreamError, match="was closed"):
            await response.read()


async def test_closing_a_complete_answer_keeps_the_connection(transport: HttpTransport) -> None:
    async with upstream(answering(chunked(b"all"))) as server:
        for _ in range(3):
            response = await ask(transport, server.post())
            response.close()
            response.close()
        assert len(server.peers) == 1


async def test_a_released_answer_that_ends_soon_is_pooled(transport: HttpTransport) -> None:
    turn = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(HEAD + b"6\r\n[DONE]\r\n")
        await turn.wait()
        await peer.send(b"1\r\n\n\r\n0\r\n\r\n")
        await peer.request()
        await peer.send(whole(b"next"))
        await peer.left()

    async with upstream(script) as server:
        response = await ask(transport, server.post())
        assert await response.read() == b"[DONE]"
        response.release()
        assert transport.stats()[server.origin()].in_use == 1
        turn.set()
        await until(lambda: transport.stats()[server.origin()].idle == 1)
        assert await (await ask(transport, server.post())).body(limit=10) == b"next"
        assert len(server.peers) == 1


async def test_a_released_answer_that_does_not_end_is_closed(transport: HttpTransport) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(HEAD + b"6\r\n[DONE]\r\n")
        await peer.left()

    async with upstream(script) as server:
        response = await ask(transport, server.post())
        assert await response.read() == b"[DONE]"
        response.release()
        await asyncio.wait_for(server.peers[0].gone.wait(), 1)
        assert transport.stats()[server.origin()].open == 0


async def test_a_released_answer_that_goes_on_is_closed(transport: HttpTransport) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(HEAD + b"6\r\n[DONE]\r\n")
        while True:
            await peer.send(b"400\r\n" + b"x" * 1024 + b"\r\n")

    async with upstream(script) as server:
        response = await ask(transport, server.post())
        await response.read()
        response.release()
        await until(lambda: transport.stats()[server.origin()].open == 0)


async def test_close_ends_what_is_running_and_refuses_what_comes() -> None:
    client = HttpTransport()

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(HEAD)
        await peer.left()

    async with upstream(script) as server:
        response = await ask(client, server.post())
        reading = asyncio.create_task(response.read())
        await asyncio.sleep(0)
        await client.close()
        with pytest.raises(UpstreamError) as raised:
            await reading
        assert raised.value.kind is UPSTREAM_UNREACHABLE
        await asyncio.wait_for(server.peers[0].gone.wait(), 1)
        with pytest.raises(UpstreamError, match="closed"):
            await ask(client, server.post())
        with pytest.raises(UpstreamError, match="closed"):
            await ask(client, HttpRequest(Origin("http", "127.0.0.1", 1), b"POST / HTTP/1.1\r\n", b""))
