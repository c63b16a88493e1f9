"""Healthy answers are what OpenAI's chat protocol prescribes, whole and streamed alike, and the same bytes for the
same input."""

from typing import Any

import msgspec
import pytest

from llmgateway.apps.simulator.openai_chat import CHAT_PATH
from llmgateway.apps.simulator.script import Data, Head, Request, Wait, body_of
from llmgateway.apps.simulator.simulation import Simulation

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
CLOCK = {"type": "function", "function": {"name": "clock", "parameters": {"type": "object", "properties": {}}}}
USER = [{"role": "user", "content": "Good morning"}]
CALLED = [
    *USER,
    {
        "role": "assistant",
        "tool_calls": [{"id": "c", "type": "function", "function": {"name": "x", "arguments": "{}"}}],
    },
    {"role": "tool", "tool_call_id": "c", "content": "21 degrees"},
]


def ask(model: str = "auto", *, simulation: Simulation | None = None, steering: object = None, **fields: Any) -> Any:
    """The body as JSON; of a stream the list of its events."""
    headers = () if steering is None else ((b"x-simulator", msgspec.json.encode(steering)),)
    body = msgspec.json.encode({"model": model, "messages": USER} | fields)
    asked = Simulation(now=lambda: 5) if simulation is None else simulation
    script, _ = asked.answer(Request("POST", CHAT_PATH, headers, body))
    data = body_of(script)
    if not fields.get("stream"):
        return msgspec.json.decode(data)
    frames = data.split(b"\n\n")
    assert frames[-2:] == [b"data: [DONE]", b""]
    return [msgspec.json.decode(frame.removeprefix(b"data: ")) for frame in frames[:-2]]


def folded(events: list[Any]) -> dict[int, Any]:
    """The messages that a stream's deltas add up to, by choice."""
    messages: dict[int, Any] = {}
    for event in events:
        for choice in event["choices"]:
            message = messages.setdefault(choice["index"], {"finish_reason": None, "logprobs": []})
            message["finish_reason"] = choice["finish_reason"] or message["finish_reason"]
            message["logprobs"] += (choice["logprobs"] or {"content": []})["content"]
            _add(message, choice["delta"])
    return messages


def _add(message: dict[str, Any], delta: dict[str, Any]) -> None:
    for key, value in delta.items():
        if isinstance(value, str) and key not in ("role", "type", "format"):
            message[key] = message.get(key, "") + value
        elif isinstance(value, list):
            items = message.setdefault(key, {})
            for item in value:
                _add(items.setdefault(item["index"], {}), item)
        elif isinstance(value, dict):
            _add(message.setdefault(key, {}), value)
        elif value is not None:
            message[key] = value


def test_echo_says_what_the_last_user_message_says() -> None:
    parts = [
        {"type": "text", "text": "a "},
        {"type": "image_url", "image_url": {"url": "x"}},
        {"type": "text", "text": "b"},
    ]
    for messages, expected in (([*USER, {"role": "user", "content": parts}], "a b"), (USER, "Good morning")):
        assert ask("echo", messages=messages)["choices"][0]["message"]["content"] == expected


def test_echo_keeps_every_character_through_a_stream() -> None:
    text = '  Grüße,\n\t你好 👋🏽\u200d — ½ “x” \\ " </s> \u0000'
    events = ask("echo", messages=[{"role": "user", "content": text}], stream=True)
    assert folded(events)[0]["content"] == text


@pytest.mark.parametrize("tokens", [0, 1, 7, 200, 5000])
def test_lorem_has_as_many_tokens_as_asked(tokens: int) -> None:
    assert ask(f"lorem-{tokens}")["usage"]["completion_tokens"] == tokens
    events = ask("auto", steering={"tokens": tokens}, stream=True)
    assert len(events) == tokens + 2


def test_a_stream_keeps_its_order() -> None:
    """Role first and once, one finish, usage in a last chunk without choices when asked for, one id throughout."""
    events = ask("lorem-9", stream=True, stream_options={"include_usage": True})
    deltas = [choice["delta"] for event in events for choice in event["choices"]]
    assert ["role" in delta for delta in deltas] == [True] + [False] * 10
    assert [bool(event["choices"]) for event in events] == [True] * 11 + [False]
    assert [event["usage"] is not None for event in events] == [False] * 11 + [True]
    assert [choice["finish_reason"] for event in events for choice in event["choices"]] == [None] * 10 + ["stop"]
    assert len({(event["id"], event["created"], event["model"]) for event in events}) == 1


def test_usage_is_absent_from_a_stream_that_did_not_ask_for_it() -> None:
    assert not any("usage" in event for event in ask(stream=True))


