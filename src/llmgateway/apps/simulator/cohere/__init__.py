"""Cohere's chat protocol, version 2, as a provider speaks it."""

from llmgateway.apps.simulator.cohere import faults, voice
from llmgateway.apps.simulator.cohere.ask import ask_of
from llmgateway.apps.simulator.dialect import Dialect

COHERE = Dialect(
    name="cohere",
    title="Cohere chat",
    paths={"/cohere/v2/chat": ""},
    ask=ask_of,
    body=voice.body,
    events=voice.events,
    framing=lambda _: voice.FRAMING,
    speaks=voice.speaks,
    finishes=voice.finishes,
    headers=voice.headers,
    error=voice.error,
    error_event=voice.error_event,
    complaints=faults.COMPLAINTS,
    bodies=faults.BODIES,
    changes=faults.CHANGES,
)
