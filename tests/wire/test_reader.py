"""The independent reader, against which everything is measured, agrees with the official SDK wherever that can read."""

import json

import pytest
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from tests.support.corpus import Recording, chats, needs_corpora
from tests.support.independent_chat_reader import (
    Answer,
    events_of,
    finish_of,
    parsed,
    read_stream,
    read_tokens,
    read_whole,
)
from tests.wire.comparison import differences

pytestmark = needs_corpora
ANSWERED = [one for one in chats() if one.status == 200]


def by_sdk(recording: Recording) -> ChatCompletion:
    if not recording.streamed:
        return ChatCompletion.construct(None, **json.loads(recording.body))
    state = ChatCompletionStreamState()
    for event in events_of(recording.body):
        state.handle_chunk(ChatCompletionChunk.construct(**event))
    return ChatCompletion.construct(None, **state.current_completion_snapshot.to_dict())


def agrees(recording: Recording, answer: Answer, sdk: ChatCompletion) -> bool:
    for choice in sdk.choices:
        told = answer.choices[choice.index]
        message = choice.message
        if isinstance(message.content, str | None) and told.text != (message.content or ""):
            return False
        calls = [call.function for call in message.tool_calls or () if call.type == "function" and call.function.name]
        if len(calls) == len(told.calls) and [(call.name, parsed(call.arguments or "")) for call in calls] != [
            (call.name, call.arguments) for call in told.calls
        ]:
            return False
        if told.finish != (finish_of(choice.finish_reason, called=bool(told.calls), functions=False) or told.finish):
            return False
    return sdk.usage is None or answer.tokens is None or answer.tokens.prompt == sdk.usage.prompt_tokens


def test_whole_answers_are_read_as_the_sdk_reads_them() -> None:
    compared = [one for one in ANSWERED if not one.streamed]
    unlike = [one.source for one in compared if not agrees(one, read_whole(one.body), by_sdk(one))]
    assert unlike == []
    assert len(compared) > 500


def test_streams_are_read_as_the_sdk_reads_them_where_it_can() -> None:
    """It can where roles and ids come once; elsewhere it raises, or joins repeated names."""
    compared = 0
    for one in (one for one in ANSWERED if one.streamed):
        answer = read_stream(one.body)
        if one.provider != "openai" or answer.error is not None:
            continue
        assert agrees(one, answer, by_sdk(one)), one.source
        compared += 1
    assert compared > 100


def test_the_comparison_notices_every_kind_of_change() -> None:
    """A comparer that sees nothing would pass everything."""
    one = next(
        one
        for one in ANSWERED
        if not one.streamed and b'"tool_calls":' in one.body and read_whole(one.body).choices[0].calls
    )
    for change in ("text", "reasoning", "refusal", "finish", "annotations", "images", "logprobs", "audio"):
        changed = read_whole(one.body)
        value = getattr(changed.choices[0], change)
        setattr(changed.choices[0], change, value + 1 if isinstance(value, int) else f"{value}!")
        assert differences(read_whole(one.body), changed), change
    for change, value in (("name", "other"), ("arguments", {"other": 1}), ("id", "other")):
        changed = read_whole(one.body)
        setattr(changed.choices[0].calls[0], change, value)
        assert differences(read_whole(one.body), changed), change
    for change in ("prompt", "cached", "cache_write", "completion", "reasoning", "prompt_audio", "completion_audio"):
        changed = read_whole(one.body)
        assert changed.tokens is not None
        setattr(changed.tokens, change, getattr(changed.tokens, change) + 1)
        assert differences(read_whole(one.body), changed), change


@pytest.mark.parametrize(
    ("usage", "completion", "cached", "reasoning"),
    [
        ({"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}, 5, 0, 0),
        ({"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 40, "reasoning_tokens": 25}, 30, 0, 25),
        ({"prompt_tokens": 10, "completion_tokens": 5, "prompt_cache_hit_tokens": 8}, 5, 8, 0),
        ({"prompt_tokens": 10, "completion_tokens": 5, "cached_tokens": 3}, 5, 3, 0),
        ({"prompt_tokens": 9, "prompt_tokens_details": {"cached_tokens": 2}, "cached_tokens": 3}, 0, 2, 0),
    ],
)  # fmt: skip
def test_the_reader_knows_the_token_table(
    usage: dict[str, object], completion: int, cached: int, reasoning: int
) -> None:
    tokens = read_tokens(usage)
    assert tokens is not None
    assert (tokens.completion, tokens.cached, tokens.reasoning) == (completion, cached, reasoning)
