"""What a converse answer is told as, whole and streamed."""

from base64 import b64encode
from typing import Any

import pytest

from llmgateway.domain.errors import UpstreamError
from llmgateway.domain.usage import Usage
from tests.unit.wire.bedrock.converse import CLAUDE_4, NOVA_2, TOOL, asked, bedrock
from tests.unit.wire.bedrock.replies import (
    BEGIN,
    CALLS,
    CODEC,
    HELLO,
    LINK,
    METADATA,
    PAGE,
    PLAIN,
    STOP,
    USAGE,
    delta,
    end,
    folded,
    message_of,
    start,
    stream,
    told,
    whole,
)


def test_text_with_its_reason_and_usage() -> None:
    chunk = whole([{"text": "Hello"}])
    (choice,) = chunk.choices
    assert (choice.delta.role, choice.delta.content) == ("assistant", "Hello")
    assert (choice.finish_reason, choice.raw_finish_reason, chunk.done) == ("stop", "end_turn", True)
    assert chunk.usage == Usage(prompt_tokens=10, output_tokens=5)


def test_a_stream_of_text() -> None:
    chunks = told(HELLO)
    deltas = [choice.delta for chunk in chunks for choice in chunk.choices]
    assert [one.role for one in deltas] == ["assistant", *[deltas[1].role] * (len(deltas) - 1)]
    assert [one.content for one in deltas if one.content] == ["Hel", "lo"]
    assert [choice.finish_reason for chunk in chunks for choice in chunk.choices][-1] == "stop"
    assert (chunks[-1].done, chunks[-1].usage) == (True, Usage(prompt_tokens=10, output_tokens=5))


def test_text_blocks_need_no_start_nor_a_stream_its_first_event() -> None:
    chunks = told(stream(delta(0, text="A"), delta(1, text="B"), STOP, METADATA))
    assert chunks[0].choices[0].delta.role == "assistant"
    assert message_of(folded(chunks)).content == "AB"


def test_tool_calls_in_pieces() -> None:
    chunks = told(
        stream(
            BEGIN, delta(0, text="Let me see."), end(0),
            start(1, toolUse={"toolUseId": "t1", "name": "weather", "type": "tool_use"}),
            delta(1, toolUse={"input": ""}), delta(1, toolUse={"input": '{"ci'}), delta(1, toolUse={"input": 'ty":1}'}),
            end(1), start(2, toolUse={"toolUseId": "t2", "name": "now"}), end(2), CALLS, METADATA,
        )
    )  # fmt: skip
    deltas = [call for chunk in chunks for choice in chunk.choices for call in choice.delta.tool_calls or ()]
    assert [(call.index, call.id or None, call.type or None) for call in deltas] == [
        (0, "t1", "function"), (0, None, None), (0, None, None), (1, "t2", "function"), (1, None, None),
    ]  # fmt: skip
    message = message_of(folded(chunks))
    assert [(call.function.name, call.function.arguments) for call in message.tool_calls or () if call.function] == [
        ("weather", '{"city":1}'), ("now", "{}"),
    ]  # fmt: skip
    assert chunks[-2].choices[0].finish_reason == "tool_calls"


def test_a_whole_tool_call_keeps_the_bytes_of_its_input() -> None:
    use = b'{"toolUse":{"toolUseId":"t","name":"f","input":{"b": 1.50}}}'
    body = b'{"output":{"message":{"content":[%b]}},"stopReason":"end_turn"}' % use
    chunk = CODEC.whole(body, chat=PLAIN, to=bedrock())
    (call,) = message_of(chunk).tool_calls or []
    assert call.function
    assert call.function.arguments == '{"b": 1.50}'
    assert chunk.choices[0].finish_reason == "tool_calls"


def test_calls_that_the_provider_runs_itself_are_not_the_clients() -> None:
    use = {"toolUseId": "t", "name": "nova_grounding", "input": {}, "type": "server_tool_use"}
    chunk = whole([{"toolUse": use}, {"toolResult": {"toolUseId": "t", "content": []}}, {"text": "Found."}], to=NOVA_2)
    assert (message_of(chunk).content, chunk.choices[0].finish_reason) == ("Found.", "stop")
    assert not message_of(chunk).tool_calls


THOUGHT = {"reasoningContent": {"reasoningText": {"text": "Hm.", "signature": "sig"}}}
HIDDEN = {"reasoningContent": {"redactedContent": b64encode(b"RXU4RUN").decode()}}


