"""The simulated provider inside the gateway: the Transport port played from scripts in memory, without sockets, so
that `simulator/*` models work with no provider at all. It gives what an HTTP client would make of the same bytes: a
declared length is kept to, a body that ends short or a reset is UPSTREAM_UNREACHABLE, silence is UPSTREAM_TIMEOUT."""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from functools import lru_cache

from llmgateway.apps.simulator.ledger import Entry
from llmgateway.apps.simulator.models import model_names
from llmgateway.apps.simulator.script import Close, Data, Head, Header, Request, Reset, Script, Stall, Step, Wait
from llmgateway.apps.simulator.simulation import OPENAI_PREFIX, Simulation
from llmgateway.domain.errors import UPSTREAM_ERROR, UPSTREAM_TIMEOUT, UPSTREAM_UNREACHABLE, UpstreamError
from llmgateway.domain.routing import Capability, HttpRequest, Mapping, Model, Provider, Timeouts
from llmgateway.domain.usage import Price

PROVIDER_ID = "simulator"
HOST = "simulator.invalid"
_READ_BYTES = 64 * 1024
_EVERYTHING: frozenset[Capability] = frozenset(
    (
        *("streaming", "tools", "tool_choice", "parallel_tool_calls", "json_object", "json_schema", "vision", "audio"),
        *("documents", "image_output", "reasoning", "reasoning_max_tokens", "web_search", "n", "stop", "logprobs"),
        *("logit_bias", "prompt_cache", "assistant_prefill", "temperature"),
    )
)
Sleep = Callable[[float], Awaitable[object]]


def simulator_provider() -> Provider:
    """The provider row of the in-process simulator."""
    return Provider(
        id=PROVIDER_ID,
        name="Simulator",
        protocol="openai-chat",
        base_url=f"http://{HOST}{OPENAI_PREFIX}",
        auth="none",
        clean=True,
        any_model=True,
        unknown_fields="pass",
        quirks=("x_simulator",),
    )


def simulator_models() -> tuple[Model, ...]:
    """A model row for each name that the simulator lists; they cost nothing."""
    return tuple([_model(name) for name in model_names()])


def _model(name: str) -> Model:
    price = Price(input=0, output=0)
    mapping = Mapping(provider=PROVIDER_ID, model=name, upstream=name, price=price, has=_EVERYTHING)
    return Model(id=name, name=f"Simulator {name}", family=PROVIDER_ID, mappings=(mapping,))


