"""Token estimates: the cheap rule, the careful reading of a text, and what a family makes of a whole prompt.

Expected counts of texts were made once with OpenAI's o200k tokenizer.
"""

import json

import pytest

from llmgateway.domain.routing import Mapping
from llmgateway.engine.pictures import Picture
from llmgateway.engine.token_families import FAMILIES
from llmgateway.engine.tokens import (
    Tally,
    count_text,
    estimate_chat,
    estimate_prompt,
    estimate_text,
    family_of,
    prompt_tokens,
    tally_of,
)
from llmgateway.wire.openai_chat.request import read_request

ENGLISH = (
    "This afternoon we held a meeting in London to discuss how to improve the user experience of our product. Everyone "
    "agreed that the slow responses must be dealt with first, before any new feature is added."
)
CODE = """def weighted(values, weights=None):
    if weights is None:
        weights = [1.0] * len(values)
    total = sum(v * w for v, w in zip(values, weights))
    return total / (sum(weights) or 1)
"""
SCHEMA = '{"type":"object","properties":{"city":{"type":"string","description":"The city"}},"required":["city"]}'
COUNTED = {
    "english": (ENGLISH, 39, 0.1),
    "code": (CODE, 54, 0.15),
    "schema": (SCHEMA, 24, 0.1),
    "chinese": (
        "今天下午我们在北京召开了一次会议，讨论如何改进产品的用户体验。大家一致认为，应该首先解决问题。",
        28,
        0.3,
    ),
    "russian": ("Сегодня днём мы провели в Москве совещание, на котором обсудили новые функции.", 21, 0.3),
    "hindi": ("आज दोपहर हमने दिल्ली में एक बैठक की और इस बात पर चर्चा की।", 17, 0.3),
    "french": ("Cet après-midi, nous avons tenu une réunion à Paris pour améliorer le système.", 16, 0.4),
}


def mapping(model: str, *, provider: str = "openai") -> Mapping:
    return Mapping(provider=provider, model=model, upstream=model)


def chat(**fields: object):
    body = {"model": "m", "messages": [{"role": "user", "content": ENGLISH}], **fields}
    return read_request(json.dumps(body).encode())


@pytest.mark.parametrize("kind", COUNTED)
def test_a_text_is_counted_nearly_as_a_tokenizer_would(kind: str) -> None:
    text, tokens, off = COUNTED[kind]
    assert count_text(text) == pytest.approx(tokens, rel=off)


def test_an_empty_text_is_nothing() -> None:
    assert count_text("") == 0
    assert estimate_text(0) == 0


def test_every_character_of_any_text_counts_for_something() -> None:
    assert count_text("\x00\x01\x02") == 3
    assert count_text("🙂" * 9) >= 3
    assert count_text("\u200b\ud7ff") > 0


def test_of_a_long_text_slices_stand_for_the_whole() -> None:
    long = (ENGLISH + "\n" + CODE) * 2_000
    assert len(long) > 500_000
    assert count_text(long) == pytest.approx(2_000 * (count_text(ENGLISH) + count_text(CODE) + 1), rel=0.02)


def test_many_texts_that_are_long_together_are_read_in_slices_too() -> None:
    each = ENGLISH * 10
    many = chat(messages=[{"role": "user", "content": each}] * 100)
    assert tally_of(many).text == pytest.approx(100 * count_text(each), rel=0.02)


def test_the_cheap_rule_is_four_characters_a_token_and_four_tokens_a_message() -> None:
    assert estimate_text(401) == 101
    assert estimate_prompt(400, messages=3) == 112


def test_a_family_that_is_known_makes_the_rule_finer() -> None:
    newest, older = (
        family_of(mapping(name, provider="anthropic")) for name in ("claude-sonnet-5", "claude-sonnet-4-5")
    )
    assert estimate_text(4600, family=newest) > estimate_text(4600, family=older) > 1000


def test_openai_wraps_a_message_in_seven_tokens() -> None:
    """https://cookbook.openai.com/examples/how_to_count_tokens_with_tiktoken: three for a message, one for its role,
    three that prime the answer."""
    text = count_text(ENGLISH)
    assert estimate_chat(chat(), mapping=mapping("gpt-4o")) == pytest.approx(text + 7, abs=1)


def test_calls_results_tools_and_schemas_count() -> None:
    call = {"id": "c", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Oslo"}'}}
    whole = chat(
        messages=[
            {"role": "user", "content": ENGLISH},
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "c", "content": "rain"},
        ],
        tools=[{"type": "function", "function": {"name": "weather", "parameters": json.loads(SCHEMA)}}],
        response_format={"type": "json_schema", "json_schema": {"name": "answer", "schema": json.loads(SCHEMA)}},
        reasoning_effort="low",
    )
    tally = tally_of(whole)
    assert (tally.messages, tally.tools, tally.calls, tally.thinks) == (3, 1, 1, True)
    assert tally.schema > 15
    assert tally.format > 15
    assert tally.text > count_text(ENGLISH) + 6


