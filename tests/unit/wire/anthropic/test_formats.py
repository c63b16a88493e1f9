"""Response formats: native where the model has them, else made up for; and how the answer comes back."""

import json
from typing import Any

import pytest

from llmgateway.domain.reply import Chunk, Fold
from llmgateway.domain.routing import Deployment
from llmgateway.wire.anthropic.upstream import Anthropic
from llmgateway.wire.anthropic.vocabulary import emulates
from tests.unit.wire.anthropic.asking import NEW, OLD, built, chat_of, claude, tool

SCHEMA: dict[str, Any] = {"type": "object", "properties": {"a": {"type": "integer"}}, "additionalProperties": False}
MAP: dict[str, Any] = {"type": "object", "additionalProperties": {"type": "integer"}}


def by(schema: dict[str, Any] | None) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "n", "schema": schema, "strict": True}}


@pytest.mark.parametrize(
    ("to", "shape", "how"),
    [
        (claude(), {"type": "text"}, None),
        (claude(), by(SCHEMA), None),
        (claude(), by(MAP), "tool"),
        (claude(NEW), by(SCHEMA), None),
        (claude("claude-opus-5-5"), by(MAP), "instruction"),
        (claude(OLD), by(SCHEMA), "tool"),
        (claude(OLD), by({"type": "array"}), "instruction"),
        (claude(OLD), by(None), "instruction"),
        (claude(OLD, has=frozenset(("json_schema",))), by(SCHEMA), None),
        (claude(lacks=frozenset(("json_schema",))), by(SCHEMA), "tool"),
        (claude(quirks=("vertex",)), by(SCHEMA), "tool"),
        (claude(quirks=("vertex",), has=frozenset(("json_schema",))), by(SCHEMA), None),
        (claude(), {"type": "json_object"}, "instruction"),
    ],
)
def test_how_a_format_is_made_up_for(to: Deployment, shape: dict[str, Any], how: str | None) -> None:
    assert emulates(chat_of(response_format=shape), to=to) == how
    assert emulates(chat_of(), to=to) is None


def test_natively_the_schema_is_the_callers() -> None:
    sent, dropped = built(claude(), response_format=by(SCHEMA))
    assert sent["output_config"] == {"format": {"type": "json_schema", "schema": SCHEMA}}
    assert (sent.get("tools"), dropped) == (None, ())


def test_by_a_tool_that_must_be_called() -> None:
    sent, _ = built(claude(OLD), response_format=by(SCHEMA), reasoning_effort="low")
    assert [(one["name"], one["input_schema"]) for one in sent["tools"]] == [("json_answer", SCHEMA)]
    assert sent["tool_choice"] == {"type": "tool", "name": "json_answer", "disable_parallel_tool_use": True}
    assert "thinking" not in sent


def test_the_callers_tools_stay_on_offer() -> None:
    sent, _ = built(claude(OLD), response_format=by(SCHEMA), tools=[tool("json_answer")])
    assert [one["name"] for one in sent["tools"]] == ["json_answer", "json_answer_"]
    assert sent["tool_choice"] == {"type": "any"}
    sent, _ = built(claude(OLD), response_format=by(SCHEMA), tools=[tool()], tool_choice="none")
    assert sent["tool_choice"]["name"] == "json_answer"
    sent, _ = built(claude(OLD), response_format=by(SCHEMA), tools=[tool()], tool_choice="required")
    assert ([one["name"] for one in sent["tools"]], sent["tool_choice"]) == (["look"], {"type": "any"})


def test_by_an_instruction() -> None:
    sent, _ = built(claude(), response_format={"type": "json_object"})
    assert "JSON object" in sent["system"][-1]["text"]
    sent, _ = built(claude(OLD), response_format=by({"type": "array", "items": {"type": "string"}}))
    schema = sent["system"][-1]["text"].partition("\n")[2]
    assert json.loads(schema) == {"type": "array", "items": {"type": "string"}}


def test_the_tools_input_is_the_answer() -> None:
    chat = chat_of(response_format=by(SCHEMA), tools=[tool()])
    block = {"type": "tool_use", "id": "t", "name": "json_answer", "input": {"a": 1}}
    body = {"content": [block], "stop_reason": "tool_use", "usage": {"input_tokens": 1, "output_tokens": 1}}
    (choice,) = Anthropic().whole(json.dumps(body).encode(), chat=chat, to=claude(OLD)).choices
    assert json.loads(choice.delta.content or "") == {"a": 1}
    assert (choice.finish_reason, choice.raw_finish_reason) == ("stop", "tool_use")
    assert not choice.delta.tool_calls
    block["name"] = "look"
    (choice,) = Anthropic().whole(json.dumps(body).encode(), chat=chat, to=claude(OLD)).choices
    assert (choice.finish_reason, choice.delta.content) == ("tool_calls", None)


def test_the_tools_input_is_the_answer_in_a_stream_too() -> None:
    chat = chat_of(response_format=by(SCHEMA), stream=True)
    start = {"type": "tool_use", "id": "t", "name": "json_answer", "input": {}}
    pieces = ["", '{"a"', ": 1}"]
    events: list[dict[str, Any]] = [{"type": "content_block_start", "index": 0, "content_block": start}]
    events += [
        {"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": piece}}
        for piece in pieces
    ]
    events += [
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 3}},
        {"type": "message_stop"},
    ]
    decoder = Anthropic().decoder(chat=chat, to=claude(OLD))
    chunks = decoder.feed(b"".join(b"data: %b\n\n" % json.dumps(event).encode() for event in events))
    told = [choice.delta.content for chunk in chunks for choice in chunk.choices if choice.delta.content]
    assert told == ['{"a"', ": 1}"]
    assert whole(chunks).choices[0].finish_reason == "stop"


def whole(chunks: list[Chunk]) -> Chunk:
    fold = Fold()
    for chunk in chunks:
        fold.add(chunk)
    return fold.response()
