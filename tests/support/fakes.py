"""The engine's ports over plain memory, and the values it takes: scripted transports, journals that keep records.

`Script` says what an upstream answers; everything that happens is noted in the order in which it happened.
"""

import asyncio
from collections.abc import Callable, Sequence
from datetime import date
from random import Random
from typing import Any, Final

import msgspec

from llmgateway.catalog.lookup import Catalog
from llmgateway.domain import errors
from llmgateway.domain.chat import Chat
from llmgateway.domain.errors import GatewayError, UpstreamError
from llmgateway.domain.identity import ApiKey, Project
from llmgateway.domain.plan import Candidate, RoutePlan
from llmgateway.domain.policy import RoutingPolicy
from llmgateway.domain.record import LogRecord
from llmgateway.domain.routing import Credential, HttpRequest, Mapping, Model, Provider, Timeouts
from llmgateway.domain.usage import Price
from llmgateway.engine.affinity import Affinity
from llmgateway.engine.clock import REAL, Clock
from llmgateway.engine.exchange import RequestFacts
from llmgateway.engine.health import Health
from llmgateway.engine.meters import Meters
from llmgateway.engine.pipeline import Gateway
from llmgateway.engine.plan import plan_route
from llmgateway.engine.ports import Headers, Signer
from llmgateway.engine.snapshot import Snapshot
from llmgateway.wire.openai_chat.upstream import OpenAIChat

KEY: Final = ApiKey(id="key-1", name="tests", digest=b"\0" * 32, project=Project(id="project-1", name="Tests"))
TODAY: Final = date(2030, 1, 1)
PRICE: Final = Price(input=1_000_000, output=2_000_000, as_of="2030-01-01")
ONCE: Final = RoutingPolicy(same_credential_retries=0)
SECRET: Final = "sk-of-the-provider"  # not a key of anybody
JSON: Final = ((b"content-type", b"application/json"),)
EVENTS: Final = ((b"content-type", b"text/event-stream"),)

Step = bytes | Exception | asyncio.Event


class Script:
    """What one request meets. `steps`: bytes as they arrive, an exception instead, or an event to wait for."""

    def __init__(self, *steps: Step, status: int = 200, headers: Headers = EVENTS) -> None:
        self.steps = steps
        self.status = status
        self.headers = headers


class FakeResponse:
    """`closed` and `released` say how it was given back, `idle_s` what silence it was told to bear."""

    def __init__(self, script: Script) -> None:
        self.status = script.status
        self.headers: Headers = script.headers
        self.closed = False
        self.released = False
        self.reads = 0
        self.idle_s: float | None = None
        self._steps = list(script.steps)

    async def read(self) -> bytes:
        self.reads += 1
        while self._steps:
            step = self._steps.pop(0)
            if isinstance(step, Exception):
                raise step
            if isinstance(step, bytes):
                return step
            await step.wait()
        return b""

    async def pump(self, step: Callable[[bytes], bool]) -> bool:
        while data := await self.read():
            if step(data):
                return True
        return False

    async def body(self, *, limit: int) -> bytes:
        body = b""
        while data := await self.read():
            body += data
            if len(body) > limit:
                raise UpstreamError(errors.UPSTREAM_ERROR, "too large")
        return body

    def bear(self, idle_s: float) -> None:
        self.idle_s = idle_s

    def close(self) -> None:
        self.closed = True

    def release(self) -> None:
        self.released = True


class FakeTransport:
    """Plays one script per request, in order; an exception instead of a script fails the sending."""

    def __init__(self, *scripts: Script | Exception) -> None:
        self._scripts = list(scripts)
        self.requests: list[HttpRequest] = []
        self.timeouts: list[Timeouts] = []
        self.totals_s: list[float] = []
        self.responses: list[FakeResponse] = []

    async def send(self, request: HttpRequest, *, timeouts: Timeouts, total_s: float) -> FakeResponse:
        self.requests.append(request)
        self.timeouts.append(timeouts)
        self.totals_s.append(total_s)
        script = self._scripts.pop(0)
        if isinstance(script, Exception):
            raise script
        response = FakeResponse(script)
        self.responses.append(response)
        return response

    async def close(self) -> None:
        pass


