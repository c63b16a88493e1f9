"""From a model's name to the deployment that serves it first, or an error that says what to change."""

from datetime import date
from typing import Any

import pytest

from llmgateway.domain import errors
from llmgateway.domain.errors import ErrorKind, GatewayError
from llmgateway.domain.plan import RoutePlan
from llmgateway.domain.routing import Endpoint, ParameterPolicy
from llmgateway.domain.usage import Price
from llmgateway.engine.snapshot import Snapshot
from llmgateway.engine.tokens import estimate_chat
from llmgateway.wire.openai_chat.request import read_request
from tests.support.fakes import TODAY, offer, planned, provider, request_body, snapshot

CHEAP, DEAR = Price(input=1, output=1), Price(input=100, output=100)
HELLO = [{"role": "user", "content": "Hello"}]
IMAGE = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}


def plan(of: Snapshot, **fields: Any) -> RoutePlan:
    return planned(read_request(request_body(**fields)), snapshot=of)


def served_by(of: Snapshot, **fields: Any) -> str:
    return plan(of, **fields).deployments[0].used_model


def refusal(of: Snapshot, kind: ErrorKind, **fields: Any) -> GatewayError:
    with pytest.raises(GatewayError) as raised:
        plan(of, **fields)
    assert raised.value.kind is kind, raised.value.message
    return raised.value


# Who serves


def test_a_bare_name_goes_to_the_cheapest_provider() -> None:
    of = snapshot(offer("dear", price=DEAR), offer("cheap", price=CHEAP))
    assert served_by(of) == "cheap/gpt-x"
    assert plan(of).requested_provider is None


def test_price_is_three_parts_input_and_one_part_output() -> None:
    of = snapshot(offer("a", price=Price(input=10, output=100)), offer("b", price=Price(input=40, output=1)))
    assert served_by(of) == "b/gpt-x"


def test_an_unknown_price_counts_as_the_dearest() -> None:
    assert served_by(snapshot(offer("unknown", price=None), offer("dear", price=DEAR))) == "dear/gpt-x"


def test_of_equal_prices_the_higher_priority_goes_first() -> None:
    of = snapshot(offer("reseller"), offer("maker"), providers=[provider("reseller", priority=0.5), provider("maker")])
    assert served_by(of) == "maker/gpt-x"


def test_a_pin_goes_to_its_provider_whatever_it_costs() -> None:
    of = snapshot(offer("dear", price=DEAR), offer("cheap", price=CHEAP))
    assert served_by(of, model="dear/gpt-x") == "dear/gpt-x"
    assert plan(of, model="dear/gpt-x").requested_provider == "dear"


def test_a_pin_never_leaves_its_provider() -> None:
    of = snapshot(offer("a", lacks=frozenset({"tools"})), offer("b"))
    refusal(of, errors.UNSUPPORTED_PARAMETER, model="a/gpt-x", tools=[{"type": "function", "function": {"name": "f"}}])


def test_a_pinned_region_is_in_the_address_and_in_the_name() -> None:
    of = snapshot(offer(regions=("eu",)), providers=[provider(base_url="https://{region}.acme.example/v1")])
    (deployment,) = plan(of, model="acme/gpt-x:eu").deployments
    assert deployment.used_model == "acme/gpt-x:eu"
    assert (deployment.region, deployment.origin.host) == ("eu", "eu.acme.example")


def test_without_a_credential_the_next_cheapest_serves_and_the_reason_is_kept() -> None:
    of = snapshot(offer("cheap", price=CHEAP), offer("dear", price=DEAR), credentials=["dear"])
    assert served_by(of) == "dear/gpt-x"
    assert [(one.provider, one.reason) for one in plan(of).excluded] == [("cheap", "no_credential")]


@pytest.mark.parametrize("fields", [{"priority": 0.0}, {"deactivated": TODAY}, {"protocol": "anthropic"}])
def test_disabled_retired_and_unspoken_offers_are_left_out(fields: dict[str, Any]) -> None:
    assert served_by(snapshot(offer("cheap", price=CHEAP, **fields), offer("dear", price=DEAR))) == "dear/gpt-x"


def test_an_offer_serves_until_the_day_of_its_deactivation() -> None:
    assert served_by(snapshot(offer(deactivated=date(2030, 1, 2)))) == "acme/gpt-x"


def test_a_deprecated_offer_still_serves() -> None:
    assert served_by(snapshot(offer(deprecated=date(2029, 1, 1)))) == "acme/gpt-x"


# What a request asks for

