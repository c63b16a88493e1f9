"""Pumping: what arrives is handed on from within the socket's callback, and every ending reaches the one who waits."""

import asyncio

import pytest

from llmgateway.domain.errors import UPSTREAM_UNREACHABLE, UpstreamError
from llmgateway.infra.transport import HttpTransport
from tests.support.upstream import Peer, answering, ask, chunked, until, upstream, whole

HEAD = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


async def three_pieces(peer: Peer) -> None:
    await peer.request()
    for piece in (HEAD + b"1\r\na\r\n", b"1\r\nb\r\n", b"1\r\nc\r\n0\r\n\r\n"):
        await peer.send(piece)
        await asyncio.sleep(0.01)


async def test_every_byte_arrives_in_order_and_the_clean_end_is_told(transport: HttpTransport) -> None:
    async with upstream(three_pieces) as server:
        response = await ask(transport, server.post())
        heard: list[bytes] = []
        assert await response.pump(lambda data: heard.append(data) is not None) is False
        assert b"".join(heard) == b"abc"
        response.close()
        assert transport.stats()[server.origin()].idle == 1


async def test_a_step_that_has_enough_ends_the_pump_and_another_goes_on(transport: HttpTransport) -> None:
    async with upstream(three_pieces) as server:
        response = await ask(transport, server.post())
        heard: list[bytes] = []
        while await response.pump(lambda data: heard.append(data) is None):
            pass
        assert b"".join(heard) == b"abc"


async def test_an_answer_that_came_in_one_piece_is_pumped_without_waiting(transport: HttpTransport) -> None:
    async with upstream(answering(whole(b"all of it"))) as server:
        response = await ask(transport, server.post())
        heard: list[bytes] = []
        waiting = response.pump(lambda data: heard.append(data) is not None)
        with pytest.raises(StopIteration) as ended:
            waiting.send(None)
        assert (ended.value.value, heard) == (False, [b"all of it"])


async def test_what_a_step_raises_reaches_the_caller_and_closes_the_connection(transport: HttpTransport) -> None:
    def broken(data: bytes) -> bool:
        raise ValueError(data)

    async with upstream(three_pieces) as server:
        response = await ask(transport, server.post())
        with pytest.raises(ValueError, match="a"):
            await response.pump(broken)
        response.close()
        await until(lambda: transport.stats()[server.origin()].open == 0)


async def test_a_reset_in_the_middle_is_raised(transport: HttpTransport) -> None:
    async def reset(peer: Peer) -> None:
        await peer.request()
        await peer.send(HEAD + b"1\r\na\r\n")
        await asyncio.sleep(0.02)
        peer.reset()

    async with upstream(reset) as server:
        response = await ask(transport, server.post())
        heard: list[bytes] = []
        with pytest.raises(UpstreamError) as raised:
            await response.pump(lambda data: heard.append(data) is not None)
        assert (raised.value.kind, heard) == (UPSTREAM_UNREACHABLE, [b"a"])


async def test_cancelling_a_pump_closes_the_connection(transport: HttpTransport) -> None:
    async def silent(peer: Peer) -> None:
        await peer.request()
        await peer.send(HEAD)
        await peer.left()

    async with upstream(silent) as server:
        response = await ask(transport, server.post())
        pumping = asyncio.create_task(response.pump(lambda _data: False))
        await asyncio.sleep(0)
        pumping.cancel()
        with pytest.raises(asyncio.CancelledError):
            await pumping
        async with asyncio.timeout(0.1):
            await server.peers[0].gone.wait()


async def test_any_split_of_the_bytes_pumps_the_same(transport: HttpTransport) -> None:
    answer = chunked(b"hello", b" ", b"world")
    for cut in range(1, len(answer)):

        async def split(peer: Peer, cut: int = cut) -> None:
            await peer.request()
            await peer.send(answer[:cut])
            await asyncio.sleep(0)
            await peer.send(answer[cut:])

        async with upstream(split) as server:
            response = await ask(transport, server.post())
            heard: list[bytes] = []
            assert await response.pump(lambda data, heard=heard: heard.append(data) is not None) is False
            assert b"".join(heard) == b"hello world"
