"""The whole pipeline around recorded bytes: a transport that plays them, a client and a journal that keep it all.

Nothing here waits for anything: one exchange runs to its end in a turn or two of a loop of its own.
"""

import asyncio
import atexit
import json
import mimetypes
import random
from collections.abc import Callable, Coroutine, Sequence
from datetime import date
from importlib import import_module
from typing import Any
from urllib.parse import urlsplit

from llmgateway.catalog.lookup import Catalog
from llmgateway.domain.errors import UPSTREAM_ERROR, UpstreamError
from llmgateway.domain.identity import ApiKey, Project
from llmgateway.domain.policy import RoutingPolicy
from llmgateway.domain.record import LogRecord
from llmgateway.domain.routing import Credential, HttpRequest, Model, Protocol, Provider, Timeouts
from llmgateway.domain.usage import Price
from llmgateway.engine.exchange import RequestFacts
from llmgateway.engine.meters import Meters
from llmgateway.engine.pipeline import Gateway
from llmgateway.engine.snapshot import Snapshot
from llmgateway.wire.upstream import Upstream
from tests.support.corpus import Recording
from tests.wire.dialects import in_our_words

SECRET = "provider-secret-3141592653"
KEY = ApiKey(id="key_1", name="key", digest=b"0" * 32, project=Project(id="p_1", name="project"))
Split = Callable[[bytes], Sequence[bytes]]


def in_one_piece(body: bytes) -> Sequence[bytes]:
    return [body]


def pieces_of(size: int) -> Split:
    return lambda body: [body[at : at + size] for at in range(0, len(body), size)]


def random_pieces(seed: int, longest: int = 64) -> Split:
    def split(body: bytes) -> Sequence[bytes]:
        source, pieces, at = random.Random(seed), [], 0
        while at < len(body):
            size = source.randint(1, longest)
            pieces.append(body[at : at + size])
            at += size
        return pieces

    return split


FETCHED = b"fetched from "
_CODECS = {
    "openai-chat": ("openai_chat", "OpenAIChat"),
    "openai-responses": ("openai_responses", "OpenAIResponses"),
    "anthropic": ("anthropic", "Anthropic"),
    "google": ("gemini", "Gemini"),
    "bedrock": ("bedrock", "Bedrock"),
    "cohere": ("cohere", "Cohere"),
}


def codec_of(protocol: str) -> Upstream:
    """The gateway's own; imported when it is asked for."""
    package, name = _CODECS[protocol]
    return getattr(import_module(f"llmgateway.wire.{package}.upstream"), name)()


class PlayedAnswer:
    """Implements `UpstreamResponse`."""

    def __init__(self, status: int, headers: Sequence[tuple[bytes, bytes]], pieces: Sequence[bytes]) -> None:
        self.status = status
        self.headers = headers
        self._pieces = iter(pieces)
        self.closed = 0

    async def read(self) -> bytes:
        return next(self._pieces, b"")

    async def pump(self, step: Callable[[bytes], bool]) -> bool:
        while data := await self.read():
            if step(data):
                return True
        return False

    async def body(self, *, limit: int) -> bytes:
        whole = b"".join(self._pieces)
        if len(whole) > limit:
            raise UpstreamError(UPSTREAM_ERROR, "too long", status_code=self.status)
        return whole

    def bear(self, idle_s: float) -> None: ...

    def close(self) -> None:
        self.closed += 1

    def release(self) -> None:
        self.closed += 1


class Player:
    """Implements `Transport`: whatever is asked, the same answer is played."""

    def __init__(self) -> None:
        self.answer = PlayedAnswer(200, (), ())
        self.requests: list[HttpRequest] = []

    async def send(self, request: HttpRequest, *, timeouts: Timeouts, total_s: float) -> PlayedAnswer:
        self.requests.append(request)
        return self.answer

    async def close(self) -> None: ...


