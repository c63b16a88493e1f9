"""A day of the shipped gateway among simulated providers: whole requests, from their bodies to their last bytes."""

import asyncio
import random
from array import array
from bisect import bisect_left
from collections.abc import Callable
from datetime import date
from functools import partial
from typing import Final

from llmgateway.catalog.lookup import load
from llmgateway.domain.identity import ApiKey, Project
from llmgateway.domain.record import LogRecord
from llmgateway.domain.routing import Credential, Origin
from llmgateway.engine.affinity import Affinity
from llmgateway.engine.errand import Errand, behind
from llmgateway.engine.exchange import RequestFacts
from llmgateway.engine.meters import Meters
from llmgateway.engine.pipeline import Gateway
from llmgateway.engine.ports import Headers, Journal
from llmgateway.engine.snapshot import Snapshot
from llmgateway.wire.openai_chat.upstream import OpenAIChat
from tests.simulation.draws import arrivals
from tests.simulation.providers import DIGITS, MARK, Asked, Fates, Providers
from tests.simulation.scenario import DAY_S, HOSTS, MODEL, PROJECTS
from tests.simulation.virtual import BEGAN_S, VirtualClock, VirtualLoop, run
from tests.simulation.watching import WatchedHealth
from tests.simulation.world import MOST_PROMPT_TOKENS, Wanted, World, wanted

