"""Which field of a request speaks for this protocol, which against it, and what it lacks."""

from typing import Any

import pytest

from llmgateway.domain.chat import REQUEST_FIELDS
from llmgateway.domain.errors import UPSTREAM_REFUSED
from llmgateway.wire.openai_responses.vocabulary import VOCABULARY, chat_only, emulates, prefers_responses
from llmgateway.wire.params import HARMLESS
from tests.unit.wire.deployments import deployment
from tests.unit.wire.openai_responses.asking import CODEC, HELLO, chat

ENCRYPTED = {"type": "reasoning.encrypted", "data": "d", "format": "openai-responses-v1"}
REPLAYED = [*HELLO, {"role": "assistant", "content": "Hi", "reasoning_details": [ENCRYPTED]}]


@pytest.mark.parametrize(
    ("members", "path"),
    [
        ({"reasoning": {"summary": "auto"}}, "reasoning.summary"),
        ({"reasoning": {"effort": "low"}}, None),
        ({"messages": REPLAYED}, "messages[1].reasoning_details"),
        ({"messages": [{**REPLAYED[1], "reasoning_details": [{**ENCRYPTED, "format": "google-gemini-v1"}]}]}, None),
        ({"messages": [{**REPLAYED[1], "reasoning_details": [{**ENCRYPTED, "type": "reasoning.text"}]}]}, None),
        ({"messages": [{**REPLAYED[1], "reasoning_details": [{"type": 5}, {}]}]}, None),
        ({"web_search": True}, "web_search"),
        ({"tools": [{"type": "web_search"}]}, "tools[0].type"),
        ({"web_search_options": {}}, "web_search_options"),
        ({"stop": ["x"]}, None),
        ({}, None),
    ],
)
def test_what_only_this_protocol_gives(members: dict[str, Any], path: str | None) -> None:
    assert prefers_responses(chat(**members)) == path


def test_a_model_that_searches_by_itself_needs_no_other_protocol() -> None:
    assert prefers_responses(chat(web_search=True), search_variant=True) is None
    asked = chat(web_search=True, reasoning={"summary": "auto"})
    assert prefers_responses(asked, search_variant=True) == "reasoning.summary"


@pytest.mark.parametrize(
    ("members", "path"),
    [
        ({"stop": "x"}, "stop"),
        ({"stop": []}, None),
        ({"n": 2}, "n"),
        ({"n": 1}, None),
        ({"seed": 0}, "seed"),
        ({"logit_bias": {"5": 1}}, "logit_bias"),
        ({"modalities": ["text", "audio"], "audio": {"voice": "v", "format": "wav"}}, "modalities"),
        ({"audio": {"voice": "v", "format": "wav"}}, "audio"),
        (
            {
                "messages": [
                    {"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": "", "format": "wav"}}]}
                ]
            },
            "messages[0].content[0].type",
        ),
        ({"messages": [*HELLO, {"role": "assistant", "audio": {"id": "a"}}]}, "messages[1].audio"),
        ({"reasoning": {"summary": "auto"}, "frequency_penalty": 1}, None),
        ({}, None),
    ],
)
def test_what_only_the_chat_protocol_carries(members: dict[str, Any], path: str | None) -> None:
    assert chat_only(chat(**members)) == path


def test_nothing_is_emulated() -> None:
    assert emulates(chat(response_format={"type": "json_object"}), to=deployment()) is None


def test_a_field_without_a_word_is_harmless_or_excludes_the_mapping() -> None:
    """So that nothing that would change an answer can be left out in silence."""
    assert VOCABULARY.fields <= REQUEST_FIELDS
    gateway = {"free_models_only", "no_reasoning", "onboarding", "plugins", "routing", "models"}
    unsaid = REQUEST_FIELDS - VOCABULARY.fields - HARMLESS - gateway
    assert unsaid == {"stop", "n", "logit_bias", "audio", "effort", "sensitive_word_check"}
    assert VOCABULARY.lacks >= {"stop", "n", "logit_bias", "audio_output"}


def test_errors_of_xai_are_told_in_its_words() -> None:
    body = b'{"code":"Client specified an invalid argument","error":"Argument not supported: stop"}'
    error = CODEC.error(400, (), body, to=deployment())
    assert (error.kind, error.message) == (UPSTREAM_REFUSED, "acme: Argument not supported: stop")