@pytest.mark.parametrize(
    ("model", "fields"),
    [
        ("echo", {}),
        ("lorem-30", {"max_tokens": 10}),
        ("auto", {"n": 3}),
        ("auto", {"tools": [WEATHER]}),
        ("parallel-tools", {"tools": [WEATHER, CLOCK]}),
        ("auto", {"functions": [WEATHER["function"]]}),
        ("reasoning", {}),
        ("image", {}),
        ("citations", {}),
        ("refusal", {}),
        ("auto", {"response_format": {"type": "json_object"}}),
        ("echo", {"logprobs": True, "top_logprobs": 2}),
    ],
)
def test_a_stream_adds_up_to_the_whole_answer(model: str, fields: dict[str, Any]) -> None:
    """The same request streamed and whole differs in nothing but its ids."""
    whole = {choice["index"]: choice for choice in ask(model, **fields)["choices"]}
    streamed = folded(ask(model, **fields, stream=True))
    assert set(whole) == set(streamed)
    for index, choice in whole.items():
        message, found = choice["message"], streamed[index]
        assert found["finish_reason"] == choice["finish_reason"]
        assert found["logprobs"] == (choice["logprobs"] or {"content": []})["content"]
        for key in ("content", "refusal", "reasoning"):
            assert (found.get(key) or None) == (message.get(key) or None)
        calls = [call["function"] for call in message.get("tool_calls", ())]
        assert [call["function"] for call in found.get("tool_calls", {}).values()] == calls
        assert found.get("function_call") == message.get("function_call")
        for key in ("images", "annotations"):
            items = [item for _, item in sorted(found.get(key, {}).items())]
            assert list(message.get(key, ())) == [{k: v for k, v in item.items() if k != "index"} for item in items]


def test_reasoning_carries_a_signature_and_counts() -> None:
    answer = ask("reasoning")
    message = answer["choices"][0]["message"]
    assert message["reasoning_details"][0]["text"] == message["reasoning"]
    assert message["reasoning_details"][0]["signature"]
    assert 0 < answer["usage"]["completion_tokens_details"]["reasoning_tokens"] < answer["usage"]["completion_tokens"]


def test_auto_prefers_json_to_tools_to_text() -> None:
    """A response_format first, then a tool call while no result is there and none is not chosen, then a sentence."""
    schema = {"type": "object", "properties": {"age": {"type": "integer"}}, "required": ["age"]}
    form = {"type": "json_schema", "json_schema": {"name": "p", "schema": schema}}
    assert ask(tools=[WEATHER], response_format=form)["choices"][0]["message"]["content"] == '{"age":42}'
    assert ask(response_format={"type": "json_object"})["choices"][0]["message"]["content"] == '{"ok":true}'
    call = ask(tools=[CLOCK, WEATHER])["choices"][0]
    assert (call["message"]["tool_calls"][0]["function"]["name"], call["finish_reason"]) == ("clock", "tool_calls")
    for fields in ({"messages": CALLED, "tools": [WEATHER]}, {"tools": [WEATHER], "tool_choice": "none"}, {}):
        choice = ask(**fields)["choices"][0]
        assert choice["finish_reason"] == "stop"
        assert choice["message"]["content"]
    assert "21 degrees" in ask(messages=CALLED)["choices"][0]["message"]["content"]


def test_a_forced_tool_is_the_one_that_is_called() -> None:
    forced = {"type": "function", "function": {"name": "get_weather"}}
    call = ask(tools=[CLOCK, WEATHER], tool_choice=forced)["choices"][0]["message"]["tool_calls"][0]
    assert call["function"] == {"name": "get_weather", "arguments": '{"city":"Paris"}'}


def test_parallel_calls_keep_to_what_the_request_allows() -> None:
    """Each tool once, a single tool twice with different arguments and ids, one call when parallel calls are off."""
    names = [call["function"]["name"] for call in calls(ask("parallel-tools", tools=[CLOCK, WEATHER]))]
    assert names == ["clock", "get_weather"]
    twice = calls(ask("parallel-tools", tools=[WEATHER]))
    assert len({call["function"]["arguments"] for call in twice}) == len({call["id"] for call in twice}) == 2
    assert len(calls(ask("parallel-tools", tools=[CLOCK, WEATHER], parallel_tool_calls=False))) == 1


def calls(answer: Any) -> list[Any]:
    return answer["choices"][0]["message"]["tool_calls"]


def test_a_legacy_function_is_called_as_one() -> None:
    choice = ask(functions=[WEATHER["function"]], function_call={"name": "get_weather"})["choices"][0]
    assert choice["finish_reason"] == "function_call"
    assert choice["message"]["function_call"] == {"name": "get_weather", "arguments": '{"city":"Paris"}'}
    assert "tool_calls" not in choice["message"]


def test_limits_and_stop_sequences_cut_the_answer() -> None:
    short = ask("lorem-100", max_completion_tokens=5)
    assert (short["usage"]["completion_tokens"], short["choices"][0]["finish_reason"]) == (5, "length")
    stopped = ask("echo", messages=[{"role": "user", "content": "one two three"}], stop=["three", " two"])["choices"][0]
    assert (stopped["message"]["content"], stopped["finish_reason"]) == ("one", "stop")


