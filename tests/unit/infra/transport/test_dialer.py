"""Names become addresses, the address checked is the address dialled, and TLS is verified."""

import asyncio
import socket
import ssl
from pathlib import Path

import pytest

from llmgateway.domain.errors import UPSTREAM_UNREACHABLE, UpstreamError
from llmgateway.domain.routing import HttpRequest, Origin
from llmgateway.infra.transport import Dialer, HttpTransport, Resolver, TransportLimits
from llmgateway.infra.transport.address import is_public
from tests.support.certificates import Authority
from tests.support.upstream import Peer, answering, ask, upstream, whole


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


class Names:
    """A resolver's lookup with the answers of a test, given one after the other; `asked` counts."""

    def __init__(self, *answers: list[str]) -> None:
        self._answers = answers
        self.asked = 0

    async def __call__(self, host: str, port: int) -> list[str]:
        answer = self._answers[min(self.asked, len(self._answers) - 1)]
        self.asked += 1
        if not answer:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return answer


def client_of(names: Names, *, ca_file: str | None = None, stagger_s: float = 0.25) -> HttpTransport:
    dialer = Dialer(resolver=Resolver(lookup=names), ca_file=ca_file, stagger_s=stagger_s)
    return HttpTransport(dialer=dialer, limits=TransportLimits(tick_s=0.01))


async def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


# --- TLS


async def test_a_certificate_of_our_authority_is_accepted(authority: Authority) -> None:
    client = HttpTransport(ca_file=authority.ca_file)
    async with upstream(answering(whole(b"secret")), tls=authority.server("localhost")) as server:
        for _ in range(3):
            response = await ask(client, server.post(host="localhost"))
            assert await response.body(limit=10) == b"secret"
        assert len(server.peers) == 1
        await client.close()


async def test_the_name_is_sent_and_verified_although_the_address_is_dialled(authority: Authority) -> None:
    seen: list[str | None] = []
    context = authority.server("api.example.test")
    context.sni_callback = lambda _socket, name, _context: seen.append(name)
    client = client_of(Names(["127.0.0.1"]), ca_file=authority.ca_file)
    async with upstream(answering(whole(b"ok")), tls=context) as server:
        response = await ask(client, server.post(host="api.example.test"))
        assert await response.body(limit=10) == b"ok"
        assert seen == ["api.example.test"]
        await client.close()


async def test_http_1_1_is_negotiated(authority: Authority) -> None:
    context = authority.server("localhost")
    context.set_alpn_protocols(["h2", "http/1.1"])
    chosen: list[str | None] = []

    async def script(peer: Peer) -> None:
        await peer.request()
        chosen.append(peer.tls.selected_alpn_protocol() if peer.tls is not None else None)
        await peer.send(whole(b"ok"))

    client = HttpTransport(ca_file=authority.ca_file)
    async with upstream(script, tls=context) as server:
        await ask(client, server.post(host="localhost"))
        assert chosen == ["http/1.1"]
        await client.close()


@pytest.mark.parametrize("case", ["unknown authority", "other name", "expired", "other address"])
async def test_a_certificate_that_cannot_be_verified_is_refused(
    authority: Authority, tmp_path: Path, case: str
) -> None:
    (tmp_path / "other").mkdir()
    trusted = Authority(tmp_path / "other") if case == "unknown authority" else authority
    context = authority.server(
        "elsewhere.test" if case == "other name" else "localhost", days=-1 if case == "expired" else 1
    )
    host = "127.0.0.1" if case == "other address" else "localhost"
    client = HttpTransport(ca_file=trusted.ca_file)
    async with upstream(answering(whole(b"ok")), tls=context) as server:
        with pytest.raises(UpstreamError, match="certificate was refused") as raised:
            await ask(client, server.post(host=host))
        assert raised.value.kind is UPSTREAM_UNREACHABLE
        assert server.requests == []
        assert client.stats()[server.origin(host=host)].open == 0
        await client.close()


