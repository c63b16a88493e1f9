"""The transport inside the gateway: the same bytes as the server, and each ending as the port's error for it."""

import asyncio
from typing import Any

import msgspec
import pytest

from llmgateway.apps.simulator.faults import FAULTS
from llmgateway.apps.simulator.inprocess import SimulatorTransport, simulator_models, simulator_provider
from llmgateway.apps.simulator.server import serve
from llmgateway.apps.simulator.simulation import Simulation
from llmgateway.domain.errors import (
    UPSTREAM_ERROR,
    UPSTREAM_TIMEOUT,
    UPSTREAM_UNREACHABLE,
    ErrorKind,
    UpstreamError,
)
from llmgateway.domain.routing import HttpRequest, Origin, Timeouts
from llmgateway.engine.ports import Transport, UpstreamResponse
from llmgateway.infra.transport import HttpTransport
from tests.unit.apps.simulator.raw_http import NOW, exchange

ORIGIN = Origin("http", "simulator.invalid", 80)
HEAD = b"POST /openai/v1/chat/completions HTTP/1.1\r\nhost: simulator.invalid\r\ncontent-type: application/json\r\n"
HEALTHY = [
    *("auto", "echo", "lorem-300", "tools", "parallel-tools", "reasoning", "image", "citations", "refusal"),
    *("fault-crlf", "fault-huge-event", "fault-utf8-split", "fault-429-seconds", "fault-html-502", "fault-empty-body"),
]
BREAKS: dict[str, ErrorKind] = {
    "connect-refused": UPSTREAM_UNREACHABLE,
    "reset": UPSTREAM_UNREACHABLE,
    "reset-mid": UPSTREAM_UNREACHABLE,
    "cut": UPSTREAM_UNREACHABLE,
    "content-length-long": UPSTREAM_UNREACHABLE,
    "stall-headers": UPSTREAM_TIMEOUT,
    "stall-mid": UPSTREAM_TIMEOUT,
    "gzip": UPSTREAM_ERROR,
}


class Clock:
    """Time that passes only by sleeping."""

    def __init__(self) -> None:
        self.now = 1000.0

    async def sleep(self, seconds: float) -> None:
        self.now += seconds

    def read(self) -> float:
        return self.now


def request(model: str, **fields: Any) -> HttpRequest:
    body = {"model": model, "messages": [{"role": "user", "content": "Good morning"}]} | fields
    return HttpRequest(ORIGIN, HEAD, msgspec.json.encode(body))


def transport(clock: Clock | None = None) -> SimulatorTransport:
    time = Clock() if clock is None else clock
    return SimulatorTransport(simulation=Simulation(now=lambda: NOW), sleep=time.sleep, monotonic=time.read)


async def whole(
    sender: Transport, asked: HttpRequest, *, timeouts: Timeouts | None = None, total_s: float = 100
) -> tuple[int, bytes]:
    response = await sender.send(asked, timeouts=timeouts or Timeouts(), total_s=total_s)
    try:
        return response.status, await response.body(limit=64 * 1024 * 1024)
    finally:
        response.close()


def test_it_fits_the_port() -> None:
    sender: Transport = SimulatorTransport()
    assert sender is not None


@pytest.mark.parametrize("streamed", [True, False], ids=["streamed", "whole"])
async def test_it_says_byte_for_byte_what_the_server_says(streamed: bool) -> None:
    """Status, headers and body of the same requests in the same order are equal, framing apart."""
    sender = transport()
    server = await serve(port=0, simulation=Simulation(now=lambda: NOW))
    for model in HEALTHY:
        asked = request(model, stream=streamed)
        response: UpstreamResponse = await sender.send(asked, timeouts=Timeouts(), total_s=100)
        body = await response.body(limit=64 * 1024 * 1024)
        answer = await exchange(server, HEAD + b"content-length: %d\r\n\r\n" % len(asked.body) + asked.body)
        headers = {name.decode(): value.decode() for name, value in response.headers}
        answer.headers.pop("transfer-encoding", None)
        assert (response.status, headers, body) == (answer.status, answer.headers, answer.body)
    await server.stop()