class SimulatorTransport:
    """The Transport port over a Simulation. `sleep` and `monotonic` are the clock of its pauses and timeouts."""

    def __init__(
        self,
        *,
        simulation: Simulation | None = None,
        sleep: Sleep = asyncio.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.simulation = Simulation(keep=0) if simulation is None else simulation
        self._sleep = sleep
        self._monotonic = monotonic

    async def send(self, request: HttpRequest, *, timeouts: Timeouts, total_s: float) -> "SimulatedResponse":
        script, entry = self.simulation.answer(_parsed(request))
        playing = _Playing(
            script,
            self.simulation,
            entry,
            sleep=self._sleep,
            monotonic=self._monotonic,
            deadline=self._monotonic() + total_s,
            idle_s=timeouts.idle,
        )
        try:
            head = await playing.head(first_byte_s=timeouts.first_byte)
        except BaseException:
            playing.leave()
            raise
        return SimulatedResponse(head, playing)

    async def close(self) -> None:
        """There is nothing to close."""


class SimulatedResponse:
    """The UpstreamResponse port: an answer whose head has arrived."""

    def __init__(self, head: Head, playing: "_Playing") -> None:
        self.status = head.status
        self.headers: Sequence[Header] = head.headers
        self._playing = playing

    async def read(self) -> bytes:
        try:
            return await self._playing.read()
        except BaseException:
            self._playing.leave()
            raise

    async def pump(self, step: Callable[[bytes], bool]) -> bool:
        while data := await self.read():
            if step(data):
                return True
        return False

    async def body(self, *, limit: int) -> bytes:
        parts: list[bytes] = []
        size = 0
        while data := await self.read():
            size += len(data)
            if size > limit:
                self._playing.leave()
                message = f"the simulator's answer is larger than {limit} bytes"
                raise UpstreamError(UPSTREAM_ERROR, message, status_code=self.status)
            parts.append(data)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def bear(self, idle_s: float) -> None:
        self._playing.idle_s = idle_s

    def close(self) -> None:
        self._playing.leave()

    def release(self) -> None:
        self._playing.end_quickly()


class _Playing:
    """A script on its way, as the client's end of the wire sees it."""

    def __init__(
        self,
        script: Script,
        simulation: Simulation,
        entry: Entry | None,
        *,
        sleep: Sleep,
        monotonic: Callable[[], float],
        deadline: float,
        idle_s: float,
    ) -> None:
        self._steps: deque[Step] = deque(script)
        self._ledger = simulation.ledger
        self._entry = entry
        self._sleep = sleep
        self._monotonic = monotonic
        self._arrived = monotonic()
        self._deadline = deadline
        self.idle_s = idle_s
        self._remaining: int | None = None
        self._status = 0

    async def head(self, *, first_byte_s: float) -> Head:
        patience_s = first_byte_s
        while True:
            step = self._steps.popleft()
            if isinstance(step, Head):
                break
            patience_s -= await self._pass(step, patience_s=patience_s)
        self._remaining = step.declared_length
        self._status = step.status
        if self._entry is not None:
            self._ledger.head(self._entry, status=step.status)
        self._refuse_encoding(step)
        if self._remaining == 0:
            self._done()
        return step

    async def read(self) -> bytes:
        if self._remaining == 0:
            return b""
        patience_s = self.idle_s
        while self._steps:
            if isinstance(self._steps[0], Data):
                return self._available()
            patience_s -= await self._pass(self._steps.popleft(), patience_s=patience_s)
        if self._remaining:
            raise self._broken("ended its answer before its declared length")
        self._done()
        return b""

    def leave(self) -> None:
        """The client closes: an abort unless everything was read."""
        self._steps.clear()
        if self._entry is not None:
            self._ledger.abort(self._entry, after_ms=(self._monotonic() - self._arrived) * 1000)
        self._remaining = 0

    def end_quickly(self) -> None:
        """The client has all it needs: what is there already may still arrive, nothing is waited for."""
        if all(isinstance(step, Data) for step in self._steps):
            self._done()
        self.leave()

    def _available(self) -> bytes:
        """What has arrived: all data up to the next pause, within a read's size."""
        parts: list[bytes] = []
        size = 0
        while self._steps and size < _READ_BYTES and isinstance(step := self._steps[0], Data):
            self._steps.popleft()
            parts.append(step.data)
            size += len(step.data)
        data = b"".join(parts)
        if self._remaining is not None:
            data = data[: self._remaining]
            self._remaining -= len(data)
        if self._remaining == 0:
            self._done()
        return data

    async def _pass(self, step: Step, *, patience_s: float) -> float:
        """Lives through a step that brings nothing; the seconds it took."""
        if isinstance(step, Wait):
            await self._pause(step.seconds, patience_s=patience_s)
            return step.seconds
        if isinstance(step, Stall):
            await self._pause(float("inf"), patience_s=patience_s)
        if isinstance(step, Close):
            raise self._broken("closed the connection in the middle of its answer")
        raise self._broken("reset the connection" if isinstance(step, Reset) else "sent a body without a head")

    async def _pause(self, seconds: float, *, patience_s: float) -> None:
        bound_s = max(min(patience_s, self._deadline - self._monotonic()), 0)
        await self._sleep(min(seconds, bound_s))
        if seconds > bound_s:
            message = f"the simulator was silent for {bound_s:g} s"
            raise UpstreamError(UPSTREAM_TIMEOUT, message, status_code=self._status)

    def _refuse_encoding(self, head: Head) -> None:
        for name, value in head.headers:
            if name == b"content-encoding" and value != b"identity":
                message = f"the simulator answered with content-encoding {value.decode()}, which was not asked for"
                raise UpstreamError(UPSTREAM_ERROR, message, status_code=head.status)

    def _broken(self, what: str) -> UpstreamError:
        self._done()
        return UpstreamError(UPSTREAM_UNREACHABLE, f"the simulator {what}", status_code=self._status)

    def _done(self) -> None:
        """The provider's part is over, properly or not."""
        self._steps.clear()
        if self._entry is not None:
            self._ledger.finish(self._entry)


def _parsed(request: HttpRequest) -> Request:
    path, headers = _parsed_head(request.head)
    return Request(request.method, path, headers, request.body)


@lru_cache(maxsize=256)
def _parsed_head(head: bytes) -> tuple[str, tuple[Header, ...]]:
    """Target and headers of a serialised request head."""
    first, *lines = head.split(b"\r\n")
    target = first.split(b" ")[1].decode("latin-1")
    pairs = [line.partition(b":") for line in lines if line]
    return target, tuple([(name.lower().strip(), value.strip()) for name, _, value in pairs])
