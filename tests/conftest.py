"""What every test stands on: nothing but loopback is reachable, and no provider key of this machine is seen."""

import os

import pytest

_PROVIDER_SECRETS = ("_API_KEY", "_API_TOKEN", "_ACCESS_KEY_ID", "_SECRET_ACCESS_KEY", "_BEARER_TOKEN_BEDROCK")


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer's provider keys and gateway settings change no test, and no test can spend their money."""
    for name in tuple(os.environ):
        if name.startswith("LLMGATEWAY_") or name.endswith(_PROVIDER_SECRETS):
            monkeypatch.delenv(name)
