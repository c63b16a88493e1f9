"""Faults of bytes and connections, whatever the protocol: how events are framed, and what becomes of the connection."""

from collections.abc import Sequence

from llmgateway.apps.simulator.faults import Fault
from llmgateway.apps.simulator.script import Script


def frames(encoded: Sequence[bytes], *, fault: Fault) -> list[bytes]:
    return list(encoded)


def befall(steps: Script, *, fault: Fault, streamed: bool) -> Script:
    return steps
