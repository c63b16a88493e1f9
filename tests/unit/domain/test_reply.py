"""The fold: the one place where deltas become a message, whatever way the answer was cut into chunks."""

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET, Raw

from llmgateway.domain.reply import ChoiceDelta, Chunk, Delta, Fold, ToolCallDelta, ToolFunctionDelta
from llmgateway.domain.usage import Usage


def folded(*chunks: Chunk) -> Chunk:
    fold = Fold()
    for chunk in chunks:
        fold.add(chunk)
    return fold.response()


def of(delta: Delta, *, index: int = 0, **fields: Any) -> Chunk:
    return Chunk([ChoiceDelta(index, delta, **fields)])


def message(*deltas: Delta) -> Delta:
    return folded(*map(of, deltas)).choices[0].delta


def call(index: int, arguments: str = "", **fields: Any) -> ToolCallDelta:
    name = fields.pop("name", UNSET)
    return ToolCallDelta(index, function=ToolFunctionDelta(name, arguments), **fields)


def test_text_is_appended_each_kind_to_its_own() -> None:
    whole = message(Delta(content="a", reasoning="x"), Delta(content="b", refusal="no"), Delta(reasoning="y"))
    assert (whole.content, whole.reasoning, whole.refusal) == ("ab", "xy", "no")
    assert whole.role == "assistant"


def test_what_never_came_is_absent_and_content_is_null() -> None:
    assert msgspec.json.encode(message(Delta())) == b'{"role":"assistant","content":null}'


def test_arguments_of_interleaved_calls_go_to_their_own_call() -> None:
    whole = message(
        Delta(tool_calls=[call(0, '{"a"', id="c0", type="function", name="f")]),
        Delta(tool_calls=[call(1, "{", id="c1", type="function", name="g")]),
        Delta(tool_calls=[call(0, ":1}"), call(1, "}")]),
    )
    assert whole.tool_calls == [
        call(0, '{"a":1}', id="c0", type="function", name="f"),
        call(1, "{}", id="c1", type="function", name="g"),
    ]


def test_calls_are_in_the_order_of_their_index_not_of_arrival() -> None:
    whole = message(Delta(tool_calls=[call(1, id="b")]), Delta(tool_calls=[call(0, id="a")]))
    assert whole.tool_calls
    assert [one.id for one in whole.tool_calls] == ["a", "b"]


def test_calls_of_a_whole_answer_that_have_no_index_stay_apart() -> None:
    calls = [ToolCallDelta(UNSET, id="a"), ToolCallDelta(UNSET, id="b")]
    whole = message(Delta(tool_calls=calls))
    assert whole.tool_calls
    assert [one.id for one in whole.tool_calls] == ["a", "b"]


def test_the_input_of_a_custom_tool_call_is_appended() -> None:
    whole = message(
        Delta(tool_calls=[ToolCallDelta(0, id="c", type="custom", custom={"name": "sql", "input": "SELECT"})]),
        Delta(tool_calls=[ToolCallDelta(0, custom={"input": " 1"})]),
    )
    assert whole.tool_calls
    assert whole.tool_calls[0].custom == {"name": "sql", "input": "SELECT 1"}


def test_a_fold_leaves_the_chunks_as_they_were() -> None:
    """Held chunks are folded to look at them and then relayed."""
    chunks = [of(Delta(tool_calls=[call(0, "{", id="c", name="f")])), of(Delta(tool_calls=[call(0, "}")]))]
    before = msgspec.json.encode([chunk.choices for chunk in chunks])
    folded(*chunks)
    assert msgspec.json.encode([chunk.choices for chunk in chunks]) == before


def test_listed_items_are_merged_by_their_index() -> None:
    whole = message(
        Delta(reasoning_details=[{"type": "reasoning.text", "text": "I ", "index": 0}]),
        Delta(reasoning_details=[{"type": "reasoning.encrypted", "data": "xx", "index": 1}]),
        Delta(reasoning_details=[{"text": "think", "signature": "sig", "index": 0}]),
    )
    assert whole.reasoning_details == [
        {"type": "reasoning.text", "text": "I think", "signature": "sig", "index": 0},
        {"type": "reasoning.encrypted", "data": "xx", "index": 1},
    ]


def test_items_without_an_index_are_items_of_their_own() -> None:
    whole = message(
        Delta(annotations=[{"a": 1, "index": 1}]), Delta(annotations=[{"b": 1}]), Delta(annotations=[{"c": 1}])
    )
    assert whole.annotations == [{"a": 1, "index": 1}, {"b": 1}, {"c": 1}]


