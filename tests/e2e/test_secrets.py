"""Canaries (keys of a provider, of the gateway) are found nowhere: at level debug, with x-debug, in every failure."""

import json
import subprocess
from collections.abc import Iterator

import pytest

from tests.support.gateway import (
    HELLO,
    Gateway,
    Simulator,
    command,
    custom_provider,
    environment,
    running_gateway,
    wait_until,
)
from tests.support.http_client import CHAT, request

PROVIDER_CANARY = "sk-proj-Qz7vN2LwProviderCanaryXk4T9bHs8mRd"
GATEWAY_CANARY = "llmgw_Yt3GatewayCanaryWp6JfC1uEo0aVi5nKx7Ls"
WRONG_CANARY = "sk-Wm8NobodysCanaryBv2RcQ5zTg7yLh"
ENVIRONMENT_CANARY = "sk-Ud4EnvironmentCanaryPk9XoZ3eMj6w"
CANARIES = {
    "the provider's key": b"ProviderCanary",
    "the gateway's key": b"GatewayCanary",
    "a wrong key": b"NobodysCanary",
    "a key from the environment": b"EnvironmentCanary",
}
FAULTS = (
    "key-echo", "key-echo-400", "key-echo-500", "key-echo-event", "401", "403", "400", "500", "error-event",
    "malformed-json", "html-502", "cut", "reset", "stall-headers", "empty-body", "gzip",
)  # fmt: skip
DEBUG = {"x-debug": "true", "authorization": f"Bearer {GATEWAY_CANARY}"}


class Evidence:
    """Everything a gateway let out: answers, output, files."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self.answers: dict[str, bytes] = {}

    def chat(self, name: str, model: str, **fields: object) -> None:
        answer = self.gateway.chat(model, headers=DEBUG, **fields)
        self.answers[name] = json.dumps(answer.headers).encode() + answer.body

    def ask(self, name: str, method: str, path: str, *, headers: dict[str, str], body: bytes | None = None) -> None:
        answer = request(self.gateway.port, method, path, headers={"x-debug": "true", **headers}, body=body)
        self.answers[name] = json.dumps(answer.headers).encode() + answer.body

    def files(self) -> dict[str, bytes]:
        kept = {str(path): path.read_bytes() for path in self.gateway.data.rglob("*") if path.is_file()}
        return {**kept, "output": self.gateway.written().encode()}


@pytest.fixture(scope="module")
def evidence(simulator: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Evidence]:
    configuration = "\n".join(
        (
            '[server]\nlog_level = "debug"\n',
            custom_provider(
                "sim", simulator.base_url, "timeout_s = { first_byte = 0.5, idle = 0.5 }", key="env:PROVIDER_CANARY"
            ),
            '[[keys]]\nname = "canary"\nkey = "env:GATEWAY_CANARY"\n',
        )
    )
    variables = {
        "PROVIDER_CANARY": PROVIDER_CANARY,
        "GATEWAY_CANARY": GATEWAY_CANARY,
        "GROQ_API_KEY": ENVIRONMENT_CANARY,
        "MISTRAL_API_KEY": GATEWAY_CANARY,  # a gateway's key in a provider's variable is warned about
    }
    place = tmp_path_factory.mktemp("canaries")
    with running_gateway(place, configuration=configuration, variables=variables) as gateway:
        evidence = Evidence(gateway)
        gather(evidence)
        yield evidence


def gather(evidence: Evidence) -> None:
    """Asks for everything that could carry a key out."""
    for fault in FAULTS:
        for streamed in (False, True):
            evidence.chat(f"{fault}-{streamed}", f"sim/fault-{fault}", stream=streamed)
    evidence.chat("healthy", "sim/auto")
    evidence.chat("healthy-streamed", "sim/auto", stream=True)
    evidence.chat("unknown-model", "no-such-model")
    evidence.chat("invalid", "sim/auto", temperature=9)
    body = json.dumps({"model": "sim/auto", "messages": HELLO}).encode()
    key = {"authorization": f"Bearer {GATEWAY_CANARY}"}
    wrong = {"authorization": f"Bearer {WRONG_CANARY}"}
    for name, headers in {
        "wrong-key": wrong,
        "basic": {"authorization": f"Basic {WRONG_CANARY}"},
        "two-that-disagree": {**key, "x-api-key": WRONG_CANARY},
        "as-request-id": {**key, "x-request-id": f"{WRONG_CANARY} in it"},
        "wrong-media": {**key, "content-type": "text/plain"},
    }.items():
        evidence.ask(name, "POST", CHAT, headers={"content-type": "application/json", **headers}, body=body)
    evidence.ask("in-the-query", "GET", f"/v1/models?key={WRONG_CANARY}", headers={})
    for path in ("/v1/models", "/v1/models?available=true", "/v1/key", "/metrics", "/readyz", "/openapi.json"):
        evidence.ask(path, "GET", path, headers=key)
    evidence.ask("a-page-with-a-wrong-key", "GET", "/v1/key", headers=wrong)
    evidence.ask("no-such-page", "GET", "/v1/nothing", headers=key)
    subprocess.run(["kill", "-HUP", str(evidence.gateway.pid)], check=True)
    wait_until(lambda: "configuration reloaded" in evidence.gateway.written(), what="a reload")


@pytest.mark.parametrize("canary", CANARIES)
def test_no_answer_carries(evidence: Evidence, canary: str) -> None:
    assert [name for name, seen in evidence.answers.items() if CANARIES[canary] in seen] == []


@pytest.mark.parametrize("canary", CANARIES)
def test_no_file_and_no_log_line_carries(evidence: Evidence, canary: str) -> None:
    """Journal segments, SQLite with its write-ahead log, standard output and error."""
    seen = evidence.files()
    assert any(".jsonl" in name for name in seen)
    assert [name for name, content in seen.items() if CANARIES[canary] in content] == []


def test_the_canaries_were_really_used(evidence: Evidence) -> None:
    """Else finding nothing would prove nothing."""
    assert b'"finish_reason":"stop"' in evidence.answers["healthy"]
    for name in ("key-echo-400-False", "key-echo-400-True", "key-echo-event-True"):
        assert b"[redacted]" in evidence.answers[name]
    assert b"invalid_api_key" in evidence.answers["wrong-key"]
    assert "groq" in evidence.gateway.written()


def test_the_words_of_a_provider_that_rejects_our_key_are_never_relayed(evidence: Evidence) -> None:
    for name in ("key-echo-False", "key-echo-True", "401-False", "403-True"):
        told = b"rejected the gateway's credential", b"does not let the gateway's credential use this model"
        assert any(words in evidence.answers[name] for words in told)
        assert b"Incorrect API key" not in evidence.answers[name]


def test_a_stored_key_is_kept_as_a_digest_only(evidence: Evidence) -> None:
    line = command("keys", "create", "stored", "--data-dir", evidence.gateway.data, "--json")
    created = subprocess.run(line, env=environment(), capture_output=True, check=True).stdout
    secret = json.loads(created)["key"].encode()
    assert evidence.gateway.get("/v1/key", key=GATEWAY_CANARY).status == 200
    assert [name for name, content in evidence.files().items() if secret in content] == []
    assert secret not in evidence.gateway.get("/v1/models", key=GATEWAY_CANARY).body
