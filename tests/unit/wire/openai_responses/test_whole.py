"""A whole response is one message: every kind of item, every status, and what is no answer at all."""

import json
from typing import Any

import pytest

from llmgateway.domain import errors
from llmgateway.domain.chat import Chat
from llmgateway.domain.errors import UpstreamError
from llmgateway.domain.reply import Delta
from tests.unit.wire.deployments import deployment
from tests.unit.wire.openai_responses.asking import CODEC, chat, completed, message, whole, words


def told(*output: dict[str, Any], asked: Chat | None = None, **members: Any) -> Delta:
    return whole(*output, asked=asked, **members).choices[0].delta


def refused(body: bytes) -> UpstreamError:
    with pytest.raises(UpstreamError) as caught:
        CODEC.whole(body, chat=chat(), to=deployment())
    return caught.value


def test_text() -> None:
    chunk = whole(message(words("Hel"), words("lo")), message(words("!")), service_tier="flex")
    choice = chunk.choices[0]
    assert (choice.delta.role, choice.delta.content, choice.delta.refusal) == ("assistant", "Hello!", None)
    assert (choice.finish_reason, choice.raw_finish_reason) == ("stop", "completed")
    assert (chunk.id, chunk.reported_model, chunk.service_tier, chunk.done) == ("resp_1", "acme-m-2", "flex", True)
    assert {name: bytes(span) for name, span in (chunk.extra or {}).items()} == {"service_tier": b'"flex"'}


def test_a_refusal_is_not_content() -> None:
    delta = told(message({"type": "refusal", "refusal": "No"}))
    assert (delta.content, delta.refusal) == (None, "No")


def test_calls() -> None:
    one = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "f", "arguments": '{"a":1}'}
    choice = whole(one, {**one, "id": "fc_2", "call_id": "call_2", "name": "g", "arguments": {"b": 2}}).choices[0]
    calls = choice.delta.tool_calls or []
    assert [(call.index, call.id, call.type) for call in calls] == [
        (0, "call_1", "function"),
        (1, "call_2", "function"),
    ]
    assert [(call.function.name, call.function.arguments) for call in calls if call.function] == [
        ("f", '{"a":1}'),
        ("g", '{"b":2}'),
    ]
    assert (choice.finish_reason, choice.delta.content) == ("tool_calls", None)


def test_a_call_without_an_id_has_one_made_for_it() -> None:
    calls = told({"type": "function_call", "name": "f", "arguments": "{}"}).tool_calls or []
    assert str(calls[0].id).startswith("call_")


def test_the_old_function_call_is_told_to_those_who_asked_in_those_words() -> None:
    one = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "f", "arguments": "{}"}
    choice = whole(one, asked=chat(functions=[{"name": "f"}])).choices[0]
    assert choice.finish_reason == "function_call"
    assert choice.delta.function_call
    assert choice.delta.function_call.name == "f"
    assert not choice.delta.tool_calls


def test_the_namespace_of_a_call_is_told_beside_it() -> None:
    one = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "f", "arguments": "{}"}
    calls = told({**one, "namespace": "crm"}).tool_calls or []
    assert calls[0].extra_content == {"openai": {"namespace": "crm"}}


CUSTOM = {"type": "custom_tool_call", "id": "ct_1", "call_id": "call_1", "name": "sql", "input": "SELECT 1"}


def test_a_custom_call() -> None:
    asked = chat(tools=[{"type": "custom", "custom": {"name": "sql"}}])
    calls = told(CUSTOM, asked=asked).tool_calls or []
    assert (calls[0].type, calls[0].custom) == ("custom", {"name": "sql", "input": "SELECT 1"})


def test_a_custom_call_that_the_provider_answers_itself_is_not_the_callers() -> None:
    """xAI tells of its own searches so."""
    asked = chat(tools=[{"type": "web_search"}])
    choice = whole({**CUSTOM, "name": "x_keyword_search"}, message(words("Found")), asked=asked).choices[0]
    assert (choice.finish_reason, choice.delta.content, bool(choice.delta.tool_calls)) == ("stop", "Found", False)


