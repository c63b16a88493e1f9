"""Runs the cells: the gateway's pipeline, plan, health and transport over sockets, the simulator a process of its own.

Each cell has a gateway of its own, so that nothing is known of its providers before and all of what is known
afterwards comes from it.
"""

import asyncio
from typing import Any, Final, NamedTuple

import msgspec

from llmgateway.apps.simulator.faults import FAULTS
from llmgateway.domain.policy import RoutingPolicy
from llmgateway.domain.routing import Deployment, Mapping, Provider, Timeouts
from llmgateway.domain.usage import Price
from llmgateway.engine.exchange import RequestFacts
from llmgateway.engine.meters import Meters
from llmgateway.engine.pipeline import Gateway
from llmgateway.engine.snapshot import Snapshot
from llmgateway.infra.transport import HttpTransport
from llmgateway.wire.protocols import codecs
from tests.e2e.fault_matrix.cells import BEFORE, DIAL, PROTOCOLS, Cell
from tests.e2e.fault_matrix.expected import Attempt, Expectation
from tests.e2e.protocols import PREFIXES
from tests.support.fakes import KEY, SECRET, FakeDownstream, FakeFetcher, FakeJournal, snapshot
from tests.support.gateway import Simulator, running_simulator

SAYS: Final = "These are the words of the one that is well."
POLICY: Final = RoutingPolicy(exploration_rate=0, backoff_s=0.01)
_CHEAP, _DEAR = (Price(input=dollars, output=dollars) for dollars in (1_000_000, 2_000_000))
_PATIENT: Final = Timeouts(first_byte=60, idle=60)
_TIMEOUTS: Final = {"stuck": Timeouts(first_byte=0.3, idle=60), "mute": Timeouts(first_byte=60, idle=0.5)}
_KINDS: Final = {DIAL: "nobody", "stall-headers": "stuck", "stall-mid": "mute"}
"""Who stands for the sick provider where that matters: one that is not there, or has little time to begin or go on."""
_AT_ONCE: Final = 24


class Seen(NamedTuple):
    """What became of a cell; `wrong` are the rules broken that hold for every cell."""

    became: Expectation
    wrong: tuple[str, ...]


def run(cells: list[Cell]) -> dict[Cell, Seen]:
    with running_simulator() as simulator:
        return asyncio.run(_all(cells, simulator))


async def _all(cells: list[Cell], simulator: Simulator) -> dict[Cell, Seen]:
    rows = _rows(simulator)
    transport = HttpTransport()
    room = asyncio.Semaphore(_AT_ONCE)

    async def one(cell: Cell) -> Seen:
        async with room:
            return await _Case(cell, rows, transport).run()

    try:
        seen = await asyncio.gather(*[one(cell) for cell in cells])
    finally:
        await transport.close()
    return dict(zip(cells, seen, strict=True))


def _rows(simulator: Simulator) -> Snapshot:
    """Of each kind and protocol one provider with two models: one that it alone has, one that `well` has too."""
    providers = [_row("well", simulator.base_url, "openai-chat")]
    offers: list[Mapping] = []
    nobody = f"http://127.0.0.1:{simulator.refused_port}"
    for protocol in PROTOCOLS:
        for kind in ("sick", *_KINDS.values()):
            base = nobody if kind == "nobody" else simulator.url + PREFIXES[protocol]
            timeouts = _TIMEOUTS.get(kind, _PATIENT)
            name = f"{kind}-{protocol}"
            providers.append(_row(name, base, protocol, timeouts=timeouts, quirks=("x_simulator",)))
            upstream = "us.anthropic.claude-sonnet-4-5-auto" if protocol == "bedrock" else "auto"
            offers += [
                Mapping(provider=name, model=f"{name}-alone", upstream=upstream, price=_CHEAP, context=8_000),
                Mapping(provider=name, model=f"{name}-two", upstream=upstream, price=_CHEAP, context=8_000),
                Mapping(provider="well", model=f"{name}-two", upstream="echo", price=_DEAR, context=200_000),
            ]
    return snapshot(*offers, providers=providers, protocols=frozenset(codecs()), policy=POLICY)


def _row(name: str, base_url: str, protocol: Any, **fields: Any) -> Provider:
    return Provider(id=name, base_url=base_url, protocol=protocol, allow_private_network=True, **fields)


