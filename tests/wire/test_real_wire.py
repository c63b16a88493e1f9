"""What real providers are known to do on the wire: each habit found in the recordings, and what a client sees of it."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.corpus import Recording, chats, needs_corpora
from tests.support.independent_chat_reader import events_of as recorded_events
from tests.support.independent_chat_reader import read_stream, read_whole
from tests.wire.playback import Playback
from tests.wire.replaying import mistakes, played
from tests.wire.told import events_of

pytestmark = needs_corpora
LANE = Playback(clean=True)


def streams(provider: str, habit: Callable[[Recording], object] = lambda _: True) -> list[Recording]:
    found = [one for one in chats() if one.provider == provider and one.streamed and one.status == 200 and habit(one)]
    assert found, f"no recorded stream of {provider} does that"
    return found


def wholes(provider: str, habit: Callable[[Recording], object] = lambda _: True) -> list[Recording]:
    found = [
        one for one in chats() if one.provider == provider and not one.streamed and one.status == 200 and habit(one)
    ]
    assert found, f"no recorded answer of {provider} does that"
    return found


def told_events(recording: Recording) -> list[dict[str, Any]]:
    """What the client gets, invariants checked, equal to what was recorded."""
    client = played(LANE, recording)
    assert mistakes(LANE, recording, client) == [], recording.source
    return events_of(client.streamed)


def with_choices(recording: Recording) -> list[dict[str, Any]]:
    return [event for event in recorded_events(recording.body) if event.get("choices")]


def finishes(events: list[dict[str, Any]]) -> list[str]:
    return [choice["finish_reason"] for event in events for choice in event["choices"] if choice["finish_reason"]]


def usages(recording: Recording) -> int:
    return sum(1 for event in recorded_events(recording.body) if event.get("usage"))


def test_openrouter_comments_reach_no_client() -> None:
    for one in streams("openrouter", lambda one: b": OPENROUTER PROCESSING" in one.body):
        told_events(one)
        assert b"OPENROUTER" not in played(LANE, one).streamed


def test_openrouter_white_space_before_a_whole_answer_is_skipped() -> None:
    for one in wholes("openrouter", lambda one: one.body[:1].isspace()):
        assert mistakes(LANE, one, played(LANE, one)) == []


def test_openrouter_two_finish_chunks_become_one() -> None:
    for one in streams("openrouter", lambda one: len(finishes(with_choices(one))) > 1):
        assert finishes(told_events(one)) == [read_stream(one.body).choices[0].finish]


def test_openrouter_role_in_every_chunk_is_told_once() -> None:
    for one in streams("openrouter", lambda one: one.body.count(b'"role":"assistant"') > 2):
        assert sum("role" in choice["delta"] for event in told_events(one) for choice in event["choices"]) == 1


def test_openrouter_usage_beside_choices_is_told_last() -> None:
    for one in streams("openrouter", lambda one: any(event.get("usage") for event in with_choices(one))):
        assert "usage" in told_events(one)[-1]


def test_openrouter_error_chunk_inside_a_200_is_an_error() -> None:
    body = b'data: {"id":"gen-1","choices":[],"error":{"code":429,"message":"Provider returned error"}}\n\n'
    for one in streams("openrouter")[:1]:
        client = played(LANE, one, body=b": OPENROUTER PROCESSING\n\n" + body)
        assert (client.status, client.error["code"]) == (429, "upstream_rate_limited")


def test_azure_first_chunk_without_id_and_role_is_passed_over_and_its_filter_results_are_kept() -> None:
    for one in streams("azure", lambda one: re.search(rb'^data: \{[^\n]*"id":\s*""', one.body)):
        events = told_events(one)
        assert events[0]["id"]
        assert events[0]["choices"][0]["delta"]["role"] == "assistant"
        assert "prompt_filter_results" in events[0] or b"prompt_filter_results" not in one.body


def test_openai_usage_chunk_without_choices_is_told_once_and_last() -> None:
    for one in streams("openai", lambda one: re.search(rb'"choices":\s*\[\]', one.body) and usages(one) == 1):
        events = told_events(one)
        assert [("usage" in event) for event in events].count(True) == 1


def test_openai_finish_stop_with_tool_calls_is_tool_calls() -> None:
    found = [
        one
        for one in chats()
        if one.status == 200
        for answer in [(read_stream if one.streamed else read_whole)(one.body)]
        if answer.choices
        and answer.choices[0].calls
        and b'"finish_reason": "stop"' in one.body.replace(b'":"', b'": "')
    ]
    assert found
    for one in found:
        client = played(LANE, one)
        assert mistakes(LANE, one, client) == []
        record = LANE.ledger.records[0].exchange
        assert (record.finish_reason, record.raw_finish_reason) == ("tool_calls", "stop")


def test_groq_arguments_in_one_chunk_and_usage_in_several() -> None:
    for one in streams("groq", lambda one: b'"x_groq"' in one.body):
        told_events(one)


def test_groq_error_chunk_that_ends_the_stream_is_an_error_event() -> None:
    """After content; before it, the same chunk is an error answer with Groq's own status and code."""
    error = (
        b'event: error\ndata: {"error":{"message":"Failed to call a function.","type":"invalid_request_error",'
        b'"code":"tool_use_failed","failed_generation":"<function=x>","status_code":400}}\n\n'
    )
    for one in streams("groq", lambda one: read_stream(one.body).choices[0].text):
        last = events_of(played(LANE, one, body=b"".join(one.events[:3]) + error).streamed)[-1]
        assert (last["error"]["status"], last["error"]["code"]) == (400, "tool_use_failed")
        client = played(LANE, one, body=error)
        assert (client.status, client.error["code"]) == (400, "tool_use_failed")