def test_citations_nest_as_in_chat_completions_and_count_from_the_start_of_the_content() -> None:
    link = {"type": "url_citation", "url": "https://a.test", "title": "A", "start_index": 0, "end_index": 2}
    file = {"type": "file_citation", "file_id": "file_1", "filename": "a.pdf", "index": 7}
    bare = {"type": "url_citation", "url": "https://b.test", "title": None}
    delta = told(message(words("One ")), message(words("Two", annotations=[link, file, bare])))
    assert delta.annotations == [
        {
            "type": "url_citation",
            "url_citation": {"url": "https://a.test", "title": "A", "start_index": 4, "end_index": 6},
            "index": 0,
        },
        {
            "type": "file_citation",
            "file_citation": {"file_id": "file_1", "filename": "a.pdf", "index": 7},
            "index": 1,
        },
        {"type": "url_citation", "url_citation": {"url": "https://b.test"}, "index": 2},
    ]


def test_images() -> None:
    made = {"type": "image_generation_call", "id": "ig_1", "status": "completed", "result": "AAAA"}
    delta = told(made, {**made, "result": "BBBB", "output_format": "webp"}, {**made, "result": None})
    assert delta.images == [
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}, "index": 0},
        {"type": "image_url", "image_url": {"url": "data:image/webp;base64,BBBB"}, "index": 1},
    ]


def test_token_probabilities() -> None:
    top = {"token": "b", "logprob": -1.0}
    token = {"token": "a", "logprob": -0.5, "bytes": [97], "top_logprobs": [top]}
    choice = whole(message(words("a", logprobs=[token]))).choices[0]
    assert choice.logprobs == {"content": [{**token, "top_logprobs": [{**top, "bytes": None}]}], "refusal": None}


@pytest.mark.parametrize(
    "kind",
    [
        "code_interpreter_call",
        "file_search_call",
        "mcp_list_tools",
        "mcp_call",
        "tool_search_call",
        "compaction",
        "new",
    ],
)
def test_what_a_chat_answer_has_no_word_for_does_not_disturb_it(kind: str) -> None:
    delta = told({"type": kind, "id": "x", "call_id": "y", "name": "z", "arguments": "{}"}, message(words("Hi")))
    assert delta == Delta("assistant", "Hi", refusal=None)


@pytest.mark.parametrize(
    ("details", "finish", "raw"),
    [
        ({"reason": "max_output_tokens"}, "length", "max_output_tokens"),
        ({"reason": "content_filter"}, "content_filter", "content_filter"),
        (None, "length", "incomplete"),
    ],
)
def test_incomplete_responses(details: Any, finish: str, raw: str) -> None:
    choice = whole(message(words("Hal")), status="incomplete", incomplete_details=details).choices[0]
    assert (choice.finish_reason, choice.raw_finish_reason, choice.delta.content) == (finish, raw, "Hal")


