"""A provider's prompt cache is worth the same behind the gateway as without it: what is sent from turn to turn begins
with the same bytes.

Twenty conversations of eight turns go through the gateway; the same requests go to another simulator as the vendor's
own SDK spells them. The cache counts blocks of 1,024 bytes, so the messages are measured to end in the middle of one:
the few bytes by which two spellings of a request differ then decide nothing.
"""

import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest

from tests.e2e.direct_clients import DIRECT
from tests.e2e.protocols import PROTOCOLS, configuration, model
from tests.support.gateway import STATIC_KEY, Gateway, Simulator, running_gateway, running_simulator

pytest.importorskip("llmgateway.wire.protocols", reason="protocols besides OpenAI chat are not wired yet")
CONVERSATIONS = 20
TURNS = 8
BLOCK = 1024
END = 800
"""Where in its block a request ends: other spellings are a little longer, or by a system prompt and a tool shorter."""
TOOL: Any = {
    "type": "function",
    "function": {"name": "clock", "parameters": {"type": "object", "properties": {}}},
}


@pytest.fixture(scope="module")
def behind() -> Iterator[Simulator]:
    with running_simulator() as simulator:
        yield simulator


@pytest.fixture(scope="module")
def door(behind: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with running_gateway(tmp_path_factory.mktemp("cache"), configuration=configuration(behind)) as gateway:
        yield gateway


@pytest.fixture
def client(door: Gateway) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{door.url}/v1", api_key=STATIC_KEY, max_retries=0, timeout=20) as client:
        yield client


class Conversation:
    """One conversation; `first` and `next` are the lengths of what the user says in the first turn and later."""

    def __init__(self, client: openai.OpenAI, protocol: str, *, name: str, first: int, later: int) -> None:
        self._client = client
        self._model = model(protocol, "lorem-20")
        self._lengths = (first, later)
        self._messages: list[Any] = [{"role": "system", "content": "Be brief."}]
        self._name = name

    def ask(self) -> int:
        """One turn; the tokens that were cached."""
        length = self._lengths[min(len(self._messages) - 1, 1)]
        self._messages.append({"role": "user", "content": f"{self._name} ".ljust(length, "x")})
        answer = self._client.chat.completions.create(
            model=self._model, messages=self._messages, tools=[TOOL], tool_choice="none", max_tokens=100
        )
        self._messages.append({"role": "assistant", "content": answer.choices[0].message.content})
        usage = answer.usage
        assert usage is not None
        assert usage.prompt_tokens_details is not None
        return usage.prompt_tokens_details.cached_tokens or 0


def bodies(simulator: Simulator, name: str) -> list[str]:
    return [one["body"] for one in simulator.requests(name)]


def measured(client: openai.OpenAI, simulator: Simulator, protocol: str) -> tuple[int, int]:
    """Lengths with which the first request ends where it should, and each later one whole blocks behind it."""
    probe = Conversation(client, protocol, name=f"probe-{protocol}-00", first=1200, later=1200)
    probe.ask()
    probe.ask()
    first, second = (len(body) for body in bodies(simulator, f"probe-{protocol}-00"))
    return 1200 + (END - first) % BLOCK, 1200 + (first - second) % BLOCK


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_cache_gives_as_much_through_the_gateway_as_directly(
    client: openai.OpenAI, behind: Simulator, protocol: str
) -> None:
    first, later = measured(client, behind, protocol)
    names = [f"talk-{protocol}-{number:02}" for number in range(CONVERSATIONS)]
    talks = [Conversation(client, protocol, name=name, first=first, later=later) for name in names]
    through = [talk.ask() for _ in range(TURNS) for talk in talks]
    sent = bodies(behind, f"talk-{protocol}-")
    assert len(sent) == len(through) == CONVERSATIONS * TURNS
    upstream = model(protocol, "lorem-20").partition("/")[2]
    with running_simulator() as other, DIRECT[protocol](other.url, upstream) as ask:
        direct = [ask(json.loads(body)) for body in sent]
    assert through == direct
    for turn in range(1, TURNS):
        before = [len(body) for body in sent[(turn - 1) * CONVERSATIONS : turn * CONVERSATIONS]]
        found = through[turn * CONVERSATIONS : (turn + 1) * CONVERSATIONS]
        assert found == [length // BLOCK * BLOCK // 4 for length in before]