def test_signed_thinking_may_be_sent_back() -> None:
    message = message_of(whole([THOUGHT, HIDDEN, {"text": "Hi"}]))
    assert (message.reasoning, message.content) == ("Hm.", "Hi")
    assert message.reasoning_details == [
        {"type": "reasoning.text", "text": "Hm.", "signature": "sig", "format": "anthropic-claude-v1", "index": 0},
        {"type": "reasoning.encrypted", "data": "RXU4RUN", "format": "anthropic-claude-v1", "index": 1},
    ]


def test_streamed_thinking_folds_to_the_same() -> None:
    chunks = told(
        stream(
            BEGIN, delta(0, reasoningContent={"text": "H"}), delta(0, reasoningContent={"text": "m."}),
            delta(0, reasoningContent={"signature": "sig"}), end(0),
            delta(1, reasoningContent={"redactedContent": b64encode(b"RXU4RUN").decode()}), end(1),
            delta(2, text="Hi"), end(2), STOP, METADATA,
        )
    )  # fmt: skip
    assert message_of(folded(chunks)) == message_of(whole([THOUGHT, HIDDEN, {"text": "Hi"}]))


def test_a_signature_alone_is_kept() -> None:
    """Thoughts that are not shown are proven all the same."""
    (one,) = (
        message_of(whole([{"reasoningContent": {"reasoningText": {"text": "", "signature": "s"}}}])).reasoning_details
        or []
    )
    assert one["signature"] == "s"


def test_thinking_that_nobody_signs_is_text() -> None:
    message = message_of(whole([{"reasoningContent": {"reasoningText": {"text": "Hm."}}}, {"text": "Hi"}], to=NOVA_2))
    assert message.reasoning == "Hm."
    assert not message.reasoning_details


CITING = [
    {"text": "It says "},
    {"citationsContent": {"content": [{"text": "Dummy"}], "citations": [PAGE, LINK]}},
    {"text": "."},
]
CITED = [
    {
        "type": "file_citation",
        "file_citation": {
            "title": "my-pdf", "start_index": 8, "end_index": 13, "cited_text": "Dummy",
            "document_index": 0, "start_page": 1, "end_page": 2,
        },
        "index": 0,
    },
    {
        "type": "url_citation",
        "url_citation": {"url": "https://example.com/a", "title": "Site", "start_index": 8, "end_index": 13},
        "index": 1,
    },
]  # fmt: skip


def test_citations_are_annotations_at_their_place_in_the_text() -> None:
    message = message_of(whole(CITING))
    assert (message.content, message.annotations) == ("It says Dummy.", CITED)


def test_streamed_citations_fold_to_the_same() -> None:
    chunks = told(
        stream(
            BEGIN, delta(0, text="It says "), end(0), delta(1, text="Dum"), delta(1, citation=PAGE),
            delta(1, text="my"), delta(1, citation=LINK), end(1), delta(2, text="."), end(2), STOP, METADATA,
        )
    )  # fmt: skip
    assert message_of(folded(chunks)) == message_of(whole(CITING))


def test_a_search_result_with_a_link_is_a_link() -> None:
    found = {
        "title": "T",
        "source": "https://example.com/s",
        "location": {"searchResultLocation": {"searchResultIndex": 0, "start": 0, "end": 1}},
    }
    blocks = [{"citationsContent": {"content": [{"text": "A"}], "citations": [found]}}]
    (one,) = message_of(whole(blocks)).annotations or []
    assert one["url_citation"]["url"] == "https://example.com/s"


def test_images_come_as_data_urls_and_in_pieces() -> None:
    data = b"\x89PNG and more"
    chunk = whole([{"image": {"format": "png", "source": {"bytes": b64encode(data).decode()}}}])
    pieces = [b64encode(data[:4]).decode(), b64encode(data[4:]).decode()]
    chunks = told(
        stream(
            BEGIN, start(0, image={"format": "png"}), delta(0, image={"source": {"bytes": pieces[0]}}),
            delta(0, image={"source": {"bytes": pieces[1]}}), end(0), STOP, METADATA,
        )
    )  # fmt: skip
    url = f"data:image/png;base64,{b64encode(data).decode()}"
    assert message_of(chunk).images == [{"type": "image_url", "image_url": {"url": url}, "index": 0}]
    assert message_of(folded(chunks)) == message_of(chunk)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("guardrail_intervened", "content_filter"),
        ("content_filtered", "content_filter"),
        ("tool_use", "stop"),
        ("something_new", "stop"),
    ],
)
def test_stop_reasons(raw: str, reason: str) -> None:
    chunk = whole([{"text": "A"}], raw)
    assert (chunk.choices[0].finish_reason, chunk.choices[0].raw_finish_reason) == (reason, raw)
    chunks = told(stream(BEGIN, delta(0, text="A"), end(0), ("messageStop", {"stopReason": raw}), METADATA))
    assert folded(chunks).choices[0].finish_reason == reason