class _Case:
    """One cell, from its request to what is left behind."""

    def __init__(self, cell: Cell, rows: Snapshot, transport: HttpTransport) -> None:
        self.cell = cell
        self.rows = rows
        kind = _KINDS.get(cell.fault, "sick")
        self.model = f"{kind}-{cell.protocol}-{'two' if cell.second else 'alone'}"
        self.down = FakeDownstream()
        self.journal = FakeJournal()
        self.bugs: list[BaseException] = []
        self.gateway = Gateway(
            snapshot=rows,
            codecs=codecs(),
            transport=transport,
            fetcher=FakeFetcher(),
            journal=self.journal,
            meters=Meters(),
            report=lambda _, error: self.bugs.append(error),
        )

    async def run(self) -> Seen:
        facts = RequestFacts("matrix", simulator=_steering(self.cell))
        asked = {"model": self.model, "messages": [{"role": "user", "content": SAYS}], "stream": self.cell.streamed}
        await self.gateway.chat(msgspec.json.encode(asked), key=KEY, facts=facts, down=self.down)
        return Seen(self._became(), tuple(self._wrong()))

    def _became(self) -> Expectation:
        row = self.journal.exchange
        error = (row["status"], row["error_code"] or "")
        ends = "answered" if row["error_code"] is None else "cut" if row["truncated"] else "refused"
        sick = self._deployment("well", otherwise=True)
        figures = self.gateway.health.figures(sick.used_model, policy=POLICY)
        return Expectation(
            200 if self.down.pieces else self.down.status or 0,
            ends,
            error,
            tuple([_attempt(one) for one in self.journal.attempts]),
            rests=not self.gateway.health.open(sick),
            lowered=figures.uptime < POLICY.default_uptime_pct,
        )

    def _deployment(self, provider: str, *, otherwise: bool = False) -> Deployment:
        """The one of that provider, or `otherwise` the one of any other."""
        route = self.rows.route(self.model)
        assert route is not None
        return next(
            offer.deployments[0]
            for offer in route.offers
            if (offer.deployments[0].provider.id == provider) != otherwise
        )

    def _wrong(self) -> list[str]:
        """What must hold in every cell."""
        row, attempts, down = self.journal.exchange, self.journal.attempts, self.down
        body = b"".join(down.pieces) + down.body
        checks = {
            "no bug": not self.bugs,
            "one record that names each attempt": row["attempts"] == len(attempts),
            "at most one attempt succeeded, the last": not any(one["succeeded"] for one in attempts[:-1]),
            "it succeeded exactly if there is an answer": attempts[-1]["succeeded"] == (row["error_code"] is None),
            "only an answer is billed": bool(row["cost_total"]) == (row["error_code"] is None or row["truncated"]),
            "the provider that answered is named": row["used_provider"] == attempts[-1]["provider"],
            "no credential is told": SECRET.encode() not in body,
            "a whole answer has no error": "error" not in down.answer if down.status == 200 else True,
            "a stream ends once": not down.pieces or body.count(b"[DONE]") == 1,
            "one error at most, behind all else": self._errors_are_last(),
            "the other provider is well": self._well_stays(),
            "its words are told, and none besides": self._words_are_right(),
        }
        return [name for name, holds in checks.items() if not holds]

    def _errors_are_last(self) -> bool:
        events = [one for one in self.down.events if isinstance(one, dict)]
        return not any("error" in one for one in events[:-1])

    def _well_stays(self) -> bool:
        if not self.cell.second:
            return True
        well = self._deployment("well")
        return self.gateway.health.open(well) and (
            self.gateway.health.figures(well.used_model, policy=POLICY).uptime == POLICY.default_uptime_pct
        )

    def _words_are_right(self) -> bool:
        """Once the other provider has answered, nothing of the sick one is in it; no other answer is empty."""
        if self.down.status not in (None, 200):
            return True
        events = [one for one in self.down.events if isinstance(one, dict)] if self.down.pieces else [self.down.answer]
        parts = [choice.get("delta", choice.get("message")) for one in events for choice in one["choices"]]
        text = "".join([part.get("content") or "" for part in parts])
        if self.journal.attempts[-1]["provider"] == "well":
            return text == SAYS
        called = any(part.get("tool_calls") for part in parts)
        return bool(text) != called or self.cell.fault == "tool-invalid-arguments"


def _steering(cell: Cell) -> bytes:
    if cell.fault == DIAL:
        return b""
    steering: dict[str, Any] = {"fault": cell.fault, "answer": FAULTS[cell.fault].answer, "retry_after_s": 3}
    if cell.moment == BEFORE:
        unread = (
            cell.protocol == "bedrock" and cell.fault == "malformed-json"
        )  # what messageStart says is not looked at
        steering["after"] = 1 if unread else 0
    return msgspec.json.encode(steering)


def _attempt(row: dict[str, Any]) -> Attempt:
    return ("well" if row["provider"] == "well" else "sick", row["error_type"], row["status_code"])
