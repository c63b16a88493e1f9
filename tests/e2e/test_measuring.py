"""What a running gateway's /metrics says of its providers after real requests to them."""

import re
from pathlib import Path

import pytest

from tests.support.gateway import Gateway, Simulator, custom_provider, running_gateway, static_key

MODELS = "".join(f'[[providers.one.models]]\nid = "{name}"\n' for name in ("auto", "fault-500", "fault-403"))


def samples(gateway: Gateway) -> dict[str, float]:
    """Of the provider `one`: name and model → value."""
    found = re.findall(
        r'^llmgateway_(\w+)\{model="([^"]*)",provider="one"\} (\S+)$',
        gateway.get("/metrics").body.decode(),
        re.MULTILINE,
    )
    return {f"{name} {model}": float(value) for name, model, value in found}


def test_figures_and_rests_of_real_requests(simulator: Simulator, tmp_path: Path) -> None:
    configuration = f"{custom_provider('one', simulator.base_url)}\n{MODELS}{static_key()}"
    with running_gateway(tmp_path, configuration=configuration) as gateway:
        assert gateway.chat("one/auto").status == 200
        assert gateway.chat("one/auto", stream=True).status == 200
        assert gateway.chat("one/auto", temperature=9).status == 400
        assert gateway.chat("one/fault-403").status == 502
        assert gateway.chat("one/fault-500").status == 502
        seen = samples(gateway)
    assert seen["uptime_ratio auto"] == 1
    assert seen["recent_attempts auto"] == 2
    assert 0 < seen["recent_time_to_first_token_seconds auto"] < 10
    assert seen["recent_output_tokens_per_second auto"] > 0
    assert seen["uptime_ratio fault-403"] == 1, "a credential's fault is not the offer's"
    attempts = seen["recent_attempts fault-500"]
    assert seen["uptime_ratio fault-500"] == pytest.approx(1 - 10 * attempts / (10 * attempts + 10))
    assert seen["benched_credentials fault-403"] == 1
