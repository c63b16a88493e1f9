"""The parameters of a request: what has a word in this protocol, what is put otherwise, and what is left out."""

import json
from typing import Any

import pytest

from llmgateway.domain.routing import ParameterPolicy
from tests.unit.wire.deployments import deployment
from tests.unit.wire.openai_responses.asking import CODEC, HELLO, built, chat, sent

SCHEMA = {"type": "object", "properties": {"z": {"type": "string"}, "a": {"type": "integer"}}, "required": ["z", "a"]}


def of_mapping(asked: dict[str, Any], **mapping: frozenset[str]) -> dict[str, Any]:
    """The body for a mapping that has, or lacks, something."""
    to = deployment()
    to = type(to)(
        **{**{name: getattr(to, name) for name in to.__struct_fields__}, "mapping": _with(to.mapping, mapping)}
    )
    return json.loads(CODEC.build(chat(**asked), to=to)[0].body)


def _with(mapping: Any, members: dict[str, frozenset[str]]) -> Any:
    return type(mapping)(**{**{name: getattr(mapping, name) for name in mapping.__struct_fields__}, **members})


def test_a_plain_question() -> None:
    assert sent() == {"model": "acme-m-1", "input": HELLO, "store": False}


def test_a_stream_has_a_head_of_its_own() -> None:
    to = deployment()
    request, _ = CODEC.build(chat(stream=True, stream_options={"include_usage": True}), to=to)
    assert (request.head, json.loads(request.body)["stream"]) == (to.head_stream, True)
    assert "stream_options" not in json.loads(request.body)
    assert "stream" not in sent()
    hushed = sent(stream=True, stream_options={"include_obfuscation": False})
    assert hushed["stream_options"] == {"include_obfuscation": False}


SAME = {
    "temperature": 0.5,
    "top_p": 0.9,
    "user": "u",
    "metadata": {"b": "1", "a": "2"},
    "store": True,
    "service_tier": "flex",
    "safety_identifier": "s",
    "prompt_cache_key": "k",
    "prompt_cache_retention": "24h",
    "parallel_tool_calls": False,
}


@pytest.mark.parametrize("name", SAME)
def test_what_has_the_same_name_is_sent_as_it_is(name: str) -> None:
    assert sent(**{name: SAME[name]})[name] == SAME[name]


def test_the_limit_of_tokens_has_one_name() -> None:
    assert sent(max_tokens=9)["max_output_tokens"] == 9
    assert sent(max_tokens=9, max_completion_tokens=20)["max_output_tokens"] == 20


def test_structured_answers() -> None:
    assert sent(response_format={"type": "json_object"})["text"] == {"format": {"type": "json_object"}}
    named = {"name": "n", "description": "d", "schema": SCHEMA, "strict": True}
    body = sent(response_format={"type": "json_schema", "json_schema": named})
    assert body["text"] == {"format": {"type": "json_schema", **named}}
    assert json.dumps(body["text"]["format"]["schema"]) == json.dumps(SCHEMA), "key order is kept"


def test_verbosity_stands_beside_the_format() -> None:
    body = sent(verbosity="low", response_format={"type": "text"})
    assert body["text"] == {"format": {"type": "text"}, "verbosity": "low"}


def test_token_probabilities_are_included() -> None:
    body = sent(logprobs=True, top_logprobs=3)
    assert (body["include"], body["top_logprobs"]) == (["message.output_text.logprobs"], 3)


def test_reasoning_is_asked_for_with_a_summary_and_encrypted() -> None:
    for body in (sent(reasoning_effort="low"), sent(reasoning={"effort": "low"})):
        assert body["reasoning"] == {"effort": "low", "summary": "auto"}
        assert body["include"] == ["reasoning.encrypted_content"]


def test_a_summary_is_asked_for_as_the_caller_says() -> None:
    assert sent(reasoning={"effort": "low", "summary": "detailed"})["reasoning"]["summary"] == "detailed"
    assert sent(reasoning={"summary": "concise"})["reasoning"] == {"summary": "concise"}
    assert "summary" not in sent(reasoning={"effort": "low", "exclude": True})["reasoning"]
    assert "summary" not in sent(reasoning_effort="low", include_reasoning=False)["reasoning"]
    assert sent(reasoning_effort="none")["reasoning"] == {"effort": "none"}
    assert "reasoning" not in sent(reasoning={"exclude": True})


def test_a_row_may_have_no_summaries() -> None:
    body, dropped = built(row={"quirks": ("no_reasoning_summary",)}, reasoning={"effort": "low", "summary": "auto"})
    assert (body["reasoning"], dropped) == ({"effort": "low"}, ("reasoning.summary",))


def test_encrypted_reasoning_is_asked_only_of_models_that_may_reason() -> None:
    """Others answer 400: `Encrypted content is not supported with this model.`"""
    reasons, does_not = frozenset(("reasoning",)), frozenset(("reasoning",))
    assert of_mapping({}, has=reasons)["include"] == ["reasoning.encrypted_content"]
    assert "include" not in of_mapping({})
    assert "include" not in of_mapping({"reasoning_effort": "none"}, lacks=does_not)
    assert "reasoning" not in of_mapping({"reasoning_effort": "none"}, lacks=does_not)


