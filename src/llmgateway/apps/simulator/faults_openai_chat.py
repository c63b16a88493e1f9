"""Faults in the words of OpenAI's chat protocol: error answers, wrong bodies and wrong events."""

from typing import Any

import msgspec

from llmgateway.apps.simulator.scenario import Scenario
from llmgateway.apps.simulator.script import Script

Json = dict[str, Any]


def refused(scenario: Scenario) -> Script | None:
    return None


def body(completion: Json, scenario: Scenario) -> bytes:
    return msgspec.json.encode(completion)


def events(chunks: list[Json], scenario: Scenario) -> list[Json]:
    return chunks


def frames(encoded: list[bytes], scenario: Scenario) -> list[bytes]:
    return encoded