class Client:
    """Implements `Downstream`, and keeps what it is told."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: Sequence[tuple[bytes, bytes]] = ()
        self.body = b""
        self.written: list[bytes] = []
        self.begun = False
        self.congested = False
        self.ended = 0

    def send(self, status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes) -> None:
        self.status, self.headers, self.body = status, headers, body
        self.ended += 1

    def stream(self, head: Callable[[], Sequence[tuple[bytes, bytes]]]) -> None:
        self.headers = head()

    def write(self, data: bytes) -> None:
        self.status, self.begun = 200, True
        self.written.append(data)

    async def drain(self) -> None: ...

    def end(self, data: bytes) -> None:
        self.write(data)
        self.ended += 1

    @property
    def streamed(self) -> bytes:
        return b"".join(self.written)

    @property
    def error(self) -> dict[str, Any]:
        return json.loads(self.body)["error"]


class Ledger:
    """Implements `Journal`."""

    accepting = True

    def __init__(self) -> None:
        self.records: list[LogRecord] = []

    def append(self, record: LogRecord, *, then: Callable[[], None] | None = None) -> None:
        self.records.append(record)
        if then is not None:
            then()


class Fetchless:
    """Implements `Fetcher`: links are taken for good, and nothing is ever fetched."""

    def check(self, url: str, *, param: str) -> None: ...

    async def fetch(self, url: str, *, param: str, limit: int, types: tuple[str, ...]) -> tuple[str, bytes]:
        raise AssertionError(f"{param} was fetched: {url}")


class MarkedFetcher:
    """Implements `Fetcher`: what a link leads to are bytes that name it, so that they can be known again."""

    def check(self, url: str, *, param: str) -> None: ...

    async def fetch(self, url: str, *, param: str, limit: int, types: tuple[str, ...]) -> tuple[str, bytes]:
        named, _ = mimetypes.guess_type(urlsplit(url).path)
        return named or types[0].replace("*", "png"), FETCHED + url.encode()


class Playback:
    """A gateway in front of one custom provider that answers with recordings. `clean`: the native lane may be used.

    `beside`: further rows and models, for requests that name them.
    """

    def __init__(
        self,
        *,
        clean: bool,
        protocol: Protocol = "openai-chat",
        price: Price | None = None,
        beside: tuple[Sequence[Provider], Sequence[Model]] = ((), ()),
    ) -> None:
        compatible = protocol == "openai-chat"
        provider = Provider(
            id="recorded",
            protocol=protocol,
            base_url="http://upstream.test/v1",
            clean=clean,
            any_model=True,
            custom=True,
            unknown_fields="pass" if compatible else "list",
            quirks=("reasoning_object",) if compatible else (),
        )
        self.protocol = protocol
        self.player = Player()
        self.ledger = Ledger()
        self.bugs: list[BaseException] = []
        self.gateway = Gateway(
            snapshot=_snapshot(provider, beside),
            codecs={protocol: codec_of(protocol)},
            transport=self.player,
            journal=self.ledger,
            fetcher=MarkedFetcher(),
            meters=Meters(),
            report=lambda _, error: self.bugs.append(error),
        )

    def ask(
        self,
        request: bytes,
        *,
        status: int,
        headers: Sequence[tuple[bytes, bytes]],
        body: bytes,
        split: Split = in_one_piece,
    ) -> Client:
        """One exchange; a bug of the gateway is raised, and it must be settled and told exactly once."""
        self.player.answer = PlayedAnswer(status, headers, split(body))
        self.ledger.records.clear()
        client = Client()
        run(self.gateway.chat(request, key=KEY, facts=RequestFacts("r_1"), down=client))
        if self.bugs:
            raise self.bugs.pop()
        assert client.ended == 1
        assert len(self.ledger.records) == 1
        return client


def _snapshot(provider: Provider, beside: tuple[Sequence[Provider], Sequence[Model]]) -> Snapshot:
    rows, models = (provider, *beside[0]), beside[1]
    return Snapshot(
        catalog=Catalog(providers=rows, models=models),
        keys=[KEY],
        credentials=[Credential(provider=row.id, secret=SECRET, fingerprint="0123456789abcdef") for row in rows],
        protocols=frozenset((provider.protocol,)),
        instance_id="i_1",
        today=date(2026, 1, 1),
        policy=RoutingPolicy(same_credential_retries=0),
    )


_LOOP = asyncio.new_event_loop()
atexit.register(_LOOP.close)
_TURNS = 4


def run(coroutine: Coroutine[Any, Any, None]) -> None:
    """To its end, in a few turns of a loop where nothing else happens: whoever waits, waits for what is not there."""
    task = _LOOP.create_task(coroutine)
    for _ in range(_TURNS):
        _LOOP.run_until_complete(asyncio.sleep(0))
        if task.done():
            return task.result()
    task.cancel()
    _LOOP.run_until_complete(asyncio.wait([task]))
    raise AssertionError("the pipeline waited for something that this test does not have")


NOT_OURS = frozenset(("stream", "stream_options", "models"))
"""What is asked for anew, and names of models that the gateway would look up among its own."""


def request_for(recording: Recording, *, streamed: bool) -> bytes:
    """The recorded request, sent to our provider; a plain one where none was recorded or the provider refused it."""
    source: dict[str, Any] = {"messages": [{"role": "user", "content": "Hello"}]}
    if recording.request is not None and recording.status == 200:
        source = {name: value for name, value in recording.request.items() if name not in NOT_OURS}
    source["model"] = f"recorded/{source.get('model') or 'model'}"
    return in_form(in_our_words(source), streamed=streamed)


def in_form(source: dict[str, Any], *, streamed: bool) -> bytes:
    """A request that has no form yet, asking for a stream or for a whole answer."""
    return json.dumps({**source, "stream": True} if streamed else source).encode()


def uses_functions(recording: Recording) -> bool:
    return bool(recording.status == 200 and (recording.request or {}).get("functions"))
