"""Every wait has an end, cancelling ends it at once, and a slow reader slows the upstream instead of filling memory."""

import asyncio

import pytest

from llmgateway.domain.errors import UPSTREAM_TIMEOUT, UpstreamError
from llmgateway.domain.routing import HttpRequest, Origin, Timeouts
from llmgateway.infra.transport import Dialer, HttpTransport, Resolver, TransportLimits
from tests.support.upstream import Peer, answering, ask, read_all, until, upstream, whole

HEAD = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
QUICK = TransportLimits(tick_s=0.01)


async def silent(peer: Peer) -> None:
    await peer.request()
    await peer.left()


async def head_only(peer: Peer) -> None:
    await peer.request()
    await peer.send(HEAD + b"2\r\nhi\r\n")
    await peer.left()


async def test_no_first_byte_is_a_timeout_that_closes(transport: HttpTransport) -> None:
    async with upstream(silent) as server:
        with pytest.raises(UpstreamError, match="first byte timeout") as raised:
            await ask(transport, server.post(), timeouts=Timeouts(first_byte=0.03))
        assert raised.value.kind is UPSTREAM_TIMEOUT
        await asyncio.wait_for(server.peers[0].gone.wait(), 1)
        stats = transport.stats()[server.origin()]
        assert (stats.open, stats.errors, stats.timeouts) == (0, 1, 1)


async def test_a_reused_connection_that_hangs_is_a_timeout_not_a_retry(transport: HttpTransport) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(whole(b"ok"))
        await peer.request()
        await peer.left()

    async with upstream(script) as server:
        await (await ask(transport, server.post())).body(limit=10)
        with pytest.raises(UpstreamError, match="first byte timeout"):
            await ask(transport, server.post(), timeouts=Timeouts(first_byte=0.03))
        assert len(server.peers) == 1


async def test_a_slow_head_does_not_stretch_the_first_byte_timeout(transport: HttpTransport) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        for byte in HEAD:
            await peer.send(bytes([byte]))
            await asyncio.sleep(0.01)

    async with upstream(script) as server:
        with pytest.raises(UpstreamError, match="first byte timeout"):
            await ask(transport, server.post(), timeouts=Timeouts(first_byte=0.05))


async def test_silence_within_the_body_is_an_idle_timeout(transport: HttpTransport) -> None:
    async with upstream(head_only) as server:
        response = await ask(transport, server.post(), timeouts=Timeouts(idle=0.03))
        assert await response.read() == b"hi"
        with pytest.raises(UpstreamError, match="idle timeout") as raised:
            await response.read()
        assert raised.value.kind is UPSTREAM_TIMEOUT
        assert raised.value.status_code == 200
        await asyncio.wait_for(server.peers[0].gone.wait(), 1)


async def test_every_byte_resets_the_idle_timeout_but_not_the_total(transport: HttpTransport) -> None:
    async def drip(peer: Peer) -> None:
        await peer.request()
        await peer.send(HEAD)
        while True:
            await peer.send(b"1\r\nx\r\n")
            await asyncio.sleep(0.005)

    async with upstream(drip) as server:
        response = await ask(transport, server.post(), timeouts=Timeouts(idle=0.05), total_s=0.2)
        with pytest.raises(UpstreamError, match="total timeout") as raised:
            await read_all(response)
        assert raised.value.kind is UPSTREAM_TIMEOUT


async def test_the_total_time_bounds_the_wait_for_the_head(transport: HttpTransport) -> None:
    async with upstream(silent) as server:
        with pytest.raises(UpstreamError, match="total timeout"):
            await ask(transport, server.post(), total_s=0.03)


async def test_the_total_time_bounds_a_whole_body(transport: HttpTransport) -> None:
    async with upstream(head_only) as server:
        response = await ask(transport, server.post(), total_s=0.05)
        with pytest.raises(UpstreamError, match="total timeout"):
            await response.body(limit=100)


@pytest.mark.parametrize(("connect_s", "total_s", "phase"), [(0.02, 5, "connect"), (5, 0.02, "total"), (5, 0, "total")])
async def test_a_dial_that_hangs_is_a_connect_timeout(connect_s: float, total_s: float, phase: str) -> None:
    async def never(host: str, port: int) -> list[str]:
        await asyncio.get_running_loop().create_future()
        return [host, str(port)]

    client = HttpTransport(dialer=Dialer(resolver=Resolver(lookup=never)))
    request = HttpRequest(Origin("http", "slow.test", 80), b"POST / HTTP/1.1\r\n", b"")
    with pytest.raises(UpstreamError, match=f"slow.test:80 .*{phase} timeout") as raised:
        await ask(client, request, timeouts=Timeouts(connect=connect_s), total_s=total_s)
    assert raised.value.kind is UPSTREAM_TIMEOUT
    assert client.stats()[request.origin].open == 0
    await client.close()


