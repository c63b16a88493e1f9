"""The same door as an ASGI application: whole and streamed answers, refusals, pages, and clients that leave."""

import asyncio
from typing import Any, cast

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from llmgateway.apps.edge.asgi import AsgiDoor
from llmgateway.apps.edge.front import Front, Limits, Route
from llmgateway.apps.edge.inbound import Inbound
from llmgateway.domain.identity import ApiKey
from llmgateway.engine.pipeline import Gateway
from llmgateway.engine.ports import Downstream
from tests.unit.apps.edge.door import BEARER, JSON, Script, ScriptedGateway

_HEADERS = [(name.encode(), value.encode()) for name, value in (BEARER, JSON)]


def _page(inbound: Inbound, _key: ApiKey | None) -> None:
    inbound.send(200, (), b'{"page":true}')


class Client:
    """One application, asked in the way of ASGI."""

    def __init__(self, script: Script | None = None, *, limits: Limits | None = None) -> None:
        self.gateway = ScriptedGateway()
        if script is not None:
            self.gateway.script = script
        routes = (Route(b"/page", _page, public=True),)
        self.front = Front(gateway=cast("Gateway", self.gateway), limits=limits or Limits(), routes=routes)
        self.app = AsgiDoor(self.front)
        self.sent: list[dict[str, Any]] = []
        self.left = asyncio.Event()

    async def ask(
        self,
        *pieces: bytes,
        method: str = "POST",
        path: str = "/v1/chat/completions",
        headers: list[tuple[bytes, bytes]] = _HEADERS,
    ) -> tuple[int, dict[bytes, bytes], bytes]:
        waiting = list(pieces) or [b""]

        async def receive() -> dict[str, Any]:
            if waiting:
                return {"type": "http.request", "body": waiting.pop(0), "more_body": bool(waiting)}
            await self.left.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            self.sent.append(message)

        scope = {"type": "http", "method": method, "path": path, "headers": headers, "client": ("192.0.2.1", 5)}
        await self.app(scope, receive, send)
        assert self.front.buffered_bytes == 0
        body = b"".join(message["body"] for message in self.sent[1:])
        if not self.sent:
            return 0, {}, b""
        return self.sent[0]["status"], dict(self.sent[0]["headers"]), body


async def settled(client: Client) -> None:
    """Returns once the task behind the last request has ended."""
    async with asyncio.timeout(1):
        while client.gateway.meters.in_flight:  # noqa: ASYNC110 - what is awaited has no event
            await asyncio.sleep(0)


async def test_a_chat_is_answered_whole() -> None:
    client = Client()
    status, headers, body = await client.ask(b"[1,", b"2]")
    assert (status, body, headers[b"content-length"]) == (200, b"[1,2]", b"5")
    assert headers[b"content-type"] == b"application/json"
    assert headers[b"x-request-id"].startswith(b"req_")
    assert client.sent[-1]["more_body"] is False
    assert client.gateway.facts[0].client_ip == "192.0.2.1"
    await settled(client)


async def test_a_chat_is_streamed_as_it_comes() -> None:
    async def stream(_body: bytes, down: Downstream) -> None:
        down.stream(lambda: ((b"x-a", b"b"),))
        down.write(b"data: 1\n\n")
        await asyncio.sleep(0)
        down.end(b"data: 2\n\n")

    client = Client(stream)
    status, headers, body = await client.ask()
    assert (status, body, headers[b"x-a"]) == (200, b"data: 1\n\ndata: 2\n\n", b"b")
    assert headers[b"content-type"].startswith(b"text/event-stream")
    assert len(client.sent) >= 3


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ({"path": "/nowhere"}, 404),
        ({"method": "GET"}, 405),
        ({"headers": []}, 401),
        ({"headers": [*_HEADERS, (b"content-length", b"99999")]}, 413),
        ({"headers": [_HEADERS[0], (b"content-type", b"text/plain")]}, 415),
    ],
)
async def test_refusals_have_their_envelope(asked: dict[str, Any], status: int) -> None:
    client = Client(limits=Limits(max_body_bytes=1000))
    answered, headers, body = await client.ask(**asked)
    assert (answered, body[:10]) == (status, b'{"error":{')
    assert (status == 405) == (headers.get(b"allow") == b"POST")
    assert client.gateway.bodies == []