ASKING: list[tuple[str, dict[str, Any], str]] = [
    ("tools", {"tools": [{"type": "function", "function": {"name": "f"}}]}, "tools"),
    ("tools", {"functions": [{"name": "f"}]}, "functions"),
    ("vision", {"messages": [{"role": "user", "content": [IMAGE]}]}, "messages[0].content[0].type"),
    ("n", {"n": 2}, "n"),
    ("stop", {"stop": ["x"]}, "stop"),
    ("logprobs", {"logprobs": True}, "logprobs"),
    ("logit_bias", {"logit_bias": {"1": 1}}, "logit_bias"),
    ("parallel_tool_calls", {"parallel_tool_calls": False}, "parallel_tool_calls"),
    ("reasoning", {"reasoning_effort": "low"}, "reasoning_effort"),
    ("audio_output", {"modalities": ["text", "audio"]}, "modalities"),
    ("web_search", {"web_search": True}, "web_search"),
    ("streaming", {"stream": True}, "stream"),
]


@pytest.mark.parametrize(("capability", "fields", "param"), ASKING, ids=[param for _, _, param in ASKING])
def test_a_capability_that_is_lacking_moves_the_request_on_and_at_last_refuses_it(
    capability: str, fields: dict[str, Any], param: str
) -> None:
    lacking = offer("cheap", price=CHEAP, lacks=frozenset({capability}))
    assert served_by(snapshot(lacking, offer("dear", price=DEAR)), **fields) == "dear/gpt-x"
    error = refusal(snapshot(lacking), errors.UNSUPPORTED_PARAMETER, **fields)
    assert error.param == param
    assert param in error.message


@pytest.mark.parametrize("refused", ["logit_bias", "n", "stop", "tools", "response_format"])
def test_a_providers_policy_can_refuse_a_field_by_name(refused: str) -> None:
    fields = {
        "logit_bias": {"1": 1},
        "n": 2,
        "stop": "x",
        "tools": [{"type": "function", "function": {"name": "f"}}],
        "response_format": {"type": "json_object"},
    }
    of = snapshot(providers=[provider(parameters=ParameterPolicy(refuse=(refused,)))])
    error = refusal(of, errors.UNSUPPORTED_PARAMETER, **{refused: fields[refused]})
    assert error.param is not None
    assert error.param.partition(".")[0] == refused


def test_refusing_tools_refuses_the_old_functions_too() -> None:
    of = snapshot(providers=[provider(parameters=ParameterPolicy(refuse=("tools",)))])
    assert refusal(of, errors.UNSUPPORTED_PARAMETER, functions=[{"name": "f"}]).param == "functions"


def test_what_nobody_knows_of_an_offer_excludes_nothing() -> None:
    for _, fields, _ in ASKING:
        assert served_by(snapshot(), **fields) == "acme/gpt-x"


def test_a_reasoning_budget_that_the_protocol_cannot_say_is_refused_not_dropped() -> None:
    fields = {"reasoning": {"max_tokens": 2000}}
    assert refusal(snapshot(), errors.UNSUPPORTED_PARAMETER, **fields).param == "reasoning.max_tokens"
    saying = snapshot(providers=[provider(quirks=("reasoning_object",))])
    assert served_by(saying, **fields) == "acme/gpt-x"


FOREIGN: list[tuple[dict[str, Any], str]] = [
    ({"messages": [{"role": "user", "content": [{"type": "hologram"}]}]}, "messages[0].content[0].type"),
    ({"tools": [{"type": "teleport"}]}, "tools[0].type"),
]


@pytest.mark.parametrize(("fields", "param"), FOREIGN, ids=[param for _, param in FOREIGN])
def test_foreign_types_go_only_to_rows_that_take_anything(fields: dict[str, Any], param: str) -> None:
    assert refusal(snapshot(), errors.UNSUPPORTED_PARAMETER, **fields).param == param
    assert served_by(snapshot(providers=[provider(unknown_fields="pass")]), **fields) == "acme/gpt-x"


@pytest.mark.parametrize("name", ["effort", "image_config"])
def test_fields_of_few_models_are_refused_elsewhere(name: str) -> None:
    fields: dict[str, Any] = {"effort": "low", "image_config": {"n": 1}}
    assert refusal(snapshot(), errors.UNSUPPORTED_PARAMETER, **{name: fields[name]}).param == name
    assert served_by(snapshot(providers=[provider(quirks=(name,))]), **{name: fields[name]}) == "acme/gpt-x"


