"""The requests of the bench, ready for the wire: who asks (1,000 keys), for which model, how big.

The same bytes go to the gateway and, under another path, to nginx in its place.
"""

import functools
from collections.abc import Callable
from typing import Literal

import msgspec

KEY_COUNT = 1_000
MODEL_COUNT = 50
Behaviour = Literal[
    "whole",
    "burst",
    "burst-unclean",
    "burst-anthropic",
    "burst-google",
    "paced",
    "paced-unclean",
    "paced-anthropic",
    "paced-google",
    "idle",
    "fault-500",
    "fault-garbage",
    "fault-cut",
]
Protocol = Literal["openai-chat", "anthropic", "google"]


class Lane(msgspec.Struct, frozen=True):
    """A provider row of the gateway under test: the mock's behaviour behind it, the protocol that speaks, and whether
    it is declared clean.
    """

    provider: str
    behaviour: Behaviour
    clean: bool = False
    models: int = 1
    protocol: Protocol = "openai-chat"

    def model(self, number: int) -> str:
        return f"{self.provider}-{number % self.models:02d}"


WHOLE = Lane("bench-whole", "whole", models=MODEL_COUNT)
BURST_CLEAN = Lane("bench-burst-clean", "burst", clean=True)
BURST_DECODED = Lane("bench-burst-decoded", "burst")
BURST_UNCLEAN = Lane("bench-burst-unclean", "burst-unclean")
BURST_ANTHROPIC = Lane("bench-burst-anthropic", "burst-anthropic", protocol="anthropic")
BURST_GOOGLE = Lane("bench-burst-google", "burst-google", protocol="google")
PACED_CLEAN = Lane("bench-paced-clean", "paced", clean=True)
PACED_DECODED = Lane("bench-paced-decoded", "paced")
PACED_UNCLEAN = Lane("bench-paced-unclean", "paced-unclean")
PACED_ANTHROPIC = Lane("bench-paced-anthropic", "paced-anthropic", protocol="anthropic")
PACED_GOOGLE = Lane("bench-paced-google", "paced-google", protocol="google")
IDLE = Lane("bench-idle", "idle", clean=True)
FAULT_500 = Lane("bench-fault-500", "fault-500")
FAULT_GARBAGE = Lane("bench-fault-garbage", "fault-garbage")
FAULT_CUT = Lane("bench-fault-cut", "fault-cut", clean=True)
LANES = (
    WHOLE,
    BURST_CLEAN,
    BURST_DECODED,
    BURST_UNCLEAN,
    BURST_ANTHROPIC,
    BURST_GOOGLE,
    PACED_CLEAN,
    PACED_DECODED,
    PACED_UNCLEAN,
    PACED_ANTHROPIC,
    PACED_GOOGLE,
    IDLE,
    FAULT_500,
    FAULT_GARBAGE,
    FAULT_CUT,
)

Body = Callable[..., bytes]
GATEWAY_PATH = "/v1/chat/completions"


def key(number: int) -> str:
    """One of the 1,000 API keys; they exist only in the rig."""
    return f"llmgw_bench_{number % KEY_COUNT:04d}_{number % KEY_COUNT * 2_654_435_761 % 2**32:08x}"


def mock_path(behaviour: Behaviour) -> str:
    """Where nginx-as-proxy and the mocks themselves are asked for a behaviour."""
    return f"/{behaviour}{GATEWAY_PATH}"


def request(number: int, *, path: str, body: bytes) -> bytes:
    """A POST as an SDK sends it, with the headers that SDKs send."""
    head = (
        f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\naccept: application/json\r\naccept-encoding: gzip, deflate\r\n"
        f"user-agent: OpenAI/Python 2.8.0\r\nx-stainless-lang: python\r\nx-stainless-package-version: 2.8.0\r\n"
        f"x-stainless-retry-count: 0\r\nauthorization: Bearer {key(number)}\r\ncontent-type: application/json\r\n"
        f"content-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


@functools.cache
def requests(lane: Lane, *, path: str, body: Body, count: int) -> list[bytes]:
    """`count` different requests, over all keys and the lane's models."""
    stream = lane.behaviour != "whole"
    bodies = (body(number, model=lane.model(number), stream=stream) for number in range(count))
    return [request(number, path=path, body=one) for number, one in enumerate(bodies)]
