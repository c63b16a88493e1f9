"""Amazon Bedrock's converse protocol, as a provider speaks it."""

from llmgateway.apps.simulator.bedrock import faults, voice
from llmgateway.apps.simulator.bedrock.ask import ask_of
from llmgateway.apps.simulator.dialect import Dialect

BEDROCK = Dialect(
    name="bedrock",
    title="Bedrock converse",
    paths={"/bedrock/model/{model}/converse": "whole", "/bedrock/model/{model}/converse-stream": "stream"},
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
    frame_changes=faults.FRAME_CHANGES,
)
