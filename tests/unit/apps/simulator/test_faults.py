"""Each fault does on a socket what its row in the table says, streamed and whole, and nothing else is wrong."""

import pytest

from llmgateway.apps.simulator.faults import FAULTS
from tests.unit.apps.simulator.fault_checks import CANARY, CHECKS
from tests.unit.apps.simulator.raw_http import Ask, contents, finishes


def test_every_fault_of_the_table_is_checked() -> None:
    """A fault without a check, or a check without a fault, would go unnoticed."""
    assert set(CHECKS) == set(FAULTS)


@pytest.mark.parametrize("by", ["model", "header"])
@pytest.mark.parametrize("streamed", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize("name", FAULTS)
async def test_a_fault_does_what_its_row_says(ask: Ask, name: str, streamed: bool, by: str) -> None:
    """By model name and by header, a fault is on the wire as documented."""
    model, steering = (f"fault-{name}", {}) if by == "model" else ("auto", {"fault": name})
    answer = await ask(
        model,
        steering=steering | {"slow_ms": 1},
        headers=f"authorization: Bearer {CANARY}\r\n".encode(),
        patience_s=0.15 if "stall" in name else 10,
        stream=streamed,
        stream_options={"include_usage": True},
    )
    CHECKS[name](answer, streamed)


async def test_a_fault_of_mid_stream_comes_after_as_many_events_as_asked(ask: Ask) -> None:
    """`after` says how many events arrive; it never reaches the finish."""
    for after, expected in ((0, 0), (1, 1), (6, 6)):
        answer = await ask("lorem-20", steering={"fault": "cut", "after": after}, stream=True)
        assert len(answer.events) == expected
    for options in ({}, {"stream_options": {"include_usage": True}}):
        answer = await ask("lorem-20", steering={"fault": "cut", "after": 1000}, stream=True, **options)
        assert len(contents(answer)) == 20
        assert finishes(answer) == []


async def test_retry_after_can_be_chosen(ask: Ask) -> None:
    """`retry_after_s` sets the header's value in its own form."""
    seconds = await ask(steering={"fault": "429-seconds", "retry_after_s": 30})
    milliseconds = await ask(steering={"fault": "429-ms", "retry_after_s": 0.25})
    assert seconds.headers["retry-after"] == "30"
    assert milliseconds.headers["retry-after-ms"] == "250"