@pytest.mark.parametrize("streamed", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize("name", FAULTS)
async def test_a_fault_ends_as_the_port_says(name: str, streamed: bool) -> None:
    """Broken connections raise their kind, everything else is an answer to be read; the ledger has nothing left
    open."""
    sender = transport()
    asked = request(f"fault-{name}", stream=streamed)
    if name in BREAKS:
        with pytest.raises(UpstreamError) as raised:
            await whole(sender, asked)
        assert raised.value.kind is BREAKS[name]
        before_head = name in ("connect-refused", "reset", "stall-headers")
        assert raised.value.status_code == (0 if before_head else 200)
    else:
        status, body = await whole(sender, asked)
        assert status >= 200
        assert body or name == "empty-body"
    assert sender.simulation.ledger.open == 0


@pytest.mark.parametrize("streamed", [True, False], ids=["streamed", "whole"])
async def test_every_fault_ends_as_over_sockets(streamed: bool) -> None:
    """The gateway's own HTTP client, against the server, gets the same answer or the same kind of error."""
    server = await serve(port=0, simulation=Simulation(now=lambda: NOW))
    client = HttpTransport()
    origin = Origin("http", server.host, server.port)
    timeouts = Timeouts(first_byte=0.2, idle=0.2)
    memory = SimulatorTransport(simulation=Simulation(now=lambda: NOW))
    for name in FAULTS:
        asked = request(f"fault-{name}", stream=streamed)
        over_sockets = HttpRequest(origin, asked.head, asked.body)
        outcome = await ended(memory, asked, timeouts=timeouts)
        assert (name, await ended(client, over_sockets, timeouts=timeouts)) == (name, outcome)
    await client.close()
    await server.stop()


async def ended(sender: Transport, asked: HttpRequest, *, timeouts: Timeouts) -> object:
    """Status and body, or the error's name and status."""
    try:
        return await whole(sender, asked, timeouts=timeouts)
    except UpstreamError as error:
        return error.kind.name, error.status_code


async def test_a_stream_before_its_break_is_delivered() -> None:
    """What came before a reset is read first."""
    response = await transport().send(request("fault-reset-mid", stream=True), timeouts=Timeouts(), total_s=100)
    assert (await response.read()).count(b"data: ") == 4
    with pytest.raises(UpstreamError) as raised:
        await response.read()
    assert raised.value.kind is UPSTREAM_UNREACHABLE


@pytest.mark.parametrize(
    ("fault", "timeouts", "total_s", "waited_s"),
    [
        ("stall-headers", Timeouts(first_byte=7), 100, 7),
        ("stall-headers", Timeouts(first_byte=7), 3, 3),
        ("stall-mid", Timeouts(idle=9), 100, 9),
        ("stall-mid", Timeouts(idle=9), 4, 4),
    ],
)
async def test_silence_lasts_as_long_as_the_timeouts_say(
    fault: str, timeouts: Timeouts, total_s: float, waited_s: float
) -> None:
    clock = Clock()
    with pytest.raises(UpstreamError) as raised:
        await whole(transport(clock), request(f"fault-{fault}"), timeouts=timeouts, total_s=total_s)
    assert raised.value.kind is UPSTREAM_TIMEOUT
    assert clock.now - 1000 == pytest.approx(waited_s, abs=0.1)


async def test_delays_pass_and_count_against_the_timeouts() -> None:
    """A slow answer takes its time; one slower than the total is a timeout."""
    clock = Clock()
    sender = transport(clock)
    await whole(sender, request("slow", stream=True))
    assert 1.5 < clock.now - 1000 < 5
    with pytest.raises(UpstreamError) as raised:
        await whole(sender, request("slow", stream=True), total_s=0.5)
    assert raised.value.kind is UPSTREAM_TIMEOUT


async def test_a_body_over_the_limit_is_an_upstream_error() -> None:
    response = await transport().send(request("fault-huge-chunk"), timeouts=Timeouts(), total_s=100)
    with pytest.raises(UpstreamError) as raised:
        await response.body(limit=1024 * 1024)
    assert raised.value.kind is UPSTREAM_ERROR


async def test_closing_early_is_an_abort_and_reading_to_the_end_is_not() -> None:
    sender = transport()
    early = await sender.send(request("slow", stream=True), timeouts=Timeouts(), total_s=100)
    early.close()
    early.close()
    assert (sender.simulation.ledger.aborted, sender.simulation.ledger.open) == (1, 0)
    await whole(sender, request("echo", stream=True))
    last = await sender.send(request("echo", stream=True), timeouts=Timeouts(), total_s=100)
    await last.read()
    last.release()
    assert (sender.simulation.ledger.aborted, sender.simulation.ledger.open) == (1, 0)


async def test_a_cancelled_reader_is_an_abort() -> None:
    """Cancelling while the simulator is silent, before the head or after it, counts as a client that went away."""
    for name in ("stall-headers", "stall-mid"):
        sender = SimulatorTransport()
        reading = asyncio.create_task(whole(sender, request(f"fault-{name}", stream=True)))
        for _ in range(3):
            await asyncio.sleep(0)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        assert (sender.simulation.ledger.aborted, sender.simulation.ledger.open) == (1, 0)


async def test_the_steering_header_of_a_request_head_is_obeyed() -> None:
    asked = request("auto")
    steered = HttpRequest(ORIGIN, HEAD + b'X-Simulator: {"text": "Steered: yes"}\r\n', asked.body)
    _, body = await whole(transport(), steered)
    assert msgspec.json.decode(body)["choices"][0]["message"]["content"] == "Steered: yes"


async def test_the_gateways_simulator_keeps_no_request() -> None:
    """Prompts that pass through a gateway are counted, not kept."""
    sender = SimulatorTransport()
    await whole(sender, request("echo"))
    assert sender.simulation.ledger.requests == 1
    assert sender.simulation.ledger.entries == ()


def test_the_rows_of_the_catalogue_offer_every_name_for_nothing() -> None:
    """Each name is a model of the simulator alone, free, with its name as the upstream's."""
    provider = simulator_provider()
    models = {model.id: model for model in simulator_models()}
    assert {"auto", "echo", "fault-429", "lorem-200"} <= set(models)
    for name, model in models.items():
        (mapping,) = model.mappings
        assert (mapping.provider, mapping.upstream) == (provider.id, name)
        assert mapping.price is not None
        assert (mapping.price.input, mapping.price.output) == (0, 0)