async def test_cancelling_send_closes_the_connection_within_100_ms(transport: HttpTransport) -> None:
    async with upstream(silent) as server:
        sending = asyncio.create_task(ask(transport, server.post()))
        await until(lambda: bool(server.requests))
        sending.cancel()
        async with asyncio.timeout(0.1):
            await server.peers[0].gone.wait()
        with pytest.raises(asyncio.CancelledError):
            await sending
        assert transport.stats()[server.origin()].open == 0


@pytest.mark.parametrize("whole_body", [False, True])
async def test_cancelling_a_read_closes_the_connection_within_100_ms(
    transport: HttpTransport, whole_body: bool
) -> None:
    async with upstream(head_only) as server:
        response = await ask(transport, server.post())
        assert await response.read() == b"hi"
        reading = asyncio.create_task(response.body(limit=100) if whole_body else response.read())
        await asyncio.sleep(0)
        reading.cancel()
        async with asyncio.timeout(0.1):
            await server.peers[0].gone.wait()
        with pytest.raises(asyncio.CancelledError):
            await reading
        assert transport.stats()[server.origin()].open == 0


async def test_cancelling_a_dial_leaves_nothing_behind() -> None:
    begun = asyncio.Event()

    async def never(host: str, port: int) -> list[str]:
        begun.set()
        await asyncio.get_running_loop().create_future()
        return [host, str(port)]

    client = HttpTransport(dialer=Dialer(resolver=Resolver(lookup=never)), limits=QUICK)
    request = HttpRequest(Origin("http", "slow.test", 80), b"POST / HTTP/1.1\r\n", b"")
    sending = asyncio.create_task(ask(client, request))
    await begun.wait()
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    assert client.stats()[request.origin].open == 0
    await client.close()


async def test_an_unread_stream_stops_the_sender() -> None:
    """Memory per stream stays bounded; reading it takes up where it stopped, and nothing is lost."""
    client = HttpTransport(limits=TransportLimits(unread_bytes=64 * 1024))
    total = 30_000_000
    sent = 0

    async def flood(peer: Peer) -> None:
        nonlocal sent
        await peer.request()
        await peer.send(HEAD)
        while sent < total:
            await peer.send(b"2710\r\n" + b"x" * 10_000 + b"\r\n")
            sent += 10_000
        await peer.send(b"0\r\n\r\n")

    async with upstream(flood) as server:
        response = await ask(client, server.post())
        before = -1
        while before != sent:
            before = sent
            await asyncio.sleep(0.02)
        assert 0 < sent < total
        first = await response.read()
        assert len(first) < 1_000_000
        assert len(first) + len(await read_all(response)) == total
        assert client.stats()[server.origin()].idle == 1
        await client.close()


async def test_a_paused_stream_is_not_idle() -> None:
    client = HttpTransport(limits=TransportLimits(unread_bytes=1000, tick_s=0.01))

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(HEAD + b"7d0\r\n" + b"x" * 2000 + b"\r\n")
        await asyncio.sleep(0.01)
        await peer.send(b"7d0\r\n" + b"x" * 2000 + b"\r\n0\r\n\r\n")
        await peer.left()

    async with upstream(script) as server:
        response = await ask(client, server.post(), timeouts=Timeouts(idle=0.03))
        await asyncio.sleep(0.12)
        assert len(await read_all(response)) == 4000
        await client.close()


async def test_asking_for_the_whole_body_of_a_paused_stream_resumes_it() -> None:
    client = HttpTransport(limits=TransportLimits(unread_bytes=1000))

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(HEAD + b"7d0\r\n" + b"x" * 2000 + b"\r\n")
        await asyncio.sleep(0.01)
        await peer.send(b"7d0\r\n" + b"x" * 2000 + b"\r\n0\r\n\r\n")
        await peer.left()

    async with upstream(script) as server:
        response = await ask(client, server.post())
        await asyncio.sleep(0.02)
        assert len(await response.body(limit=10_000)) == 4000
        assert client.stats()[server.origin()].idle == 1
        await client.close()


async def test_the_clock_stops_when_no_connection_is_open(transport: HttpTransport) -> None:
    """An idle process is woken by nothing."""
    async with upstream(answering(whole(b"ok", headers=b"connection: close\r\n"))) as server:
        await (await ask(transport, server.post())).body(limit=10)
        await asyncio.sleep(0.03)
        assert not transport.ticking
        await (await ask(transport, server.post())).body(limit=10)
        assert transport.ticking
