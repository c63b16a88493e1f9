"""Response healing through the whole line: whole and streamed, by plugin and by emulation, and told in metadata."""

import json
from typing import Any

import pytest

from llmgateway.domain.errors import UPSTREAM_UNREACHABLE, UpstreamError
from tests.support.fakes import (
    DONE,
    FINISH,
    FIRST,
    JSON,
    USAGE,
    Bench,
    Script,
    event,
    offer,
    provider,
    says,
    snapshot,
    whole,
)

PLUGINS = [{"id": "response-healing"}]
OBJECT = {"type": "json_object"}
SCHEMA = {
    "type": "json_schema",
    "json_schema": {
        "name": "answer",
        "schema": {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]},
    },
}
FENCED = ("Here:\n```js", 'on\n{"a"', ": 1}\n``", "`")


async def asked(*scripts: Script, lacks: tuple[str, ...] = (), **fields: Any) -> Bench:
    rows = snapshot(offer(lacks=frozenset(lacks)), providers=[provider(clean=True)])
    bench = Bench(*scripts, snapshot_=rows)
    await bench.ask(**fields)
    assert bench.bugs == []
    return bench


def deltas(bench: Bench) -> list[dict[str, Any]]:
    return [choice["delta"] for one in bench.down.events if isinstance(one, dict) for choice in one["choices"]]


def contents(bench: Bench) -> list[str]:
    return [delta["content"] for delta in deltas(bench) if delta.get("content")]


def stream(*texts: str) -> Script:
    return Script(FIRST, *[says(text) for text in texts], FINISH, USAGE, DONE)


@pytest.mark.parametrize(
    ("text", "shape", "content", "healing"),
    [
        ('{"a": 1}', OBJECT, '{"a": 1}', {"healed": False, "method": None, "schema_valid": None}),
        ('{"a": 1}', SCHEMA, '{"a": 1}', {"healed": False, "method": None, "schema_valid": True}),
        ('Well: {"a": 1}', SCHEMA, '{"a": 1}', {"healed": True, "method": "extract", "schema_valid": True}),
        ("".join(FENCED), SCHEMA, '{"a": 1}', {"healed": True, "method": "fence", "schema_valid": True}),
        ("{'a': 'x',}", SCHEMA, '{"a":"x"}', {"healed": True, "method": "repair", "schema_valid": False}),
        ('{"a": 1, "b', SCHEMA, '{"a": 1}', {"healed": True, "method": "complete", "schema_valid": True}),
        ("No.", SCHEMA, "No.", {"healed": False, "method": None, "schema_valid": False}),
    ],
)
@pytest.mark.parametrize("streamed", [False, True])
async def test_the_plugin_heals_and_tells(
    text: str, shape: dict[str, Any], content: str, healing: dict[str, Any], streamed: bool
) -> None:
    script = stream(text[:5], text[5:]) if streamed else Script(whole(text), headers=JSON)
    bench = await asked(script, plugins=PLUGINS, response_format=shape, stream=streamed)
    if streamed:
        assert contents(bench) == [content]
        assert bench.down.events[-2]["metadata"]["healing"] == healing
    else:
        assert bench.down.answer["choices"][0]["message"]["content"] == content
        assert bench.down.answer["metadata"]["healing"] == healing
    assert json.loads(bench.transport.requests[0].body)["response_format"] == shape


async def test_without_the_plugin_a_native_format_is_left_alone() -> None:
    bench = await asked(stream(*FENCED), response_format=OBJECT, stream=True)
    assert contents(bench) == list(FENCED)
    assert "healing" not in bench.down.events[-2]["metadata"]


@pytest.mark.parametrize("shape", [None, {"type": "text"}])
async def test_the_plugin_without_a_json_format_has_no_effect_and_is_listed(shape: Any) -> None:
    fields = {} if shape is None else {"response_format": shape}
    bench = await asked(Script(whole("```\n{}\n```"), headers=JSON), plugins=PLUGINS, **fields)
    answer = bench.down.answer
    assert answer["choices"][0]["message"]["content"] == "```\n{}\n```"
    assert "plugins" in answer["metadata"]["dropped_parameters"]
    assert "healing" not in answer["metadata"]


async def test_reasoning_still_streams_while_content_is_held_back() -> None:
    script = Script(FIRST, event({"reasoning": "hm"}), says(FENCED[0]), event({"reasoning": " so"}), says(FENCED[1]),
                    says(FENCED[2]), says(FENCED[3]), FINISH, USAGE, DONE)  # fmt: skip
    bench = await asked(script, plugins=PLUGINS, response_format=OBJECT, stream=True)
    told = [(delta.get("reasoning"), delta.get("content")) for delta in deltas(bench)]
    assert [one for one in told if any(one)] == [("hm", None), (" so", None), (None, '{"a": 1}')]
    assert deltas(bench)[0]["role"] == "assistant"
    assert [delta for delta in deltas(bench) if "role" in delta] == deltas(bench)[:1]