def test_a_service_tier_is_refused_where_there_is_none_but_auto_is_harmless() -> None:
    of = snapshot(providers=[provider(parameters=ParameterPolicy(drop=("service_tier",)))])
    assert refusal(of, errors.UNSUPPORTED_PARAMETER, service_tier="flex").param == "service_tier"
    assert served_by(of, service_tier="auto") == "acme/gpt-x"
    assert served_by(snapshot(), service_tier="flex") == "acme/gpt-x"


def test_a_tier_that_the_protocol_does_not_know_is_refused() -> None:
    of = snapshot(providers=[provider(protocol="anthropic")], protocols=frozenset({"anthropic"}))
    assert refusal(of, errors.UNSUPPORTED_PARAMETER, service_tier="flex").param == "service_tier"
    assert served_by(of, service_tier="auto") == "acme/gpt-x"


def test_top_logprobs_of_zero_ask_for_nothing() -> None:
    of = snapshot(providers=[provider(parameters=ParameterPolicy(refuse=("top_logprobs",)))])
    assert refusal(of, errors.UNSUPPORTED_PARAMETER, logprobs=True, top_logprobs=2).param == "top_logprobs"
    assert served_by(of, logprobs=True, top_logprobs=0) == "acme/gpt-x"


# OpenAI's two protocols

SUMMARY: dict[str, Any] = {"reasoning": {"summary": "auto"}}
ENCRYPTED: list[dict[str, Any]] = [
    {"role": "user", "content": "Hi"},
    {
        "role": "assistant",
        "content": "Hello",
        "reasoning_details": [{"type": "reasoning.encrypted", "data": "x", "format": "openai-responses-v1"}],
    },
    {"role": "user", "content": "Go on"},
]


def both(**fields: Any) -> Snapshot:
    row = provider(endpoints=(Endpoint(protocol="openai-responses"),), lacks=("web_search",), **fields)
    return snapshot(providers=[row], protocols=frozenset({"openai-chat", "openai-responses"}))


def spoken(of: Snapshot, **fields: Any) -> str:
    (deployment,) = plan(of, **fields).deployments
    return deployment.protocol


@pytest.mark.parametrize("fields", [{}, {"reasoning_effort": "low"}, {"stop": "x"}, {"reasoning": {"effort": "low"}}])
def test_chat_is_spoken_where_both_would_do(fields: dict[str, Any]) -> None:
    assert spoken(both(), **fields) == "openai-chat"


@pytest.mark.parametrize(
    "fields",
    [SUMMARY, {"messages": ENCRYPTED}, {"web_search": True}, {"tools": [{"type": "web_search"}]}],
    ids=["summary", "encrypted reasoning", "web search", "web search tool"],
)
def test_responses_are_spoken_for_what_only_they_give(fields: dict[str, Any]) -> None:
    assert spoken(both(), **fields) == "openai-responses"
    of = snapshot(providers=[provider()])
    if "reasoning" in fields or "messages" in fields:
        assert spoken(of, **fields) == "openai-chat"


def test_a_model_that_searches_by_itself_is_asked_by_chat() -> None:
    row = provider(endpoints=(Endpoint(protocol="openai-responses"),), lacks=("web_search",))
    of = snapshot(
        offer(has=frozenset({"web_search"})),
        providers=[row],
        protocols=frozenset({"openai-chat", "openai-responses"}),
    )
    assert spoken(of, web_search_options={}) == "openai-chat"


@pytest.mark.parametrize(
    ("fields", "param"),
    [({"stop": "x"}, "stop"), ({"n": 2}, "n"), ({"seed": 1}, "seed"), ({"logit_bias": {"1": 1}}, "logit_bias")],
)
def test_what_needs_both_protocols_is_a_400_that_names_both(fields: dict[str, Any], param: str) -> None:
    error = refusal(both(), errors.UNSUPPORTED_PARAMETER, **SUMMARY, **fields)
    assert error.param == param
    assert f"'{param}'" in error.message
    assert "'reasoning.summary'" in error.message


# Limits


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
def test_more_output_than_any_offer_has_is_refused_with_the_largest_maximum(name: str) -> None:
    of = snapshot(offer("a", max_output=8192, price=CHEAP), offer("b", max_output=4096, price=DEAR))
    error = refusal(of, errors.INVALID_VALUE, **{name: 8193})
    assert error.param == name
    assert "8192" in error.message


def test_more_output_than_the_cheapest_has_goes_to_one_that_has_it() -> None:
    of = snapshot(offer("a", max_output=4096, price=CHEAP), offer("b", max_output=8192, price=DEAR))
    assert served_by(of, max_tokens=8192) == "b/gpt-x"