class FakeJournal:
    """Keeps records. `held`: what comes after a record waits until `write` is called, as for a slow disk."""

    def __init__(self, *, held: bool = False) -> None:
        self.records: list[LogRecord] = []
        self.accepting = True
        self._held = held
        self._thens: list[Callable[[], None]] = []

    def append(self, record: LogRecord, *, then: Callable[[], None] | None = None) -> None:
        self.records.append(record)
        if then is None:
            return
        if self._held:
            self._thens.append(then)
        else:
            then()

    def write(self) -> None:
        thens, self._thens = self._thens, []
        for then in thens:
            then()

    @property
    def exchange(self) -> dict[str, Any]:
        """The columns of the one exchange there is."""
        assert len(self.records) == 1, f"settled {len(self.records)} times"
        return msgspec.structs.asdict(self.records[0].exchange)

    @property
    def attempts(self) -> list[dict[str, Any]]:
        assert len(self.records) == 1, f"settled {len(self.records)} times"
        return [msgspec.structs.asdict(attempt) for attempt in self.records[0].attempts]


class FakeDownstream:
    """A client. `begin` commits the head, as a keep-alive does; `congested` until `room` is set."""

    def __init__(self) -> None:
        self.begun = False
        self.status: int | None = None
        self.headers: Headers = ()
        self.head: Callable[[], Headers] = tuple
        self.body = b""
        self.streaming = False
        self.pieces: list[bytes] = []
        self.ended = False
        self.congested = False
        self.draining = asyncio.Event()
        self.room = asyncio.Event()

    def begin(self) -> None:
        if not self.begun:
            self.begun, self.headers = True, self.head()

    def header(self, name: bytes) -> bytes | None:
        return dict(self.headers).get(name)

    def send(self, status: int, headers: Headers, body: bytes) -> None:
        assert not self.begun, "a second answer"
        self.begun = self.ended = True
        self.status, self.headers, self.body = status, headers, body

    def stream(self, head: Callable[[], Headers]) -> None:
        self.streaming = True
        self.head = head

    def write(self, data: bytes) -> None:
        assert not self.ended, "written after the end"
        self.begin()
        self.pieces.append(data)

    async def drain(self) -> None:
        self.draining.set()
        await self.room.wait()

    def end(self, data: bytes) -> None:
        self.write(data)
        self.ended = True

    @property
    def answer(self) -> Any:
        """The JSON of a whole answer."""
        return msgspec.json.decode(self.body)

    @property
    def events(self) -> list[Any]:
        """The JSON of each event; the terminator as the text it is."""
        payloads = [event.removeprefix(b"data: ") for event in b"".join(self.pieces).split(b"\n\n") if event]
        return ["[DONE]" if payload == b"[DONE]" else msgspec.json.decode(payload) for payload in payloads]


class FakeFetcher:
    """Gives what `images` holds; other URLs, and those in `refused`, are 400s."""

    def __init__(self, images: dict[str, tuple[str, bytes]] | None = None, *, refused: Sequence[str] = ()) -> None:
        self._images = images or {}
        self._refused = refused
        self.checked: list[str] = []
        self.fetched: list[tuple[str, int]] = []

    def check(self, url: str, *, param: str) -> None:
        self.checked.append(url)
        if url in self._refused:
            raise GatewayError(errors.INVALID_VALUE, f"The URL of {param} names a private address.", param=param)

    async def fetch(self, url: str, *, param: str, limit: int, types: tuple[str, ...]) -> tuple[str, bytes]:
        self.fetched.append((url, limit))
        found = self._images.get(url)
        if found is None or len(found[1]) > limit:
            raise GatewayError(errors.INVALID_VALUE, f"Cannot fetch the URL of {param}.", param=param)
        return found


def provider(name: str = "acme", **fields: Any) -> Provider:
    return Provider(
        **{"id": name, "base_url": f"https://{name}.example/v1", "env": (f"{name.upper()}_API_KEY",), **fields}
    )


def offer(name: str = "acme", model: str = "gpt-x", **fields: Any) -> Mapping:
    return Mapping(**{"provider": name, "model": model, "upstream": f"{model}-upstream", "price": PRICE, **fields})


def snapshot(
    *offers: Mapping,
    providers: Sequence[Provider] | None = None,
    credentials: Sequence[str | Credential] | None = None,
    **fields: Any,
) -> Snapshot:
    """Of these offers; nobody is asked the same twice. `credentials`: the very ones, or the providers that have one:
    all of them unless given."""
    offers = offers or (offer(),)
    names = list(dict.fromkeys(one.provider for one in offers))
    rows = list(providers) if providers is not None else [provider(name) for name in names]
    models = {
        one.model: Model(id=one.model, mappings=tuple(other for other in offers if other.model == one.model))
        for one in offers
    }
    keyed = [row.id for row in rows] if credentials is None else credentials
    return Snapshot(
        **{
            "catalog": Catalog(providers=rows, models=models.values()),
            "keys": [KEY],
            "credentials": [
                Credential(provider=one, secret=SECRET, fingerprint=f"{one:f<16}") if isinstance(one, str) else one
                for one in keyed
            ],
            "protocols": frozenset({"openai-chat"}),
            "instance_id": "instance-1",
            "today": TODAY,
            "policy": ONCE,
            **fields,
        }
    )