def test_no_answer_is_longer_than_the_simulators_own_limit() -> None:
    """Inside a gateway nobody can make it work for seconds: 10,000 tokens over all choices, then `length`."""
    giant = [{"role": "user", "content": "word " * 100_000}]
    for answer in (ask("lorem-1000000"), ask("echo", messages=giant), ask("lorem-1000000", n=100)):
        assert answer["usage"]["completion_tokens"] == 10_000
        assert {choice["finish_reason"] for choice in answer["choices"]} == {"length"}


def test_the_header_overrides_everything() -> None:
    steering = {
        "text": "Steered",
        "reasoning": "Because",
        "finish_reason": "content_filter",
        "images": 2,
        "citations": 3,
        "usage": {
            "prompt_tokens": 7,
            "completion_tokens": 9,
            "cached_tokens": 3,
            "cache_write_tokens": 2,
            "reasoning_tokens": 4,
        },
    }
    answer = ask("lorem", steering=steering)
    choice, usage = answer["choices"][0], answer["usage"]
    assert (choice["message"]["content"], choice["message"]["reasoning"]) == ("Steered", "Because")
    assert choice["finish_reason"] == "content_filter"
    assert (len(choice["message"]["images"]), len(choice["message"]["annotations"])) == (2, 3)
    assert (usage["prompt_tokens"], usage["completion_tokens"], usage["total_tokens"]) == (7, 9, 16)
    assert usage["prompt_tokens_details"] == {"cached_tokens": 3, "audio_tokens": 0, "cache_write_tokens": 2}
    assert usage["completion_tokens_details"]["reasoning_tokens"] == 4
    steered = ask(steering={"tool_calls": [{"name": "f", "arguments": {"x": 1}}, {"name": "g"}]})
    assert [call["function"] for call in calls(steered)] == [
        {"name": "f", "arguments": '{"x":1}'},
        {"name": "g", "arguments": "{}"},
    ]
    assert ask(steering={"refusal": "No."})["choices"][0]["message"]["refusal"] == "No."


def test_logprobs_come_when_asked_for() -> None:
    rows = ask("echo", logprobs=True, top_logprobs=3)["choices"][0]["logprobs"]["content"]
    assert "".join([row["token"] for row in rows]) == "Good morning"
    assert all(len(row["top_logprobs"]) == 3 and row["logprob"] < 0 for row in rows)
    assert ask("echo")["choices"][0]["logprobs"] is None


def test_the_same_requests_get_the_same_bytes() -> None:
    """Two simulations with one clock answer a sequence of requests equally; within one, ids differ."""
    first, second = Simulation(now=lambda: 5), Simulation(now=lambda: 5)
    sequence = [("echo", False), ("reasoning", True), ("parallel-tools", False), ("image", True), ("echo", False)]
    answers = [
        [ask(model, simulation=simulation, stream=streamed) for model, streamed in sequence]
        for simulation in (first, second)
    ]
    assert answers[0] == answers[1]
    assert answers[0][0]["id"] != answers[0][4]["id"]


def test_delays_stand_where_the_header_puts_them() -> None:
    """The first token waits, each later one too; the end follows at once. A whole answer takes as long in one piece."""
    headers = ((b"x-simulator", b'{"first_token_ms": 100, "per_token_ms": 20}'),)
    body = {"model": "lorem-4", "messages": USER}
    streamed, _ = Simulation().answer(Request("POST", CHAT_PATH, headers, msgspec.json.encode(body | {"stream": True})))
    waits = [step.seconds if isinstance(step, Wait) else type(step) for step in streamed]
    assert waits == [Head, 0.1, Data, Data, 0.02, Data, 0.02, Data, 0.02, Data, Data, Data]
    counted = body | {"stream": True, "stream_options": {"include_usage": True}}
    with_usage, _ = Simulation().answer(Request("POST", CHAT_PATH, headers, msgspec.json.encode(counted)))
    assert sum([isinstance(step, Wait) for step in with_usage]) == 4
    whole, _ = Simulation().answer(Request("POST", CHAT_PATH, headers, msgspec.json.encode(body)))
    assert isinstance(whole[0], Wait)
    assert whole[0].seconds == pytest.approx(0.16)


def test_the_prompt_cache_reports_what_a_conversation_repeats() -> None:
    """Each turn of a growing conversation finds the blocks of the one before; another conversation finds none."""
    simulation = Simulation()
    messages: list[Any] = [{"role": "system", "content": "Be brief. " * 300}]
    cached: list[int] = []
    for turn in range(4):
        messages.append({"role": "user", "content": f"Question {turn} " * 60})
        usage = ask("lorem-5", simulation=simulation, messages=messages)["usage"]
        cached.append(usage["prompt_tokens_details"]["cached_tokens"])
        assert usage["prompt_tokens_details"]["cached_tokens"] <= usage["prompt_tokens"]
        messages.append({"role": "assistant", "content": "Yes."})
    assert cached[0] == 0
    assert cached == sorted(set(cached))
    assert all(count % 256 == 0 for count in cached)
    other = ask("echo", simulation=simulation, messages=messages)["usage"]
    assert other["prompt_tokens_details"]["cached_tokens"] == 0
