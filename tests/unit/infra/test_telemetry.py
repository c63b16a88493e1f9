"""The page for Prometheus: routing's figures per provider and model, and who rests, without a credential's name."""

import re

from llmgateway.domain import errors
from llmgateway.engine.meters import Meters
from llmgateway.infra.telemetry import renderer
from tests.unit.engine.health_cases import A1, A2, B1, Case


def page(case: Case) -> dict[str, float]:
    """Sample with its labels → value."""
    text = renderer(Meters(), gauges=dict, health=case.health)().decode()
    return {name: float(value) for name, value in re.findall(r"^(llmgateway_\S+) (\S+)$", text, re.MULTILINE)}


def test_figures_are_shown_per_provider_and_model() -> None:
    case = Case()
    case.win(A1)
    case.lose(B1)
    samples = page(case)
    a, b = '{model="a",provider="acme"}', '{model="b",provider="acme"}'
    assert samples[f"llmgateway_uptime_ratio{a}"] == 1
    assert samples[f"llmgateway_uptime_ratio{b}"] == 0.5
    assert samples[f"llmgateway_recent_time_to_first_token_seconds{a}"] == 0.1
    assert samples[f"llmgateway_recent_output_tokens_per_second{a}"] == 10
    assert samples[f"llmgateway_recent_attempts{a}"] == samples[f"llmgateway_recent_attempts{b}"] == 1


def test_who_rests_is_counted() -> None:
    case = Case()
    case.lose(A1, errors.UPSTREAM_AUTH)
    case.lose(A2, errors.UPSTREAM_AUTH)
    case.lose(B1, errors.UPSTREAM_FORBIDDEN)
    samples = page(case)
    assert samples['llmgateway_benched_credentials{model="",provider="acme"}'] == 2
    assert samples['llmgateway_benched_credentials{model="b",provider="acme"}'] == 1
    assert not any(name.startswith("llmgateway_benched_offers") for name in samples)
    case.wait(600)
    assert not any(name.startswith("llmgateway_benched") for name in page(case))


def test_an_offer_that_rests_is_shown() -> None:
    case = Case()
    for key in (A1, A2, A1):
        case.lose(key)
    assert page(case)['llmgateway_benched_offers{model="a",provider="acme"}'] == 1


def test_no_credential_is_named() -> None:
    case = Case()
    case.lose(A1, errors.UPSTREAM_AUTH)
    text = renderer(Meters(), gauges=dict, health=case.health)().decode()
    assert A1.credential.fingerprint not in text
    assert A1.credential.secret not in text


def test_a_page_without_health_has_the_counters_alone() -> None:
    text = renderer(Meters(), gauges=lambda: {"sink_lag_bytes": 7})().decode()
    assert "llmgateway_sink_lag_bytes 7.0" in text
    assert "llmgateway_uptime_ratio" not in text