async def test_a_server_that_speaks_no_tls_is_unreachable(authority: Authority) -> None:
    async def plain(peer: Peer) -> None:
        await peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    client = HttpTransport(ca_file=authority.ca_file)
    async with upstream(plain) as server:
        request = HttpRequest(Origin("https", "127.0.0.1", server.port), b"POST / HTTP/1.1\r\n", b"")
        with pytest.raises(UpstreamError, match="TLS handshake") as raised:
            await ask(client, request)
        assert raised.value.kind is UPSTREAM_UNREACHABLE
        await client.close()


async def test_a_cancelled_tls_stream_closes_at_once(authority: Authority) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        await peer.left()

    client = HttpTransport(ca_file=authority.ca_file)
    async with upstream(script, tls=authority.server("localhost")) as server:
        response = await ask(client, server.post(host="localhost"))
        reading = asyncio.create_task(response.read())
        await asyncio.sleep(0)
        reading.cancel()
        async with asyncio.timeout(0.1):
            await server.peers[0].gone.wait()
        await client.close()


async def test_a_tls_connection_closed_while_idle_is_removed(authority: Authority) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(whole(b"ok"))

    client = HttpTransport(ca_file=authority.ca_file)
    async with upstream(script, tls=authority.server("localhost")) as server:
        for _ in range(2):
            assert await (await ask(client, server.post(host="localhost"))).body(limit=10) == b"ok"
        await client.close()


# --- names and addresses


async def test_a_refused_connection_is_unreachable(transport: HttpTransport) -> None:
    origin = Origin("http", "127.0.0.1", await unused_port())
    with pytest.raises(UpstreamError, match="refused the connection") as raised:
        await ask(transport, HttpRequest(origin, b"POST / HTTP/1.1\r\n", b""))
    assert raised.value.kind is UPSTREAM_UNREACHABLE
    assert transport.stats()[origin].errors == 1


async def test_a_name_without_addresses_is_unreachable() -> None:
    client = client_of(Names([]))
    with pytest.raises(UpstreamError, match=r"nowhere.test:80 cannot be resolved \(DNS\)") as raised:
        await ask(client, HttpRequest(Origin("http", "nowhere.test", 80), b"POST / HTTP/1.1\r\n", b""))
    assert raised.value.kind is UPSTREAM_UNREACHABLE
    await client.close()


@pytest.mark.parametrize("host", ["a" * 64 + ".test", "a..b", "\udcff.test"])
async def test_a_name_that_is_none_is_unreachable(transport: HttpTransport, host: str) -> None:
    with pytest.raises(UpstreamError, match="cannot be resolved") as raised:
        await ask(transport, HttpRequest(Origin("http", host, 80), b"POST / HTTP/1.1\r\n", b""))
    assert raised.value.kind is UPSTREAM_UNREACHABLE


@pytest.mark.allow_hosts(["127.0.0.1", "127.0.0.2", "127.0.0.3"])
async def test_the_next_address_is_tried_when_one_refuses() -> None:
    client = client_of(Names(["127.0.0.2", "127.0.0.3", "127.0.0.1"]))
    async with upstream(answering(whole(b"ok"))) as server:
        response = await ask(client, server.post(host="many.test"))
        assert await response.body(limit=10) == b"ok"
        assert client.stats()[server.origin(host="many.test")].open == 1
        await client.close()


@pytest.mark.allow_hosts(["127.0.0.1", "127.0.0.2"])
async def test_an_address_that_does_not_answer_is_overtaken_by_the_next(authority: Authority) -> None:
    """The first address accepts and never shakes hands; the attempt at it is given up once the second has won."""

    async def silent(peer: Peer) -> None:
        await peer.left()

    client = client_of(Names(["127.0.0.1", "127.0.0.2"]), ca_file=authority.ca_file, stagger_s=0.02)
    async with (
        upstream(silent) as stuck,
        upstream(
            answering(whole(b"ok")), tls=authority.server("slow.test"), host="127.0.0.2", port=stuck.port
        ) as server,
    ):
        async with asyncio.timeout(1):
            response = await ask(client, server.post(host="slow.test"))
            assert await response.body(limit=10) == b"ok"
            await stuck.peers[0].gone.wait()
        assert client.stats()[server.origin(host="slow.test")].open == 1
        await client.close()