def test_functions_of_the_older_form_are_tools() -> None:
    tally = tally_of(chat(functions=[{"name": "weather", "parameters": json.loads(SCHEMA)}]))
    assert tally.tools == 1
    assert tally.schema > 15


def test_hidden_reasoning_is_known_by_its_bytes() -> None:
    detail = {"type": "reasoning.encrypted", "data": "x" * 998, "format": "openai-responses-v1", "index": 0}
    call = {
        "id": "c",
        "function": {"name": "f", "arguments": ""},
        "extra_content": {"google": {"thought_signature": "y"}},
    }
    told = {"role": "assistant", "content": "", "reasoning_details": [detail], "tool_calls": [call]}
    tally = tally_of(chat(messages=[told, {"role": "tool", "tool_call_id": "c", "content": ""}]))
    assert tally.hidden == 1000 + len('{"thought_signature": "y"}')


def test_media_count_by_part() -> None:
    parts = [
        {"type": "image_url", "image_url": {"url": "https://example.com/cat.png", "detail": "low"}},
        {"type": "file", "file": {"file_data": "data:application/pdf;base64,AAAA"}},
        {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
        {"type": "text", "text": "What is this?"},
    ]
    tally = tally_of(chat(messages=[{"role": "user", "content": parts}]))
    assert tally.pictures == (Picture(low=True),)
    assert (tally.files, tally.audio) == (1, 1)
    family = family_of(mapping("gpt-4o"))
    bare = prompt_tokens(Tally(messages=1, text=tally.text), family=family)
    expected = bare + family.media.least + family.media.file + family.media.audio
    assert prompt_tokens(tally, family=family) == expected


def test_a_picture_costs_by_its_size_within_bounds() -> None:
    media = family_of(mapping("claude-sonnet-4-5", provider="anthropic")).media
    assert media.picture(Picture(600, 500)) == pytest.approx(600 * 500 / 750, rel=0.01)
    assert media.picture(Picture(8000, 8000)) == media.most
    assert media.picture(Picture(1, 1)) == media.least
    assert media.picture(Picture()) == media.picture(Picture(1000, 1000))


@pytest.mark.parametrize(
    ("provider", "model", "protocol", "family"),
    [
        ("openai", "gpt-4o-2024-11-20", "openai-chat", "gpt-4"),
        ("openai", "gpt-4o-mini", "openai-chat", "gpt-4o-mini"),
        ("openai", "gpt-5-mini", "openai-chat", "gpt-5 by chat"),
        ("openai", "gpt-5-mini", "openai-responses", "gpt-5"),
        ("openrouter", "openai/gpt-5.4", "openai-chat", "gpt-5"),
        ("openai", "o4-mini", "openai-chat", "gpt-5"),
        ("groq", "openai/gpt-oss-120b", "openai-chat", "gpt-oss"),
        ("aws-bedrock", "us.anthropic.claude-sonnet-4-5-20250929-v1:0", "bedrock", "claude-4.5"),
        ("anthropic", "claude-opus-4-1", "anthropic", "claude"),
        ("anthropic", "claude-sonnet-5", "anthropic", "claude-5"),
        ("google-vertex", "gemini-3-flash-preview", "google", "gemini at Vertex"),
        ("google-ai-studio", "gemini-3-flash-preview", "google", "gemini-3"),
        ("google-ai-studio", "gemini-2.5-flash", "google", "gemini"),
        ("ollama", "qwen3", "openai-chat", "qwen"),
        ("ollama", "Llama-3.3-70B", "openai-chat", "llama"),
        ("azure", "grok-4-fast", "openai-chat", "other"),
        ("my-vllm", "anything", "openai-chat", "other"),
    ],
)
def test_a_family_is_found_by_names_provider_and_protocol(
    provider: str, model: str, protocol: str, family: str
) -> None:
    assert family_of(mapping(model, provider=provider), protocol=protocol).name == family


def test_the_providers_own_name_says_it_where_ours_does_not() -> None:
    assert family_of(Mapping(provider="azure", model="team-model", upstream="gpt-4o")).name == "gpt-4"


def test_the_last_family_takes_everything() -> None:
    assert FAMILIES[-1].pattern == ""
    assert len({family.name for family in FAMILIES}) == len(FAMILIES)
