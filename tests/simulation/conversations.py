"""Ten thousand conversations of several turns while the cheapest provider flaps: how much of their prompts is cached.

Each provider remembers request bodies by their prefix, separately for each of its credentials, as the real ones do;
what is cached is counted on the bytes that arrive there. A turn that moves to another provider or credential finds
nothing. The client asks again for a turn that failed, as a user would.
"""

import asyncio
import random
from collections.abc import Callable, Sequence
from typing import Final, Literal

import msgspec

from llmgateway.apps.simulator.promptcache import PromptCache
from llmgateway.domain.record import LogRecord
from llmgateway.domain.routing import HttpRequest
from llmgateway.engine.errand import Errand
from llmgateway.engine.exchange import RequestFacts
from tests.simulation.day import BYTES_PER_TOKEN, Client, gateway_of, keys, origins, snapshot_of
from tests.simulation.draws import log_normal
from tests.simulation.providers import DIGITS, MARK, Asked, Providers
from tests.simulation.scenario import HOSTS, MODEL, PROJECTS, Event
from tests.simulation.virtual import BEGAN_S, VirtualLoop, run
from tests.simulation.world import Fate, Wanted, World

CONVERSATIONS: Final = 10_000
TURNS: Final = (4, 10)
LASTS_S: Final = 3 * 3600.0
"""They begin evenly over this time."""
FLAPS_S: Final = (600.0, LASTS_S + 3600)
"""From when to when the provider flaps."""
CREDENTIALS: Final = 2
OPENING_TOKENS: Final = (1_500.0, 0.6)
ASKING_TOKENS: Final = (60.0, 0.8)
ANSWER_TOKENS: Final = (300.0, 0.7)
THINKING_S: Final = (40.0, 0.7)
"""Log-normal: what the first turn brings, what a later one adds, and the user's pause between an answer and it."""
AGAIN_AFTER_S: Final = 5.0
_BLOCKS: Final = 1 << 20
_MANY: Final = 16
_PROSE: Final = (
    b"It was the third week of rain, and nobody on the quay could say when the boats had last gone out. " * 700
)
_HEAD: Final = b'{"model":"%b","messages":['

Says = Callable[[HttpRequest, int], int]


class Flap(msgspec.Struct, frozen=True):
    """`down_s` of every `every_s` seconds, a share of the provider's attempts meets the trouble."""

    name: str
    trouble: Literal["errors", "unreachable", "rate_limited"]
    down_s: float
    every_s: float
    share: float = 1.0
    retry_after_s: float | None = None

    def events(self, provider: str) -> tuple[Event, ...]:
        starts = range(int(FLAPS_S[0]), int(FLAPS_S[1]), int(self.every_s))
        return tuple(
            [
                Event(provider, self.trouble, start, start + self.down_s, self.share, 1.0, self.retry_after_s)
                for start in starts
            ]
        )


class Turn(msgspec.Struct, frozen=True):
    """`pause_s`: how long the user thinks before it."""

    asking: int
    answer: int
    pause_s: float


class Talk(msgspec.Struct, frozen=True):
    """A conversation, as it will be wherever it is held."""

    number: int
    begins_s: float
    turns: tuple[Turn, ...]

    def body(self, turn: int) -> bytes:
        """The whole conversation up to this turn; what was sent before is never changed."""
        parts = [_HEAD % MODEL.encode()]
        for index, one in enumerate(self.turns[: turn + 1]):
            number = self.number * _MANY + index
            text = b"(%d) " % number + _PROSE[: BYTES_PER_TOKEN * one.asking]
            parts.append(b'{"role":"user","content":"%b%b%0*d"}' % (text, MARK, DIGITS, number))
            if index < turn:
                parts.append(b',{"role":"assistant","content":"%b"},' % _PROSE[: BYTES_PER_TOKEN * one.answer])
        return b"".join(parts) + b'],"stream":true}'


class Tally(msgspec.Struct):
    """Tokens of the prompts that were answered, those of them that were cached, turns, and how many failed first."""

    prompt: int = 0
    cached: int = 0
    turns: int = 0
    failures: int = 0
    waited_s: float = 0.0

    @property
    def ratio(self) -> float:
        return self.cached / self.prompt


def talks(seed: int, count: int) -> list[Talk]:
    source = random.Random(f"talks {seed}")

    def drawn(figures: tuple[float, float], *, most: float) -> float:
        return min(most, log_normal(source.random() * 0.999_998 + 1e-6, median=figures[0], sigma=figures[1]))

    return [
        Talk(
            number,
            LASTS_S * number / count,
            tuple(
                [
                    Turn(
                        round(drawn(OPENING_TOKENS if turn == 0 else ASKING_TOKENS, most=12_000)),
                        round(drawn(ANSWER_TOKENS, most=4_000)),
                        drawn(THINKING_S, most=600),
                    )
                    for turn in range(source.randint(*TURNS))
                ]
            ),
        )
        for number in range(count)
    ]


