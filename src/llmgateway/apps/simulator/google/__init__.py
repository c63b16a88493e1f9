"""Google's generateContent protocol, as a provider speaks it."""

from llmgateway.apps.simulator.dialect import Dialect
from llmgateway.apps.simulator.google import faults, voice
from llmgateway.apps.simulator.google.ask import ask_of

_MODEL = "/google/v1beta/models/{model}"
GOOGLE = Dialect(
    name="google",
    title="Google generateContent",
    paths={f"{_MODEL}:generateContent": "whole", f"{_MODEL}:streamGenerateContent": "stream"},
    ask=ask_of,
    body=voice.body,
    events=voice.events,
    framing=voice.framing,
    speaks=voice.speaks,
    finishes=voice.finishes,
    headers=voice.headers,
    error=voice.error,
    error_event=lambda complaint, _before: voice.error_body(complaint),
    complaints=faults.COMPLAINTS,
    bodies=faults.BODIES,
    changes=faults.CHANGES,
    content_type=voice.CONTENT_TYPE,
    indent=2,
    greets=False,
    waits_in_body=True,
)