@pytest.mark.parametrize("provider", ["deepseek", "zai", "xai"])
def test_reasoning_content_is_told_as_reasoning(provider: str) -> None:
    for one in streams(provider, lambda one: re.search(rb'"reasoning_content":\s*"', one.body)):
        events = told_events(one)
        assert not any("reasoning_content" in choice["delta"] for event in events for choice in event["choices"])
        assert any(choice["delta"].get("reasoning") for event in events for choice in event["choices"])


@pytest.mark.parametrize("provider", ["deepseek", "zai"])
def test_usage_inside_a_chunk_with_choices_is_moved_to_the_end(provider: str) -> None:
    for one in streams(provider, lambda one: any(event.get("usage") for event in with_choices(one))):
        assert all("usage" not in event for event in told_events(one)[:-1])


def test_xai_counts_the_reasoning_it_bills() -> None:
    """completion_tokens leaves reasoning out there; total − prompt does not."""
    for one in wholes("xai", lambda one: json.loads(one.body)["usage"].get("completion_tokens_details")):
        usage = json.loads(one.body)["usage"]
        told = json.loads(played(LANE, one).body)["usage"]
        assert told["completion_tokens"] == max(
            usage["completion_tokens"], usage["total_tokens"] - usage["prompt_tokens"]
        )
        assert told["total_tokens"] == usage["total_tokens"]


@pytest.mark.parametrize("form", [streams, wholes])
def test_mistral_content_as_a_list_of_parts_is_text_and_reasoning(form: Callable[..., list[Recording]]) -> None:
    for one in form("mistral", lambda one: re.search(rb'"content":\s*\[', one.body)):
        assert mistakes(LANE, one, played(LANE, one)) == []
        answer = (read_stream if one.streamed else read_whole)(one.body).choices[0]
        assert answer.reasoning


def test_databricks_usage_and_role_in_every_chunk() -> None:
    for one in streams("databricks", lambda one: usages(one) > 1):
        told_events(one)


def test_hugging_face_streams_without_done_are_complete() -> None:
    for one in streams("huggingface"):
        client = played(LANE, one, body=one.body.replace(b"data: [DONE]", b"").rstrip())
        assert mistakes(LANE, one, client) == []
        assert "error" not in events_of(client.streamed)[-1]


def test_cloudflare_without_any_role_gets_one() -> None:
    for one in streams("cloudflare", lambda one: b'"role"' not in one.body):
        assert told_events(one)[0]["choices"][0]["delta"]["role"] == "assistant"


def test_cloudflare_json_mode_object_is_told_as_its_text() -> None:
    """Content that is an object, not a string: the JSON that was asked for."""
    body = b'{"choices":[{"index":0,"message":{"role":"assistant","content":{"city":"Paris"}},"finish_reason":"stop"}]}'
    for streamed in (False, True):
        client = played(LANE, wholes("openai")[0], body=body, streamed=streamed)
        assert rb"{\"city\":\"Paris\"}" in (client.streamed if streamed else client.body)


def test_ollama_repeats_the_role() -> None:
    for one in streams("ollama", lambda one: one.body.count(b'"role":"assistant"') > 2):
        told_events(one)


def test_llama_cpp_python_repeats_id_and_name_in_every_delta() -> None:
    """Naive concatenation gives `get_weatherget_weather`."""
    deltas = ['{"', "city", '": "Par', 'is"}']
    body = b"".join(
        b"data: "
        + json.dumps(
            {
                "id": "chatcmpl-1",
                "choices": [
                    {
                        "index": 0,
                        "delta": {
                            "role": None,
                            "content": None,
                            "tool_calls": [
                                {
                                    "index": 0,
                                    "id": "call__0_get_weather_cmpl-1",
                                    "type": "function",
                                    "function": {"name": "get_weather", "arguments": arguments},
                                }
                            ],
                        },
                        "finish_reason": None,
                    }
                ],
            }
        ).encode()
        + b"\n\n"
        for arguments in deltas
    )
    body += (
        b'data: {"id":"chatcmpl-1","choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}\n\ndata: [DONE]\n\n'
    )
    events = events_of(played(LANE, streams("openai")[0], body=body).streamed)
    calls = [
        call for event in events[:-1] for choice in event["choices"] for call in choice["delta"].get("tool_calls", [])
    ]
    assert [call["function"].get("name") for call in calls] == ["get_weather", None, None, None]
    assert "".join(call["function"]["arguments"] for call in calls) == '{"city": "Paris"}'
    assert [call.get("id") for call in calls] == ["call__0_get_weather_cmpl-1", None, None, None]


def test_an_event_stream_needs_no_charset() -> None:
    plain = [one for one in chats() if one.streamed and (b"content-type", b"text/event-stream") in one.headers]
    assert len({one.provider for one in plain}) > 5
    for one in plain:
        assert mistakes(LANE, one, played(LANE, one)) == []


def test_snowflake_zero_values_are_not_told_as_content() -> None:
    """Empty audio, call and finish reason are how its encoder says that there is none."""
    for one in wholes("snowflake"):
        message = json.loads(played(LANE, one).body)["choices"][0]["message"]
        assert "audio" not in message
        assert "function_call" not in message
        assert all("custom" not in call for call in message.get("tool_calls", ()))


def test_writer_message_beside_the_delta_is_not_told_twice() -> None:
    for one in streams("writer", lambda one: b'"message":' in one.body):
        told_events(one)


def test_a_stream_that_calls_itself_json_is_read_all_the_same() -> None:
    for one in streams("openai", lambda one: (b"content-type", b"application/json") in one.headers):
        for streamed in (True, False):
            assert mistakes(LANE, one, played(LANE, one, streamed=streamed)) == []