TODAY: Final = date(2026, 11, 26)
BYTES_PER_TOKEN: Final = 4
_SENTENCE: Final = b"The ferry leaves at nine and comes back before the tide turns, unless the fog says otherwise. "
_TEXT: Final = _SENTENCE * (BYTES_PER_TOKEN * MOST_PROMPT_TOKENS // len(_SENTENCE) + 1)
_BEFORE: Final = b'{"model":"%b","messages":[{"role":"user","content":"' % MODEL.encode()
_LOOKING: Final = ('{"chosen_by":"probe"', '{"chosen_by":"exploration"')
"""How a record begins whose plan put a provider first that merit would not have."""
_BEHIND: Final = (b'"}]}', b'"}],"stream":true}')


class Book:
    """The gateway's own records: for each request whether it was answered, what it cost, how many attempts it took.

    Implements Journal. The cost includes what answers cost that never reached the client. `first`: the number of the
    first request. `looked` hears of requests whose first attempt went where it did to see how that provider does.
    """

    accepting = True

    def __init__(self, requests: int, *, first: int, looked: Callable[[int], None]) -> None:
        self._first = first
        self._looked = looked
        self.recorded = 0
        self.answered = bytearray(requests)
        self.costs = array("q", bytes(8 * requests))
        self.attempts = bytearray(requests)

    def append(self, record: LogRecord, *, then: Callable[[], None] | None = None) -> None:
        row = record.exchange
        number = int(row.request_id) - self._first
        self.recorded += 1
        self.answered[number] = row.status == 200 and not row.truncated
        self.attempts[number] = row.attempts
        if row.routing is not None and row.routing.startswith(_LOOKING):
            self._looked(number + self._first)
        self.costs[number] = (row.cost_total or 0) + sum([attempt.upstream_cost for attempt in record.attempts])
        if then is not None:
            then()


class Client:
    """Implements Downstream: reads all at once, and keeps only what shows that it was told an end."""

    congested = False

    def __init__(self) -> None:
        self.begun = False
        self.told = 0

    def send(self, status: int, headers: Headers, body: bytes) -> None:
        self.begun = True
        self.told += 1

    def stream(self, head: Callable[[], Headers]) -> None:
        """Its head goes out with the first bytes."""

    def write(self, data: bytes) -> None:
        self.begun = True

    async def drain(self) -> None:
        """There is always room."""

    def end(self, data: bytes) -> None:
        self.begun = True
        self.told += 1


class NoFetcher:
    """Implements Fetcher, for requests that name no URL."""

    def check(self, url: str, *, param: str) -> None:
        raise AssertionError(url)

    async def fetch(self, url: str, *, param: str, limit: int, types: tuple[str, ...]) -> tuple[str, bytes]:
        raise AssertionError(url)


class Day:
    """One seed's day. `run` it once; then `book` and `providers.sent` tell what happened.

    `between`: only the requests that are made in this part of it, `first` is the number of the first of them. `fates`:
    others than the world's.
    """

    def __init__(
        self, seed: int, *, requests: int, between: tuple[float, float] = (0.0, DAY_S), fates: Fates | None = None
    ) -> None:
        self.world = World(seed)
        times = arrivals(seed, requests)
        self.first = bisect_left(times, between[0])
        self.at = times[self.first : bisect_left(times, between[1])]
        self.book = Book(len(self.at), first=self.first, looked=lambda number: self.providers.looked(number))
        self.providers: Providers
        self.bugs: list[BaseException] = []
        self._seed = seed
        self._fates = fates or _fates(self.world)
        self._keys = keys(PROJECTS)
        self._gateway: Gateway
        self._over: asyncio.Future[None]
        self._left = len(self.at)

    def run(self) -> None:
        loop = VirtualLoop()
        run(self._live(), loop=loop)
        if self.bugs:
            raise AssertionError(f"{len(self.bugs)} requests met a bug") from self.bugs[0]

    async def _live(self) -> None:
        loop = asyncio.get_running_loop()
        snapshot = snapshot_of([host.provider for host in HOSTS], keys=self._keys)
        self.providers = Providers(origins(snapshot), fates=self._fates)
        self._gateway = gateway_of(snapshot, self.providers, journal=self.book, bugs=self.bugs, draw=self._seed)
        self._over = loop.create_future()
        loop.call_at(BEGAN_S + self.at[0], self._arrive, loop, self.first)
        await self._over

    def _arrive(self, loop: asyncio.AbstractEventLoop, number: int) -> None:
        request = wanted(self._seed, number)
        self.providers.asked[number] = Asked(request)
        client = Client()

        def ended(error: BaseException | None) -> None:
            behind(partial(over, error))  # whole answers are told behind their errands

        def over(error: BaseException | None) -> None:
            del self.providers.asked[number]
            if error is not None or client.told != 1:
                self.bugs.append(error or AssertionError(f"request {number} was told {client.told} ends"))
            self._left -= 1
            if not self._left:
                self._over.set_result(None)

        facts = RequestFacts(str(number))
        key = self._keys[request.project]
        Errand(self._gateway.chat(body_of(request), key=key, facts=facts, down=client), on_end=ended)
        following = number + 1 - self.first
        if following < len(self.at):
            loop.call_at(BEGAN_S + self.at[following], self._arrive, loop, number + 1)


def _fates(world: World) -> Fates:
    def fate(request: Wanted, host: int, before: int, at: float):
        return world.fate(request.number, host, before, at=at, output_tokens=request.output_tokens)

    return fate


def keys(projects: int) -> list[ApiKey]:
    return [
        ApiKey(id=f"key-{n}", name="", digest=n.to_bytes(32, "big"), project=Project(id=f"project-{n}", name=""))
        for n in range(projects)
    ]


def snapshot_of(providers: list[str], *, keys: list[ApiKey], credentials: int = 1) -> Snapshot:
    """The shipped catalogue, with so many keys at each of these providers and none elsewhere."""
    return Snapshot(
        catalog=load(),
        keys=keys,
        credentials=[
            Credential(provider=name, secret=f"{name}-secret-{n}", fingerprint=f"{name:x<14}{n:02d}")
            for name in providers
            for n in range(credentials)
        ],
        protocols=frozenset({"openai-chat"}),
        instance_id="simulation",
        today=TODAY,
    )


def origins(snapshot: Snapshot) -> dict[Origin, int]:
    """Which host answers at an address."""
    route = snapshot.route(MODEL)
    assert route is not None
    places = {offer.deployments[0].provider.id: offer.deployments[0].origin for offer in route.offers}
    names = [host.provider for host in HOSTS]
    return {origin: names.index(name) for name, origin in places.items()}


def gateway_of(
    snapshot: Snapshot,
    providers: Providers,
    *,
    journal: Journal,
    bugs: list[BaseException],
    draw: int,
) -> Gateway:
    """As it is shipped, on the running loop's time; `draw` is the seed of its own chances."""
    clock = VirtualClock(asyncio.get_running_loop())
    health = WatchedHealth(snapshot.policy, clock=clock)
    providers.probing = lambda: health.probing
    return Gateway(
        snapshot=snapshot,
        codecs={"openai-chat": OpenAIChat()},
        transport=providers,
        fetcher=NoFetcher(),
        journal=journal,
        meters=Meters(),
        report=lambda _, error: bugs.append(error),
        health=health,
        affinity=Affinity(clock=clock),
        clock=clock,
        draw=random.Random(draw),
    )


def body_of(request: Wanted) -> bytes:
    """A prompt of about as many tokens as its provider will count."""
    text = _TEXT[: max(0, BYTES_PER_TOKEN * request.prompt_tokens - DIGITS - len(MARK))]
    return b"%b%b%b%0*d%b" % (_BEFORE, text, MARK, DIGITS, request.number, _BEHIND[request.streamed])