async def test_addresses_are_remembered_for_a_while_and_forgotten_when_they_fail() -> None:
    names = Names(["127.0.0.1"], ["127.0.0.2"], ["127.0.0.1"])
    resolver = Resolver(lookup=names, ttl_s=0.02)
    assert await resolver.addresses("a.test", port=1) == ("127.0.0.1",)
    assert await resolver.addresses("a.test", port=1) == ("127.0.0.1",)
    assert names.asked == 1
    await asyncio.sleep(0.03)
    assert await resolver.addresses("a.test", port=1) == ("127.0.0.2",)
    resolver.forget("a.test", port=1)
    assert await resolver.addresses("a.test", port=1) == ("127.0.0.1",)


async def test_the_memory_of_names_is_bounded_and_lookups_are_shared() -> None:
    names = Names(["127.0.0.1"])
    resolver = Resolver(lookup=names, entries=2)
    await asyncio.gather(*(resolver.addresses("a.test", port=1) for _ in range(50)))
    assert names.asked == 1
    for host in ("b.test", "c.test", "a.test"):
        await resolver.addresses(host, port=1)
    assert names.asked == 4


async def test_a_failed_lookup_is_not_remembered() -> None:
    resolver = Resolver(lookup=Names([], ["127.0.0.1"]))
    with pytest.raises(OSError):
        await resolver.addresses("a.test", port=1)
    assert await resolver.addresses("a.test", port=1) == ("127.0.0.1",)


async def test_families_take_turns() -> None:
    resolver = Resolver(lookup=Names(["::1", "::2", "::3", "127.0.0.1"]))
    assert await resolver.addresses("a.test", port=1) == ("::1", "127.0.0.1", "::2", "::3")


PRIVATE = [
    "0.0.0.0", "10.1.2.3", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.8.8.8", "169.254.169.254", "172.16.0.1",
    "172.31.255.255", "192.0.0.192", "192.168.1.1", "198.18.0.1", "192.0.2.1", "224.0.0.1", "239.255.255.250",
    "240.0.0.1", "255.255.255.255", "168.63.129.16", "::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254",
    "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1", "2002:7f00:1::", "2002:a9fe:a9fe::1",
    "64:ff9b::7f00:1", "64:ff9b::169.254.169.254", "64:ff9b:1::808:808", "2001::1", "2001:db8::1", "100::1", "fec0::1",
    "3fff::1", "not an address", "",
]  # fmt: skip
PUBLIC = [
    "1.1.1.1", "8.8.8.8", "100.63.255.255", "100.128.0.1", "172.32.0.1", "169.253.1.1", "2606:4700::1111",
    "2a00:1450:4001::200e", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1",
]  # fmt: skip


@pytest.mark.parametrize("address", PRIVATE)
def test_addresses_off_the_public_internet_are_known(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_addresses_of_the_public_internet_are_known(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("addresses", [["127.0.0.1"], ["8.8.8.8", "127.0.0.1"], ["::ffff:127.0.0.1"]])
async def test_one_private_address_is_enough_to_refuse_a_guarded_origin(addresses: list[str]) -> None:
    client = client_of(Names(addresses))
    async with upstream(answering(whole(b"ok"))) as server:
        request = HttpRequest(server.origin(host="inner.test", allow_private=False), b"POST / HTTP/1.1\r\n", b"")
        with pytest.raises(UpstreamError, match="only the public internet") as raised:
            await ask(client, request)
        assert raised.value.kind is UPSTREAM_UNREACHABLE
        assert addresses[0] not in raised.value.message
        assert server.peers == []
        await client.close()


def test_the_tls_context_verifies_names_and_certificates() -> None:
    context = Dialer().tls_context()
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
