"""What the transport refuses: answers that two readers could read differently, and answers without end."""

import asyncio

import pytest

from llmgateway.domain.errors import UPSTREAM_ERROR, UpstreamError
from llmgateway.infra.transport import HttpTransport
from tests.support.upstream import Peer, answering, ask, chunked, read_all, sending, upstream, whole

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"transfer-encoding: chunked\r\n\r\n"

UNREADABLE = {
    "two lengths": OK + b"content-length: 2\r\ncontent-length: 3\r\n\r\nhi!",
    "the same length twice": OK + b"content-length: 2\r\ncontent-length: 2\r\n\r\nhi",
    "a list of lengths": OK + b"content-length: 2, 2\r\n\r\nhi",
    "length and transfer-encoding": OK + b"content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
    "transfer-encoding and length": OK + b"transfer-encoding: chunked\r\ncontent-length: 2\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
    "unknown transfer-encoding": OK + b"transfer-encoding: xchunked\r\n\r\nhi",
    "two transfer-encodings": OK + b"transfer-encoding: gzip, chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
    "transfer-encoding twice": OK + b"transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "identity after chunked": OK + b"transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n\r\nhi",
    "negative length": OK + b"content-length: -2\r\n\r\nhi",
    "signed length": OK + b"content-length: +2\r\n\r\nhi",
    "huge length": OK + b"content-length: 99999999999999999999999\r\n\r\nhi",
    "no length": OK + b"content-length:\r\n\r\nhi",
    "space before colon": OK + b"content-length : 2\r\n\r\nhi",
    "bare CR in a value": OK + b"x: a\rcontent-length: 9\r\ncontent-length: 2\r\n\r\nhi",
    "bare LF": b"HTTP/1.1 200 OK\ncontent-length: 2\n\nhi",
    "NUL in a value": OK + b"x: a\0b\r\ncontent-length: 2\r\n\r\nhi",
    "folded header": OK + b"x: a\r\n b\r\ncontent-length: 2\r\n\r\nhi",
    "folded transfer-encoding": OK + b"transfer-encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
    "chunk size overflow": CHUNKED + b"fffffffffffffffff\r\nhi",
    "negative chunk size": CHUNKED + b"-2\r\nhi",
    "0x chunk size": CHUNKED + b"0x2\r\nhi\r\n",
    "no chunk size": CHUNKED + b"\r\nhi\r\n",
    "chunk longer than said": CHUNKED + b"2\r\nhiX\r\n0\r\n\r\n",
    "chunk size with bare LF": CHUNKED + b"2\nhi\n0\n\n",
    "HTTP/2": b"HTTP/2.0 200 OK\r\ncontent-length: 2\r\n\r\nhi",
    "HTTP/0.9": b"HTTP/0.9 200 OK\r\n\r\nhi",
    "no HTTP": b"<html>hello</html>\r\n\r\n",
    "an SSH banner": b"SSH-2.0-OpenSSH_9.2\r\n",
    "status of four digits": b"HTTP/1.1 2000 OK\r\n\r\n",
    "status below 100": b"HTTP/1.1 099 Low\r\n\r\n",
    "switching protocols": b"HTTP/1.1 101 S\r\nupgrade: x\r\nconnection: upgrade\r\n\r\nabc",
    "length in a trailer": CHUNKED + b"2\r\nhi\r\n0\r\ncontent-length: 9\r\n\r\n",
    "gzip": OK + b"content-encoding: gzip\r\ncontent-length: 2\r\n\r\n\x1f\x8b",
    "gzip hidden before identity": OK
    + b"content-encoding: gzip\r\ncontent-encoding: identity\r\ncontent-length: 0\r\n\r\n",
    "201 headers": OK + b"x: a\r\n" * 201 + b"content-length: 0\r\n\r\n",
    "a header of 64 KiB": OK + b"x: " + b"a" * 65_536 + b"\r\ncontent-length: 0\r\n\r\n",
}


@pytest.mark.parametrize("name", UNREADABLE)
async def test_an_unreadable_answer_is_an_upstream_error_and_closes(transport: HttpTransport, name: str) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(UNREADABLE[name])
        await peer.left()

    async with upstream(script) as server:
        with pytest.raises(UpstreamError) as raised:
            await (await ask(transport, server.post())).body(limit=1000)
        assert raised.value.kind is UPSTREAM_ERROR
        assert f"127.0.0.1:{server.port}" in raised.value.message
        await asyncio.wait_for(server.peers[0].gone.wait(), 1)
        assert transport.stats()[server.origin()].open == 0
        assert transport.stats()[server.origin()].errors == 1


