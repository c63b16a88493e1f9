"""Fetching what a caller's URL names: only what may be reached, only what was asked for, and in bounded time."""

import asyncio
import socket
from pathlib import Path

import pytest

from llmgateway.domain.errors import INVALID_VALUE, GatewayError
from llmgateway.engine.ports import Fetcher
from llmgateway.infra.fetch import FetchLimits, GuardedFetcher
from llmgateway.infra.transport import Dialer, Resolver
from tests.support.certificates import Authority
from tests.support.upstream import Peer, Script, answering, until, upstream

PARAM = "messages[0].content[1].image_url.url"
IMAGES = ("image/png", "image/*")


def image(body: bytes = b"PNG", *, content_type: bytes = b"image/png", status: bytes = b"200 OK") -> bytes:
    return b"HTTP/1.1 %b\r\ncontent-type: %b\r\ncontent-length: %d\r\n\r\n%b" % (
        status,
        content_type,
        len(body),
        body,
    )


def redirect(location: str) -> bytes:
    return b"HTTP/1.1 302 Found\r\nlocation: %b\r\ncontent-length: 0\r\n\r\n" % location.encode()


async def get(fetcher: Fetcher, url: str, *, limit: int = 1000) -> tuple[str, bytes]:
    return await fetcher.fetch(url, param=PARAM, limit=limit, types=IMAGES)


async def refusal(fetcher: Fetcher, url: str, *, limit: int = 1000) -> str:
    """The message of the 400 that names the part."""
    with pytest.raises(GatewayError) as raised:
        await get(fetcher, url, limit=limit)
    assert raised.value.kind is INVALID_VALUE
    assert raised.value.param == PARAM
    assert raised.value.message.startswith(f"Cannot fetch the URL of {PARAM}: ")
    return raised.value.message


def private(*, limits: FetchLimits | None = None) -> GuardedFetcher:
    return GuardedFetcher(allow_private_network=True, limits=limits or FetchLimits())


async def served(script: Script, *, limit: int = 1000, limits: FetchLimits | None = None) -> str:
    async with upstream(script) as server:
        return await refusal(private(limits=limits), f"http://127.0.0.1:{server.port}/", limit=limit)


UNREACHABLE = [
    "file:///etc/passwd",
    "ftp://example.com/a.png",
    "gopher://127.0.0.1:6379/_FLUSHALL",
    "javascript:alert(1)",
    "//127.0.0.1/a.png",
    "",
    "a.png",
    "http://example.com/a.png",
    "https://127.0.0.1/a.png",
    "https://127.0.0.1./a.png",
    "https://127.1/a.png",
    "https://2130706433/a.png",
    "https://017700000001/a.png",
    "https://0x7f000001/a.png",
    "https://0x7f.0.0.1/a.png",
    "https://0177.0.0.1/a.png",
    "https://127.0.0.0x1/a.png",
    "https://1.1.1.1.1/a.png",
    "https://256.1.1.1/a.png",
    "https://0/a.png",
    "https://[::1]/a.png",
    "https://[::]/a.png",
    "https://[::ffff:127.0.0.1]/a.png",
    "https://[::ffff:7f00:1]/a.png",
    "https://[64:ff9b::7f00:1]/a.png",
    "https://[2002:7f00:1::]/a.png",
    "https://[fe80::1%25eth0]/a.png",
    "https://[fd00:ec2::254]/a.png",
    "https://[::1/a.png",
    "https://[v1.a]/a.png",
    "https://169.254.169.254/latest/meta-data/",
    "https://10.0.0.1/a.png",
    "https://192.168.0.1/a.png",
    "https://100.64.0.1/a.png",
    "https://localhost/a.png",
    "https://LOCALHOST./a.png",
    "https://user:password@example.com/a.png",
    "https://example.com@127.0.0.1/a.png",
    "https:///a.png",
    "https://:443/a.png",
    "https://example.com:99999/a.png",
    "https://example.com:port/a.png",
    "https://exa mple.com/a.png",
    "https://example.com/a b.png",
    "https://example.com\r\nx-evil: 1/a.png",
    "https://example.com/a\r\nx-evil:1",
    "https://example.com/\0",
    "https:\\\\example.com\\a.png",
    "https://①②⑦.⓪.⓪.①/a.png",
    "https://a..example.com/a.png",
    "https://exa$mple.com/a.png",
    "https://" + "a" * 64 + ".com/a.png",
    "https://example.com/" + "a" * 8192,
]


