"""OpenAI's chat protocol, as a provider speaks it."""

from llmgateway.apps.simulator.dialect import Dialect
from llmgateway.apps.simulator.openai_chat import faults, voice
from llmgateway.apps.simulator.openai_chat.ask import ask_of

CHAT_PATH = "/openai/v1/chat/completions"
OPENAI_CHAT = Dialect(
    name="openai-chat",
    title="OpenAI chat",
    paths={CHAT_PATH: ""},
    ask=ask_of,
    body=voice.body,
    events=voice.events,
    framing=lambda _: voice.FRAMING,
    speaks=voice.speaks,
    finishes=voice.finishes,
    headers=voice.headers,
    error=voice.error,
    error_event=lambda complaint, _before: voice.error_body(complaint),
    complaints=faults.REFUSALS,
    bodies=faults.BODIES,
    changes=faults.CHANGES,
    greets=False,
)