def planned(chat: Chat, *, snapshot: Snapshot, **fields: Any) -> RoutePlan:
    """A plan of this chat where nothing is known of anybody's health and nobody was there before."""
    known = {
        "health": Health(snapshot.policy, clock=REAL),
        "affinity": Affinity(),
        "project": KEY.project,
        "draw": Random(1),
    }
    return plan_route(chat, snapshot=snapshot, **{**known, **fields})


def candidates(*names: str, **fields: Any) -> RoutePlan:
    """A plan of several providers, in this order: the seam that routing fills."""
    built = snapshot(*[offer(name) for name in names], providers=[provider(name, **fields) for name in names])
    found = [built.route(f"{name}/gpt-x") for name in names]
    chosen = tuple([Candidate(route.offers[0].deployments) for route in found if route is not None])
    return RoutePlan(chosen, fallbacks=len(chosen) - 1)


class Bench:
    """A whole gateway over fakes; `ask` is one request from its body to its last byte."""

    def __init__(
        self,
        *scripts: Script | Exception,
        snapshot_: Snapshot | None = None,
        journal: FakeJournal | None = None,
        fetcher: FakeFetcher | None = None,
        codec: Any = None,
        codecs: dict[str, Any] | None = None,
        signer: Signer | None = None,
        health: Health | None = None,
        clock: Clock = REAL,
    ) -> None:
        self.transport = FakeTransport(*scripts)
        self.journal = journal or FakeJournal()
        self.fetcher = fetcher or FakeFetcher()
        self.bugs: list[BaseException] = []
        self.meters = Meters()
        self.down = FakeDownstream()
        self.gateway = Gateway(
            snapshot=snapshot_ or snapshot(),
            codecs=codecs or {"openai-chat": codec or OpenAIChat()},
            transport=self.transport,
            fetcher=self.fetcher,
            journal=self.journal,
            meters=self.meters,
            report=lambda _, error: self.bugs.append(error),
            signer=signer,
            health=health,
            clock=clock,
        )

    async def ask(
        self, body: bytes | None = None, *, facts: RequestFacts | None = None, **fields: Any
    ) -> FakeDownstream:
        sent = body if body is not None else request_body(**fields)
        await self.gateway.chat(sent, key=KEY, facts=facts or RequestFacts("request-1"), down=self.down)
        return self.down

    def begin(self, **fields: Any) -> "asyncio.Task[FakeDownstream]":
        """A request in a task of its own, to be left by its caller."""
        return asyncio.create_task(self.ask(**fields))


def request_body(**fields: Any) -> bytes:
    return msgspec.json.encode({"model": "gpt-x", "messages": [{"role": "user", "content": "Hello"}], **fields})


def whole(content: str | None = "Hi", *, finish: str | None = "stop", **fields: Any) -> bytes:
    """An upstream's whole answer."""
    message = {"role": "assistant", "content": content}
    usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
    choices = [{"index": 0, "message": message, "finish_reason": finish}]
    return msgspec.json.encode(
        {"id": "chatcmpl-up", "object": "chat.completion", "created": 1, "model": "gpt-x-upstream", "choices": choices,
         "usage": usage, **fields}
    )  # fmt: skip


def event(delta: dict[str, Any] | None = None, *, finish: str | None = None, **fields: Any) -> bytes:
    """One event of an upstream's stream; without a delta one that has no choices."""
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish}]
    return b"data: %b\n\n" % msgspec.json.encode(
        {"id": "chatcmpl-up", "object": "chat.completion.chunk", "created": 1, "model": "gpt-x-upstream",
         "choices": choices, **fields}
    )  # fmt: skip


FIRST: Final = event({"role": "assistant", "content": ""})
FINISH: Final = event({}, finish="stop")
USAGE: Final = event(usage={"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15})
DONE: Final = b"data: [DONE]\n\n"


def says(text: str) -> bytes:
    return event({"content": text})