@pytest.mark.parametrize("url", UNREACHABLE, ids=range(len(UNREACHABLE)))
async def test_urls_that_are_none_or_lead_inside_are_refused(url: str) -> None:
    await refusal(GuardedFetcher(), url)


@pytest.mark.parametrize(
    "addresses",
    [["127.0.0.1"], ["10.0.0.1"], ["::1"], ["169.254.169.254"], ["::ffff:127.0.0.1"], ["8.8.8.8", "127.0.0.1"]],
)
async def test_a_name_that_resolves_to_a_private_address_is_refused(addresses: list[str]) -> None:
    async def lookup(host: str, port: int) -> list[str]:
        assert (host, port) == ("inner.example.com", 443)
        return addresses

    fetcher = GuardedFetcher(dialer=Dialer(resolver=Resolver(lookup=lookup)))
    message = await refusal(fetcher, "https://inner.example.com/a.png")
    assert "only the public internet" in message
    assert addresses[0] not in message


async def test_a_name_that_resolves_differently_the_second_time_gains_nothing() -> None:
    """The address that was checked is the one that is dialled; nothing resolves the name again."""
    asked: list[str] = []
    dialled: list[str] = []

    async def lookup(host: str, port: int) -> list[str]:
        del port
        asked.append(host)
        return ["8.8.8.8"] if len(asked) == 1 else ["127.0.0.1"]

    class Loop(asyncio.SelectorEventLoop):
        async def create_connection(self, protocol_factory, host=None, port=None, **options):
            del protocol_factory, port
            assert options["server_hostname"] == "rebinding.example.com"
            dialled.append(str(host))
            raise ConnectionRefusedError

    def run() -> str:
        with asyncio.Runner(loop_factory=Loop) as runner:
            fetcher = GuardedFetcher(dialer=Dialer(resolver=Resolver(lookup=lookup, ttl_s=0)))
            first = runner.run(refusal(fetcher, "https://rebinding.example.com/a.png"))
            second = runner.run(refusal(fetcher, "https://rebinding.example.com/a.png"))
            return first + second

    messages = await asyncio.to_thread(run)
    assert dialled == ["8.8.8.8"]
    assert len(asked) == 2
    assert "refused the connection" in messages
    assert "only the public internet" in messages