def test_the_newer_name_of_the_output_limit_is_the_one_that_counts() -> None:
    assert served_by(snapshot(offer(max_output=100)), max_tokens=1000, max_completion_tokens=100) == "acme/gpt-x"


def test_offers_without_figures_are_never_checked() -> None:
    assert served_by(snapshot(), max_tokens=10_000_000, messages=[{"role": "user", "content": "x" * 100_000}])


def test_a_prompt_is_too_long_only_when_four_fifths_of_the_estimate_are() -> None:
    messages = [{"role": "user", "content": " word" * 1130}]
    assert estimate_chat(read_request(request_body(messages=messages)), mapping=offer()) == 1250
    assert served_by(snapshot(offer(context=1000)), messages=messages) == "acme/gpt-x"
    error = refusal(snapshot(offer(context=999)), errors.CONTEXT_LENGTH, messages=messages)
    assert error.param == "messages"
    assert "999" in error.message


def test_of_several_contexts_the_largest_is_told() -> None:
    of = snapshot(offer("a", context=900, price=CHEAP), offer("b", context=500, price=DEAR))
    assert "900" in refusal(of, errors.CONTEXT_LENGTH, messages=[{"role": "user", "content": "x" * 9000}]).message


def test_the_error_is_of_what_removed_the_last_offer() -> None:
    tools = [{"type": "function", "function": {"name": "f"}}]
    long = [{"role": "user", "content": "x" * 9000}]
    lacking: dict[str, Any] = {"lacks": frozenset({"tools"})}
    short: dict[str, Any] = {"context": 500}
    first = snapshot(offer("a", price=CHEAP, **lacking), offer("b", price=DEAR, **short))
    refusal(first, errors.CONTEXT_LENGTH, tools=tools, messages=long)
    second = snapshot(offer("a", price=CHEAP, **short), offer("b", price=DEAR, **lacking))
    assert refusal(second, errors.UNSUPPORTED_PARAMETER, tools=tools, messages=long).param == "tools"


def test_every_excluded_offer_is_kept_with_its_reason() -> None:
    of = snapshot(
        offer("a", price=CHEAP, max_output=10), offer("b", price=CHEAP, lacks=frozenset({"n"})), offer("c", price=DEAR)
    )
    reasons = {one.provider: (one.reason, one.param) for one in plan(of, n=2, max_tokens=20).excluded}
    assert reasons == {"a": ("max_output:10", "max_tokens"), "b": ("capability:n", "n")}


# Names that lead nowhere


def test_an_unknown_model_is_told_its_neighbours() -> None:
    error = refusal(snapshot(offer(model="gpt-4o")), errors.MODEL_NOT_FOUND, model="gpt-4")
    assert error.param == "model"
    assert "gpt-4o" in error.message


def test_an_endless_name_is_cut_in_the_message() -> None:
    assert len(refusal(snapshot(), errors.MODEL_NOT_FOUND, model="x" * 1024).message) < 300


def test_a_model_whose_offers_are_all_retired_is_gone() -> None:
    of = snapshot(offer("a", deactivated=TODAY), offer("b", deactivated=date(2020, 1, 1)))
    assert refusal(of, errors.MODEL_DEACTIVATED).status == 410


def test_a_protocol_that_is_not_spoken_is_named() -> None:
    assert "anthropic" in refusal(snapshot(offer(protocol="anthropic")), errors.NO_PROVIDER).message


def test_without_any_credential_the_variables_to_set_are_named() -> None:
    message = refusal(snapshot(offer("acme"), offer("other"), credentials=[]), errors.NO_PROVIDER).message
    assert "ACME_API_KEY" in message
    assert "OTHER_API_KEY" in message


def test_a_provider_without_a_variable_is_configured_in_the_file() -> None:
    of = snapshot(providers=[provider(env=())], credentials=[])
    assert "llmgateway.toml" in refusal(of, errors.NO_PROVIDER).message


@pytest.mark.parametrize(
    "fields",
    [
        {"routing": "auto"},
        {"models": ["gpt-x"]},
        {"free_models_only": True},
        {"no_reasoning": True},
        {"onboarding": True},
        {"plugins": [{"id": "response-healing"}]},
    ],
)
def test_what_has_no_effect_yet_is_accepted(fields: dict[str, Any]) -> None:
    assert served_by(snapshot(), **fields) == "acme/gpt-x"
