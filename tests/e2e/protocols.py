"""One custom provider per protocol, all of them the same simulator, and the gateway in front of them."""

from typing import Final

from tests.support.gateway import Simulator, custom_provider, static_key

PREFIXES: Final = {
    "openai-chat": "/openai/v1",
    "openai-responses": "/responses/v1",
    "anthropic": "/anthropic/v1",
    "google": "/google/v1beta",
    "bedrock": "/bedrock",
    "cohere": "/cohere/v2",
}
PROTOCOLS: Final = tuple(PREFIXES)
THINKING: Final = ("openai-responses", "anthropic", "google", "bedrock")
"""Those whose reasoning is signed and has to come back."""


def model(protocol: str, name: str) -> str:
    """The model of that name at the provider of that protocol; on Bedrock models are told by their names."""
    return f"sim-{protocol}/{'us.anthropic.claude-sonnet-4-5-' if protocol == 'bedrock' else ''}{name}"


def configuration(simulator: Simulator) -> str:
    patience = "timeout_s = { connect = 2, first_byte = 1, idle = 1 }"
    providers = [
        custom_provider(f"sim-{protocol}", simulator.url + prefix, patience, protocol=protocol)
        for protocol, prefix in PREFIXES.items()
    ]
    once = "[routing]\nsame_credential_retries = 0\n"
    return "\n".join(("[server]\nkeep_alive_s = 5\n", once, *providers, static_key()))
