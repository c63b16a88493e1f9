"""What an answer holds: every field of usage and metadata, and the members of messages, whole and streamed."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.gateway import Gateway
from tests.support.http_client import Answer

NULLABLE = {
    "content", "refusal", "logprobs", "finish_reason", "requested_provider", "used_region", "region", "param", "code",
}  # fmt: skip
USAGE = {
    "prompt_tokens", "completion_tokens", "total_tokens", "reasoning_tokens", "prompt_tokens_details",
    "completion_tokens_details", "cost_usd_total", "cost_usd_input", "cost_usd_output", "cost_usd_cached_input",
    "cost_usd_request", "cost", "cost_details",
}  # fmt: skip
COST_DETAILS = {
    "upstream_inference_cost", "input_cost", "output_cost", "cached_input_cost", "cache_write_input_cost",
    "request_cost", "web_search_cost", "total_cost",
}  # fmt: skip
METADATA = {
    "request_id", "requested_model", "requested_provider", "used_model", "used_provider", "used_region",
    "underlying_used_model", "routing", "log_id", "cached", "dropped_parameters",
}  # fmt: skip
ROUTING = {
    "provider", "model", "region", "status_code", "error_type", "succeeded", "apiKeyHash", "logId", "latency_ms",
}  # fmt: skip
VARYING = {"id", "index", "signature"}
MODELS = ("auto", "tools", "parallel-tools", "reasoning", "image", "citations", "refusal", "lorem-20")
each_model = pytest.mark.parametrize("model", MODELS)
each_lane = pytest.mark.parametrize("lane", ["simulator", "sim", "clean"])


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_usage_and_metadata_are_complete(gateway: Gateway, stream: bool) -> None:
    answer = gateway.chat("told/metered", stream=stream, headers={"x-request-id": f"complete-{stream}"})
    told = answer.last_event if stream else answer.json
    assert told["usage"].keys() == USAGE
    assert told["usage"]["cost_details"].keys() == COST_DETAILS
    assert told["usage"]["prompt_tokens_details"].keys() == {
        "cached_tokens", "cache_write_tokens", "audio_tokens", "image_tokens",
    }  # fmt: skip
    assert told["usage"]["completion_tokens_details"].keys() == {"reasoning_tokens", "audio_tokens", "image_tokens"}
    metadata = told["metadata"]
    assert metadata.keys() - {"healing", "reported_model"} == METADATA
    (entry,) = metadata["routing"]
    assert entry.keys() == ROUTING
    assert {name: metadata[name] for name in METADATA - {"routing", "log_id"}} == {
        "request_id": f"complete-{stream}",
        "requested_model": "told/metered",
        "requested_provider": "told",
        "used_model": "told/metered",
        "used_provider": "told",
        "used_region": None,
        "underlying_used_model": "vendor-metered-1",
        "cached": False,
        "dropped_parameters": [],
    }
    assert metadata["log_id"] == entry["logId"] == gateway.attempts(gateway.exchange(f"complete-{stream}"))[0]["log_id"]
    assert len(entry["apiKeyHash"]) == 16


def test_a_bare_model_id_pins_no_provider(gateway: Gateway) -> None:
    metadata = gateway.chat("metered").json["metadata"]
    assert (metadata["requested_model"], metadata["requested_provider"]) == ("metered", None)
    assert metadata["used_model"] == "told/metered"


def test_the_envelope_of_a_whole_answer(gateway: Gateway) -> None:
    answer = gateway.chat("told/metered", told={"service_tier": "default"}).json
    assert {name: answer[name] for name in ("id", "object", "model", "service_tier")} == {
        "id": "chatcmpl-told",
        "object": "chat.completion",
        "model": "told/metered",
        "service_tier": "default",
    }
    assert answer["created"] != 1_700_000_000  # our clock's, not the provider's


def chunks_as_message(answer: Answer) -> dict[str, Any]:
    """The deltas of choice 0 put together, lists by their index, as SDKs do it."""
    message: dict[str, Any] = {}
    for event in answer.events:
        for choice in event["choices"]:
            fold(message, choice["delta"])
    return message


def fold(into: dict[str, Any], delta: dict[str, Any]) -> None:
    for name, value in delta.items():
        if isinstance(value, list):
            items = into.setdefault(name, [])
            for item in value:
                while len(items) <= item["index"]:
                    items.append({})
                fold(items[item["index"]], {key: member for key, member in item.items() if key != "index"})
        elif isinstance(value, dict):
            fold(into.setdefault(name, {}), value)
        elif isinstance(value, str) and isinstance(into.get(name), str) and name not in ("type", "format"):
            into[name] += value
        elif value is not None:
            into[name] = value


@each_lane
@each_model
def test_a_stream_adds_up_to_the_whole_message(gateway: Gateway, lane: str, model: str) -> None:
    whole = gateway.chat(f"{lane}/{model}").json["choices"][0]
    streamed = gateway.chat(f"{lane}/{model}", stream=True)
    told = {name: value for name, value in whole["message"].items() if value is not None}
    added = {name: value for name, value in chunks_as_message(streamed).items() if value != ""}
    assert without(added, VARYING) == without(told, VARYING)
    assert streamed.finish_reasons == [whole["finish_reason"]]


def without(value: Any, names: set[str]) -> Any:
    """Ids of tool calls and signatures differ from answer to answer."""
    if isinstance(value, dict):
        return {name: without(member, names) for name, member in value.items() if name not in names}
    return [without(member, names) for member in value] if isinstance(value, list) else value


@pytest.mark.parametrize(
    ("model", "members"),
    [
        ("tools", {"tool_calls"}),
        ("reasoning", {"reasoning", "reasoning_details"}),
        ("image", {"images"}),
        ("citations", {"annotations"}),
        ("refusal", {"refusal"}),
    ],
)
def test_the_members_of_a_message(gateway: Gateway, model: str, members: set[str]) -> None:
    message = gateway.chat(f"sim/{model}").json["choices"][0]["message"]
    assert {name for name in members if message.get(name)} == members
    assert message["role"] == "assistant"


@each_lane
@each_model
def test_what_is_absent_is_not_null(gateway: Gateway, lane: str, model: str) -> None:
    for answer in (gateway.chat(f"{lane}/{model}").json, *gateway.chat(f"{lane}/{model}", stream=True).events):
        assert set(nulls(answer)) <= NULLABLE


def nulls(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, member in value.items():
            if member is None:
                yield name
            yield from nulls(member)
    elif isinstance(value, list):
        for member in value:
            yield from nulls(member)


@each_lane
def test_items_of_streamed_lists_have_an_index(gateway: Gateway, lane: str) -> None:
    for model in ("parallel-tools", "reasoning", "image", "citations"):
        for event in gateway.chat(f"{lane}/{model}", stream=True).events:
            for choice in event["choices"]:
                lists = [value for value in choice["delta"].values() if isinstance(value, list)]
                assert all(isinstance(item["index"], int) for items in lists for item in items)


def test_reasoning_can_be_hidden(gateway: Gateway) -> None:
    fields: tuple[dict[str, Any], ...] = ({"include_reasoning": False}, {"reasoning": {"exclude": True}})
    for field in fields:
        whole = gateway.chat("sim/reasoning", **field)
        streamed = gateway.chat("sim/reasoning", stream=True, **field)
        assert b'"reasoning":' not in whole.body + streamed.body
        assert b'"reasoning_details":' not in whole.body + streamed.body
        assert whole.json["usage"]["reasoning_tokens"] > 0
        assert streamed.text == whole.text


def test_several_choices_keep_apart(gateway: Gateway) -> None:
    whole = gateway.chat("sim/auto", n=2).json
    streamed = gateway.chat("sim/auto", n=2, stream=True)
    assert [choice["index"] for choice in whole["choices"]] == [0, 1]
    assert streamed.finish_reasons == ["stop", "stop"]
    assert {choice["index"] for event in streamed.events for choice in event["choices"]} == {0, 1}


def test_log_probabilities_come_through(gateway: Gateway) -> None:
    choice = gateway.chat("sim/auto", logprobs=True, top_logprobs=2).json["choices"][0]
    assert len(choice["logprobs"]["content"][0]["top_logprobs"]) == 2
    events = gateway.chat("sim/auto", logprobs=True, top_logprobs=2, stream=True).events
    assert any(one["logprobs"] for event in events for one in event["choices"])