async def test_an_image_is_fetched_over_https(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    fetcher = GuardedFetcher(allow_private_network=True, dialer=Dialer(ca_file=authority.ca_file))
    async with upstream(answering(image()), tls=authority.server("localhost")) as server:
        url = f"https://localhost:{server.port}/a/b.png?size=1&x=%20#part"
        assert await get(fetcher, url) == ("image/png", b"PNG")
        request = server.requests[0].decode()
        assert request.startswith("GET /a/b.png?size=1&x=%20 HTTP/1.1\r\n")
        assert f"\r\nhost: localhost:{server.port}\r\n" in request
        assert "\r\naccept-encoding: identity\r\n" in request
        await asyncio.wait_for(server.peers[0].gone.wait(), 1)


async def test_an_unverified_server_is_refused(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    async with upstream(answering(image()), tls=authority.server("localhost")) as server:
        assert "certificate was refused" in await refusal(private(), f"https://localhost:{server.port}/a.png")


async def test_http_is_for_private_addresses_only() -> None:
    async with upstream(answering(image())) as server:
        assert await get(private(), f"http://127.0.0.1:{server.port}/a.png") == ("image/png", b"PNG")
        assert "only https URLs" in await refusal(GuardedFetcher(), f"http://127.0.0.1:{server.port}/a.png")
    assert "only private networks" in await refusal(private(), "http://8.8.8.8/a.png")


@pytest.mark.parametrize(
    ("written", "sent"),
    [("/ä b".replace(" ", "%20"), "/%C3%A4%20b"), ("?q=ü", "/?q=%C3%BC"), ("", "/"), ("/%2e%2e/x", "/%2e%2e/x")],
)
async def test_what_is_sent_is_ascii(written: str, sent: str) -> None:
    async with upstream(answering(image())) as server:
        await get(private(), f"http://127.0.0.1:{server.port}{written}")
        assert server.requests[0].startswith(f"GET {sent} HTTP/1.1\r\n".encode())


async def test_international_names_are_asked_for_in_ascii() -> None:
    asked: list[str] = []

    async def lookup(host: str, port: int) -> list[str]:
        del port
        asked.append(host)
        raise socket.gaierror

    await refusal(GuardedFetcher(dialer=Dialer(resolver=Resolver(lookup=lookup))), "https://Bücher.example/a.png")
    assert asked == ["xn--bcher-kva.example"]


@pytest.mark.parametrize("how", ["absolute", "relative"])
async def test_redirects_are_followed(how: str) -> None:
    async def script(peer: Peer) -> None:
        request = await peer.request()
        if request.startswith(b"GET /final"):
            await peer.send(image())
        else:
            await peer.send(redirect(f"http://127.0.0.1:{server.port}/final" if how == "absolute" else "/final"))

    async with upstream(script) as server:
        assert await get(private(), f"http://127.0.0.1:{server.port}/first") == ("image/png", b"PNG")


async def test_three_redirects_are_followed_and_no_more() -> None:
    assert "redirected more than 3 times" in await served(answering(redirect("/again")))


async def test_a_redirect_without_a_location_is_refused() -> None:
    assert "redirects to nowhere" in await served(
        answering(b"HTTP/1.1 302 Found\r\ncontent-length: 0\r\n\r\n"),
    )


@pytest.mark.parametrize(
    "location",
    [
        "file:///etc/passwd",
        "http://127.0.0.1/a.png",
        "https://127.0.0.1/a.png",
        "https://169.254.169.254/latest",
        "https://[::1]/",
        "https://[",
        "//user:secret@example.com/",
    ],
)
async def test_redirects_are_checked_like_the_url_itself(tmp_path: Path, location: str) -> None:
    """A public server, played by a dialer that takes its address for public, sends the fetcher inside."""
    authority = Authority(tmp_path)

    async def lookup(host: str, port: int) -> list[str]:
        del host, port
        return ["127.0.0.1"]

    class OnePublicHost(Dialer):
        async def dial(self, origin, *, reach, create):
            public = origin.host == "public.example"
            return await super().dial(origin, reach="any" if public else reach, create=create)

    dialer = OnePublicHost(resolver=Resolver(lookup=lookup), ca_file=authority.ca_file)
    tls = authority.server("public.example")
    async with upstream(answering(redirect(location)), tls=tls) as server:
        await refusal(GuardedFetcher(dialer=dialer), f"https://public.example:{server.port}/a.png")
        assert len(server.requests) == 1


@pytest.mark.parametrize("content_type", [b"text/html", b"application/json", b"", b"imagex/png", b"image"])
async def test_other_content_types_are_refused(content_type: bytes) -> None:
    assert "expected image/png or image/*" in await served(answering(image(content_type=content_type)))


async def test_parameters_and_case_of_the_content_type_do_not_matter() -> None:
    async with upstream(answering(image(content_type=b"Image/JPEG; q=1"))) as server:
        assert await get(private(), f"http://127.0.0.1:{server.port}/") == ("image/jpeg", b"PNG")


@pytest.mark.parametrize("status", [b"404 Not Found", b"500 Oops", b"204 No Content", b"304 Not Modified"])
async def test_other_statuses_are_refused(status: bytes) -> None:
    assert f"status {int(status[:3])}" in await served(answering(image(status=status)))


async def test_a_body_over_the_limit_is_refused() -> None:
    assert "larger than 1000 bytes" in await served(answering(image(b"x" * 1001)))


async def test_an_endless_body_is_cut() -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\ncontent-type: image/png\r\n\r\n")
        while True:
            await peer.send(b"x" * 10_000)

    assert "larger than" in await served(script, limit=1_000_000)


async def test_a_slow_server_is_given_up_and_left() -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\ncontent-type: image/png\r\ncontent-length: 100\r\n\r\n")
        while True:
            await peer.send(b"x")
            await asyncio.sleep(0.01)

    assert "not there within 0.1 s" in await served(script, limits=FetchLimits(total_s=0.1))


async def test_a_compressed_answer_is_refused() -> None:
    answer = b"HTTP/1.1 200 OK\r\ncontent-type: image/png\r\ncontent-encoding: gzip\r\ncontent-length: 1\r\n\r\nx"
    assert "compressed" in await served(answering(answer))


async def test_a_cut_answer_is_refused() -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(image()[:-1])

    assert "ended early" in await served(script)


async def test_cancelling_a_fetch_closes_the_connection() -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.left()

    async with upstream(script) as server:
        fetching = asyncio.create_task(get(private(), f"http://127.0.0.1:{server.port}/"))
        await until(lambda: bool(server.requests))
        fetching.cancel()
        async with asyncio.timeout(0.1):
            await server.peers[0].gone.wait()
        with pytest.raises(asyncio.CancelledError):
            await fetching
