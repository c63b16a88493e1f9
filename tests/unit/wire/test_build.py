"""The request to a provider: the caller's own bytes, and each documented change."""

import json
from itertools import combinations_with_replacement
from typing import Any

import msgspec
import pytest

from llmgateway.domain.routing import Deployment, ParameterPolicy
from llmgateway.wire.openai_chat.build import build_request
from llmgateway.wire.openai_chat.request import read_request
from tests.unit.wire.deployments import deployment

MESSAGES = [{"role": "user", "content": "Hello"}]


def built(to: Deployment, **members: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    chat = read_request(json.dumps({"model": "acme/m", "messages": MESSAGES, **members}).encode())
    request, dropped = build_request(chat, to=to)
    return json.loads(request.body), dropped


FIELDS = {
    "temperature": 0.5,
    "top_p": None,
    "max_tokens": 5,
    "stop": ["x"],
    "stream": True,
    "stream_options": {"include_usage": True},
    "tools": [{"type": "function", "function": {"name": "f"}}],
    "tool_choice": "required",
    "response_format": {"type": "json_object"},
    "reasoning_effort": "low",
    "reasoning": {"effort": "low"},
    "web_search": True,
    "routing": "price",
    "free_models_only": True,
    "usage": {"include": True},
    "logit_bias": {"1": 2},
    "user": "u",
    "unheard_of": 1,
}
ROWS: list[dict[str, Any]] = [
    {},
    {"quirks": ("tool_choice_any",)},
    {"lacks": frozenset({"json_object"})},
    {"quirks": ("system_role",)},
    {"quirks": ("no_stream_options",)},
    {"quirks": ("reasoning:object",), "unknown_fields": "pass"},
    {"policy": ParameterPolicy(rename={"max_tokens": "limit"}, drop=("user",), clamp={"temperature": 0.2})},
    {"policy": ParameterPolicy(force={"temperature": "1"})},
]


@pytest.mark.parametrize("row", ROWS, ids=repr)
def test_what_is_sent_without_a_look_is_what_a_look_would_send(row: dict[str, Any]) -> None:
    to = deployment(**row)
    looked = msgspec.structs.replace(to, parameters=msgspec.structs.replace(to.parameters, plain=frozenset()))
    for names in combinations_with_replacement(FIELDS, 2):
        members = {name: FIELDS[name] for name in names}
        if "tool_choice" in members:
            members["tools"] = FIELDS["tools"]
        if "reasoning" in members:
            members.pop("reasoning_effort", None)
        assert built(to, **members) == built(looked, **members), names


def test_the_model_is_the_providers_own_name() -> None:
    assert built(deployment())[0]["model"] == "acme-m-1"


def test_spans_keep_their_order_and_their_bytes() -> None:
    source = b'{ "top_p" : 0.50, "messages":[ {"role":"user","content":"\\u0041"} ],"model":"x", "seed":1 }'
    request, _ = build_request(read_request(source), to=deployment())
    assert request.body == (
        b'{"top_p":0.50,"messages":[ {"role":"user","content":"\\u0041"} ],"model":"acme-m-1","seed":1}'
    )


@pytest.mark.parametrize("name", ["usage", "include_reasoning", "reasoningText", "provider", "transforms", "route"])
def test_what_other_gateways_take_is_consumed(name: str) -> None:
    sent, dropped = built(deployment(unknown_fields="pass"), **{name: True})
    assert name not in sent
    assert dropped == ()


@pytest.mark.parametrize(("unknown_fields", "sent_on"), [("pass", True), ("list", False)])
def test_fields_nobody_knows_go_only_to_rows_that_take_them(unknown_fields: str, sent_on: bool) -> None:
    sent, dropped = built(deployment(unknown_fields=unknown_fields), guided_json={"a": 1}, chat_template_kwargs={})
    assert ("guided_json" in sent) is sent_on
    assert dropped == (() if sent_on else ("guided_json", "chat_template_kwargs"))


def test_streams_ask_for_usage() -> None:
    assert built(deployment(), stream=True)[0]["stream_options"] == {"include_usage": True}
    hushed = built(deployment(), stream=True, stream_options={"include_obfuscation": False})[0]
    assert hushed["stream_options"] == {"include_usage": True, "include_obfuscation": False}
    assert "stream_options" not in built(deployment(quirks=("no_stream_options",)), stream=True)[0]
    assert "stream_options" not in built(deployment(), stream_options={"include_usage": True})[0]


POLICY = ParameterPolicy(
    rename={"max_completion_tokens": "max_tokens"},
    drop=("seed", "stop"),
    clamp={"temperature": 1},
    force={"store": "false"},
)


def test_a_providers_policy_renames_drops_clamps_and_forces() -> None:
    sent, dropped = built(deployment(policy=POLICY), max_completion_tokens=9, seed=1, temperature=1.5, store=True)
    assert (sent["max_tokens"], sent["temperature"], sent["store"]) == (9, 1, False)
    assert "seed" not in sent
    assert set(dropped) == {"seed", "store"}


def test_a_value_below_the_clamp_is_left_alone() -> None:
    assert built(deployment(policy=POLICY), temperature=0.3)[0]["temperature"] == 0.3


def test_only_harmless_parameters_are_ever_left_out() -> None:
    """`stop` changes the answer: a policy that lists it leaves it out of no request."""
    assert built(deployment(policy=POLICY), stop=["x"])[0]["stop"] == ["x"]


def test_models_without_temperature_are_spared_all_sampling_but_its_defaults() -> None:
    to = deployment(lacks=frozenset(("temperature",)))
    sent, dropped = built(to, temperature=0.5, top_p=0.9, presence_penalty=1)
    assert sent.keys() == {"model", "messages"}
    assert set(dropped) == {"temperature", "top_p", "presence_penalty"}
    sent, dropped = built(to, temperature=1, top_p=1.0, presence_penalty=0)
    assert (sent["temperature"], sent["top_p"], sent["presence_penalty"], dropped) == (1, 1, 0, ())


def test_fields_of_a_vendors_own_are_sent_on_to_it() -> None:
    sent, dropped = built(deployment(policy=ParameterPolicy(takes=("search_mode",))), search_mode="web", other=1)
    assert (sent["search_mode"], dropped) == ("web", ("other",))


@pytest.mark.parametrize("role", ["system", "developer", "user"])
def test_a_message_without_content_says_nothing(role: str) -> None:
    messages = [{"role": role}, {"role": role, "content": None}]
    assert [message["content"] for message in built(deployment(), messages=messages)[0]["messages"]] == ["", ""]


def test_an_assistant_message_without_content_stays_so() -> None:
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    messages = [*MESSAGES, {"role": "assistant", "tool_calls": [call]}]
    assert built(deployment(), messages=messages)[0]["messages"] == messages


def test_a_web_search_tool_becomes_the_option_of_this_protocol() -> None:
    search = {"type": "web_search", "search_context_size": "low", "max_uses": 3, "user_location": {"city": "Paris"}}
    function = {"type": "function", "function": {"name": "f"}}
    sent, dropped = built(deployment(), tools=[function, search])
    assert sent["tools"] == [function]
    assert sent["web_search_options"] == {
        "search_context_size": "low",
        "user_location": {"type": "approximate", "approximate": {"city": "Paris"}},
    }
    assert dropped == ("tools[1].max_uses",)


def test_reasoning_is_told_in_the_words_of_the_row() -> None:
    reasoning = {"effort": "high", "summary": "auto"}
    sent, dropped = built(deployment(), reasoning=reasoning)
    assert (sent["reasoning_effort"], "reasoning" in sent, dropped) == ("high", False, ("reasoning.summary",))
    sent, dropped = built(deployment(quirks=("reasoning_object",)), reasoning=reasoning)
    assert (sent["reasoning"], dropped) == (reasoning, ())


def test_earlier_reasoning_goes_only_where_it_is_taken() -> None:
    messages = [*MESSAGES, {"role": "assistant", "content": "a", "reasoning": "why"}, *MESSAGES]
    sent, dropped = built(deployment(), messages=messages)
    assert "reasoning" not in sent["messages"][1]
    assert dropped == ("messages[].reasoning",)
    sent, dropped = built(deployment(quirks=("replay:reasoning_content",)), messages=messages)
    assert sent["messages"][1] == {"role": "assistant", "content": "a", "reasoning_content": "why"}
    assert dropped == ()
    assert built(deployment(unknown_fields="pass"), messages=messages)[0]["messages"] == messages