def direct(held: Sequence[Talk], world: World, *, host: int) -> Tally:
    """The same conversations by a client that knows one provider and asks it until it answers. No gateway in it."""
    tally = Tally()
    cache = PromptCache(max_blocks=_BLOCKS)
    for talk in held:
        now = talk.begins_s
        for index, turn in enumerate(talk.turns):
            body, number, tries = talk.body(index), talk.number * _MANY + index, 0
            fate = world.fate(number, host, tries, at=now, output_tokens=turn.answer)
            while not fate.answers:
                took_s = _failed_after_s(fate) + AGAIN_AFTER_S
                now, tries = now + took_s, tries + 1
                tally.failures += 1
                tally.waited_s += took_s
                fate = world.fate(number, host, tries, at=now, output_tokens=turn.answer)
            tally.turns += 1
            tally.prompt += len(body) // BYTES_PER_TOKEN
            tally.cached += cache.recall(body)
            now += fate.last_s + turn.pause_s
    return tally


def _failed_after_s(fate: Fate) -> float:
    return 5.0 if fate.ending == "lost" else fate.first_s


class Hall:
    """All conversations at once through the shipped gateway. Implements Journal: its records are what is counted."""

    accepting = True

    def __init__(self, held: Sequence[Talk], world: World) -> None:
        self.tally = Tally()
        self.moves = 0
        self.forced = 0
        self.bugs: list[BaseException] = []
        self.providers: Providers
        self._held = held
        self._world = world
        self._keys = keys(PROJECTS)
        self._caches: dict[tuple[int, bytes], PromptCache] = {}
        self._outcome: dict[int, bool] = {}
        self._places: dict[int, str] = {}
        self._asked_at: dict[int, float] = {}
        self._left = len(held)
        self._over: asyncio.Future[None]
        self._loop: VirtualLoop

    def run(self) -> Tally:
        self._loop = VirtualLoop()
        run(self._live(), loop=self._loop)
        if self.bugs:
            raise AssertionError(f"{len(self.bugs)} turns met a bug") from self.bugs[0]
        return self.tally

    def append(self, record: LogRecord, *, then: Callable[[], None] | None = None) -> None:
        row = record.exchange
        number = int(row.request_id)
        well = self._outcome[number] = row.status == 200 and not row.truncated
        if well:
            self.tally.turns += 1
            self.tally.prompt += row.prompt_tokens
            self.tally.cached += row.cached_tokens
            self._count_move(number, record.attempts[-1].credential)
        if then is not None:
            then()

    def _count_move(self, number: int, place: str) -> None:
        """`forced`: an attempt where the conversation was before would have failed when this turn was asked for."""
        talk = number // _MANY
        before, self._places[talk] = self._places.get(talk, place), place
        if before != place:
            self.moves += 1
            host = [one.provider for one in HOSTS].index(before.rstrip("0123456789").rstrip("x"))
            self.forced += not self._world.fate(number, host, 0, at=self._asked_at[number], output_tokens=1).answers

    async def _live(self) -> None:
        snapshot = snapshot_of([host.provider for host in HOSTS], keys=self._keys, credentials=CREDENTIALS)
        self.providers = Providers(origins(snapshot), fates=self._fate, caches=self._cached)
        self._gateway = gateway_of(snapshot, self.providers, journal=self, bugs=self.bugs, draw=self._world.seed)
        self._over = self._loop.create_future()
        for talk in self._held:
            self._loop.call_at(BEGAN_S + talk.begins_s, self._ask, talk, 0)
        await self._over

    def _fate(self, request: Wanted, host: int, before: int, at: float) -> Fate:
        return self._world.fate(request.number, host, before, at=at, output_tokens=request.output_tokens)

    def _cached(self, request: HttpRequest, host: int) -> int:
        """By the credential in the head."""
        begin = request.head.index(b"authorization: ")
        credential = request.head[begin : request.head.index(b"\r\n", begin)]
        cache = self._caches.get((host, credential))
        if cache is None:
            cache = self._caches[(host, credential)] = PromptCache(max_blocks=_BLOCKS)
        return cache.recall(request.body)

    def _ask(self, talk: Talk, index: int) -> None:
        number, turn, body = talk.number * _MANY + index, talk.turns[index], talk.body(index)
        if number not in self.providers.asked:
            wanted = Wanted(number, talk.number % PROJECTS, True, len(body) // BYTES_PER_TOKEN, turn.answer)
            self.providers.asked[number] = Asked(wanted)
        self._asked_at[number] = self._loop.time() - BEGAN_S

        def ended(error: BaseException | None) -> None:
            if error is not None:
                self.bugs.append(error)
            self._go_on(talk, index)

        facts = RequestFacts(str(number), session_id=f"talk-{talk.number}")
        key = self._keys[talk.number % PROJECTS]
        Errand(self._gateway.chat(body, key=key, facts=facts, down=Client()), on_end=ended)

    def _go_on(self, talk: Talk, index: int) -> None:
        number = talk.number * _MANY + index
        if not self._outcome.pop(number, False):
            self.tally.failures += 1
            self.tally.waited_s += AGAIN_AFTER_S
            self._loop.call_later(AGAIN_AFTER_S, self._ask, talk, index)
            return
        del self.providers.asked[number]
        if index + 1 < len(talk.turns):
            self._loop.call_later(talk.turns[index].pause_s, self._ask, talk, index + 1)
        else:
            self._left -= 1
            if not self._left:
                self._over.set_result(None)