def test_a_cut_call_ends_for_its_length() -> None:
    cut = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "f", "arguments": '{"a'}
    choice = whole(cut, status="incomplete", incomplete_details={"reason": "max_output_tokens"}).choices[0]
    assert choice.finish_reason == "length"
    assert choice.delta.tool_calls


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"code": "server_error", "message": "Sorry"}, errors.UPSTREAM_ERROR),
        ({"code": "server_is_overloaded", "message": "Sorry"}, errors.UPSTREAM_ERROR),
        ({"code": "rate_limit_exceeded", "message": "Slow down"}, errors.UPSTREAM_RATE_LIMITED),
        ({"code": "insufficient_quota", "message": "You exceeded your current quota"}, errors.UPSTREAM_QUOTA),
        ({"code": "invalid_prompt", "message": "Flagged"}, errors.UPSTREAM_CONTENT_FILTER),
        ({"code": "bio_policy", "message": "No"}, errors.UPSTREAM_CONTENT_FILTER),
        ({"code": "invalid_image_url", "message": "Bad"}, errors.UPSTREAM_REFUSED),
        ({"code": "failed_to_download_image", "message": "Timeout"}, errors.UPSTREAM_REFUSED),
        (
            {"code": "context_length_exceeded", "message": "Your input exceeds the context window"},
            errors.UPSTREAM_CONTEXT,
        ),
        (None, errors.UPSTREAM_ERROR),
    ],
)
def test_failed_responses(error: Any, kind: errors.ErrorKind) -> None:
    failed = refused(json.dumps({"id": "resp_1", "status": "failed", "output": [], "error": error}).encode())
    assert failed.kind is kind
    assert failed.status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b"<html>",
        b"{}",
        b'{"output":5}',
        b'{"status":"queued","output":[]}',
        b'{"status":"cancelled","output":[]}',
        b'{"choices":[{"message":{"content":"Hi"}}]}',
        b'{"error":{"message":"No"}}',
        b'{"type":"error","message":"No"}',
        b"[" * 5000,
    ],
)
def test_what_is_no_answer(body: bytes) -> None:
    assert refused(body).kind is errors.UPSTREAM_ERROR


def test_the_providers_words_are_told() -> None:
    for body in (b'{"error":{"message":"Oh no"}}', b'{"error":"Oh no"}', b'{"type":"error","message":"Oh no"}'):
        assert refused(body).message == "acme: Oh no"


def test_a_member_of_the_wrong_type_costs_nothing_but_itself() -> None:
    chunk = whole(message(words("Hi")), model=5, service_tier=[], usage="none", incomplete_details=7)
    assert (chunk.choices[0].delta.content, chunk.reported_model, chunk.usage) == ("Hi", None, None)


def test_half_a_character_is_replaced() -> None:
    body = b'{"status":"completed","output":[{"type":"message","content":[{"type":"output_text","text":"a\\ud83d"}]}]}'
    assert CODEC.whole(body, chat=chat(), to=deployment()).choices[0].delta.content == "a\ufffd"


def test_events_that_call_themselves_json_are_read_as_events() -> None:
    body = completed(output=[message(words("Hi"))])
    assert CODEC.whole(body, chat=chat(), to=deployment()).choices[0].delta.content == "Hi"
    assert refused(b'data: {"type":"response.created"}\n\n').kind is errors.STREAM_TRUNCATED
    assert refused(b'data: {"type":"error","message":"No"}\n\n').kind is errors.UPSTREAM_ERROR


def test_a_call_that_the_client_is_to_carry_out_is_told_as_a_function() -> None:
    shell = {"type": "shell_call", "id": "sh_1", "call_id": "call_1", "action": {"commands": ["ls"]}}
    choice = whole(shell).choices[0]
    (call,) = choice.delta.tool_calls or []
    assert (choice.finish_reason, call.id, call.type) == ("tool_calls", "call_1", "function")
    assert call.function
    assert (call.function.name, json.loads(str(call.function.arguments))) == (
        "shell_call",
        {"id": "sh_1", "action": {"commands": ["ls"]}},
    )


def test_a_call_that_was_carried_out_at_the_provider_is_not() -> None:
    shell = {"type": "shell_call", "id": "sh_1", "call_id": "call_1", "action": {"commands": ["ls"]}}
    done = {"type": "shell_call_output", "id": "so_1", "call_id": "call_1", "output": []}
    choice = whole(shell, done, message(words("Hi"))).choices[0]
    assert (choice.finish_reason, choice.delta) == ("stop", Delta("assistant", "Hi", refusal=None))


@pytest.mark.parametrize(("execution", "finish"), [("client", "tool_calls"), ("server", "stop")])
def test_a_search_for_tools_is_the_clients_if_it_says_so(execution: str, finish: str) -> None:
    search = {"type": "tool_search_call", "id": "t", "call_id": "c", "execution": execution, "arguments": {}}
    assert whole(search).choices[0].finish_reason == finish
