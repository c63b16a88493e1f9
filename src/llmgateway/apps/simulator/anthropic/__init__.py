"""Anthropic's messages protocol, as a provider speaks it."""

from llmgateway.apps.simulator.anthropic import faults, voice
from llmgateway.apps.simulator.anthropic.ask import ask_of
from llmgateway.apps.simulator.dialect import Dialect

ANTHROPIC = Dialect(
    name="anthropic",
    title="Anthropic messages",
    paths={"/anthropic/v1/messages": ""},
    ask=ask_of,
    body=voice.body,
    events=voice.events,
    framing=lambda _: voice.FRAMING,
    speaks=voice.speaks,
    finishes=voice.finishes,
    headers=voice.headers,
    error=voice.error,
    error_event=lambda complaint, _before: voice.error_body(complaint),
    complaints=faults.COMPLAINTS,
    bodies=faults.BODIES,
    changes=faults.CHANGES,
)
