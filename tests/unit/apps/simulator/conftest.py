"""A simulator on a free port, and a way to ask it."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from llmgateway.apps.simulator.server import SimulatorServer, serve
from llmgateway.apps.simulator.simulation import Simulation
from tests.unit.apps.simulator.raw_http import NOW, Ask, RawAnswer, exchange


@pytest.fixture
async def server() -> AsyncIterator[SimulatorServer]:
    server = await serve(port=0, simulation=Simulation(now=lambda: NOW))
    yield server
    await server.stop()


@pytest.fixture
def ask(server: SimulatorServer) -> Ask:
    async def ask(
        model: str = "auto", *, steering: object = None, headers: bytes = b"", patience_s: float = 5, **fields: Any
    ) -> RawAnswer:
        messages = [{"role": "user", "content": "Good morning"}]
        body = msgspec.json.encode({"model": model, "messages": messages} | fields)
        if steering is not None:
            headers += b"x-simulator: " + msgspec.json.encode(steering) + b"\r\n"
        request = b"POST /openai/v1/chat/completions HTTP/1.1\r\nhost: simulator\r\n%bcontent-length: %d\r\n\r\n%b" % (
            headers,
            len(body),
            body,
        )
        return await exchange(server, request, patience_s=patience_s)

    return ask