@pytest.mark.parametrize("name", UNREADABLE)
async def test_an_unreadable_answer_stays_so_byte_by_byte(transport: HttpTransport, name: str) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        for start in range(0, len(UNREADABLE[name]), max(1, len(UNREADABLE[name]) // 60)):
            await peer.send(UNREADABLE[name][start : start + max(1, len(UNREADABLE[name]) // 60)])
            await asyncio.sleep(0)
        await peer.left()

    async with upstream(script) as server:
        with pytest.raises(UpstreamError) as raised:
            await (await ask(transport, server.post())).body(limit=1000)
        assert raised.value.kind is UPSTREAM_ERROR


async def test_compression_nobody_asked_for_is_named(transport: HttpTransport) -> None:
    async with upstream(answering(UNREADABLE["gzip"])) as server:
        with pytest.raises(UpstreamError, match=r"compressed \(content-encoding\)") as raised:
            await ask(transport, server.post())
        assert raised.value.status_code == 200


async def test_identity_content_encoding_is_read(transport: HttpTransport) -> None:
    async with upstream(answering(whole(b"ok", headers=b"content-encoding: Identity \r\n"))) as server:
        assert await (await ask(transport, server.post())).body(limit=10) == b"ok"


@pytest.mark.parametrize(
    "endless",
    [b"HTTP/1.1 200 OK\r\nx: ", b"HTTP/1.1 103 Hints\r\n\r\n", CHUNKED + b"1;x=", CHUNKED + b"1\r\na\r\n0\r\nx: "],
)
async def test_endless_heads_extensions_and_trailers_are_cut(transport: HttpTransport, endless: bytes) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(endless)
        while True:
            await peer.send((endless if endless.endswith(b"\r\n\r\n") else b"a") * 1000)

    async with upstream(script) as server:
        with pytest.raises(UpstreamError, match="headers or chunk framing") as raised:
            await read_all(await ask(transport, server.post()))
        assert raised.value.kind is UPSTREAM_ERROR


async def test_a_second_answer_in_the_same_packet_reaches_nobody(transport: HttpTransport) -> None:
    """Response smuggling: what follows an answer is not the answer to the next request."""
    async with upstream(answering(whole(b"mine") + whole(b"evil"), whole(b"evil"))) as server:
        for _ in range(3):
            response = await ask(transport, server.post())
            assert await response.body(limit=100) == b"mine"
        assert len(server.peers) == 3


@pytest.mark.parametrize("extra", [b"H", b"junk", b"\0", whole(b"evil")[:30]])
async def test_any_byte_after_an_answer_closes_the_connection(transport: HttpTransport, extra: bytes) -> None:
    async with upstream(answering(whole(b"mine") + extra)) as server:
        response = await ask(transport, server.post())
        assert await response.body(limit=100) == b"mine"
        assert transport.stats()[server.origin()].open == 0


async def test_bytes_on_an_idle_connection_close_it(transport: HttpTransport) -> None:
    turn = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(whole(b"mine"))
        await turn.wait()
        await peer.send(whole(b"evil"))
        await peer.left()

    async with upstream(script) as server:
        response = await ask(transport, server.post())
        assert await response.body(limit=100) == b"mine"
        assert transport.stats()[server.origin()].idle == 1
        turn.set()
        await asyncio.wait_for(server.peers[0].gone.wait(), 1)
        assert transport.stats()[server.origin()].open == 0


async def test_an_early_answer_to_a_request_still_being_sent_is_not_followed_by_another(
    transport: HttpTransport,
) -> None:
    """The rest of the request would be read as the next one."""

    async def script(peer: Peer) -> None:
        await peer.send(b"HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\n\r\nno")
        await asyncio.sleep(0.05)
        await peer.left()

    async with upstream(sending(chunked(b"ok"))) as other, upstream(script) as server:
        response = await ask(transport, server.post(b"x" * 20_000_000))
        assert response.status == 413
        assert await response.body(limit=10) == b"no"
        assert transport.stats()[server.origin()].open == 0
        assert await (await ask(transport, other.post())).body(limit=10) == b"ok"
