"""The door on a real socket and a loop of its own, before a gateway that does what a test says."""

import asyncio
import hashlib
import threading
from collections.abc import Awaitable, Callable
from datetime import date
from typing import Any, TypeVar, cast

from llmgateway.apps.edge.front import Front, Limits, Route
from llmgateway.apps.edge.inbound import Inbound
from llmgateway.apps.edge.patrol import Patrol
from llmgateway.apps.edge.protocol import EdgeProtocol
from llmgateway.catalog.lookup import Catalog
from llmgateway.domain.errors import GatewayError
from llmgateway.domain.identity import ApiKey, Project
from llmgateway.domain.ids import LogIds
from llmgateway.domain.routing import Credential, Mapping, Model, Provider
from llmgateway.domain.usage import Price
from llmgateway.engine.affinity import Affinity
from llmgateway.engine.clock import REAL
from llmgateway.engine.exchange import RequestFacts
from llmgateway.engine.health import Health
from llmgateway.engine.meters import Meters
from llmgateway.engine.pipeline import Gateway, error_headers
from llmgateway.engine.ports import Downstream
from llmgateway.engine.snapshot import Snapshot
from llmgateway.wire.openai_chat.encode import error_body
from tests.support.rawhttp import Connection, request

KEY = "sk-door-" + "k" * 32
BEARER = ("authorization", f"Bearer {KEY}")
JSON = ("content-type", "application/json")
INSTANCE = "the-instance"

Script = Callable[[bytes, Downstream], Awaitable[None]]
T = TypeVar("T")


async def echo(body: bytes, down: Downstream) -> None:
    """Answers with the body it got."""
    down.send(200, (), body)


class Accepting:
    """A journal that can be full."""

    def __init__(self) -> None:
        self.accepting = True


class ScriptedGateway:
    """`bodies` and `facts`: what came in. `refusals`: what was refused of authenticated requests. `cancelled`: how many
    scripts were."""

    def __init__(self) -> None:
        self.script: Script = echo
        self.bodies: list[bytes] = []
        self.facts: list[RequestFacts] = []
        self.refusals: list[str] = []
        self.cancelled = 0
        self.meters = Meters()
        self.journal = Accepting()
        self.snapshot = snapshot()
        self.ids = LogIds()
        self.health = Health(self.snapshot.policy, clock=REAL)
        self.affinity = Affinity(clock=REAL)

    async def chat(self, body: bytes, *, key: ApiKey, facts: RequestFacts, down: Downstream) -> None:
        assert key.name == "door"
        self.bodies.append(body)
        self.facts.append(facts)
        try:
            await self.script(body, down)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise

    def refuse(self, error: GatewayError, *, key: ApiKey, facts: RequestFacts, down: Downstream) -> None:
        assert key.name == "door"
        self.refusals.append(facts.request_id)
        down.send(error.status, error_headers(error), error_body(error))


class Door:
    """A listening door; its loop runs in a thread, so that a test may use a blocking client."""

    def __init__(
        self,
        new_loop: Callable[[], asyncio.AbstractEventLoop],
        *,
        limits: Limits | None = None,
        routes: Callable[[Gateway], tuple[Route, ...]] | None = None,
    ) -> None:
        self.gateway = ScriptedGateway()
        gateway = cast("Gateway", self.gateway)
        self.front = Front(
            gateway=gateway,
            limits=limits or Limits(),
            routes=routes(gateway) if routes is not None else (Route(b"/page", _page, public=True),),
        )
        self.patrol = Patrol(self.front.limits)
        self.connections: set[Any] = set()
        self.complaints: list[str] = []
        self.loop = new_loop()
        self.loop.set_exception_handler(lambda _, context: self.complaints.append(str(context)))
        self._server = self.loop.run_until_complete(self.loop.create_server(self.protocol, "127.0.0.1", 0))
        self.port: int = self._server.sockets[0].getsockname()[1]
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()

    def protocol(self) -> EdgeProtocol:
        return EdgeProtocol(front=self.front, patrol=self.patrol, registry=self.connections)

    def connect(self, *, receive_buffer: int | None = None) -> Connection:
        return Connection(self.port, receive_buffer=receive_buffer)

    def does(self, script: Script) -> None:
        self.gateway.script = script

    def call(self, do: Callable[[], T]) -> T:
        """The result of something done in the door's loop."""

        async def done() -> T:
            return do()

        return asyncio.run_coroutine_threadsafe(done(), self.loop).result(5)

    def close(self) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self.loop).result(5)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(5)
        self.loop.close()

    async def _close(self) -> None:
        self._server.close()
        for connection in tuple(self.connections):
            connection.transport.abort()
        self.patrol.close()
        await asyncio.sleep(0)
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _page(inbound: Inbound, _key: ApiKey | None) -> None:
    inbound.send(200, (), b'{"page":true}')


def chat(body: bytes = b"{}", *, headers: tuple[tuple[str, str], ...] = ()) -> bytes:
    return request(headers=(BEARER, JSON, *headers), body=body)


def snapshot(*, key: str = KEY) -> Snapshot:
    """One key, one provider with a credential and one without."""
    price = Price(input=100_000, output=400_000)
    here = Mapping(provider="here", model="org/small", upstream="small", context=1000, max_output=100, price=price)
    there = Mapping(provider="there", model="large", upstream="large")
    return Snapshot(
        catalog=Catalog(
            providers=(
                Provider(id="here", base_url="http://127.0.0.1:9"),
                Provider(id="there", base_url="http://127.0.0.1:9"),
            ),
            models=(
                Model(id="org/small", name="Small", aliases=("little",), mappings=(here,)),
                Model(id="large", mappings=(there,)),
            ),
        ),
        keys=(
            ApiKey(
                id="k1",
                name="door",
                digest=hashlib.sha256(key.encode()).digest(),
                project=Project(id="p1", name="default"),
            ),
        ),
        credentials=(Credential(provider="here", secret="s", fingerprint="f"),),
        protocols=frozenset(("openai-chat",)),
        instance_id=INSTANCE,
        today=date(2026, 1, 1),
    )
