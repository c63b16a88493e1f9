"""The cells of the matrix: every fault of the simulator, when it strikes, in which protocol, of a stream or a whole
answer, with another provider that is well and without one."""

from collections.abc import Iterator
from typing import Final, NamedTuple

from llmgateway.apps.simulator.faults import FAULTS

PROTOCOLS: Final = ("openai-chat", "openai-responses", "anthropic", "google", "bedrock")
DIAL: Final = "refused-dial"
"""Not of a request, and so not in the simulator's table: nobody listens at the address."""
HEADLESS, BEFORE, MIDWAY, ALONG = "before headers", "before content", "mid-content", ""
STRIKING: Final = ("reset-mid", "stall-mid", "cut", "malformed-json", "error-event", "key-echo-event", "bad-crc")
"""Faults of streams that come at a moment which can be chosen."""
EARLY: Final = (DIAL, "connect-refused", "reset", "stall-headers")
KNOWN: Final = (*FAULTS, DIAL)


class Cell(NamedTuple):
    """`moment`: where it strikes, if that can be said. `second`: whether another provider is well."""

    fault: str
    moment: str
    streamed: bool
    protocol: str
    second: bool

    @property
    def name(self) -> str:
        words = (self.fault, self.moment, "streamed" if self.streamed else "whole", self.protocol)
        return ", ".join([word for word in words if word] + ["with another" if self.second else "alone"])


def cells() -> Iterator[Cell]:
    for fault in KNOWN:
        for streamed in (True, False):
            for moment in _moments(fault, streamed=streamed):
                for protocol in PROTOCOLS:
                    for second in (True, False):
                        yield Cell(fault, moment, streamed, protocol, second)


def _moments(fault: str, *, streamed: bool) -> tuple[str, ...]:
    if fault in EARLY:
        return (HEADLESS,)
    return (BEFORE, MIDWAY) if streamed and fault in STRIKING else (ALONG,)
