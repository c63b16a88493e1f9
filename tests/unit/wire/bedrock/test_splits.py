"""A streamed answer is told as the whole one is, however its bytes arrive."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.wire.bedrock.replies import (
    BEGIN,
    HELLO,
    LINK,
    METADATA,
    PAGE,
    STOP,
    delta,
    end,
    folded,
    message_of,
    start,
    stream,
    told,
    whole,
)

TEXT_BLOCK = st.builds(lambda text: {"text": text}, st.text(st.characters(codec="utf-8"), max_size=12))
THOUGHT_BLOCK = st.builds(
    lambda text, signature: {"reasoningContent": {"reasoningText": {"text": text, "signature": signature}}},
    st.text("ab ", max_size=6),
    st.text("xyz", min_size=1, max_size=6),
)
CALL_BLOCK = st.builds(
    lambda number, arguments: {"toolUse": {"toolUseId": f"t{number}", "name": "f", "input": arguments}},
    st.integers(0, 99),
    st.dictionaries(st.text("ab", min_size=1, max_size=3), st.integers(), max_size=2),
)
CITE_BLOCK = st.builds(
    lambda text, citations: {"citationsContent": {"content": [{"text": text}], "citations": citations}},
    st.text("cd ", min_size=1, max_size=8),
    st.lists(st.sampled_from([PAGE, LINK]), max_size=2),
)
BLOCKS = st.lists(st.one_of(TEXT_BLOCK, THOUGHT_BLOCK, CALL_BLOCK, CITE_BLOCK), max_size=6)


def as_events(blocks: list[dict[str, Any]], sizes: list[int]) -> bytes:
    """The same answer as Bedrock would stream it, its texts cut into pieces."""
    sequence: list[tuple[str, dict[str, Any]]] = [BEGIN]
    for index, block in enumerate(blocks):
        if "text" in block:
            sequence += [delta(index, text=piece) for piece in cut(block["text"], sizes)]
        elif "reasoningContent" in block:
            thought = block["reasoningContent"]["reasoningText"]
            sequence += [delta(index, reasoningContent={"text": piece}) for piece in cut(thought["text"], sizes)]
            sequence.append(delta(index, reasoningContent={"signature": thought["signature"]}))
        elif "toolUse" in block:
            use = block["toolUse"]
            sequence.append(start(index, toolUse={"toolUseId": use["toolUseId"], "name": use["name"]}))
            sequence += [delta(index, toolUse={"input": piece}) for piece in cut(json.dumps(use["input"]), sizes)]
        else:
            content = block["citationsContent"]
            sequence += [delta(index, text=piece) for piece in cut(content["content"][0]["text"], sizes)]
            sequence += [delta(index, citation=citation) for citation in content["citations"]]
        sequence.append(end(index))
    return stream(*sequence, STOP, METADATA)


def cut(text: str, sizes: list[int]) -> list[str]:
    pieces, at = [], 0
    while at < len(text):
        size = sizes[at % len(sizes)]
        pieces.append(text[at : at + size])
        at += size
    return pieces


HUNT = settings(max_examples=150, deadline=None, derandomize=True)


@HUNT
@given(BLOCKS, st.lists(st.integers(1, 5), min_size=1, max_size=4), st.lists(st.integers(0, 3000), max_size=10))
def test_a_stream_tells_what_the_whole_does_however_it_is_cut(
    blocks: list[dict[str, Any]], sizes: list[int], cuts: list[int]
) -> None:
    body = as_events(blocks, sizes)
    chunks = told(body)
    assert told(body, cuts=cuts) == chunks
    streamed, expected = folded(chunks), whole(blocks)
    assert streamed.usage == expected.usage
    assert streamed.choices[0].finish_reason == expected.choices[0].finish_reason
    ours, theirs = message_of(streamed), message_of(expected)
    assert (ours.content or "") == (theirs.content or "")
    assert ours.reasoning_details == theirs.reasoning_details
    assert ours.annotations == theirs.annotations
    assert ours.tool_calls == theirs.tool_calls


def test_byte_by_byte() -> None:
    assert told(HELLO, cuts=list(range(len(HELLO)))) == told(HELLO)
