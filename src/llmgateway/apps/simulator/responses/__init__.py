"""OpenAI's responses protocol, as a provider speaks it."""

from llmgateway.apps.simulator.dialect import Dialect
from llmgateway.apps.simulator.openai_chat.voice import error
from llmgateway.apps.simulator.responses import faults, voice
from llmgateway.apps.simulator.responses.ask import ask_of

RESPONSES = Dialect(
    name="openai-responses",
    title="OpenAI responses",
    paths={"/responses/v1/responses": ""},
    ask=ask_of,
    body=voice.body,
    events=voice.events,
    framing=lambda _: voice.FRAMING,
    speaks=voice.speaks,
    finishes=voice.finishes,
    headers=voice.headers,
    error=error,
    error_event=voice.error_event,
    complaints=faults.COMPLAINTS,
    bodies=faults.BODIES,
    changes=faults.CHANGES,
    indent=2,
)