def test_a_replayed_item_asks_for_the_next_one_of_a_model_that_may_reason() -> None:
    detail = {"type": "reasoning.encrypted", "data": "gAAA", "id": "rs_1", "format": "openai-responses-v1"}
    said = {"role": "assistant", "content": "42", "reasoning_details": [detail]}
    assert sent(said)["include"] == ["reasoning.encrypted_content"]
    body = of_mapping({"messages": [said]}, lacks=frozenset(("reasoning",)))
    assert body == {"model": "acme-m-1", "input": [{"role": "assistant", "content": "42"}], "store": False}


LOST = {
    "top_k": 5,
    "min_p": 0.1,
    "frequency_penalty": 1.0,
    "presence_penalty": 1.0,
    "repetition_penalty": 1.1,
    "seed": 7,
    "prediction": {"type": "content", "content": "x"},
    "sensitive_word_check": {"status": "DISABLE"},
    "free_models_only": True,
    "no_reasoning": True,
}


@pytest.mark.parametrize("name", LOST)
def test_what_has_no_word_is_listed(name: str) -> None:
    body, dropped = built(**{name: LOST[name]})
    assert (body, dropped) == (sent(), (name,))


NOTHING = {
    "n": 1,
    "stop": [],
    "logit_bias": {},
    "modalities": ["text"],
    "free_models_only": False,
    "usage": {"include": True},
    "provider": {},
    "models": ["acme/m"],
    "routing": "auto",
    "plugins": [],
}


@pytest.mark.parametrize("name", NOTHING)
def test_what_means_nothing_is_not_listed(name: str) -> None:
    assert sent(**{name: NOTHING[name]}) == sent()


def test_fields_nobody_knows_go_only_to_rows_that_take_them() -> None:
    fields = {"truncation": "auto", "previous_response_id": "resp_0", "input": "mine", "include": ["x"]}
    body, dropped = built(row={"unknown_fields": "pass"}, **fields)
    assert (body["truncation"], body["previous_response_id"], body["include"]) == ("auto", "resp_0", ["x"])
    assert (body["input"], dropped) == (HELLO, ("input",))
    assert built(**fields)[1] == tuple(fields)


def test_members_of_reasoning_and_text_nobody_knows_go_along() -> None:
    members: dict[str, Any] = {"reasoning": {"effort": "low", "context": "all_turns"}, "text": {"verbosity": "low"}}
    body = sent(row={"unknown_fields": "pass"}, response_format={"type": "text"}, **members)
    assert body["reasoning"] == {"effort": "low", "summary": "auto", "context": "all_turns"}
    assert body["text"] == {"verbosity": "low", "format": {"type": "text"}}
    assert built(reasoning={"effort": "low", "context": "all_turns"})[1] == ("reasoning.context",)


def test_the_rows_policy_leaves_out_clamps_and_forces() -> None:
    policy = ParameterPolicy(
        drop=("user", "verbosity"), clamp={"temperature": 1, "max_tokens": 10}, force={"truncation": '"auto"'}
    )
    body, dropped = built(row={"policy": policy}, temperature=1.7, max_tokens=50, user="u", verbosity="low")
    assert (body["temperature"], body["max_output_tokens"], body["truncation"]) == (1, 10, "auto")
    assert dropped == ("user", "verbosity")
    assert "text" not in body
    assert sent(row={"policy": policy}, temperature=0.3)["temperature"] == 0.3


def test_models_without_temperature_are_spared_it() -> None:
    body, dropped = built(row={"lacks": frozenset(("temperature",))}, temperature=0.3, top_p=0.5)
    assert (body, set(dropped)) == (sent(), {"temperature", "top_p"})


OWN = ParameterPolicy(takes=("background", "include", "prompt", "reasoning.context", "text", "truncation"))


def test_fields_of_its_own_are_sent_by_a_row_that_takes_them() -> None:
    row = {"policy": OWN}
    body = sent(row=row, prompt={"id": "p"}, truncation="auto", include=["file_search_call.results"])
    assert (body["prompt"], body["truncation"], body["include"]) == ({"id": "p"}, "auto", ["file_search_call.results"])
    assert sent(row=row, reasoning={"effort": "none", "context": "auto"})["reasoning"]["context"] == "auto"
    assert built(prompt={"id": "p"})[1] == ("prompt",)
    assert built(reasoning={"effort": "none", "context": "auto"})[1] == ("reasoning.context",)


def test_only_streams_are_made_in_the_background() -> None:
    assert sent(row={"policy": OWN}, background=True, stream=True)["background"] is True
    body, dropped = built(row={"policy": OWN}, background=True)
    assert ("background" in body, dropped) == (False, ("background",))
