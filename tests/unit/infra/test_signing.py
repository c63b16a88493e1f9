"""Keys that cannot stand in a precomputed head: access keys sign, service accounts are exchanged for tokens."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import msgspec
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256

from llmgateway.domain import errors
from llmgateway.domain.errors import UpstreamError
from llmgateway.domain.routing import Credential, Deployment, HttpRequest, Variable
from llmgateway.engine.snapshot import Snapshot
from llmgateway.infra.signing import Signing
from llmgateway.infra.transport import HttpTransport
from tests.support.fakes import offer, provider, snapshot

AT = datetime(2026, 11, 25, 12, tzinfo=UTC)
SECRET_KEY = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
ACCESS_KEY = f"AKIAIOSFODNN7EXAMPLE:{SECRET_KEY}"


def deployment(secret: str, **row: Any) -> Deployment:
    of = snapshot(offer(), providers=[provider(**row)], credentials=[])
    keyed = Snapshot(
        catalog=of.catalog,
        keys=[],
        credentials=[Credential(provider="acme", secret=secret, fingerprint="f" * 16)],
        protocols=frozenset({"openai-chat"}),
        instance_id="i",
        today=of.today,
    )
    route = keyed.route("gpt-x")
    assert route is not None
    return route.offers[0].deployments[0]


def request(to: Deployment) -> HttpRequest:
    return HttpRequest(to.origin, to.head, b'{"a":1}')


def header(of: HttpRequest, name: str) -> str | None:
    found = [line for line in of.head.decode().split("\r\n") if line.startswith(f"{name}: ")]
    assert len(found) <= 1
    return found[0].removeprefix(f"{name}: ") if found else None


# Access keys


async def signed(secret: str, **row: Any) -> HttpRequest:
    to = deployment(secret, auth="aws", **row)
    assert to.signing == "aws"
    return await Signing(HttpTransport(), now=lambda: AT).sign(request(to), to=to)


async def test_an_access_key_signs_the_request_for_its_region() -> None:
    of = await signed(ACCESS_KEY, variables={"region": Variable(value="eu-west-3")})
    authorization = header(of, "authorization")
    assert authorization is not None
    scope = "AKIAIOSFODNN7EXAMPLE/20261125/eu-west-3/bedrock/aws4_request"
    assert authorization.startswith(f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=")
    assert header(of, "x-amz-date") == "20261125T120000Z"
    assert header(of, "x-amz-security-token") is None
    assert SECRET_KEY.encode() not in of.head
    assert of.head.endswith(b"\r\n")
    assert of.body == b'{"a":1}'


async def test_a_session_token_is_sent_along() -> None:
    assert header(await signed(f"{ACCESS_KEY}:session/token+="), "x-amz-security-token") == "session/token+="


@pytest.mark.parametrize(
    ("base_url", "region"),
    [
        ("https://bedrock-runtime.us-gov-west-1.amazonaws.com", "us-gov-west-1"),
        ("https://vpce-1.bedrock-runtime.ap-southeast-2.vpce.amazonaws.com", "ap-southeast-2"),
        ("http://127.0.0.1:4010/bedrock", "us-east-1"),
    ],
)
async def test_without_a_region_of_its_own_the_host_tells_it(base_url: str, region: str) -> None:
    assert f"/20261125/{region}/bedrock/" in str(header(await signed(ACCESS_KEY, base_url=base_url), "authorization"))


# Service accounts


class TokenServer:
    """Google's token endpoint on loopback: checks each assertion, counts what it was asked, answers as told."""

    def __init__(self) -> None:
        self.asked: list[dict[str, str]] = []
        self.answer: Callable[[int], tuple[int, dict[str, Any]]] = lambda number: (
            200,
            {"access_token": f"token-{number}", "expires_in": 3600, "token_type": "Bearer"},
        )
        self.gate = asyncio.Event()
        self.gate.set()
        self.asked_once = asyncio.Event()
        self.port = 0

    async def serve(self) -> asyncio.Server:
        server = await asyncio.start_server(self._one, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        return server

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        form = parse_qs((await reader.readexactly(length)).decode())
        self.asked.append({name: values[0] for name, values in form.items()})
        self.asked_once.set()
        await self.gate.wait()
        status, answer = self.answer(len(self.asked))
        body = msgspec.json.encode(answer)
        writer.write(
            b"HTTP/1.1 %d X\r\ncontent-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%b"
            % (status, len(body), body)
        )
        await writer.drain()
        writer.close()


class Clock:
    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture(scope="module")
def private_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture
async def server() -> AsyncIterator[TokenServer]:
    made = TokenServer()
    async with await made.serve():
        yield made


def account(server: TokenServer, private_key: rsa.RSAPrivateKey) -> str:
    pem = private_key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return msgspec.json.encode(
        {
            "type": "service_account",
            "project_id": "acme",
            "private_key_id": "key-1",
            "private_key": pem.decode(),
            "client_email": "gateway@acme.iam.gserviceaccount.com",
            "token_uri": f"http://127.0.0.1:{server.port}/token",
        }
    ).decode()


class Bench:
    def __init__(self, secret: str) -> None:
        self.clock = Clock()
        self.transport = HttpTransport()
        self.signing = Signing(self.transport, now=self.clock)
        self.to = deployment(secret, auth="google")

    async def token(self) -> str | None:
        return header(await self.signing.sign(request(self.to), to=self.to), "authorization")

    async def refusal(self) -> UpstreamError:
        with pytest.raises(UpstreamError) as raised:
            await self.token()
        assert raised.value.kind is errors.UPSTREAM_AUTH
        return raised.value


@pytest.fixture
async def bench(server: TokenServer, private_key: rsa.RSAPrivateKey) -> AsyncIterator[Bench]:
    made = Bench(account(server, private_key))
    yield made
    await made.transport.close()


async def test_an_account_is_exchanged_for_a_token_which_goes_into_the_request(
    bench: Bench, server: TokenServer, private_key: rsa.RSAPrivateKey
) -> None:
    assert bench.to.signing == "google"
    assert await bench.token() == "Bearer token-1"
    assertion = server.asked[0]["assertion"]
    signed_part, _, signature = assertion.rpartition(".")
    private_key.public_key().verify(_decoded(signature), signed_part.encode(), padding.PKCS1v15(), SHA256())
    claims = msgspec.json.decode(_decoded(signed_part.split(".")[1]))
    assert claims["iss"] == "gateway@acme.iam.gserviceaccount.com"
    assert claims["scope"] == "https://www.googleapis.com/auth/cloud-platform"


def _decoded(text: str) -> bytes:
    import base64

    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


async def test_an_account_may_be_in_a_file(tmp_path: Path, server: TokenServer, private_key: rsa.RSAPrivateKey) -> None:
    file = tmp_path / "account.json"
    file.write_text(account(server, private_key))
    bench = Bench(str(file))
    assert await bench.token() == "Bearer token-1"
    await bench.transport.close()


async def test_a_token_is_used_until_shortly_before_its_end(bench: Bench, server: TokenServer) -> None:
    for minutes in (0, 30, 50):
        bench.clock.now += timedelta(minutes=minutes) - (timedelta(minutes=30) if minutes == 50 else timedelta())
        assert await bench.token() == "Bearer token-1"
    assert len(server.asked) == 1


async def test_near_its_end_a_new_one_is_fetched_behind_the_request(bench: Bench, server: TokenServer) -> None:
    await bench.token()
    bench.clock.now += timedelta(minutes=57)
    server.gate.clear()
    server.asked_once.clear()
    assert await bench.token() == "Bearer token-1"
    await server.asked_once.wait()
    assert await bench.token() == "Bearer token-1"
    server.gate.set()
    bench.clock.now += timedelta(minutes=5)
    assert await bench.token() == "Bearer token-2"
    assert len(server.asked) == 2


async def test_many_that_wait_for_a_token_ask_once(bench: Bench, server: TokenServer) -> None:
    server.gate.clear()
    waiting = [asyncio.create_task(bench.token()) for _ in range(20)]
    await server.asked_once.wait()
    server.gate.set()
    assert set(await asyncio.gather(*waiting)) == {"Bearer token-1"}
    assert len(server.asked) == 1


async def test_one_who_leaves_does_not_take_the_token_from_the_others(bench: Bench, server: TokenServer) -> None:
    server.gate.clear()
    leaving, staying = asyncio.create_task(bench.token()), asyncio.create_task(bench.token())
    await server.asked_once.wait()
    leaving.cancel()
    server.gate.set()
    assert await staying == "Bearer token-1"
    assert leaving.cancelled() or leaving.cancelling()


async def test_a_refusal_of_google_blames_the_credential_and_is_asked_again_next_time(
    bench: Bench, server: TokenServer
) -> None:
    good = server.answer
    server.answer = lambda _: (400, {"error": "invalid_grant", "error_description": "Invalid JWT: secret-thing"})
    error = await bench.refusal()
    assert "Google refuses" in error.message
    assert "secret-thing" not in error.message
    server.answer = good
    assert await bench.token() == f"Bearer token-{len(server.asked)}"


async def test_a_token_endpoint_that_cannot_be_reached_is_told(
    server: TokenServer, private_key: rsa.RSAPrivateKey
) -> None:
    bench = Bench(account(server, private_key).replace(f":{server.port}/", ":1/"))
    assert "cannot be reached" in (await bench.refusal()).message
    await bench.transport.close()


@pytest.mark.parametrize(
    "secret",
    ["/nowhere/secret-place.json", '{"secret": 1}', "{secret", '{"type": "service_account", "private_key": "secret"}'],
)
async def test_what_is_no_account_is_told_without_its_text(secret: str) -> None:
    bench = Bench(secret)
    assert "secret" not in (await bench.refusal()).message
    await bench.transport.close()