@pytest.mark.parametrize("raw", ["malformed_model_output", "malformed_tool_use"])
def test_a_model_that_broke_off_is_an_error(raw: str) -> None:
    with pytest.raises(UpstreamError, match=raw):
        whole([{"text": "A"}], raw)
    decoder = CODEC.decoder(chat=PLAIN, to=bedrock())
    chunks = decoder.feed(stream(BEGIN, delta(0, text="A"), end(0), ("messageStop", {"stopReason": raw}), METADATA))
    assert chunks[-1].error is not None
    assert not decoder.finished


def test_everything_read_counts_as_prompt() -> None:
    usage = {
        **USAGE, "cacheReadInputTokens": 100, "cacheWriteInputTokens": 50,
        "cacheDetails": [{"ttl": "1h", "inputTokens": 20}, {"ttl": "5m", "inputTokens": 30}],
    }  # fmt: skip
    assert whole([{"text": "A"}], usage=usage).usage == Usage(
        prompt_tokens=160, cached_tokens=100, cache_write_5m_tokens=30, cache_write_1h_tokens=20, output_tokens=5
    )


def test_older_names_of_the_cache_figures() -> None:
    usage = {**USAGE, "cacheReadInputTokenCount": 7, "cacheWriteInputTokenCount": 3}
    read = whole([{"text": "A"}], usage=usage).usage
    assert read == Usage(prompt_tokens=20, cached_tokens=7, cache_write_5m_tokens=3, output_tokens=5)


@pytest.mark.parametrize("usage", [None, {}, {"inputTokens": None}])
def test_no_usage_is_none(usage: Any) -> None:
    assert whole([{"text": "A"}], usage=usage).usage is None


def test_the_tier_that_served_and_the_model_a_router_chose() -> None:
    members = {"serviceTier": {"type": "flex"}, "trace": {"promptRouter": {"invokedModelId": "arn:x"}}}
    chunk = whole([{"text": "A"}], **members)
    assert (chunk.service_tier, chunk.reported_model) == ("flex", "arn:x")
    last = told(stream(BEGIN, delta(0, text="A"), STOP, ("metadata", {"usage": USAGE, **members})))[-1]
    assert (last.service_tier, last.reported_model) == ("flex", "arn:x")


SHAPE = {"type": "json_schema", "json_schema": {"name": "city", "schema": {"type": "object"}}}


def test_the_arguments_of_the_forced_tool_are_the_answer() -> None:
    chat = asked(response_format=SHAPE)
    chunk = whole(
        [{"toolUse": {"toolUseId": "t", "name": "city", "input": {"a": 1}}}], "tool_use", chat=chat, to=CLAUDE_4
    )
    assert (message_of(chunk).content, chunk.choices[0].finish_reason) == ('{"a": 1}', "stop")
    assert not message_of(chunk).tool_calls
    chunks = told(
        stream(
            BEGIN, start(0, toolUse={"toolUseId": "t", "name": "city"}), delta(0, toolUse={"input": '{"a"'}),
            delta(0, toolUse={"input": ": 1}"}), end(0), CALLS, METADATA,
        ),
        chat=chat, to=CLAUDE_4,
    )  # fmt: skip
    assert message_of(folded(chunks)) == message_of(chunk)


def test_the_old_functions_get_a_function_call() -> None:
    chat = asked(functions=[TOOL["function"]])
    blocks = [{"toolUse": {"toolUseId": "t", "name": "weather", "input": {}}}]
    chunk = whole(blocks, "tool_use", chat=chat)
    call = message_of(chunk).function_call
    assert call
    assert (call.name, call.arguments, chunk.choices[0].finish_reason) == ("weather", "{}", "function_call")
    assert not message_of(chunk).tool_calls


def test_an_answer_of_nothing() -> None:
    chunk = whole([])
    assert (message_of(chunk).role, message_of(chunk).content) == ("assistant", None)
    assert chunk.choices[0].finish_reason == "stop"


def test_half_a_character_is_replaced() -> None:
    body = b'{"output":{"message":{"content":[{"text":"a\\ud83d"}]}},"stopReason":"end_turn"}'
    assert message_of(CODEC.whole(body, chat=PLAIN, to=bedrock())).content == "a\ufffd"


def test_a_stream_without_its_reason_is_not_finished() -> None:
    decoder = CODEC.decoder(chat=PLAIN, to=bedrock())
    chunks = decoder.feed(stream(BEGIN, delta(0, text="A"), end(0), METADATA)) + decoder.close()
    assert not decoder.finished
    assert not any(chunk.done for chunk in chunks)


def test_nothing_is_read_behind_the_last_event() -> None:
    assert told(HELLO + b"garbage" * 100) == told(HELLO)