async def test_the_piece_comes_before_the_finish_reason() -> None:
    bench = await asked(stream(*FENCED), plugins=PLUGINS, response_format=OBJECT, stream=True)
    choices = [choice for one in bench.down.events if isinstance(one, dict) for choice in one["choices"]]
    where = [index for index, choice in enumerate(choices) if choice["delta"].get("content")]
    assert choices[where[0] + 1]["finish_reason"] == "stop"


def two(first: str, second: str, **more: Any) -> list[dict[str, Any]]:
    return [{"index": 0, **more, "delta": {"content": first}}, {"index": 1, **more, "delta": {"content": second}}]


@pytest.mark.parametrize("streamed", [False, True])
async def test_every_choice_is_healed(streamed: bool) -> None:
    texts = ['So: {"a": 1}', "{'a': 2}"]
    if streamed:
        script = Script(
            event(choices=two("So: {", "{'a'")),
            event(choices=two('"a": 1}', ": 2}")),
            event(choices=[{"index": n, "delta": {}, "finish_reason": "stop"} for n in (1, 0)]),
            USAGE,
            DONE,
        )
    else:
        choices = [{"index": n, "message": {"content": text}, "finish_reason": "stop"} for n, text in enumerate(texts)]
        script = Script(whole(choices=choices), headers=JSON)
    bench = await asked(script, plugins=PLUGINS, response_format=SCHEMA, stream=streamed, n=2)
    if streamed:
        pairs = [
            (choice["index"], choice["delta"]["content"])
            for one in bench.down.events[:-1]
            for choice in one["choices"]
            if choice["delta"].get("content")
        ]
        assert sorted(pairs) == [(0, '{"a": 1}'), (1, '{"a":2}')]
    else:
        assert [c["message"]["content"] for c in bench.down.answer["choices"]] == ['{"a": 1}', '{"a":2}']
    metadata = bench.down.events[-2]["metadata"] if streamed else bench.down.answer["metadata"]
    assert metadata["healing"]["healed"] is True
    assert metadata["healing"]["schema_valid"] is True


async def test_a_stream_that_breaks_while_content_is_held_back_can_still_be_an_error() -> None:
    """Nothing of it reached the caller, so it is an attempt that failed, not an answer cut short."""
    broken = UpstreamError(UPSTREAM_UNREACHABLE, "The connection broke.")
    bench = await asked(Script(FIRST, says("{"), broken), plugins=PLUGINS, response_format=OBJECT, stream=True)
    assert bench.down.status == 502
    assert bench.journal.exchange["outcome"] == "upstream_error"


async def test_tool_calls_pass_a_healer_untouched() -> None:
    call = {"index": 0, "id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    script = Script(FIRST, event({"tool_calls": [call]}), event({}, finish="tool_calls"), USAGE, DONE)
    bench = await asked(script, plugins=PLUGINS, response_format=OBJECT, stream=True)
    assert [delta["tool_calls"][0]["id"] for delta in deltas(bench) if "tool_calls" in delta] == ["c1"]
    healing = bench.down.events[-2]["metadata"]["healing"]
    assert healing == {"healed": False, "method": None, "schema_valid": None}


async def test_json_to_a_streamed_request_and_a_stream_to_a_whole_one_are_healed_too() -> None:
    bench = await asked(
        Script(whole('So: {"a": 1}'), headers=JSON), plugins=PLUGINS, response_format=OBJECT, stream=True
    )
    assert contents(bench) == ['{"a": 1}']
    bench = await asked(stream(*FENCED), plugins=PLUGINS, response_format=OBJECT)
    assert bench.down.answer["choices"][0]["message"]["content"] == '{"a": 1}'


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("shape", [SCHEMA, OBJECT])
async def test_a_format_the_mapping_lacks_is_asked_for_in_words_and_healed(
    shape: dict[str, Any], streamed: bool
) -> None:
    script = stream(*FENCED) if streamed else Script(whole("".join(FENCED)), headers=JSON)
    bench = await asked(script, lacks=(shape["type"],), response_format=shape, stream=streamed)
    sent = json.loads(bench.transport.requests[0].body)
    assert "response_format" not in sent
    assert sent["messages"][0]["role"] == "system"
    assert sent["messages"][1:] == [{"role": "user", "content": "Hello"}]
    metadata = bench.down.events[-2]["metadata"] if streamed else bench.down.answer["metadata"]
    assert metadata["healing"]["method"] == "fence"
    assert contents(bench) == ['{"a": 1}'] if streamed else True


@pytest.mark.parametrize(("fields", "chosen"), [({}, "cheap"), ({"response_format": SCHEMA}, "able")])
async def test_an_offer_that_keeps_to_the_format_comes_before_one_that_is_asked_in_words(
    fields: dict[str, Any], chosen: str
) -> None:
    rows = snapshot(offer("cheap", lacks=frozenset(("json_schema",))), offer("able", priority=0.5))
    bench = Bench(Script(whole('{"a":1}'), headers=JSON), snapshot_=rows)
    down = await bench.ask(**fields)
    assert down.answer["metadata"]["used_provider"] == chosen