async def test_a_body_that_grows_over_the_limit_is_refused() -> None:
    client = Client(limits=Limits(max_body_bytes=1000))
    assert (await client.ask(bytes(600), bytes(600)))[0] == 413


async def test_pages_are_served_and_a_head_has_no_body() -> None:
    assert (await Client().ask(method="GET", path="/page", headers=[]))[2] == b'{"page":true}'
    status, headers, body = await Client().ask(method="HEAD", path="/page", headers=[])
    assert (status, headers[b"content-length"], body) == (200, b"13", b"")


async def test_a_client_that_leaves_cancels_its_request() -> None:
    async def forever(_body: bytes, down: Downstream) -> None:
        down.stream(tuple)
        down.write(b"data: 1\n\n")
        client.left.set()
        await asyncio.Event().wait()

    client = Client(forever)
    await client.ask()
    await settled(client)
    assert client.gateway.cancelled == 1


async def test_a_client_that_leaves_in_its_body_asks_nothing() -> None:
    client = Client()
    client.left.set()
    scope = {"type": "http", "method": "POST", "path": "/v1/chat/completions", "headers": _HEADERS}

    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        raise AssertionError(message)

    await client.app(scope, receive, send)
    assert client.gateway.bodies == []


async def test_silence_on_a_stream_is_broken() -> None:
    async def late(_body: bytes, down: Downstream) -> None:
        down.stream(tuple)
        await asyncio.sleep(0.05)
        down.end(b"data: late\n\n")

    client = Client(late, limits=Limits(keep_alive_s=0.02))
    body = (await client.ask())[2]
    assert body.startswith(b": keep-alive\n\n")
    assert body.endswith(b"data: late\n\n")


async def test_a_server_that_does_not_take_the_answer_pauses_the_writer() -> None:
    written: list[int] = []
    taking = asyncio.Event()

    async def pour(_body: bytes, down: Downstream) -> None:
        down.stream(tuple)
        for number in range(100):
            down.write(bytes(65_536))
            written.append(number)
            await down.drain()
        down.end(b"end")

    client = Client(pour)
    taken: list[int] = []

    messages = [{"type": "http.request", "body": b"{}"}]

    async def receive() -> dict[str, Any]:
        if messages:
            return messages.pop()
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Any) -> None:
        await taking.wait()
        taken.append(len(message.get("body", b"")))

    scope = {"type": "http", "method": "POST", "path": "/v1/chat/completions", "headers": _HEADERS}
    serving = asyncio.ensure_future(client.app(scope, receive, send))
    for _ in range(50):
        await asyncio.sleep(0)
    assert len(written) < 5
    taking.set()
    await serving
    assert sum(taken) == 100 * 65_536 + 3


async def test_a_bug_in_the_middle_leaves_the_answer_unfinished() -> None:
    async def fail(_body: bytes, down: Downstream) -> None:
        down.stream(tuple)
        down.write(b"data: 1\n\n")
        raise RuntimeError

    client = Client(fail)
    await client.ask()
    assert client.sent[-1]["more_body"] is True


async def test_what_is_not_http_is_not_served() -> None:
    client = Client()

    async def receive() -> dict[str, Any]:
        return {"type": "lifespan.startup"}

    async def send(message: Any) -> None:
        raise AssertionError(message)

    with pytest.raises(NotImplementedError, match="only http"):
        await client.app({"type": "lifespan"}, receive, send)


def test_it_can_be_mounted_in_another_application() -> None:
    client = TestClient(Starlette(routes=[Mount("/llm", app=Client().app)]))
    answer = client.post("/llm/v1/chat/completions", content=b"[1]", headers=dict((BEARER, JSON)))
    assert (answer.status_code, answer.content) == (200, b"[1]")
    assert client.get("/llm/nowhere").status_code == 404