def test_spoken_answers_grow_by_data_and_transcript() -> None:
    whole = message(
        Delta(audio={"id": "a", "data": "AA", "transcript": "He"}), Delta(audio={"data": "BB", "transcript": "y"})
    )
    assert whole.audio == {"id": "a", "data": "AABB", "transcript": "Hey"}


def test_the_old_function_call_is_merged() -> None:
    whole = message(
        Delta(function_call=ToolFunctionDelta("f", "{")), Delta(function_call=ToolFunctionDelta(UNSET, "}"))
    )
    assert whole.function_call == ToolFunctionDelta("f", "{}")


def test_log_probabilities_are_joined_list_by_list() -> None:
    first = of(Delta(content="a"), logprobs={"content": [{"token": "a"}], "refusal": None})
    second = of(Delta(content="b"), logprobs={"content": [{"token": "b"}], "refusal": None})
    assert folded(first, second).choices[0].logprobs == {"content": [{"token": "a"}, {"token": "b"}], "refusal": None}


def test_choices_are_kept_apart_and_in_order() -> None:
    whole = folded(of(Delta(content="b"), index=1), of(Delta(content="a")), of(Delta(content="B"), index=1))
    assert [(choice.index, choice.delta.content) for choice in whole.choices] == [(0, "a"), (1, "bB")]


def test_each_choice_keeps_its_own_finish_reason() -> None:
    whole = folded(
        of(Delta(), finish_reason="stop", raw_finish_reason="eos"), of(Delta(), index=1, finish_reason="length")
    )
    assert [(choice.finish_reason, choice.raw_finish_reason) for choice in whole.choices] == [
        ("stop", "eos"),
        ("length", None),
    ]


def test_usage_is_cumulative_so_the_last_one_counts() -> None:
    whole = folded(Chunk([], usage=Usage(1, output_tokens=1)), Chunk([]), Chunk([], usage=Usage(1, output_tokens=9)))
    assert whole.usage == Usage(1, output_tokens=9)


def test_the_first_id_and_model_and_the_last_service_tier_hold() -> None:
    whole = folded(
        Chunk([], id="one", reported_model="m", service_tier="auto"),
        Chunk([], id="two", reported_model="n", service_tier="flex"),
    )
    assert (whole.id, whole.reported_model, whole.service_tier) == ("one", "m", "flex")


def test_unknown_members_are_carried_at_every_level() -> None:
    whole = folded(
        Chunk([ChoiceDelta(0, Delta(extra={"a": 1}), extra={"x": 1})], extra={"top": Raw(b"1")}),
        Chunk([ChoiceDelta(0, Delta(extra={"b": 2}), extra={"y": 2})], extra={"other": Raw(b"2")}),
    )
    assert whole.extra == {"top": Raw(b"1"), "other": Raw(b"2")}
    assert whole.choices[0].extra == {"x": 1, "y": 2}
    assert whole.choices[0].delta.extra == {"a": 1, "b": 2}


def test_content_is_whatever_a_client_would_see() -> None:
    assert not Delta(role="assistant", content="", extra={"x": 1}).has_content
    seen = [
        Delta(content="a"), Delta(reasoning="a"), Delta(refusal="a"), Delta(tool_calls=[call(0)]),
        Delta(audio={"id": "a"}),
        Delta(images=[{}]), Delta(annotations=[{}]), Delta(function_call=ToolFunctionDelta("f")),
        Delta(reasoning_details=[{}]),
    ]  # fmt: skip
    assert all(delta.has_content for delta in seen)


pieces = st.lists(
    st.tuples(st.sampled_from(("content", "reasoning", "call", "detail")), st.integers(0, 1), st.text(max_size=4)),
    max_size=12,
)


def chunk_of(piece: tuple[str, int, str]) -> Chunk:
    kind, index, text = piece
    if kind == "call":
        return of(Delta(tool_calls=[call(index, text)]))
    if kind == "detail":
        return of(Delta(reasoning_details=[{"text": text, "index": index}]))
    return of(Delta(content=text) if kind == "content" else Delta(reasoning=text), index=index)


@given(pieces=pieces, data=st.data())
def test_any_grouping_of_a_stream_folds_to_the_same_answer(
    pieces: list[tuple[str, int, str]], data: st.DataObject
) -> None:
    """A fold of folds is the fold: a whole answer is a stream of one."""
    cut = data.draw(st.integers(0, len(pieces)))
    at_once = folded(*map(chunk_of, pieces))
    in_two = folded(folded(*map(chunk_of, pieces[:cut])), folded(*map(chunk_of, pieces[cut:])))
    assert msgspec.json.encode(in_two.choices) == msgspec.json.encode(at_once.choices)
