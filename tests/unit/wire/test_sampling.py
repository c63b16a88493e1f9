"""Sampling parameters of models that reason: sent while the effort is none, over both of OpenAI's protocols."""

import json
from typing import Any

import pytest

from llmgateway.wire.openai_chat.request import read_request
from llmgateway.wire.openai_chat.upstream import OpenAIChat
from llmgateway.wire.openai_responses.upstream import OpenAIResponses
from tests.unit.wire.deployments import deployment

EXPLICIT = ("sampling_at_none",)
DEFAULT = (*EXPLICIT, "none_by_default")
CASES: list[tuple[tuple[str, ...], dict[str, Any], bool]] = [
    ((), {}, False),
    ((), {"reasoning_effort": "none"}, False),
    (EXPLICIT, {}, False),
    (EXPLICIT, {"reasoning_effort": "none"}, True),
    (EXPLICIT, {"reasoning": {"effort": "none"}}, True),
    (DEFAULT, {}, True),
    (DEFAULT, {"reasoning": {"summary": "auto"}}, True),
    (DEFAULT, {"reasoning_effort": "low"}, False),
    (DEFAULT, {"reasoning": {"effort": "low"}}, False),
    (DEFAULT, {"reasoning": {"enabled": True}}, False),
]


@pytest.mark.parametrize("codec", [OpenAIChat(), OpenAIResponses()], ids=["chat", "responses"])
@pytest.mark.parametrize(("quirks", "asked", "sent"), CASES)
def test_temperature(codec: Any, quirks: tuple[str, ...], asked: dict[str, Any], *, sent: bool) -> None:
    to = deployment(quirks=quirks, lacks=frozenset({"temperature"}))
    body = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], "temperature": 0.7, **asked}
    request, dropped = codec.build(read_request(json.dumps(body).encode()), to=to)
    assert (json.loads(request.body).get("temperature") == 0.7, "temperature" in dropped) == (sent, not sent)
    fixed, dropped = codec.build(read_request(json.dumps({**body, "temperature": 1}).encode()), to=to)
    assert json.loads(fixed.body)["temperature"] == 1
    assert "temperature" not in dropped
