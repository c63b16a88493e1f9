"""What `free_models_only` and `no_reasoning` leave of the choices of `auto`, and what is then sent."""

from typing import Any

import msgspec
import pytest

from llmgateway.catalog.lookup import load
from llmgateway.domain import errors
from llmgateway.domain.routing import Credential
from llmgateway.domain.usage import Price, PriceTier
from llmgateway.engine.auto import can_rest, without_filters
from llmgateway.engine.snapshot import Snapshot
from llmgateway.wire.openai_chat.request import read_request
from llmgateway.wire.protocols import PROTOCOLS
from tests.support.fakes import TODAY, offer, planned, provider, request_body, snapshot
from tests.unit.engine.auto_cases import (
    CHEAP,
    FREE,
    MIDDLE,
    REASONS,
    chosen,
    listing,
    model,
    plan,
    refusal,
)


def test_free_models_only_leaves_out_what_costs_anything() -> None:
    per_request = Price(input=0, output=0, request=1)
    above = Price(input=0, output=0, tiers=(PriceTier(above_tokens=1000, input=1, output=1),))
    costly = [model("a", CHEAP), model("b", per_request), model("c", above), model("d", None)]
    assert chosen(listing(*costly, model("free", FREE)), free_models_only=True) == "acme/free"
    error = refusal(listing(*costly), errors.UNSUPPORTED_PARAMETER, free_models_only=True)
    assert error.param == "free_models_only"


def test_of_a_free_model_only_the_free_offers_are_tried() -> None:
    of = listing(model("a", FREE), model("a", CHEAP, at="b"))
    assert [to.used_model for to in plan(of, free_models_only=True).deployments] == ["acme/a"]


def test_no_reasoning_leaves_out_models_that_cannot_stop() -> None:
    rows = [provider(quirks=("reasoning:fixed@always", "reasoning:none_to_high@mayhap")), provider("b")]
    of = listing(model("always", CHEAP, **REASONS), model("mayhap", MIDDLE, **REASONS), providers=rows)
    assert chosen(of) == "acme/always"
    assert chosen(of, no_reasoning=True) == "acme/mayhap"
    always = listing(model("always", CHEAP, **REASONS), providers=rows)
    assert refusal(always, errors.UNSUPPORTED_PARAMETER, no_reasoning=True).param == "no_reasoning"


def test_the_filter_that_removed_the_last_is_named() -> None:
    rows = [provider(quirks=("reasoning:fixed@always",)), provider("b")]
    of = listing(model("paid", CHEAP), model("always", FREE, **REASONS), providers=rows)
    wishes = {"free_models_only": True, "no_reasoning": True}
    assert refusal(of, errors.UNSUPPORTED_PARAMETER, **wishes).param == "no_reasoning"
    assert refusal(listing(model("paid", CHEAP)), errors.UNSUPPORTED_PARAMETER, **wishes).param == "free_models_only"


def resting(name: str, protocol: str, **fields: Any) -> bool:
    row = provider("p", protocol=protocol)
    built = snapshot(
        offer("p", name, upstream=name, **{**REASONS, **fields}), providers=[row], protocols=frozenset(PROTOCOLS)
    )
    route = built.route(name)
    assert route is not None
    return can_rest(route.offers[0].deployments[0])


@pytest.mark.parametrize(
    ("name", "protocol", "rests"),
    [
        ("gemini-2.5-flash", "google", True),
        ("gemini-2.5-pro", "google", False),
        ("gemini-3-pro-preview", "google", False),
        ("claude-sonnet-4-5", "anthropic", True),
        ("claude-fable-5", "anthropic", False),
        ("command-a-reasoning-08-2025", "cohere", True),
        ("openai.gpt-oss-120b-1:0", "bedrock", False),
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "bedrock", True),
        ("nobody-knows-1", "openai-chat", True),
    ],
)
def test_whether_a_model_can_rest_is_the_codecs_knowledge(name: str, protocol: str, rests: bool) -> None:
    assert resting(name, protocol) is rests


@pytest.mark.parametrize(("name", "rests"), [("gpt-5", False), ("gpt-5.4", True), ("o3", False), ("gpt-4.1", True)])
def test_of_openais_models_the_catalogue_knows(name: str, rests: bool) -> None:
    catalog = load()
    built = Snapshot(
        catalog=catalog,
        keys=[],
        credentials=[Credential(provider="openai", secret="s", fingerprint="f")],
        protocols=frozenset(PROTOCOLS),
        instance_id="i",
        today=TODAY,
    )
    route = built.route(f"openai/{name}")
    assert route is not None
    to = route.offers[0].deployments[0]
    assert can_rest(to) is rests
    if to.responses is not None:
        assert can_rest(to.responses) is rests


def sent(of: Snapshot, **fields: Any) -> tuple[dict[str, Any], Any]:
    chat = read_request(request_body(**{"model": "auto", **fields}))
    made = without_filters(chat, planned(chat, snapshot=of))
    return {name: msgspec.json.decode(span) for name, span in made.raw.items()}, made.request


def test_filters_that_had_their_effect_are_not_left_out() -> None:
    raw, request = sent(listing(model("a", FREE)), free_models_only=True, no_reasoning=True, seed=1)
    assert raw.keys() == {"model", "messages", "seed"}
    assert (request.free_models_only, request.no_reasoning, request.model) == (None, None, "auto")


def test_a_model_that_can_reason_is_told_not_to() -> None:
    of = listing(model("a", CHEAP, **REASONS))
    assert sent(of, no_reasoning=True)[0]["reasoning_effort"] == "none"
    assert sent(of, no_reasoning=True)[1].reasoning_effort == "none"
    assert "reasoning_effort" not in sent(of)[0]
    assert sent(of, no_reasoning=True, reasoning_effort="low")[0]["reasoning_effort"] == "low"


@pytest.mark.parametrize("fields", [{"lacks": frozenset({"reasoning"})}, {}])
def test_a_model_that_is_not_known_to_reason_is_told_nothing(fields: dict[str, Any]) -> None:
    assert "reasoning_effort" not in sent(listing(model("a", CHEAP, **fields)), no_reasoning=True)[0]
